//! `tollgate lock release`

#![expect(clippy::doc_markdown, reason = "these comments are the help texts that people read")]

use clap::builder::{StringValueParser, TypedValueParser as _};
use serde::Serialize;
use tollgate_engine::{Event, Lease, LockHolder, force_release, release_lock, terminate_holder};

use super::documents::{HolderDocument, LeaseDocument};
use crate::command::Context;
use crate::config::Secret;
use crate::engine::{locking, project, tokens};
use crate::exit::Exit;
use crate::failure::Failure;
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
    let everything = args.force || (config.settings.lock.force_release == Some(true) && given.is_none());
    let (leases, ended): (Vec<Lease>, Vec<LockHolder>) = if let Some(pid) = args.terminate {
        let holder = terminate_holder(&target, pid)?;
        ui.line(format!("{}: {}", paint(GOOD, "ended"), holder.describe()));
        (Vec::new(), vec![holder])
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
        (released.leases, released.holders)
    } else {
        let own = match given {
            Some(token) => Some(token),
            None => locking::options(&config, ui, &target)?.token,
        };
        let lease = release_lock(&target, own.as_ref())?;
        tokens::forget(&config, &target);
        ui.line(match &lease {
            Some(lease) => format!("{}: the lease of {}", paint(GOOD, "released"), lease.holder()),
            None => "there is no lease to release".to_owned(),
        });
        (lease.into_iter().collect(), Vec::new())
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
