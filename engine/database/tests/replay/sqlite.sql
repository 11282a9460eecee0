-- step: keys
CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT UNIQUE, c INT NOT NULL DEFAULT 3, UNIQUE (b, c), CHECK (c > 0));
CREATE TABLE b (id TEXT NOT NULL PRIMARY KEY, a_id INTEGER REFERENCES a (id) ON DELETE CASCADE, x REAL, CONSTRAINT named UNIQUE (x));
CREATE TABLE c (id INTEGER PRIMARY KEY AUTOINCREMENT, v VARCHAR(20) COLLATE NOCASE);
CREATE TABLE w (k TEXT, l TEXT, PRIMARY KEY (k, l)) WITHOUT ROWID;
CREATE TABLE s (k TEXT PRIMARY KEY, n INTEGER) STRICT;
CREATE TABLE i (id INT PRIMARY KEY, UNIQUE (id));
-- step: indexes
CREATE INDEX a_c ON a (c DESC);
CREATE UNIQUE INDEX "a_lower" ON a (lower(b), c) WHERE c > 1;
CREATE INDEX IF NOT EXISTS a_c ON a (b);
-- step: add columns
ALTER TABLE a ADD COLUMN d DATETIME DEFAULT CURRENT_TIMESTAMP;
ALTER TABLE "a" ADD "e" TEXT NOT NULL DEFAULT 'x';
ALTER TABLE a ADD COLUMN g INT GENERATED ALWAYS AS (c + 1) VIRTUAL;
ALTER TABLE b ADD COLUMN c_id INTEGER REFERENCES c;
-- step: views and triggers
CREATE VIEW v AS SELECT b, c FROM a;
CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET c = 1; END;
-- step: rename a column
ALTER TABLE a RENAME COLUMN c TO cc;
-- step: rename a table
ALTER TABLE a RENAME TO "A2";
-- step: drop a column
ALTER TABLE "A2" DROP COLUMN e;
-- step: rebuild as Prisma does
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_A2" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "b" TEXT,
    "cc" INTEGER NOT NULL DEFAULT 4,
    "f" TEXT
);
INSERT INTO "new_A2" ("id", "b", "cc") SELECT "id", "b", "cc" FROM "A2";
DROP VIEW v;
DROP TABLE "A2";
ALTER TABLE "new_A2" RENAME TO "A2";
CREATE UNIQUE INDEX "A2_b_key" ON "A2"("b");
PRAGMA foreign_key_check;
PRAGMA foreign_keys=ON;
-- step: names in another case
DROP INDEX a2_B_KEY;
ALTER TABLE a2 ADD COLUMN late TEXT;
DROP TABLE W;
-- step: table from a query
CREATE TABLE q AS SELECT id, b FROM A2;
-- step: temporary
CREATE TEMP TABLE tmp (id INTEGER PRIMARY KEY);
-- step: drop
DROP TABLE IF EXISTS c;
DROP TABLE IF EXISTS c;
-- step: stored statements
CREATE TABLE "par ent" (
    id INTEGER PRIMARY KEY, -- the key
    "name" TEXT, other INT DEFAULT (1 + 1), last TEXT
);
CREATE TABLE kid (
    id INTEGER PRIMARY KEY,
    pid INT REFERENCES "par ent"(id), /* one */
    qid INT,
    date date,
    CONSTRAINT fk FOREIGN KEY (qid) REFERENCES 'par ent' (id) ON DELETE CASCADE
);
CREATE INDEX   kid_pid on kid(pid,  "qid") WHERE pid > 0;
CREATE TRIGGER IF NOT EXISTS kid_t AFTER DELETE ON kid FOR EACH ROW BEGIN DELETE FROM "par ent" WHERE id = OLD.pid; END;
-- step: edits of stored statements
ALTER TABLE kid ADD COLUMN extra TEXT  DEFAULT 'a;b' ;
ALTER TABLE "par ent" DROP COLUMN last;
ALTER TABLE "par ent" DROP COLUMN "name";
-- step: renames in stored statements
ALTER TABLE "par ent" RENAME TO parents;
ALTER TABLE kid RENAME pid TO parent_id;
ALTER TABLE kid RENAME COLUMN date TO "on";
ALTER TABLE kid RENAME TO kids;
-- step: old tables renamed away first
PRAGMA legacy_alter_table=ON;
ALTER TABLE parents RENAME TO parents_old;
CREATE TABLE parents (id INTEGER PRIMARY KEY, other INT);
INSERT INTO parents (id, other) SELECT id, other FROM parents_old;
DROP TABLE parents_old;
PRAGMA legacy_alter_table=OFF;
-- step: foreign keys follow a table that is renamed away
ALTER TABLE parents RENAME TO elsewhere;
