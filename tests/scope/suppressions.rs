//! Comments that allow findings, and those that allow nothing.

use insta::assert_snapshot;

use crate::support::{DROP, dropping, found, session, shop};

/// Takes the rule about ways back out of the picture.
const NOTE: &str = "-- rollback: from the nightly dump\n";

#[test]
fn wherever_it_stands_it_holds_for_its_statement() {
    let allowed = |place: &str| vec![format!("destructive/drop-table line {place} allowed: gone")];
    for (sql, line) in [
        ("-- tollgate:allow drop-table -- gone\nDROP TABLE items;", "3"),
        (
            "-- tollgate:allow destructive/drop-table -- gone\r\nDROP TABLE items;\r\n",
            "3",
        ),
        ("/* tollgate:allow drop-table\n   -- gone */\nDROP TABLE items;", "4"),
        ("DROP TABLE\n  -- tollgate:allow drop-table -- gone\n  items;", "2"),
        ("DROP TABLE items; -- tollgate:allow drop-table -- gone", "2"),
        (
            "SELECT 1;\n-- tollgate:allow drop-table -- gone\n-- and more\nDROP TABLE items;",
            "5",
        ),
    ] {
        let project = dropping(&format!("{NOTE}{sql}"));
        assert_eq!(found(&project, "check"), allowed(line), "{sql}");
    }
}

#[test]
fn in_a_block_of_code_it_holds_for_the_block() {
    let project = shop();
    project.file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    project.migration(
        DROP,
        &format!("{NOTE}DO $$\nBEGIN\n  -- tollgate:allow drop-table -- gone\n  DROP TABLE items;\nEND\n$$;\n"),
    );
    let seen = found(&project, "check");
    assert_eq!(seen, ["destructive/drop-table line 5 allowed: gone"]);
}

#[test]
fn what_allows_nothing_is_pointed_out() {
    let project = dropping(
        "-- rollback: from the nightly dump\n\
         -- tollgate:allow drop-column, destructive/drop-view -- not used\n\
         -- tollgate:allow drop-table, delete-rows -- half of it\n\
         DROP TABLE items;\n\
         -- tollgate:allow drop-tabel, safty/drop-table, tollgate/xyz -- misspelled\n\
         SELECT 1;\n\
         -- tollgate:allow drop-table -- nothing follows\n",
    );
    assert_snapshot!(session(&project, &["check"]), @"
    $ tollgate check
    status: 0
    -- stdout
    3 migrations checked: 3 warnings, 3 notes, 1 allowed by comments
    -- stderr
    tollgate::unused-suppression

      ☞ allows drop-table behind the last statement, where it holds for nothing
       ╭─[migrations/20240103000000_drop_items/migration.sql:7:1]
     6 │ SELECT 1;
     7 │ -- tollgate:allow drop-table -- nothing follows
       · ───────────────────────┬───────────────────────
       ·                        ╰── low
       ╰────
      help: put it above the statement that it is for, or remove it
            fix: remove the comment

    tollgate::unused-suppression

      ☞ allows drop-column, destructive/drop-view at a statement where nothing of that is found
       ╭─[migrations/20240103000000_drop_items/migration.sql:2:1]
     1 │ -- rollback: from the nightly dump
     2 │ -- tollgate:allow drop-column, destructive/drop-view -- not used
       · ────────────────────────────────┬───────────────────────────────
       ·                                 ╰── low
     3 │ -- tollgate:allow drop-table, delete-rows -- half of it
       ╰────
      help: remove it, or move it above the statement that it is for
            fix: remove the comment

    tollgate::unused-suppression

      ☞ allows delete-rows at a statement where nothing of that is found
       ╭─[migrations/20240103000000_drop_items/migration.sql:3:31]
     2 │ -- tollgate:allow drop-column, destructive/drop-view -- not used
     3 │ -- tollgate:allow drop-table, delete-rows -- half of it
       ·                               ─────┬─────
       ·                                    ╰── low
     4 │ DROP TABLE items;
       ╰────
      help: remove it, or move it above the statement that it is for

    tollgate::unknown-suppression

      ⚠ allows drop-tabel, a rule that no policy has
       ╭─[migrations/20240103000000_drop_items/migration.sql:5:19]
     4 │ DROP TABLE items;
     5 │ -- tollgate:allow drop-tabel, safty/drop-table, tollgate/xyz -- misspelled
       ·                   ─────┬────
       ·                        ╰── medium
     6 │ SELECT 1;
       ╰────
      help: did you mean drop-table?
            fix: write drop-table

    tollgate::unknown-suppression

      ⚠ allows safty/drop-table, a rule that no policy has
       ╭─[migrations/20240103000000_drop_items/migration.sql:5:31]
     4 │ DROP TABLE items;
     5 │ -- tollgate:allow drop-tabel, safty/drop-table, tollgate/xyz -- misspelled
       ·                               ────────┬───────
       ·                                       ╰── medium
     6 │ SELECT 1;
       ╰────
      help: did you mean destructive/drop-table?
            fix: write destructive/drop-table

    tollgate::unknown-suppression

      ⚠ allows tollgate/xyz, a rule that no policy has
       ╭─[migrations/20240103000000_drop_items/migration.sql:5:49]
     4 │ DROP TABLE items;
     5 │ -- tollgate:allow drop-tabel, safty/drop-table, tollgate/xyz -- misspelled
       ·                                                 ──────┬─────
       ·                                                       ╰── medium
     6 │ SELECT 1;
       ╰────
      help: `tollgate plugin list --rules` names the rules
    ");
}

#[test]
fn what_is_off_here_may_be_on_elsewhere() {
    let project = dropping(
        "-- rollback: from the nightly dump\n\
         -- tollgate:allow drop-table, drop-column, edited-migration -- on in production\n\
         DROP TABLE items;\n",
    );
    project.file(
        "tollgate.toml",
        "[plugins.destructive.rules]\ndrop-table = \"off\"\ndrop-column = \"off\"\n",
    );
    assert_eq!(found(&project, "check"), Vec::<String>::new());
    // A whole policy that is switched off still lends its names.
    project.file("tollgate.toml", "[plugins.destructive]\nenabled = false\n");
    assert_eq!(found(&project, "check"), Vec::<String>::new());
}

#[test]
fn the_engines_rules_have_levels_and_are_allowed_like_others() {
    let project = dropping(
        "-- tollgate:allow rollback-procedure -- from backup\n-- tollgate:allow drop-table -- gone\nDROP TABLE items;\n",
    );
    assert_eq!(
        found(&project, "check"),
        [
            "destructive/drop-table line 3 allowed: gone",
            "tollgate/rollback-procedure line 3 allowed: from backup"
        ]
    );
    project.migration(
        DROP,
        "-- tollgate:allow unused-suppression -- kept for later\n-- tollgate:allow drop-column -- x\nSELECT 1;\n",
    );
    assert_eq!(
        found(&project, "check"),
        ["tollgate/unused-suppression line 2 allowed: kept for later"]
    );
    project.migration(
        DROP,
        "-- tollgate:allow unused-suppression -- of no use itself\nSELECT 1;\n",
    );
    assert_eq!(found(&project, "check"), ["tollgate/unused-suppression line 1"]);

    project.file(
        "tollgate.toml",
        "[plugins.tollgate.rules]\nunused-suppression = \"high\"\n",
    );
    assert_eq!(found(&project, "check"), ["tollgate/unused-suppression line 1 blocks"]);
    project.file(
        "tollgate.toml",
        "[plugins.tollgate.rules]\nunused-suppression = \"off\"\n",
    );
    assert_eq!(found(&project, "check"), Vec::<String>::new());
    project.file("tollgate.toml", "[plugins.tollgate]\nenabled = false\n");
    assert_eq!(found(&project, "check"), Vec::<String>::new());
}

#[test]
fn settings_that_the_engine_does_not_have_are_mistakes() {
    let project = shop();
    let mut seen = String::new();
    for text in [
        "[plugins.tollgate]\nsource = \"builtin:destructive\"\n",
        "[plugins.tollgate.rules]\nunused-supression = \"off\"\n",
        "[plugins.destructive.rules]\nunused-suppression = \"off\"\n",
    ] {
        project.file("tollgate.toml", text);
        seen += &session(&project, &["check"]);
    }
    assert_snapshot!(seen, @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::plugin

      × the plugin tollgate is Tollgate itself: it has `enabled` and `rules`, and no other settings
       ╭─[tollgate.toml:1:1]
     1 │ [plugins.tollgate]
       · ─────────┬────────
       ·          ╰── here
     2 │ source = "builtin:destructive"
       ╰────
      help: give a plugin of your own another name


    $ tollgate check
    status: 2
    -- stderr
    config::plugin

      × the plugin tollgate has no rule unused-supression; did you mean unused-suppression?
       ╭─[tollgate.toml:2:21]
     1 │ [plugins.tollgate.rules]
     2 │ unused-supression = "off"
       ·                     ──┬──
       ·                       ╰── here
       ╰────
      help: `tollgate plugin list --rules` names the rules


    $ tollgate check
    status: 2
    -- stderr
    config::plugin

      × the plugin destructive has no rule unused-suppression; that is one of Tollgate itself:
      │ [plugins.tollgate.rules]
       ╭─[tollgate.toml:2:22]
     1 │ [plugins.destructive.rules]
     2 │ unused-suppression = "off"
       ·                      ──┬──
       ·                        ╰── here
       ╰────
      help: `tollgate plugin list --rules` names the rules
    "#);
}

#[test]
fn they_are_listed_with_the_policies() {
    let project = shop();
    project.file(
        "tollgate.toml",
        "[plugins.tollgate.rules]\nunused-suppression = \"off\"\n",
    );
    let seen = session(&project, &["plugin list --rules"]);
    let end = seen.find("conventions ").unwrap();
    assert_snapshot!(&seen[..end], @"
    $ tollgate plugin list --rules
    status: 0
    -- stdout
    tollgate 0.1.0 (the engine's own rules): on
      policy: What only the engine can tell: suppressions, ways back, edited files
      high   edited-migration A migration that was merged before has been changed or removed
      medium rollback-procedure A migration with a high finding and without a way back
      medium unknown-suppression A comment that allows a rule which no policy has
      off    unused-suppression A comment that allows what is not found
    ");
}
