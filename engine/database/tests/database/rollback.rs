//! Taking migrations back.

use insta::assert_snapshot;
use tollgate_database::{DatabaseState, ExecuteOptions, RollbackRequest};

use crate::support::{Fixture, both, explain, postgres};

fn roll_back(
    fixture: &mut Fixture,
    name: &str,
    sql: &str,
) -> Result<tollgate_database::RolledBack, tollgate_database::ExecuteError> {
    let script = tollgate_sql::parse(fixture.database.server().dialect, sql).unwrap();
    fixture.database.roll_back(
        &RollbackRequest {
            name,
            script: &script,
            pragmas: tollgate_database::Pragmas::default(),
        },
        &ExecuteOptions::default(),
        &mut |_| {},
    )
}

#[test]
fn runs_the_sql_and_marks_the_row_together() {
    for mut fixture in both() {
        fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
        let error = roll_back(&mut fixture, "1_a", "DROP TABLE a; DROP TABLE nope;").unwrap_err();
        assert_eq!((error.statement(), error.state), (Some(1), DatabaseState::Unchanged));
        insta::allow_duplicates! { assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=no steps=1 logs=no"); }
        fixture.ask("SELECT * FROM a");

        let done = roll_back(&mut fixture, "1_a", "DROP TABLE a;").unwrap();
        assert!(done.atomic);
        insta::allow_duplicates! { assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=yes steps=1 logs=no"); }
        let error = roll_back(&mut fixture, "1_a", "DROP TABLE a;").unwrap_err();
        insta::allow_duplicates! { assert_snapshot!(explain(&error), @r#"
        migration "1_a" failed: it is not applied
        statement: None, span: None, sqlstate: None
        detail: None
        hint: None
        state: Unchanged
        help: the database is as it was before
        "#); }
        fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
        insta::allow_duplicates! { assert_snapshot!(fixture.ledger(), @"
        1_a finished=yes rolled_back=yes steps=1 logs=no
        1_a finished=yes rolled_back=no steps=1 logs=no
        "); }
    }
}

#[test]
fn says_how_far_it_came_outside_a_transaction() {
    let mut fixture = postgres();
    fixture
        .apply("1_a", "CREATE TABLE a (id int); CREATE INDEX a_id ON a (id);")
        .unwrap();
    let error = roll_back(&mut fixture, "1_a", "DROP INDEX CONCURRENTLY a_id;\nDROP TABLE nope;").unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: table "nope" does not exist
    statement: Some(1), span: Some("41..45"), sqlstate: Some("42P01")
    detail: None
    hint: None
    state: Partly { done: 1, in_doubt: None }
    help: 1 of its statements is in the database; mend the cause and resume, or use resolve
    "#);
    let error = roll_back(&mut fixture, "1_a", "DROP INDEX a_id;\nDROP TABLE a;").unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: its first statement is in the database and changed in the file since
    statement: None, span: Some("0..15"), sqlstate: None
    detail: None
    hint: None
    state: Partly { done: 1, in_doubt: None }
    help: put the first statement of the file back as it was and resume, or bring the database to the state you want by hand and use resolve
    "#);
    // It goes on after what is in.
    let done = roll_back(&mut fixture, "1_a", "DROP INDEX CONCURRENTLY a_id;\nDROP TABLE a;").unwrap();
    assert_eq!((done.statements, done.atomic), (1, false));
    assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=yes steps=1 logs=no");
    assert_eq!(fixture.ask("SELECT to_regclass('a') IS NULL"), "t");
}
