//! A command that runs while something is watched: signals are passed on to it, and it is ended when the watched thing
//! fails.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tollgate_engine::Error;

/// How often the lock is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How it ended.
pub enum Ending {
    /// By itself, or by a signal: what a shell makes of that.
    Exited(u8),
    /// It was ended because the lock was lost.
    LockLost,
    /// It never began: as a shell says it, 127 when there is no such program, 126 when it cannot be run.
    NotStarted {
        /// 126 or 127.
        status: u8,
        /// The system's words.
        reason: io::Error,
    },
}

/// A signal that this process got.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no such signals"))]
struct Received {
    signal: i32,
    /// The terminal sent it, to the command as well.
    by_terminal: bool,
}

/// Signals, from the moment on that one listens.
pub struct Signals {
    received: Receiver<Received>,
}

/// Runs a command with a variable in its environment until it ends. `check` says whether the lock is still held; when it
/// is not, `lost` is told and the command is ended.
pub fn run(
    command: &[OsString],
    variable: (&str, &str),
    signals: &Signals,
    grace: Duration,
    check: &mut dyn FnMut() -> Result<(), Error>,
    lost: &mut dyn FnMut(&Error),
) -> Ending {
    let not_started = |reason: io::Error| Ending::NotStarted {
        status: if reason.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        },
        reason,
    };
    let Some((program, arguments)) = command.split_first() else {
        return not_started(io::Error::from(io::ErrorKind::NotFound));
    };
    let (name, value) = variable;
    let mut child = match Command::new(program).args(arguments).env(name, value).spawn() {
        Ok(child) => child,
        Err(error) => return not_started(error),
    };
    match watch(&mut child, signals, check) {
        Ok(status) => Ending::Exited(shell_status(status)),
        Err(error) => {
            lost(&error);
            end(&mut child, signals, grace);
            Ending::LockLost
        }
    }
}

/// Waits for its end, or for the lock's.
fn watch(
    child: &mut Child,
    signals: &Signals,
    check: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<ExitStatus, Error> {
    let mut checked = Instant::now();
    loop {
        if let Some(status) = ended(child) {
            return Ok(status);
        }
        if checked.elapsed() >= CHECK_EVERY {
            check()?;
            checked = Instant::now();
        }
        let left = CHECK_EVERY.saturating_sub(checked.elapsed());
        signals.pass_on(child, left);
    }
}

/// Has it end itself, and ends it when it does not.
fn end(child: &mut Child, signals: &Signals, grace: Duration) {
    send(child, TERMINATE);
    let start = Instant::now();
    while ended(child).is_none() {
        let left = grace.saturating_sub(start.elapsed());
        if left.is_zero() {
            // Only fails when it has ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        signals.pass_on(child, left.min(CHECK_EVERY));
    }
}

/// Whether it has ended. Only here it is waited for, so its number stays its own until then.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    // An error would be that there is no such child, and there is.
    child.try_wait().ok().flatten()
}

impl Signals {
    /// Waits for a signal, but not longer than this, and passes it on.
    fn pass_on(&self, child: &Child, longest: Duration) {
        match self.received.recv_timeout(longest) {
            Ok(received) if !received.by_terminal => send(child, received.signal),
            // The end of the command is one of the signals: nothing to do but to look again.
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            // Without signals there is only time to look at.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(longest.min(Duration::from_millis(50))),
        }
    }
}

#[cfg(unix)]
use unix::{TERMINATE, send, shell_status};

#[cfg(unix)]
mod unix {
    use std::io::IsTerminal as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, ExitStatus};
    use std::sync::mpsc;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::Cause;

    use super::{Received, Signals};
    use crate::exit::Exit;
    use crate::signal;

    pub(super) const TERMINATE: i32 = SIGTERM;

    /// Passed on, but for the last.
    const SIGNALS: [i32; 9] = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGCHLD,
    ];

    /// Those that a terminal sends by itself.
    const KEYS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGWINCH];

    impl Signals {
        /// Begins to listen. Until a command runs, those that ask a process to end also end the waiting for the lock.
        pub fn listen() -> Self {
            let (sender, received) = mpsc::channel();
            let heard = SIGNALS.into_iter().filter(|signal| !signal::is_ignored(*signal));
            // Where they cannot be heard, the channel ends at once and time is looked at instead.
            if let Ok(mut signals) = SignalsInfo::<WithOrigin>::new(heard) {
                std::thread::spawn(move || {
                    for origin in &mut signals {
                        match origin.signal {
                            SIGINT => signal::ask(Exit::Interrupted),
                            SIGTERM => signal::ask(Exit::Terminated),
                            SIGHUP => signal::ask(Exit::HungUp),
                            _ => {}
                        }
                        // To all processes of the terminal's foreground, of which the command is one. Not every
                        // system says who sent it; then it is taken for the terminal's where there is one.
                        let by_terminal = match origin.cause {
                            Cause::Kernel | Cause::Chld(_) => true,
                            Cause::Unknown => std::io::stdin().is_terminal() && KEYS.contains(&origin.signal),
                            _ => false,
                        };
                        let received = Received {
                            signal: origin.signal,
                            by_terminal,
                        };
                        if sender.send(received).is_err() {
                            return;
                        }
                    }
                });
            }
            Self { received }
        }
    }

    pub(super) fn send(child: &Child, signal: i32) {
        if signal == SIGCHLD {
            return;
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
            // Only fails when it has ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// 128 and the signal's number where one ended it, as shells have it.
    pub(super) fn shell_status(status: ExitStatus) -> u8 {
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

#[cfg(not(unix))]
const TERMINATE: i32 = 15;

#[cfg(not(unix))]
impl Signals {
    /// The system ends both processes, or neither.
    pub fn listen() -> Self {
        let (_, received) = std::sync::mpsc::channel();
        Self { received }
    }
}

#[cfg(not(unix))]
fn send(_: &Child, _: i32) {}

#[cfg(not(unix))]
fn shell_status(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
