//! What the policies said, as reports for other programs want it.

use tollgate_engine::host::types::Rule;
use tollgate_engine::sql::{Dialect, Script, Span, parse};
use tollgate_engine::{CheckedMigration, Folder, JudgedFinding, MigrationFile, Policy};

use super::findings::{Counts, severity};
use crate::output::reports::{
    Entry, Excuse, Fix, Item, Lines, Replacement, Root, RuleInfo, Sheet, Trouble, fingerprints,
};

/// Everything that was said of these migrations of a folder, and the rules that were asked.
pub fn sheet(
    folder: &Folder,
    dialect: Dialect,
    migrations: &[CheckedMigration],
    policies: &[Policy],
    counts: Counts,
) -> Sheet {
    let root = Root::here();
    let read = migrations.iter().filter_map(|migration| {
        let file = folder.find(&migration.name)?;
        Some(entry(&root, file, dialect, migration))
    });
    // The engine's own rules are not asked for: they are few, and a report may name one that is off.
    let engine = rules(
        tollgate_engine::rules::NAME,
        &tollgate_engine::rules::description().rules,
        |_| true,
    );
    Sheet {
        entries: read.collect(),
        rules: engine.into_iter().chain(policies.iter().flat_map(asked)).collect(),
        counts,
    }
}

/// The rules of a policy that are switched on.
fn asked(policy: &Policy) -> Vec<RuleInfo> {
    let asked = policy.rules();
    rules(policy.plugin.name(), &policy.plugin.description().rules, |rule| {
        asked.contains(&rule.id)
    })
}

fn rules(plugin: &str, rules: &[Rule], wanted: impl Fn(&Rule) -> bool) -> Vec<RuleInfo> {
    rules
        .iter()
        .filter(|rule| wanted(rule))
        .map(|rule| RuleInfo {
            plugin: plugin.to_owned(),
            id: rule.id.clone(),
            summary: rule.summary.clone(),
            explanation: rule.explanation.clone(),
            severity: severity(rule.default_severity),
        })
        .collect()
}

/// Why a finding may pass, if it may.
fn excuse(judged: &JudgedFinding) -> Option<Excuse> {
    let approved = judged.approved.as_ref().map(|approval| Excuse::Approval {
        by: approval.by.clone(),
        reason: approval.reason.clone(),
    });
    approved.or_else(|| judged.allowed.clone().map(Excuse::Comment))
}

fn entry(root: &Root, file: &MigrationFile, dialect: Dialect, migration: &CheckedMigration) -> Entry {
    let reader = Reader {
        lines: Lines::new(&file.text),
        text: &file.text,
        // It has been parsed before, without an error; without findings nobody asks again.
        script: (!migration.judgement.findings.is_empty())
            .then(|| parse(dialect, &file.text).ok())
            .flatten(),
    };
    let troubles = migration.judgement.failures.iter().map(|failure| Trouble {
        plugin: failure.plugin.clone(),
        kind: failure.kind.clone(),
        message: failure.message.clone(),
        blocking: failure.blocking,
    });
    let mut entry = Entry {
        migration: migration.name.clone(),
        file: root.name(&file.path),
        items: migration
            .judgement
            .findings
            .iter()
            .map(|judged| reader.item(judged))
            .collect(),
        troubles: troubles.collect(),
    };
    fingerprints(&mut entry);
    entry
}

/// A script, for finding places in it.
struct Reader<'a> {
    lines: Lines<'a>,
    text: &'a str,
    script: Option<Script>,
}

impl Reader<'_> {
    fn item(&self, judged: &JudgedFinding) -> Item {
        let finding = &judged.finding;
        let statement = finding
            .statement
            .and_then(|index| Some(self.script.as_ref()?.statements.get(index)?.span));
        let span = finding.span.or(statement).unwrap_or(Span::new(0, 0));
        let text = statement.and_then(|span| self.text.get(span.start..span.end));
        let labels = finding.labels.iter();
        Item {
            plugin: judged.plugin.clone(),
            rule: finding.rule.clone(),
            severity: severity(finding.severity),
            message: finding.message.clone(),
            help: finding.help.clone(),
            blocking: judged.blocking,
            excuse: excuse(judged),
            region: self.lines.region(span.start..span.end),
            statement: text.unwrap_or_default().to_owned(),
            labels: labels
                .map(|label| (self.lines.region(label.span.start..label.span.end), label.text.clone()))
                .collect(),
            fixes: finding
                .suggestions
                .iter()
                .map(|suggestion| self.fix(suggestion))
                .collect(),
            fingerprint: String::new(),
        }
    }

    fn fix(&self, suggestion: &tollgate_engine::host::types::Suggestion) -> Fix {
        let edits = suggestion.edits.iter();
        Fix {
            title: suggestion.title.clone(),
            replacements: edits
                .map(|edit| Replacement {
                    region: self.lines.region(edit.span.start..edit.span.end),
                    text: edit.text.clone(),
                })
                .collect(),
        }
    }
}
