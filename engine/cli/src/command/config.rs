//! `tollgate config`

use serde::Serialize;

use super::Context;
use crate::config::Config;
use crate::config::origin::Origin;
use crate::config::values::Setting;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::style::{DIM, NAME, paint};

/// Look at the configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
}

/// Print every setting as it holds for this run; secrets stay hidden
#[derive(Debug, clap::Args)]
struct Show {
    /// Say which file, variable or flag each setting is from
    #[arg(long)]
    origin: bool,
}

/// The document of `config show`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// The file that was read.
    file: Option<String>,
    /// The chosen environment.
    environment: Option<String>,
    /// Every setting.
    settings: Vec<SettingDocument>,
}

/// One setting.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SettingDocument {
    /// Its key, with dots.
    key: String,
    /// Its value; secrets are hidden.
    value: serde_json::Value,
    /// What the variable that the value names holds, as far as it may be seen.
    leads_to: Option<String>,
    /// Where it is from.
    origin: OriginDocument,
    /// The files and lines that enforce it, as `FILE:LINE`: nothing above them may weaken it.
    enforced_by: Vec<String>,
}

/// Where a setting is from.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OriginDocument {
    /// `default`, `file`, `variable` or `flag`.
    kind: &'static str,
    /// The file, also the `.env` file of a variable.
    file: Option<String>,
    /// The file is a bundle that the project, or another bundle, extends.
    bundle: bool,
    /// The environment in whose table of the file it stands.
    environment: Option<String>,
    /// Line in the file, counted from 1.
    line: Option<usize>,
    /// Name of the variable or flag.
    name: Option<String>,
}

impl Body for Shown {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let Command::Show(show) = &args.command;
    let config = context.config()?;
    let settings = config.values();
    let (mut table, mut lines) = (String::new(), Vec::new());
    for setting in &settings {
        let (section, key) = split(&setting.key);
        if section != table {
            section.clone_into(&mut table);
            lines.push(format!(
                "{}[{}]",
                if lines.is_empty() { "" } else { "\n" },
                paint(NAME, &table)
            ));
        }
        lines.push(line(key, setting, show.origin));
    }
    context.ui.line(lines.join("\n"));
    context.ui.document(&document(&config, settings));
    Ok(Exit::Done)
}

/// The table of a key and its name in there.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn line(key: &str, setting: &Setting, origin: bool) -> String {
    let mut comments = Vec::new();
    comments.extend(setting.leads_to.clone());
    if origin {
        comments.push(format!("from {}", described(&setting.key, &setting.origin)));
        if let Some(by) = setting.enforced_by.last() {
            comments.push(format!("enforced by {by}"));
        }
    }
    let comment = if comments.is_empty() {
        String::new()
    } else {
        format!("  # {}", comments.join(", "))
    };
    format!("{key} = {}{}", setting.value, paint(DIM, comment))
}

fn described(key: &str, origin: &Origin) -> String {
    let place = match line_of(key, origin) {
        Some(line) => format!("{origin}:{line}"),
        None => origin.to_string(),
    };
    match origin.environment() {
        Some(name) => format!("{place} [environments.{name}]"),
        None => place,
    }
}

fn line_of(key: &str, origin: &Origin) -> Option<usize> {
    let path: Vec<String> = key.split('.').map(ToOwned::to_owned).collect();
    let place = origin.place(&path)?;
    Some(place.file.line(place.span.start))
}

fn document(config: &Config, settings: Vec<Setting>) -> Shown {
    let origin = |key: &str, origin: &Origin| OriginDocument {
        kind: match origin {
            Origin::Default => "default",
            Origin::File { .. } => "file",
            Origin::Variable(_) => "variable",
            Origin::Flag(_) => "flag",
        },
        file: match origin {
            Origin::File { file, .. } => Some(file.path.display().to_string()),
            Origin::Variable(variable) => variable.file.as_ref().map(|file| file.display().to_string()),
            _ => None,
        },
        bundle: matches!(origin, Origin::File { file, .. } if Some(&file.path) != config.file.as_ref()),
        environment: origin.environment().map(ToOwned::to_owned),
        line: line_of(key, origin),
        name: match origin {
            Origin::Variable(variable) => Some(variable.name.clone()),
            Origin::Flag(flag) => Some((*flag).to_owned()),
            _ => None,
        },
    };
    let settings = settings.into_iter().map(|setting| SettingDocument {
        origin: origin(&setting.key, &setting.origin),
        enforced_by: setting.enforced_by,
        key: setting.key,
        value: setting.value,
        leads_to: setting.leads_to,
    });
    Shown {
        file: config.file.as_ref().map(|file| file.display().to_string()),
        environment: config.environment.clone(),
        settings: settings.collect(),
    }
}
