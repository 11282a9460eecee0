//! Statements without an operation of their own.

use insta::assert_snapshot;

use super::shown;

#[test]
fn tags() {
    let statements = [
        "VACUUM (FULL, ANALYZE) t",
        "ANALYZE t (a)",
        "CLUSTER t USING i",
        "REINDEX INDEX CONCURRENTLY s.i",
        "REINDEX (VERBOSE) TABLE t",
        "REINDEX SCHEMA s",
        "LOCK TABLE t IN SHARE MODE NOWAIT",
        "LOCK t",
        "CHECKPOINT",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "CREATE DATABASE d OWNER joe",
        "ALTER DATABASE d SET work_mem = 1",
        "CREATE ROLE joe PASSWORD 'marker'",
        "ALTER ROLE joe SET work_mem = 1",
        "GRANT admin TO joe",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO joe",
        "REASSIGN OWNED BY a TO b",
        "CREATE PUBLICATION p FOR TABLE t, s.u",
        "ALTER PUBLICATION p ADD TABLE t",
        "CREATE SUBSCRIPTION s CONNECTION 'password=marker' PUBLICATION p",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING FOR joe SERVER s OPTIONS (password 'marker')",
        "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO y",
        "ALTER EXTENSION e UPDATE TO '2'",
        "CREATE STATISTICS st ON a, b FROM t",
        "ALTER FUNCTION f(int) SECURITY DEFINER",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        "CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)",
        "CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = f)",
        "CREATE CAST (int AS text) WITH INOUT",
        "SHOW work_mem",
        "DISCARD ALL",
        "PREPARE p AS SELECT 1",
        "NOTIFY c, 'x'",
        "LISTEN c",
        "SECURITY LABEL ON TABLE t IS 'x'",
        "CREATE COLLATION c (LOCALE = 'C')",
        "CREATE TEXT SEARCH CONFIGURATION c (COPY = english)",
        "ALTER TYPE t SET (STORAGE = plain)",
        "ALTER INDEX i DEPENDS ON EXTENSION e",
        "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
    ];
    assert_snapshot!(shown(&statements), @r#"
    VACUUM (FULL, ANALYZE) t
      {other={tag=vacuum objects=[t] details=[[full, true], [analyze, true]]}}
    ANALYZE t (a)
      {other={tag=analyze objects=[t]}}
    CLUSTER t USING i
      {other={tag=cluster objects=[t] details=[[index, i]]}}
    REINDEX INDEX CONCURRENTLY s.i
      {other={tag=reindex objects=[s.i] details=[[target, index], [concurrently, true]]}}
    REINDEX (VERBOSE) TABLE t
      {other={tag=reindex objects=[t] details=[[target, table], [verbose, true]]}}
    REINDEX SCHEMA s
      {other={tag=reindex objects=[s] details=[[target, schema]]}}
    LOCK TABLE t IN SHARE MODE NOWAIT
      {other={tag=lock-table objects=[t] details=[[mode, SHARE], [nowait, true]]}}
    LOCK t
      {other={tag=lock-table objects=[t] details=[[mode, ACCESS EXCLUSIVE], [nowait, false]]}}
    CHECKPOINT
      {other={tag=checkpoint}}
    ALTER SYSTEM SET work_mem = '1GB'
      {other={tag=alter-system details=[[parameter, work_mem]]}}
    CREATE DATABASE d OWNER joe
      {other={tag=create-database objects=[d] details=[[owner, joe]]}}
    ALTER DATABASE d SET work_mem = 1
      {other={tag=alter-database objects=[d] details=[[parameter, work_mem]]}}
    CREATE ROLE joe PASSWORD 'marker'
      {other={tag=create-role objects=[joe] details=[[password, ]]}}
    ALTER ROLE joe SET work_mem = 1
      {other={tag=alter-role objects=[joe] details=[[parameter, work_mem]]}}
    GRANT admin TO joe
      {other={tag=grant-role objects=[admin, joe]}}
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO joe
      {other={tag=alter-default-privileges}}
    REASSIGN OWNED BY a TO b
      {other={tag=reassign-owned objects=[a] details=[[to, b]]}}
    CREATE PUBLICATION p FOR TABLE t, s.u
      {other={tag=create-publication objects=[p, t, s.u] details=[[all-tables, false]]}}
    ALTER PUBLICATION p ADD TABLE t
      {other={tag=alter-publication objects=[p, t]}}
    CREATE SUBSCRIPTION s CONNECTION 'password=marker' PUBLICATION p
      {other={tag=create-subscription objects=[s] details=[[publications, p]]}}
    CREATE SERVER s FOREIGN DATA WRAPPER w
      {other={tag=create-server objects=[s] details=[[wrapper, w]]}}
    CREATE USER MAPPING FOR joe SERVER s OPTIONS (password 'marker')
      {other={tag=create-user-mapping objects=[s]}}
    IMPORT FOREIGN SCHEMA x FROM SERVER s INTO y
      {other={tag=import-foreign-schema details=[[server, s], [into, y]]}}
    ALTER EXTENSION e UPDATE TO '2'
      {other={tag=alter-extension objects=[e] details=[[new_version, 2]]}}
    CREATE STATISTICS st ON a, b FROM t
      {other={tag=create-statistics objects=[st, t]}}
    ALTER FUNCTION f(int) SECURITY DEFINER
      {other={tag=alter-function objects=[f] details=[[security, ]]}}
    CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()
      {other={tag=create-event-trigger objects=[e] details=[[event, ddl_command_end]]}}
    CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)
      {create-function={name=a kind=aggregate arguments=[integer] language=internal volatility=immutable definition=CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)}}
    CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = f)
      {other={tag=create-operator objects=[s."==="]}}
    CREATE CAST (int AS text) WITH INOUT
      {other={tag=create-cast}}
    SHOW work_mem
      {other={tag=show details=[[name, work_mem]]}}
    DISCARD ALL
      {other={tag=discard details=[[target, all]]}}
    PREPARE p AS SELECT 1
      {other={tag=prepare details=[[name, p]]}}
    NOTIFY c, 'x'
      {other={tag=notify details=[[channel, c]]}}
    LISTEN c
      {other={tag=listen details=[[channel, c]]}}
    SECURITY LABEL ON TABLE t IS 'x'
      {other={tag=security-label objects=[t] details=[[label, x]]}}
    CREATE COLLATION c (LOCALE = 'C')
      {other={tag=create-collation objects=[c]}}
    CREATE TEXT SEARCH CONFIGURATION c (COPY = english)
      {other={tag=create-text-search-configuration objects=[c]}}
    ALTER TYPE t SET (STORAGE = plain)
      {other={tag=alter-type objects=[t] details=[[storage, plain]]}}
    ALTER INDEX i DEPENDS ON EXTENSION e
      {other={tag=depends-on-extension objects=[i]}}
    ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b
      {other={tag=move-all-to-tablespace details=[[tablespace, b]]}}
    "#);
}
