//! The forms of report: what is in each, and that it follows its schema.

use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::reports::{assert_valid, project, report, sarif_schema, shared, with_findings};

#[test]
fn sarif_follows_the_standard() {
    let log: Value = serde_json::from_str(&with_findings("sarif")).unwrap();
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
    let report = with_findings("gitlab");
    let schema = serde_json::from_str(&std::fs::read_to_string(shared("gitlab-code-quality.json")).unwrap()).unwrap();
    let issues: Value = serde_json::from_str(&report).unwrap();
    assert_valid(&schema, &issues);
    let mut wrong = issues.clone();
    wrong[0]["severity"] = "terrible".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
    assert_snapshot!(report, @r#"
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
    assert_snapshot!(with_findings("github"), @r#"
    ::error file=db/migrations/2_drop/migration.sql,line=2,endLine=3,title=destructive/drop-table (high)::drops the table a <b> @all `c`, 100%25::x with all its rows%0Arename the table first and drop it later, or keep a copy of its rows
    ::warning file=db/migrations/2_drop/migration.sql,line=2,endLine=3,title=tollgate/rollback-procedure (medium)::has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of a <b> @all `c`, 100%25::x%0Awrite a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ::warning file=db/migrations/3_mixed/migration.sql,line=1,endLine=1,col=1,endColumn=34,title=destructive/unique-on-existing-data (medium)::adds the unique index (a) to kept, which fails where rows share their values%0Afind and merge the duplicates first
    ::warning file=db/migrations/3_mixed/migration.sql,line=4,endLine=4,col=19,endColumn=34,title=tollgate/rollback-procedure (medium)::has no way back from what destructive/drop-column reports: there is no down.sql, and the generated rollback does not bring back the values of old.ü%0Awrite a down.sql, or say in the file how it is taken back: `-- rollback: …`
    "#);
}

#[test]
fn markdown_cannot_be_written_by_a_script() {
    let report = with_findings("markdown");
    assert_snapshot!(report.replace('\u{200b}', "[nothing]"), @r#"
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
    "#);
}
