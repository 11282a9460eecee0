//! The environment: the process's own variables, and below them those of `.env` files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::value::{Dict, Num, Tag, Value};
use tollgate_engine::nearest::nearest;

use super::dotenv;
use super::error::ConfigError;
use crate::engine::locking;

/// All variables, with where they are from.
#[derive(Default)]
pub struct Variables {
    real: BTreeMap<String, String>,
    /// Names of the process's own that hold something else than text.
    unreadable: BTreeSet<String>,
    files: Vec<(PathBuf, BTreeMap<String, String>)>,
    looked_at: Vec<PathBuf>,
}

/// A variable that is set and not empty.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its text.
    pub value: String,
    /// The `.env` file, when it is not the process's own.
    pub file: Option<PathBuf>,
}

impl Variables {
    /// The process's own.
    pub fn of_process() -> Self {
        let mut variables = Self::default();
        for (name, value) in std::env::vars_os() {
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(variables.real.insert(name, value)),
                Err(_) => drop(variables.unreadable.insert(name)),
            }
        }
        variables
    }

    /// Makes sure that this variable, where the process has it, holds text.
    pub fn expect_text(&self, name: &str) -> Result<(), ConfigError> {
        if !self.unreadable.contains(name) {
            return Ok(());
        }
        Err(ConfigError::Variable {
            variable: name.to_owned(),
            value: None,
            expected: "text in UTF-8".to_owned(),
        })
    }

    /// Adds a `.env` file, if it is there. What is set already stays.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        if self.looked_at.iter().any(|seen| seen == path) {
            return Ok(());
        }
        self.looked_at.push(path.to_owned());
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            // A folder of that name, as some virtual environments make, is not a file to read.
            Err(_) if path.is_dir() => return Ok(()),
            Err(error) => {
                return Err(ConfigError::Unreadable {
                    path: path.to_owned(),
                    reason: error.to_string(),
                });
            }
        };
        let outer = |name: &str| self.text(name).map(|(text, _)| text.to_owned());
        let values = dotenv::expand(&dotenv::parse(&text), &outer);
        self.files.push((path.to_owned(), values));
        Ok(())
    }

    /// A variable that is set to something. An empty one of the process hides that of a file and counts as not set,
    /// as CI systems pass on a secret that they do not have.
    pub fn get(&self, name: &str) -> Option<Variable> {
        let (value, file) = self.text(name)?;
        (!value.is_empty()).then(|| Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            file: file.map(Path::to_owned),
        })
    }

    fn text(&self, name: &str) -> Option<(&str, Option<&Path>)> {
        if let Some(value) = self.real.get(name) {
            return Some((value, None));
        }
        self.files
            .iter()
            .find_map(|(path, values)| Some((values.get(name)?.as_str(), Some(path.as_path()))))
    }

    /// What the `.env` files set and the process does not; the first file that has a name wins.
    pub fn of_files(&self) -> BTreeMap<&str, &str> {
        let mut values = BTreeMap::new();
        for (name, value) in self.files.iter().flat_map(|(_, values)| values) {
            if !self.real.contains_key(name) {
                values.entry(name.as_str()).or_insert(value.as_str());
            }
        }
        values
    }

    /// The `.env` files that were read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|(path, _)| path)
    }

    /// The `.env` files that were looked for.
    pub fn looked_at(&self) -> &[PathBuf] {
        &self.looked_at
    }

    /// Every name that begins with `TOLLGATE_`.
    pub fn own_names(&self) -> BTreeSet<&str> {
        let files = self.files.iter().flat_map(|(_, values)| values.keys());
        self.real
            .keys()
            .chain(files)
            .map(String::as_str)
            .filter(|name| name.starts_with("TOLLGATE_"))
            .collect()
    }
}

/// What kind of text a variable holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
}

/// Settings that a variable can set: `TOLLGATE_` and the key in capitals with `_` for the dot.
const KEYS: &[(&str, Kind)] = &[
    ("database.url", Kind::Text),
    ("database.provider", Kind::Text),
    ("database.server_version", Kind::Text),
    ("prisma.schema", Kind::Text),
    ("migrations.dir", Kind::Text),
    ("migrations.out_of_order", Kind::Text),
    ("migrations.missing", Kind::Text),
    ("migrations.edited", Kind::Text),
    ("check.block_at", Kind::Text),
    ("receipt.key", Kind::Text),
    ("check.baseline", Kind::Text),
    ("deploy.lock_timeout_ms", Kind::Number),
    ("deploy.statement_lock_timeout_ms", Kind::Number),
    ("deploy.statement_timeout_ms", Kind::Number),
    ("deploy.idle_timeout_ms", Kind::Number),
    ("deploy.retries", Kind::Number),
    ("deploy.synchronous_commit", Kind::Text),
    ("lock.url", Kind::Text),
    ("lock.force_release", Kind::Flag),
    ("state.url", Kind::Text),
    ("preview.url", Kind::Text),
    ("limits.fuel", Kind::Number),
    ("limits.memory_mib", Kind::Number),
    ("limits.deadline_ms", Kind::Number),
    ("limits.findings", Kind::Number),
    ("limits.log_lines", Kind::Number),
    ("limits.output_kib", Kind::Number),
];

/// Other tools' names for some of them; `TOLLGATE_…` wins over these.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("LOCK_TIMEOUT_MS", "deploy.lock_timeout_ms"),
    ("FORCE_RELEASE", "lock.force_release"),
];

/// Variables that choose the configuration and so are no part of it.
pub const CONFIG: &str = "TOLLGATE_CONFIG";
/// See [`CONFIG`].
pub const ENVIRONMENT: &str = "TOLLGATE_ENV";

/// A setting's variable: `TOLLGATE_DATABASE_URL` of `database.url`.
pub fn name_of(key: &str) -> String {
    format!("TOLLGATE_{}", key.to_ascii_uppercase().replace('.', "_"))
}

/// Every setting that a variable makes, lowest precedence first: the variable, the key and the layer.
pub fn settings(variables: &Variables) -> Vec<(Variable, &'static str, Dict)> {
    let short = SHORT_NAMES.iter().map(|(name, key)| ((*name).to_owned(), *key));
    let own = KEYS.iter().map(|(key, _)| (name_of(key), *key));
    short
        .chain(own)
        .filter_map(|(name, key)| {
            let variable = variables.get(&name)?;
            let kind = KEYS.iter().find(|(known, _)| *known == key)?.1;
            let layer = nest(key, value(&variable.value, kind));
            Some((variable, key, layer))
        })
        .collect()
}

/// Makes sure that no variable that means something to us holds something else than text: it would count as not set.
pub fn expect_text(variables: &Variables) -> Result<(), ConfigError> {
    let own = KEYS.iter().map(|(key, _)| name_of(key));
    let others = [
        CONFIG,
        ENVIRONMENT,
        locking::TOKEN,
        locking::HELD,
        "DATABASE_URL",
        "SLACK_WEBHOOK_URL",
    ];
    let short = SHORT_NAMES.iter().map(|(name, _)| *name);
    let mut names = short.chain(others).map(str::to_owned).chain(own);
    names.try_for_each(|name| variables.expect_text(&name))
}

/// `TOLLGATE_` variables that set nothing, each with the name that was probably meant.
pub fn unknown(variables: &Variables) -> Vec<(String, Option<String>)> {
    let known: Vec<String> = KEYS
        .iter()
        .map(|(key, _)| name_of(key))
        .chain([CONFIG, ENVIRONMENT, locking::TOKEN, locking::HELD].map(str::to_owned))
        .collect();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    variables
        .own_names()
        .into_iter()
        .filter(|name| !names.contains(name))
        .map(|name| (name.to_owned(), nearest(name, names.iter().copied())))
        .collect()
}

/// A dotted key and its value as nested tables.
pub fn nest(key: &str, value: Value) -> Dict {
    match key.split_once('.') {
        None => Dict::from([(key.to_owned(), value)]),
        Some((table, rest)) => Dict::from([(table.to_owned(), Value::Dict(Tag::Default, nest(rest, value)))]),
    }
}

/// The text as its kind; what does not fit stays a text, which the typed reading then refuses.
fn value(text: &str, kind: Kind) -> Value {
    let tag = Tag::Default;
    match (kind, text.trim().to_ascii_lowercase().as_str()) {
        (Kind::Number, number) if number.parse::<u64>().is_ok() => {
            Value::Num(tag, Num::U64(number.parse().unwrap_or_default()))
        }
        (Kind::Flag, "true" | "1" | "yes" | "on") => Value::Bool(tag, true),
        (Kind::Flag, "false" | "0" | "no" | "off") => Value::Bool(tag, false),
        _ => Value::String(tag, text.to_owned()),
    }
}
