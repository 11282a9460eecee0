What migrations do to SQLite schemas, one kind a step; each step stands on those before it.

-- step: tables with rows
CREATE TABLE "orgs" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "name" TEXT NOT NULL, "kind" TEXT DEFAULT 'it''s one');
CREATE TABLE "users" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "org_id" INTEGER NOT NULL,
    "email" TEXT NOT NULL,
    "age" INTEGER CHECK ("age" > 0),
    "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "users_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "orgs" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
CREATE INDEX "users_adult_idx" ON "users"("age" DESC) WHERE "age" > 17;
INSERT INTO "orgs" ("name") VALUES ('one'), ('two');
INSERT INTO "users" VALUES ('a', 1, 'a@example.org', 20, 1700000000000), ('b', 2, 'b@example.org', NULL, 1700000000001);

-- step: add columns
ALTER TABLE "users" ADD COLUMN "nick" TEXT;
ALTER TABLE "users" ADD COLUMN "score" INTEGER NOT NULL DEFAULT 3;
ALTER TABLE "users" ADD COLUMN "manager" TEXT REFERENCES "users" ("id");

-- step: drop columns
ALTER TABLE "users" DROP COLUMN "nick";
ALTER TABLE "users" DROP COLUMN "score";

-- step: rename
ALTER TABLE "users" RENAME COLUMN "age" TO "years";
ALTER TABLE "orgs" RENAME TO "organisations";
ALTER TABLE "organisations" ADD COLUMN "url" TEXT;

-- step: rebuilt with another column
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_users" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "org_id" INTEGER,
    "email" TEXT NOT NULL,
    "years" INTEGER,
    "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" DATETIME,
    CONSTRAINT "users_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "organisations" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
INSERT INTO "new_users" ("created_at", "email", "id", "org_id", "years") SELECT "created_at", "email", "id", "org_id", "years" FROM "users";
DROP TABLE "users";
ALTER TABLE "new_users" RENAME TO "users";
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
PRAGMA foreign_key_check;
PRAGMA foreign_keys=ON;

-- step: rebuilt with a column less
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_users" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "org_id" INTEGER,
    "email" TEXT NOT NULL,
    "years" INTEGER NOT NULL DEFAULT 1,
    "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "users_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "organisations" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
INSERT INTO "new_users" ("created_at", "email", "id", "org_id", "years") SELECT "created_at", "email", "id", "org_id", coalesce("years", 1) AS "years" FROM "users";
DROP TABLE "users";
ALTER TABLE "new_users" RENAME TO "users";
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- step: tables that others need
CREATE TABLE "posts" ("id" INTEGER PRIMARY KEY, "author" TEXT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE, "title" TEXT NOT NULL, "words" INTEGER GENERATED ALWAYS AS (length("title")) VIRTUAL, UNIQUE ("author", "title"));
INSERT INTO "posts" ("author", "title") VALUES ('a', 'first'), ('b', 'second');
CREATE INDEX "posts_title_idx" ON "posts"(lower("title"));
CREATE VIEW "titles" AS SELECT "title", "email" FROM "posts" JOIN "users" ON "users"."id" = "author";
CREATE TRIGGER "posts_added" AFTER INSERT ON "posts" BEGIN UPDATE "posts" SET "title" = trim(NEW."title") WHERE "id" = NEW."id"; SELECT 1; END;

-- step: rebuilt under a foreign key
PRAGMA foreign_keys=OFF;
DROP VIEW "titles";
CREATE TABLE "new_users" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "email" TEXT NOT NULL,
    "org_id" INTEGER,
    "years" INTEGER NOT NULL DEFAULT 1,
    "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "new_users" ("created_at", "email", "id", "org_id", "years") SELECT "created_at", "email", "id", "org_id", "years" FROM "users";
DROP TABLE "users";
ALTER TABLE "new_users" RENAME TO "users";
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
PRAGMA foreign_keys=ON;

-- step: two tables rebuilt
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_organisations" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "name" TEXT);
INSERT INTO "new_organisations" ("id", "name") SELECT "id", "name" FROM "organisations";
DROP TABLE "organisations";
ALTER TABLE "new_organisations" RENAME TO "organisations";
CREATE TABLE "new_users" ("id" TEXT NOT NULL PRIMARY KEY, "email" TEXT NOT NULL, "years" INTEGER, "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, "org_id" INTEGER, "nick" TEXT);
INSERT INTO "new_users" ("created_at", "email", "id", "org_id", "years") SELECT "created_at", "email", "id", "org_id", "years" FROM "users";
DROP TABLE "users";
ALTER TABLE "new_users" RENAME TO "users";
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
PRAGMA foreign_keys=ON;

-- step: indexes
CREATE INDEX "users_years_idx" ON "users"("years");
CREATE INDEX IF NOT EXISTS "users_years_idx" ON "users"("id");
DROP INDEX "posts_title_idx";
DROP INDEX IF EXISTS "nothing_idx";

-- step: triggers and views
DROP TRIGGER "posts_added";
CREATE VIEW "mails" AS SELECT "email" FROM "users";
CREATE TRIGGER "users_gone" BEFORE DELETE ON "users" WHEN OLD."years" > 100 BEGIN SELECT RAISE(ABORT, 'too old; keep'); END;

-- step: views and triggers dropped
DROP VIEW "mails";
DROP TRIGGER "users_gone";

-- step: a table dropped
DROP TABLE "posts";

-- step: a column with a function as default
CREATE TABLE "notes" ("id" INTEGER PRIMARY KEY, "at" DATETIME DEFAULT (datetime('now')), "text" TEXT DEFAULT CURRENT_DATE, "n" INTEGER NOT NULL DEFAULT (1 + 1)) ;
INSERT INTO "notes" ("at", "text") VALUES ('2026-01-01', 'x');

-- step: dropped with it
ALTER TABLE "notes" DROP COLUMN "at";
ALTER TABLE "notes" DROP COLUMN "n";

-- step: strict and without rowid
CREATE TABLE "keyed" ("a" TEXT NOT NULL, "b" INT NOT NULL, "c" BLOB, PRIMARY KEY ("a", "b")) STRICT, WITHOUT ROWID;
INSERT INTO "keyed" VALUES ('x', 1, x'00ff');

-- step: those dropped
DROP TABLE "keyed";

-- step: a full text table
CREATE VIRTUAL TABLE "docs" USING fts5(title, body);
INSERT INTO "docs" VALUES ('a', 'b');

-- step: rows
INSERT INTO "notes" ("text") VALUES ('y');
UPDATE "notes" SET "text" = 'z';
DELETE FROM "notes" WHERE "id" = 1;

-- step: a name in need of quotes
CREATE TABLE "Order; Items" ("select" INTEGER PRIMARY KEY, "from""to" TEXT);
CREATE INDEX "i; 1" ON "Order; Items" ("from""to");
ALTER TABLE "Order; Items" RENAME COLUMN "from""to" TO "group";

-- step: dropped by that name
DROP TABLE "Order; Items";

-- step: made and gone in one file
CREATE TABLE "scratch" ("id" INTEGER PRIMARY KEY);
ALTER TABLE "scratch" ADD COLUMN "x" TEXT;
ALTER TABLE "scratch" RENAME TO "scratched";
DROP TABLE "scratched";

-- step: a trigger on a table with a column less
CREATE TABLE "watched" ("id" INTEGER PRIMARY KEY, "at" DATETIME DEFAULT CURRENT_TIMESTAMP, "n" INTEGER);
CREATE TRIGGER "watched_added" AFTER INSERT ON "watched" BEGIN SELECT 1; END;
CREATE INDEX "watched_n_idx" ON "watched"("n");

-- step: dropped together
DROP TRIGGER "watched_added";
DROP INDEX "watched_n_idx";
ALTER TABLE "watched" RENAME COLUMN "n" TO "m";
ALTER TABLE "watched" DROP COLUMN "at";
CREATE INDEX "watched_m_idx" ON "watched"("m");
CREATE TRIGGER "watched_gone" AFTER DELETE ON "watched" BEGIN SELECT 2; END;
