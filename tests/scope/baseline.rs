//! Findings that were known before.

use insta::assert_snapshot;

use crate::support::{DROP, dropping, found, session};

const FILE: &str = "check-baseline.toml";

#[test]
fn an_old_project_starts_clean() {
    let project = dropping("DROP TABLE items;\n");
    let mut seen = session(&project, &["check --write-baseline"]);
    seen += &std::fs::read_to_string(project.path().join(FILE)).unwrap();
    seen += "\n";
    seen += &session(&project, &["check --baseline"]);
    assert_snapshot!(seen, @r#"
    $ tollgate check --write-baseline
    status: 0
    -- stdout
    3 migrations checked: 2 known before
    -- stderr
    wrote 2 findings to check-baseline.toml

    # Findings that were there when this file was written: `tollgate check` does not report them again.
    # `tollgate check --write-baseline` writes it anew.

    [[migration]]
    name = "20240103000000_drop_items"
    checksum = "75a1f3b1e0557cf6e9540b297033b1190f6ac6071e658347d32a1ed6f19688ce"
    findings = [
        { rule = "destructive/drop-table", statement = "51d463ebbeb0ac8a" }, # DROP TABLE items
        { rule = "tollgate/rollback-procedure", statement = "51d463ebbeb0ac8a" }, # DROP TABLE items
    ]

    $ tollgate check --baseline
    status: 0
    -- stdout
    3 migrations checked: 2 known before
    "#);
    // Without the flag, or the setting, it is as before.
    assert_eq!(found(&project, "check").len(), 2);
    project.file("tollgate.toml", "[check]\nbaseline = \"check-baseline.toml\"\n");
    assert_eq!(found(&project, "check"), Vec::<String>::new());

    // What is new is reported; so is what an edited file held before.
    project.migration("20240104000000_drop_orders", "DROP TABLE orders; -- rollback: no\n");
    assert_eq!(found(&project, "check"), ["destructive/drop-table line 1 blocks"]);
    assert_eq!(found(&project, &format!("check {DROP}")), Vec::<String>::new());
    project.migration(DROP, "DROP TABLE  items;\n");
    assert_snapshot!(session(&project, &[&format!("check {DROP}")]), @"
    $ tollgate check 20240103000000_drop_items
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    -- stderr
    check::baseline

      ⚠ check-baseline.toml has entries whose migration has been edited since, so they do not count:
      │ 20240103000000_drop_items
      help: `tollgate check --write-baseline` writes the file anew, with everything that is found now

    destructive::drop-table

      × drops the table items with all its rows
       ╭─[migrations/20240103000000_drop_items/migration.sql:1:1]
     1 │ DROP TABLE  items;
       · ────────┬────────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of items
       ╭─[migrations/20240103000000_drop_items/migration.sql:1:1]
     1 │ DROP TABLE  items;
       · ────────┬────────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}

#[test]
fn entries_that_match_nothing_are_pointed_out() {
    let project = dropping("DROP TABLE items; -- rollback: no\nSELECT 1;\n");
    std::fs::create_dir(project.path().join("known")).unwrap();
    project.succeed(&["check", "--write-baseline", "--baseline=known/findings.toml"]);
    let text = std::fs::read_to_string(project.path().join("known/findings.toml")).unwrap();
    let extended = text.replace(
        "findings = [\n",
        "findings = [\n    { rule = \"destructive/drop-view\", statement = \"0123456789abcdef\" },\n",
    );
    let gone = "\n[[migration]]\nname = \"20230101000000_gone\"\nchecksum = \"00\"\nfindings = []\n";
    project.file("known/findings.toml", &format!("{extended}{gone}"));
    assert_snapshot!(session(&project, &["check --baseline=known/findings.toml"]), @"
    $ tollgate check --baseline=known/findings.toml
    status: 0
    -- stdout
    3 migrations checked: 1 known before
    -- stderr
    check::baseline

      ⚠ known/findings.toml has entries whose migration is gone: 20230101000000_gone
      help: `tollgate check --write-baseline` writes the file anew, with everything that is found now

    check::baseline

      ⚠ known/findings.toml has entries for what is not found any more: 20240103000000_drop_items
      │ destructive/drop-view
      help: `tollgate check --write-baseline` writes the file anew, with everything that is found now
    ");
    // Of migrations that are not judged nothing is said.
    assert_eq!(
        project
            .run(&[
                "check",
                "20240101000000_create_orders",
                "--baseline=known/findings.toml"
            ])
            .stderr,
        ""
    );
}

#[test]
fn mistakes_are_pointed_at() {
    let project = dropping("DROP TABLE items;\n");
    let mut seen = session(
        &project,
        &[
            "check --baseline",
            "check --write-baseline --since main",
            &format!("check {DROP} --write-baseline"),
            "check --baseline known/findings.toml",
            "check --write-baseline findings.toml",
        ],
    );
    project.file(FILE, "[[migration]]\nname = \"a\"\nfindngs = []\n");
    seen += &session(&project, &["check --baseline"]);
    assert_snapshot!(seen, @r#"
    $ tollgate check --baseline
    status: 2
    -- stderr
    check::baseline

      × cannot read check-baseline.toml: No such file or directory (os error 2)
      help: `tollgate check --write-baseline` writes it; commit it then


    $ tollgate check --write-baseline --since main
    status: 2
    -- stderr
    check::baseline

      × --write-baseline names what is found in all migrations
      help: leave out --since, and the names of migrations and files


    $ tollgate check 20240103000000_drop_items --write-baseline
    status: 2
    -- stderr
    check::baseline

      × --write-baseline names what is found in all migrations
      help: leave out --since, and the names of migrations and files


    $ tollgate check --baseline known/findings.toml
    status: 2
    -- stderr
    check::baseline

      × known/findings.toml is no migration, and no file with SQL
      help: the file of known findings stands behind an equals sign: `--baseline=known/findings.toml`


    $ tollgate check --write-baseline findings.toml
    status: 2
    -- stderr
    check::baseline

      × findings.toml is no migration, and no file with SQL
      help: the file of known findings stands behind an equals sign: `--write-baseline
            --baseline=findings.toml`


    $ tollgate check --baseline
    status: 2
    -- stderr
    check::baseline

      × check-baseline.toml is no file of known findings
       ╭─[check-baseline.toml:3:1]
     2 │ name = "a"
     3 │ findngs = []
       · ───┬───
       ·    ╰── unknown field `findngs`, expected one of `name`, `checksum`, `findings`
       ╰────
      help: `tollgate check --write-baseline` writes one
    "#);
}

#[test]
fn nothing_of_an_enforced_rule_passes_as_known() {
    let project = dropping("DROP TABLE items; -- rollback: no\n");
    project.succeed(&["check", "--write-baseline"]);
    project.file(
        "tollgate.toml",
        "extends = [\"rules.toml\"]\n[check]\nbaseline = \"check-baseline.toml\"\n",
    );
    project.file(
        "rules.toml",
        "[plugins.destructive.rules]\ndrop-table = { level = \"high\", enforced = true }\n",
    );
    assert_snapshot!(session(&project, &["check"]), @"
    $ tollgate check
    status: 3
    -- stdout
    3 migrations checked: 1 blocking
    -- stderr
    check::baseline

      ⚠ check-baseline.toml has entries for rules that a bundle enforces, so they do not count:
      │ 20240103000000_drop_items destructive/drop-table
      help: `tollgate check --write-baseline` writes the file anew, with everything that is found now

    destructive::drop-table

      × drops the table items with all its rows
       ╭─[migrations/20240103000000_drop_items/migration.sql:1:1]
     1 │ DROP TABLE items; -- rollback: no
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows
    ");
}
