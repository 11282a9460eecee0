//! Where the server is the judge: how it spells types, what it quotes, what it refuses inside a transaction block.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use tollgate_sql::{Dialect, Operation, parse, quote};
use tollgate_testing::postgres::cluster;

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

#[test]
fn what_the_server_refuses_in_a_transaction_is_not_transactional() {
    let database = cluster().database();
    database.psql(
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
         CREATE UNIQUE INDEX mi ON m (a); CREATE TYPE e AS ENUM ('a');
         CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
    );
    for sql in [
        "CREATE INDEX j ON t (a)",
        "CREATE INDEX CONCURRENTLY j ON t (a)",
        "DROP INDEX i",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX TABLE t",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX SCHEMA public",
        "VACUUM t",
        "VACUUM (FULL) t",
        "ANALYZE t",
        "CLUSTER t USING i",
        "CLUSTER",
        "CREATE DATABASE never",
        "DROP DATABASE IF EXISTS never",
        "ALTER DATABASE postgres SET TABLESPACE pg_default",
        "ALTER DATABASE postgres SET work_mem = '4MB'",
        "CREATE TABLESPACE x LOCATION '/nowhere'",
        "DROP TABLESPACE IF EXISTS x",
        "ALTER SYSTEM SET work_mem = '4MB'",
        "DISCARD ALL",
        "DISCARD PLANS",
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
        "ALTER TABLE p DETACH PARTITION p1",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "ALTER TYPE e ADD VALUE 'b'",
        "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p",
        "COMMIT PREPARED 'x'",
        "DO $$ BEGIN COMMIT; END $$",
        "DO $$ BEGIN PERFORM 1; END $$",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
        "LOCK TABLE t",
        "TRUNCATE t",
    ] {
        let answer = database.try_psql(&format!("BEGIN;\n{sql};\nROLLBACK;"));
        let answer = answer.unwrap_or_else(|error| error.to_string());
        let refused = answer.contains("cannot run inside a transaction block")
            || answer.contains("invalid transaction termination");
        let ours = parse(Dialect::Postgres, sql).unwrap().statements[0].transactional;
        assert_eq!(ours, !refused, "{sql}: {answer}");
    }
}
