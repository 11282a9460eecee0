//! The configuration as a list of keys, values and where each is from, fit to be seen.

use figment::value::Value;

use super::enforced::Enforcement;
use super::origin::{self, Origin};
use super::resolved::Config;
use super::source::is_secret;

/// One setting.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its key, with dots.
    pub key: String,
    /// Its value without anything secret.
    pub value: serde_json::Value,
    /// Where it is from.
    pub origin: Origin,
    /// The files and lines that enforce it, the strictest last.
    pub enforced_by: Vec<String>,
    /// For a text that names a variable: what it leads to.
    pub leads_to: Option<String>,
}

impl Config {
    /// All settings, in the order of the sections of a file.
    pub fn values(&self) -> Vec<Setting> {
        const SECTIONS: [&str; 17] = [
            "development",
            "requires",
            "database",
            "prisma",
            "migrations",
            "check",
            "approvals",
            "teams",
            "receipt",
            "deploy",
            "lock",
            "state",
            "preview",
            "drift",
            "seed",
            "limits",
            "plugins",
        ];
        let mut settings = Vec::new();
        for section in SECTIONS {
            if let Ok(value) = self.figment.find_value(section) {
                self.collect(&value, &mut vec![section.to_owned()], &mut settings);
            }
        }
        settings
    }

    fn collect(&self, value: &Value, path: &mut Vec<String>, settings: &mut Vec<Setting>) {
        if let Value::Dict(_, table) = value {
            // What is in the table itself before the tables below it, as in a file.
            let (below, here): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.as_dict().is_some());
            for (key, value) in here.into_iter().chain(below) {
                path.push(key.to_owned());
                self.collect(value, path, settings);
                path.pop();
            }
            return;
        }
        let origin = origin::of_tag(&self.figment, &self.origins, value.tag()).clone();
        let (value, leads_to) = if is_secret(path) {
            self.redacted(value, path)
        } else {
            (plain(value), None)
        };
        settings.push(Setting {
            enforced_by: self.enforced.of(path).map(Enforcement::by).collect(),
            key: path.join("."),
            value,
            origin,
            leads_to,
        });
    }

    fn redacted(&self, value: &Value, path: &[String]) -> (serde_json::Value, Option<String>) {
        let Some(text) = value.as_str() else {
            return ("***".into(), None);
        };
        let is_url = path.last().is_some_and(|key| key == "url");
        let shown = |secret: &super::Secret| {
            if is_url {
                secret.redacted_url()
            } else {
                secret.to_string()
            }
        };
        if text.starts_with("env:") {
            let leads_to = self
                .text_if_set(text)
                .map_or_else(|| "not set".to_owned(), |secret| shown(&secret));
            return (text.into(), Some(leads_to));
        }
        (shown(&super::Secret::new(text)).into(), None)
    }
}

fn plain(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}
