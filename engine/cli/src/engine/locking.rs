//! How a run gets the lock, from the configuration, the environment and what an earlier `lock acquire` kept; and what
//! happens on the way, in words.

use std::time::Duration;

use tollgate_engine::{LockEvent, LockHolder, LockOptions, LockPass, LockToken, Target};

use super::project::parse_target;
use super::tokens;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;
use crate::signal;

/// The variable with the token of a lease, for other machines than the one that has it kept.
pub const TOKEN: &str = "TOLLGATE_LOCK_TOKEN";
/// What a token is like.
const TOKEN_FORM: &str = "as `tollgate lock acquire --show-token` prints it: 32 hexadecimal digits";
/// The variable by which `lock run` tells its command that the lock is held for it.
pub const HELD: &str = "TOLLGATE_LOCK_HELD";

/// How to get the lock of this target.
pub fn options(config: &Config, ui: &Ui, target: &Target) -> Result<LockOptions, Failure> {
    let own = own_token(config)?.or_else(|| tokens::load(config, target));
    if let Some(token) = &own {
        ui.hide(token.reveal());
    }
    options_with(config, ui, own)
}

/// The same, with a token that is known already.
pub fn options_with(config: &Config, ui: &Ui, token: Option<LockToken>) -> Result<LockOptions, Failure> {
    let direct = match config.lock_url()? {
        Some(url) => Some(parse_target(
            config,
            ui,
            "lock.url",
            config.settings.lock.url.as_deref(),
            &url,
        )?),
        None => None,
    };
    Ok(LockOptions {
        timeout: Duration::from_millis(config.settings.deploy.lock_timeout_ms.unwrap_or_default()),
        interrupt: signal::interrupt(),
        direct,
        token,
        pass: pass(config, ui)?,
        force_release: config.settings.lock.force_release == Some(true),
    })
}

/// The token that the environment has.
pub fn own_token(config: &Config) -> Result<Option<LockToken>, Failure> {
    let Some(text) = config.variable(TOKEN) else {
        return Ok(None);
    };
    LockToken::parse(text.expose())
        .map(Some)
        .ok_or_else(|| unreadable(TOKEN, TOKEN_FORM))
}

fn pass(config: &Config, ui: &Ui) -> Result<Option<LockPass>, Failure> {
    let Some(text) = config.variable(HELD) else {
        return Ok(None);
    };
    ui.hide(text.expose());
    LockPass::parse(text.expose())
        .map(Some)
        .ok_or_else(|| unreadable(HELD, "as `tollgate lock run` sets it for its command"))
}

fn unreadable(variable: &str, expected: &str) -> Failure {
    let message = format!("the variable {variable} must be {expected}");
    Failure::new(Exit::Usage, Report::error("config::variable", message))
}

/// The token that an option has. What is none is not shown: it may be one with a slip in it.
pub fn given_token(option: &str, text: &str) -> Result<LockToken, Failure> {
    LockToken::parse(text).ok_or_else(|| {
        let message = format!("{option} must be {TOKEN_FORM}");
        Failure::new(Exit::Usage, Report::error("lock::token", message))
    })
}

/// Shows what happens on the way to the lock.
pub fn show(ui: &Ui, event: &LockEvent) {
    match event {
        LockEvent::Waiting {
            holder,
            waited,
            timeout,
        } => ui.note(waiting(holder.as_ref(), *waited, *timeout, ui)),
        LockEvent::Releasing { holders, leases } => {
            let holders = holders
                .iter()
                .map(|holder| format!("ending {}, which holds the lock", holder.describe()));
            let leases = leases.iter().map(|lease| {
                let reason = lease
                    .reason
                    .as_ref()
                    .map_or_else(String::new, |reason| format!(" ({reason})"));
                // A file has one ledger.
                let ledger = if lease.ledger == "main" {
                    String::new()
                } else {
                    format!(" for the schema {}", lease.ledger)
                };
                format!(
                    "ending the lease of {}{ledger}, until {:.0}{reason}",
                    lease.holder(),
                    lease.expires_at
                )
            });
            holders.chain(leases).for_each(|line| ui.warn(line));
        }
        LockEvent::LeaseExpired(lease) => ui.warn(format!(
            "the lease of {} does not count: it was over at {:.0}",
            lease.holder(),
            lease.expires_at
        )),
        LockEvent::Shared { pid } => ui.detail(format!("goes on under the lock that PID {pid} holds for it")),
        _ => {}
    }
}

fn waiting(holder: Option<&LockHolder>, waited: Duration, timeout: Duration, ui: &Ui) -> String {
    let who = holder.map_or_else(|| "another run".to_owned(), LockHolder::describe);
    if waited.as_secs() == 0 {
        let status = ui.call("lock status");
        let most = if timeout.as_secs() == 0 {
            format!("{} ms", timeout.as_millis())
        } else {
            format!("{} s", timeout.as_secs())
        };
        format!("lock already held by {who}: waiting for up to {most}; {status} shows what it does")
    } else {
        let left = timeout.saturating_sub(waited).as_secs();
        format!("lock still held by {who}: waiting for up to {left} s more")
    }
}

/// This machine's name.
pub fn host() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    Some(name).filter(|name| !name.is_empty())
}
