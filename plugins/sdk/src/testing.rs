//! Runs a plugin natively, against catalogs made from SQL. Behind the feature `testing`; for dev-dependencies only.
//!
//! ```
//! use tollgate_plugin::rules::{self, Context, Findings, Rule};
//! use tollgate_plugin::{
//!     Catalog, Description, Failure, Finding, Migration, NoSettings, Operation, Policy, PolicyRequest, SettingsIssue, testing,
//! };
//!
//! const NO_DROPS: Rule = Rule { id: "no-drops", summary: "DROP of a table with rows", check, ..Rule::DEFAULT };
//!
//! fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
//!     for step in context.steps() {
//!         if let Operation::Drop(dropped) = &step.effect.operation
//!             && context.may_hold_rows(&step, &dropped.name)
//!         {
//!             findings.report(&step, format!("drops {}", dropped.name));
//!         }
//!     }
//! }
//!
//! struct NoDrops;
//!
//! impl Policy for NoDrops {
//!     type Settings = NoSettings;
//!
//!     fn describe() -> Description {
//!         Description::new("no-drops", "1.0.0", "Tables stay").rules(&[NO_DROPS])
//!     }
//!
//!     fn configure(_: NoSettings) -> Result<Self, Vec<SettingsIssue>> {
//!         Ok(Self)
//!     }
//!
//!     fn check(
//!         &self,
//!         request: &PolicyRequest,
//!         migration: &Migration<'_>,
//!         before: &dyn Catalog,
//!         after: &dyn Catalog,
//!     ) -> Result<Vec<Finding>, Failure> {
//!         Ok(rules::check(&[NO_DROPS], request, migration, before, after))
//!     }
//! }
//!
//! let test = testing::policy::<NoDrops>()
//!     .before("CREATE TABLE users (id int PRIMARY KEY);") // deployed some time ago
//!     .pending("CREATE TABLE fresh (id int);"); // same plan, not applied yet
//! assert_eq!(test.found_rules("DROP TABLE users;"), ["no-drops"]);
//! assert!(test.check("DROP TABLE fresh;").is_empty());
//!
//! let connected = test.rows("users", 0); // a database is there, and it has no rows in the table
//! assert!(connected.check("DROP TABLE users;").is_empty());
//! ```
//!
//! The scripts are parsed and replayed by the engine's own crates, so a native test sees what a component would see.
//! Everything here panics with an explanation where a test is wrong: a script that does not parse, settings that the
//! plugin refuses, a finding that the engine would reject.
#![allow(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a wrong test must stop with the reason"
)]

mod catalog;
mod convert;
mod deployed;
mod examples;
mod judge;
mod notifier;
mod rollback;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use tollgate_schema::{Context, Schema};
use tollgate_sql::{Dialect as SqlDialect, Script};

use crate::catalog::Catalog;
use crate::contract::{Description, Dialect, Finding, RuleDescription, Server, Severity};
use crate::migration::Migration;
use crate::plugin::{Notifier, Policy, Rollback};
use crate::request::{PolicyRequest, WantedRules};

pub use catalog::SchemaCatalog;
pub use examples::assert_examples;
pub use judge::{Judge, assert_ignores, assert_reports, rule};
pub use notifier::{NotifierTest, Sent};

/// A test of a policy: says what the database is, then checks scripts.
pub fn policy<P: Policy>() -> Test<P> {
    Test::new()
}

/// A test of a rollback generator.
pub fn rollback<P: Rollback>() -> Test<P> {
    Test::new()
}

/// A test of a notifier.
pub fn notifier<P: Notifier>() -> NotifierTest<P> {
    NotifierTest::new()
}

/// The name that migrations have in tests unless [`Test::named`] gives another.
pub const MIGRATION: &str = "20260101000000_test";

/// The engine's own limit where the configuration says nothing.
const LOCK_TIMEOUT_MS: u64 = 5_000;

/// What the plugin is asked about, and in which surroundings.
#[derive(Debug, Clone)]
pub struct Test<P> {
    dialect: SqlDialect,
    version: Option<(u32, u32, u32)>,
    known: bool,
    before: Vec<String>,
    pending: Vec<String>,
    answers: deployed::Answers,
    settings: serde_json::Value,
    environment: Option<String>,
    rules: Option<Vec<String>>,
    name: String,
    down: Option<String>,
    lock_timeout_ms: Option<u64>,
    statement_timeout_ms: Option<u64>,
    plugin: PhantomData<fn() -> P>,
}

impl<P> Test<P> {
    fn new() -> Self {
        Self {
            dialect: SqlDialect::Postgres,
            version: None,
            known: false,
            before: Vec::new(),
            pending: Vec::new(),
            answers: deployed::Answers::default(),
            settings: serde_json::Value::Object(serde_json::Map::new()),
            environment: None,
            rules: None,
            name: MIGRATION.to_owned(),
            down: None,
            lock_timeout_ms: Some(LOCK_TIMEOUT_MS),
            statement_timeout_ms: None,
            plugin: PhantomData,
        }
    }

    /// Scripts are for `SQLite`; without this they are for PostgreSQL.
    #[must_use]
    pub fn sqlite(self) -> Self {
        self.dialect(Dialect::Sqlite)
    }

    /// Scripts are for this server.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = convert::from_dialect(dialect);
        self
    }

    /// The server's version is known.
    #[must_use]
    pub fn version(mut self, major: u32, minor: u32, patch: u32) -> Self {
        self.version = Some((major, minor, patch));
        self
    }

    /// Migrations that have been deployed. Without any, nothing is known of the database: the script is a loose file.
    #[must_use]
    pub fn before(mut self, script: impl Into<String>) -> Self {
        self.known = true;
        self.before.push(script.into());
        self
    }

    /// Migrations of the same plan that come first but have not been applied yet.
    #[must_use]
    pub fn pending(mut self, script: impl Into<String>) -> Self {
        self.known = true;
        self.pending.push(script.into());
        self
    }

    /// A database is connected, and the table holds that many rows. Other tables cannot be asked.
    #[must_use]
    pub fn rows(mut self, table: &str, rows: u64) -> Self {
        self.answers.rows.insert(table.to_owned(), rows);
        self
    }

    /// That many rows of the table have no value in the column; needs [`Test::rows`] of the table.
    #[must_use]
    pub fn nulls(mut self, table: &str, column: &str, rows: u64) -> Self {
        self.answers.nulls.insert((table.to_owned(), column.to_owned()), rows);
        self
    }

    /// That many groups of rows share their values in the columns; needs [`Test::rows`] of the table.
    #[must_use]
    pub fn duplicates(mut self, table: &str, columns: &[&str], groups: u64) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self.answers.duplicates.insert((table.to_owned(), columns), groups);
        self
    }

    /// The index is there but cannot be used, as after a build that failed; needs [`Test::rows`] of its table.
    #[must_use]
    pub fn invalid_index(mut self, index: &str) -> Self {
        self.answers.invalid.insert(index.to_owned());
        self
    }

    /// The plugin's table in the configuration.
    #[must_use]
    pub fn settings(mut self, settings: serde_json::Value) -> Self {
        self.settings = settings;
        self
    }

    /// The deployment's name in the configuration.
    #[must_use]
    pub fn environment(mut self, name: &str) -> Self {
        self.environment = Some(name.to_owned());
        self
    }

    /// Only these rules are switched on; without this every rule is.
    #[must_use]
    pub fn rules(mut self, rules: &[&str]) -> Self {
        self.rules = Some(rules.iter().map(|rule| (*rule).to_owned()).collect());
        self
    }

    /// The migration's directory name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The migration comes with a `down.sql`.
    #[must_use]
    pub fn down(mut self, script: &str) -> Self {
        self.down = Some(script.to_owned());
        self
    }

    /// A deploy lets no statement wait longer for a lock; 0: as long as it takes. Without this 5,000, as in a project whose
    /// configuration says nothing.
    #[must_use]
    pub fn lock_timeout(mut self, milliseconds: u64) -> Self {
        self.lock_timeout_ms = Some(milliseconds);
        self
    }

    /// A deploy lets no statement run longer.
    #[must_use]
    pub fn statement_timeout(mut self, milliseconds: u64) -> Self {
        self.statement_timeout_ms = Some(milliseconds);
        self
    }

    fn server(&self) -> Server {
        Server {
            dialect: convert::dialect(self.dialect),
            version: self.version,
        }
    }

    fn parse(&self, script: &str) -> Script {
        tollgate_sql::parse(self.dialect, script)
            .unwrap_or_else(|error| panic!("this script does not parse: {error}\n{script}"))
    }

    /// The schema before the migration and after it.
    fn schemas(&self, script: &Script) -> (Schema, Schema) {
        let context = Context {
            server_version: self.version,
            ..Context::new(self.dialect)
        };
        let apply = |schema: &mut Schema, script: &Script| {
            schema
                .apply_script(script)
                .unwrap_or_else(|error| panic!("a replay cannot fail: {error}"));
        };
        let mut before = if self.known {
            Schema::empty(context.clone())
        } else {
            Schema::unknown(context.clone())
        };
        for text in &self.before {
            apply(&mut before, &self.parse(text));
        }
        if self.answers == deployed::Answers::default() {
            before.settle();
        } else {
            before = Schema::over(Arc::new(deployed::Deployed::new(before, self.answers.clone())), context);
        }
        for text in &self.pending {
            apply(&mut before, &self.parse(text));
        }
        let mut after = before.clone();
        apply(&mut after, script);
        (before, after)
    }

    fn migration<'a>(&self, text: &str, script: &'a Script, before: &'a Schema) -> Migration<'a> {
        let statements = script
            .statements
            .iter()
            .map(|of| convert::statement(of, self.dialect))
            .collect();
        let changes = script.changes.iter().map(convert::change).collect();
        let locks = move || {
            let found = tollgate_schema::locks::of_script(before, script);
            let found = found.unwrap_or_else(|error| panic!("a replay cannot fail: {error}"));
            found
                .iter()
                .map(|of| of.iter().map(convert::table_lock).collect())
                .collect()
        };
        Migration::given(&self.name, text, statements, changes, self.down.clone(), locks)
    }
}

impl<P: Policy> Test<P> {
    /// What the policy finds in a script.
    #[track_caller]
    pub fn check(&self, text: &str) -> Vec<Finding> {
        let script = self.parse(text);
        let (before, after) = self.schemas(&script);
        self.check_between(text, &script, &before, &after)
    }

    /// The same for schemas that the test has made itself, for example by replaying a long history step by step.
    #[track_caller]
    pub fn check_between(&self, text: &str, script: &Script, before: &Schema, after: &Schema) -> Vec<Finding> {
        let description = P::describe();
        let plugin = configured(&self.settings, P::configure);
        let migration = self.migration(text, script, before);
        let (before, after) = (SchemaCatalog::new(before.clone()), SchemaCatalog::new(after.clone()));
        let ask = |rules: WantedRules| {
            let request = PolicyRequest {
                server: self.server(),
                rules,
                environment: self.environment.clone(),
                lock_timeout_ms: self.lock_timeout_ms,
                statement_timeout_ms: self.statement_timeout_ms,
            };
            plugin
                .check(&request, &migration, &before as &dyn Catalog, &after as &dyn Catalog)
                .unwrap_or_else(|failure| panic!("the policy failed: {}", failure.message))
        };
        let is_on = |rule: &&RuleDescription| self.rules.as_ref().is_none_or(|on| on.contains(&rule.id));
        let on = || description.rules.iter().filter(is_on);
        let findings = ask(on().map(|rule| rule.id.clone()).collect());
        let occurring = convert::Occurring::of(migration.statements(), migration.changes());
        let may_concern = |rule: &&RuleDescription| {
            rule.triggers.is_empty()
                || occurring.anything()
                || occurring.names().any(|name| rule.triggers.iter().any(|of| of == name))
        };
        let concerned: WantedRules = on().filter(may_concern).map(|rule| rule.id.clone()).collect();
        assert_eq!(
            ask(concerned),
            findings,
            "the engine does not ask for a rule where none of its `triggers` occurs, and so would miss a finding"
        );
        for finding in &findings {
            assert_acceptable(finding, &description, text, script.statements.len());
        }
        findings
    }

    /// Rule names of what the policy finds in a script, in order.
    #[track_caller]
    pub fn found_rules(&self, text: &str) -> Vec<String> {
        self.check(text).into_iter().map(|finding| finding.rule).collect()
    }

    /// Findings as text, one block each, for snapshots: rule, level, message, the SQL pointed at, help.
    #[track_caller]
    pub fn report(&self, text: &str) -> String {
        render(text, &self.check(text))
    }
}

/// Findings as text, one block each: rule, level, message, the SQL pointed at, labels, help.
pub fn render(text: &str, findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        };
        lines.push(format!("{} ({level}): {}", finding.rule, finding.message));
        lines.extend(finding.at.map(|at| format!("  at: {}", at.of(text))));
        lines.extend(
            finding
                .labels
                .iter()
                .map(|label| format!("  label: {}: {}", label.at.of(text), label.text)),
        );
        lines.extend(finding.help.as_ref().map(|help| format!("  help: {help}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A configured plugin, or the settings issues as a panic.
#[track_caller]
fn configured<S: serde::de::DeserializeOwned, P>(
    settings: &serde_json::Value,
    configure: impl FnOnce(S) -> Result<P, Vec<crate::SettingsIssue>>,
) -> P {
    crate::glue::read_settings(&settings.to_string())
        .and_then(configure)
        .unwrap_or_else(|issues| panic!("the plugin refuses the settings: {issues:?}"))
}

/// What the engine demands of every finding.
#[track_caller]
fn assert_acceptable(finding: &Finding, description: &Description, text: &str, statements: usize) {
    let known = description.rules.iter().any(|rule| rule.id == finding.rule);
    assert!(known, "`describe` does not list the rule {}", finding.rule);
    assert!(
        !finding.message.is_empty() && !finding.message.contains('\n'),
        "a message is one line: {finding:?}"
    );
    assert!(
        finding
            .statement
            .is_none_or(|statement| (statement as usize) < statements),
        "no such statement: {finding:?}"
    );
    let spans = finding.at.iter().chain(finding.labels.iter().map(|label| &label.at));
    let edits = finding
        .suggestions
        .iter()
        .flat_map(|suggestion| suggestion.edits.iter().map(|edit| &edit.at));
    for span in spans.chain(edits) {
        let inside = text.get(span.start as usize..span.end as usize).is_some();
        assert!(
            inside,
            "the engine would reject a span that is not inside the script: {finding:?}"
        );
    }
}

/// Answers of probes by table and what else they are asked by.
type ByColumns = BTreeMap<(String, Vec<String>), u64>;
