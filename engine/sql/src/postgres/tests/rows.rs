//! Statements that change rows.

use insta::assert_snapshot;

use super::shown;

#[test]
fn changes() {
    let statements = [
        "INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT DO NOTHING",
        "INSERT INTO s.t SELECT * FROM u JOIN v ON true",
        "INSERT INTO t DEFAULT VALUES",
        "UPDATE t SET a = 1, b = (SELECT max(x) FROM u)",
        "UPDATE t SET a = 1 WHERE id = 5",
        "UPDATE t SET (a, b) = (1, 2) FROM u WHERE true",
        "UPDATE t SET a = 1 WHERE 1 = 1",
        "DELETE FROM t",
        "DELETE FROM ONLY s.t USING u WHERE t.id = u.id",
        "DELETE FROM t WHERE true",
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED AND u.gone THEN DELETE WHEN MATCHED THEN UPDATE SET a = u.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (u.id, u.a)",
        "TRUNCATE a, s.b RESTART IDENTITY CASCADE",
        "COPY t (a, b) FROM '/x.csv'",
        "COPY (SELECT 1) TO '/x'",
        "COPY t TO STDOUT",
    ];
    assert_snapshot!(shown(&statements), @r#"
    INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT DO NOTHING
      {insert={table=t columns=[a, b]}}
    INSERT INTO s.t SELECT * FROM u JOIN v ON true
      {insert={table=s.t filtered reads=[u, v]}}
    INSERT INTO t DEFAULT VALUES
      {insert={table=t}}
    UPDATE t SET a = 1, b = (SELECT max(x) FROM u)
      {update={table=t columns=[a, b] reads=[u]}}
    UPDATE t SET a = 1 WHERE id = 5
      {update={table=t filtered columns=[a]}}
    UPDATE t SET (a, b) = (1, 2) FROM u WHERE true
      {update={table=t filtered columns=[a, b] reads=[u]}}
    UPDATE t SET a = 1 WHERE 1 = 1
      {update={table=t columns=[a]}}
    DELETE FROM t
      {delete={table=t}}
    DELETE FROM ONLY s.t USING u WHERE t.id = u.id
      {delete={table=s.t filtered reads=[u]}}
    DELETE FROM t WHERE true
      {delete={table=t}}
    MERGE INTO t USING u ON t.id = u.id WHEN MATCHED AND u.gone THEN DELETE WHEN MATCHED THEN UPDATE SET a = u.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (u.id, u.a)
      {delete={table=t filtered reads=[u]}}
      {update={table=t filtered columns=[a] reads=[u]}}
      {insert={table=t filtered columns=[id, a] reads=[u]}}
    TRUNCATE a, s.b RESTART IDENTITY CASCADE
      {truncate={table=a cascade restart_identity}}
      {truncate={table=s.b cascade restart_identity}}
    COPY t (a, b) FROM '/x.csv'
      {insert={table=t columns=[a, b]}}
    COPY (SELECT 1) TO '/x'
      {other={tag=copy-to}}
    COPY t TO STDOUT
      {other={tag=copy-to objects=[t]}}
    "#);
}

#[test]
fn ctes() {
    let statements = [
        "WITH d AS (DELETE FROM a WHERE id = 1 RETURNING *), k AS MATERIALIZED (SELECT * FROM x) INSERT INTO b SELECT * FROM d, k",
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r, other",
        "WITH u AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM u",
        "WITH t AS (SELECT * FROM t) DELETE FROM t USING t AS x",
    ];
    assert_snapshot!(shown(&statements), @r#"
    WITH d AS (DELETE FROM a WHERE id = 1 RETURNING *), k AS MATERIALIZED (SELECT * FROM x) INSERT INTO b SELECT * FROM d, k
      {delete={table=a filtered}} «DELETE FROM a WHERE id = 1 RETURNING *»
      {insert={table=b filtered reads=[x]}}
    WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r, other
    WITH u AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM u
      {update={table=t columns=[a]}} «UPDATE t SET a = 1 RETURNING *»
    WITH t AS (SELECT * FROM t) DELETE FROM t USING t AS x
      {delete={table=t filtered reads=[t]}}
    "#);
}

#[test]
fn queries() {
    let statements = [
        "SELECT 1",
        "SELECT count(*) FROM t WHERE lower(a) = 'x'",
        "VALUES (1)",
        "SELECT my_function(1)",
        "SELECT create_hypertable('t', 'time')",
        "CALL p(1)",
        "EXECUTE plan",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        r#"SELECT setval('"Q_seq"', 5), nextval('s.q'::regclass)"#,
        "SELECT pg_terminate_backend(5)",
        "EXPLAIN DELETE FROM t",
        "EXPLAIN ANALYZE DELETE FROM t",
    ];
    assert_snapshot!(shown(&statements), @r#"
    SELECT 1
    SELECT count(*) FROM t WHERE lower(a) = 'x'
    VALUES (1)
    SELECT my_function(1)
      {dynamic={text=SELECT my_function(1)}}
    SELECT create_hypertable('t', 'time')
      {dynamic={text=SELECT create_hypertable('t', 'time')}}
    CALL p(1)
      {dynamic={text=CALL p(1)}}
    EXECUTE plan
      {dynamic={text=EXECUTE plan}}
    SELECT pg_catalog.set_config('search_path', '', false)
      {set-parameter={name=search_path value=}}
    SELECT setval('"Q_seq"', 5), nextval('s.q'::regclass)
      {other={tag=call-function objects=["Q_seq"] details=[[function, setval]]}}
      {other={tag=call-function objects=[s.q] details=[[function, nextval]]}}
    SELECT pg_terminate_backend(5)
      {other={tag=call-function details=[[function, pg_terminate_backend]]}}
    EXPLAIN DELETE FROM t
    EXPLAIN ANALYZE DELETE FROM t
      {delete={table=t}}
    "#);
}
