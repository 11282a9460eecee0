//! What a file enforces: settings that no layer above it may weaken.
//!
//! A rule is marked where its level stands, `drop-table = { level = "high", enforced = true }`; any other key in a list at
//! the top of the file or of an environment, `enforced = ["check.block_at"]`. Being stricter is always allowed.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use figment::value::{Dict, Value};

use super::error::{Place, Problem, Weakened};
use super::origin::Origin;
use super::source::{KeyPath, Section, SourceFile, is_secret};
use crate::output::path::shown;

/// A key that a file marks, and where.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The key, as the layer has it.
    pub key: KeyPath,
    /// Where the mark stands.
    pub span: Range<usize>,
}

/// A setting that may not be weakened.
#[derive(Debug, Clone)]
pub struct Enforcement {
    /// The key, or the table.
    pub key: KeyPath,
    /// What it is set to there.
    value: Value,
    /// The layer that set it, for paths.
    origin: Origin,
    /// The mark.
    place: Place,
    /// The rule, or other setting of a plugin, that would mean nothing without this one.
    because: Option<String>,
}

impl Enforcement {
    /// The file and line of the mark: who enforces it.
    pub fn by(&self) -> String {
        let Place { file, span } = &self.place;
        format!("{}:{}", shown(&file.path), file.line(span.start))
    }
}

/// Takes the marks out of a layer: what is left are settings as every layer has them.
pub fn take(file: &Arc<SourceFile>, prefix: &[String], mut dict: Dict, problems: &mut Vec<Problem>) -> Section {
    let mut marks = Vec::new();
    let at = |key: &[&str]| -> KeyPath {
        prefix
            .iter()
            .cloned()
            .chain(key.iter().map(|&part| part.to_owned()))
            .collect()
    };
    match dict.remove("enforced") {
        None => {}
        Some(Value::Array(_, items)) if items.iter().all(|item| item.as_str().is_some()) => {
            for (index, item) in items.iter().enumerate() {
                let span = file.value(&at(&["enforced", &index.to_string()])).unwrap_or(0..0);
                let key = item
                    .as_str()
                    .unwrap_or_default()
                    .split('.')
                    .map(ToOwned::to_owned)
                    .collect();
                marks.push(Mark { key, span });
            }
        }
        Some(_) => problems.push(Problem::wrong_type(file, &at(&["enforced"]), "a list of keys")),
    }
    let plugins = dict.get_mut("plugins").and_then(as_dict_mut);
    for (plugin, table) in plugins.into_iter().flatten() {
        let rules = as_dict_mut(table)
            .and_then(|table| table.get_mut("rules"))
            .and_then(as_dict_mut);
        for (rule, level) in rules.into_iter().flatten() {
            let path = at(&["plugins", plugin, "rules", rule]);
            match rule_level(file, &path, level) {
                Ok(true) => marks.push(Mark {
                    key: path[prefix.len()..].to_vec(),
                    span: file.value(&path).unwrap_or(0..0),
                }),
                Ok(false) => {}
                Err(problem) => problems.push(*problem),
            }
        }
    }
    Section { dict, marks }
}

fn as_dict_mut(value: &mut Value) -> Option<&mut Dict> {
    match value {
        Value::Dict(_, dict) => Some(dict),
        _ => None,
    }
}

/// Makes `{ level = "high", enforced = true }` the level alone. Whether it is enforced.
fn rule_level(file: &Arc<SourceFile>, path: &[String], value: &mut Value) -> Result<bool, Box<Problem>> {
    let Value::Dict(_, table) = value else {
        return Ok(false);
    };
    let below = |key: &str| -> KeyPath { path.iter().cloned().chain([key.to_owned()]).collect() };
    if let Some(key) = table.keys().find(|key| !["level", "enforced"].contains(&key.as_str())) {
        return Err(Box::new(Problem::unknown_key(
            file,
            &[],
            &below(key),
            key,
            &["level", "enforced"],
        )));
    }
    let enforced = match table.remove("enforced") {
        None => false,
        Some(Value::Bool(_, enforced)) => enforced,
        Some(_) => return Err(Box::new(Problem::wrong_type(file, &below("enforced"), "true or false"))),
    };
    match table.remove("level") {
        Some(level) => *value = level,
        None => {
            return Err(Box::new(Problem::wrong_type(
                file,
                path,
                "a level, or a table with `level`",
            )));
        }
    }
    Ok(enforced)
}

/// Everything that is enforced so far, the lowest layer first.
#[derive(Debug, Clone, Default)]
pub struct Enforcements {
    all: Vec<Enforcement>,
}

impl Enforcements {
    /// What is enforced of `key`, the strictest last.
    pub fn of<'a>(&'a self, key: &'a [String]) -> impl Iterator<Item = &'a Enforcement> {
        self.all.iter().filter(|found| key.starts_with(&found.key))
    }

    /// Adds the marks of a file. `look_up` finds a value as it is with this file and everything below it, and the layer
    /// that it is from.
    pub fn add(
        &mut self,
        file: &Arc<SourceFile>,
        marks: Vec<Mark>,
        look_up: impl Fn(&[String]) -> Option<(Value, Origin)>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for Mark { key, span } in marks {
            let place = Place {
                file: Arc::clone(file),
                span,
            };
            let Some((value, origin)) = look_up(&key) else {
                problems.push(not_set(place, &key));
                continue;
            };
            self.imply(&key, &place, &look_up);
            self.all.push(Enforcement {
                key,
                value,
                origin,
                place,
                because: None,
            });
        }
        problems
    }

    /// A rule means nothing when its plugin is exchanged, is not asked, or may fail without being noticed.
    fn imply(&mut self, key: &[String], place: &Place, look_up: &impl Fn(&[String]) -> Option<(Value, Origin)>) {
        let [plugins, plugin, rest @ ..] = key else { return };
        if plugins != "plugins" || rest.is_empty() {
            return;
        }
        let usual = [
            ("source", None),
            ("enabled", Some(Value::from(true))),
            ("on_failure", Some(Value::from("block"))),
        ];
        for (name, usual) in usual {
            let implied: KeyPath = vec![plugins.clone(), plugin.clone(), name.to_owned()];
            let place_origin = || Origin::File {
                file: Arc::clone(&place.file),
                prefix: Vec::new(),
            };
            let found = look_up(&implied).or_else(|| usual.map(|value| (value, place_origin())));
            if let Some((value, origin)) = found
                && implied != key
            {
                self.all.push(Enforcement {
                    key: implied,
                    value,
                    origin,
                    place: place.clone(),
                    because: Some(key.join(".")),
                });
            }
        }
    }

    /// Everything in a layer that weakens what is enforced.
    pub fn check(&self, origin: &Origin, dict: &Dict) -> Vec<Weakened> {
        let mut weakened = Vec::new();
        if !self.all.is_empty() {
            self.check_below(origin, dict, &mut Vec::new(), &mut weakened);
        }
        weakened
    }

    fn check_below(&self, origin: &Origin, dict: &Dict, path: &mut KeyPath, weakened: &mut Vec<Weakened>) {
        for (key, value) in dict {
            path.push(key.clone());
            match value {
                Value::Dict(_, below) => self.check_below(origin, below, path, weakened),
                value => weakened.extend(self.of(path).find_map(|enforced| enforced.compare(origin, path, value))),
            }
            path.pop();
        }
    }
}

impl Enforcement {
    /// What is wrong with this value, if anything.
    fn compare(&self, origin: &Origin, path: &[String], found: &Value) -> Option<Weakened> {
        let wanted = below(&self.value, &path[self.key.len()..]);
        let order = order(path);
        let rank = |value: &Value| order.iter().position(|word| value.as_str() == Some(word));
        let fits = match (wanted, wanted.and_then(rank), rank(found)) {
            (None, ..) => false,
            (_, Some(wanted), Some(found)) => found >= wanted,
            (Some(wanted), ..) if path.last().is_some_and(|key| key == "source") => {
                location(wanted, &self.origin) == location(found, origin)
            }
            (Some(wanted), ..) => plain(wanted) == plain(found),
        };
        if fits {
            return None;
        }
        let text = |value: &Value| {
            if is_secret(path) {
                "***".to_owned()
            } else {
                plain(value).to_string()
            }
        };
        let stricter = wanted.and_then(rank).map(|at| {
            order[at..]
                .iter()
                .map(|word| format!("\"{word}\""))
                .collect::<Vec<_>>()
                .join(" or ")
        });
        Some(Weakened {
            key: path.join("."),
            found: text(found),
            wanted: wanted.map(text),
            allowed: stricter,
            because: self.because.clone(),
            by: self.by(),
            set_by: match origin {
                Origin::File { .. } => None,
                other => Some(other.to_string()),
            },
            place: origin.place(path),
        })
    }
}

/// The words of a key from the laxest to the strictest, where there is such an order.
fn order(path: &[String]) -> &'static [&'static str] {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["check", "block_at"] => &["high", "medium", "low"],
        ["plugins", _, "rules", _] => &["off", "low", "medium", "high"],
        ["plugins", _, "on_failure"] => &["warn", "block"],
        ["migrations", "out_of_order" | "missing" | "edited"] => &["allow", "warn", "error"],
        _ => &[],
    }
}

/// A component: two files that write its path differently may mean the same one.
fn location(value: &Value, origin: &Origin) -> Option<PathBuf> {
    let text = value.as_str()?;
    if text.starts_with("builtin:") {
        return Some(PathBuf::from(text));
    }
    let path = origin.folder("".as_ref(), "".as_ref()).join(text);
    Some(std::fs::canonicalize(&path).unwrap_or(path))
}

fn below<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.as_dict()?.get(key))
}

fn plain(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

fn not_set(place: Place, key: &[String]) -> Problem {
    Problem {
        code: "config::enforced",
        message: format!("{} cannot be enforced: nothing sets it", key.join(".")),
        place,
        label: "set neither here nor in a bundle below".to_owned(),
        help: Some("set it in this file, too".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::path::Path;

    use super::super::source;
    use super::super::variables::nest;
    use super::*;

    /// What is wrong with `found` where `key` is enforced with `wanted`.
    fn weakened(key: &str, wanted: &Value, set: &str, found: Value) -> Vec<String> {
        let text = format!("enforced = [\"{key}\"]\n");
        let parsed = source::parse(Path::new("bundle.toml"), text).unwrap();
        let mut enforced = Enforcements::default();
        let problems = enforced.add(&parsed.file, parsed.main.marks, |asked| {
            (asked.join(".") == key).then(|| (wanted.clone(), Origin::Default))
        });
        assert_eq!(problems.len(), 0);
        let weakened = enforced.check(&Origin::Flag("--flag"), &nest(set, found));
        weakened.iter().map(Weakened::message).collect()
    }

    #[test]
    fn stricter_is_fine_and_laxer_is_not() {
        for (key, wanted, fine, wrong) in [
            ("check.block_at", "medium", ["medium", "low"], "high"),
            ("plugins.p.rules.r", "medium", ["medium", "high"], "low"),
            ("plugins.p.on_failure", "warn", ["warn", "block"], "never"),
            ("migrations.edited", "warn", ["warn", "error"], "allow"),
            ("migrations.dir", "db", ["db", "db"], "other"),
        ] {
            let wanted = Value::from(wanted);
            for found in fine {
                assert_eq!(
                    weakened(key, &wanted, key, Value::from(found)),
                    [""; 0],
                    "{key} {found}"
                );
            }
            let message = format!(
                "{key} may not be \"{wrong}\", as --flag says: bundle.toml:1 enforces {}",
                plain(&wanted)
            );
            assert_eq!(weakened(key, &wanted, key, Value::from(wrong)), [message]);
        }
    }

    #[test]
    fn of_a_table_every_value_is_enforced() {
        let table = Value::from(nest("largest", Value::from(5)));
        let key = "plugins.p.settings";
        assert_eq!(
            weakened(key, &table, "plugins.p.settings.largest", Value::from(5)),
            [""; 0]
        );
        assert_eq!(
            weakened(key, &table, "plugins.p.settings.largest", Value::from(6)),
            ["plugins.p.settings.largest may not be 6, as --flag says: bundle.toml:1 enforces 5"]
        );
        assert_eq!(
            weakened(key, &table, "plugins.p.settings.more", Value::from(true)),
            ["plugins.p.settings.more may not be true, as --flag says: bundle.toml:1 enforces the table without it"]
        );
    }

    #[test]
    fn a_rule_implies_that_its_plugin_is_asked_and_heard() {
        let level = Value::from("high");
        let because = "bundle.toml:1 enforces plugins.p.rules.r";
        for (set, found) in [
            ("plugins.p.enabled", Value::from(false)),
            ("plugins.p.on_failure", Value::from("warn")),
        ] {
            let shown = plain(&found);
            let message = format!("{set} may not be {shown}, as --flag says: {because}");
            assert_eq!(weakened("plugins.p.rules.r", &level, set, found), [message]);
        }
        assert_eq!(
            weakened("plugins.p.rules.r", &level, "plugins.q.enabled", Value::from(false)),
            [""; 0]
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let message = &weakened(
            "database.url",
            &Value::from("a://x"),
            "database.url",
            Value::from("b://y"),
        )[0];
        assert_eq!(
            message,
            "database.url may not be ***, as --flag says: bundle.toml:1 enforces ***"
        );
    }
}
