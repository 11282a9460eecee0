//! What a branch adds.

use std::fs;

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::support::{DROP, ITEMS, ORDERS, branch_off, commit, dropping, found, git, session, shop};

/// The shop, whose table of items was dropped on main long ago, and a branch.
fn branched() -> Project {
    let project = dropping("DROP TABLE items; -- rollback: no\n");
    branch_off(&project);
    project
}

#[test]
fn only_what_the_branch_adds_is_judged_and_as_one_plan() {
    let project = branched();
    assert_eq!(found(&project, "check --since main"), Vec::<String>::new());
    // What an added migration makes is empty in the next; what main has made is not. Committed or not is all the same.
    project.migration(
        "20240201000000_create_fresh",
        "CREATE TABLE fresh (id integer PRIMARY KEY);\n",
    );
    commit(&project);
    project.migration(
        "20240202000000_drop_both",
        "DROP TABLE fresh;\nDROP TABLE orders; -- rollback: no\n",
    );
    assert_snapshot!(session(&project, &["check --since main"]), @"
    $ tollgate check --since main
    status: 3
    -- stdout
    2 migrations checked: 1 blocking
    -- stderr
    destructive::drop-table

      × drops the table orders with all its rows
       ╭─[migrations/20240202000000_drop_both/migration.sql:2:1]
     1 │ DROP TABLE fresh;
     2 │ DROP TABLE orders; -- rollback: no
       · ────────┬────────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows
    ");
    // By its name alone it is judged as if the one before it had been applied long ago.
    assert_eq!(found(&project, "check 20240202000000_drop_both").len(), 2);

    // What main got meanwhile is not of the branch.
    commit(&project);
    git(&project, "checkout --quiet main");
    project.migration("20240203000000_drop_more", "DROP TABLE orders; -- rollback: no\n");
    commit(&project);
    git(&project, "checkout --quiet feature");
    assert_eq!(
        found(&project, "check --since main"),
        ["destructive/drop-table line 2 blocks"]
    );
    // Merged, the table is gone before what the branch adds.
    git(&project, "merge --quiet --no-edit main");
    let merged = found(&project, "check --since main");
    assert_eq!(merged, Vec::<String>::new());
}

#[test]
fn a_comment_that_only_this_plan_needs_not_is_left_alone() {
    let project = branched();
    project.migration(
        "20240201000000_create_fresh",
        "-- tollgate:allow drop-table -- of no use\nCREATE TABLE fresh (id integer PRIMARY KEY);\n",
    );
    // Where the first of the two was deployed before, rows may be lost.
    project.migration(
        "20240202000000_drop_fresh",
        "-- rollback: no\n-- tollgate:allow drop-table -- a test\nDROP TABLE fresh;\n",
    );
    assert_eq!(
        found(&project, "check --since main"),
        ["tollgate/unused-suppression line 1"]
    );
    assert_eq!(
        found(&project, "check 20240202000000_drop_fresh"),
        ["destructive/drop-table line 3 allowed: a test"]
    );
}

#[test]
fn a_merged_file_must_not_change() {
    let project = branched();
    project.migration(
        ORDERS,
        "CREATE TABLE orders (id integer PRIMARY KEY, note text NOT NULL);\n",
    );
    fs::remove_dir_all(project.path().join("migrations").join(ITEMS)).unwrap();
    project.migration(DROP, "SELECT 1;\n");
    git(&project, &format!("add migrations/{DROP}"));
    assert_snapshot!(session(&project, &["check --since main"]), @"
    $ tollgate check --since main
    status: 3
    -- stdout
    3 migrations checked: 3 blocking
    -- stderr
    tollgate::edited-migration

      × migrations/20240101000000_create_orders/migration.sql: was changed although main has it:
      │ databases may have applied it as it was (blocks a deploy)
      help: put the file back as it was and write a new migration for the change

    tollgate::edited-migration

      × migrations/20240102000000_create_items/migration.sql: was removed although main has it:
      │ databases may have applied it as it was (blocks a deploy)
      help: put the file back as it was and write a new migration for the change

    tollgate::edited-migration

      × migrations/20240103000000_drop_items/migration.sql: was changed although main has it:
      │ databases may have applied it as it was (blocks a deploy)
      help: put the file back as it was and write a new migration for the change
    ");

    project.file(
        "tollgate.toml",
        "[plugins.tollgate.rules]\nedited-migration = \"medium\"\n",
    );
    assert_eq!(project.run(&["check", "--since", "main"]).status, Some(0));
    project.file(
        "tollgate.toml",
        "[plugins.tollgate.rules]\nedited-migration = \"off\"\n",
    );
    assert_eq!(found(&project, "check --since main"), Vec::<String>::new());
}

#[test]
fn a_touched_file_and_other_line_endings_are_no_change() {
    let project = shop();
    project.file(".gitattributes", "*.sql text eol=lf\n");
    branch_off(&project);
    let path = project.path().join("migrations").join(ORDERS).join("migration.sql");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(found(&project, "check --since main"), Vec::<String>::new());
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    assert_eq!(found(&project, "check --since main"), Vec::<String>::new());
}

#[test]
fn what_sorts_before_merged_files_is_pointed_out() {
    let project = branched();
    project.migration(
        "20240102120000_create_early",
        "CREATE TABLE early (id integer PRIMARY KEY);\n",
    );
    assert_snapshot!(session(&project, &["check --since main"]), @"
    $ tollgate check --since main
    status: 0
    -- stdout
    1 migration checked: nothing found
    -- stderr
    warning: 20240102120000_create_early sorts before 20240103000000_drop_items, which main has: give it a later name, or databases get them in another order than new ones do
    ");
    project.file("tollgate.toml", "[migrations]\nout_of_order = \"allow\"\n");
    let outcome = project.succeed(&["check", "--since", "main"]);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn without_a_commit_to_compare_with_it_says_what_is_missing() {
    let project = shop();
    // Nothing above the project may answer for it.
    let alone = |commands: &[&str]| {
        let run = |command: &&str| {
            let arguments: Vec<&str> = command.split_whitespace().collect();
            let mut started = project.command(&arguments);
            started.env("GIT_CEILING_DIRECTORIES", project.path().parent().unwrap());
            format!("$ tollgate {command}\n{}\n", project.finish(&mut started))
        };
        commands.iter().map(run).collect::<String>()
    };
    let mut seen = alone(&["check --since main"]);
    branch_off(&project);
    seen += &alone(&["check --since origin/main", "check --since=-x", "check --since mian"]);
    git(&project, "checkout --quiet --orphan other");
    project.file("other.txt", "");
    commit(&project);
    seen += &alone(&["check --since main"]);
    assert_snapshot!(seen, @"
    $ tollgate check --since main
    status: 2
    -- stderr
    git::repository

      × migrations is in no git repository
      help: `--since` asks git what the branch adds; without it, all migrations are judged


    $ tollgate check --since origin/main
    status: 2
    -- stderr
    git::unknown-ref

      × git knows no commit origin/main
      help: `git fetch origin main` gets it, or name another one


    $ tollgate check --since=-x
    status: 2
    -- stderr
    git::unknown-ref

      × git knows no commit -x
      help: name a branch, a tag or a commit that is here; `git fetch origin -x` gets a branch as
            origin/-x


    $ tollgate check --since mian
    status: 2
    -- stderr
    git::unknown-ref

      × git knows no commit mian
      help: name a branch, a tag or a commit that is here; `git fetch origin mian` gets a branch as
            origin/mian


    $ tollgate check --since main
    status: 2
    -- stderr
    git::no-merge-base

      × git knows no commit from which both main and what is checked out come
      help: `--since` needs one to tell what the branch adds
    ");
}

#[test]
fn a_shallow_clone_is_told_from_a_wrong_name() {
    let project = branched();
    let origin = format!("file://{}", project.path().display());
    let clone = Project::new();
    git(
        &clone,
        &format!("clone --quiet --depth 1 --branch feature {origin} copy"),
    );
    clone.file("copy/tollgate.toml", "");
    let mut command = clone.command(&["check", "--since", "origin/main"]);
    command.current_dir(clone.path().join("copy"));
    assert_snapshot!(clone.finish(&mut command), @"
    status: 2
    -- stderr
    git::unknown-ref

      × git knows no commit origin/main
      help: this is a shallow clone: get the whole history with `git fetch --unshallow`, or
            `fetch-depth: 0` of actions/checkout
    ");
}
