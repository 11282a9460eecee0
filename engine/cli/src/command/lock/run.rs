//! `tollgate lock run`

use std::ffi::OsString;
use std::time::Duration;

use tollgate_engine::{Error, Event, LockError, hold_lock};

use super::acquire::one_line;
use super::child::{self, Ending};
use crate::command::Context;
use crate::command::deploy::milliseconds;
use crate::engine::{locking, project};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::report::Report;

/// Hold the lock while a command runs. Its exit status is this command's, or 1 when the lock was lost; `tollgate` inside
/// it goes on under the lock
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What for; everybody who waits sees it, of a server's lock the first 44 characters and only ASCII
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait for the lock: 500ms, 30s, 2min; a plain number is milliseconds [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = milliseconds, alias = "lock-timeout")]
    timeout: Option<u64>,
    /// When the lock is lost, how long the command gets to end after SIGTERM before SIGKILL
    #[arg(long, value_name = "TIME", value_parser = milliseconds, default_value = "10s")]
    kill_after: u64,
    /// The command and its arguments. Not for Prisma's own commands: those take the same lock themselves
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: &Args, mut context: Context<'_>) -> Result<Exit, Failure> {
    context
        .flags
        .number("--timeout", "deploy.lock_timeout_ms", args.timeout);
    let ui = context.ui;
    // Before anything takes time: what is sent meanwhile ends the waiting.
    let signals = child::Signals::listen();
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    let options = locking::options(&config, ui, &target)?;
    let name = match args.reason.as_deref().and_then(one_line) {
        Some(reason) => format!("tollgate lock run: {reason}"),
        None => "tollgate lock run".to_owned(),
    };
    let mut lock = hold_lock(&target, &options, &name, &mut |event| {
        if let Event::Lock(event) = event {
            locking::show(ui, &event);
        }
    })?;
    let pass = lock.pass()?.reveal();
    ui.hide(&pass);
    let grace = Duration::from_millis(args.kill_after);
    let mut untold = None;
    let ending = child::run(
        &args.command,
        (locking::HELD, &pass),
        &signals,
        grace,
        &mut || lock.check(),
        &mut |error| {
            let report = lost(&format!("{error}; the command that runs under it is ended"));
            if ui.json() {
                untold = Some(report);
            } else {
                // Now: it may take its time to end.
                ui.report(&report);
            }
        },
    );
    match ending {
        Ending::Exited { status, lost: None } => Ok(Exit::OfCommand(status)),
        Ending::Exited {
            status,
            lost: Some(error),
        } => {
            let exit = if status == 0 {
                Exit::Failed
            } else {
                Exit::OfCommand(status)
            };
            Err(Failure::new(
                exit,
                lost(&format!("{error}, before the command had ended")),
            ))
        }
        Ending::LockLost => match untold {
            Some(report) => Err(Failure::new(Exit::Failed, report)),
            None => Ok(Exit::Failed),
        },
        Ending::Interrupted => Err(Error::from(LockError::Interrupted).into()),
        Ending::NotStarted { status, reason } => {
            let command = args
                .command
                .first()
                .map(|name| name.to_string_lossy())
                .unwrap_or_default();
            let report = Report::error("lock::command", format!("cannot run {command}: {reason}"));
            Err(Failure::new(Exit::OfCommand(status), report))
        }
    }
}

fn lost(message: &str) -> Report {
    Report::error("lock::lost", message).help(
        "another deploy may have begun: look at what the command has done, and whether something that it started still \
         runs, before you run it again",
    )
}
