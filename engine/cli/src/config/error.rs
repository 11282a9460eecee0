//! What can be wrong with a configuration, each with the place to look at.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use figment::error::{Actual, Kind};
use tollgate_engine::nearest::nearest;

use super::source::SourceFile;
use crate::output::path::shown;

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that was named cannot be read.
    #[error("the configuration file {} cannot be read: {reason}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Files say what makes no sense.
    #[error("the configuration is not valid")]
    Invalid {
        /// Everything that is wrong, in the order of the files.
        problems: Vec<Problem>,
        /// What the snippets must not show.
        secrets: Vec<String>,
    },
    /// A variable's text is not what the setting needs.
    #[error("the variable {variable} {}must be {expected}", value.as_ref().map_or(String::new(), |value| format!("is {value:?} and ")))]
    Variable {
        /// Its name, and the `.env` file it is from.
        variable: String,
        /// What it holds, where that can be no secret.
        value: Option<String>,
        /// What would do.
        expected: String,
    },
    /// `--env` names an environment that no file has.
    #[error("there is no environment named {name}")]
    NoEnvironment {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
        /// The file that was read, if any.
        file: Option<PathBuf>,
    },
    /// `env:NAME` where NAME is not set.
    #[error("{key} is to be read from the variable {variable}, which is not set")]
    Unset {
        /// The setting.
        key: String,
        /// The variable.
        variable: String,
        /// Where the setting stands, if in a file.
        place: Option<Place>,
        /// `.env` files that were looked at.
        looked_at: Vec<PathBuf>,
    },
    /// Nothing says which database.
    #[error("no database is configured")]
    NoDatabase,
    /// There is no folder of migrations.
    #[error("no folder of migrations was found")]
    NoMigrations {
        /// Where was looked.
        looked_at: Vec<PathBuf>,
    },
    /// The folder of migrations that was named is not there.
    #[error("the folder of migrations {} does not exist", shown(path))]
    MissingMigrations {
        /// The folder.
        path: PathBuf,
        /// Who named it, in words.
        named_by: String,
        /// A file of the project did, so the folder belongs to it.
        by_file: bool,
    },
    /// A plugin that cannot be used as configured.
    #[error("the plugin {plugin} {problem}")]
    Plugin {
        /// Its name.
        plugin: String,
        /// What is wrong, as the rest of the sentence.
        problem: String,
        /// Where, if in a file.
        place: Option<Place>,
        /// What to do.
        help: &'static str,
    },
    /// Bundles that extend each other.
    #[error("the bundle {} extends itself: {}", chain.last().map_or_else(String::new, |path| shown(path)), way(chain))]
    Circle {
        /// The bundle, what it extends, what that extends, and so on to the bundle again.
        chain: Vec<PathBuf>,
        /// What closes the circle.
        place: Option<Place>,
    },
    /// A bundle that is not there, or not to be read.
    #[error("the bundle {} cannot be read: {reason}", shown(path))]
    NoBundle {
        /// The bundle.
        path: PathBuf,
        /// The system's words.
        reason: String,
        /// Where it is named.
        place: Place,
    },
    /// A bundle that is no file.
    #[error("a bundle is the path of a file; this version takes none from {scheme}://")]
    BundleRegistry {
        /// What its address begins with.
        scheme: String,
        /// Where it is named.
        place: Place,
    },
    /// Settings that a bundle enforces, and that something above it weakens.
    #[error("the configuration weakens what is enforced")]
    Weakened(Vec<Weakened>),
    /// The current folder is gone or closed to us.
    #[error("the current folder cannot be read: {0}")]
    NoCurrentFolder(std::io::Error),
}

/// A setting that is laxer than what a file below enforces.
#[derive(Debug, Clone)]
pub struct Weakened {
    /// The setting.
    pub key: String,
    /// What it is set to, where that is no secret.
    pub found: String,
    /// What is enforced; `None`: that it is not set.
    pub wanted: Option<String>,
    /// What would do, where there are stricter values.
    pub allowed: Option<String>,
    /// What is enforced is not this itself, but what would mean nothing with it.
    pub because: Option<String>,
    /// File and line that enforce it.
    pub by: String,
    /// The variable or flag that sets it.
    pub set_by: Option<String>,
    /// Where it is set, if in a file.
    pub place: Option<Place>,
}

impl Weakened {
    /// One sentence.
    pub fn message(&self) -> String {
        let Self { key, found, by, .. } = self;
        let set_by = self
            .set_by
            .as_ref()
            .map_or_else(String::new, |origin| format!(", as {origin} says"));
        let why = match (&self.because, &self.wanted) {
            (Some(because), _) => format!("{by} enforces {because}"),
            (None, Some(wanted)) => format!("{by} enforces {wanted}"),
            (None, None) => format!("{by} enforces the table without it"),
        };
        format!("{key} may not be {found}{set_by}: {why}")
    }

    /// What to do.
    pub fn help(&self) -> String {
        match &self.allowed {
            Some(allowed) => format!("leave it out, or set it to {allowed}"),
            None => "leave it out".to_owned(),
        }
    }
}

/// `a → b → a`
fn way(chain: &[PathBuf]) -> String {
    chain.iter().map(|path| shown(path)).collect::<Vec<_>>().join(" → ")
}

/// A place in a file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes to point at.
    pub span: Range<usize>,
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Stable name of the kind of problem.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What the label under the place says.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// What figment wants instead of what it found.
pub fn expected(error: &figment::Error) -> String {
    match &error.kind {
        Kind::UnknownVariant(_, known) => one_of(known),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => in_words(expected),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "a smaller number".to_owned(),
        _ => "something else".to_owned(),
    }
}

impl Problem {
    /// The file is not TOML.
    pub fn syntax(file: &Arc<SourceFile>, span: Range<usize>, message: String) -> Self {
        Self {
            code: "config::syntax",
            message: format!("{} is not valid TOML", shown(&file.path)),
            place: Place {
                file: Arc::clone(file),
                span,
            },
            label: message,
            help: None,
        }
    }

    /// A value of another kind than the key needs.
    pub fn wrong_type(file: &Arc<SourceFile>, path: &[String], expected: &str) -> Self {
        Self {
            code: "config::wrong-type",
            message: format!("{} must be {expected}", path.join(".")),
            place: Place {
                file: Arc::clone(file),
                span: file.value(path).unwrap_or(0..0),
            },
            label: format!("expected {expected}"),
            help: None,
        }
    }

    /// What figment says of a layer. `prefix` is where the layer stands in the file (`environments`, NAME).
    pub fn typed(file: &Arc<SourceFile>, prefix: &[String], error: &figment::Error) -> Self {
        let path: Vec<String> = prefix.iter().chain(&error.path).cloned().collect();
        match &error.kind {
            Kind::UnknownField(name, known) => Self::unknown_key(file, prefix, &path, name, known),
            Kind::UnknownVariant(found, known) => {
                let mut problem = Self::wrong_type(file, &path, &one_of(known));
                problem.help = nearest(found, known.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
                problem
            }
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                let mut problem = Self::wrong_type(file, &path, &in_words(expected));
                problem.label = format!("this is {}", kind_of(found));
                problem
            }
            Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => Self::wrong_type(file, &path, "a smaller number"),
            other => {
                let mut problem = Self::wrong_type(file, &path, "something else");
                problem.message = format!("{}: {other}", path.join("."));
                "not understood".clone_into(&mut problem.label);
                problem
            }
        }
    }

    /// A key that means nothing.
    pub fn unknown_key(file: &Arc<SourceFile>, prefix: &[String], path: &[String], name: &str, known: &[&str]) -> Self {
        let parent = &path[..path.len().saturating_sub(1)];
        let table = if parent.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in [{}]", parent.join("."))
        };
        // At the top of a file two keys are allowed that no layer knows.
        let mut known = known.to_vec();
        if path.len() == 1 && prefix.is_empty() {
            known.extend(["environments", "extends", "enforced"]);
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys {table}: {}", known.join(", ")),
        };
        Self {
            code: "config::unknown-key",
            message: format!("unknown key `{name}` {table}"),
            place: Place {
                file: Arc::clone(file),
                span: file.key(path).unwrap_or(0..0),
            },
            label: "not a key of Tollgate's".to_owned(),
            help: Some(help),
        }
    }
}

fn one_of(known: &[&str]) -> String {
    let quoted: Vec<_> = known.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// serde names Rust's types; people know TOML's.
fn in_words(expected: &str) -> String {
    if expected.starts_with("struct ") || expected == "a map" {
        return "a table".to_owned();
    }
    match expected {
        "u64" | "u32" => "a whole number, 0 or more",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path",
        "string or table" => "a text",
        _ if expected.starts_with("enum ") => "one of the known words",
        other => other,
    }
    .to_owned()
}

/// Its kind and never its content: that may be a secret.
fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Signed(number) if *number < 0 => "less than 0",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a fraction",
        Actual::Str(_) | Actual::Char(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}
