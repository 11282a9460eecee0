//! From files, environment and flags to one [`Config`]: finds them, checks each by itself, lays them over each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::Config;
use super::bundles;
use super::enforced::Enforcements;
use super::environments::Environments;
use super::error::{ConfigError, Problem, Weakened, expected};
use super::model::{Settings, defaults};
use super::origin::Origin;
use super::source::{Parsed, Section, SourceFile};
use super::variables::{self, Variable, Variables, nest};

/// The file that is looked for.
pub const FILE_NAME: &str = "tollgate.toml";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--env`
    pub environment: Option<String>,
    /// Flag, key and value of every setting that a flag makes.
    pub settings: Vec<(&'static str, &'static str, Value)>,
}

impl Flags {
    /// Adds a text, if the flag was given.
    pub fn text(&mut self, flag: &'static str, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.settings.push((flag, key, Value::from(value)));
        }
    }

    /// Adds a number, if the flag was given.
    pub fn number(&mut self, flag: &'static str, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.settings.push((flag, key, Value::from(value)));
        }
    }
}

/// Reads everything that configures this run. Texts that must not be printed are handed to `hide` as soon as they are
/// known, so that not even an error shows them.
pub fn load(flags: &Flags, hide: &mut dyn FnMut(&str)) -> Result<Config, ConfigError> {
    let cwd = std::env::current_dir().map_err(ConfigError::NoCurrentFolder)?;
    let mut variables = Variables::of_process();
    variables::expect_text(&variables)?;
    let file = find_file(flags, &variables, &cwd)?;
    let parsed = match &file {
        Some(path) => bundles::read(path, hide)?,
        None => Vec::new(),
    };
    let root = file
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(|| cwd.clone(), Path::to_owned);
    let environment = choose_environment(flags, &variables, &parsed, file.as_deref())?;
    let mut layers = Layers::new()?;
    layers.files(parsed, environment.as_deref())?;
    read_dotenv(&mut variables, &layers, &root)?;
    layers.slack(&variables);
    let overruled = layers.variables(&variables)?;
    for (flag, key, value) in &flags.settings {
        layers.add(Origin::Flag(flag), nest(key, value.clone()));
    }
    layers.expect_enforced()?;
    let mut warnings = unknown_variables(&variables);
    let url_overruled = overruled.is_some();
    warnings.extend(overruled);
    let config = layers.finish(Finished {
        variables,
        root,
        cwd,
        file,
        environment,
        url_overruled,
        warnings,
    })?;
    for secret in config.secrets() {
        hide(&secret);
    }
    Ok(config)
}

fn find_file(flags: &Flags, variables: &Variables, cwd: &Path) -> Result<Option<PathBuf>, ConfigError> {
    let named = flags
        .config
        .clone()
        .or_else(|| variables.get(variables::CONFIG).map(|found| found.value.into()));
    if let Some(named) = named {
        let path: PathBuf = cwd.join(named).components().collect();
        return match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(Some(path)),
            Ok(_) => Err(ConfigError::Unreadable {
                path,
                reason: "it is not a file".to_owned(),
            }),
            Err(error) => Err(ConfigError::Unreadable {
                path,
                reason: error.to_string(),
            }),
        };
    }
    Ok(cwd
        .ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.is_file()))
}

fn choose_environment(
    flags: &Flags,
    variables: &Variables,
    parsed: &[Parsed],
    file: Option<&Path>,
) -> Result<Option<String>, ConfigError> {
    let named = flags
        .environment
        .clone()
        .or_else(|| variables.get(variables::ENVIRONMENT).map(|found| found.value));
    let Some(name) = named else { return Ok(None) };
    let mut known: Vec<String> = parsed
        .iter()
        .flat_map(|file| file.environments.keys().cloned())
        .collect();
    if known.contains(&name) {
        return Ok(Some(name));
    }
    known.sort();
    known.dedup();
    Err(ConfigError::NoEnvironment {
        name,
        known,
        file: file.map(Path::to_owned),
    })
}

/// Where Prisma looks for `.env`: beside the nearest package.json, beside the schema, in `prisma/`, in the folder
/// itself. Where the migrations are in a package of a monorepo, that package is looked at too. The first one that has a
/// name wins.
fn read_dotenv(variables: &mut Variables, layers: &Layers, root: &Path) -> Result<(), ConfigError> {
    let mut folders = Vec::new();
    folders.extend(nearest_package(root));
    let schema = layers.path("prisma.schema", root);
    folders.extend(schema.as_deref().map(super::project::schema_folder));
    folders.push(root.join("prisma"));
    folders.push(root.to_owned());
    let beside = layers
        .path("migrations.dir", root)
        .and_then(|dir| dir.parent().map(Path::to_owned));
    folders.extend(beside.as_deref().and_then(nearest_package));
    folders.extend(beside);
    folders
        .iter()
        .try_for_each(|folder| variables.add_file(&folder.join(".env")))
}

fn nearest_package(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| folder.join("package.json").is_file())
        .map(Path::to_owned)
}

fn unknown_variables(variables: &Variables) -> Vec<String> {
    let warn = |(name, near): (String, Option<String>)| match near {
        Some(near) => format!("the variable {name} sets nothing; did you mean {near}?"),
        None => format!("the variable {name} sets nothing"),
    };
    variables::unknown(variables).into_iter().map(warn).collect()
}

/// How much of a wrong value an error repeats.
const MOST_OF_VALUE: usize = 40;

/// The layers on their way to a [`Config`].
struct Layers {
    figment: Figment,
    origins: Vec<Origin>,
    enforced: Enforcements,
    weakened: Vec<Weakened>,
    environments: Environments,
}

/// What else a [`Config`] is made of.
struct Finished {
    variables: Variables,
    root: PathBuf,
    cwd: PathBuf,
    file: Option<PathBuf>,
    environment: Option<String>,
    url_overruled: bool,
    warnings: Vec<String>,
}

impl Layers {
    fn new() -> Result<Self, ConfigError> {
        let mut layers = Self {
            figment: Figment::new(),
            origins: Vec::new(),
            enforced: Enforcements::default(),
            weakened: Vec::new(),
            environments: Environments::default(),
        };
        let defaults = Value::serialize(defaults()).map_err(|error| internal(&error))?;
        layers.add(Origin::Default, prune(defaults.into_dict().unwrap_or_default()));
        Ok(layers)
    }

    fn add(&mut self, origin: Origin, dict: Dict) {
        self.weakened.extend(self.enforced.check(&origin, &dict));
        let layer = Layer {
            number: self.origins.len(),
            dict,
        };
        self.origins.push(origin);
        self.figment = std::mem::take(&mut self.figment).merge(layer);
    }

    /// Checks every part of every file, those of other environments included, and adds those that count.
    fn files(&mut self, parsed: Vec<Parsed>, environment: Option<&str>) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut secrets = Vec::new();
        let mut sections: BTreeMap<String, Vec<(Arc<SourceFile>, Section)>> = BTreeMap::new();
        for parsed in parsed {
            secrets.extend(parsed.secrets);
            problems.extend(check(&parsed.file, &[], &parsed.main.dict));
            problems.extend(self.section(&parsed.file, &[], parsed.main));
            for (name, section) in parsed.environments {
                let prefix = ["environments".to_owned(), name];
                problems.extend(check(&parsed.file, &prefix, &section.dict));
                self.environments.add(&parsed.file, &prefix, &section.dict);
                let [_, name] = prefix;
                sections
                    .entry(name)
                    .or_default()
                    .push((Arc::clone(&parsed.file), section));
            }
        }
        let chosen = environment.and_then(|name| sections.remove_entry(name));
        for (name, sections) in sections.into_iter().chain(chosen) {
            let prefix = ["environments".to_owned(), name];
            let before = (self.figment.clone(), self.origins.len(), self.enforced.clone());
            for (file, section) in sections {
                problems.extend(self.section(&file, &prefix, section));
            }
            if environment != Some(prefix[1].as_str()) {
                // It was laid over the others only to see whether it may be.
                (self.figment, _, self.enforced) = before;
                self.origins.truncate(before.1);
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid { problems, secrets })
        }
    }

    /// Adds one part of a file, and what it enforces from there on.
    fn section(&mut self, file: &Arc<SourceFile>, prefix: &[String], section: Section) -> Vec<Problem> {
        let origin = Origin::File {
            file: Arc::clone(file),
            prefix: prefix.to_vec(),
        };
        self.add(origin, section.dict);
        let (figment, origins) = (&self.figment, &self.origins);
        self.enforced.add(file, section.marks, |key| {
            let key = key.join(".");
            let value = figment.find_value(&key).ok()?;
            Some((value, super::origin::find(figment, origins, &key).clone()))
        })
    }

    /// Refuses layers that are laxer than one below them allows.
    fn expect_enforced(&mut self) -> Result<(), ConfigError> {
        if self.weakened.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Weakened(std::mem::take(&mut self.weakened)))
    }

    /// Slack needs nothing but its address: where the variable is set and no file has an endpoint, that is it.
    fn slack(&mut self, variables: &Variables) {
        const NAME: &str = "SLACK_WEBHOOK_URL";
        let Some(variable) = variables.get(NAME) else { return };
        if !self.figment.contains("plugins.slack.endpoints") {
            let value = Value::from(format!("env:{NAME}"));
            self.add(
                Origin::Variable(variable),
                nest("plugins.slack.endpoints.webhook.url", value),
            );
        }
    }

    /// With a warning where that leads to another database than the chosen environment has.
    fn variables(&mut self, variables: &Variables) -> Result<Option<String>, ConfigError> {
        let overruled = self.database_url(variables);
        for (variable, key, dict) in variables::settings(variables) {
            self.variable(variable, key, dict)?;
        }
        Ok(overruled)
    }

    /// `DATABASE_URL` is above the files, as every variable, but every tool of a project reads it. So where a file says
    /// that the URL is in *another* variable (a direct one beside the pooled one, production's beside one's own), that
    /// is the environment's answer already and it must not be exchanged for the wrong database.
    fn database_url(&mut self, variables: &Variables) -> Option<String> {
        let variable = variables.get("DATABASE_URL")?;
        if self.text("database.url").is_some_and(|url| url.starts_with("env:")) {
            return None;
        }
        let overruled = match super::origin::find(&self.figment, &self.origins, "database.url") {
            Origin::File { prefix, .. } if !prefix.is_empty() => Some(format!(
                "the variable DATABASE_URL goes before the url of [{}]; there, name a variable of its own: env:NAME",
                prefix.join(".")
            )),
            _ => None,
        };
        let value = Value::from(variable.value.as_str());
        self.add(Origin::Variable(variable), nest("database.url", value));
        overruled
    }

    fn variable(&mut self, variable: Variable, key: &str, dict: Dict) -> Result<(), ConfigError> {
        if let Err(error) = typed(&dict) {
            // URLs may hold passwords.
            let value = (!key.ends_with("url")).then(|| variable.value.chars().take(MOST_OF_VALUE).collect());
            return Err(ConfigError::Variable {
                variable: Origin::Variable(variable).to_string(),
                value,
                expected: expected(&error),
            });
        }
        self.add(Origin::Variable(variable), dict);
        Ok(())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.figment.find_value(key).ok()?.into_string()
    }

    /// A path that a file sets, as seen from there.
    fn path(&self, key: &str, root: &Path) -> Option<PathBuf> {
        let text = self.text(key)?;
        let folder = super::origin::find(&self.figment, &self.origins, key).folder(root, root);
        Some(folder.join(text))
    }

    fn finish(self, parts: Finished) -> Result<Config, ConfigError> {
        let settings = self.figment.extract().map_err(|error| internal(&error))?;
        let Finished {
            variables,
            root,
            cwd,
            file,
            environment,
            url_overruled,
            warnings,
        } = parts;
        let Self {
            figment,
            origins,
            enforced,
            environments,
            ..
        } = self;
        Ok(Config {
            settings,
            root,
            cwd,
            file,
            environment,
            url_overruled,
            warnings,
            figment,
            origins,
            enforced,
            environments,
            variables,
        })
    }
}

/// Everything wrong in one layer: what is found is taken out and the rest read again, so that all mistakes of a file
/// show at once.
fn check(file: &Arc<SourceFile>, prefix: &[String], dict: &Dict) -> Vec<Problem> {
    const MOST: usize = 20;
    let mut dict = dict.clone();
    let mut problems = Vec::new();
    while let Err(error) = typed(&dict) {
        problems.push(Problem::typed(file, prefix, &error));
        if problems.len() == MOST || !remove(&mut dict, &error.path) {
            break;
        }
    }
    let place = |problem: &Problem| problem.place.span.start;
    problems.sort_by_key(place);
    problems
}

#[expect(clippy::result_large_err, reason = "figment's own error, read once and gone")]
fn typed(dict: &Dict) -> Result<Settings, figment::Error> {
    Figment::from(Layer {
        number: 0,
        dict: dict.clone(),
    })
    .extract()
}

/// Removes the value at `path`, or the list that holds it.
fn remove(dict: &mut Dict, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    if rest.is_empty() {
        return dict.remove(first).is_some();
    }
    match dict.get_mut(first) {
        Some(Value::Dict(_, inner)) => remove(inner, rest),
        Some(_) => dict.remove(first).is_some(),
        None => false,
    }
}

/// Without what is not set: serde writes absent options and empty tables, which would hide what a layer did not say.
fn prune(dict: Dict) -> Dict {
    dict.into_iter()
        .filter_map(|(key, value)| match value {
            Value::Empty(..) => None,
            Value::Dict(tag, inner) => {
                let inner = prune(inner);
                (!inner.is_empty()).then_some((key, Value::Dict(tag, inner)))
            }
            other => Some((key, other)),
        })
        .collect()
}

/// The layers were read one by one before; laid over each other they cannot become wrong. Should they, say which.
fn internal(error: &figment::Error) -> ConfigError {
    ConfigError::Variable {
        variable: error.path.join("."),
        value: None,
        expected: expected(error),
    }
}

/// One layer as figment takes it. Its number leads back to its origin.
struct Layer {
    number: usize,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::from("layer", figment::Source::Custom(self.number.to_string()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(BTreeMap::from([(Profile::Default, self.dict.clone())]))
    }
}
