//! The statements, one kind a line.

/// One statement, and what there is before it besides [`COMMON`].
pub struct Case {
    pub before: &'static str,
    pub statement: &'static str,
    /// It reads tables as queries do, which the planner decides.
    pub queries: bool,
}

const fn on(before: &'static str, statement: &'static str) -> Case {
    Case {
        before,
        statement,
        queries: false,
    }
}

const fn case(statement: &'static str) -> Case {
    on("", statement)
}

const fn query(before: &'static str, statement: &'static str) -> Case {
    Case {
        before,
        statement,
        queries: true,
    }
}

/// What most cases start from.
pub const COMMON: &str = "
    CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(100), age integer NOT NULL DEFAULT 0, name text,
        born date, price numeric(10, 2), at timestamp, CONSTRAINT age_positive CHECK (age >= 0));
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, note varchar(50),
        total integer, CONSTRAINT orders_user_fkey FOREIGN KEY (user_id) REFERENCES users (id));
    CREATE TABLE plain (a integer, b text, c integer);
    CREATE INDEX users_email_idx ON users (email);
    CREATE TABLE parted (id integer NOT NULL, kind text, CONSTRAINT parted_pkey PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
    CREATE TABLE base (x integer);
    CREATE TABLE derived (y integer) INHERITS (base);
    CREATE VIEW adults AS SELECT id, name FROM users WHERE age > 17;
    CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
    CREATE UNIQUE INDEX totals_user ON totals (user_id);
    CREATE SEQUENCE counter;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    INSERT INTO users (email) VALUES ('a'), ('b');
    INSERT INTO orders (user_id) VALUES (1);
    INSERT INTO plain VALUES (1, 'x', 1), (2, 'y', 2);
    INSERT INTO parted VALUES (1, 'x'), (11, 'y');
";

/// A table a kind, by what the statement is about.
pub const CASES: &[Case] = &[
    // Columns
    case("ALTER TABLE users ADD COLUMN city text"),
    case("ALTER TABLE users ADD COLUMN city text DEFAULT 'x' NOT NULL"),
    case("ALTER TABLE users ADD COLUMN seen timestamptz DEFAULT now()"),
    case("ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()"),
    case("ALTER TABLE users ADD COLUMN number serial"),
    case("ALTER TABLE users ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY"),
    case("ALTER TABLE users ADD COLUMN lower_name text GENERATED ALWAYS AS (lower(name)) STORED"),
    case("ALTER TABLE users ADD COLUMN boss bigint REFERENCES users (id)"),
    case("ALTER TABLE plain ADD COLUMN boss bigint REFERENCES users (id)"),
    query(
        "",
        "ALTER TABLE plain ADD COLUMN boss bigint DEFAULT 1 REFERENCES users (id)",
    ),
    case("ALTER TABLE plain ADD COLUMN d integer CHECK (d > 0)"),
    case("ALTER TABLE plain ADD COLUMN d integer UNIQUE"),
    case("ALTER TABLE plain ADD COLUMN IF NOT EXISTS a integer DEFAULT random()"),
    on(
        "CREATE DOMAIN positive AS integer CHECK (value > 0);",
        "ALTER TABLE plain ADD COLUMN d positive",
    ),
    on(
        "CREATE DOMAIN number AS integer;",
        "ALTER TABLE plain ADD COLUMN d number",
    ),
    case("ALTER TABLE parted ADD COLUMN extra text"),
    case("ALTER TABLE parted ADD COLUMN extra uuid DEFAULT gen_random_uuid()"),
    case("ALTER TABLE base ADD COLUMN extra text"),
    case("ALTER TABLE users DROP COLUMN name CASCADE"),
    case("ALTER TABLE plain DROP COLUMN b"),
    case("ALTER TABLE orders DROP COLUMN user_id CASCADE"),
    case("ALTER TABLE users DROP COLUMN id CASCADE"),
    case("ALTER TABLE parted DROP COLUMN kind"),
    case("ALTER TABLE base DROP COLUMN x"),
    case("ALTER TABLE plain RENAME COLUMN b TO bb"),
    case("ALTER TABLE parted RENAME COLUMN kind TO sort"),
    case("ALTER TABLE plain ALTER COLUMN a SET NOT NULL"),
    case("ALTER TABLE users ALTER COLUMN age SET NOT NULL"),
    case("ALTER TABLE parted ALTER COLUMN kind SET NOT NULL"),
    on(
        "ALTER TABLE plain ADD CONSTRAINT a_there CHECK (a IS NOT NULL);",
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL",
    ),
    on(
        "ALTER TABLE plain ADD CONSTRAINT a_there CHECK (a IS NOT NULL) NOT VALID;",
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL",
    ),
    on(
        "ALTER TABLE plain ADD CONSTRAINT a_there CHECK (a > 0 AND a IS NOT NULL);",
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL",
    ),
    case("ALTER TABLE users ALTER COLUMN age DROP NOT NULL"),
    case("ALTER TABLE users ALTER COLUMN age SET DEFAULT 1"),
    case("ALTER TABLE users ALTER COLUMN age DROP DEFAULT"),
    case("ALTER TABLE parted ALTER COLUMN kind SET DEFAULT 'x'"),
    case("ALTER TABLE plain ALTER COLUMN a SET STATISTICS 500"),
    case("ALTER TABLE parted ALTER COLUMN kind SET STATISTICS 500"),
    case("ALTER TABLE plain ALTER COLUMN b SET STORAGE EXTERNAL"),
    case("ALTER TABLE plain ALTER COLUMN b SET COMPRESSION pglz"),
    case("ALTER TABLE plain ALTER COLUMN a SET (n_distinct = -0.5)"),
    on(
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE plain ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY",
    ),
    case("ALTER TABLE orders ALTER COLUMN id SET GENERATED BY DEFAULT"),
    case("ALTER TABLE orders ALTER COLUMN id RESTART WITH 100"),
    case("ALTER TABLE orders ALTER COLUMN id DROP IDENTITY"),
    on(
        "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
        "ALTER TABLE g ALTER COLUMN b DROP EXPRESSION",
    ),
    case("ALTER TABLE plain ADD COLUMN d integer, ALTER COLUMN a SET STATISTICS 10"),
    case("ALTER TABLE parted ALTER COLUMN kind SET STATISTICS 5, ADD COLUMN more text"),
    // Types
    case("ALTER TABLE users ALTER COLUMN email TYPE varchar(200)"),
    case("ALTER TABLE users ALTER COLUMN email TYPE varchar(50)"),
    case("ALTER TABLE users ALTER COLUMN email TYPE varchar"),
    case("ALTER TABLE users ALTER COLUMN email TYPE text"),
    case("ALTER TABLE users ALTER COLUMN email TYPE text USING email::text"),
    case("ALTER TABLE users ALTER COLUMN email TYPE text USING lower(email)"),
    case("ALTER TABLE plain ALTER COLUMN b TYPE varchar"),
    case("ALTER TABLE plain ALTER COLUMN b TYPE varchar(10)"),
    case("ALTER TABLE plain ALTER COLUMN b TYPE char(10)"),
    case("ALTER TABLE plain ALTER COLUMN a TYPE bigint"),
    case("ALTER TABLE plain ALTER COLUMN a TYPE text"),
    case("ALTER TABLE plain ALTER COLUMN a TYPE integer"),
    on("DROP VIEW adults;", "ALTER TABLE users ALTER COLUMN age TYPE bigint"),
    case("ALTER TABLE users ALTER COLUMN price TYPE numeric(12, 2)"),
    case("ALTER TABLE users ALTER COLUMN price TYPE numeric(12, 3)"),
    case("ALTER TABLE users ALTER COLUMN price TYPE numeric"),
    case("ALTER TABLE users ALTER COLUMN price TYPE numeric(8, 2)"),
    case("ALTER TABLE users ALTER COLUMN at TYPE timestamp(3)"),
    case("ALTER TABLE users ALTER COLUMN at TYPE date"),
    on(
        "SET timezone = 'Asia/Tokyo'; CREATE TABLE z (at timestamp(3));",
        "ALTER TABLE z ALTER COLUMN at TYPE timestamptz(3)",
    ),
    on(
        "CREATE TABLE z (at timestamp(3));",
        "ALTER TABLE z ALTER COLUMN at TYPE timestamp(6)",
    ),
    on(
        "CREATE TABLE z (a varchar(3)[]);",
        "ALTER TABLE z ALTER COLUMN a TYPE varchar(6)[]",
    ),
    on(
        "CREATE TABLE z (a varchar(3)[]);",
        "ALTER TABLE z ALTER COLUMN a TYPE text[]",
    ),
    on("CREATE TABLE z (a json);", "ALTER TABLE z ALTER COLUMN a TYPE jsonb"),
    on("CREATE TABLE z (a cidr);", "ALTER TABLE z ALTER COLUMN a TYPE inet"),
    on(
        "CREATE TABLE z (a char(3));",
        "ALTER TABLE z ALTER COLUMN a TYPE char(6)",
    ),
    on(
        "CREATE TABLE z (a bit varying(3));",
        "ALTER TABLE z ALTER COLUMN a TYPE bit varying(6)",
    ),
    on(
        "CREATE TABLE z (a interval);",
        "ALTER TABLE z ALTER COLUMN a TYPE interval(3)",
    ),
    on("CREATE TABLE z (a time(3));", "ALTER TABLE z ALTER COLUMN a TYPE time"),
    on("CREATE TABLE z (a mood);", "ALTER TABLE z ALTER COLUMN a TYPE text"),
    on(
        "CREATE TABLE z (a text);",
        "ALTER TABLE z ALTER COLUMN a TYPE mood USING a::mood",
    ),
    on(
        "CREATE DOMAIN short AS varchar(10); CREATE TABLE z (a short);",
        "ALTER TABLE z ALTER COLUMN a TYPE varchar(20)",
    ),
    on(
        "CREATE DOMAIN positive AS integer CHECK (value > 0);",
        "ALTER TABLE plain ALTER COLUMN a TYPE positive",
    ),
    on(
        "CREATE DOMAIN number AS integer;",
        "ALTER TABLE plain ALTER COLUMN a TYPE number",
    ),
    on(
        "CREATE TABLE z (a varchar(5) CHECK (a <> ''));",
        "ALTER TABLE z ALTER COLUMN a TYPE varchar(9)",
    ),
    on(
        "CREATE TABLE z (a varchar(5)); CREATE INDEX z_lower ON z (lower(a));",
        "ALTER TABLE z ALTER COLUMN a TYPE varchar(9)",
    ),
    on(
        "CREATE TABLE z (a varchar(5), b int); CREATE INDEX z_part ON z (a) WHERE b > 0;",
        "ALTER TABLE z ALTER COLUMN a TYPE varchar(9)",
    ),
    case("ALTER TABLE users ALTER COLUMN email TYPE varchar(100) COLLATE \"C\""),
    query(
        "DROP MATERIALIZED VIEW totals;",
        "ALTER TABLE orders ALTER COLUMN user_id TYPE integer",
    ),
    on("DROP VIEW adults;", "ALTER TABLE users ALTER COLUMN id TYPE integer"),
    on(
        "DROP MATERIALIZED VIEW totals;",
        "ALTER TABLE orders ALTER COLUMN id TYPE integer",
    ),
    case("ALTER TABLE parted ALTER COLUMN kind TYPE varchar(10)"),
    case("ALTER TABLE base ALTER COLUMN x TYPE bigint"),
    // Constraints
    case("ALTER TABLE plain ADD CONSTRAINT c CHECK (a > 0)"),
    case("ALTER TABLE plain ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
    case("ALTER TABLE parted ADD CONSTRAINT c CHECK (id >= 0)"),
    case("ALTER TABLE base ADD CONSTRAINT c CHECK (x > 0)"),
    case("ALTER TABLE plain ADD CONSTRAINT u UNIQUE (a)"),
    case("ALTER TABLE plain ADD PRIMARY KEY (a)"),
    on(
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE plain ADD PRIMARY KEY (a)",
    ),
    on(
        "CREATE UNIQUE INDEX u ON plain (a);",
        "ALTER TABLE plain ADD UNIQUE USING INDEX u",
    ),
    on(
        "CREATE UNIQUE INDEX u ON plain (a);",
        "ALTER TABLE plain ADD PRIMARY KEY USING INDEX u",
    ),
    on(
        "ALTER TABLE plain ALTER COLUMN a SET NOT NULL; CREATE UNIQUE INDEX u ON plain (a);",
        "ALTER TABLE plain ADD PRIMARY KEY USING INDEX u",
    ),
    case("ALTER TABLE plain ADD CONSTRAINT e EXCLUDE USING btree (a WITH =)"),
    case("ALTER TABLE parted ADD CONSTRAINT u UNIQUE (id)"),
    on(
        "CREATE TABLE bare (id int) PARTITION BY RANGE (id); CREATE TABLE bare_1 PARTITION OF bare FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE bare ADD PRIMARY KEY (id)",
    ),
    on(
        "CREATE TABLE bare (id int NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE bare_1 PARTITION OF bare FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE bare ADD PRIMARY KEY (id)",
    ),
    query(
        "",
        "ALTER TABLE plain ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id)",
    ),
    case("ALTER TABLE plain ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id) NOT VALID"),
    case("ALTER TABLE plain ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES parted (id) NOT VALID"),
    case("ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (age) REFERENCES users (id) NOT VALID"),
    query(
        "INSERT INTO users (id) VALUES (11);",
        "ALTER TABLE parted ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id)",
    ),
    on(
        "ALTER TABLE plain ADD CONSTRAINT c CHECK (a > 0) NOT VALID;",
        "ALTER TABLE plain VALIDATE CONSTRAINT c",
    ),
    on(
        "ALTER TABLE parted ADD CONSTRAINT c CHECK (id >= 0) NOT VALID;",
        "ALTER TABLE parted VALIDATE CONSTRAINT c",
    ),
    on(
        "ALTER TABLE plain ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id) NOT VALID;",
        "ALTER TABLE plain VALIDATE CONSTRAINT f",
    ),
    on(
        "ALTER TABLE plain ADD CONSTRAINT c CHECK (a > 0);",
        "ALTER TABLE plain VALIDATE CONSTRAINT c",
    ),
    case("ALTER TABLE users DROP CONSTRAINT age_positive"),
    case("ALTER TABLE orders DROP CONSTRAINT orders_user_fkey"),
    case("ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE"),
    case("ALTER TABLE parted DROP CONSTRAINT parted_pkey"),
    case("ALTER TABLE users RENAME CONSTRAINT age_positive TO age_fine"),
    case("ALTER TABLE orders ALTER CONSTRAINT orders_user_fkey DEFERRABLE"),
    // Indexes
    case("CREATE INDEX ON plain (a)"),
    case("CREATE UNIQUE INDEX ON plain (a)"),
    case("CREATE INDEX CONCURRENTLY plain_a ON plain (a)"),
    case("CREATE INDEX IF NOT EXISTS users_email_idx ON users (email)"),
    case("CREATE INDEX ON parted (kind)"),
    on(
        "CREATE INDEX parted_kind ON parted (kind);",
        "CREATE INDEX IF NOT EXISTS parted_kind ON parted (kind)",
    ),
    case("CREATE INDEX ON ONLY parted (kind)"),
    case("CREATE INDEX ON base (x)"),
    case("CREATE INDEX ON totals (total)"),
    case("DROP INDEX users_email_idx"),
    case("DROP INDEX CONCURRENTLY users_email_idx"),
    on("CREATE INDEX parted_kind ON parted (kind);", "DROP INDEX parted_kind"),
    case("ALTER INDEX users_email_idx RENAME TO users_mail"),
    case("ALTER INDEX users_email_idx SET (fillfactor = 70)"),
    case("ALTER INDEX users_email_idx SET TABLESPACE pg_default"),
    on(
        "CREATE INDEX parted_kind ON ONLY parted (kind); CREATE INDEX one_kind ON parted_1 (kind);",
        "ALTER INDEX parted_kind ATTACH PARTITION one_kind",
    ),
    case("REINDEX TABLE users"),
    case("REINDEX INDEX users_email_idx"),
    case("REINDEX TABLE CONCURRENTLY users"),
    case("REINDEX INDEX CONCURRENTLY users_email_idx"),
    case("COMMENT ON INDEX users_email_idx IS 'x'"),
    // Tables
    case("CREATE TABLE new (id integer PRIMARY KEY)"),
    case("CREATE TABLE new (id integer REFERENCES users (id))"),
    case("CREATE TABLE new (LIKE users INCLUDING ALL)"),
    case("CREATE TABLE new () INHERITS (base)"),
    query("", "CREATE TABLE new AS SELECT * FROM users"),
    case("CREATE TABLE IF NOT EXISTS users (id integer)"),
    case("CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30)"),
    on(
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT;",
        "CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30)",
    ),
    on(
        "CREATE TABLE fk_parted (id int REFERENCES users (id)) PARTITION BY RANGE (id);",
        "CREATE TABLE fk_parted_1 PARTITION OF fk_parted FOR VALUES FROM (20) TO (30)",
    ),
    case("DROP TABLE plain"),
    case("DROP TABLE IF EXISTS nothing"),
    case("DROP TABLE orders CASCADE"),
    case("DROP TABLE users CASCADE"),
    case("DROP TABLE parted"),
    case("DROP TABLE parted_1"),
    on(
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT;",
        "DROP TABLE parted_1",
    ),
    case("DROP TABLE base CASCADE"),
    case("ALTER TABLE plain RENAME TO simple"),
    case("ALTER TABLE users RENAME TO people"),
    on("CREATE SCHEMA app;", "ALTER TABLE users SET SCHEMA app"),
    case("ALTER TABLE users OWNER TO pg_monitor"),
    case("ALTER TABLE users SET (fillfactor = 70)"),
    case("ALTER TABLE users SET (autovacuum_enabled = false)"),
    case("ALTER TABLE users SET (user_catalog_table = true)"),
    case("ALTER TABLE users RESET (fillfactor)"),
    on("CREATE TABLE z (a serial);", "ALTER TABLE z SET UNLOGGED"),
    on("CREATE UNLOGGED TABLE z (a int);", "ALTER TABLE z SET LOGGED"),
    on("CREATE TABLE z (a int);", "ALTER TABLE z SET LOGGED"),
    case("ALTER TABLE plain SET ACCESS METHOD heap"),
    case("ALTER TABLE plain ENABLE ROW LEVEL SECURITY"),
    case("ALTER TABLE plain FORCE ROW LEVEL SECURITY"),
    case("ALTER TABLE plain REPLICA IDENTITY FULL"),
    case("ALTER TABLE users CLUSTER ON users_email_idx"),
    case("ALTER TABLE users SET WITHOUT CLUSTER"),
    on(
        "ALTER TABLE plain ADD COLUMN x integer;",
        "ALTER TABLE plain INHERIT base",
    ),
    case("ALTER TABLE derived NO INHERIT base"),
    case("LOCK TABLE plain"),
    case("LOCK TABLE plain IN SHARE MODE"),
    case("LOCK TABLE adults IN SHARE ROW EXCLUSIVE MODE"),
    case("LOCK TABLE base IN EXCLUSIVE MODE"),
    case("COMMENT ON TABLE plain IS 'x'"),
    case("COMMENT ON COLUMN plain.a IS 'x'"),
    case("COMMENT ON CONSTRAINT age_positive ON users IS 'x'"),
    case("GRANT SELECT ON users TO PUBLIC"),
    // Partitions
    on(
        "CREATE TABLE more (id integer NOT NULL, kind text);",
        "ALTER TABLE parted ATTACH PARTITION more FOR VALUES FROM (20) TO (30)",
    ),
    on(
        "CREATE TABLE more (id integer PRIMARY KEY, kind text, CHECK (id >= 20 AND id < 30));",
        "ALTER TABLE parted ATTACH PARTITION more FOR VALUES FROM (20) TO (30)",
    ),
    on(
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
         CREATE TABLE more (id integer PRIMARY KEY, kind text, CHECK (id >= 20 AND id < 30));",
        "ALTER TABLE parted ATTACH PARTITION more FOR VALUES FROM (20) TO (30)",
    ),
    on(
        "CREATE TABLE fk_parted (id int REFERENCES users (id)) PARTITION BY RANGE (id); CREATE TABLE more (id int);",
        "ALTER TABLE fk_parted ATTACH PARTITION more FOR VALUES FROM (20) TO (30)",
    ),
    case("ALTER TABLE parted DETACH PARTITION parted_1"),
    case("ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY"),
    on(
        "CREATE TABLE fk_parted (id int REFERENCES users (id)) PARTITION BY RANGE (id);
         CREATE TABLE fk_parted_1 PARTITION OF fk_parted FOR VALUES FROM (20) TO (30);",
        "ALTER TABLE fk_parted DETACH PARTITION fk_parted_1",
    ),
    on(
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT;",
        "ALTER TABLE parted DETACH PARTITION parted_1",
    ),
    // Triggers, rules, policies
    case("CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch()"),
    case("CREATE TRIGGER t BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION touch()"),
    on(
        "CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();",
        "DROP TRIGGER t ON plain",
    ),
    on(
        "CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();",
        "DROP FUNCTION touch() CASCADE",
    ),
    on(
        "CREATE TRIGGER t BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION touch();",
        "DROP TRIGGER t ON parted",
    ),
    on(
        "CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();",
        "ALTER TRIGGER t ON plain RENAME TO tt",
    ),
    case("ALTER TABLE plain DISABLE TRIGGER ALL"),
    on(
        "CREATE TRIGGER t BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION touch();",
        "ALTER TABLE parted DISABLE TRIGGER t",
    ),
    case("CREATE RULE r AS ON INSERT TO plain DO ALSO NOTHING"),
    on(
        "CREATE RULE r AS ON INSERT TO plain DO ALSO NOTHING;",
        "DROP RULE r ON plain",
    ),
    case("CREATE POLICY p ON plain USING (true)"),
    on(
        "CREATE POLICY p ON plain USING (true);",
        "ALTER POLICY p ON plain USING (false)",
    ),
    on("CREATE POLICY p ON plain USING (true);", "DROP POLICY p ON plain"),
    // Views
    case("CREATE VIEW v AS SELECT * FROM adults"),
    case("CREATE OR REPLACE VIEW adults AS SELECT id, name FROM users WHERE age > 20"),
    case("DROP VIEW adults"),
    on("CREATE VIEW v AS SELECT * FROM adults;", "DROP VIEW adults CASCADE"),
    query("", "CREATE MATERIALIZED VIEW mv AS SELECT * FROM users"),
    query("", "REFRESH MATERIALIZED VIEW totals"),
    query("", "REFRESH MATERIALIZED VIEW CONCURRENTLY totals"),
    case("DROP MATERIALIZED VIEW totals"),
    case("ALTER VIEW adults RENAME TO grown"),
    // Sequences, types, functions, schemas
    case("ALTER SEQUENCE counter RESTART WITH 5"),
    case("ALTER SEQUENCE counter OWNED BY plain.a"),
    case("CREATE SEQUENCE other OWNED BY plain.a"),
    case("DROP SEQUENCE counter"),
    case("DROP SEQUENCE users_id_seq CASCADE"),
    case("ALTER SEQUENCE counter RENAME TO counted"),
    case("ALTER TYPE mood ADD VALUE 'glad'"),
    case("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'"),
    on("CREATE TABLE z (a mood, b int);", "DROP TYPE mood CASCADE"),
    on(
        "CREATE DOMAIN number AS integer; CREATE TABLE z (a number);",
        "ALTER DOMAIN number ADD CONSTRAINT c CHECK (value > 0)",
    ),
    on(
        "CREATE DOMAIN number AS integer; CREATE TABLE z (a number);",
        "ALTER DOMAIN number ADD CONSTRAINT c CHECK (value > 0) NOT VALID",
    ),
    on(
        "CREATE DOMAIN number AS integer; CREATE TABLE z (a number);",
        "ALTER DOMAIN number SET NOT NULL",
    ),
    on(
        "CREATE DOMAIN number AS integer; CREATE TABLE z (a number); ALTER DOMAIN number ADD CONSTRAINT c CHECK (value > 0) NOT VALID;",
        "ALTER DOMAIN number VALIDATE CONSTRAINT c",
    ),
    case("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    case(
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'UPDATE plain SET a = 1 WHERE b IN (SELECT name FROM users)'",
    ),
    case("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'TRUNCATE plain'"),
    case("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN DELETE FROM plain; END'"),
    on(
        "CREATE SCHEMA app; CREATE TABLE app.t (id serial PRIMARY KEY); CREATE TABLE far (t int REFERENCES app.t (id));",
        "DROP SCHEMA app CASCADE",
    ),
    on(
        "CREATE SCHEMA app; CREATE TABLE app.t (id int);",
        "ALTER SCHEMA app RENAME TO other",
    ),
    case("CREATE STATISTICS s ON a, c FROM plain"),
    case("CREATE PUBLICATION pub_plain FOR TABLE plain; DROP PUBLICATION pub_plain"),
    // Rows
    query("", "INSERT INTO plain VALUES (3, 'z', 3)"),
    query("", "INSERT INTO plain (a) SELECT age FROM users"),
    query("", "UPDATE plain SET a = 1"),
    query("", "UPDATE plain SET a = u.age FROM users u WHERE u.name = b"),
    query("", "DELETE FROM plain WHERE a = 1"),
    query("", "UPDATE parted SET kind = 'z'"),
    query("", "DELETE FROM base"),
    query("", "INSERT INTO adults (name) VALUES ('x')"),
    query(
        "",
        "WITH gone AS (DELETE FROM plain RETURNING a) INSERT INTO base SELECT a FROM gone",
    ),
    case("TRUNCATE plain"),
    query("", "TRUNCATE users CASCADE"),
    query("", "TRUNCATE users RESTART IDENTITY CASCADE"),
    query("", "TRUNCATE parted"),
    // Maintenance
    case("VACUUM plain"),
    case("VACUUM FULL plain"),
    case("ANALYZE plain"),
    case("VACUUM (FULL, ANALYZE) plain"),
    case("VACUUM (FULL false) plain"),
    case("REINDEX (CONCURRENTLY) TABLE users"),
    case("CLUSTER users USING users_email_idx"),
    // Blocks
    query(
        "",
        "DO $$ BEGIN IF false THEN ALTER TABLE plain ADD COLUMN d int; END IF; END $$",
    ),
    query("", "DO $$ BEGIN ALTER TABLE plain ADD COLUMN d int; END $$"),
];

/// What servers know since 17.
pub const SINCE_17: &[Case] = &[
    on(
        "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO g VALUES (1);",
        "ALTER TABLE g ALTER COLUMN b SET EXPRESSION AS (a * 3)",
    ),
    on(
        "CREATE TABLE p (a int NOT NULL) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY",
    ),
    on(
        "CREATE TABLE p (a int GENERATED ALWAYS AS IDENTITY) PARTITION BY RANGE (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p ALTER COLUMN a SET GENERATED BY DEFAULT",
    ),
    on(
        "CREATE TABLE p (a int GENERATED ALWAYS AS IDENTITY) PARTITION BY RANGE (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p ALTER COLUMN a DROP IDENTITY",
    ),
    on(
        "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p SET ACCESS METHOD heap",
    ),
];
