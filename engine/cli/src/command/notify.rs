//! `tollgate notify`

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::host::types::{Event, Finding, MigrationFindings, Run, Severity, Verdict};
use tollgate_engine::{Delivery, retry_notifications, tell_now};

use super::Context;
use crate::config::Config;
use crate::engine::events::DeliveryDocument;
use crate::engine::plugins::Loader;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::report::Report;
use crate::output::style::{BAD, GOOD, NAME, paint};
use crate::signal;

/// Try whether people can be told, and send what has not arrived
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Test(Test),
    Retry,
}

/// Send an event that has not happened through every notifier, marked as a test
#[derive(Debug, clap::Args)]
struct Test {
    /// Only through this one [default: all that are on]
    #[arg(value_name = "PLUGIN")]
    plugin: Option<String>,
    /// Which event
    #[arg(long, value_enum, default_value_t = Sample::Finished)]
    event: Sample,
}

/// Events, by their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sample {
    /// The run waits for the lock
    WaitingForLock,
    /// The run starts
    Planned,
    /// The policies have judged
    Checked,
    /// Somebody has to approve it
    AwaitingApproval,
    /// A migration is in
    Applied,
    /// A migration has failed
    Failed,
    /// A migration is taken back
    RolledBack,
    /// The run went well
    Finished,
}

/// The document of `notify`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Told {
    /// What became of each message.
    deliveries: Vec<DeliveryDocument>,
}

impl Body for Told {}

impl Args {
    /// The command's name in JSON documents.
    pub fn name(&self) -> &'static str {
        match self.command {
            Command::Test(_) => "notify test",
            Command::Retry => "notify retry",
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    let deliveries = match &args.command {
        Command::Test(test) => test_all(test, context, &config)?,
        Command::Retry => {
            let (project, loaded) = project::project(&config, context.ui, &[Kind::Notifier])?;
            let deliveries = retry_notifications(&project);
            loaded.show_log(context.ui);
            deliveries?
        }
    };
    if deliveries.is_empty() {
        context.ui.line("nothing had to be sent");
    }
    show(context.ui, &deliveries);
    let failed = deliveries.iter().any(|delivery| delivery.error.is_some());
    context.ui.document(&Told {
        deliveries: deliveries.iter().map(DeliveryDocument::from).collect(),
    });
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn test_all(test: &Test, context: &Context<'_>, config: &Config) -> Result<Vec<Delivery>, Failure> {
    let loaded = Loader::new(config, context.ui).load(&[Kind::Notifier])?;
    let mut notifiers = loaded.notifiers.clone();
    if let Some(wanted) = &test.plugin {
        notifiers.retain(|notifier| notifier.plugin.name() == wanted);
        if notifiers.is_empty() {
            let report = Report::error("notify::unknown", format!("no notifier `{wanted}` is on"))
                .help("`tollgate plugin list` says which there are, and why one is off");
            return Err(Failure::new(Exit::Usage, report));
        }
    }
    let deliveries = tell_now(
        &notifiers,
        &sample_run(config),
        &sample(test.event),
        &signal::interrupt(),
    );
    loaded.show_log(context.ui);
    Ok(deliveries)
}

fn show(ui: &Ui, deliveries: &[Delivery]) {
    for delivery in deliveries {
        let (plugin, place) = (paint(NAME, &delivery.plugin), &delivery.destination);
        match &delivery.error {
            None => ui.line(format!(
                "{plugin} ({place}): {} {}",
                paint(GOOD, "told"),
                delivery.event
            )),
            Some(error) => ui.line(format!("{plugin} ({place}): {} {error}", paint(BAD, "not told:"))),
        }
    }
}

/// A run that is none.
fn sample_run(config: &Config) -> Run {
    Run {
        id: "00000000-0000-0000-0000-000000000000".to_owned(),
        environment: config.environment.clone(),
        target: "a test, no database".to_owned(),
        actor: config.actor(),
        dry_run: true,
        started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: "deploy".to_owned(),
        commit: config.commit(),
        link: config.link(),
    }
}

/// The migration in samples.
const MIGRATION: &str = "20260101000000_this_is_a_test";

fn sample(event: Sample) -> Event {
    let (migration, duration_ms) = (MIGRATION.to_owned(), 12);
    match event {
        Sample::WaitingForLock => Event::WaitingForLock {
            holder: "nobody: this is a test".to_owned(),
        },
        Sample::Planned => Event::Planned {
            migrations: vec![migration],
        },
        Sample::Checked => Event::Checked {
            verdict: Verdict::PassWithWarnings,
            findings: findings(),
        },
        Sample::AwaitingApproval => Event::AwaitingApproval {
            findings: findings(),
            requirement: None,
            failures: Vec::new(),
        },
        Sample::Applied => Event::Applied { migration, duration_ms },
        Sample::Failed => Event::Failed {
            migration,
            statement: Some(0),
            message: "nothing failed: this is a test".to_owned(),
            sqlstate: None,
        },
        Sample::RolledBack => Event::RolledBack { migration, duration_ms },
        Sample::Finished => Event::Finished {
            applied: vec![migration],
            findings: Vec::new(),
            succeeded: true,
            duration_ms,
        },
    }
}

fn findings() -> Vec<MigrationFindings> {
    let finding = Finding {
        statement: Some(0),
        ..Finding::new("drop-table", Severity::High, "drops nothing: this is a test")
    };
    vec![MigrationFindings {
        migration: MIGRATION.to_owned(),
        findings: vec![finding],
    }]
}
