//! The reports of `check` for other programs: what is so in all of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::{allow_duplicates, assert_snapshot};
use serde_json::Value;

use crate::support::{Ended, Project};

/// What the other policies would say is not what these tests are about.
const ONLY_DESTRUCTIVE: &str = "[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n";

/// A migration that blocks, in several lines and with names that mean something to other programs; one with a warning and
/// a finding that is allowed; one with a note; one without anything.
pub fn project() -> Project {
    Project::with(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        (
            "db/migrations/1 init/migration.sql",
            "CREATE TABLE \"a <b> @all `c`, 100%::x\" (id INTEGER PRIMARY KEY, n TEXT NOT NULL DEFAULT 'é');\n\
             CREATE TABLE \"old\" (id INTEGER PRIMARY KEY, \"ü\" TEXT);\nCREATE TABLE kept (id INTEGER PRIMARY KEY, a TEXT);\n",
        ),
        (
            "db/migrations/2_drop/migration.sql",
            "-- é\r\nDROP\r\n  TABLE \"a <b> @all `c`, 100%::x\";\r\n",
        ),
        (
            "db/migrations/3_mixed/migration.sql",
            "CREATE UNIQUE INDEX u ON kept (a);\n\n-- tollgate:allow drop-column -- nobody reads it; see #12 <x>\nALTER TABLE \"old\" DROP COLUMN \"ü\";\n",
        ),
        (
            "db/migrations/4_quiet/migration.sql",
            "CREATE TABLE fresh (id INTEGER PRIMARY KEY);\n",
        ),
        ("db/migrations/migration_lock.toml", "provider = \"sqlite\"\n"),
        ("db/tollgate.toml", ONLY_DESTRUCTIVE),
    ])
}

/// Checks the project with this report on standard output, or in the file that it names.
pub fn report(project: &Project, form: &str) -> Ended {
    project
        .command(&["check", "--quiet", "--report", form])
        .inside("db")
        .run()
}

/// The report of this form about a [`project`]. What people read and how the run ends are the same with all of them.
pub fn with_findings(form: &str) -> String {
    let ended = report(&project(), form);
    assert_eq!(ended.status, 3);
    allow_duplicates! {
        assert_snapshot!(ended.stderr, @r#"
        destructive::drop-table

          × drops the table a <b> @all `c`, 100%::x with all its rows
           ╭─[migrations/2_drop/migration.sql:2:1]
         1 │     -- é
         2 │ ╭─▶ DROP
         3 │ ├─▶   TABLE "a <b> @all `c`, 100%::x";
           · ╰──── high: blocks a deploy
           ╰────
          help: rename the table first and drop it later, or keep a copy of its rows

        tollgate::rollback-procedure

          ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
          │ generated rollback does not bring back the rows of a <b> @all `c`, 100%::x
           ╭─[migrations/2_drop/migration.sql:2:1]
         1 │     -- é
         2 │ ╭─▶ DROP
         3 │ ├─▶   TABLE "a <b> @all `c`, 100%::x";
           · ╰──── medium
           ╰────
          help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

        destructive::unique-on-existing-data

          ⚠ adds the unique index (a) to kept, which fails where rows share their values
           ╭─[migrations/3_mixed/migration.sql:1:1]
         1 │ CREATE UNIQUE INDEX u ON kept (a);
           · ────────────────┬────────────────
           ·                 ╰── medium
         2 │
           ╰────
          help: find and merge the duplicates first

        tollgate::rollback-procedure

          ⚠ has no way back from what destructive/drop-column reports: there is no down.sql, and the
          │ generated rollback does not bring back the values of old.ü
           ╭─[migrations/3_mixed/migration.sql:4:19]
         3 │ -- tollgate:allow drop-column -- nobody reads it; see #12 <x>
         4 │ ALTER TABLE "old" DROP COLUMN "ü";
           ·                   ───────┬───────
           ·                          ╰── medium
           ╰────
          help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

        4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments
        "#);
    }
    ended.stdout
}

/// A schema that comes with these tests.
pub fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/formats")
        .join(path)
}

/// The document follows the schema.
pub fn assert_valid(schema: &Value, document: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(document)
        .map(|problem| problem.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:#?} in {document:#}");
}

/// The standard's own schema, from the crate that carries it.
pub fn sarif_schema() -> Value {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let carrier = packages
        .iter()
        .find(|package| package["name"] == "serde-sarif")
        .unwrap();
    let manifest = Path::new(carrier["manifest_path"].as_str().unwrap());
    let schema = std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    // The published pattern has a bracket too many, which not every dialect of regular expressions takes.
    for name in ["run", "toolComponent"] {
        schema["definitions"][name]["properties"]["language"]["pattern"] = "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$".into();
    }
    schema
}

#[test]
fn without_findings_reports_say_so() {
    let project = Project::with(&[
        (
            "migrations/1_a/migration.sql",
            "CREATE TABLE a (id INTEGER PRIMARY KEY);\n",
        ),
        ("migrations/migration_lock.toml", "provider = \"sqlite\"\n"),
        ("tollgate.toml", ONLY_DESTRUCTIVE),
    ]);
    let run = |form: &str| project.run(&["check", "--quiet", "--report", form]);
    assert_snapshot!(run("gitlab"), @"
    exit status 0
    --- stdout
    []
    --- stderr
    1 migration checked: nothing found
    ");
    assert_snapshot!(run("github"), @"
    exit status 0
    --- stderr
    1 migration checked: nothing found
    ");
    assert_snapshot!(run("markdown"), @"
    exit status 0
    --- stdout
    ### Migrations: nothing found

    | checked | blocking | warnings | notes | allowed | approved |
    | ---: | ---: | ---: | ---: | ---: | ---: |
    | 1 | 0 | 0 | 0 | 0 | 0 |
    --- stderr
    1 migration checked: nothing found
    ");
    assert_snapshot!(run("junit"), @r#"
    exit status 0
    --- stdout
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="tollgate check" tests="1" skipped="0" failures="0" errors="0">
        <testsuite name="1_a" tests="1" skipped="0" errors="0" failures="0" file="migrations/1_a/migration.sql">
            <testcase name="nothing found" classname="1_a"/>
        </testsuite>
    </testsuites>
    --- stderr
    1 migration checked: nothing found
    "#);
    let log: Value = serde_json::from_str(&run("sarif").stdout).unwrap();
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn a_policy_that_cannot_judge_is_in_every_report() {
    let project = project();
    let limits = format!("{ONLY_DESTRUCTIVE}[plugins.destructive.limits]\nfuel = 10000\n");
    project.write("db/tollgate.toml", &limits);
    assert_snapshot!(report(&project, "github"), @r#"
    exit status 3
    --- stdout
    ::error file=db/migrations/2_drop/migration.sql,title=destructive%3A out-of-fuel::destructive could not judge this: used up its 10000 units of fuel
    ::error file=db/migrations/3_mixed/migration.sql,title=destructive%3A out-of-fuel::destructive could not judge this: used up its 10000 units of fuel
    --- stderr
    plugin::out-of-fuel

      × destructive could not judge 2_drop: used up its 10000 units of fuel
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that

    plugin::out-of-fuel

      × destructive could not judge 3_mixed: used up its 10000 units of fuel
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that

    4 migrations checked: 2 blocking
    "#);
    let log: Value = serde_json::from_str(&report(&project, "sarif").stdout).unwrap();
    assert_valid(&sarif_schema(), &log);
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let issues: Value = serde_json::from_str(&report(&project, "gitlab").stdout).unwrap();
    assert_eq!(issues[0]["check_name"], "destructive/out-of-fuel");
}

#[test]
fn only_one_report_can_have_standard_output() {
    let project = project();
    let run = |args: &[&str]| project.command(args).inside("db").run();
    assert_snapshot!(run(&["check", "--report", "sarif", "--report", "junit"]), @"
    exit status 2
    --- stderr
    usage::reports

      × only one report can go to standard output
      help: give the others a file: `--report sarif=findings.sarif`
    ");
    assert_snapshot!(run(&["check", "--report", "sarif", "--format", "json"]), @r#"
    exit status 2
    --- stdout
    {
      "version": 1,
      "command": "check",
      "warnings": [],
      "status": 2,
      "errors": [
        {
          "level": "error",
          "code": "usage::reports",
          "message": "only one report can go to standard output",
          "place": null,
          "help": "give the others a file: `--report sarif=findings.sarif`",
          "database": null
        }
      ],
      "finished": []
    }
    "#);
    assert_snapshot!(run(&["check", "--report", "sarif=migrations"]), @r#"
    exit status 1
    --- stdout
    4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments
    --- stderr
    destructive::drop-table

      × drops the table a <b> @all `c`, 100%::x with all its rows
       ╭─[migrations/2_drop/migration.sql:2:1]
     1 │     -- é
     2 │ ╭─▶ DROP
     3 │ ├─▶   TABLE "a <b> @all `c`, 100%::x";
       · ╰──── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of a <b> @all `c`, 100%::x
       ╭─[migrations/2_drop/migration.sql:2:1]
     1 │     -- é
     2 │ ╭─▶ DROP
     3 │ ├─▶   TABLE "a <b> @all `c`, 100%::x";
       · ╰──── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    destructive::unique-on-existing-data

      ⚠ adds the unique index (a) to kept, which fails where rows share their values
       ╭─[migrations/3_mixed/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX u ON kept (a);
       · ────────────────┬────────────────
       ·                 ╰── medium
     2 │
       ╰────
      help: find and merge the duplicates first

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-column reports: there is no down.sql, and the
      │ generated rollback does not bring back the values of old.ü
       ╭─[migrations/3_mixed/migration.sql:4:19]
     3 │ -- tollgate:allow drop-column -- nobody reads it; see #12 <x>
     4 │ ALTER TABLE "old" DROP COLUMN "ü";
       ·                   ───────┬───────
       ·                          ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    report::unwritable

      × cannot write the report migrations: Is a directory (os error 21)
    "#);
    let several = run(&[
        "check",
        "--format",
        "json",
        "--report",
        "sarif=a.json",
        "--report",
        "gitlab=b.json",
    ]);
    assert_eq!(several.status, 3);
    assert!(project.read("db/a.json").contains("2.1.0"));
    assert!(project.read("db/b.json").starts_with('['));
}

#[test]
fn secrets_are_in_no_report() {
    let project = project();
    project.write(
        "db/migrations/5_secret/migration.sql",
        "CREATE TABLE s (url TEXT DEFAULT 'hunter2-secret');\nDROP TABLE kept; -- hunter2-secret\n",
    );
    for form in ["sarif", "github", "gitlab", "junit", "markdown"] {
        let ended = project
            .command(&["check", "--report", form])
            .env("DATABASE_URL", "postgresql://me:hunter2-secret@localhost/app")
            .inside("db")
            .run();
        assert!(!ended.to_string().contains("hunter2"), "{form}: {ended}");
    }
}
