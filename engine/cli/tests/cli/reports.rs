//! The reports of `check` for other programs: what is in them, and that they follow their schemas.

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Ended, Project};

/// What the other policies would say is not what these tests are about.
const ONLY_DESTRUCTIVE: &str = "[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n";

/// A migration that blocks, in several lines and with names that mean something to other programs; one with a warning and
/// a finding that is allowed; one with a note; one without anything.
fn project() -> Project {
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

fn report(project: &Project, form: &str) -> Ended {
    project
        .command(&["check", "--quiet", "--report", form])
        .inside("db")
        .run()
}

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/formats")
        .join(path)
}

fn assert_valid(schema: &Value, document: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(document)
        .map(|problem| problem.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:#?} in {document:#}");
}

/// The standard's own schema, from the crate that carries it.
fn sarif_schema() -> Value {
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
fn sarif_follows_the_standard() {
    let ended = report(&project(), "sarif");
    assert_eq!(ended.status, 3);
    let log: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema = sarif_schema();
    assert_valid(&schema, &log);
    // The schema refuses what is wrong.
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "terrible".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));

    let run = &log["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    assert_snapshot!(serde_json::to_string_pretty(&run["results"]).unwrap(), @r#"
    [
      {
        "ruleId": "destructive/drop-table",
        "level": "error",
        "message": {
          "text": "drops the table a <b> @all `c`, 100%::x with all its rows\nrename the table first and drop it later, or keep a copy of its rows"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "db/migrations/2_drop/migration.sql",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 2,
                "startColumn": 1,
                "endLine": 3,
                "endColumn": 34
              }
            }
          }
        ],
        "partialFingerprints": {
          "statement/v1": "7ec9cf5ed0c706bac4a31b3d189b81018476775c83299e9965461e388b9f9f78"
        },
        "properties": {
          "severity": "high",
          "blocking": true,
          "migration": "2_drop"
        },
        "ruleIndex": 4
      },
      {
        "ruleId": "tollgate/rollback-procedure",
        "level": "warning",
        "message": {
          "text": "has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a <b> @all `c`, 100%::x\nwrite a down.sql, or say in the file how it is taken back: `-- rollback: …`"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "db/migrations/2_drop/migration.sql",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 2,
                "startColumn": 1,
                "endLine": 3,
                "endColumn": 34
              }
            }
          }
        ],
        "partialFingerprints": {
          "statement/v1": "5bff770dca86f86dfcfc191a8d414adc444d272d37331f67c3e4a94be7347cee"
        },
        "properties": {
          "severity": "medium",
          "blocking": false,
          "migration": "2_drop"
        },
        "ruleIndex": 1
      },
      {
        "ruleId": "destructive/unique-on-existing-data",
        "level": "warning",
        "message": {
          "text": "adds the unique index (a) to kept, which fails where rows share their values\nfind and merge the duplicates first"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "db/migrations/3_mixed/migration.sql",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 1,
                "startColumn": 1,
                "endLine": 1,
                "endColumn": 34
              }
            }
          }
        ],
        "partialFingerprints": {
          "statement/v1": "b23c8d7ad766cd05674de9974615892b33764f11eb90aa95e617fc9ee26d59c3"
        },
        "properties": {
          "severity": "medium",
          "blocking": false,
          "migration": "3_mixed"
        },
        "ruleIndex": 27
      },
      {
        "ruleId": "destructive/drop-column",
        "level": "error",
        "message": {
          "text": "drops the column old.ü with all its values\nstop using the column first and drop it in a later release, or copy its values before"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "db/migrations/3_mixed/migration.sql",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 4,
                "startColumn": 19,
                "endLine": 4,
                "endColumn": 34
              }
            }
          }
        ],
        "partialFingerprints": {
          "statement/v1": "f20da06e837b8ee977e8183cca24495789ff26923e1b146ecd75df44430d06f6"
        },
        "properties": {
          "severity": "high",
          "blocking": false,
          "migration": "3_mixed"
        },
        "ruleIndex": 5,
        "suppressions": [
          {
            "kind": "inSource",
            "status": "accepted",
            "justification": "allowed in the script: nobody reads it; see #12 <x>"
          }
        ]
      },
      {
        "ruleId": "tollgate/rollback-procedure",
        "level": "warning",
        "message": {
          "text": "has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü\nwrite a down.sql, or say in the file how it is taken back: `-- rollback: …`"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "db/migrations/3_mixed/migration.sql",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 4,
                "startColumn": 19,
                "endLine": 4,
                "endColumn": 34
              }
            }
          }
        ],
        "partialFingerprints": {
          "statement/v1": "05405ebb04ce916e3dad41a7f8e0d27159b2131f233b1cedd932e32a6e4b95b7"
        },
        "properties": {
          "severity": "medium",
          "blocking": false,
          "migration": "3_mixed"
        },
        "ruleIndex": 1
      }
    ]
    "#);
}

#[test]
fn gitlab_gets_its_fields() {
    let ended = report(&project(), "gitlab");
    let schema = serde_json::from_str(&std::fs::read_to_string(shared("gitlab-code-quality.json")).unwrap()).unwrap();
    let issues: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_valid(&schema, &issues);
    let mut wrong = issues.clone();
    wrong[0]["severity"] = "terrible".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
    assert_snapshot!(ended, @r#"
    exit status 3
    --- stdout
    [
      {
        "description": "drops the table a <b> @all `c`, 100%::x with all its rows\nrename the table first and drop it later, or keep a copy of its rows",
        "check_name": "destructive/drop-table",
        "fingerprint": "7ec9cf5ed0c706bac4a31b3d189b81018476775c83299e9965461e388b9f9f78",
        "severity": "blocker",
        "location": {
          "path": "db/migrations/2_drop/migration.sql",
          "lines": {
            "begin": 2,
            "end": 3
          }
        }
      },
      {
        "description": "has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a <b> @all `c`, 100%::x\nwrite a down.sql, or say in the file how it is taken back: `-- rollback: …`",
        "check_name": "tollgate/rollback-procedure",
        "fingerprint": "5bff770dca86f86dfcfc191a8d414adc444d272d37331f67c3e4a94be7347cee",
        "severity": "major",
        "location": {
          "path": "db/migrations/2_drop/migration.sql",
          "lines": {
            "begin": 2,
            "end": 3
          }
        }
      },
      {
        "description": "adds the unique index (a) to kept, which fails where rows share their values\nfind and merge the duplicates first",
        "check_name": "destructive/unique-on-existing-data",
        "fingerprint": "b23c8d7ad766cd05674de9974615892b33764f11eb90aa95e617fc9ee26d59c3",
        "severity": "major",
        "location": {
          "path": "db/migrations/3_mixed/migration.sql",
          "lines": {
            "begin": 1,
            "end": 1
          }
        }
      },
      {
        "description": "has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü\nwrite a down.sql, or say in the file how it is taken back: `-- rollback: …`",
        "check_name": "tollgate/rollback-procedure",
        "fingerprint": "05405ebb04ce916e3dad41a7f8e0d27159b2131f233b1cedd932e32a6e4b95b7",
        "severity": "major",
        "location": {
          "path": "db/migrations/3_mixed/migration.sql",
          "lines": {
            "begin": 4,
            "end": 4
          }
        }
      }
    ]
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

    4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments
    "#);
}

#[test]
fn junit_reads_as_the_exit_status_does() {
    let project = project();
    let ended = report(&project, "junit=out/results.xml");
    assert_eq!(
        (ended.status, ended.stdout.as_str()),
        (
            3,
            "4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments\n"
        )
    );
    let checked = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(shared("junit.xsd"))
        .arg(project.root().join("db/out/results.xml"))
        .output()
        .expect("xmllint comes with Debian's libxml2-utils");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_snapshot!(project.read("db/out/results.xml"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="tollgate check" tests="7" skipped="1" failures="1" errors="0">
        <testsuite name="1 init" tests="1" skipped="0" errors="0" failures="0" file="db/migrations/1 init/migration.sql">
            <testcase name="nothing found" classname="1 init"/>
        </testsuite>
        <testsuite name="2_drop" tests="2" skipped="0" errors="0" failures="1" file="db/migrations/2_drop/migration.sql">
            <testcase name="destructive/drop-table at line 2" classname="2_drop">
                <failure message="drops the table a &lt;b&gt; @all `c`, 100%::x with all its rows" type="high">drops the table a &lt;b&gt; @all `c`, 100%::x with all its rows
    db/migrations/2_drop/migration.sql:2:1
    rename the table first and drop it later, or keep a copy of its rows

    DROP
      TABLE &quot;a &lt;b&gt; @all `c`, 100%::x&quot;</failure>
            </testcase>
            <testcase name="tollgate/rollback-procedure at line 2" classname="2_drop">
                <system-out>medium: has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a &lt;b&gt; @all `c`, 100%::x
    db/migrations/2_drop/migration.sql:2:1
    write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    DROP
      TABLE &quot;a &lt;b&gt; @all `c`, 100%::x&quot;</system-out>
            </testcase>
        </testsuite>
        <testsuite name="3_mixed" tests="3" skipped="1" errors="0" failures="0" file="db/migrations/3_mixed/migration.sql">
            <testcase name="destructive/unique-on-existing-data at line 1" classname="3_mixed">
                <system-out>medium: adds the unique index (a) to kept, which fails where rows share their values
    db/migrations/3_mixed/migration.sql:1:1
    find and merge the duplicates first

    CREATE UNIQUE INDEX u ON kept (a)</system-out>
            </testcase>
            <testcase name="destructive/drop-column at line 4" classname="3_mixed">
                <skipped message="allowed in the script: nobody reads it; see #12 &lt;x&gt;"/>
            </testcase>
            <testcase name="tollgate/rollback-procedure at line 4" classname="3_mixed">
                <system-out>medium: has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü
    db/migrations/3_mixed/migration.sql:4:19
    write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    ALTER TABLE &quot;old&quot; DROP COLUMN &quot;ü&quot;</system-out>
            </testcase>
        </testsuite>
        <testsuite name="4_quiet" tests="1" skipped="0" errors="0" failures="0" file="db/migrations/4_quiet/migration.sql">
            <testcase name="nothing found" classname="4_quiet"/>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn github_shows_what_blocks_first() {
    assert_snapshot!(report(&project(), "github"), @r#"
    exit status 3
    --- stdout
    ::error file=db/migrations/2_drop/migration.sql,line=2,endLine=3,title=destructive/drop-table (high)::drops the table a <b> @all `c`, 100%25::x with all its rows%0Arename the table first and drop it later, or keep a copy of its rows
    ::warning file=db/migrations/2_drop/migration.sql,line=2,endLine=3,title=tollgate/rollback-procedure (medium)::has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a <b> @all `c`, 100%25::x%0Awrite a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ::warning file=db/migrations/3_mixed/migration.sql,line=1,endLine=1,col=1,endColumn=34,title=destructive/unique-on-existing-data (medium)::adds the unique index (a) to kept, which fails where rows share their values%0Afind and merge the duplicates first
    ::warning file=db/migrations/3_mixed/migration.sql,line=4,endLine=4,col=19,endColumn=34,title=tollgate/rollback-procedure (medium)::has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü%0Awrite a down.sql, or say in the file how it is taken back: `-- rollback: …`
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

    4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments
    "#);
}

#[test]
fn markdown_cannot_be_written_by_a_script() {
    let ended = report(&project(), "markdown").to_string();
    assert_snapshot!(ended.replace('\u{200b}', "[nothing]"), @r#"
    exit status 3
    --- stdout
    ### Migrations: blocked

    | checked | blocking | warnings | notes | allowed | approved |
    | ---: | ---: | ---: | ---: | ---: | ---: |
    | 4 | 1 | 3 | 0 | 1 | 0 |

    #### `2_drop`

    **high, blocks** `destructive/drop-table` drops the table a &lt;b&gt; @[nothing]all \`c\`, 100%::x with all its rows
    `db/migrations/2_drop/migration.sql:2`

    ```sql
    DROP
      TABLE "a <b> @all `c`, 100%::x"
    ```

    > rename the table first and drop it later, or keep a copy of its rows

    **medium** `tollgate/rollback-procedure` has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a &lt;b&gt; @[nothing]all \`c\`, 100%::x
    `db/migrations/2_drop/migration.sql:2`

    ```sql
    DROP
      TABLE "a <b> @all `c`, 100%::x"
    ```

    > write a down.sql, or say in the file how it is taken back: \`-- rollback: …\`

    #### `3_mixed`

    **medium** `destructive/unique-on-existing-data` adds the unique index (a) to kept, which fails where rows share their values
    `db/migrations/3_mixed/migration.sql:1`

    ```sql
    CREATE UNIQUE INDEX u ON kept (a)
    ```

    > find and merge the duplicates first

    **medium** `tollgate/rollback-procedure` has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü
    `db/migrations/3_mixed/migration.sql:4`

    ```sql
    ALTER TABLE "old" DROP COLUMN "ü"
    ```

    > write a down.sql, or say in the file how it is taken back: \`-- rollback: …\`

    <details><summary>Allowed in the scripts, or approved</summary>

    - `3_mixed` `destructive/drop-column` drops the column old.ü with all its values; allowed in the script: nobody reads it; see \#12 &lt;x&gt;

    </details>
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

    4 migrations checked: 1 blocking, 3 warnings, 1 allowed by comments
    "#);
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
