//! The configuration of one run: the settings, and the answers that need more than a setting (variables, folders).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;

use super::enforced::Enforcements;
use super::environments::Environments;
use super::error::ConfigError;
use super::model::Settings;
use super::origin::{self, Origin};
use super::secret::Secret;
use super::variables::{Variable, Variables};

/// The prefix of a text that names the variable to read instead.
const INDIRECT: &str = "env:";

/// Everything that configures a run.
pub struct Config {
    /// The settings of all layers.
    pub settings: Settings,
    /// The folder of `tollgate.toml`, or the current one.
    pub root: PathBuf,
    /// The current folder.
    pub cwd: PathBuf,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The chosen environment.
    pub environment: Option<String>,
    /// The variable `DATABASE_URL` leads to another database than the chosen environment names.
    pub url_overruled: bool,
    /// What is odd but no mistake.
    pub warnings: Vec<String>,
    pub(super) figment: Figment,
    pub(super) origins: Vec<Origin>,
    pub(super) enforced: Enforcements,
    pub(super) environments: Environments,
    pub(super) variables: Variables,
}

/// A database URL and the folder that a relative file in it starts from.
#[derive(Debug, Clone)]
pub struct DatabaseUrl {
    /// The URL.
    pub url: Secret,
    /// The folder.
    pub relative_to: PathBuf,
}

impl Config {
    /// Where `key` is from.
    pub fn origin(&self, key: &str) -> &Origin {
        origin::find(&self.figment, &self.origins, key)
    }

    /// The same in words; of a text that names a variable, the variable.
    pub fn named_by(&self, key: &str, text: Option<&str>) -> String {
        let origin = self.origin(key);
        match text.and_then(|text| text.strip_prefix(INDIRECT)) {
            Some(variable) => format!("{variable}, which {origin} names"),
            None => origin.to_string(),
        }
    }

    /// Who runs this, as the environment says it.
    pub fn actor(&self) -> Option<String> {
        self.first_of(&["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "USERNAME"])
    }

    /// The commit that this runs from, as GitHub's and GitLab's runners say it.
    pub fn commit(&self) -> Option<String> {
        self.first_of(&["GITHUB_SHA", "CI_COMMIT_SHA"])
    }

    /// The page of the job that runs this.
    pub fn link(&self) -> Option<String> {
        let value = |name| self.first_of(&[name]);
        let github = || {
            let (server, repository) = (value("GITHUB_SERVER_URL")?, value("GITHUB_REPOSITORY")?);
            Some(format!(
                "{server}/{repository}/actions/runs/{}",
                value("GITHUB_RUN_ID")?
            ))
        };
        github().or_else(|| value("CI_JOB_URL"))
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        names
            .iter()
            .find_map(|name| self.variables.get(name))
            .map(|variable| variable.value)
            .filter(|value| !value.is_empty())
    }

    /// Whether everything in the database may be dropped. The mark has to stand in a file, and for an environment that was
    /// chosen in that environment itself: a mark at the top must not reach production.
    pub fn development(&self) -> bool {
        let in_place = match self.origin("development") {
            Origin::File { prefix, .. } => self.environment.is_none() || !prefix.is_empty(),
            _ => false,
        };
        self.settings.development == Some(true) && in_place
    }

    /// Variables for a program that is started: what the `.env` files set, and the process does not.
    pub fn variables_of_files(&self) -> BTreeMap<&str, &str> {
        self.variables.of_files()
    }

    /// Where to keep what can be made again.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let absolute = |name: &str| {
            let path = PathBuf::from(self.variables.get(name)?.value);
            path.is_absolute().then_some(path)
        };
        let folder = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        folder.map(|folder| folder.join("tollgate"))
    }

    /// Where to keep what has to last, but belongs to this machine.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let absolute = |name: &str| {
            let path = PathBuf::from(self.variables.get(name)?.value);
            path.is_absolute().then_some(path)
        };
        let folder = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        folder.map(|folder| folder.join("tollgate"))
    }

    /// A variable that is no setting.
    pub fn variable(&self, name: &str) -> Option<Secret> {
        self.variables.get(name).map(|variable| Secret::new(variable.value))
    }

    /// The `.env` files that were read.
    pub fn env_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.variables.files()
    }

    /// A path as seen from where it was written.
    pub fn path_from(&self, key: &str, path: &Path) -> PathBuf {
        let joined = self.origin(key).folder(&self.root, &self.cwd).join(path);
        // `a/./b` and `a/b` are one place; people get to see the shorter one.
        joined.components().collect()
    }

    /// The database to work on.
    pub fn database_url(&self) -> Result<DatabaseUrl, ConfigError> {
        let url = self.settings.database.url.as_deref().ok_or(ConfigError::NoDatabase)?;
        self.locate("database.url", url)
    }

    /// Where the lock is taken, when that is not the database's own address.
    pub fn lock_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let url = self.settings.lock.url.as_deref();
        url.map(|url| self.locate("lock.url", url)).transpose()
    }

    /// Where scratch databases are made, when that is not the database's own server.
    pub fn preview_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let url = self.settings.preview.url.as_deref();
        url.map(|url| self.locate("preview.url", url)).transpose()
    }

    /// Prisma's rule: a relative file starts from the schema's folder. Without a schema it starts where the URL was
    /// written, or for a variable at the root of the project, as everybody there reads the same variable.
    fn locate(&self, key: &str, url: &str) -> Result<DatabaseUrl, ConfigError> {
        Ok(self.relative(self.origin(key), self.text(key, url)?))
    }

    /// The same for a URL that is set by `origin`.
    pub(super) fn relative(&self, origin: &Origin, url: Secret) -> DatabaseUrl {
        let written = || match origin {
            Origin::Variable(Variable { file: None, .. }) => self.root.clone(),
            other => other.folder(&self.root, &self.cwd),
        };
        let relative_to = self.prisma_folder().unwrap_or_else(written);
        DatabaseUrl { url, relative_to }
    }

    /// A text, or what the variable that it names holds.
    pub fn text(&self, key: &str, text: &str) -> Result<Secret, ConfigError> {
        let Some(name) = text.strip_prefix(INDIRECT) else {
            return Ok(Secret::new(text));
        };
        self.variables.expect_text(name)?;
        match self.variables.get(name) {
            Some(variable) => Ok(Secret::new(variable.value)),
            None => Err(ConfigError::Unset {
                key: key.to_owned(),
                variable: name.to_owned(),
                place: self
                    .origin(key)
                    .place(&key.split('.').map(ToOwned::to_owned).collect::<Vec<_>>()),
                looked_at: self.variables.looked_at().to_vec(),
            }),
        }
    }

    /// The text, if it is set, and without an error if a variable is not.
    pub fn text_if_set(&self, text: &str) -> Option<Secret> {
        match text.strip_prefix(INDIRECT) {
            None => Some(Secret::new(text)),
            Some(name) => self.variables.get(name).map(|variable| Secret::new(variable.value)),
        }
    }

    /// Every text of this configuration that must never be printed.
    pub fn secrets(&self) -> Vec<String> {
        let settings = &self.settings;
        let urls = [
            &settings.database.url,
            &settings.lock.url,
            &settings.state.url,
            &settings.preview.url,
            &settings.receipt.key,
        ]
        .into_iter()
        .flatten();
        let endpoints = || settings.plugins.values().flat_map(|plugin| plugin.endpoints.values());
        let of_plugins = endpoints().flat_map(|endpoint| {
            endpoint
                .url
                .iter()
                .chain(endpoint.headers.values())
                .chain(endpoint.secrets.values())
        });
        let configured = urls.chain(of_plugins).filter_map(|text| self.text_if_set(text));
        // Set but not used, because a file names another one: still not for printing.
        let usual = ["DATABASE_URL", "SLACK_WEBHOOK_URL"]
            .into_iter()
            .filter_map(|name| self.variables.get(name));
        configured
            .map(|secret| secret.expose().to_owned())
            .chain(usual.map(|variable| variable.value))
            .collect()
    }
}
