//! `tollgate lock release`

#![expect(clippy::doc_markdown, reason = "these comments are the help texts that people read")]

use serde::Serialize;
use tollgate_engine::{Event, Lease, LockHolder, LockToken, force_release, release_lock, terminate_holder};

use super::documents::{HolderDocument, LeaseDocument};
use crate::command::Context;
use crate::engine::{locking, project, tokens};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::style::{GOOD, paint};

/// End one's own lease; with --force or FORCE_RELEASE=true everything that anybody holds
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The token of the lease, where it was acquired on another machine [or TOLLGATE_LOCK_TOKEN]
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    token: Option<LockToken>,
    /// Take the lock away from everybody: end the lease, whoever has it, and all sessions that hold the lock
    #[arg(long, conflicts_with = "token")]
    force: bool,
    /// End exactly this session, if it holds the lock; leases stay
    #[arg(long, value_name = "PID", conflicts_with_all = ["token", "force"])]
    terminate: Option<i32>,
}

/// The document of `lock release`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Released {
    /// The database, without credentials.
    target: String,
    /// The lease that was ended.
    lease: Option<LeaseDocument>,
    /// The sessions that were ended.
    ended: Vec<HolderDocument>,
}

impl Body for Released {}

fn token(text: &str) -> Result<LockToken, String> {
    LockToken::parse(text).ok_or_else(|| "a token is 32 hexadecimal digits".to_owned())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    if let Some(token) = &args.token {
        ui.hide(token.reveal());
    }
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    let everything = args.force || (config.settings.lock.force_release == Some(true) && args.token.is_none());
    let (lease, ended): (Option<Lease>, Vec<LockHolder>) = if let Some(pid) = args.terminate {
        let holder = terminate_holder(&target, pid)?;
        ui.line(format!("{}: {}", paint(GOOD, "ended"), holder.describe()));
        (None, vec![holder])
    } else if everything {
        let released = force_release(&target, &mut |event| {
            if let Event::Lock(event) = event {
                locking::show(ui, &event);
            }
        })?;
        tokens::forget(&config, &target);
        ui.line(if released.is_empty() {
            "nobody holds the lock or has a lease".to_owned()
        } else {
            paint(GOOD, "the lock is free")
        });
        (released.lease, released.holders)
    } else {
        let own = match &args.token {
            Some(token) => Some(token.clone()),
            None => locking::options(&config, ui, &target)?.token,
        };
        let lease = release_lock(&target, own.as_ref())?;
        tokens::forget(&config, &target);
        ui.line(match &lease {
            Some(lease) => format!("{}: the lease of {}", paint(GOOD, "released"), lease.holder()),
            None => "there is no lease to release".to_owned(),
        });
        (lease, Vec::new())
    };
    ui.document(&Released {
        target: target.describe(),
        lease: lease.as_ref().map(LeaseDocument::from),
        ended: ended.iter().map(HolderDocument::from).collect(),
    });
    Ok(Exit::Done)
}
