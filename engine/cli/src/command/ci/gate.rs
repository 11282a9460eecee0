//! `tollgate ci gate`

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::host::types::Severity;
use tollgate_engine::{CheckedMigration, DeployOptions, Event, deploy};

use super::super::Context;
use super::surroundings::{failure, repository};
use crate::engine::findings::count;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::report::Report;

/// Make sure that a person has to approve the job, before destructive changes are deployed by it
///
/// Looks at what is pending on the database; with findings of level high, approved or not, it asks GitHub whether the
/// environment has required reviewers, and stops if it has none. Run it just before `deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment of the workflow's job, as GitHub knows it [default: the one of --env]
    #[arg(long, value_name = "NAME")]
    github_environment: Option<String>,
}

/// The document of `ci gate`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gated {
    /// Pending migrations with findings of level high.
    destructive: Vec<String>,
    /// Whether the environment has required reviewers; absent when nobody had to ask.
    reviewers: Option<bool>,
}

impl Body for Gated {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let environment = args.github_environment.clone().or_else(|| config.environment.clone());
    let Some(environment) = environment else {
        let report = Report::error("ci::environment", "which environment the job has is not said")
            .help("name it with --env, or with --github-environment where GitHub has another name for it");
        return Err(Failure::new(Exit::Usage, report));
    };
    let (project, loaded) = project::project(&config, ui, &[Kind::Policy])?;
    let mut judged = Vec::new();
    let options = DeployOptions {
        dry_run: true,
        ..DeployOptions::default()
    };
    let planned = deploy(&project, &options, &mut |event| {
        if let Event::Judged(checked) = event {
            judged = checked;
        }
    });
    loaded.show_log(ui);
    planned?;
    let destructive: Vec<String> = judged
        .iter()
        .filter(|migration| is_grave(migration))
        .map(|migration| migration.name.clone())
        .collect();
    let reviewers = if destructive.is_empty() {
        None
    } else {
        Some(
            repository(ui)?
                .has_reviewers(&environment)
                .map_err(|error| failure(&error))?,
        )
    };
    if reviewers == Some(false) {
        return Err(unguarded(&environment, &destructive));
    }
    ui.line(match reviewers {
        None => "nothing destructive is pending".to_owned(),
        Some(_) => format!(
            "{} with destructive changes; `{environment}` has required reviewers",
            count(destructive.len(), "migration")
        ),
    });
    ui.document(&Gated { destructive, reviewers });
    Ok(Exit::Done)
}

/// It has a finding of level high, whoever has allowed it, or a policy could not say.
fn is_grave(migration: &CheckedMigration) -> bool {
    let judgement = &migration.judgement;
    let mut findings = judgement.findings.iter();
    findings.any(|judged| judged.finding.severity >= Severity::High)
        || judgement.failures.iter().any(|failure| failure.blocking)
}

fn unguarded(environment: &str, destructive: &[String]) -> Failure {
    let message = format!(
        "nobody has to approve deployments to `{environment}`, and destructive changes are pending: {}",
        destructive.join(", ")
    );
    let help = "in the repository's settings, under Environments, give it required reviewers; then run the job again";
    let report = Report::error("ci::no-reviewers", message)
        .help(help)
        .database("unchanged: nothing was applied");
    Failure::new(Exit::Blocked, report)
}
