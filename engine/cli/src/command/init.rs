//! `tollgate init`

mod find;
pub mod package_json;
mod template;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::find::{Project, find};
use super::Context;
use crate::config::load::FILE_NAME;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::report::Report;
use crate::output::style::{DIM, NAME, paint};

/// Set a project up: find its migrations, write tollgate.toml, show the package.json scripts
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the scripts into package.json; its formatting and everything else in it stay
    #[arg(long)]
    write_scripts: bool,
}

/// The document of `init`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Made {
    /// The configuration file; absent when there was one already.
    config_file: Option<String>,
    /// The folder of migrations.
    migrations: String,
    /// How many migrations are in it.
    migration_count: usize,
    /// `postgresql`, `sqlite` or `mysql`, where it is known.
    provider: Option<&'static str>,
    /// Scripts for package.json.
    scripts: Vec<ScriptDocument>,
    /// The package.json that was changed.
    package_json: Option<String>,
}

/// One script.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ScriptDocument {
    /// Its name.
    name: &'static str,
    /// The command.
    command: &'static str,
    /// What that name runs now.
    replaces: Option<String>,
}

impl Body for Made {}

/// The scripts that take a Prisma project's migration commands over.
const SCRIPTS: &[(&str, &str)] = &[
    ("db:migrate:deploy", "tollgate deploy"),
    ("db:migrate:dry-run", "tollgate deploy --dry-run"),
    ("db:migrate:status", "tollgate status"),
    ("db:migrate:create", "tollgate new"),
    ("db:migrate:rollback", "tollgate rollback"),
    ("db:migrate:resolve", "tollgate resolve"),
    ("db:check-destructive", "tollgate check"),
];

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let cwd = std::env::current_dir().map_err(|error| Failure::file("init::folder", "read", Path::new("."), &error))?;
    let project = choose(&cwd, context)?;
    let package = package(&cwd)?;
    let target = cwd.join(FILE_NAME);
    let there = target.exists();
    if there && !args.write_scripts {
        let message = format!("{FILE_NAME} is here already");
        let help = "nothing was changed; `tollgate config show` prints what holds, `tollgate init --write-scripts` \
                    writes the scripts only";
        return Err(Failure::new(
            Exit::Usage,
            Report::error("init::exists", message).help(help),
        ));
    }
    let scripts = scripts(package.as_ref())?;
    if !there {
        let text = template::config(&project, &cwd);
        std::fs::write(&target, text).map_err(|error| Failure::file("init::file", "write", &target, &error))?;
    }
    let written = match &package {
        Some(package) if args.write_scripts => Some(write_scripts(package)?),
        _ => None,
    };
    if args.write_scripts && written.is_none() {
        context.ui.warn("there is no package.json here to write scripts into");
    }
    show(
        context,
        &project,
        &cwd,
        there,
        package.is_some().then_some(&scripts),
        written.as_deref(),
    );
    context.ui.document(&Made {
        config_file: (!there).then(|| target.display().to_string()),
        migrations: project.migrations.display().to_string(),
        migration_count: project.count,
        provider: project.provider.map(crate::config::model::Provider::name),
        scripts,
        package_json: written.map(|path| path.display().to_string()),
    });
    Ok(Exit::Done)
}

/// The one project there is, or the one that `--migrations` names.
fn choose(cwd: &Path, context: &Context<'_>) -> Result<Project, Failure> {
    let named = context
        .flags
        .settings
        .iter()
        .find(|(_, key, _)| *key == "migrations.dir");
    if let Some(dir) = named.and_then(|(_, _, value)| value.as_str()) {
        return Ok(Project::at(&cwd.join(dir)));
    }
    let mut found = find(cwd);
    // A package with only a schema does not compete with one that has migrations.
    if found.iter().any(|project| project.count > 0) {
        found.retain(|project| project.count > 0);
    }
    match found.len() {
        0 => Ok(Project::at(&cwd.join("migrations"))),
        1 => Ok(found.remove(0)),
        _ => {
            let relative = |project: &Project| template::relative(&project.migrations, cwd);
            let list = found.iter().map(relative).collect::<Vec<_>>().join(", ");
            let report = Report::error(
                "init::several",
                format!("there are several folders of migrations: {list}"),
            )
            .help("name one with --migrations, or run `tollgate init` in each package");
            Err(Failure::new(Exit::Usage, report))
        }
    }
}

/// A package.json and its text.
struct Package {
    path: PathBuf,
    text: String,
}

fn package(cwd: &Path) -> Result<Option<Package>, Failure> {
    let path = cwd.join("package.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Package { path, text })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("init::package-json", "read", &path, &error)),
    }
}

fn scripts(package: Option<&Package>) -> Result<Vec<ScriptDocument>, Failure> {
    let current = match package {
        Some(package) => package_json::scripts(&package.text).map_err(|error| not_json(package, &error))?,
        None => serde_json::Map::new(),
    };
    let script = |&(name, command): &(&'static str, &'static str)| {
        let now = current.get(name).and_then(|value| value.as_str());
        ScriptDocument {
            name,
            command,
            replaces: now.filter(|now| *now != command).map(ToOwned::to_owned),
        }
    };
    Ok(SCRIPTS.iter().map(script).collect())
}

fn not_json(package: &Package, reason: &str) -> Failure {
    let message = format!("{} cannot be understood: {reason}", package.path.display());
    Failure::new(Exit::Failed, Report::error("init::package-json", message))
}

fn write_scripts(package: &Package) -> Result<PathBuf, Failure> {
    let text = package_json::with_scripts(&package.text, SCRIPTS).map_err(|error| not_json(package, &error))?;
    std::fs::write(&package.path, text)
        .map_err(|error| Failure::file("init::package-json", "write", &package.path, &error))?;
    Ok(package.path.clone())
}

fn show(
    context: &Context<'_>,
    project: &Project,
    cwd: &Path,
    there: bool,
    scripts: Option<&Vec<ScriptDocument>>,
    written: Option<&Path>,
) {
    let ui = context.ui;
    let provider = project
        .provider
        .map_or_else(String::new, |provider| format!(" for {}", provider.name()));
    let migrations = template::relative(&project.migrations, cwd);
    let count = match project.count {
        0 => "no migrations yet".to_owned(),
        1 => "1 migration".to_owned(),
        count => format!("{count} migrations"),
    };
    ui.line(format!("{} {count}{provider}", paint(NAME, format!("{migrations}:"))));
    if !there {
        ui.line(format!("wrote {}", paint(NAME, FILE_NAME)));
    }
    if let Some(scripts) = scripts {
        show_scripts(ui, scripts, written.is_some());
    }
    ui.line(match project.count {
        0 => format!("next: {}", paint(NAME, "tollgate new NAME")),
        _ => format!("next: {}", paint(NAME, "tollgate status")),
    });
}

fn show_scripts(ui: &Ui, scripts: &[ScriptDocument], written: bool) {
    ui.line(if written {
        "wrote these scripts into package.json:"
    } else {
        "scripts for package.json (`tollgate init --write-scripts` writes them):"
    });
    for script in scripts {
        let replaces = script
            .replaces
            .as_ref()
            .map_or_else(String::new, |now| format!("  (was: {now})"));
        ui.line(format!(
            "  \"{}\": \"{}\"{}",
            script.name,
            script.command,
            paint(DIM, replaces)
        ));
    }
}
