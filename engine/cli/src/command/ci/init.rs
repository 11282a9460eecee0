//! `tollgate ci init`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::Context;
use crate::config::Config;
use crate::config::load::FILE_NAME;
use crate::config::model::Provider;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::path::shown;
use crate::output::report::Report;
use crate::output::reports::Root;

/// Write the workflow .github/workflows/db-migrations.yml, and what it needs in tollgate.toml
///
/// Pull requests are checked and tried on a preview database, with a comment that says how it went. What is merged is
/// deployed to staging, and to production once somebody has approved it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Branches whose merges are deployed
    #[arg(long, value_name = "NAME", default_values = ["main", "master"])]
    branch: Vec<String>,
    /// Write over a workflow that is there already
    #[arg(long)]
    force: bool,
}

/// The document of `ci init`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Made {
    /// The workflow.
    workflow: PathBuf,
    /// The configuration, where sections were added to it.
    config: Option<PathBuf>,
    /// What remains to be done, by hand.
    todo: Vec<String>,
}

impl Body for Made {}

/// Below the root of the repository.
const WORKFLOW: &str = ".github/workflows/db-migrations.yml";

const TEMPLATE: &str = include_str!("workflow.yml");
const INSTALL: &str = include_str!("install.yml");

/// Actions by the digest of a release, which nobody can move; the tag beside it is for people and for update bots.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
const UPLOAD: &str = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0";

/// A PostgreSQL server beside the job.
const SERVICE: &str = "    services:
      postgres:
        # The version that production runs is the best choice here.
        image: postgres:17
        env:
          POSTGRES_PASSWORD: preview
        ports:
          - 5432:5432
        options: >-
          --health-cmd pg_isready --health-interval 2s --health-timeout 5s --health-retries 30
";

const PREVIEW_ON_SERVER: &str = "        env:
          DATABASE_URL: postgresql://postgres:preview@127.0.0.1:5432/postgres
        run: |
          tollgate preview --report markdown=\"$RUNNER_TEMP/tollgate-report/preview.md\"";

const PREVIEW_IN_FILE: &str = "        env:
          DATABASE_URL: file:${{ runner.temp }}/preview.db
        run: |
          tollgate preview --report markdown=\"$RUNNER_TEMP/tollgate-report/preview.md\"";

/// The sections of `tollgate.toml` that the workflow's deployments need, each with the header that shows that it is there.
const SECTIONS: [(&str, &str); 2] = [
    (
        "staging",
        "\n[environments.staging.database]\nurl = \"env:STAGING_DATABASE_URL\"\n",
    ),
    (
        "production",
        "\n[environments.production.database]\nurl = \"env:PRODUCTION_DATABASE_URL\"\n",
    ),
];

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let provider = project::context(&config, &folder, ui)?.dialect;
    let here = std::env::current_dir().map_err(|error| Failure::file("ci::folder", "read", Path::new("."), &error))?;
    let root = Root::around(&here);
    let path = root.path().join(WORKFLOW);
    if path.exists() && !args.force {
        let message = format!("{} is there already", shown(&path));
        let help = "nothing was changed; --force writes over it";
        return Err(Failure::new(
            Exit::Usage,
            Report::error("ci::exists", message).help(help),
        ));
    }
    let provider = match provider {
        tollgate_engine::sql::Dialect::Sqlite => Provider::Sqlite,
        _ => Provider::Postgresql,
    };
    let project_folder = config.file.as_deref().and_then(Path::parent).unwrap_or(&here);
    let places = Places {
        project: root.name(project_folder),
        migrations: root.name(&folder.dir),
    };
    let text = workflow(&places, provider, &args.branch)?;
    write(&path, &text)?;
    let changed = add_sections(&config, project_folder)?;
    ui.line(format!("wrote {}", shown(&path)));
    if let Some(config) = &changed {
        ui.line(format!(
            "added the environments staging and production to {}",
            shown(config)
        ));
    }
    let todo = todo();
    for line in &todo {
        ui.line(format!("- {line}"));
    }
    ui.document(&Made {
        workflow: path,
        config: changed,
        todo,
    });
    Ok(Exit::Done)
}

fn todo() -> Vec<String> {
    [
        "in the repository's settings, under Environments: make `staging` and `production`, and give `production` required reviewers",
        "add the secrets STAGING_DATABASE_URL and PRODUCTION_DATABASE_URL to the environment of that name, and SLACK_WEBHOOK_URL to both",
        "commit the workflow and tollgate.toml",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Folders from the root of the repository; empty is the root itself.
struct Places {
    project: String,
    migrations: String,
}

/// The template with everything filled in.
fn workflow(places: &Places, provider: Provider, branches: &[String]) -> Result<String, Failure> {
    let project = if places.project.is_empty() {
        "."
    } else {
        &places.project
    };
    let config = if places.project.is_empty() {
        FILE_NAME.to_owned()
    } else {
        format!("{}/{FILE_NAME}", places.project)
    };
    let paths = [format!("{}/**", places.migrations), config, WORKFLOW.to_owned()];
    let (service, preview) = match provider {
        Provider::Sqlite => ("", PREVIEW_IN_FILE),
        _ => (SERVICE, PREVIEW_ON_SERVER),
    };
    for name in paths.iter().chain(branches) {
        if name
            .chars()
            .any(|letter| letter.is_control() || letter == '"' || letter == '\\')
            || name.contains("${{")
        {
            let message = format!("`{}` cannot stand in a workflow", name.escape_default());
            return Err(Failure::new(
                Exit::Usage,
                Report::error("ci::name", message).help("rename it"),
            ));
        }
    }
    let list = |names: &[String]| {
        names
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    Ok(TEMPLATE
        .replace("@PATHS@", &list(&paths))
        .replace("@BRANCHES@", &list(branches))
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@SERVICE@", service)
        .replace("@PREVIEW@", preview)
        .replace("@INSTALL@", INSTALL.trim_end())
        .replace("@ROOT@", &format!("\"{project}\""))
        .replace("@CHECKOUT@", CHECKOUT)
        .replace("@UPLOAD@", UPLOAD))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::file("ci::workflow", "write", path, &error))
}

/// Adds the environments that are not there to the project's configuration, whose text stays as it is. The file that was
/// changed.
fn add_sections(config: &Config, project: &Path) -> Result<Option<PathBuf>, Failure> {
    let path = config.file.clone().unwrap_or_else(|| project.join(FILE_NAME));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::file("ci::config", "read", &path, &error)),
    };
    // It has been read as configuration before, without an error.
    let table: toml::Table = text.parse().unwrap_or_default();
    let environments = table.get("environments").and_then(toml::Value::as_table);
    let missing: String = SECTIONS
        .iter()
        .filter(|(name, _)| !environments.is_some_and(|environments| environments.contains_key(*name)))
        .map(|(_, section)| *section)
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    std::fs::write(&path, format!("{text}{end}{missing}"))
        .map_err(|error| Failure::file("ci::config", "write", &path, &error))?;
    Ok(Some(path))
}
