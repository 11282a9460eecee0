//! The file of approvals: looking at it, taking approvals back, and what people write into it.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::session::both;
use crate::support::{about_to_drop, configure, file, talk, without_drawings};

/// Two migrations to approve, without a database.
fn two() -> Project {
    let project = Project::new();
    configure(&project, "[database]\nprovider = \"sqlite\"\n");
    project
        .migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n")
        .migration(
            "2_posts",
            "CREATE TABLE posts (id integer PRIMARY KEY);\nCREATE TABLE tags (id integer PRIMARY KEY);\n",
        )
        .migration("3_users", "DROP TABLE users;\n")
        .migration("4_posts", "DELETE FROM tags;\nDROP TABLE posts;\n");
    project
}

#[test]
fn approvals_are_listed_taken_back_and_cleared_away() {
    let project = two();
    let first = talk(
        &project,
        &[
            "approve --list",
            "approve 4_posts --rule drop-table --by bob --reason moved",
            "approve 4_posts --rule delete-rows --by bob --reason moved",
            "approve 3_users --rule drop-table --by alice --reason 'unused since May' --until 2999-01-01",
            "approve --list",
            "approve 4_posts --revoke --rule drop-table",
            "approve 4_posts --revoke --rule drop-table",
        ],
    );
    project.migration("3_users", "DROP TABLE users; -- at last\n");
    std::fs::remove_dir_all(project.path().join("migrations/4_posts")).unwrap();
    let second = talk(&project, &["approve --list", "approve --prune", "approve --list"]);
    assert!(
        !project.path().join("migrations/approvals.toml").exists(),
        "nothing is left of it"
    );
    assert_snapshot!(first + &second, @"
    $ tollgate approve --list
    status: 0
    -- stdout
    there are no approvals

    $ tollgate approve 4_posts --rule drop-table --by bob --reason moved
    status: 0
    -- stdout
    approved destructive/drop-table in 4_posts, statement 2 (line 2): drops the table posts with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate approve 4_posts --rule delete-rows --by bob --reason moved
    status: 0
    -- stdout
    approved destructive/delete-rows in 4_posts, statement 1 (line 1): deletes every row of tags: all rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate approve 3_users --rule drop-table --by alice --reason 'unused since May' --until 2999-01-01
    status: 0
    -- stdout
    approved destructive/drop-table in 3_users, statement 1 (line 1): drops the table users with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate approve --list
    status: 0
    -- stdout
    destructive/drop-table in 3_users, statement 1: DROP TABLE users
       alice: unused since May
       counts until [time]
    destructive/delete-rows in 4_posts, statement 1: DELETE FROM tags
       bob: moved
       counts
    destructive/drop-table in 4_posts, statement 2: DROP TABLE posts
       bob: moved
       counts

    $ tollgate approve 4_posts --revoke --rule drop-table
    status: 0
    -- stdout
    took back destructive/drop-table in 4_posts, statement 2 by bob: moved

    $ tollgate approve 4_posts --revoke --rule drop-table
    status: 2
    -- stderr
    approve::nothing-to-revoke

      × there is no such approval of 4_posts
      help: destructive/drop-table in 3_users, statement 1
            destructive/delete-rows in 4_posts, statement 1


    $ tollgate approve --list
    status: 0
    -- stdout
    destructive/drop-table in 3_users, statement 1: DROP TABLE users
       alice: unused since May
       does not count: migration.sql is not the text that was approved: its SHA-256 is 8ea8d0ba… and was de101570…
    destructive/delete-rows in 4_posts, statement 1: DELETE FROM tags
       bob: moved
       does not count: there is no migration of that name

    $ tollgate approve --prune
    status: 0
    -- stdout
    took out destructive/drop-table in 3_users, statement 1: migration.sql is not the text that was approved: its SHA-256 is 8ea8d0ba… and was de101570…
    took out destructive/delete-rows in 4_posts, statement 1: there is no migration of that name

    $ tollgate approve --list
    status: 0
    -- stdout
    there are no approvals
    ");
}

#[test]
fn what_people_write_into_it_stays() {
    let project = two();
    project.succeed(&[
        "approve",
        "4_posts",
        "--rule",
        "drop-table",
        "--by",
        "bob",
        "--reason",
        "moved",
    ]);
    let path = project.path().join("migrations/approvals.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[[approval]]", "# As agreed on Monday.\n[[approval]]");
    let text = format!(
        "# Ask the database team.\n\n{}\n# The end.\n",
        text.split_once("\n\n").unwrap().1
    );
    std::fs::write(&path, text.replace("\"bob\"", "\"bob\" # of the database team")).unwrap();
    project.succeed(&[
        "approve",
        "3_users",
        "--rule",
        "drop-table",
        "--by",
        "alice",
        "--reason",
        "unused",
    ]);
    assert_snapshot!(file(&project), @r#"
    # Ask the database team.

    [[approval]]
    migration = "3_users"
    rule = "destructive/drop-table"
    statement = 1
    sql = "DROP TABLE users"
    level = "high"
    reason = "unused"
    by = "alice"
    at = [time]
    checksum = "de1015707e41d6682186c3440c58b222518e75eae7becfba74346468eefdfc5d"
    digest = "6c84380b12b4e53a6f33452893817f9bd0565abf08500cb2d5bdb82200938253"

    # As agreed on Monday.
    [[approval]]
    migration = "4_posts"
    rule = "destructive/drop-table"
    statement = 2
    sql = "DROP TABLE posts"
    level = "high"
    reason = "moved"
    by = "bob" # of the database team
    at = [time]
    checksum = "67b88be84245ebd23e074476ccf1b2f5e73fb80598156ea1571542a59c1a048f"
    digest = "4b4f32afd3e93bc13cf653a4fb48b338abb1178d2a06312faef64dd280a76197"

    # The end.
    "#);
}

#[test]
fn a_file_that_cannot_be_read_approves_nothing() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        project.file(
            "migrations/approvals.toml",
            "[[approval]]\nmigration = \"4_drop\"\nrules = \"all\"\n",
        );
        let seen = talk(project, &["deploy", "check", "approve --list"]);
        assert_eq!(
            project.run(&["rollback", "--force"]).status,
            Some(0),
            "the way back needs no approval"
        );
        without_drawings(&seen)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 2
    -- stderr
    approvals::file

      × migrations/approvals.toml cannot be used: unknown key `rules` of an approval; did you mean
      │ `rule`?
       ╭─[migrations/approvals.toml:3:1]
     2 │ migration = "4_drop"
     3 │ rules = "all"
       · ──┬──
       ·   ╰── here
       ╰────
      help: nothing is approved until the whole file can be read


    $ tollgate check
    status: 2
    -- stderr
    approvals::file

      × migrations/approvals.toml cannot be used: unknown key `rules` of an approval; did you mean
      │ `rule`?
       ╭─[migrations/approvals.toml:3:1]
     2 │ migration = "4_drop"
     3 │ rules = "all"
       · ──┬──
       ·   ╰── here
       ╰────
      help: nothing is approved until the whole file can be read


    $ tollgate approve --list
    status: 2
    -- stderr
    approvals::file

      × migrations/approvals.toml cannot be used: unknown key `rules` of an approval; did you mean
      │ `rule`?
       ╭─[migrations/approvals.toml:3:1]
     2 │ migration = "4_drop"
     3 │ rules = "all"
       · ──┬──
       ·   ╰── here
       ╰────
      help: nothing is approved until the whole file can be read
    "#);
}

#[test]
fn programs_read_the_list() {
    let project = two();
    let outcome = project.succeed(&[
        "approve",
        "3_users",
        "--rule",
        "drop-table",
        "--by",
        "alice",
        "--reason",
        "unused",
        "--format",
        "json",
    ]);
    let mut document = outcome.json();
    for list in ["added", "approvals"] {
        document[list][0]["at"] = "[time]".into();
    }
    assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "version": 1,
      "command": "approve",
      "warnings": [],
      "file": "migrations/approvals.toml",
      "added": [
        {
          "migration": "3_users",
          "rule": "destructive/drop-table",
          "statement": 1,
          "sql": "DROP TABLE users",
          "level": "high",
          "by": "alice",
          "at": "[time]",
          "reason": "unused",
          "source": "file",
          "environments": [],
          "until": null,
          "checksum": "de1015707e41d6682186c3440c58b222518e75eae7becfba74346468eefdfc5d",
          "void": null
        }
      ],
      "removed": [],
      "approvals": [
        {
          "migration": "3_users",
          "rule": "destructive/drop-table",
          "statement": 1,
          "sql": "DROP TABLE users",
          "level": "high",
          "by": "alice",
          "at": "[time]",
          "reason": "unused",
          "source": "file",
          "environments": [],
          "until": null,
          "checksum": "de1015707e41d6682186c3440c58b222518e75eae7becfba74346468eefdfc5d",
          "void": null
        }
      ]
    }
    "#);
    project.migration("3_users", "DROP TABLE users;;\n");
    let list = project.succeed(&["approve", "--list", "--format", "json"]).json();
    assert!(
        list["approvals"][0]["void"]
            .as_str()
            .unwrap()
            .contains("not the text that was approved")
    );
}
