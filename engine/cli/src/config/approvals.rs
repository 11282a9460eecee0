//! Who may approve findings, what has to be deployed elsewhere first, and what proves that.

use std::path::PathBuf;

use tollgate_engine::ReceiptKey;
use tollgate_engine::nearest::nearest;

use super::error::{ConfigError, Place, Problem};
use super::origin::Origin;
use super::resolved::Config;

impl Config {
    /// Who may approve, teams replaced by their people; `None`: everybody.
    pub fn approvers(&self) -> Result<Option<Vec<String>>, ConfigError> {
        let settings = &self.settings;
        let Some(configured) = &settings.approvals.approvers else {
            return Ok(None);
        };
        let mut people = Vec::new();
        for name in configured {
            match name.strip_prefix('@') {
                None => people.push(name.clone()),
                Some(team) => people.extend(self.team(team)?.iter().cloned()),
            }
        }
        Ok(Some(people))
    }

    fn team(&self, name: &str) -> Result<&[String], ConfigError> {
        let teams = &self.settings.teams;
        let Some(people) = teams.get(name) else {
            let known: Vec<&str> = teams.keys().map(String::as_str).collect();
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean @{near}?"),
                None => format!("write who belongs to it: `{name} = [\"alice@example.org\"]` under [teams]"),
            };
            return Err(self.wrong("approvals.approvers", format!("there is no team @{name}"), help));
        };
        if people.iter().any(|person| person.starts_with('@')) {
            let message = format!("the team {name} has a team in it");
            return Err(self.wrong(
                &format!("teams.{name}"),
                message,
                "write its people themselves".to_owned(),
            ));
        }
        Ok(people)
    }

    /// Whether `deploy --approve` counts. As with [`Config::development`], the mark has to stand in the environment itself.
    pub fn approves_on_command_line(&self) -> bool {
        let in_place = match self.origin("approvals.command_line") {
            Origin::File { prefix, .. } => self.environment.is_none() || !prefix.is_empty(),
            _ => false,
        };
        self.settings.approvals.command_line == Some(true) && in_place
    }

    /// The environment that has to come first.
    pub fn requires(&self) -> Result<Option<&str>, ConfigError> {
        const KEY: &str = "requires";
        let Some(required) = self.settings.requires.as_deref() else {
            return Ok(None);
        };
        let known = self.environments();
        let chosen = self.environment.as_deref();
        let at_top = matches!(self.origin(KEY), Origin::File { prefix, .. } if prefix.is_empty());
        if at_top {
            let help = format!("write it under the environment that comes after {required}");
            return Err(self.wrong(KEY, "requires stands outside of every environment".to_owned(), help));
        }
        if chosen == Some(required) {
            return Err(self.wrong(
                KEY,
                format!("{required} requires itself"),
                "name another environment".to_owned(),
            ));
        }
        if !known.contains(&required) {
            let help = match nearest(required, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(self.wrong(KEY, format!("there is no environment named {required}"), help));
        }
        Ok(Some(required))
    }

    /// What signs receipts, if it is set.
    pub fn receipt_key(&self) -> Result<Option<ReceiptKey>, ConfigError> {
        const KEY: &str = "receipt.key";
        let Some(text) = self.settings.receipt.key.as_deref() else {
            return Ok(None);
        };
        let in_file = matches!(self.origin(KEY), Origin::File { .. });
        if in_file && !text.starts_with("env:") {
            let message = "a key that stands in a file signs for everybody who can read the file".to_owned();
            let help = "name a variable: `key = \"env:TOLLGATE_RECEIPT_KEY\"`".to_owned();
            return Err(self.wrong(KEY, message, help));
        }
        let secret = self.text(KEY, text)?;
        match ReceiptKey::new(secret.expose()) {
            Some(key) => Ok(Some(key)),
            None => Err(ConfigError::Variable {
                variable: self.named_by(KEY, Some(text)),
                value: None,
                expected: format!(
                    "{} characters long at least, for example what `openssl rand -hex 32` prints",
                    ReceiptKey::SHORTEST
                ),
            }),
        }
    }

    /// A setting of a file that can be read and makes no sense.
    fn wrong(&self, key: &str, message: String, help: String) -> ConfigError {
        let path: Vec<String> = key.split('.').map(ToOwned::to_owned).collect();
        match self.origin(key).place(&path) {
            Some(place) => ConfigError::Invalid {
                problems: vec![problem(message, place, help)],
                secrets: Vec::new(),
            },
            // Only files set these.
            None => ConfigError::Unreadable {
                path: PathBuf::from(key),
                reason: message,
            },
        }
    }
}

fn problem(message: String, place: Place, help: String) -> Problem {
    Problem {
        code: "config::approvals",
        message,
        place,
        label: "set here".to_owned(),
        help: Some(help),
    }
}
