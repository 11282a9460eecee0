//! Files and names: inside the folder, outside of it, and standard input.

use insta::assert_snapshot;

use crate::support::{DROP, ITEMS, dropping, empty, found, piped, session, shop};

#[test]
fn a_file_in_the_folder_is_its_migration() {
    let project = dropping("DROP TABLE items; -- rollback: from the dump\n");
    let only = ["destructive/drop-table line 1 blocks"];
    for target in [
        DROP.to_owned(),
        format!("migrations/{DROP}/migration.sql"),
        format!("./migrations/../migrations/{DROP}"),
        format!("migrations/{DROP}/"),
        format!("{}/migrations/{DROP}/migration.sql", project.path().display()),
    ] {
        assert_eq!(found(&project, &format!("check {target}")), only, "{target}");
    }
    assert_eq!(
        found(&project, &format!("check migrations/{ITEMS}/migration.sql")),
        Vec::<String>::new()
    );
    // The way back belongs to its migration.
    project.file(
        &format!("migrations/{DROP}/down.sql"),
        "CREATE TABLE items (id integer);\n",
    );
    assert_eq!(
        found(
            &project,
            &format!("check migrations/{DROP}/down.sql migrations/{DROP}/migration.sql")
        ),
        only
    );
}

#[test]
fn a_file_outside_comes_after_all_migrations() {
    let project = shop();
    // Each knows what those before it have made, so the table is known to be empty.
    project
        .file(
            "drafts/1.sql",
            "ALTER TABLE items DROP COLUMN name; -- rollback: no\nCREATE TABLE fresh (id integer);\n",
        )
        .file("drafts/2.sql", "DROP TABLE fresh;\nDROP TABLE items; -- rollback: no\n");
    assert_snapshot!(session(&project, &["check drafts/1.sql drafts/2.sql"]), @"
    $ tollgate check drafts/1.sql drafts/2.sql
    status: 3
    -- stdout
    2 migrations checked: 2 blocking
    -- stderr
    destructive::drop-column

      × drops the column items.name with all its values
       ╭─[drafts/1.sql:1:19]
     1 │ ALTER TABLE items DROP COLUMN name; -- rollback: no
       ·                   ────────┬───────
       ·                           ╰── high: blocks a deploy
     2 │ CREATE TABLE fresh (id integer);
       ╰────
      help: stop using the column first and drop it in a later release, or copy its values before

    destructive::drop-table

      × drops the table items with all its rows
       ╭─[drafts/2.sql:2:1]
     1 │ DROP TABLE fresh;
     2 │ DROP TABLE items; -- rollback: no
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows
    ");
    // Without history nothing is known of any table.
    assert_eq!(
        found(&project, "check --no-history drafts/2.sql"),
        [
            "destructive/drop-table line 1 blocks",
            "destructive/drop-table line 2 blocks"
        ]
    );
}

#[test]
fn standard_input_is_a_file() {
    let project = shop();
    let mut seen = piped(&project, "check -", "DROP TABLE items; -- rollback: no\n");
    seen += &piped(
        &project,
        "check - --name 20240104000000_drop_nowhere",
        "DROP TABLE nowhere; -- rollback: no\n",
    );
    assert_snapshot!(seen, @"
    $ … | tollgate check -
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    -- stderr
    destructive::drop-table

      × drops the table items with all its rows
       ╭─[stdin:1:1]
     1 │ DROP TABLE items; -- rollback: no
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows


    $ … | tollgate check - --name 20240104000000_drop_nowhere
    status: 0
    -- stdout
    1 migration checked: nothing found
    ");
}

#[test]
fn without_history_there_need_not_be_a_folder() {
    let project = empty();
    std::fs::remove_dir_all(project.path().join("migrations")).unwrap();
    project.file("tollgate.toml", "[database]\nprovider = \"postgresql\"\n");
    let mut seen = piped(
        &project,
        "check - --no-history",
        "CREATE TABLE a (id bigint PRIMARY KEY);\n",
    );
    seen += &piped(&project, "check -", "SELECT 1;\n");
    assert_snapshot!(seen, @"
    $ … | tollgate check - --no-history
    status: 0
    -- stdout
    1 migration checked: nothing found

    $ … | tollgate check -
    status: 2
    -- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml
    ");
}

#[test]
fn what_is_not_there_is_named() {
    let project = dropping("DROP TABLE items; -- rollback: no\n");
    assert_snapshot!(
        session(
            &project,
            &[
                "check 20240103000000_drop_item",
                "check drafts/none.sql",
                "check --no-history",
                "check migrations/20240103000000_drop_items --name x",
                "check --since main migrations/20240103000000_drop_items",
            ]
        ),
        @"
    $ tollgate check 20240103000000_drop_item
    status: 2
    -- stderr
    not-found

      × there is no migration 20240103000000_drop_item in the folder
      help: did you mean 20240103000000_drop_items? Give the whole folder name
      the database now: nothing was changed


    $ tollgate check drafts/none.sql
    status: 2
    -- stderr
    check::file

      × cannot read drafts/none.sql: No such file or directory (os error 2)
      help: name a migration, or the path of a file with SQL


    $ tollgate check --no-history
    status: 2
    -- stderr
    error: the following required arguments were not provided:
      <MIGRATION|FILE>...

    Usage: tollgate check --no-history <MIGRATION|FILE>...

    For more information, try '--help'.

    $ tollgate check migrations/20240103000000_drop_items --name x
    status: 2
    -- stderr
    check::name

      × --name is for one file outside of the folder of migrations
      help: give one file, or - for standard input


    $ tollgate check --since main migrations/20240103000000_drop_items
    status: 2
    -- stderr
    error: the argument '--since <REF>' cannot be used with '[MIGRATION|FILE]...'

    Usage: tollgate check --since <REF> [MIGRATION|FILE]...

    For more information, try '--help'.
    "
    );
}
