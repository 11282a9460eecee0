//! DROP, RENAME and the others that take any object.

use insta::assert_snapshot;

use super::shown;

#[test]
fn drops() {
    let statements = [
        "DROP TABLE a, s.b CASCADE",
        r#"DROP TABLE IF EXISTS "A""#,
        "DROP INDEX CONCURRENTLY IF EXISTS i",
        "DROP VIEW v",
        "DROP MATERIALIZED VIEW m",
        "DROP SEQUENCE q",
        "DROP TYPE t",
        "DROP DOMAIN d",
        "DROP SCHEMA a, b CASCADE",
        "DROP FUNCTION f(int, s.t[]), g",
        "DROP PROCEDURE p()",
        "DROP AGGREGATE a(*)",
        "DROP ROUTINE r",
        "DROP TRIGGER IF EXISTS tr ON s.t",
        "DROP POLICY p ON t CASCADE",
        "DROP RULE r ON t",
        "DROP EXTENSION pgcrypto",
        "DROP DATABASE IF EXISTS db",
        "DROP ROLE a, b",
        "DROP PUBLICATION p",
        "DROP FOREIGN TABLE f",
        "DROP COLLATION c",
        "DROP CAST (int AS text)",
        "DROP OPERATOR CLASS s.c USING btree",
        "DROP TABLESPACE x",
        "DROP SUBSCRIPTION s",
        "DROP OWNED BY joe CASCADE",
    ];
    assert_snapshot!(shown(&statements), @r#"
    DROP TABLE a, s.b CASCADE
      {drop={kind=table name=a cascade}}
      {drop={kind=table name=s.b cascade}}
    DROP TABLE IF EXISTS "A"
      {drop={kind=table name="A" if_exists}}
    DROP INDEX CONCURRENTLY IF EXISTS i
      {drop={kind=index name=i if_exists concurrently}}
    DROP VIEW v
      {drop={kind=view name=v}}
    DROP MATERIALIZED VIEW m
      {drop={kind=materialized-view name=m}}
    DROP SEQUENCE q
      {drop={kind=sequence name=q}}
    DROP TYPE t
      {drop={kind=type name=t}}
    DROP DOMAIN d
      {drop={kind=domain name=d}}
    DROP SCHEMA a, b CASCADE
      {drop={kind=schema name=a cascade}}
      {drop={kind=schema name=b cascade}}
    DROP FUNCTION f(int, s.t[]), g
      {drop={kind=function name=f arguments=[integer, s.t[]]}}
      {drop={kind=function name=g}}
    DROP PROCEDURE p()
      {drop={kind=procedure name=p}}
    DROP AGGREGATE a(*)
      {drop={kind=aggregate name=a}}
    DROP ROUTINE r
      {drop={kind=function name=r}}
    DROP TRIGGER IF EXISTS tr ON s.t
      {drop={kind=trigger name=tr on=s.t if_exists}}
    DROP POLICY p ON t CASCADE
      {drop={kind=policy name=p on=t cascade}}
    DROP RULE r ON t
      {drop={kind=rule name=r on=t}}
    DROP EXTENSION pgcrypto
      {drop={kind=extension name=pgcrypto}}
    DROP DATABASE IF EXISTS db
      {drop={kind=database name=db if_exists}}
    DROP ROLE a, b
      {drop={kind=role name=a}}
      {drop={kind=role name=b}}
    DROP PUBLICATION p
      {drop={kind=other other_kind=publication name=p}}
    DROP FOREIGN TABLE f
      {drop={kind=foreign-table name=f}}
    DROP COLLATION c
      {drop={kind=other other_kind=collation name=c}}
    DROP CAST (int AS text)
      {drop={kind=other other_kind=cast name="integer as text"}}
    DROP OPERATOR CLASS s.c USING btree
      {drop={kind=other other_kind=operator class name=s.c}}
    DROP TABLESPACE x
      {drop={kind=other other_kind=tablespace name=x}}
    DROP SUBSCRIPTION s
      {drop={kind=other other_kind=subscription name=s}}
    DROP OWNED BY joe CASCADE
      {other={tag=drop-owned objects=[joe] details=[[cascade, true]]}}
    "#);
}

#[test]
fn renames_and_owners() {
    let statements = [
        "ALTER TABLE a RENAME TO b",
        "ALTER INDEX s.a RENAME TO b",
        r#"ALTER TYPE "A" RENAME TO "A_old""#,
        "ALTER FUNCTION f(int) RENAME TO g",
        "ALTER SCHEMA a RENAME TO b",
        "ALTER TRIGGER a ON t RENAME TO b",
        "ALTER POLICY a ON t RENAME TO b",
        "ALTER DATABASE a RENAME TO b",
        "ALTER ROLE a RENAME TO b",
        "ALTER PUBLICATION a RENAME TO b",
        "ALTER VIEW v RENAME COLUMN a TO b",
        "ALTER TABLE a SET SCHEMA s",
        "ALTER TYPE t SET SCHEMA s",
        "ALTER FUNCTION f(text) SET SCHEMA s",
        "ALTER EXTENSION e SET SCHEMA s",
        "ALTER TABLE t OWNER TO joe",
        "ALTER TYPE t OWNER TO joe",
        "ALTER FUNCTION f() OWNER TO SESSION_USER",
    ];
    assert_snapshot!(shown(&statements), @r#"
    ALTER TABLE a RENAME TO b
      {rename={kind=table from=a to=b}}
    ALTER INDEX s.a RENAME TO b
      {rename={kind=index from=s.a to=b}}
    ALTER TYPE "A" RENAME TO "A_old"
      {rename={kind=type from="A" to=A_old}}
    ALTER FUNCTION f(int) RENAME TO g
      {rename={kind=function from=f arguments=[integer] to=g}}
    ALTER SCHEMA a RENAME TO b
      {rename={kind=schema from=a to=b}}
    ALTER TRIGGER a ON t RENAME TO b
      {rename={kind=trigger from=a on=t to=b}}
    ALTER POLICY a ON t RENAME TO b
      {rename={kind=policy from=a on=t to=b}}
    ALTER DATABASE a RENAME TO b
      {rename={kind=database from=a to=b}}
    ALTER ROLE a RENAME TO b
      {rename={kind=role from=a to=b}}
    ALTER PUBLICATION a RENAME TO b
      {other={tag=rename objects=[a] details=[[kind, publication], [to, b]]}}
    ALTER VIEW v RENAME COLUMN a TO b
      {rename-column={table=v from=a to=b}}
    ALTER TABLE a SET SCHEMA s
      {set-schema={kind=table name=a to=s}}
    ALTER TYPE t SET SCHEMA s
      {set-schema={kind=type name=t to=s}}
    ALTER FUNCTION f(text) SET SCHEMA s
      {set-schema={kind=function name=f arguments=[text] to=s}}
    ALTER EXTENSION e SET SCHEMA s
      {set-schema={kind=extension name=e to=s}}
    ALTER TABLE t OWNER TO joe
      {set-owner={kind=table name=t owner=joe}} «OWNER TO joe»
    ALTER TYPE t OWNER TO joe
      {set-owner={kind=type name=t owner=joe}}
    ALTER FUNCTION f() OWNER TO SESSION_USER
      {set-owner={kind=function name=f owner=session_user}}
    "#);
}

#[test]
fn comments_and_grants() {
    let statements = [
        "COMMENT ON TABLE s.t IS 'x'",
        "COMMENT ON COLUMN s.t.c IS NULL",
        "COMMENT ON CONSTRAINT c ON t IS 'x'",
        "COMMENT ON TRIGGER tr ON s.t IS 'x'",
        "COMMENT ON TYPE ty IS 'x'",
        "COMMENT ON FUNCTION f(int) IS 'x'",
        "COMMENT ON SCHEMA s IS 'x'",
        "COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'",
        "COMMENT ON INDEX i IS 'x'",
        "GRANT SELECT, UPDATE (a, b) ON t, s.u TO joe, PUBLIC WITH GRANT OPTION",
        "REVOKE ALL ON FUNCTION f(int) FROM joe",
        "GRANT USAGE ON SCHEMA s TO r",
        "GRANT SELECT ON ALL TABLES IN SCHEMA s TO r",
    ];
    assert_snapshot!(shown(&statements), @r#"
    COMMENT ON TABLE s.t IS 'x'
      {comment={kind=table name=s.t text=x}}
    COMMENT ON COLUMN s.t.c IS NULL
      {comment={kind=column name=s.t member=c}}
    COMMENT ON CONSTRAINT c ON t IS 'x'
      {comment={kind=constraint name=t member=c text=x}}
    COMMENT ON TRIGGER tr ON s.t IS 'x'
      {comment={kind=trigger name=s.t member=tr text=x}}
    COMMENT ON TYPE ty IS 'x'
      {comment={kind=type name=ty text=x}}
    COMMENT ON FUNCTION f(int) IS 'x'
      {comment={kind=function name=f arguments=[integer] text=x}}
    COMMENT ON SCHEMA s IS 'x'
      {comment={kind=schema name=s text=x}}
    COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'
      {comment={kind=constraint name=d member=c text=x}}
    COMMENT ON INDEX i IS 'x'
      {comment={kind=index name=i text=x}}
    GRANT SELECT, UPDATE (a, b) ON t, s.u TO joe, PUBLIC WITH GRANT OPTION
      {grant={grant kind=table object=t privileges=[select, update (a, b)] roles=[joe, public] grant_option}}
      {grant={grant kind=table object=s.u privileges=[select, update (a, b)] roles=[joe, public] grant_option}}
    REVOKE ALL ON FUNCTION f(int) FROM joe
      {grant={kind=function object=f roles=[joe]}}
    GRANT USAGE ON SCHEMA s TO r
      {grant={grant kind=schema object=s privileges=[usage] roles=[r]}}
    GRANT SELECT ON ALL TABLES IN SCHEMA s TO r
      {grant={grant kind=schema object=s all_in_schema privileges=[select] roles=[r]}}
    "#);
}

#[test]
fn definitions() {
    let statements = [
        "CREATE OR REPLACE VIEW s.v (a, b) WITH (security_barrier) AS WITH x AS (SELECT 1) SELECT x.*, f(1) FROM x, t JOIN s.u ON true WITH CHECK OPTION",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT * FROM t WITH NO DATA",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "CREATE OR REPLACE TRIGGER tr BEFORE UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "CREATE SEQUENCE IF NOT EXISTS s.q AS int INCREMENT 5 NO MAXVALUE CYCLE OWNED BY s.t.c",
        "ALTER SEQUENCE q RESTART WITH 7 OWNED BY NONE",
        "ALTER SEQUENCE q AS bigint",
        "CREATE POLICY p ON t AS RESTRICTIVE FOR SELECT TO joe, PUBLIC USING (a = current_user) WITH CHECK (b > 0)",
        "ALTER POLICY p ON t USING (true)",
        r#"CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA x"#,
    ];
    assert_snapshot!(shown(&statements), @r#"
    CREATE OR REPLACE VIEW s.v (a, b) WITH (security_barrier) AS WITH x AS (SELECT 1) SELECT x.*, f(1) FROM x, t JOIN s.u ON true WITH CHECK OPTION
      {create-view={name=s.v or_replace columns=[a, b] query=WITH x AS (SELECT 1) SELECT x.*, f(1) FROM x, t JOIN s.u ON true reads=[t, s.u, f] definition=CREATE OR REPLACE VIEW s.v (a, b) WITH (security_barrier) AS WITH x AS (SELECT 1) SELECT x.*, f(1) FROM x, t JOIN s.u ON true WITH CHECK OPTION}}
    CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT * FROM t WITH NO DATA
      {create-view={name=m materialized if_not_exists query=SELECT * FROM t reads=[t] definition=CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT * FROM t WITH NO DATA}}
    REFRESH MATERIALIZED VIEW CONCURRENTLY m
      {refresh-view={name=m concurrently}}
    CREATE OR REPLACE TRIGGER tr BEFORE UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()
      {create-trigger={name=tr table=s.t or_replace function=s.f definition=CREATE OR REPLACE TRIGGER tr BEFORE UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()}}
    CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING
      {create-rule={name=r table=t definition=CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING}}
    CREATE SEQUENCE IF NOT EXISTS s.q AS int INCREMENT 5 NO MAXVALUE CYCLE OWNED BY s.t.c
      {create-sequence={name=s.q if_not_exists data_type=integer options=[[increment, 5], [maxvalue, none], [cycle, true]] owned_by=[s.t, c]}}
    ALTER SEQUENCE q RESTART WITH 7 OWNED BY NONE
      {alter-sequence={name=q options=[[restart, 7]]}}
    ALTER SEQUENCE q AS bigint
      {alter-sequence={name=q options=[[as, bigint]]}}
    CREATE POLICY p ON t AS RESTRICTIVE FOR SELECT TO joe, PUBLIC USING (a = current_user) WITH CHECK (b > 0)
      {create-policy={name=p table=t command=select roles=[joe, public] using=a = current_user check=b > 0}}
    ALTER POLICY p ON t USING (true)
      {alter-policy={name=p table=t permissive command=all using=true}}
    CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA x
      {create-extension={name=uuid-ossp schema=x if_not_exists}}
    "#);
}
