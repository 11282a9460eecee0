//! A command that runs while something is watched: signals are passed on to it, and it is ended, with all that it has
//! started, when the watched thing fails.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tollgate_engine::Error;

use crate::signal;
use crate::started::Started;

/// How often the lock is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How often is looked whether what it has started has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How it ended.
pub enum Ending {
    /// By itself, or by a signal.
    Exited {
        /// What a shell makes of that.
        status: u8,
        /// The lock was gone by then.
        lost: Option<Error>,
    },
    /// It was ended because the lock was lost.
    LockLost,
    /// This process was asked to end before it began.
    Interrupted,
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
    /// The terminal sent it.
    by_terminal: bool,
    at: Instant,
}

/// Signals, from the moment on that one listens.
pub struct Signals {
    received: Receiver<Received>,
    /// Those that come from now on are the command's.
    begun: Arc<AtomicBool>,
}

/// The command, as long as it runs.
struct Running {
    child: Child,
    since: Instant,
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
    if !signals.begin() {
        return Ending::Interrupted;
    }
    let mut command = Command::new(program);
    command.args(arguments).env(name, value);
    end_with_us(&mut command);
    let mut running = match command.spawn() {
        Ok(child) => Running {
            child,
            since: Instant::now(),
        },
        Err(error) => return not_started(error),
    };
    match watch(&mut running, signals, check) {
        // Since the lock was looked at last it may have got lost, too.
        Ok(status) => Ending::Exited {
            status,
            lost: check().err(),
        },
        Err(error) => {
            lost(&error);
            running.end(signals, grace);
            Ending::LockLost
        }
    }
}

/// Waits for its end, or for the lock's.
fn watch(running: &mut Running, signals: &Signals, check: &mut dyn FnMut() -> Result<(), Error>) -> Result<u8, Error> {
    let mut checked = Instant::now();
    loop {
        if let Some(status) = running.ended() {
            return Ok(status);
        }
        if checked.elapsed() >= CHECK_EVERY {
            check()?;
            checked = Instant::now();
        }
        let left = CHECK_EVERY.saturating_sub(checked.elapsed());
        signals.pass_on(running, left);
    }
}

impl Running {
    /// Has it and all that it has started end, and ends what does not.
    fn end(&mut self, signals: &Signals, grace: Duration) {
        let mut started = Started::default();
        started.look(Some(self.child.id()));
        send(&self.child, TERMINATE);
        started.terminate();
        let start = Instant::now();
        loop {
            let has_ended = self.ended().is_some();
            if has_ended && started.is_over() {
                return;
            }
            let left = grace.saturating_sub(start.elapsed());
            if left.is_zero() {
                started.look((!has_ended).then(|| self.child.id()));
                // Only fails when it has ended meanwhile.
                let _ = self.child.kill();
                started.kill();
                let _ = self.child.wait();
                return;
            }
            if has_ended {
                std::thread::sleep(left.min(LOOK_EVERY));
            } else {
                signals.pass_on(self, left.min(CHECK_EVERY));
            }
        }
    }

    /// The status it has ended with. Only here it is waited for, so its number stays its own until then.
    fn ended(&mut self) -> Option<u8> {
        match self.child.try_wait() {
            Ok(status) => status.map(shell_status),
            // There is no such child any more: it has ended, and nobody knows how.
            Err(_) => Some(1),
        }
    }
}

impl Signals {
    /// From now on signals are for the command. `false`: this process was asked to end before.
    fn begin(&self) -> bool {
        self.begun.store(true, Ordering::SeqCst);
        signal::interrupt().asked() == 0
    }

    /// Waits for a signal, but not longer than this, and passes it on.
    fn pass_on(&self, running: &Running, longest: Duration) {
        match self.received.recv_timeout(longest) {
            // The command has it from the terminal, unless that was before it was there.
            Ok(received)
                if received.by_terminal
                    && received.at > running.since
                    && hears_terminal(&running.child, received.signal) => {}
            Ok(received) => send(&running.child, received.signal),
            Err(RecvTimeoutError::Timeout) => {}
            // Without signals there is only time to look at.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(longest.min(LOOK_EVERY)),
        }
    }
}

#[cfg(unix)]
use unix::{TERMINATE, end_with_us, hears_terminal, send, shell_status};

#[cfg(unix)]
mod unix {
    use std::io::IsTerminal as _;
    #[cfg(target_os = "linux")]
    use std::os::unix::process::CommandExt as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, ExitStatus};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Instant;

    #[cfg(target_os = "linux")]
    use rustix::process::getppid;
    use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getsid, kill_process};
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
            let begun = Arc::new(AtomicBool::new(false));
            // That children end has to be heard: whoever has it ignored is not told how they did.
            let heard = SIGNALS
                .into_iter()
                .filter(|&signal| signal == SIGCHLD || !signal::is_ignored(signal));
            // Where they cannot be heard, the channel ends at once and time is looked at instead.
            if let Ok(mut signals) = SignalsInfo::<WithOrigin>::new(heard) {
                let begun = Arc::clone(&begun);
                std::thread::spawn(move || {
                    for origin in &mut signals {
                        if !begun.load(Ordering::SeqCst) {
                            ask(origin.signal);
                        }
                        let by_terminal = match origin.cause {
                            Cause::Kernel => true,
                            // Not every system says who sent it; then it is taken for the terminal's where there is one.
                            Cause::Unknown => std::io::stdin().is_terminal() && KEYS.contains(&origin.signal),
                            _ => false,
                        };
                        let received = Received {
                            signal: origin.signal,
                            by_terminal,
                            at: Instant::now(),
                        };
                        if sender.send(received).is_err() {
                            return;
                        }
                    }
                });
            }
            Self { received, begun }
        }
    }

    /// Asks this process to end, as there is no command yet. Asked twice it does so at once, whatever it waits for: a
    /// server that does not answer, most likely.
    fn ask(signal: i32) {
        let exit = match signal {
            SIGHUP => Exit::HungUp,
            SIGINT => Exit::Interrupted,
            SIGQUIT => Exit::OfCommand(131),
            SIGTERM => Exit::Terminated,
            _ => return,
        };
        if signal::interrupt().asked() > 0 {
            std::process::exit(signal::exit().status().into());
        }
        signal::ask(exit);
    }

    /// Has the system tell the command to end when this process is killed: nobody holds the lock for it any more then.
    #[cfg(target_os = "linux")]
    pub(super) fn end_with_us(command: &mut Command) {
        let us = getpid();
        let ask = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            // Before that it told nobody.
            if getppid() == Some(us) {
                Ok(())
            } else {
                Err(std::io::Error::from(std::io::ErrorKind::Interrupted))
            }
        };
        // SAFETY: what runs between fork and exec makes two system calls and nothing else: it takes no lock and no memory.
        #[expect(unsafe_code, reason = "only the new process itself can ask for this")]
        unsafe {
            command.pre_exec(ask);
        }
    }

    /// Other systems have nothing of the kind.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn end_with_us(_: &mut Command) {}

    /// Whether the terminal tells the command, too. It tells all processes of its foreground; that it is closed it tells
    /// the first process of the session and no other.
    pub(super) fn hears_terminal(child: &Child, signal: i32) -> bool {
        let leads = getsid(None).is_ok_and(|session| session == getpid());
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let beside = getpgid(pid).is_ok_and(|group| group == getpgrp());
        beside && !(leads && matches!(signal, SIGHUP | SIGCONT))
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
        Self {
            received,
            begun: Arc::default(),
        }
    }
}

#[cfg(not(unix))]
fn end_with_us(_: &mut Command) {}

#[cfg(not(unix))]
fn send(_: &Child, _: i32) {}

#[cfg(not(unix))]
fn hears_terminal(_: &Child, _: i32) -> bool {
    true
}

#[cfg(not(unix))]
fn shell_status(status: std::process::ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
