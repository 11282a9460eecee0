//! A deploy stops, somebody approves, and it goes on.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::session::{both, ledger, tables};
use crate::support::{about_to_drop, configure, file, recorded, talk, without_drawings};

const APPROVE: &str =
    "approve 4_drop --rule destructive/drop-table --by alice@example.org --reason 'posts moved to the archive'";

#[test]
fn what_blocks_is_approved_and_applied() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        let stopped = talk(project, &["deploy --dry-run", "deploy"]);
        assert_eq!(tables(database), "posts users");
        let approved = talk(
            project,
            &[APPROVE, "check 4_drop", "deploy --dry-run", "deploy", "deploy"],
        );
        assert_eq!(tables(database), "users");
        without_drawings(&(stopped + &approved)) + &ledger(database) + &recorded(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy --dry-run
    status: 3
    -- stdout
    1. 4_drop 2 statements
       taken back: lossy: the rows of posts
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    a deploy would be blocked; nothing was changed
    -- stderr
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate approve 4_drop --rule destructive/drop-table --by alice@example.org --reason 'posts moved to the archive'
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2 (line 3): drops the table posts with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate check 4_drop
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with all its rows (alice@example.org: posts moved to the archive)
    1 migration checked: 1 warning, 1 approved
    -- stderr
    $ tollgate deploy --dry-run
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice@example.org: posts moved to the archive)
    1. 4_drop 2 statements
       taken back: lossy: the rows of posts
    1 migration checked: 1 warning, 1 approved
    1 migration to deploy; nothing was changed
    -- stderr
    $ tollgate deploy
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice@example.org: posts moved to the archive)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    $ tollgate deploy
    status: 0
    -- stdout
    nothing to deploy: the database is up to date

    1_users applied 1
    2_posts applied 1
    3_views applied 1
    4_drop applied 1
    deploy succeeded: 4_drop destructive/drop-table 2 high file alice@example.org posts moved to the archive 64 64
    "#);
}

#[test]
fn the_file_says_what_was_approved() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
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
        file(project)
    });
    assert_snapshot!(seen, @r#"
    # Findings that somebody has looked at and approved: `tollgate approve` writes them.
    # A change of this file lets something into a database: have it reviewed by those who may approve.

    [[approval]]
    migration = "4_drop"
    rule = "destructive/drop-table"
    statement = 2
    sql = "DROP TABLE posts"
    level = "high"
    reason = "moved"
    by = "alice"
    at = [time]
    checksum = "036f924e5721ffe70a597402b77882d8fdbaa8e8ceb16cbd18cc75cdcd1bef6c"
    digest = "4b4f32afd3e93bc13cf653a4fb48b338abb1178d2a06312faef64dd280a76197"
    "#);
}

#[test]
fn programs_are_told_what_waits_and_what_was_approved() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        let blocked = project.run(&["deploy", "--format", "json"]);
        assert_eq!(blocked.status, Some(3));
        let awaiting = blocked.json()["awaiting"].clone();
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
        let deployed = project.succeed(&["deploy", "--format", "json"]).json();
        let finding = &deployed["plan"][0]["judged"]["findings"][1];
        assert!(deployed["awaiting"].as_array().unwrap().is_empty());
        let mut approved = finding["approved"].clone();
        approved["at"] = "[time]".into();
        let told = [
            awaiting,
            approved,
            finding["blocking"].clone(),
            deployed["counts"].clone(),
        ];
        told.map(|told| serde_json::to_string_pretty(&told).unwrap()).join("\n")
    });
    assert_snapshot!(seen, @r#"
    [
      {
        "migration": "4_drop",
        "rule": "destructive/drop-table",
        "statement": 2,
        "severity": "high",
        "message": "drops the table posts with its 1 row",
        "approve": "tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason \"…\"",
        "approve_with_deploy": null
      }
    ]
    {
      "migration": "4_drop",
      "rule": "destructive/drop-table",
      "statement": 2,
      "sql": "DROP TABLE posts",
      "level": "high",
      "by": "alice",
      "at": "[time]",
      "reason": "moved",
      "source": "file",
      "environments": [],
      "until": null,
      "checksum": "036f924e5721ffe70a597402b77882d8fdbaa8e8ceb16cbd18cc75cdcd1bef6c",
      "void": null
    }
    false
    {
      "migrations": 1,
      "blocking": 0,
      "warnings": 1,
      "notes": 0,
      "allowed": 0,
      "known": 0,
      "approved": 1
    }
    "#);
}

#[test]
fn several_findings_are_approved_one_by_one() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.migration(
            "4_drop",
            "DELETE FROM posts WHERE id > 0;\nDROP VIEW titles;\nDELETE FROM posts WHERE id > 0;\nDROP TABLE posts;\n",
        );
        let seen = talk(
            project,
            &[
                "approve 4_drop --rule delete-rows --by alice --reason gone",
                "approve 4_drop --rule delete-rows --statement 2 --by alice --reason gone",
                "approve 4_drop --rule drop-rows --by alice --reason gone",
                "approve 4_drop --rule delete-rows --statement 3 --by alice --reason gone",
                "deploy",
                "approve 4_drop --rule delete-rows --rule drop-table --statement all --by alice --reason gone",
                "deploy",
            ],
        );
        assert_eq!(tables(database), "users");
        without_drawings(&seen) + &recorded(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate approve 4_drop --rule delete-rows --by alice --reason gone
    status: 2
    -- stderr
    approve::no-finding

      × delete-rows finds something in several places of 4_drop: at statement 1, at statement 3
      help: --rule destructive/delete-rows --statement 1 (line 1): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-view --statement 2 (line 2): drops the view titles (medium)
            --rule destructive/delete-rows --statement 3 (line 3): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-table --statement 4 (line 4): drops the table posts with all its
            rows (high)
            what only a deploy with its database reports is approved with `tollgate approve …
            --statement N --level LEVEL`


    $ tollgate approve 4_drop --rule delete-rows --statement 2 --by alice --reason gone
    status: 2
    -- stderr
    approve::no-finding

      × delete-rows finds nothing at that place of 4_drop, but at statement 1, at statement 3
      help: --rule destructive/delete-rows --statement 1 (line 1): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-view --statement 2 (line 2): drops the view titles (medium)
            --rule destructive/delete-rows --statement 3 (line 3): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-table --statement 4 (line 4): drops the table posts with all its
            rows (high)
            what only a deploy with its database reports is approved with `tollgate approve …
            --statement N --level LEVEL`


    $ tollgate approve 4_drop --rule drop-rows --by alice --reason gone
    status: 2
    -- stderr
    approve::no-finding

      × drop-rows finds nothing in 4_drop that is not allowed by a comment
      help: --rule destructive/delete-rows --statement 1 (line 1): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-view --statement 2 (line 2): drops the view titles (medium)
            --rule destructive/delete-rows --statement 3 (line 3): deletes rows of posts that a
            condition selects (high)
            --rule destructive/drop-table --statement 4 (line 4): drops the table posts with all its
            rows (high)
            what only a deploy with its database reports is approved with `tollgate approve …
            --statement N --level LEVEL`


    $ tollgate approve 4_drop --rule delete-rows --statement 3 --by alice --reason gone
    status: 0
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 3 (line 3): deletes rows of posts that a condition selects
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy
    status: 3
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 3: deletes rows of posts that a condition selects (alice: gone)
    1 migration checked: 2 blocking, 1 warning, 1 approved
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/delete-rows --statement 1 --reason "…"
      tollgate approve 4_drop --rule destructive/drop-table --statement 4 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate approve 4_drop --rule delete-rows --rule drop-table --statement all --by alice --reason gone
    status: 0
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 1 (line 1): deletes rows of posts that a condition selects
    approved destructive/delete-rows in 4_drop, statement 3 (line 3): deletes rows of posts that a condition selects
    approved destructive/drop-table in 4_drop, statement 4 (line 4): drops the table posts with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy
    status: 0
    -- stdout
    approved destructive/delete-rows in 4_drop, statement 1: deletes rows of posts that a condition selects (alice: gone)
    approved destructive/delete-rows in 4_drop, statement 3: deletes rows of posts that a condition selects (alice: gone)
    approved destructive/drop-table in 4_drop, statement 4: drops the table posts with its 1 row (alice: gone)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 3 approved
    1 migration applied in [duration]
    -- stderr
    deploy blocked: 4_drop destructive/delete-rows 3 high file alice gone 64 64
    deploy succeeded: 4_drop destructive/delete-rows 1 high file alice gone 64 64
    deploy succeeded: 4_drop destructive/delete-rows 3 high file alice gone 64 64
    deploy succeeded: 4_drop destructive/drop-table 4 high file alice gone 64 64
    "#);
}

#[test]
fn an_approval_is_somebodys_with_a_reason_and_of_something() {
    let project = Project::new();
    configure(
        &project,
        "[database]\nprovider = \"sqlite\"\n[environments.production]\n",
    );
    project
        .migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n")
        .migration("2_drop", "DROP TABLE users;\n");
    let seen = talk(
        &project,
        &[
            "approve",
            "approve 2_drop --rule drop-table --reason gone",
            "approve 2_drop --rule drop-table --reason ' ' --by alice",
            "approve 2_dorp --rule drop-table --reason gone --by alice",
            "approve 1_users --rule drop-table --reason gone --by alice",
            "approve 2_drop --rule drop-table --reason gone --by alice --environment prodution",
            "approve 2_drop --rule drop-table --reason gone --by alice --until 2020-01-01",
        ],
    );
    assert!(!project.path().join("migrations/approvals.toml").exists());
    assert_snapshot!(seen, @"
    $ tollgate approve
    status: 2
    -- stderr
    error: the following required arguments were not provided:
      --rule <RULE>
      --reason <TEXT>
      <MIGRATION>

    Usage: tollgate approve --rule <RULE> --reason <TEXT> <MIGRATION>

    For more information, try '--help'.

    $ tollgate approve 2_drop --rule drop-table --reason gone
    status: 2
    -- stderr
    approve::nobody

      × it is not known who approves
      help: say it with --by


    $ tollgate approve 2_drop --rule drop-table --reason ' ' --by alice
    status: 2
    -- stderr
    error: invalid value ' ' for '--reason <TEXT>': say why

    For more information, try '--help'.

    $ tollgate approve 2_dorp --rule drop-table --reason gone --by alice
    status: 2
    -- stderr
    not-found

      × there is no migration 2_dorp in the folder
      help: did you mean 2_drop? Give the whole folder name
      the database now: nothing was changed


    $ tollgate approve 1_users --rule drop-table --reason gone --by alice
    status: 2
    -- stderr
    approve::no-finding

      × drop-table finds nothing in 1_users that is not allowed by a comment
      help: there is nothing to approve in it
            what only a deploy with its database reports is approved with `tollgate approve …
            --statement N --level LEVEL`


    $ tollgate approve 2_drop --rule drop-table --reason gone --by alice --environment prodution
    status: 2
    -- stderr
    approve::environment

      × there is no environment named prodution
      help: did you mean production?


    $ tollgate approve 2_drop --rule drop-table --reason gone --by alice --until 2020-01-01
    status: 2
    -- stderr
    error: invalid value '2020-01-01' for '--until <TIME>': that is over already

    For more information, try '--help'.
    ");
}
