What migrations do to PostgreSQL schemas, one kind a step; each step stands on those before it.

-- step: tables with rows
CREATE TYPE role AS ENUM ('admin', 'user', 'guest');
CREATE TABLE orgs (id integer PRIMARY KEY, name text NOT NULL, "Display Name" text DEFAULT 'it''s one');
CREATE TABLE users (
    id bigserial PRIMARY KEY,
    org_id integer REFERENCES orgs (id) ON DELETE CASCADE,
    email varchar(100) NOT NULL UNIQUE,
    role role NOT NULL DEFAULT 'user',
    roles role[] NOT NULL DEFAULT '{user}',
    age integer CHECK (age > 0),
    balance numeric(12, 2) NOT NULL DEFAULT 0,
    bio text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX users_age_idx ON users (age DESC NULLS LAST) WHERE age > 17;
INSERT INTO orgs VALUES (1, 'one'), (2, 'two');
INSERT INTO users (org_id, email, age, bio, created_at) VALUES (1, 'a@example.org', 20, 'x', '2026-01-01'), (2, 'b@example.org', NULL, NULL, '2026-01-02');

-- step: add columns
ALTER TABLE users ADD COLUMN nick text, ADD COLUMN score integer NOT NULL DEFAULT 3, ADD COLUMN IF NOT EXISTS age integer;

-- step: a column with everything on it
ALTER TABLE users ADD COLUMN manager bigint REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED, ADD COLUMN code text UNIQUE CHECK (code <> '');
COMMENT ON COLUMN users.code IS 'what is "printed"';
CREATE INDEX users_manager_idx ON users (manager) INCLUDE (email);

-- step: drop that column
ALTER TABLE users DROP COLUMN code, DROP COLUMN manager;

-- step: drop a column with an index and a check
ALTER TABLE users DROP COLUMN age;

-- step: drop a required column
ALTER TABLE users DROP COLUMN score;

-- step: drop a column with collation
ALTER TABLE users DROP COLUMN bio;

-- step: drop and add under the same name
ALTER TABLE users DROP COLUMN nick;
ALTER TABLE users ADD COLUMN nick varchar(20) NOT NULL DEFAULT '';

-- step: rename columns and tables
ALTER TABLE users RENAME COLUMN nick TO "nickName";
ALTER TABLE orgs RENAME TO organisations;
ALTER TABLE organisations RENAME COLUMN "Display Name" TO display_name;
ALTER TABLE organisations ADD COLUMN url text;

-- step: swap two columns
ALTER TABLE organisations ADD COLUMN a text DEFAULT 'a', ADD COLUMN b integer DEFAULT 2;
ALTER TABLE organisations RENAME a TO c;
ALTER TABLE organisations RENAME b TO a;
ALTER TABLE organisations RENAME c TO b;

-- step: types
ALTER TABLE users ALTER COLUMN email TYPE text, ALTER COLUMN balance TYPE numeric(20, 4);

-- step: a type with a default and a conversion
ALTER TABLE users ALTER COLUMN balance DROP DEFAULT, ALTER COLUMN balance TYPE text USING balance::text, ALTER COLUMN balance SET DEFAULT '0';

-- step: a type under an index
ALTER TABLE users ALTER COLUMN org_id TYPE bigint;

-- step: nullability and defaults
ALTER TABLE users ALTER COLUMN email DROP NOT NULL, ALTER COLUMN org_id SET NOT NULL, ALTER COLUMN org_id SET DEFAULT 1, ALTER COLUMN created_at DROP DEFAULT;

-- step: enum values
ALTER TYPE role ADD VALUE 'owner' BEFORE 'admin';
ALTER TYPE role ADD VALUE IF NOT EXISTS 'bot';
ALTER TYPE role ADD VALUE IF NOT EXISTS 'user';

-- step: an enum value with another name
ALTER TYPE role RENAME VALUE 'guest' TO 'visitor';

-- step: an enum rebuilt as prisma does
BEGIN;
CREATE TYPE "role_new" AS ENUM ('admin', 'user', 'visitor');
ALTER TABLE users ALTER COLUMN role DROP DEFAULT, ALTER COLUMN roles DROP DEFAULT;
ALTER TABLE users ALTER COLUMN role TYPE "role_new" USING (role::text::"role_new");
ALTER TABLE users ALTER COLUMN roles TYPE "role_new"[] USING (roles::text::"role_new"[]);
ALTER TYPE role RENAME TO "role_old";
ALTER TYPE "role_new" RENAME TO role;
DROP TYPE "role_old";
ALTER TABLE users ALTER COLUMN role SET DEFAULT 'user', ALTER COLUMN roles SET DEFAULT '{user}';
COMMIT;

-- step: a new enum in the place of a text
CREATE TYPE plan AS ENUM ('free', 'paid');
ALTER TABLE organisations ADD COLUMN plan text NOT NULL DEFAULT 'free';
ALTER TABLE organisations ALTER COLUMN plan DROP DEFAULT, ALTER COLUMN plan TYPE plan USING plan::plan, ALTER COLUMN plan SET DEFAULT 'free';

-- step: a text in the place of an enum
ALTER TABLE organisations ALTER COLUMN plan DROP DEFAULT, ALTER COLUMN plan TYPE text USING plan::text, ALTER COLUMN plan SET DEFAULT 'free';
DROP TYPE plan;

-- step: constraints
ALTER TABLE users ADD CONSTRAINT users_email_check CHECK (email LIKE '%@%') NOT VALID;
ALTER TABLE users ADD UNIQUE (org_id, email);
ALTER TABLE organisations ADD CHECK (length(name) > 1), ADD EXCLUDE USING btree (name WITH =);

-- step: constraints validated and renamed
ALTER TABLE users VALIDATE CONSTRAINT users_email_check;
ALTER TABLE users RENAME CONSTRAINT users_email_check TO users_email_is_one;
ALTER INDEX users_org_id_email_key RENAME TO one_email_an_org;

-- step: constraints dropped
ALTER TABLE users DROP CONSTRAINT users_email_is_one, DROP CONSTRAINT one_email_an_org;
ALTER TABLE organisations DROP CONSTRAINT organisations_name_excl, DROP CONSTRAINT IF EXISTS nonsense;

-- step: a foreign key changed
ALTER TABLE users DROP CONSTRAINT users_org_id_fkey;
ALTER TABLE users ADD CONSTRAINT users_org_id_fkey FOREIGN KEY (org_id) REFERENCES organisations (id) ON DELETE RESTRICT ON UPDATE CASCADE;

-- step: primary keys changed
CREATE TABLE teams (id integer NOT NULL, slug text NOT NULL, CONSTRAINT teams_pkey PRIMARY KEY (id));
CREATE TABLE members (team integer NOT NULL REFERENCES teams, person bigint NOT NULL REFERENCES users, PRIMARY KEY (team, person));
INSERT INTO teams VALUES (1, 'one');
INSERT INTO members VALUES (1, 1);

-- step: another primary key
ALTER TABLE members DROP CONSTRAINT members_pkey, ADD COLUMN id serial, ADD CONSTRAINT members_pkey PRIMARY KEY (id);

-- step: a primary key that others need
ALTER TABLE teams DROP CONSTRAINT teams_pkey CASCADE;
ALTER TABLE teams ADD PRIMARY KEY (slug);

-- step: a constraint from an index
CREATE UNIQUE INDEX teams_id_key ON teams (id);
ALTER TABLE teams ADD CONSTRAINT teams_id_key UNIQUE USING INDEX teams_id_key;

-- step: a constraint from an index of its own file
CREATE UNIQUE INDEX teams_both_idx ON teams (id, slug);

-- step: made from it
ALTER TABLE teams ADD CONSTRAINT teams_both_key UNIQUE USING INDEX teams_both_idx;

-- step: indexes
CREATE INDEX ON users (lower(email), org_id);
CREATE INDEX users_email_idx ON users USING hash (email);
CREATE UNIQUE INDEX IF NOT EXISTS users_email_idx ON users (email);
CREATE INDEX IF NOT EXISTS users_created_idx ON users (created_at DESC);

-- step: an index built beside the writers
CREATE INDEX CONCURRENTLY users_balance_idx ON users (balance);

-- step: an index dropped beside the writers
DROP INDEX CONCURRENTLY users_balance_idx;

-- step: indexes dropped and renamed
DROP INDEX users_lower_org_id_idx;
DROP INDEX IF EXISTS users_nothing_idx, users_email_idx;
ALTER INDEX users_created_idx RENAME TO users_created_at_idx;

-- step: identity and sequences
CREATE SEQUENCE invoice_numbers INCREMENT BY 5 START WITH 100 MAXVALUE 100000 CYCLE;
CREATE TABLE invoices (id integer GENERATED ALWAYS AS IDENTITY (START WITH 10), number integer NOT NULL DEFAULT nextval('invoice_numbers'), net numeric(10, 2) NOT NULL, gross numeric(10, 2) GENERATED ALWAYS AS (net * 1.2) STORED, PRIMARY KEY (id));
INSERT INTO invoices (net) VALUES (1), (2);

-- step: identity changed
ALTER TABLE invoices ALTER COLUMN id SET GENERATED BY DEFAULT;

-- step: identity dropped
ALTER TABLE invoices ALTER COLUMN id DROP IDENTITY;

-- step: identity added
ALTER TABLE invoices ALTER COLUMN number DROP DEFAULT;
DROP SEQUENCE invoice_numbers;
ALTER TABLE invoices ALTER COLUMN number ADD GENERATED BY DEFAULT AS IDENTITY;

-- step: a serial column dropped
ALTER TABLE members DROP COLUMN id;

-- step: a generated column dropped
ALTER TABLE invoices DROP COLUMN gross;

-- step: views
CREATE VIEW adults AS SELECT id, email FROM users WHERE org_id > 1;
CREATE VIEW adults_of_one (number, mail) AS SELECT id, email FROM adults WHERE id = 1 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW counted AS SELECT org_id, count(*) AS n FROM users GROUP BY org_id;
CREATE UNIQUE INDEX counted_org_idx ON counted (org_id);
COMMENT ON VIEW adults IS 'grown up';

-- step: a view replaced
CREATE OR REPLACE VIEW adults AS SELECT id, email, balance FROM users WHERE org_id > 2;

-- step: a view on a view replaced
CREATE OR REPLACE VIEW adults_of_one (number, mail) AS SELECT id, email FROM adults WHERE id = 2;

-- step: a view renamed
ALTER VIEW adults RENAME TO grown_ups;
ALTER MATERIALIZED VIEW counted RENAME TO counts;

-- step: views dropped
DROP MATERIALIZED VIEW counts;
DROP VIEW adults_of_one, grown_ups;

-- step: functions and triggers
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := now(); -- a comment; with a semicolon
    RETURN NEW;
END
$$;
CREATE FUNCTION twice(n integer, OUT result integer) LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION twice(t text DEFAULT 'x') RETURNS text LANGUAGE sql STRICT SECURITY DEFINER SET search_path = public AS $f$ SELECT t || t $f$;
CREATE PROCEDURE tidy(IN days integer) LANGUAGE sql AS 'DELETE FROM members WHERE person < days';
CREATE TRIGGER users_touch BEFORE UPDATE OF email ON users FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION touch();
COMMENT ON FUNCTION twice(integer) IS 'doubles';

-- step: a function replaced
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER users_touch AFTER INSERT ON users EXECUTE FUNCTION touch();

-- step: a trigger renamed and disabled
ALTER TRIGGER users_touch ON users RENAME TO users_touched;
ALTER TABLE users DISABLE TRIGGER users_touched;

-- step: functions renamed
ALTER FUNCTION twice(text) RENAME TO doubled;

-- step: functions and triggers dropped
DROP TRIGGER users_touched ON users;
DROP FUNCTION touch(), doubled;
DROP FUNCTION twice(integer);
DROP PROCEDURE tidy;

-- step: domains and composites
CREATE DOMAIN email AS text COLLATE "C" DEFAULT 'x@example.org' CONSTRAINT email_has_at CHECK (VALUE ~ '@') NOT NULL;
CREATE TYPE address AS (street text, city varchar(50));
ALTER TABLE organisations ADD COLUMN contact email, ADD COLUMN address address;
COMMENT ON TYPE address IS 'where';

-- step: types renamed
ALTER TYPE address RENAME TO postal_address;
ALTER DOMAIN email RENAME TO mail;

-- step: domains and composites dropped
ALTER TABLE organisations DROP COLUMN contact, DROP COLUMN address;
DROP DOMAIN mail;
DROP TYPE postal_address;

-- step: row security
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON users AS RESTRICTIVE FOR SELECT TO PUBLIC USING (org_id = current_setting('app.org', true)::bigint);
CREATE POLICY make ON users FOR INSERT WITH CHECK (email IS NOT NULL);

-- step: policies renamed
ALTER POLICY own ON users RENAME TO of_org;

-- step: row security off
DROP POLICY of_org ON users;
DROP POLICY make ON users;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;

-- step: privileges
GRANT SELECT, INSERT ON users TO PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;

-- step: privileges taken
REVOKE INSERT ON users FROM PUBLIC;

-- step: comments
COMMENT ON TABLE users IS 'people; "all" of them';
COMMENT ON COLUMN users.email IS 'first';
COMMENT ON CONSTRAINT users_pkey ON users IS 'the key';
COMMENT ON INDEX users_created_at_idx IS 'by age';

-- step: comments changed
COMMENT ON TABLE users IS 'people''s';
COMMENT ON COLUMN users.email IS NULL;

-- step: schemas
CREATE SCHEMA archive;
CREATE TABLE archive.old_users (LIKE users INCLUDING ALL);
ALTER TABLE invoices SET SCHEMA archive;
CREATE TYPE archive.colour AS ENUM ('red');

-- step: a schema renamed
ALTER SCHEMA archive RENAME TO attic;

-- step: a type moved
ALTER TYPE attic.colour SET SCHEMA public;

-- step: back from the schema
ALTER TABLE attic.invoices SET SCHEMA public;
DROP TABLE attic.old_users;
DROP SCHEMA attic;
DROP TYPE colour;

-- step: partitions
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, kind text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 (LIKE events INCLUDING ALL);
CREATE INDEX events_kind_idx ON events (kind);
INSERT INTO events VALUES (1, '2025-05-05', 'x');

-- step: a partition attached
ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- step: a partition detached
ALTER TABLE events DETACH PARTITION events_2025;

-- step: a partition dropped
DROP TABLE events_2026;

-- step: tables that inherit
CREATE TABLE base (id integer PRIMARY KEY, note text);
CREATE TABLE derived (extra text) INHERITS (base);
ALTER TABLE base ADD COLUMN more text;

-- step: dropped tables
CREATE TABLE parts (id serial PRIMARY KEY, org integer REFERENCES organisations (id) ON DELETE SET NULL, name text NOT NULL DEFAULT 'x' UNIQUE, CHECK (id > 0));
CREATE TABLE pieces (part integer REFERENCES parts, n integer);
CREATE INDEX parts_lower_idx ON parts (lower(name));
CREATE FUNCTION parts_changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER parts_changed AFTER UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION parts_changed();
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY parts_all ON parts USING (true);
COMMENT ON TABLE parts IS 'parts';
COMMENT ON COLUMN parts.name IS 'the name';
GRANT SELECT ON parts TO PUBLIC;
CREATE VIEW named_parts AS SELECT name FROM parts;

-- step: dropped with everything that needs them
DROP TABLE parts CASCADE;

-- step: several at once
DROP TABLE derived, base, pieces;

-- step: a column that a view needs
ALTER TABLE users ADD COLUMN phone text;
CREATE VIEW phones AS SELECT phone FROM users;

-- step: dropped with its view
ALTER TABLE users DROP COLUMN phone CASCADE;

-- step: made and gone in one file
CREATE TABLE scratch (id integer PRIMARY KEY, n integer);
INSERT INTO scratch VALUES (1, 1);
ALTER TABLE scratch ADD COLUMN x text;
ALTER TABLE scratch RENAME TO scratched;
CREATE INDEX scratched_idx ON scratched (x);
DROP TABLE scratched;

-- step: a table in the place of another
CREATE TABLE users_new (id bigint PRIMARY KEY, org_id bigint);
INSERT INTO users_new SELECT id, org_id FROM users;
ALTER TABLE users RENAME TO users_old;
ALTER TABLE users_new RENAME TO users;

-- step: settings of the session
SET search_path TO public;
SET LOCAL lock_timeout = '1s';
CREATE TABLE settings (id integer);
SELECT 1;
ANALYZE settings;

-- step: rows
INSERT INTO settings VALUES (1), (2);
UPDATE settings SET id = 3 WHERE id = 2;
DELETE FROM settings WHERE id = 1;

-- step: tables that point at each other
CREATE TABLE hens (id integer PRIMARY KEY, egg integer);
CREATE TABLE eggs (id integer PRIMARY KEY, hen integer REFERENCES hens);
ALTER TABLE hens ADD CONSTRAINT hens_egg_fkey FOREIGN KEY (egg) REFERENCES eggs;
CREATE TYPE colour AS ENUM ('white', 'brown');
ALTER TABLE eggs ADD COLUMN colour colour;
CREATE FUNCTION hatch(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n';
CREATE OR REPLACE FUNCTION hatch(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n + 1';

-- step: columns under one index
CREATE TABLE pairs (a integer, b text, c integer, CONSTRAINT pairs_a_b_key UNIQUE (a, b));
CREATE INDEX pairs_b_c_idx ON pairs (b, c);

-- step: both dropped
ALTER TABLE pairs DROP COLUMN a, DROP COLUMN b;

-- step: an index and its column dropped
CREATE TABLE indexed (a integer, b text NOT NULL DEFAULT '');
CREATE INDEX indexed_b_idx ON indexed (b);

-- step: dropped together
DROP INDEX indexed_b_idx;
ALTER TABLE indexed ALTER COLUMN b DROP DEFAULT, ALTER COLUMN b TYPE varchar(10);
ALTER TABLE indexed DROP COLUMN b;

-- step: renamed and then dropped
CREATE TABLE former (a integer CONSTRAINT former_check CHECK (a > 0), b integer, c integer);
CREATE INDEX former_b_idx ON former (b);

-- step: all of it
ALTER TABLE former RENAME COLUMN a TO d;
ALTER TABLE former RENAME COLUMN b TO e;
ALTER TABLE former RENAME TO latter;
DROP INDEX former_b_idx;
ALTER TABLE latter DROP CONSTRAINT former_check;
ALTER TABLE latter DROP COLUMN e, DROP COLUMN c;
ALTER TABLE latter ADD COLUMN c text;

-- step: a table in the place of a dropped one
CREATE TABLE settings_new (id bigint PRIMARY KEY);
INSERT INTO settings_new SELECT id FROM settings;
ALTER TABLE settings RENAME TO settings_old;
ALTER TABLE settings_new RENAME TO settings;
DROP TABLE settings_old;

-- step: storage and statistics
ALTER TABLE settings SET (fillfactor = 70);
ALTER TABLE settings ALTER COLUMN id SET STATISTICS 300;

-- step: a name in need of quotes
CREATE TABLE "Order; Items" ("select" integer PRIMARY KEY, "from""to" text);
CREATE INDEX "i; 1" ON "Order; Items" ("from""to");
ALTER TABLE "Order; Items" RENAME COLUMN "from""to" TO "group";

-- step: dropped by that name
DROP TABLE "Order; Items";
