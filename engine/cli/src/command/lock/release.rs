//! `tollgate lock release`

#![expect(clippy::doc_markdown, reason = "these comments are the help texts that people read")]

use clap::builder::{StringValueParser, TypedValueParser as _};
use serde::Serialize;
use tollgate_engine::{Event, Lease, LockHolder, LockToken, Target, force_release, release_lock, terminate_holder};

use super::documents::{HolderDocument, LeaseDocument};
use crate::command::Context;
use crate::config::{Config, Secret};
use crate::engine::{locking, project, tokens};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::style::{GOOD, paint};

/// End one's own lease; with --force or FORCE_RELEASE=true everything that anybody holds
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The token of the lease, where it was acquired on another machine [or TOLLGATE_LOCK_TOKEN]
    #[arg(long, value_name = "TOKEN", value_parser = StringValueParser::new().map(Secret::new))]
    token: Option<Secret>,
    /// Take the lock of the database away from everybody: end all leases, also those for its other schemas, and all
    /// sessions that hold the lock
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
    /// Leases for other ledgers of the database that were ended as well, by force.
    other_leases: Vec<LeaseDocument>,
    /// The sessions that were ended.
    ended: Vec<HolderDocument>,
}

impl Body for Released {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let given = match &args.token {
        Some(text) => {
            ui.hide(text.expose());
            Some(locking::given_token("--token", text.expose())?)
        }
        None => None,
    };
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    // A token that is given is for one's own lease, whatever the variable says.
    let everything = args.force || (config.settings.lock.force_release == Some(true) && given.is_none());
    let (leases, ended) = match args.terminate {
        Some(pid) => (Vec::new(), vec![end_session(ui, &target, pid)?]),
        None if everything => take_from_everybody(&config, ui, &target)?,
        None => (end_own_lease(&config, ui, &target, given)?, Vec::new()),
    };
    let ledger = target.schema().unwrap_or("main");
    let (own, others): (Vec<&Lease>, Vec<&Lease>) = leases.iter().partition(|lease| lease.ledger == ledger);
    ui.document(&Released {
        target: target.describe(),
        lease: own.first().map(|lease| LeaseDocument::from(*lease)),
        other_leases: others.into_iter().map(LeaseDocument::from).collect(),
        ended: ended.iter().map(HolderDocument::from).collect(),
    });
    Ok(Exit::Done)
}

/// `--terminate`: one session and nothing else.
fn end_session(ui: &Ui, target: &Target, pid: i32) -> Result<LockHolder, Failure> {
    let holder = terminate_holder(target, pid)?;
    ui.line(format!("{}: {}", paint(GOOD, "ended"), holder.describe()));
    Ok(holder)
}

/// By force: all leases and all sessions that hold the lock.
fn take_from_everybody(config: &Config, ui: &Ui, target: &Target) -> Result<(Vec<Lease>, Vec<LockHolder>), Failure> {
    let released = force_release(target, &mut |event| {
        if let Event::Lock(event) = event {
            locking::show(ui, &event);
        }
    })?;
    tokens::forget(config, target);
    ui.line(if released.is_empty() {
        "nobody holds the lock or has a lease".to_owned()
    } else {
        paint(GOOD, "the lock is free")
    });
    Ok((released.leases, released.holders))
}

/// One's own lease, by the token that was given or else is kept. None is no failure: it may be over.
fn end_own_lease(config: &Config, ui: &Ui, target: &Target, given: Option<LockToken>) -> Result<Vec<Lease>, Failure> {
    let own = match given {
        Some(token) => Some(token),
        None => locking::options(config, ui, target)?.token,
    };
    let lease = release_lock(target, own.as_ref())?;
    tokens::forget(config, target);
    ui.line(match &lease {
        Some(lease) => format!("{}: the lease of {}", paint(GOOD, "released"), lease.holder()),
        None => "there is no lease to release".to_owned(),
    });
    Ok(lease.into_iter().collect())
}
