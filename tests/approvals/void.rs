//! Approvals that were given for something else.

use insta::assert_snapshot;

use crate::session::{DROP, both, ledger, tables};
use crate::support::{about_to_drop, edit_file, recorded, talk, without_drawings};

const APPROVE: [&str; 9] = [
    "approve",
    "4_drop",
    "--rule",
    "drop-table",
    "--by",
    "alice",
    "--reason",
    "moved",
    "--statement=all",
];

#[test]
fn an_edited_migration_is_approved_no_more() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.succeed(&APPROVE);
        project.migration("4_drop", &DROP.replace("DROP TABLE posts", "DROP TABLE users"));
        let edited = talk(project, &["deploy", "check 4_drop", "approve --list"]);
        assert_eq!(tables(database), "posts users");
        project.migration("4_drop", &DROP.replace("Nobody reads it.", "Nobody reads it!"));
        let comment = talk(project, &["deploy --dry-run"]);
        assert!(comment.contains("does not count"), "a comment is text, too\n{comment}");
        project.migration("4_drop", DROP);
        let restored = talk(project, &["deploy"]);
        without_drawings(&(edited + &restored)) + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice does not count: migration.sql is not the text that was approved: its SHA-256 is d9585cd1… and was 036f924e…

    $ tollgate check 4_drop
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice does not count: migration.sql is not the text that was approved: its SHA-256 is d9585cd1… and was 036f924e…

    $ tollgate approve --list
    status: 0
    -- stdout
    destructive/drop-table in 4_drop, statement 2: DROP TABLE posts
       alice: moved
       does not count: migration.sql is not the text that was approved: its SHA-256 is d9585cd1… and was 036f924e…

    $ tollgate deploy
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice: moved)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    4_drop applied 1
    "#);
}

#[test]
fn an_approval_does_not_pass_to_another_migration() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        let twin = "DELETE FROM posts WHERE id > 0;\n";
        project.migration("4_drop", twin).migration("5_drop", twin);
        project.succeed(&[
            "approve",
            "4_drop",
            "--rule",
            "delete-rows",
            "--by",
            "alice",
            "--reason",
            "moved",
        ]);
        let same_text = talk(project, &["deploy"]);
        project.migration("4_drop", "DELETE FROM posts WHERE title IS NULL;\n");
        edit_file(project, "\"4_drop\"", "\"5_drop\"");
        edit_file(project, "\"DELETE FROM posts WHERE id > 0\"", "\"SELECT 1\"");
        let other_sql = talk(project, &["deploy"]);
        edit_file(project, "\"SELECT 1\"", "\"DELETE FROM posts WHERE id > 0\"");
        project.migration("5_drop", "DELETE FROM posts WHERE id > 0;\nDELETE FROM users;\n");
        let other_text = talk(project, &["deploy"]);
        assert_eq!(
            recorded(database).lines().count(),
            1,
            "only the first run made use of it"
        );
        without_drawings(&(same_text + &other_sql + &other_text)) + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 1: deletes rows of posts that a condition selects (alice: moved)
    2 migrations checked: 1 blocking, 1 approved
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 5_drop --rule destructive/delete-rows --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate deploy
    status: 3
    -- stdout
    2 migrations checked: 2 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 1 --reason "…"
      tollgate approve 5_drop --rule destructive/delete-rows --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/delete-rows in 5_drop, statement 1 by alice does not count: statement 1 of migration.sql is not the one that was approved: SELECT 1

    $ tollgate deploy
    status: 3
    -- stdout
    2 migrations checked: 3 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 1 --reason "…"
      tollgate approve 5_drop --rule destructive/delete-rows --statement 1 --reason "…"
      tollgate approve 5_drop --rule destructive/delete-rows --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/delete-rows in 5_drop, statement 1 by alice does not count: migration.sql is not the text that was approved: its SHA-256 is bfdfb8e0… and was 2649e16d…

    1_users applied 1
    2_posts applied 1
    3_views applied 1
    "#);
}

#[test]
fn an_approval_is_for_one_statement_and_one_rule() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.migration(
            "4_drop",
            "DELETE FROM posts WHERE id > 0;\nDELETE FROM posts WHERE id > 0;\n",
        );
        project.succeed(&[
            "approve",
            "4_drop",
            "--rule",
            "delete-rows",
            "--statement",
            "1",
            "--by",
            "alice",
            "--reason",
            "moved",
        ]);
        let other_statement = talk(project, &["deploy"]);
        edit_file(project, "statement = 1", "statement = 2");
        let moved = talk(project, &["deploy"]);
        edit_file(project, "destructive/delete-rows", "destructive/drop-table");
        let other_rule = talk(project, &["deploy"]);
        without_drawings(&(other_statement + &moved + &other_rule))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 1: deletes rows of posts that a condition selects (alice: moved)
    1 migration checked: 1 blocking, 1 approved
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate deploy
    status: 3
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 2: deletes rows of posts that a condition selects (alice: moved)
    1 migration checked: 1 blocking, 1 approved
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 2 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 1 --reason "…"
      tollgate approve 4_drop --rule destructive/delete-rows --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    "#);
}

#[test]
fn an_approval_ends() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.succeed(&APPROVE);
        edit_file(project, "reason =", "until = 2026-01-01\nreason =");
        without_drawings(&talk(project, &["deploy", "approve --prune", "approve --list"]))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice does not count: it was good until [time]

    $ tollgate approve --prune
    status: 0
    -- stdout
    took out destructive/drop-table in 4_drop, statement 2: it was good until [time]

    $ tollgate approve --list
    status: 0
    -- stdout
    there are no approvals
    "#);
}

#[test]
fn what_a_reviewer_was_shown_less_of_was_not_approved() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.succeed(&APPROVE);
        edit_file(project, "level = \"high\"", "level = \"medium\"");
        without_drawings(&talk(project, &["deploy"]))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice does not count: it was given when the finding was medium, and it is high here
    "#);
}
