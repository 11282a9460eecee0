//! Shared bundles, and what they enforce.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::support::{DROP, dropping, found, session, shop};

const BUNDLE: &str = "\
[check]
block_at = \"medium\"

[plugins.destructive.rules]
drop-table = { level = \"high\", enforced = true }
drop-view = \"high\"
";

/// A project that builds on a bundle two folders away.
fn project(bundle: &str, own: &str) -> Project {
    let project = dropping("-- rollback: no\n-- tollgate:allow drop-table -- archived\nDROP TABLE items;\n");
    project.file("db-rules/bundle.toml", bundle);
    project.file(
        "tollgate.toml",
        &format!("extends = [\"./db-rules/bundle.toml\"]\n{own}"),
    );
    project
}

#[test]
fn a_bundle_sets_levels_and_a_comment_does_not_count_against_it() {
    let project = project(BUNDLE, "");
    assert_snapshot!(session(&project, &["check"]), @"
    $ tollgate check
    status: 3
    -- stdout
    3 migrations checked: 1 blocking
    -- stderr
    destructive::drop-table

      × drops the table items with all its rows
       ╭─[migrations/20240103000000_drop_items/migration.sql:3:1]
     2 │ -- tollgate:allow drop-table -- archived
     3 │ DROP TABLE items;
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows
            the comment that allows it does not count: db-rules/bundle.toml:5 enforces the rule
    ");
    // Where it is not enforced, it does.
    project.file(
        "db-rules/bundle.toml",
        &BUNDLE.replace("enforced = true", "enforced = false"),
    );
    assert_eq!(
        found(&project, "check"),
        ["destructive/drop-table line 3 allowed: archived"]
    );
}

#[test]
fn a_deploy_does_not_count_it_either() {
    let mut project = project(BUNDLE, "");
    project.set("DATABASE_URL", "file:./shop.db");
    project.migration("20240102500000_fill_items", "INSERT INTO items (id) VALUES (1);\n");
    project.succeed(&["deploy", "--to", "20240102500000_fill_items"]);
    let outcome = project.run(&["deploy"]);
    assert_eq!(outcome.status, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("db-rules/bundle.toml:5 enforces the rule"),
        "{outcome}"
    );
}

#[test]
fn what_is_enforced_cannot_be_weakened() {
    let bundle = format!("enforced = [\"check.block_at\", \"plugins.destructive.grant\"]\n{BUNDLE}");
    let project = project(&bundle, "");
    let mut seen = String::new();
    for own in [
        "[plugins.destructive.rules]\ndrop-table = \"medium\"\ndrop-view = \"off\"\n",
        "[plugins.destructive]\nenabled = false\non_failure = \"warn\"\nsource = \"mine.wasm\"\ngrant = []\n",
        "[environments.production.check]\nblock_at = \"high\"\n",
    ] {
        project.file(
            "tollgate.toml",
            &format!("extends = [\"db-rules/bundle.toml\"]\n\n{own}"),
        );
        seen += &session(&project, &["check"]);
    }
    assert_snapshot!(seen, @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × plugins.destructive.rules.drop-table may not be "medium": db-rules/bundle.toml:6 enforces
      │ "high"
       ╭─[tollgate.toml:4:14]
     3 │ [plugins.destructive.rules]
     4 │ drop-table = "medium"
       ·              ────┬───
       ·                  ╰── laxer than what is enforced
     5 │ drop-view = "off"
       ╰────
      help: leave it out, or set it to "high"


    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × plugins.destructive.enabled may not be false: db-rules/bundle.toml:1 enforces
      │ plugins.destructive.grant
       ╭─[tollgate.toml:4:11]
     3 │ [plugins.destructive]
     4 │ enabled = false
       ·           ──┬──
       ·             ╰── laxer than what is enforced
     5 │ on_failure = "warn"
       ╰────
      help: leave it out

    config::enforced

      × plugins.destructive.grant may not be []: db-rules/bundle.toml:1 enforces ["catalog.probe"]
       ╭─[tollgate.toml:7:9]
     6 │ source = "mine.wasm"
     7 │ grant = []
       ·         ─┬
       ·          ╰── laxer than what is enforced
       ╰────
      help: leave it out

    config::enforced

      × plugins.destructive.on_failure may not be "warn": db-rules/bundle.toml:1 enforces
      │ plugins.destructive.grant
       ╭─[tollgate.toml:5:14]
     4 │ enabled = false
     5 │ on_failure = "warn"
       ·              ───┬──
       ·                 ╰── laxer than what is enforced
     6 │ source = "mine.wasm"
       ╰────
      help: leave it out, or set it to "block"

    config::enforced

      × plugins.destructive.source may not be "mine.wasm": db-rules/bundle.toml:1 enforces
      │ plugins.destructive.grant
       ╭─[tollgate.toml:6:10]
     5 │ on_failure = "warn"
     6 │ source = "mine.wasm"
       ·          ─────┬─────
       ·               ╰── laxer than what is enforced
     7 │ grant = []
       ╰────
      help: leave it out

    4 errors

    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × check.block_at may not be "high": db-rules/bundle.toml:1 enforces "medium"
       ╭─[tollgate.toml:4:12]
     3 │ [environments.production.check]
     4 │ block_at = "high"
       ·            ───┬──
       ·               ╰── laxer than what is enforced
       ╰────
      help: leave it out, or set it to "medium" or "low"
    "#);
}

#[test]
fn variables_cannot_weaken_it_either_and_being_stricter_is_fine() {
    let mut project = project(&format!("enforced = [\"check.block_at\"]\n{BUNDLE}"), "");
    project.set("TOLLGATE_CHECK_BLOCK_AT", "high");
    assert_snapshot!(session(&project, &["check"]), @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × check.block_at may not be "high", as TOLLGATE_CHECK_BLOCK_AT says: db-rules/bundle.toml:1
      │ enforces "medium"
      help: leave it out, or set it to "medium" or "low"
    "#);

    project.set("TOLLGATE_CHECK_BLOCK_AT", "low");
    project.file(
        "tollgate.toml",
        "extends = [\"db-rules/bundle.toml\"]\n[plugins.destructive]\nsource = \"builtin:destructive\"\nenabled = true\n\
         [plugins.destructive.rules]\ndrop-table = \"high\"\n[environments.test.plugins.destructive.rules]\ndrop-table = { level = \"high\" }\n",
    );
    assert_eq!(
        found(&project, "check --env test"),
        ["destructive/drop-table line 3 blocks"]
    );
}

#[test]
fn flags_cannot_weaken_it_either() {
    let project = project(
        "enforced = [\"migrations.dir\"]\n[migrations]\ndir = \"../migrations\"\n",
        "",
    );
    assert_snapshot!(session(&project, &["check --migrations elsewhere"]), @r#"
    $ tollgate check --migrations elsewhere
    status: 2
    -- stderr
    config::enforced

      × migrations.dir may not be "elsewhere", as --migrations says: db-rules/bundle.toml:1 enforces
      │ "../migrations"
      help: leave it out
    "#);
}

#[test]
fn config_show_says_who_set_and_who_enforces_what() {
    let mut project = project(
        &format!("enforced = [\"check.block_at\"]\n{BUNDLE}"),
        "[plugins.destructive.rules]\ndrop-index = \"off\"\n\n[environments.production.check]\nblock_at = \"low\"\n",
    );
    project.set("TOLLGATE_DEPLOY_RETRIES", "2");
    let seen = session(
        &project,
        &["config show --origin --env production --migrations migrations"],
    );
    let lines = seen.lines().filter(|line| {
        [
            "status",
            "block_at",
            "drop-",
            "retries",
            "dir =",
            "source = \"builtin:destructive\"",
            "lock_timeout_ms",
        ]
        .iter()
        .any(|part| line.starts_with(part))
    });
    let shown: Vec<&str> = lines.collect();
    assert_snapshot!(shown.join("\n"), @r#"
    status: 0
    dir = "migrations"  # from --migrations
    block_at = "low"  # from tollgate.toml:6 [environments.production], enforced by db-rules/bundle.toml:1
    lock_timeout_ms = 30000  # from default
    retries = 2  # from TOLLGATE_DEPLOY_RETRIES
    source = "builtin:destructive"  # from default, enforced by db-rules/bundle.toml:6
    drop-index = "off"  # from tollgate.toml:3
    drop-table = "high"  # from db-rules/bundle.toml:6, enforced by db-rules/bundle.toml:6
    drop-view = "high"  # from db-rules/bundle.toml:7
    "#);
    let document = project
        .run(&["config", "show", "--env", "production", "--format=json"])
        .json();
    let settings = document["settings"].as_array().unwrap();
    let block_at = settings
        .iter()
        .find(|setting| setting["key"] == "check.block_at")
        .unwrap();
    assert_eq!(block_at["enforced_by"], serde_json::json!(["db-rules/bundle.toml:1"]));
    assert_eq!(block_at["origin"]["environment"], "production");
    assert_eq!(block_at["origin"]["bundle"], false);
}

#[test]
fn bundles_build_on_bundles_and_paths_start_where_they_are_written() {
    let project = shop();
    project
        .file(
            "tollgate.toml",
            "extends = [\"org/team/team.toml\", \"org/org.toml\"]\n",
        )
        .file(
            "org/team/team.toml",
            "extends = [\"../org.toml\"]\n[plugins.destructive.rules]\ndrop-table = \"high\"\n",
        )
        .file(
            "org/org.toml",
            "[plugins.destructive.rules]\ndrop-table = { level = \"medium\", enforced = true }\n\
             [plugins.style]\nsource = \"plugins/style.wasm\"\n",
        );
    project.migration(DROP, "DROP TABLE items; -- rollback: no\n");
    let outcome = project.run(&["check"]);
    assert!(outcome.stderr.contains("org/plugins/style.wasm"), "{outcome}");
    // The team's bundle stays above the organisation's, though the project names that, too.
    project.file(
        "org/org.toml",
        "[plugins.destructive.rules]\ndrop-table = { level = \"medium\", enforced = true }\n",
    );
    assert_eq!(found(&project, "check"), ["destructive/drop-table line 1 blocks"]);
    project.file(
        "org/team/team.toml",
        "extends = [\"../org.toml\"]\n[plugins.destructive.rules]\ndrop-table = \"low\"\n",
    );
    assert_snapshot!(session(&project, &["check"]), @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × plugins.destructive.rules.drop-table may not be "low": org/org.toml:2 enforces "medium"
       ╭─[org/team/team.toml:3:14]
     2 │ [plugins.destructive.rules]
     3 │ drop-table = "low"
       ·              ──┬──
       ·                ╰── laxer than what is enforced
       ╰────
      help: leave it out, or set it to "medium" or "high"
    "#);
}

#[test]
fn what_is_no_bundle_is_pointed_at() {
    let project = shop();
    let mut seen = String::new();
    for (own, bundle) in [
        ("extends = [\"a.toml\"]\n", "extends = [\"b.toml\"]\n"),
        ("extends = [\n  \"a.toml\",\n  \"none.toml\",\n]\n", ""),
        ("extends = [\"oci://ghcr.io/acme/rules:1\"]\n", ""),
        (
            "extends = [\"a.toml\"]\n",
            "enforced = [\"check.blockat\", \"plugins.slack.enabled\"]\n",
        ),
        (
            "extends = [\"a.toml\"]\n",
            "[plugins.destructive.rules]\ndrop-table = { level = \"hgih\", enforced = true }\ndrop-view = { enforced = true }\n\
             drop-type = { level = \"low\", enforce = true }\n",
        ),
    ] {
        project
            .file("tollgate.toml", own)
            .file("a.toml", bundle)
            .file("b.toml", "extends = [\"./a.toml\"]\n");
        seen += &session(&project, &["check"]);
    }
    assert_snapshot!(seen, @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::circle

      × the bundle a.toml extends itself: a.toml → b.toml → a.toml
       ╭─[b.toml:1:12]
     1 │ extends = ["./a.toml"]
       ·            ─────┬────
       ·                 ╰── extended here
       ╰────


    $ tollgate check
    status: 2
    -- stderr
    config::bundle

      × the bundle none.toml cannot be read: No such file or directory (os error 2)
       ╭─[tollgate.toml:3:3]
     2 │   "a.toml",
     3 │   "none.toml",
       ·   ─────┬─────
       ·        ╰── extended here
     4 │ ]
       ╰────
      help: paths in `extends` start from the folder of the file that has them


    $ tollgate check
    status: 2
    -- stderr
    config::bundle

      × a bundle is the path of a file; this version takes none from oci://
       ╭─[tollgate.toml:1:12]
     1 │ extends = ["oci://ghcr.io/acme/rules:1"]
       ·            ──────────────┬─────────────
       ·                          ╰── an address
       ╰────
      help: keep a copy of it in the repository, or beside it, and name that: `extends =
            ["../db-rules/bundle.toml"]`


    $ tollgate check
    status: 2
    -- stderr
    config::enforced

      × check.blockat cannot be enforced: nothing sets it
       ╭─[a.toml:1:13]
     1 │ enforced = ["check.blockat", "plugins.slack.enabled"]
       ·             ───────┬───────
       ·                    ╰── set neither here nor in a bundle below
       ╰────
      help: set it in this file, too

    config::enforced

      × plugins.slack.enabled cannot be enforced: nothing sets it
       ╭─[a.toml:1:30]
     1 │ enforced = ["check.blockat", "plugins.slack.enabled"]
       ·                              ───────────┬───────────
       ·                                         ╰── set neither here nor in a bundle below
       ╰────
      help: set it in this file, too

    2 errors

    $ tollgate check
    status: 2
    -- stderr
    config::unknown-key

      × unknown key `enforce` in [plugins.destructive.rules.drop-type]
       ╭─[a.toml:4:30]
     3 │ drop-view = { enforced = true }
     4 │ drop-type = { level = "low", enforce = true }
       ·                              ───┬───
       ·                                 ╰── not a key of Tollgate's
       ╰────
      help: did you mean `enforced`?

    config::wrong-type

      × plugins.destructive.rules.drop-view must be a level, or a table with `level`
       ╭─[a.toml:3:13]
     2 │ drop-table = { level = "hgih", enforced = true }
     3 │ drop-view = { enforced = true }
       ·             ─────────┬─────────
       ·                      ╰── expected a level, or a table with `level`
     4 │ drop-type = { level = "low", enforce = true }
       ╰────

    2 errors
    "#);
}
