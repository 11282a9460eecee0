//! Which statements must stand outside of a transaction block.

use super::read;

#[test]
fn as_the_server_decides() {
    for (expected, sql) in [
        (true, "CREATE INDEX i ON t (a)"),
        (false, "CREATE INDEX CONCURRENTLY i ON t (a)"),
        (false, "DROP INDEX CONCURRENTLY i"),
        (true, "DROP INDEX i"),
        (false, "REINDEX INDEX CONCURRENTLY i"),
        (false, "REINDEX (CONCURRENTLY) TABLE t"),
        (true, "REINDEX (CONCURRENTLY false) TABLE t"),
        (true, "REINDEX TABLE t"),
        (false, "REINDEX SCHEMA s"),
        (false, "REINDEX DATABASE d"),
        (false, "VACUUM"),
        (false, "VACUUM FULL t"),
        (true, "ANALYZE t"),
        (false, "CLUSTER"),
        (true, "CLUSTER t USING i"),
        (false, "CREATE DATABASE d"),
        (false, "DROP DATABASE d"),
        (false, "ALTER DATABASE d SET TABLESPACE x"),
        (true, "ALTER DATABASE d SET work_mem = 1"),
        (false, "CREATE TABLESPACE x LOCATION '/x'"),
        (false, "DROP TABLESPACE x"),
        (false, "ALTER SYSTEM SET work_mem = 1"),
        (false, "DISCARD ALL"),
        (true, "DISCARD PLANS"),
        (false, "ALTER TABLE m DETACH PARTITION p CONCURRENTLY"),
        (true, "ALTER TABLE m DETACH PARTITION p"),
        (true, "ALTER TABLE m DETACH PARTITION p FINALIZE"),
        (true, "REFRESH MATERIALIZED VIEW CONCURRENTLY m"),
        (true, "ALTER TYPE e ADD VALUE 'x'"),
        (false, "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p"),
        (
            true,
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = false)",
        ),
        (false, "DROP SUBSCRIPTION s"),
        (false, "ALTER SUBSCRIPTION s REFRESH PUBLICATION"),
        (false, "ALTER SUBSCRIPTION s SET PUBLICATION p"),
        (true, "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)"),
        (true, "ALTER SUBSCRIPTION s DISABLE"),
        (false, "COMMIT PREPARED 'x'"),
        (false, "DO $$ BEGIN COMMIT; END $$"),
        (true, "DO $$ BEGIN PERFORM 1; END $$"),
    ] {
        assert_eq!(read(sql).statements[0].transactional, expected, "{sql}");
    }
}
