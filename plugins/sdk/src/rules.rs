//! Policies made of rules: one constant a rule that holds its texts, its examples and its check.
//!
//! ```
//! use tollgate_plugin::rules::{self, Context, Findings, Rule};
//! use tollgate_plugin::{Dialect, Operation, Severity};
//!
//! pub const TRUNCATE: Rule = Rule {
//!     id: "truncate",
//!     summary: "TRUNCATE empties a table",
//!     severity: Severity::High,
//!     dialects: &[Dialect::Postgres],
//!     explanation: "**What it does.** …\n\n**Instead.** …",
//!     bad: "TRUNCATE users;",
//!     good: "DELETE FROM users WHERE deleted_at < now() - interval '1 year';",
//!     check,
//!     ..Rule::DEFAULT
//! };
//!
//! fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
//!     for step in context.steps() {
//!         if let Operation::Truncate(truncation) = &step.effect.operation {
//!             findings.report(&step, format!("empties {}", truncation.table)).help("delete what has to go, by condition");
//!         }
//!     }
//! }
//!
//! /// The policy: `Policy::describe` lists it with `Description::rules`, `Policy::check` runs it with `rules::check`.
//! pub const RULES: &[Rule] = &[TRUNCATE];
//! ```
//!
//! The examples are documentation and tests at once: `testing::assert_examples` runs them.

mod context;
mod dependents;
mod history;
pub mod rebuild;
pub mod tokens;
pub mod words;

pub use context::{Context, Step, thousands};

use crate::catalog::Catalog;
use crate::contract::{Dialect, Finding, RuleDescription, Severity, Span};
use crate::migration::Migration;
use crate::request::PolicyRequest;

/// Every server whose migrations can be read.
pub const ALL_DIALECTS: &[Dialect] = &[Dialect::Postgres, Dialect::Sqlite, Dialect::Mysql];

/// The line in an example between the schema that it starts from and the migration. The migration's name may follow the
/// word, where it matters: `-- migration 20260901120000_add_users`.
pub const EXAMPLE_SEPARATOR: &str = "-- migration";

/// One rule: what it says about itself and how it judges.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Kebab-case, unique within the plugin.
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Level where neither the configuration nor the check says another.
    pub severity: Severity,
    /// Runs where the configuration says nothing.
    pub enabled: bool,
    /// Reports nothing unless a database is connected: it asks for sizes, rows, nulls.
    pub needs_database: bool,
    /// Operations without which it finds nothing, named as in the contract: `create-index`, `drop`, `table-rebuild`; those
    /// without a case of their own by their tag: `vacuum`. The engine does not ask where a script has none of them (and no SQL that is made
    /// at run time). Empty: any script may be at fault. Native tests fail where a finding would be lost.
    pub triggers: &'static [&'static str],
    /// Servers whose migrations it judges.
    pub dialects: &'static [Dialect],
    /// Markdown: what it does, why it matters, what to do instead.
    pub explanation: &'static str,
    /// SQL that must be reported, in the first of `dialects`. Text above a line `-- migration` is the schema before it.
    pub bad: &'static str,
    /// SQL that must not be reported, written the same way.
    pub good: &'static str,
    /// Other rules of the same policy that report the bad example too, and rightly.
    pub also: &'static [&'static str],
    /// Judges one migration.
    pub check: fn(&Context<'_>, &mut Findings<'_>),
}

impl Rule {
    /// What most rules share: all dialects, switched on, medium. Not a rule in itself.
    pub const DEFAULT: Self = Self {
        id: "",
        summary: "",
        severity: Severity::Medium,
        enabled: true,
        needs_database: false,
        triggers: &[],
        dialects: ALL_DIALECTS,
        explanation: "",
        bad: "",
        good: "",
        also: &[],
        check: |_, _| {},
    };

    /// The rule as `describe` lists it.
    pub fn describe(&self) -> RuleDescription {
        let example = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        RuleDescription {
            id: self.id.to_owned(),
            summary: self.summary.to_owned(),
            default_severity: self.severity,
            enabled_by_default: self.enabled,
            needs_database: self.needs_database,
            triggers: self.triggers.iter().map(|&name| name.to_owned()).collect(),
            explanation: self.explanation.to_owned(),
            bad_example: example(self.bad),
            good_example: example(self.good),
        }
    }
}

/// Runs every rule that is switched on and meant for the migration's server; findings come in the order of the script.
pub fn check(
    rules: &[Rule],
    request: &PolicyRequest,
    migration: &Migration<'_>,
    before: &dyn Catalog,
    after: &dyn Catalog,
) -> Vec<Finding> {
    check_in(rules, &Context::new(request, migration, before, after))
}

/// The same in a context that has been prepared, for example with [`Context::with_settings`].
pub fn check_in(rules: &[Rule], context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in wanted(rules, context.request) {
        let mut findings = Findings {
            rule,
            found: &mut found,
        };
        (rule.check)(context, &mut findings);
    }
    found.sort_by_key(|finding| (finding.statement, finding.at.map(|at| at.start)));
    found
}

/// The rules that are switched on and meant for the migration's server, in the order of the table.
fn wanted<'r>(rules: &'r [Rule], request: &PolicyRequest) -> impl Iterator<Item = &'r Rule> {
    let mut asked = vec![false; rules.len()];
    // The engine asks in the order in which rules are described, so the next is nearly always further on in the table.
    let mut next = 0;
    for id in request.rules.iter() {
        let (before, after) = rules.split_at(next);
        let is_it = |rule: &Rule| rule.id == id;
        let found = after.iter().position(is_it).map(|at| next + at);
        if let Some(at) = found.or_else(|| before.iter().position(is_it)) {
            asked[at] = true;
            next = at + 1;
        }
    }
    let dialect = request.server.dialect;
    let asked = rules.iter().zip(asked).filter(|(_, asked)| *asked);
    asked
        .map(|(rule, _)| rule)
        .filter(move |rule| rule.dialects.contains(&dialect))
}

/// Where a rule's check puts what it finds.
pub struct Findings<'r> {
    rule: &'r Rule,
    found: &'r mut Vec<Finding>,
}

impl Findings<'_> {
    /// A finding that points at a step's clause, with the rule's own level. One sentence, no full stop.
    pub fn report(&mut self, step: &Step<'_>, message: impl Into<String>) -> &mut Finding {
        self.report_at(step.statement.index, step.effect.at, message)
    }

    /// A finding that points at any place of a statement.
    pub fn report_at(&mut self, statement: u32, at: Span, message: impl Into<String>) -> &mut Finding {
        let finding = self.report_script(message);
        finding.at(statement, at)
    }

    /// A finding about the script as a whole.
    pub fn report_script(&mut self, message: impl Into<String>) -> &mut Finding {
        // A quoted name may hold a line feed.
        let message = message.into().replace(char::is_control, " ");
        self.found.push(Finding::new(self.rule.id, self.rule.severity, message));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }
}

/// The two parts of an example: the schema before (may be empty) and the migration.
pub fn split_example(example: &str) -> (&str, &str) {
    match separator(example).and_then(|(line, _)| example.split_once(line)) {
        Some((before, migration)) => (before.trim(), migration.trim_start()),
        None => ("", example),
    }
}

/// The migration's name that an example gives, if it gives one.
pub fn example_name(example: &str) -> Option<&str> {
    separator(example).map(|(_, name)| name).filter(|name| !name.is_empty())
}

/// The line between the two parts, and the name on it.
fn separator(example: &str) -> Option<(&str, &str)> {
    example.lines().find_map(|line| {
        let name = line.trim().strip_prefix(EXAMPLE_SEPARATOR)?;
        (name.is_empty() || name.starts_with(' ')).then(|| (line, name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_may_begin_with_the_schema_before() {
        assert_eq!(split_example("DROP TABLE a;"), ("", "DROP TABLE a;"));
        assert_eq!(
            split_example("CREATE TABLE a (b int);\n-- migration\nDROP TABLE a;"),
            ("CREATE TABLE a (b int);", "DROP TABLE a;")
        );
        let named = "-- migrations of old\n-- migration 20260901120000_drop_a\nDROP TABLE a;";
        assert_eq!(split_example(named), ("-- migrations of old", "DROP TABLE a;"));
        assert_eq!(example_name(named), Some("20260901120000_drop_a"));
        assert_eq!(example_name("-- migration\nDROP TABLE a;"), None);
    }
}
