//! Known findings: what was there when a project began to be checked. A committed file names them, and `check` reports
//! only what is not in it.
//!
//! An entry is bound to the text of its migration: editing the file voids all of its entries. The line endings of a
//! checkout are no edit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use tollgate_database::ledger;
use tollgate_sql::{Dialect, Position, Script, Span};

use crate::check::{CheckReport, CheckedMigration};
use crate::deploy::excerpt;
use crate::folder::MigrationFile;
use crate::policy::JudgedFinding;

/// The file's name where configuration gives no other: it lies beside the folder of migrations.
pub const FILE_NAME: &str = "check-baseline.toml";

/// The findings that a file names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFindings {
    #[serde(default, rename = "migration")]
    migrations: Vec<KnownMigration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownMigration {
    name: String,
    checksum: String,
    findings: Vec<KnownFinding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFinding {
    /// `PLUGIN/RULE`
    rule: String,
    /// Fingerprint of the statement; none for a finding about the whole file.
    statement: Option<String>,
    /// The statement's beginning, for people. It is written as a comment and never read.
    #[serde(skip)]
    excerpt: Option<String>,
}

/// A file of known findings that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KnownError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// An entry that matches nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleEntry {
    /// The migration that it names.
    pub migration: String,
    /// What it is about, as `PLUGIN/RULE`; `None`: all entries of the migration.
    pub rule: Option<String>,
    /// Why it matches nothing.
    pub why: Stale,
}

/// Why an entry matches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// There is no such migration any more.
    NoMigration,
    /// The migration has been edited since.
    Edited,
    /// It is not found any more.
    NotFound,
    /// The rule is enforced: nothing of it is let pass as known.
    Enforced,
}

/// What became of the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subtraction {
    /// Findings that are not reported.
    pub known: usize,
    /// Entries that match nothing.
    pub stale: Vec<StaleEntry>,
}

/// Rules of which nothing is let pass as known: policy and rule.
pub type EnforcedRules = BTreeSet<(String, String)>;

/// A migration that was judged, with its file.
struct Judged<'a> {
    file: &'a MigrationFile,
    script: Option<Script>,
}

impl<'a> Judged<'a> {
    fn new(file: &'a MigrationFile, dialect: Dialect) -> Self {
        Self {
            // It has been parsed before, without an error.
            script: tollgate_sql::parse(dialect, &file.text).ok(),
            file,
        }
    }

    fn statement(&self, judged: &JudgedFinding) -> Option<&str> {
        let script = self.script.as_ref()?;
        let statement = script.statements.get(judged.finding.statement?)?;
        Some(statement.span.of(&self.file.text))
    }

    fn is_about(&self, judged: &JudgedFinding, known: &KnownFinding) -> bool {
        let statement = match (&known.statement, self.statement(judged)) {
            (Some(known), Some(statement)) => is_fingerprint(known, statement),
            (None, None) => true,
            _ => false,
        };
        statement && known.rule == name(judged)
    }

    fn entry(&self, judged: &JudgedFinding) -> KnownFinding {
        let statement = self.statement(judged);
        KnownFinding {
            rule: name(judged),
            statement: statement.map(fingerprint),
            excerpt: statement.map(excerpt),
        }
    }
}

/// `PLUGIN/RULE`
fn name(judged: &JudgedFinding) -> String {
    format!("{}/{}", judged.plugin, judged.finding.rule)
}

/// Enough of a statement's checksum to tell it from others of its file. White space counts: the file's checksum covers
/// it anyway.
fn fingerprint(statement: &str) -> String {
    ledger::checksum(statement.as_bytes())[..16].to_owned()
}

/// Whether it is the fingerprint of this statement, whatever line endings that had in the checkout where it was written.
fn is_fingerprint(stored: &str, statement: &str) -> bool {
    let unix = statement.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [statement, &unix, &windows]
        .iter()
        .any(|text| fingerprint(text) == stored)
}

impl KnownFindings {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`KnownError`] where it is not what [`Self::to_toml`] writes.
    pub fn parse(text: &str) -> Result<Self, KnownError> {
        toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            KnownError {
                message: error.message().lines().next().unwrap_or_default().to_owned(),
                span: Span::new(span.start, span.end),
            }
        })
    }

    /// Everything of a report that is neither allowed nor enforced.
    pub fn of<'a>(
        report: &CheckReport,
        dialect: Dialect,
        enforced: &EnforcedRules,
        file: impl Fn(&str) -> Option<&'a MigrationFile>,
    ) -> Self {
        let known = |migration: &CheckedMigration| {
            let judged = Judged::new(file(&migration.name)?, dialect);
            let findings = migration.judgement.findings.iter();
            let findings: Vec<_> = findings
                .filter(|finding| finding.allowed.is_none() && !is_enforced(enforced, finding))
                .map(|finding| judged.entry(finding))
                .collect();
            (!findings.is_empty()).then(|| KnownMigration {
                name: migration.name.clone(),
                checksum: judged.file.checksum.clone(),
                findings,
            })
        };
        let found = report
            .migrations
            .iter()
            .filter(|migration| !migration.judgement.findings.is_empty());
        Self {
            migrations: found.filter_map(known).collect(),
        }
    }

    /// The migrations that it names something of.
    pub fn migrations(&self) -> impl Iterator<Item = &str> {
        self.migrations.iter().map(|migration| migration.name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.migrations.iter().map(|migration| migration.findings.len()).sum()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a file that names them.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text =
            "# Findings that were there when this file was written: `tollgate check` does not report them again.\n\
                        # `tollgate check --write-baseline` writes it anew.\n"
                .to_owned();
        for migration in &self.migrations {
            let _ = writeln!(
                text,
                "\n[[migration]]\nname = {}\nchecksum = {}\nfindings = [",
                quoted(&migration.name),
                quoted(&migration.checksum)
            );
            for finding in &migration.findings {
                let statement = finding
                    .statement
                    .as_ref()
                    .map_or_else(String::new, |statement| format!(", statement = {}", quoted(statement)));
                let excerpt = finding
                    .excerpt
                    .as_ref()
                    .map_or_else(String::new, |excerpt| format!(" # {}", printable(excerpt)));
                let _ = writeln!(text, "    {{ rule = {}{statement} }},{excerpt}", quoted(&finding.rule));
            }
            text.push_str("]\n");
        }
        text
    }

    /// Takes what is known out of a report. `complete` says that every migration of the folder was judged, so that an
    /// entry of another one is of no use.
    pub fn subtract<'a>(
        &self,
        report: &mut CheckReport,
        dialect: Dialect,
        enforced: &EnforcedRules,
        complete: bool,
        file: impl Fn(&str) -> Option<&'a MigrationFile>,
    ) -> Subtraction {
        let mut subtraction = Subtraction::default();
        let mut judged: BTreeMap<String, &mut CheckedMigration> = report
            .migrations
            .iter_mut()
            .map(|migration| (migration.name.clone(), migration))
            .collect();
        for known in &self.migrations {
            let stale = |why| StaleEntry {
                migration: known.name.clone(),
                rule: None,
                why,
            };
            match (judged.get_mut(&known.name), file(&known.name)) {
                (Some(_), Some(file)) if file.is_edited_since(&known.checksum) => {
                    subtraction.stale.push(stale(Stale::Edited));
                }
                (Some(migration), Some(file)) => {
                    known.subtract(migration, file, dialect, enforced, &mut subtraction);
                }
                _ if complete => subtraction.stale.push(stale(Stale::NoMigration)),
                _ => {}
            }
        }
        subtraction
    }
}

impl KnownMigration {
    fn subtract(
        &self,
        migration: &mut CheckedMigration,
        file: &MigrationFile,
        dialect: Dialect,
        enforced: &EnforcedRules,
        subtraction: &mut Subtraction,
    ) {
        let judged = Judged::new(file, dialect);
        for known in &self.findings {
            let findings = &mut migration.judgement.findings;
            let is_it = |finding: &JudgedFinding| finding.allowed.is_none() && judged.is_about(finding, known);
            let position = findings.iter().position(is_it);
            let why = match position {
                Some(position) if is_enforced(enforced, &findings[position]) => Stale::Enforced,
                Some(position) => {
                    findings.remove(position);
                    subtraction.known += 1;
                    continue;
                }
                None => Stale::NotFound,
            };
            subtraction.stale.push(StaleEntry {
                migration: self.name.clone(),
                rule: Some(known.rule.clone()),
                why,
            });
        }
    }
}

fn is_enforced(enforced: &EnforcedRules, judged: &JudgedFinding) -> bool {
    enforced.contains(&(judged.plugin.clone(), judged.finding.rule.clone()))
}

/// A comment of TOML holds no control characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl KnownError {
    /// Where it is in the file.
    pub fn position(&self, text: &str) -> Position {
        Position::of(text, self.span.start)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::path::PathBuf;

    use tollgate_host::types::{Finding, Severity};

    use super::*;
    use crate::policy::Judgement;

    fn file(name: &str, text: &str) -> MigrationFile {
        MigrationFile::of_bytes(name.to_owned(), PathBuf::from(name), text.as_bytes().to_vec())
    }

    fn judged(rule: &str, statement: Option<usize>, allowed: bool) -> JudgedFinding {
        JudgedFinding {
            plugin: "p".to_owned(),
            finding: Finding {
                statement,
                ..Finding::new(rule, Severity::High, "")
            },
            blocking: !allowed,
            approved: None,
            allowed: allowed.then(|| "meant".to_owned()),
            enforced_by: None,
        }
    }

    fn report(name: &str, findings: Vec<JudgedFinding>) -> CheckReport {
        CheckReport {
            migrations: vec![CheckedMigration {
                name: name.to_owned(),
                judgement: Judgement {
                    findings,
                    ..Judgement::default()
                },
            }],
        }
    }

    /// How many stay, how many were known, and what is stale.
    fn subtract(
        known: &KnownFindings,
        mut report: CheckReport,
        file: &MigrationFile,
        complete: bool,
    ) -> (usize, usize, Vec<(Option<String>, Stale)>) {
        let enforced = [("p".to_owned(), "strict".to_owned())].into();
        let found = |name: &str| (name == file.name).then_some(file);
        let done = known.subtract(&mut report, Dialect::Sqlite, &enforced, complete, found);
        let left = report
            .migrations
            .iter()
            .map(|migration| migration.judgement.findings.len())
            .sum();
        (
            left,
            done.known,
            done.stale.into_iter().map(|stale| (stale.rule, stale.why)).collect(),
        )
    }

    #[test]
    fn what_is_written_is_known_until_the_file_is_edited() {
        let one = file("1_a", "DROP TABLE a;\nDROP TABLE \"b\tc\";\n");
        let found = || {
            vec![
                judged("drop", Some(0), false),
                judged("drop", Some(0), false),
                judged("drop", Some(1), false),
                judged("name", None, false),
            ]
        };
        let mut all = found();
        all.extend([judged("ok", Some(1), true), judged("strict", Some(0), false)]);
        let enforced = [("p".to_owned(), "strict".to_owned())].into();
        let known = KnownFindings::of(&report("1_a", all), Dialect::Sqlite, &enforced, |_| Some(&one));
        let text = known.to_toml();
        assert_eq!(known.len(), 4, "{text}");
        let read = KnownFindings::parse(&text).unwrap();
        assert_eq!(
            read.to_toml(),
            text.lines()
                .map(|line| format!("{}\n", line.split(" # ").next().unwrap()))
                .collect::<String>()
        );

        assert_eq!(subtract(&read, report("1_a", found()), &one, true), (0, 4, vec![]));
        // A third finding of the same kind is new; one that is mended leaves an entry without a use.
        let mut more = found();
        more.push(judged("drop", Some(0), false));
        assert_eq!(subtract(&read, report("1_a", more), &one, true), (1, 4, vec![]));
        let mended = found()[1..].to_vec();
        let left = vec![(Some("p/drop".to_owned()), Stale::NotFound)];
        assert_eq!(subtract(&read, report("1_a", mended), &one, true), (0, 3, left));

        let edited = file("1_a", "DROP TABLE a;\nDROP TABLE \"b\tc\"; \n");
        assert_eq!(
            subtract(&read, report("1_a", found()), &edited, true),
            (4, 0, vec![(None, Stale::Edited)])
        );
    }

    #[test]
    fn line_endings_of_a_checkout_are_no_edit() {
        let unix = "DROP TABLE\n    a;\nDROP TABLE b;\n";
        let windows = unix.replace('\n', "\r\n");
        let found = || vec![judged("drop", Some(0), false), judged("drop", Some(1), false)];
        for (was, is) in [(unix, windows.as_str()), (&windows, unix)] {
            let (was, is) = (file("1_a", was), file("1_a", is));
            let none = EnforcedRules::new();
            let known = KnownFindings::of(&report("1_a", found()), Dialect::Sqlite, &none, |_| Some(&was));
            assert_eq!(subtract(&known, report("1_a", found()), &is, true), (0, 2, vec![]));
        }
    }

    #[test]
    fn entries_of_migrations_that_were_not_judged_are_left_alone() {
        let two = file("2_b", "SELECT 1;");
        let known =
            KnownFindings::parse("[[migration]]\nname = \"1_a\"\nchecksum = \"x\"\nfindings = [{ rule = \"p/q\" }]")
                .unwrap();
        assert_eq!(subtract(&known, report("2_b", vec![]), &two, false), (0, 0, vec![]));
        assert_eq!(
            subtract(&known, report("2_b", vec![]), &two, true),
            (0, 0, vec![(None, Stale::NoMigration)])
        );
    }

    #[test]
    fn nothing_of_an_enforced_rule_is_known() {
        let one = file("1_a", "SELECT 1;");
        let text = format!(
            "[[migration]]\nname = \"1_a\"\nchecksum = \"{}\"\nfindings = [{{ rule = \"p/strict\" }}]",
            one.checksum
        );
        let known = KnownFindings::parse(&text).unwrap();
        let stale = vec![(Some("p/strict".to_owned()), Stale::Enforced)];
        assert_eq!(
            subtract(&known, report("1_a", vec![judged("strict", None, false)]), &one, true),
            (1, 0, stale)
        );
    }

    #[test]
    fn a_mistake_in_the_file_has_a_place() {
        let text = "[[migration]]\nname = \"1_a\"\nchecksum = 3\n";
        let error = KnownFindings::parse(text).unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.position(text).line),
            ("invalid type: integer `3`, expected a string", 3)
        );
    }
}
