//! How bad a finding is where it was approved, and where it is let through.

use insta::assert_snapshot;

use crate::session::both;
use crate::support::{about_to_drop, configure, recorded, talk, without_drawings};

#[test]
fn what_only_the_database_shows_is_approved_as_the_deploy_reports_it() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        database.run("INSERT INTO posts (id, author, title) VALUES (2, 1, 'First');");
        project.migration("4_drop", "CREATE UNIQUE INDEX posts_title ON posts (title);\n");
        without_drawings(&talk(
            project,
            &[
                "deploy --dry-run",
                "approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --by alice --reason tried",
                "deploy --dry-run",
                "approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --level high --by alice --reason tried",
                "deploy --dry-run",
            ],
        ))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy --dry-run
    status: 3
    -- stdout
    1. 4_drop 1 statement
       taken back: lossless
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --level high --reason "…"
    a deploy would be blocked; nothing was changed
    -- stderr
    $ tollgate approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --by alice --reason tried
    status: 0
    -- stdout
    approved destructive/unique-on-existing-data in 4_drop, statement 1 (line 1): adds the unique index (title) to posts, which fails where rows share their values
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy --dry-run
    status: 3
    -- stdout
    1. 4_drop 1 statement
       taken back: lossless
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --level high --reason "…"
    a deploy would be blocked; nothing was changed
    -- stderr
    warning: the approval of destructive/unique-on-existing-data in 4_drop, statement 1 by alice does not count: it was given when the finding was medium, and it is high here

    $ tollgate approve 4_drop --rule destructive/unique-on-existing-data --statement 1 --level high --by alice --reason tried
    status: 0
    -- stdout
    approved destructive/unique-on-existing-data in 4_drop, statement 1 (line 1): adds the unique index (title) to posts, which fails where rows share their values
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy --dry-run
    status: 0
    -- stdout
    approved destructive/unique-on-existing-data in 4_drop, statement 1: adds the unique index (title) to posts, but 1 group of rows shares its values (alice: tried)
    1. 4_drop 1 statement
       taken back: lossless
    1 migration checked: 1 approved
    1 migration to deploy; nothing was changed
    "#);
}

#[test]
fn one_environment_takes_a_rule_more_seriously_than_another() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(
            project,
            "[environments.strict.plugins.destructive.rules]\ndrop-view = \"high\"\n",
        );
        project.migration("4_drop", "DROP VIEW titles;\n");
        without_drawings(&talk(
            project,
            &[
                "approve 4_drop --rule drop-view --by alice --reason unused",
                "deploy -e strict",
                "approve 4_drop --rule drop-view --statement 1 --level high --by alice --reason unused",
                "approve 4_drop --rule drop-table --level high --by alice --reason unused",
                "approve 4_drop --rule drop-table --statement 7 --level high --by alice --reason unused",
                "approve 4_drop --rule drop-tables --statement 1 --level high --by alice --reason unused",
                "deploy -e strict",
            ],
        ))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate approve 4_drop --rule drop-view --by alice --reason unused
    status: 0
    -- stdout
    approved destructive/drop-view in 4_drop, statement 1 (line 1): drops the view titles
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy -e strict
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate -e strict approve 4_drop --rule destructive/drop-view --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-view in 4_drop, statement 1 by alice does not count: it was given when the finding was medium, and it is high here

    $ tollgate approve 4_drop --rule drop-view --statement 1 --level high --by alice --reason unused
    status: 0
    -- stdout
    approved destructive/drop-view in 4_drop, statement 1 (line 1): drops the view titles
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate approve 4_drop --rule drop-table --level high --by alice --reason unused
    status: 2
    -- stderr
    approve::no-finding

      × where drop-table finds something is not to be seen in the files
      help: say it with --statement N, as the deploy's message has it


    $ tollgate approve 4_drop --rule drop-table --statement 7 --level high --by alice --reason unused
    status: 2
    -- stderr
    approve::no-statement

      × 4_drop has no statement 7: it has 1 statement


    $ tollgate approve 4_drop --rule drop-tables --statement 1 --level high --by alice --reason unused
    status: 2
    -- stderr
    approve::no-finding

      × no policy has a rule drop-tables that is on
      help: `tollgate plugin list` shows them


    $ tollgate deploy -e strict
    status: 0
    -- stdout
    approved destructive/drop-view in 4_drop, statement 1: drops the view titles (alice: unused)
    applied 4_drop [duration]
    1 migration checked: 1 approved
    1 migration applied in [duration]
    "#);
}

#[test]
fn what_is_enforced_can_be_approved_and_not_allowed() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(
            project,
            "[plugins.destructive.rules]\ndrop-table = { level = \"high\", enforced = true }\n",
        );
        project.migration(
            "4_drop",
            "DROP VIEW titles;\n-- tollgate:allow drop-table -- moved\nDROP TABLE posts;\n",
        );
        let allowed = project.run(&["deploy"]);
        assert_eq!(allowed.status, Some(3), "{allowed}");
        project.succeed(&[
            "approve",
            "4_drop",
            "--rule",
            "drop-table",
            "--by",
            "alice",
            "--reason",
            "moved",
        ]);
        project.succeed(&["deploy"]);
        recorded(database)
    });
    assert_snapshot!(seen, @"deploy succeeded: 4_drop destructive/drop-table 2 high file alice moved 64 64");
}
