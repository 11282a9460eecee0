//! Where a value is from: which file and line, which variable, which flag.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::{Figment, Source};

use super::error::Place;
use super::source::{KeyPath, SourceFile};
use super::variables::Variable;
use crate::output::path::shown;

/// Where a layer of configuration is from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The program itself.
    Default,
    /// A file, or its table of an environment.
    File {
        /// The file.
        file: Arc<SourceFile>,
        /// Where in it the layer stands.
        prefix: KeyPath,
    },
    /// A variable.
    Variable(Variable),
    /// A flag.
    Flag(&'static str),
}

impl Origin {
    /// The folder that relative paths of this layer start from.
    pub fn folder(&self, root: &Path, cwd: &Path) -> PathBuf {
        match self {
            Self::Default => root.to_owned(),
            Self::File { file, .. } => file.path.parent().unwrap_or(root).to_owned(),
            Self::Variable(Variable { file: Some(file), .. }) => file.parent().unwrap_or(root).to_owned(),
            Self::Variable(_) | Self::Flag(_) => cwd.to_owned(),
        }
    }

    /// The environment in whose table of a file the layer stands.
    pub fn environment(&self) -> Option<&str> {
        match self {
            Self::File { prefix, .. } => prefix.get(1).map(String::as_str),
            _ => None,
        }
    }

    /// Where the value of `key` stands, if in a file.
    pub fn place(&self, key: &[String]) -> Option<Place> {
        let Self::File { file, prefix } = self else { return None };
        let path: KeyPath = prefix.iter().chain(key).cloned().collect();
        let span = file.value(&path)?;
        Some(Place {
            file: Arc::clone(file),
            span,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, .. } => f.write_str(&shown(&file.path)),
            Self::Variable(Variable {
                name, file: Some(file), ..
            }) => write!(f, "{name} in {}", shown(file)),
            Self::Variable(variable) => f.write_str(&variable.name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// The layer that set `key`.
pub fn find<'a>(figment: &Figment, origins: &'a [Origin], key: &str) -> &'a Origin {
    let metadata = figment
        .find_value(key)
        .ok()
        .and_then(|value| figment.get_metadata(value.tag()).cloned());
    number(metadata.and_then(|found| found.source))
        .and_then(|number| origins.get(number))
        .unwrap_or(&Origin::Default)
}

/// The layer that a value's tag leads to.
pub fn of_tag<'a>(figment: &Figment, origins: &'a [Origin], tag: figment::value::Tag) -> &'a Origin {
    let source = figment.get_metadata(tag).and_then(|found| found.source.clone());
    number(source)
        .and_then(|number| origins.get(number))
        .unwrap_or(&Origin::Default)
}

fn number(source: Option<Source>) -> Option<usize> {
    match source? {
        Source::Custom(number) => number.parse().ok(),
        _ => None,
    }
}
