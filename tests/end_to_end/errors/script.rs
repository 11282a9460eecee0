//! Scripts that cannot be read: found before anything is applied.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, on, session, sqlite, tables};

/// `check` and `deploy` with one more migration on PostgreSQL; nothing may be applied.
fn refused(script: &str) -> String {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project
        .file("migrations/migration_lock.toml", "provider = \"postgresql\"\n")
        .migration("4_bad", script);
    let checked = session(&project, &["check"]);
    assert_eq!(
        checked.replace("$ tollgate check", ""),
        session(&project, &["deploy"]).replace("$ tollgate deploy", "")
    );
    assert_eq!(tables(&database), "");
    checked
}

#[test]
fn a_syntax_error() {
    assert_snapshot!(refused("CREATE TABLE tags (\n    id integer PRIMARY KEY,\n    name text NOT NUL\n);\n"), @r#"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:3:19]
     2 │     id integer PRIMARY KEY,
     3 │     name text NOT NUL
       ·                   ─┬─
       ·                    ╰── syntax error at or near "NUL"
     4 │ );
       ╰────
      the database now: nothing was changed
    "#);
    assert_snapshot!(refused("SELECT 'it''s;\nSELECT 2;\n"), @r#"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:1:8]
     1 │ SELECT 'it''s;
       ·        ┬
       ·        ╰── unterminated quoted string at or near "'it''s;…"
     2 │ SELECT 2;
       ╰────
      the database now: nothing was changed
    "#);
}

#[test]
fn a_syntax_error_on_sqlite() {
    let project = sqlite();
    blog(&project);
    project.migration(
        "4_bad",
        "CREATE TABLE tags (id integer);\nCREAT INDEX tags_id ON tags (id);\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREAT INDEX tags_id ON tags (id);
       · ──┬──
       ·   ╰── syntax error near 'CREAT'
       ╰────
      the database now: nothing was changed
    ");
}

#[test]
fn several_at_once() {
    let project = sqlite();
    blog(&project);
    project
        .migration("4_bad", "SELEC 1;\n")
        .migration("5_worse", "SELECT 1;\nDROP;\n");
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:1:1]
     1 │ SELEC 1;
       · ──┬──
       ·   ╰── syntax error near 'SELEC'
       ╰────
      the database now: nothing was changed

    script::syntax

      × 5_worse cannot be read
       ╭─[migrations/5_worse/migration.sql:2:5]
     1 │ SELECT 1;
     2 │ DROP;
       ·     ┬
       ·     ╰── syntax error near ';'
       ╰────
      the database now: nothing was changed

    2 errors
    ");
}

#[test]
fn what_only_psql_understands() {
    assert_snapshot!(refused("CREATE TABLE tags (id integer);\nCOPY tags FROM stdin;\n1\n2\n\\.\n"), @"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer);
     2 │ COPY tags FROM stdin;
       · ──────────┬─────────
       ·           ╰── COPY … FROM stdin reads its rows from the client program, which a migration does not have
     3 │ 1
       ╰────
      help: write the rows as INSERT statements, or load the data outside of the migration
      the database now: nothing was changed
    ");
    assert_snapshot!(refused("\\set name 'tags'\nCREATE TABLE :name (id integer);\n"), @r"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:1:1]
     1 │ \set name 'tags'
       · ──┬─
       ·   ╰── \set is a command of psql; the server does not understand it
     2 │ CREATE TABLE :name (id integer);
       ╰────
      help: migrations hold SQL only: remove the line, or put what it included into the file
      the database now: nothing was changed
    ");
    assert_snapshot!(refused("CREATE TABLE tags (id integer);\n\\i more.sql\n"), @r"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer);
     2 │ \i more.sql
       · ─┬
       ·  ╰── \i is a command of psql; the server does not understand it
       ╰────
      help: migrations hold SQL only: remove the line, or put what it included into the file
      the database now: nothing was changed
    ");
}

#[test]
fn a_transaction_that_nobody_ends() {
    assert_snapshot!(refused("BEGIN;\nCREATE TABLE tags (id integer);\n"), @"
    $ tollgate check
    status: 1
    -- stderr
    script::syntax

      × 4_bad cannot be read
       ╭─[migrations/4_bad/migration.sql:1:1]
     1 │ BEGIN;
       · ──┬──
       ·   ╰── this transaction is begun but never committed: the server would throw its changes away
     2 │ CREATE TABLE tags (id integer);
       ╰────
      help: add COMMIT at the end, or leave BEGIN out: a migration runs in a transaction anyway
      the database now: nothing was changed
    ");
}
