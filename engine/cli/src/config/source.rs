//! One TOML file: its text, where each key stands in it, and its values as a layer of configuration.
//!
//! The text is parsed here and not by figment, whose own TOML support knows no positions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Empty, Num, Tag, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::enforced::{self, Mark};
use super::error::{ConfigError, Problem};

/// The way to a value: `["plugins", "slack", "source"]`.
pub type KeyPath = Vec<String>;

/// A file that has been read.
#[derive(Debug)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    spans: BTreeMap<KeyPath, KeySpans>,
}

/// Where a key and its value stand, in bytes.
#[derive(Debug, Clone)]
struct KeySpans {
    key: Range<usize>,
    value: Range<usize>,
}

impl SourceFile {
    /// Where the key of `path` stands.
    pub fn key(&self, path: &[String]) -> Option<Range<usize>> {
        self.spans.get(path).map(|spans| spans.key.clone())
    }

    /// Where the value of `path` stands; of an element inside an array, the array's.
    pub fn value(&self, path: &[String]) -> Option<Range<usize>> {
        (1..=path.len())
            .rev()
            .find_map(|length| self.spans.get(&path[..length]))
            .map(|spans| spans.value.clone())
    }

    /// The line of byte `offset`, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text[..offset.min(self.text.len())].matches('\n').count() + 1
    }
}

/// A file split into the parts that become layers.
#[derive(Debug)]
pub struct Parsed {
    /// The file itself.
    pub file: Arc<SourceFile>,
    /// Shared bundles that it builds on, as written.
    pub extends: Vec<String>,
    /// Its settings.
    pub main: Section,
    /// Its `[environments.NAME]` tables.
    pub environments: BTreeMap<String, Section>,
    /// Texts that must never be printed.
    pub secrets: Vec<String>,
}

/// One layer of a file.
#[derive(Debug, Default)]
pub struct Section {
    /// The settings.
    pub dict: Dict,
    /// Those of them that nothing above may weaken.
    pub marks: Vec<Mark>,
}

/// Reads and splits a file. The values are not checked yet.
pub fn read(path: &Path) -> Result<Parsed, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    parse(path, text)
}

/// The same for a text that has already been read.
pub fn parse(path: &Path, text: String) -> Result<Parsed, ConfigError> {
    let mut reader = Reader::default();
    let table = match DeTable::parse(&text) {
        Ok(table) => reader.table(table.get_ref(), &mut Vec::new()),
        Err(error) => return Err(syntax_error(path, &text, &error)),
    };
    let Reader { spans, secrets } = reader;
    let file = Arc::new(SourceFile {
        path: path.to_owned(),
        text,
        spans,
    });
    split(file, table, secrets)
}

fn split(file: Arc<SourceFile>, mut main: Dict, secrets: Vec<String>) -> Result<Parsed, ConfigError> {
    let mut problems = Vec::new();
    let extends = extends(&file, &mut main, &mut problems);
    let tables = environments(&file, &mut main, &mut problems);
    let main = enforced::take(&file, &[], main, &mut problems);
    let mut environments = BTreeMap::new();
    for (name, table) in tables {
        let prefix = ["environments".to_owned(), name.clone()];
        environments.insert(name, enforced::take(&file, &prefix, table, &mut problems));
    }
    if problems.is_empty() {
        Ok(Parsed {
            file,
            extends,
            main,
            environments,
            secrets,
        })
    } else {
        Err(ConfigError::Invalid { problems, secrets })
    }
}

fn extends(file: &Arc<SourceFile>, main: &mut Dict, problems: &mut Vec<Problem>) -> Vec<String> {
    match main.remove("extends") {
        None => Vec::new(),
        Some(Value::Array(_, items)) if items.iter().all(|item| item.as_str().is_some()) => items
            .iter()
            .filter_map(|item| item.as_str().map(ToOwned::to_owned))
            .collect(),
        Some(_) => {
            problems.push(Problem::wrong_type(file, &["extends".to_owned()], "a list of paths"));
            Vec::new()
        }
    }
}

fn environments(file: &Arc<SourceFile>, main: &mut Dict, problems: &mut Vec<Problem>) -> BTreeMap<String, Dict> {
    let mut environments = BTreeMap::new();
    match main.remove("environments") {
        None => {}
        Some(Value::Dict(_, tables)) => {
            for (name, table) in tables {
                if let Value::Dict(_, table) = table {
                    environments.insert(name, table);
                } else {
                    let path = ["environments".to_owned(), name];
                    problems.push(Problem::wrong_type(file, &path, "a table"));
                }
            }
        }
        Some(_) => problems.push(Problem::wrong_type(file, &["environments".to_owned()], "a table")),
    }
    environments
}

/// The parser's message points at the place; what stands in quotes is masked, as nothing is known of secrets yet.
fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let masked = mask_strings(text);
    let file = Arc::new(SourceFile {
        path: path.to_owned(),
        text: masked,
        spans: BTreeMap::new(),
    });
    let span = error.span().unwrap_or(0..0);
    let message = error.message().lines().next().unwrap_or_default().to_owned();
    ConfigError::Invalid {
        problems: vec![Problem::syntax(&file, span, message)],
        secrets: Vec::new(),
    }
}

/// Replaces what follows the first quote of each line, byte for byte, so that positions stay what they are.
fn mask_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let string = line.find(['"', '\'']).unwrap_or(line.len());
        for (at, c) in line.char_indices() {
            if at < string || matches!(c, '\n' | '\r' | '"' | '\'') {
                out.push(c);
            } else {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
            }
        }
    }
    out
}

/// Turns the parser's tree into figment's, noting positions and secrets on the way.
#[derive(Default)]
struct Reader {
    spans: BTreeMap<KeyPath, KeySpans>,
    secrets: Vec<String>,
}

impl Reader {
    fn table(&mut self, table: &DeTable<'_>, path: &mut KeyPath) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            path.push(name.clone());
            self.spans.insert(
                path.clone(),
                KeySpans {
                    key: key.span(),
                    value: value.span(),
                },
            );
            let value = self.value(value, path);
            path.pop();
            dict.insert(name, value);
        }
        dict
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &mut KeyPath) -> Value {
        let tag = Tag::Default;
        match value.get_ref() {
            DeValue::String(text) => {
                if is_secret(path) && !text.starts_with("env:") {
                    self.secrets.push(text.to_string());
                }
                Value::String(tag, text.to_string())
            }
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(signed) if signed < 0 => Value::Num(tag, Num::I64(signed)),
                Ok(number) => Value::Num(tag, Num::U64(number.unsigned_abs())),
                // Larger than any setting can be: kept as a text, which the typed reading then refuses.
                Err(_) => Value::String(tag, number.as_str().to_owned()),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Num(tag, Num::F64(number)),
                Err(_) => Value::Empty(tag, Empty::None),
            },
            DeValue::Boolean(flag) => Value::Bool(tag, *flag),
            DeValue::Datetime(moment) => Value::String(tag, moment.to_string()),
            DeValue::Array(items) => {
                let named = path.last().is_some_and(|key| key == "extends" || key == "enforced");
                let items = items.iter().enumerate().map(|(index, item)| {
                    path.push(index.to_string());
                    if named {
                        let span = item.span();
                        let spans = KeySpans {
                            key: span.clone(),
                            value: span,
                        };
                        self.spans.insert(path.clone(), spans);
                    }
                    let item = self.value(item, path);
                    path.pop();
                    item
                });
                Value::Array(tag, items.collect())
            }
            DeValue::Table(table) => Value::Dict(tag, self.table(table, path)),
        }
    }
}

/// Whether the value of a key is for its owner's eyes only, whatever it turns out to be.
pub fn is_secret(path: &[String]) -> bool {
    path.iter()
        .any(|part| matches!(part.as_str(), "url" | "secrets" | "headers"))
        || path.ends_with(&["receipt".to_owned(), "key".to_owned()])
}
