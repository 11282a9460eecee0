//! What may lose data says how it is taken back.

use insta::assert_snapshot;

use crate::support::{DROP, dropping, found, session};

#[test]
fn a_table_that_goes_for_good_needs_a_word() {
    let project = dropping("DROP TABLE items;\n");
    assert_snapshot!(session(&project, &["check"]), @"
    $ tollgate check
    status: 3
    -- stdout
    3 migrations checked: 1 blocking, 1 warning
    -- stderr
    destructive::drop-table

      × drops the table items with all its rows
       ╭─[migrations/20240103000000_drop_items/migration.sql:1:1]
     1 │ DROP TABLE items;
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of items
       ╭─[migrations/20240103000000_drop_items/migration.sql:1:1]
     1 │ DROP TABLE items;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
    let high = "destructive/drop-table line 1 blocks".to_owned();
    assert_eq!(
        found(&project, "check"),
        [high.clone(), "tollgate/rollback-procedure line 1".to_owned()]
    );

    // A note, or a way back of the author's, is enough.
    project.migration(DROP, "DROP TABLE items; -- rollback: from the nightly dump\n");
    assert_eq!(found(&project, "check"), std::slice::from_ref(&high));
    project.migration(DROP, "DROP TABLE items;\n");
    project.file(
        &format!("migrations/{DROP}/down.sql"),
        "CREATE TABLE items (id integer PRIMARY KEY, name text);\n",
    );
    assert_eq!(found(&project, "check"), [high]);
}

#[test]
fn a_deploy_says_the_same() {
    let mut project = dropping("-- tollgate:allow drop-table -- archived\nDROP TABLE items;\n");
    project.set("DATABASE_URL", "file:./shop.db");
    project.file("tollgate.toml", "[check]\nblock_at = \"medium\"\n");
    project.migration("20240102500000_fill_items", "INSERT INTO items (id) VALUES (1);\n");
    project.succeed(&["deploy", "--to", "20240102500000_fill_items"]);
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 allowed by comments
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 20240103000000_drop_items --rule tollgate/rollback-procedure --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    tollgate::rollback-procedure

      × has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of items
       ╭─[migrations/20240103000000_drop_items/migration.sql:2:1]
     1 │ -- tollgate:allow drop-table -- archived
     2 │ DROP TABLE items;
       · ────────┬───────
       ·         ╰── medium: blocks a deploy
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    "#);
}
