//! Where the server is the judge: how it spells types, what it quotes, what it refuses inside a transaction block.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use tollgate_sql::{Dialect, Operation, parse, quote};
use tollgate_testing::postgres::{TestDatabase, cluster};

const USER_TYPES: &str = r#"CREATE TYPE "MyEnum" AS ENUM ('a'); CREATE SCHEMA s; CREATE TYPE s.pair AS (a int);
    CREATE DOMAIN "user" AS int; CREATE DOMAIN "Weird Name" AS varchar(3);"#;

const TYPES: [&str; 61] = [
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "smallint",
    "bigint",
    "float",
    "float(10)",
    "float(30)",
    "float4",
    "float8",
    "real",
    "double precision",
    "bool",
    "boolean",
    "varchar",
    "varchar(10)",
    "char",
    "char(3)",
    "character varying(7)",
    "\"char\"",
    "bpchar",
    "text",
    "name",
    "timestamp",
    "timestamp(3)",
    "timestamptz",
    "timestamptz(6)",
    "timestamp(2) with time zone",
    "time",
    "time(2)",
    "timetz",
    "time(1) with time zone",
    "interval",
    "interval(3)",
    "interval year to month",
    "interval day to second(2)",
    "interval hour",
    "date",
    "numeric",
    "numeric(10)",
    "decimal(10, 2)",
    "dec",
    "bit",
    "bit(4)",
    "bit varying(5)",
    "varbit",
    "int[]",
    "text[][]",
    "varchar(3)[4]",
    "int array",
    "timestamptz(3)[]",
    "\"MyEnum\"",
    "s.pair[]",
    "\"user\"",
    "\"Weird Name\"",
    "jsonb",
    "uuid",
    "pg_catalog.int4",
    "national character varying(5)",
];

/// The type of the only column of a table, as we spell it.
fn spelled(written: &str) -> String {
    let script = parse(Dialect::Postgres, &format!("CREATE TABLE t (c {written})")).unwrap();
    match &script.statements[0].effects[0].operation {
        Operation::CreateTable(table) => table.columns[0].data_type.sql(Dialect::Postgres),
        other => panic!("{other:?}"),
    }
}

#[test]
fn types_are_spelled_as_the_server_spells_them() {
    let database = cluster().database();
    database.psql(USER_TYPES);
    for (index, written) in TYPES.iter().enumerate() {
        let ours = spelled(written);
        let theirs = database.psql(&format!(
            "CREATE TABLE a{index} (c {written}); CREATE TABLE b{index} (c {ours});
             SELECT string_agg(format_type(atttypid, atttypmod), ' = ' ORDER BY attrelid::regclass::text)
             FROM pg_attribute WHERE attname = 'c' AND attrelid IN ('a{index}'::regclass, 'b{index}'::regclass)"
        ));
        // format_type does not tell dimensions apart.
        let ours = ours.replace("[][]", "[]");
        assert!(
            theirs.trim().ends_with(&format!("{ours} = {ours}")),
            "{written}: {ours}, the server: {theirs}"
        );
    }
}

#[test]
fn names_and_strings_come_back_as_they_were() {
    let database = cluster().database();
    let keywords = database.psql("SELECT word FROM pg_get_keywords() ORDER BY word");
    let odd = [
        "User", "a b", "a\"b", "é", "_x", "1a", "a$b", "select;", "-- x", "\\", "it's",
    ];
    let names: Vec<&str> = keywords
        .split_whitespace()
        .chain(odd)
        .filter(|name| !name.contains('('))
        .collect();
    for chunk in names.chunks(100) {
        let columns: Vec<String> = chunk
            .iter()
            .map(|name| format!("1 AS {}", quote::identifier(Dialect::Postgres, name)))
            .collect();
        let pairs: Vec<String> = chunk
            .iter()
            .map(|name| quote::literal(Dialect::Postgres, name))
            .collect();
        let answer = database.psql(&format!(
            "CREATE TEMP TABLE q AS SELECT {}; SELECT 'equal:' || (array_agg(attname::text ORDER BY attnum) = ARRAY[{}])
             FROM pg_attribute WHERE attrelid = 'q'::regclass AND attnum > 0",
            columns.join(", "),
            pairs.join(", ")
        ));
        assert!(answer.contains("equal:true"), "{answer}: {chunk:?}");
    }
    for plain in ["users", "_x", "a1", "name", "value", "role"] {
        assert_eq!(quote::identifier(Dialect::Postgres, plain), plain);
    }
}

/// What the statements below name.
const OBJECTS: &str = "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE TABLE u (a int PRIMARY KEY);
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE UNIQUE INDEX mi ON m (a); CREATE TYPE e AS ENUM ('a');
    CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE INDEX pi ON p (a); CREATE PUBLICATION pub FOR TABLE t; CREATE FUNCTION f() RETURNS int RETURN 1;
    CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
    CREATE PROCEDURE counts() LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
    CREATE SUBSCRIPTION slotless CONNECTION 'host=localhost' PUBLICATION p WITH (connect = false, slot_name = NONE);
    CREATE SUBSCRIPTION slotted CONNECTION 'host=localhost' PUBLICATION p WITH (connect = false);";

/// A subscription keeps its database from being dropped.
const NO_SUBSCRIPTIONS: &str = "ALTER SUBSCRIPTION slotted SET (slot_name = NONE); DROP SUBSCRIPTION slotted;
    DROP SUBSCRIPTION slotless";

const STATEMENTS: &[&str] = &[
    "CREATE INDEX j ON t (a)",
    "CREATE INDEX CONCURRENTLY j ON t (a)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS j ON t (a)",
    "DROP INDEX i",
    "DROP INDEX CONCURRENTLY i",
    "DROP INDEX CONCURRENTLY IF EXISTS i",
    "REINDEX TABLE t",
    "REINDEX INDEX i",
    "REINDEX INDEX CONCURRENTLY i",
    "REINDEX TABLE CONCURRENTLY t",
    "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
    "REINDEX (CONCURRENTLY off) TABLE t",
    "REINDEX SCHEMA public",
    "REINDEX SCHEMA CONCURRENTLY public",
    "REINDEX DATABASE postgres",
    "REINDEX SYSTEM postgres",
    "VACUUM",
    "VACUUM t",
    "VACUUM FULL t",
    "VACUUM (FULL) t",
    "VACUUM (ANALYZE) t",
    "ANALYZE t",
    "ANALYZE",
    "CLUSTER t USING i",
    "CLUSTER VERBOSE t USING i",
    "CLUSTER",
    "ALTER TABLE t CLUSTER ON i",
    "CREATE DATABASE never",
    "DROP DATABASE IF EXISTS never",
    "DROP DATABASE never WITH (FORCE)",
    "ALTER DATABASE postgres SET TABLESPACE pg_default",
    "ALTER DATABASE postgres SET work_mem = '4MB'",
    "ALTER DATABASE postgres CONNECTION LIMIT 100",
    "ALTER DATABASE postgres RENAME TO other",
    "ALTER DATABASE postgres OWNER TO postgres",
    "ALTER DATABASE postgres REFRESH COLLATION VERSION",
    "CREATE TABLESPACE x LOCATION '/nowhere'",
    "DROP TABLESPACE x",
    "DROP TABLESPACE IF EXISTS x",
    "ALTER TABLESPACE pg_default SET (seq_page_cost = 1)",
    "ALTER TABLE t SET TABLESPACE pg_default",
    "ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_default",
    "ALTER SYSTEM SET work_mem = '4MB'",
    "ALTER SYSTEM RESET work_mem",
    "ALTER SYSTEM RESET ALL",
    "DISCARD ALL",
    "DISCARD PLANS",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
    "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
    "ALTER TABLE p DETACH PARTITION p1 FINALIZE",
    "ALTER TABLE p DETACH PARTITION p1",
    "REFRESH MATERIALIZED VIEW m",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "ALTER TYPE e ADD VALUE 'b'",
    "ALTER TYPE e ADD VALUE IF NOT EXISTS 'b' BEFORE 'a'",
    "ALTER TYPE e RENAME VALUE 'a' TO 'c'",
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p WITH (enabled = false)",
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p WITH (connect = false)",
    "ALTER SUBSCRIPTION slotted DISABLE",
    "ALTER SUBSCRIPTION slotted SET PUBLICATION p WITH (refresh = false)",
    "ALTER SUBSCRIPTION slotted ADD PUBLICATION q WITH (refresh = false)",
    "ALTER SUBSCRIPTION slotted CONNECTION 'host=127.0.0.1'",
    "ALTER SUBSCRIPTION slotted SET (binary = true)",
    "ALTER SUBSCRIPTION slotted RENAME TO other",
    "DROP SUBSCRIPTION slotted",
    "ALTER PUBLICATION pub ADD TABLE u",
    "DROP PUBLICATION pub",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
    "SAVEPOINT x",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET CONSTRAINTS ALL DEFERRED",
    "DO $$ BEGIN COMMIT; END $$",
    "DO $$ BEGIN ROLLBACK; END $$",
    "DO $$ BEGIN IF true THEN COMMIT AND CHAIN; END IF; END $$",
    "DO $$ BEGIN FOR x IN 1..2 LOOP PERFORM 1; COMMIT; END LOOP; END $$",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO $$ BEGIN RAISE NOTICE 'COMMIT;'; END $$",
    "CALL counts()",
    "CREATE EXTENSION IF NOT EXISTS plpgsql",
    "CREATE PROCEDURE again() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
    "CREATE ROLE never",
    "REASSIGN OWNED BY postgres TO postgres",
    "GRANT SELECT ON t TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "CREATE STATISTICS st ON a, (a + 1) FROM t",
    "CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION nothing()",
    "COMMENT ON DATABASE postgres IS 'x'",
    "SECURITY LABEL ON TABLE t IS 'x'",
    "IMPORT FOREIGN SCHEMA s FROM SERVER x INTO public",
    "CHECKPOINT",
    "LOAD 'plpgsql'",
    "LISTEN x",
    "NOTIFY x",
    "LOCK TABLE t",
    "TRUNCATE t",
    "TRUNCATE t RESTART IDENTITY CASCADE",
    "COPY t TO stdout",
    "EXPLAIN ANALYZE SELECT 1",
    "PREPARE never AS SELECT 1",
    "DEALLOCATE ALL",
    "DECLARE x CURSOR FOR SELECT 1",
];

/// Whether the server refuses the statement because it stands inside a transaction block.
fn refused_in_a_block(database: &TestDatabase<'_>, sql: &str) -> (bool, String) {
    let answer = database.try_psql(&format!("BEGIN;\n{sql};\nROLLBACK;"));
    let answer = answer.unwrap_or_else(|error| error.to_string());
    let refused = answer.contains("cannot run inside a transaction block")
        || answer.contains("cannot be executed within a transaction block")
        || answer.contains("invalid transaction termination");
    (refused, answer)
}

fn ours(sql: &str) -> bool {
    parse(Dialect::Postgres, sql).unwrap().statements[0].transactional
}

#[test]
fn what_the_server_refuses_in_a_transaction_is_not_transactional() {
    let database = cluster().database();
    database.psql(OBJECTS);
    let mut wrong = Vec::new();
    for sql in STATEMENTS {
        let (refused, answer) = refused_in_a_block(&database, sql);
        if ours(sql) == refused {
            wrong.push(format!("{sql}: {answer}"));
        }
    }
    database.psql(NO_SUBSCRIPTIONS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The statement alone does not say; these are tried inside a transaction and, where the server refuses, run again outside.
#[test]
fn where_the_catalog_decides_the_statement_counts_as_transactional() {
    let database = cluster().database();
    database.psql(OBJECTS);
    for sql in [
        "REINDEX TABLE p",
        "REINDEX INDEX pi",
        "CLUSTER p USING pi",
        "CALL commits()",
        "DO $$ BEGIN CALL commits(); END $$",
    ] {
        let (refused, answer) = refused_in_a_block(&database, sql);
        assert!(refused && ours(sql), "{sql}: {answer}");
    }
    // The other way round the server may take what is run outside all the same.
    let sql = "DROP SUBSCRIPTION slotless";
    let (refused, answer) = refused_in_a_block(&database, sql);
    assert!(!refused && !ours(sql), "{sql}: {answer}");
    database.psql(NO_SUBSCRIPTIONS);
}

/// Inside a transaction a value may be added, but not used: what uses it is tried and then run after a commit.
#[test]
fn a_new_enum_value_waits_for_its_commit() {
    let database = cluster().database();
    database.psql("CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (c e)");
    for (usable, sql) in [
        (false, "ALTER TYPE e ADD VALUE 'b'; INSERT INTO t VALUES ('b')"),
        (
            false,
            "ALTER TYPE e ADD VALUE 'b'; ALTER TABLE t ALTER c SET DEFAULT 'b'",
        ),
        (true, "ALTER TYPE e ADD VALUE 'b'; INSERT INTO t VALUES ('a')"),
        (true, "ALTER TYPE e RENAME VALUE 'a' TO 'b'; INSERT INTO t VALUES ('b')"),
    ] {
        let answer = database.try_psql(&format!("BEGIN;\n{sql};\nROLLBACK;"));
        let refused = answer.is_err_and(|error| error.to_string().contains("unsafe use of new value"));
        assert_eq!(refused, !usable, "{sql}");
        let script = parse(Dialect::Postgres, sql).unwrap();
        assert!(
            script.statements.iter().all(|statement| statement.transactional),
            "{sql}"
        );
    }
}
