#![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

use std::fs;

use proptest::prelude::*;
use tollgate_host::types::{Edit, Finding, Severity, Suggestion};
use tollgate_sql::{Dialect, Operation, Span};

use super::*;
use crate::policy::{JudgedFinding, Judgement};
use crate::suppress;

/// What the policy of these tests replaces: rule, word, the better one.
const WORDS: [(&str, &str, &str); 8] = [
    ("no-bad", "bad", "good"),
    ("no-worst", "worst", "bad"),
    ("stuck", "stuck", "stuck2"),
    ("unreadable", "unreadable", "'"),
    ("left", "abc", "x"),
    ("right", "bcd", "y"),
    ("ping", "ping", "pong"),
    ("pong", "pong", "ping"),
];

fn finding(rule: &str, severity: Severity, statement: Option<usize>) -> Finding {
    Finding {
        statement,
        ..Finding::new(rule, severity, format!("{rule} says so"))
    }
}

fn suggestion(title: &str, automatic: bool, start: usize, end: usize, text: &str) -> Suggestion {
    Suggestion {
        title: title.to_owned(),
        edits: vec![Edit {
            span: Span::new(start, end),
            text: text.to_owned(),
        }],
        automatic,
    }
}

/// Words to replace, indexes to build concurrently, checks to add NOT VALID, and files to split.
fn findings(text: &str) -> Vec<Finding> {
    let script = tollgate_sql::parse(Dialect::Postgres, text).unwrap();
    let mut found = Vec::new();
    for (rule, word, better) in WORDS {
        for (at, _) in text.match_indices(word) {
            let inside = |one: &tollgate_sql::Statement| one.span.start <= at && at < one.span.end;
            let Some(statement) = script.statements.iter().position(inside) else {
                continue;
            };
            let mut one = finding(rule, Severity::Medium, Some(statement));
            one.suggestions
                .push(suggestion(better, true, at, at + word.len(), better));
            found.push(one);
        }
    }
    for statement in &script.statements {
        let written = statement.span.of(text);
        match &statement.effects.first().map(|effect| &effect.operation) {
            Some(Operation::CreateIndex(index)) if !index.concurrently => {
                let at = statement.span.start + written.find("INDEX").unwrap() + 5;
                let mut one = finding("concurrent", Severity::Medium, Some(statement.index));
                one.suggestions
                    .push(suggestion("concurrently", true, at, at, " CONCURRENTLY"));
                found.push(one);
            }
            Some(Operation::AddConstraint { constraint, .. }) if !constraint.not_valid => {
                let name = constraint.name.clone().unwrap();
                let mut one = finding("not-valid", Severity::Medium, Some(statement.index));
                one.suggestions.push(suggestion(
                    "not valid",
                    true,
                    statement.span.end,
                    statement.span.end,
                    " NOT VALID",
                ));
                let following = format!("ALTER TABLE t VALIDATE CONSTRAINT {name};\n");
                one.properties.push((FOLLOWING.to_owned(), following));
                found.push(one);
            }
            _ => {}
        }
    }
    found.extend(split(text, &script));
    found
}

/// The first statement that cannot run in a transaction, when there are others: cut before it, or behind it.
fn split(text: &str, script: &tollgate_sql::Script) -> Option<Finding> {
    let alone = script.statements.iter().find(|statement| !statement.transactional)?;
    if script.statements.len() == 1 {
        return None;
    }
    let last_kept = &script.statements[alone.index.saturating_sub(1)];
    let cut = last_kept.span.end + text[last_kept.span.end..].find(';').map_or(0, |at| at + 1);
    let mut one = finding("split", Severity::Medium, Some(alone.index));
    let control = |effect: &tollgate_sql::Effect| matches!(effect.operation, Operation::Transaction(_));
    if script
        .statements
        .iter()
        .any(|statement| statement.effects.iter().any(control))
    {
        return Some(one);
    }
    one.suggestions.push(suggestion("split", false, cut, text.len(), "\n"));
    one.properties
        .push((FOLLOWING.to_owned(), format!("{}\n", text[cut..].trim())));
    Some(one)
}

fn judge(folder: &Folder, names: &BTreeSet<String>) -> Vec<CheckedMigration> {
    let judged = names.iter().map(|name| {
        let text = &folder.find(name).unwrap().text;
        let script = tollgate_sql::parse(Dialect::Postgres, text).unwrap();
        let suppressions = suppress::read(&script).unwrap();
        let weighed = findings(text).into_iter().map(|finding| JudgedFinding {
            plugin: "test".to_owned(),
            blocking: false,
            allowed: suppressions
                .iter()
                .any(|one| {
                    one.rules.iter().any(|rule| rule.means("test", &finding.rule)) && one.reaches(finding.statement)
                })
                .then(|| "meant".to_owned()),
            enforced_by: None,
            approved: None,
            finding,
        });
        CheckedMigration {
            name: name.clone(),
            judgement: Judgement {
                findings: weighed.collect(),
                ..Judgement::default()
            },
        }
    });
    judged.collect()
}

fn folder(scripts: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("migration.sql"), text).unwrap();
    }
    let folder = Folder::read(dir.path()).unwrap();
    (dir, folder)
}

fn fixed(folder: &Folder, manual: bool) -> FixReport {
    let fixer = Fixer {
        folder,
        context: &Context::new(Dialect::Postgres),
        approvals: &[],
        manual,
        judge: &|folder, names| Ok(judge(folder, names)),
    };
    let names = folder.migrations.iter().map(|file| file.name.clone());
    fixer.run(&names.filter(|name| name != "0_before").collect()).unwrap()
}

const BEFORE: &str = "CREATE TABLE t (a int, b int);";

/// Every script that a fix makes of one, or why there is none.
fn parts(script: &str) -> Result<Vec<String>, String> {
    let (_dir, folder) = folder(&[("0_before", BEFORE), ("20260901120000_a", script)]);
    let mut report = fixed(&folder, false);
    match (report.fixed.pop(), report.refused.pop()) {
        (_, Some(refused)) => Err(refused.why),
        (Some(fixed), None) => {
            let following = fixed.following.into_iter().map(|following| following.text);
            Ok(std::iter::once(fixed.after).chain(following).collect())
        }
        (None, None) => Ok(Vec::new()),
    }
}

#[test]
fn fixes_by_table() {
    let table: [(&str, &[&str]); 10] = [
        ("SELECT 'fine';", &[]),
        ("SELECT 'bad', 'ok', 'bad';", &["SELECT 'good', 'ok', 'good';"]),
        ("SELECT 'worst';\r\n", &["SELECT 'good';\r\n"]),
        ("SELECT 'abcd';", &["SELECT 'xd';"]),
        ("CREATE INDEX i ON t (a);", &["CREATE INDEX CONCURRENTLY i ON t (a);"]),
        (
            "UPDATE t SET a = 1;\nCREATE INDEX i ON t (a);",
            &["UPDATE t SET a = 1;\n", "CREATE INDEX CONCURRENTLY i ON t (a);\n"],
        ),
        (
            "CREATE INDEX i ON t (a);\nUPDATE t SET a = 1;\nCREATE INDEX j ON t (b);",
            &[
                "CREATE INDEX CONCURRENTLY i ON t (a);\n",
                "UPDATE t SET a = 1;\n",
                "CREATE INDEX CONCURRENTLY j ON t (b);\n",
            ],
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\nALTER TABLE t ADD CONSTRAINT d CHECK (b > 0);\n",
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\nALTER TABLE t ADD CONSTRAINT d CHECK (b > 0) NOT VALID;\n",
                "ALTER TABLE t VALIDATE CONSTRAINT c;\nALTER TABLE t VALIDATE CONSTRAINT d;\n",
            ],
        ),
        (
            "CREATE INDEX i ON t (a);\r\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\r\n",
            &[
                "CREATE INDEX CONCURRENTLY i ON t (a);\r\n",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\r\n",
                "ALTER TABLE t VALIDATE CONSTRAINT c;\r\n",
            ],
        ),
        (
            "-- tollgate:allow no-bad -- meant\nSELECT 'bad';\nSELECT 'bad too';",
            &["-- tollgate:allow no-bad -- meant\nSELECT 'bad';\nSELECT 'good too';"],
        ),
    ];
    for (script, expected) in table {
        assert_eq!(parts(script).unwrap(), expected, "{script}");
    }
}

#[test]
fn refusals_by_table() {
    for (script, why) in [
        (
            "SELECT 'bad', 'stuck';",
            "test::stuck still reports what its fix has made",
        ),
        ("SELECT 'ping';", "its fixes go round in circles"),
        (
            "SELECT 'unreadable';",
            "the fixed SQL cannot be read: unterminated quoted string at or near \"''';\"",
        ),
        (
            "BEGIN; CREATE INDEX i ON t (a); COMMIT;",
            "the fixed SQL would have another problem, test::split: split says so",
        ),
        (
            "SET search_path = app; CREATE INDEX i ON t (a);",
            "the statements would not make the same schema in several migrations",
        ),
    ] {
        assert_eq!(parts(script).unwrap_err(), why, "{script}");
    }
}

#[test]
fn a_way_back_is_not_split() {
    let (dir, _) = folder(&[
        ("0_before", BEFORE),
        ("1_a", "SELECT 1; CREATE INDEX i ON t (a);"),
        ("2_b", "CREATE INDEX j ON t (b);"),
    ]);
    for name in ["1_a", "2_b"] {
        fs::write(dir.path().join(name).join("down.sql"), "DROP INDEX i;").unwrap();
    }
    let report = fixed(&Folder::read(dir.path()).unwrap(), false);
    assert_eq!(report.refused.len(), 1);
    assert!(report.refused[0].why.contains("down.sql"), "{}", report.refused[0].why);
    assert_eq!(report.refused[0].tried.len(), 1);
    let names: Vec<_> = report.fixed.iter().map(|fixed| fixed.name.as_str()).collect();
    assert_eq!(names, ["2_b"]);
}

#[test]
fn each_migration_is_fixed_for_itself() {
    let (_dir, folder) = folder(&[
        ("0_before", BEFORE),
        ("1_a", "SELECT 'stuck';"),
        ("1_b", "SELECT 'bad'; CREATE INDEX i ON t (a);"),
        ("1_c", "SELECT 'bad';"),
    ]);
    let report = fixed(&folder, false);
    assert_eq!(report.refused[0].migration, "1_a");
    assert_eq!(report.fixed[0].following[0].name, "1_b_2");
    assert_eq!(report.fixed[1].after, "SELECT 'good';");
    let titles: Vec<_> = report.fixed[0].fixes.iter().map(|fix| fix.title.as_str()).collect();
    assert_eq!(titles, ["good", "concurrently", "split"]);
}

/// What one migration makes differs once it is fixed, and the next is split in the same round all the same.
#[test]
fn others_may_change_meanwhile() {
    let (_dir, folder) = folder(&[
        ("0_before", BEFORE),
        ("1_a", "ALTER TABLE t ADD COLUMN bad int;"),
        ("1_b", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);"),
    ]);
    let report = fixed(&folder, false);
    assert_eq!(report.fixed[0].after, "ALTER TABLE t ADD COLUMN good int;");
    assert_eq!(report.fixed[1].following.len(), 1);
}

#[test]
fn manual_suggestions_are_followed_on_request() {
    let (_dir, folder) = folder(&[
        ("0_before", BEFORE),
        ("1_a", "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a);"),
    ]);
    assert!(fixed(&folder, false).fixed.is_empty());
    let report = fixed(&folder, true);
    assert_eq!(report.fixed[0].after, "SELECT 1;\n");
    assert_eq!(
        report.fixed[0].following[0].text,
        "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    );
}

#[test]
fn what_is_not_text_is_left_alone() {
    let (dir, _) = folder(&[("1_a", "SELECT 'bad';")]);
    fs::write(dir.path().join("1_a/migration.sql"), b"SELECT 'bad \xff';").unwrap();
    let report = fixed(&Folder::read(dir.path()).unwrap(), false);
    assert_eq!(report.refused[0].why, "the file is not valid UTF-8");
}

/// A script of some of these statements, with comments and line ends between them.
fn scripts() -> impl Strategy<Value = String> {
    let statements = prop::sample::select(vec![
        "SELECT 'bad'",
        "SELECT 'worst', 'abcd'",
        "UPDATE t SET a = 1 WHERE b > 2",
        "CREATE INDEX ON t (a)",
        "CREATE UNIQUE INDEX ON t (a, b)",
        "COMMENT ON TABLE t IS 'fine'",
        "INSERT INTO t VALUES (1, 2)",
    ]);
    let between = prop::sample::select(vec![";\n", ";\r\n", "; -- why\n", ";\n\n/* how */ ", " ;"]);
    prop::collection::vec((statements, between), 1..7).prop_map(|parts| {
        parts
            .into_iter()
            .flat_map(|(statement, between)| [statement, between])
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is made of a script, it can be read, nothing in it is reported any more, and it holds the statements of
    /// before in their order.
    #[test]
    fn nothing_is_lost(script in scripts()) {
        let after = match parts(&script) {
            Ok(parts) if parts.is_empty() => vec![script.clone()],
            Ok(parts) => parts,
            Err(why) => return Err(TestCaseError::fail(format!("{script}: {why}"))),
        };
        for part in &after {
            prop_assert!(findings(part).is_empty(), "{}", part);
        }
        let words = |text: &str| -> String {
            let plain = text.replace("worst", "bad").replace("bad", "good").replace("abcd", "xd");
            plain.replace(" CONCURRENTLY", "").split_whitespace().collect()
        };
        prop_assert_eq!(words(&after.join("\n")), words(&script));
    }
}
