//! The environments of the configuration, also those that were not chosen, and where the database of each is.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::{Dict, Value};

use super::origin::Origin;
use super::resolved::{Config, DatabaseUrl};
use super::source::SourceFile;

/// All environments by name.
#[derive(Debug, Clone, Default)]
pub struct Environments {
    all: BTreeMap<String, Option<Url>>,
}

/// A URL that an environment sets itself, as written.
#[derive(Clone)]
struct Url {
    text: String,
    origin: Origin,
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Environments {
    /// Takes note of a file's part about one environment. Files are added lowest first.
    pub(super) fn add(&mut self, file: &Arc<SourceFile>, prefix: &[String; 2], dict: &Dict) {
        let url = dict
            .get("database")
            .and_then(Value::as_dict)
            .and_then(|table| table.get("url"));
        let found = self.all.entry(prefix[1].clone()).or_default();
        if let Some(text) = url.and_then(Value::as_str) {
            *found = Some(Url {
                text: text.to_owned(),
                origin: Origin::File {
                    file: Arc::clone(file),
                    prefix: prefix.to_vec(),
                },
            });
        }
    }
}

impl Config {
    /// The names of all environments.
    pub fn environments(&self) -> Vec<&str> {
        self.environments.all.keys().map(String::as_str).collect()
    }

    /// The database of an environment that was not chosen. Only what that environment sets itself counts: what stands at
    /// the top of the file, or in `DATABASE_URL`, is the database of this run.
    ///
    /// # Errors
    /// Why it is not known, as a sentence.
    pub fn database_of(&self, environment: &str) -> Result<DatabaseUrl, String> {
        let Some(Url { text, origin }) = self.environments.all.get(environment).and_then(Option::as_ref) else {
            return Err(format!("[environments.{environment}] has no database.url"));
        };
        match self.text_if_set(text) {
            Some(url) => Ok(self.relative(origin, url)),
            None => Err(format!("{} is not set", text.strip_prefix("env:").unwrap_or(text))),
        }
    }
}
