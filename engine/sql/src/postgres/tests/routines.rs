//! Functions and DO blocks.

use insta::assert_snapshot;

use super::shown;

#[test]
fn functions() {
    let statements = [
        "CREATE FUNCTION f(a int, OUT b text, VARIADIC c numeric[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN UPDATE t SET a = 1 WHERE id = NEW.id; IF NEW.x THEN DELETE FROM u; END IF; RETURN NEW; END $$",
        r#"CREATE FUNCTION f() RETURNS TABLE (a int, "B" text) LANGUAGE sql STABLE AS $$ DELETE FROM t; SELECT 1, 'x' $$"#,
        "CREATE FUNCTION f() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1); SELECT 1; END",
        "CREATE FUNCTION f() RETURNS int RETURN 1",
        "CREATE PROCEDURE p(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; EXECUTE 'DROP TABLE ' || quote_ident(a::text); END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'sym'",
        "CREATE FUNCTION f() RETURNS SETOF t LANGUAGE plpgsql AS $$ BEGIN NEW.a := now(); RETURN QUERY SELECT * FROM t; RETURN QUERY EXECUTE 'DROP TABLE x'; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE; END $$",
    ];
    assert_snapshot!(shown(&statements), @r#"
    CREATE FUNCTION f(a int, OUT b text, VARIADIC c numeric[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT 1'
      {create-function={name=f kind=function arguments=[integer, numeric[]] returns=text language=sql body=SELECT 1 volatility=immutable definition=CREATE FUNCTION f(a int, OUT b text, VARIADIC c numeric[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT 1'}}
    CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN UPDATE t SET a = 1 WHERE id = NEW.id; IF NEW.x THEN DELETE FROM u; END IF; RETURN NEW; END $$
      {create-function={name=s.f kind=function or_replace returns=trigger language=plpgsql body= BEGIN UPDATE t SET a = 1 WHERE id = NEW.id; IF NEW.x THEN DELETE FROM u; END IF; RETURN NEW; END  security_definer settings=[search_path] volatility=volatile body_operations=[{update={table=t filtered columns=[a]}}, {delete={table=u}}] definition=CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN UPDATE t SET a = 1 WHERE id = NEW.id; IF NEW.x THEN DELETE FROM u; END IF; RETURN NEW; END $$}}
    CREATE FUNCTION f() RETURNS TABLE (a int, "B" text) LANGUAGE sql STABLE AS $$ DELETE FROM t; SELECT 1, 'x' $$
      {create-function={name=f kind=function returns=TABLE(a integer, "B" text) language=sql body= DELETE FROM t; SELECT 1, 'x'  volatility=stable body_operations=[{delete={table=t}}] definition=CREATE FUNCTION f() RETURNS TABLE (a int, "B" text) LANGUAGE sql STABLE AS $$ DELETE FROM t; SELECT 1, 'x' $$}}
    CREATE FUNCTION f() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1); SELECT 1; END
      {create-function={name=f kind=function returns=SETOF integer language=sql volatility=volatile body_operations=[{insert={table=t}}] definition=CREATE FUNCTION f() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1); SELECT 1; END}}
    CREATE FUNCTION f() RETURNS int RETURN 1
      {create-function={name=f kind=function returns=integer language=sql volatility=volatile definition=CREATE FUNCTION f() RETURNS int RETURN 1}}
    CREATE PROCEDURE p(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; EXECUTE 'DROP TABLE ' || quote_ident(a::text); END $$
      {create-function={name=p kind=procedure arguments=[integer] language=plpgsql body= BEGIN COMMIT; EXECUTE 'DROP TABLE ' || quote_ident(a::text); END  volatility=volatile body_operations=[{dynamic={text='DROP TABLE ' || quote_ident(a::text)}}] opaque definition=CREATE PROCEDURE p(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; EXECUTE 'DROP TABLE ' || quote_ident(a::text); END $$}}
    CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'sym'
      {create-function={name=f kind=function returns=integer language=c body=lib volatility=volatile opaque definition=CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'sym'}}
    CREATE FUNCTION f() RETURNS SETOF t LANGUAGE plpgsql AS $$ BEGIN NEW.a := now(); RETURN QUERY SELECT * FROM t; RETURN QUERY EXECUTE 'DROP TABLE x'; END $$
      {create-function={name=f kind=function returns=SETOF t language=plpgsql body= BEGIN NEW.a := now(); RETURN QUERY SELECT * FROM t; RETURN QUERY EXECUTE 'DROP TABLE x'; END  volatility=volatile body_operations=[{drop={kind=table name=x}}] definition=CREATE FUNCTION f() RETURNS SETOF t LANGUAGE plpgsql AS $$ BEGIN NEW.a := now(); RETURN QUERY SELECT * FROM t; RETURN QUERY EXECUTE 'DROP TABLE x'; END $$}}
    CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE; END $$
      {create-function={name=f kind=function returns=integer language=plpgsql body= BEGIN DROP TABLE; END  volatility=volatile body_operations=[{dynamic={text=DROP TABLE}}] opaque definition=CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE; END $$}}
    "#);
}

#[test]
fn do_blocks() {
    let statements = [
        r#"DO $$ BEGIN CREATE TYPE "Role" AS ENUM ('A'); EXCEPTION WHEN duplicate_object THEN null; END $$"#,
        "DO $body$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM t; IF n > 0 THEN ALTER TABLE t DROP COLUMN a, ADD COLUMN b int; ELSIF n < 0 THEN DROP TABLE u; ELSE EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', 'T', 'c'); END IF; END $body$",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT tablename FROM pg_tables LOOP EXECUTE 'DROP TABLE ' || r.tablename; END LOOP; PERFORM my_f(); EXECUTE 'DROP VIEW v'; END $$",
        "DO LANGUAGE plperl 'x'",
        "DO 'BEGIN DROP TABLE a; END'",
        "DO $$ BEGIN RAISE NOTICE 'x'; END $$",
        "DO $$ DECLARE a ALIAS FOR $1; comment text; BEGIN IF a = CASE WHEN b THEN 1 ELSE 2 END THEN DROP TABLE t; END IF; comment := 'x'; IF NOT EXISTS (SELECT 1 FROM pg_type) THEN CREATE TYPE e AS ENUM ('A'); END IF; END $$",
        "DO $$ <<l>> DECLARE c CURSOR FOR SELECT * FROM t; n int := my_f(1); BEGIN INSERT INTO t (a) VALUES (1) RETURNING id INTO STRICT n; SELECT a, b INTO n, r.f[1] FROM t; OPEN c FOR EXECUTE 'x' || n; FOR r IN (SELECT 1) LOOP r.x := upper('a'); END LOOP; CASE n WHEN 1 THEN DELETE FROM t; ELSE NULL; END CASE; WHILE other() LOOP EXIT; END LOOP; COMMIT; END $$",
    ];
    assert_snapshot!(shown(&statements), @r#"
    DO $$ BEGIN CREATE TYPE "Role" AS ENUM ('A'); EXCEPTION WHEN duplicate_object THEN null; END $$
      ?{create-enum={name="Role" values=[A]}} «CREATE TYPE "Role" AS ENUM ('A')»
    DO $body$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM t; IF n > 0 THEN ALTER TABLE t DROP COLUMN a, ADD COLUMN b int; ELSIF n < 0 THEN DROP TABLE u; ELSE EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', 'T', 'c'); END IF; END $body$
      ?{drop-column={table=t column=a}} «DROP COLUMN a»
      ?{add-column={table=t column={name=b data_type="integer"}}} «ADD COLUMN b int»
      ?{drop={kind=table name=u}} «DROP TABLE u»
      ?{drop-constraint={table="T" name=c}} «format('ALTER TABLE %I DROP CONSTRAINT %I', 'T', 'c')»
    DO $$ DECLARE r record; BEGIN FOR r IN SELECT tablename FROM pg_tables LOOP EXECUTE 'DROP TABLE ' || r.tablename; END LOOP; PERFORM my_f(); EXECUTE 'DROP VIEW v'; END $$
      ?{dynamic={text='DROP TABLE ' || r.tablename}} «'DROP TABLE ' || r.tablename»
      ?{dynamic={text=SELECT my_f()}} «my_f()»
      ?{drop={kind=view name=v}} «'DROP VIEW v'»
    DO LANGUAGE plperl 'x'
      ?{dynamic={text=x}}
    DO 'BEGIN DROP TABLE a; END'
      ?{drop={kind=table name=a}}
    DO $$ BEGIN RAISE NOTICE 'x'; END $$
    DO $$ DECLARE a ALIAS FOR $1; comment text; BEGIN IF a = CASE WHEN b THEN 1 ELSE 2 END THEN DROP TABLE t; END IF; comment := 'x'; IF NOT EXISTS (SELECT 1 FROM pg_type) THEN CREATE TYPE e AS ENUM ('A'); END IF; END $$
      ?{drop={kind=table name=t}} «DROP TABLE t»
      ?{create-enum={name=e values=[A]}} «CREATE TYPE e AS ENUM ('A')»
    DO $$ <<l>> DECLARE c CURSOR FOR SELECT * FROM t; n int := my_f(1); BEGIN INSERT INTO t (a) VALUES (1) RETURNING id INTO STRICT n; SELECT a, b INTO n, r.f[1] FROM t; OPEN c FOR EXECUTE 'x' || n; FOR r IN (SELECT 1) LOOP r.x := upper('a'); END LOOP; CASE n WHEN 1 THEN DELETE FROM t; ELSE NULL; END CASE; WHILE other() LOOP EXIT; END LOOP; COMMIT; END $$
      ?{dynamic={text=my_f(1)}} «my_f(1)»
      ?{insert={table=t columns=[a]}} «INSERT INTO t (a) VALUES (1) RETURNING id»
      ?{dynamic={text='x' || n}} «'x' || n»
      ?{delete={table=t}} «DELETE FROM t»
      ?{dynamic={text=other()}} «other()»
    "#);
}
