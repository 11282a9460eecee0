//! Transactions and parameters.

use insta::assert_snapshot;

use super::shown;

#[test]
fn transactions() {
    let statements = [
        "BEGIN; COMMIT",
        "START TRANSACTION; SAVEPOINT a; ROLLBACK TO a; RELEASE a; END",
        "BEGIN; ROLLBACK",
        "BEGIN; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'",
    ];
    assert_snapshot!(shown(&statements), @r#"
    BEGIN; COMMIT
      {transaction=begin}
      {transaction=commit}
    START TRANSACTION; SAVEPOINT a; ROLLBACK TO a; RELEASE a; END
      {transaction=begin}
      {transaction={savepoint=a}}
      {transaction={rollback-to=a}}
      {transaction={release=a}}
      {transaction=commit}
    BEGIN; ROLLBACK
      {transaction=begin}
      {transaction=rollback}
    BEGIN; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'
      {transaction=begin}
      {transaction=prepared}
      {transaction=prepared}
    "#);
}

#[test]
fn parameters() {
    let statements = [
        "SET lock_timeout = '5s'",
        "SET LOCAL statement_timeout TO 1000",
        r#"SET search_path TO app, "$user", "A b""#,
        "SET search_path = ''",
        "RESET search_path",
        "RESET ALL",
        "SET work_mem TO DEFAULT",
        "SET TIME ZONE 'UTC'",
        "SET TIME ZONE INTERVAL '1' HOUR",
        "SET ROLE joe",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION joe",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET CONSTRAINTS ALL DEFERRED",
    ];
    assert_snapshot!(shown(&statements), @r#"
    SET lock_timeout = '5s'
      {set-parameter={name=lock_timeout value=5s}}
    SET LOCAL statement_timeout TO 1000
      {set-parameter={name=statement_timeout value=1000 local}}
    SET search_path TO app, "$user", "A b"
      {set-parameter={name=search_path value=app, "$user", "A b"}}
    SET search_path = ''
      {set-parameter={name=search_path value=""}}
    RESET search_path
      {set-parameter=search_path}
    RESET ALL
      {set-parameter="all"}
    SET work_mem TO DEFAULT
      {set-parameter=work_mem}
    SET TIME ZONE 'UTC'
      {set-parameter={name=timezone value=UTC}}
    SET TIME ZONE INTERVAL '1' HOUR
      {set-parameter={name=timezone value=INTERVAL '1' HOUR}}
    SET ROLE joe
      {set-parameter={name=role value=joe}}
    RESET ROLE
      {set-parameter=role}
    SET SESSION AUTHORIZATION joe
      {set-parameter={name=session_authorization value=joe}}
    SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
      {set-parameter={name=transaction value=ISOLATION LEVEL SERIALIZABLE}}
    SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
      {set-parameter={name=session characteristics value=TRANSACTION READ ONLY}}
    SET CONSTRAINTS ALL DEFERRED
      {other={tag=set-constraints details=[[deferred, true]]}}
    "#);
}
