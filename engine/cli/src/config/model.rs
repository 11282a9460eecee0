//! What `tollgate.toml` may say, key by key, as it is written: `env:` references unresolved, paths as typed.
//!
//! Unknown keys are refused, so no `flatten` and no untagged enums: both give messages that point nowhere. Every layer
//! (file, bundle, environment) is read into [`Settings`] by itself first, which is how its errors get their lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything a layer of configuration can set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Everything in this environment's database may be dropped at any time. It does not pass from the top of the file to
    /// an environment: see [`super::Config::development`].
    pub development: Option<bool>,
    /// `[database]`
    pub database: Database,
    /// `[prisma]`
    pub prisma: Prisma,
    /// `[migrations]`
    pub migrations: Migrations,
    /// `[check]`
    pub check: Check,
    /// The environment that migrations have to be deployed to first. Belongs into an environment: see
    /// [`super::Config::requires`].
    pub requires: Option<String>,
    /// `[approvals]`
    pub approvals: Approvals,
    /// `[teams]`: who belongs to `@NAME`.
    pub teams: BTreeMap<String, Vec<String>>,
    /// `[receipt]`
    pub receipt: Receipt,
    /// `[deploy]`
    pub deploy: Deploy,
    /// `[lock]`
    pub lock: Lock,
    /// `[state]`
    pub state: State,
    /// `[preview]`
    pub preview: Preview,
    /// `[drift]`
    pub drift: Drift,
    /// `[seed]`
    pub seed: Seed,
    /// `[limits]`
    pub limits: Limits,
    /// `[plugins.NAME]`
    pub plugins: BTreeMap<String, Plugin>,
}

/// Which database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Connection URL, or `env:NAME` for the variable that holds it.
    pub url: Option<String>,
    /// What the migrations are written for, where neither a URL nor `migration_lock.toml` says it.
    pub provider: Option<Provider>,
    /// Server version to assume when no database is connected, for example `15.4`.
    pub server_version: Option<String>,
}

/// A database product, by Prisma's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// PostgreSQL.
    #[serde(alias = "postgres")]
    Postgresql,
    /// `SQLite`.
    Sqlite,
    /// `MySQL` and `MariaDB`.
    Mysql,
}

impl Provider {
    /// The name that `migration_lock.toml` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
            Self::Mysql => "mysql",
        }
    }

    /// The provider that a name, or a connection URL, begins with.
    pub fn guess(text: &str) -> Option<Self> {
        match text.split(':').next().unwrap_or_default() {
            "postgresql" | "postgres" => Some(Self::Postgresql),
            "sqlite" | "file" => Some(Self::Sqlite),
            "mysql" | "mariadb" => Some(Self::Mysql),
            _ => None,
        }
    }
}

/// The Prisma project around the migrations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prisma {
    /// The schema file (or folder); `file:` URLs are relative to its folder and a `.env` beside it is read.
    pub schema: Option<PathBuf>,
}

/// Where the migrations are and what to make of irregular ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Migrations {
    /// The folder with one folder a migration.
    pub dir: Option<PathBuf>,
    /// A migration that is not applied yet although a later one is.
    pub out_of_order: Option<Reaction>,
    /// A migration in the ledger without a folder.
    pub missing: Option<Reaction>,
    /// An applied migration whose file has been changed since.
    pub edited: Option<Reaction>,
}

/// What to do about an irregularity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// Say nothing.
    Allow,
    /// Say it and go on.
    Warn,
    /// Refuse to deploy.
    Error,
}

/// When findings stop a deploy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// Findings of this level and above block.
    pub block_at: Option<Severity>,
    /// The file of findings that were known when it was written, and that `check` does not report again.
    pub baseline: Option<PathBuf>,
}

/// Who may let findings pass, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// Who may approve: as they write themselves under `by`, and `@TEAM`. Everybody where it is not set.
    pub approvers: Option<Vec<String>>,
    /// `deploy --approve` approves. It does not pass from the top of the file to an environment.
    pub command_line: Option<bool>,
}

/// What shows elsewhere that something was deployed here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receipt {
    /// What signs receipts: `env:NAME` of the variable that holds it.
    pub key: Option<String>,
}

/// How far a mistake reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Context worth showing.
    Low,
    /// Risky.
    Medium,
    /// Loses data or is certain to fail.
    High,
}

/// Time limits of a deploy, in milliseconds, where 0 means no limit; and when it waits for the disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deploy {
    /// How long to wait for another deploy to finish; 0: not at all.
    pub lock_timeout_ms: Option<u64>,
    /// How long a statement may wait for a lock on a table, and keep others waiting behind it.
    pub statement_lock_timeout_ms: Option<u64>,
    /// How long a statement may run. Not set: as the server is configured.
    pub statement_timeout_ms: Option<u64>,
    /// How long the server waits in the middle of a transaction for the next statement before it takes the transaction
    /// back: a suspended deploy must not keep its locks.
    pub idle_timeout_ms: Option<u64>,
    /// How often a migration is tried again after a lock timeout, a deadlock or a serialization failure.
    pub retries: Option<u32>,
    /// Which migrations PostgreSQL commits synchronously: each, or the last of a deploy, which takes those before it to the
    /// disk along.
    pub synchronous_commit: Option<SynchronousCommit>,
}

/// Which migrations of a deploy wait for the server's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SynchronousCommit {
    /// Each.
    Each,
    /// The last one; each, where notifiers are told of each.
    Last,
}

/// The lock that keeps two deploys apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lock {
    /// A direct way to the same database, where `database.url` goes through a transaction pooler: the lock is taken there,
    /// and the run goes there as a whole. URL or `env:NAME`.
    pub url: Option<String>,
    /// Take the lock away from whoever holds it.
    pub force_release: Option<bool>,
}

/// Where Tollgate keeps what it knows beyond the ledger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Another database for Tollgate's own tables. URL or `env:NAME`.
    pub url: Option<String>,
}

/// Where migrations are tried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preview {
    /// The server on which scratch databases are made, where it is not that of `database.url`. URL or `env:NAME`.
    pub url: Option<String>,
}

/// What a database may have besides what the migrations make.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Patterns of objects that are no drift: `public.tmp_*`, `extension:pg_stat_statements`.
    pub ignore: Option<Vec<String>>,
}

/// What fills a database with rows to work with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// A program and its arguments, run without a shell.
    pub command: Option<CommandLine>,
    /// SQL files; `*` and `**` stand for any names.
    pub files: Option<Vec<String>>,
}

/// A program and its arguments: a list of texts, or one text that is split at spaces as Prisma splits its seed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CommandLine(pub Vec<String>);

impl CommandLine {
    /// Splits a text at its spaces; one after a backslash is none. Quotes mean nothing: there is no shell.
    pub fn split(text: &str) -> Self {
        let mut words = vec![String::new()];
        let mut rest = text.trim().chars().peekable();
        while let Some(next) = rest.next() {
            let escaped = next == '\\' && rest.peek() == Some(&' ');
            if escaped {
                rest.next();
            }
            match words.last_mut() {
                Some(word) if escaped => word.push(' '),
                _ if next == ' ' => words.push(String::new()),
                Some(word) => word.push(next),
                None => {}
            }
        }
        words.retain(|word| !word.is_empty());
        Self(words)
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> serde::de::Visitor<'de> for Words {
            type Value = CommandLine;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CommandLine, E> {
                Ok(CommandLine::split(text))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<CommandLine, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = items.next_element()? {
                    words.push(word);
                }
                Ok(CommandLine(words))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// What one call of a plugin may use; what is not set is the engine's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Instructions, roughly: wasmtime's fuel.
    pub fuel: Option<u64>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Wall-clock time of a policy or rollback generator, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Findings or rollback steps that a plugin may return.
    pub findings: Option<u64>,
    /// Log lines that a plugin may write.
    pub log_lines: Option<u64>,
    /// Size of everything a plugin returns, in KiB.
    pub output_kib: Option<u64>,
}

/// One plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plugin {
    /// `builtin:NAME` or the path of a component.
    pub source: Option<String>,
    /// Whether it is asked at all.
    pub enabled: Option<bool>,
    /// Capabilities it gets if it asks for them, for example `catalog.probe` or `http:webhook`.
    pub grant: Option<Vec<String>>,
    /// Whether a policy that fails blocks (the default) or only warns.
    pub on_failure: Option<OnFailure>,
    /// Whether a deploy fails when this notifier does.
    pub required: Option<bool>,
    /// Level of each rule.
    pub rules: BTreeMap<String, RuleLevel>,
    /// Whatever the plugin itself wants to know.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Where it may send HTTP requests.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Limits for this plugin alone.
    pub limits: Option<Limits>,
}

/// What becomes of a deploy when a policy fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is blocked: what was not judged is not let through.
    Block,
    /// It goes on with a warning.
    Warn,
}

/// The level of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleLevel {
    /// Not reported at all.
    Off,
    /// Informs.
    Low,
    /// Warns.
    Medium,
    /// Blocks until approved.
    High,
}

/// A place that a plugin may send HTTP requests to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    /// URL or `env:NAME`.
    pub url: Option<String>,
    /// Allow addresses of private networks.
    pub allow_private: Option<bool>,
    /// Allow the plugin to append a path.
    pub allow_path: Option<bool>,
    /// Headers that the engine adds. Text or `env:NAME`.
    pub headers: BTreeMap<String, String>,
    /// Secrets that the plugin may use by name without seeing them. Text or `env:NAME`.
    pub secrets: BTreeMap<String, String>,
}

/// The lowest layer: what holds where nothing else is said.
pub fn defaults() -> Settings {
    Settings {
        migrations: Migrations {
            dir: None,
            out_of_order: Some(Reaction::Warn),
            missing: Some(Reaction::Warn),
            edited: Some(Reaction::Error),
        },
        check: Check {
            block_at: Some(Severity::High),
            baseline: None,
        },
        deploy: Deploy {
            lock_timeout_ms: Some(30_000),
            statement_lock_timeout_ms: Some(5_000),
            statement_timeout_ms: None,
            idle_timeout_ms: Some(60_000),
            retries: Some(5),
            synchronous_commit: Some(SynchronousCommit::Last),
        },
        lock: Lock {
            url: None,
            force_release: Some(false),
        },
        plugins: BUNDLED
            .iter()
            .map(|(name, grant)| ((*name).to_owned(), bundled(name, grant)))
            .collect(),
        ..Settings::default()
    }
}

/// The plugins that come with the program, and what each is granted where the configuration says nothing.
pub const BUNDLED: &[(&str, &[&str])] = &[
    ("conventions", &[]),
    ("destructive", &["catalog.probe"]),
    ("github", &["http:api"]),
    ("rollback", &[]),
    ("safety", &["catalog.probe"]),
    ("slack", &["http:webhook"]),
    ("webhook", &["http:webhook"]),
];

/// Those of them that have nobody to tell, and so are off, until they have an endpoint.
pub const NOTIFIERS: &[&str] = &["github", "slack", "webhook"];

fn bundled(name: &str, grant: &[&str]) -> Plugin {
    Plugin {
        source: Some(format!("builtin:{name}")),
        grant: Some(grant.iter().map(|&capability| capability.to_owned()).collect()),
        ..Plugin::default()
    }
}

#[cfg(test)]
mod tests {
    use super::CommandLine;

    #[test]
    fn a_command_is_split_at_spaces_and_nowhere_else() {
        for (text, words) in [
            ("npm run seed", vec!["npm", "run", "seed"]),
            ("  node   seed.js ", vec!["node", "seed.js"]),
            ("run my\\ file.sh x", vec!["run", "my file.sh", "x"]),
            (
                "ts-node --compiler-options {\"module\":\"CommonJS\"} prisma/seed.ts",
                vec![
                    "ts-node",
                    "--compiler-options",
                    "{\"module\":\"CommonJS\"}",
                    "prisma/seed.ts",
                ],
            ),
            ("C:\\node.exe 'a", vec!["C:\\node.exe", "'a"]),
            ("", vec![]),
        ] {
            assert_eq!(CommandLine::split(text).0, words);
        }
    }
}
