//! `tollgate lock acquire`

#![expect(clippy::doc_markdown, reason = "these comments are the help texts that people read")]

use std::time::Duration;

use serde::Serialize;
use tollgate_engine::{Event, LeaseRequest, LockToken, acquire_lock};

use super::documents::LeaseDocument;
use super::time::{ttl, words};
use crate::command::Context;
use crate::command::deploy::milliseconds;
use crate::engine::tokens::{self, TokenError};
use crate::engine::{locking, project};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::report::Report;
use crate::output::stream;
use crate::output::style::{GOOD, NAME, paint};

/// Keep everybody else from deploying until `lock release`, also after this command has ended
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What for; everybody who is kept away sees it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long at most: 90s, 30m, 2h; up to 24h
    #[arg(long, value_name = "TIME", value_parser = ttl, default_value = "1h")]
    ttl: Duration,
    /// Print the token that proves the lease, for TOLLGATE_LOCK_TOKEN on other machines. Nothing else is printed to
    /// standard output then
    #[arg(long)]
    show_token: bool,
    /// How long to wait for a deploy that runs: 500ms, 30s, 2min; a plain number is milliseconds [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    lock_timeout: Option<u64>,
}

/// The document of `lock acquire`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Acquired {
    /// The database, without credentials.
    target: String,
    /// The lease.
    lease: LeaseDocument,
    /// It was one's own before and lasts longer now.
    renewed: bool,
    /// What proves it; only with `--show-token`.
    token: Option<String>,
}

impl Body for Acquired {}

/// Runs the command.
pub fn run(args: &Args, mut context: Context<'_>) -> Result<Exit, Failure> {
    context
        .flags
        .number("--lock-timeout", "deploy.lock_timeout_ms", args.lock_timeout);
    let ui = context.ui;
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    let chosen = locking::own_token(&config)?;
    let known = chosen.clone().or_else(|| tokens::load(&config, &target));
    let options = locking::options_with(&config, ui, known)?;
    let request = LeaseRequest {
        owner: config.actor().unwrap_or_else(|| "somebody".to_owned()),
        host: locking::host(),
        pid: shell(),
        reason: args.reason.as_deref().and_then(one_line),
        ttl: args.ttl,
        token: chosen,
    };
    let keep = |token: &LockToken| {
        if !args.show_token {
            ui.hide(token.reveal());
        }
        match tokens::save(&config, &target, token) {
            // Whoever has it anyway need not have it kept.
            Err(error) if !args.show_token && request.token.is_none() => Err(error),
            _ => Ok(()),
        }
    };
    let acquired = acquire_lock(&target, &options, &request, keep, &mut |event| {
        if let Event::Lock(event) = event {
            locking::show(ui, &event);
        }
    })?
    .map_err(|error| not_kept(&error))?;
    let lease = &acquired.lease;
    let line = format!(
        "{} to {} until {:.0} ({}); {} ends it",
        paint(GOOD, if acquired.renewed { "still leased" } else { "leased" }),
        paint(NAME, lease.holder()),
        lease.expires_at,
        words(lease.remaining.unwrap_or_default().saturating_add(HALF_A_SECOND)),
        context.call("lock release")
    );
    if !args.show_token {
        ui.line(line);
    } else if !ui.json() {
        ui.note(line);
        // Not by way of the printer, which hides secrets: this one was asked for.
        stream::stdout(&format!("{}\n", acquired.token.reveal()));
    }
    ui.document(&Acquired {
        target: target.describe(),
        lease: lease.into(),
        renewed: acquired.renewed,
        token: args.show_token.then(|| acquired.token.reveal().to_owned()),
    });
    Ok(Exit::Done)
}

fn not_kept(error: &TokenError) -> Failure {
    let report = Report::error("lock::token", format!("the lease's token cannot be kept: {error}"))
        .help("set XDG_STATE_HOME to a folder of yours, or print the token with --show-token")
        .database("nothing was changed");
    Failure::new(Exit::Failed, report)
}

/// Of one hour there is a little less than an hour left when that is shown.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// The process that this command was called by: it is there for longer than this one.
#[cfg(unix)]
fn shell() -> Option<i32> {
    i32::try_from(std::os::unix::process::parent_id()).ok()
}

#[cfg(not(unix))]
fn shell() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}

/// What others get to see on their terminals. `None`: nothing.
pub(super) fn one_line(text: &str) -> Option<String> {
    let line = text.replace(char::is_control, " ").trim().to_owned();
    (!line.is_empty()).then_some(line)
}
