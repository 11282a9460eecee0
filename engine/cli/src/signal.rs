//! Being asked to end: Ctrl-C, SIGTERM, a closed terminal.
//!
//! Asked once, a command that changes a database ends after the statement that it is at; asked twice, it has the server
//! cancel that statement; asked a third time, the process ends, and the next run finds out what is true. A program that it
//! has started is asked to end when it is asked itself, and killed when it is asked twice. A command that only reads ends at
//! once. Either way the exit status says which signal it was.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use tollgate_engine::{Doing, Interrupt};

use crate::exit::Exit;
use crate::output::stream;

/// What a command does about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSignal {
    /// It only reads: it ends at once and in silence.
    End,
    /// It changes a database: it is asked to stop. Whatever takes [`interrupt`] hears of it.
    Ask,
    /// It works on something that nobody needs: it is asked to stop, and what runs is cancelled at once.
    Cancel,
    /// It deals with them itself: see [`ask`].
    Own,
}

/// What everything in this process that can be stopped is stopped by.
pub fn interrupt() -> Interrupt {
    static INTERRUPT: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
    INTERRUPT.clone()
}

/// Why the process was asked to end first.
static FIRST: OnceLock<Exit> = OnceLock::new();

/// The exit status of a command that was interrupted.
pub fn exit() -> Exit {
    FIRST.get().copied().unwrap_or(Exit::Interrupted)
}

/// Asks this process to stop, for a command that listens itself.
pub fn ask(exit: Exit) {
    FIRST.get_or_init(|| exit);
    interrupt().ask();
}

/// Whether a program that this process has started runs.
static PROGRAM: AtomicBool = AtomicBool::new(false);

/// A program that this process has started runs, and is killed by whoever waits for it when [`interrupt`] is asked twice.
/// Ends when dropped.
pub struct ProgramRuns(());

impl ProgramRuns {
    /// From now on.
    #[must_use = "it ends when this is dropped"]
    pub fn begin() -> Self {
        PROGRAM.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for ProgramRuns {
    fn drop(&mut self) {
        PROGRAM.store(false, Ordering::SeqCst);
    }
}

/// What this process is at when it is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Nothing,
    Work,
    Statement,
    Program,
}

impl At {
    fn of(interrupt: &Interrupt) -> Self {
        if PROGRAM.load(Ordering::SeqCst) {
            return Self::Program;
        }
        match interrupt.doing() {
            Doing::Nothing => Self::Nothing,
            Doing::Work => Self::Work,
            Doing::Statement => Self::Statement,
        }
    }
}

/// Whether whoever started this process wants the signal to be ignored.
#[cfg(unix)]
pub fn is_ignored(signal: i32) -> bool {
    unix::is_ignored(signal)
}

/// Begins to listen. `told`: people read what the command prints meanwhile.
pub fn listen(how: OnSignal, told: bool) {
    if how == OnSignal::Own {
        return;
    }
    #[cfg(unix)]
    unix::listen(how, told);
    // Elsewhere the system ends the process, and the next run finds out what is true.
    #[cfg(not(unix))]
    let _ = (how, told);
}

/// Deals with one signal, the how many-th there was.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no such signals"))]
fn received(exit: Exit, times: u32, how: OnSignal, told: bool) {
    let first = *FIRST.get_or_init(|| exit);
    if how == OnSignal::End {
        end(first);
    }
    let interrupt = interrupt();
    if how == OnSignal::Cancel {
        return cancel(&interrupt, first, times, told);
    }
    let at = At::of(&interrupt);
    if times > 2 || (times == 2 && at == At::Nothing) {
        end(first);
    }
    let say = || {
        if told {
            say(message(times, at));
        }
    };
    // Said first where the process may be at its end before one has said it.
    match (times, at) {
        (1, At::Work | At::Statement | At::Program) => {
            interrupt.ask();
            say();
        }
        (1, At::Nothing) => {
            say();
            interrupt.ask();
        }
        _ => {
            say();
            // Cancelling goes through the network; the next signal must not wait for it.
            std::thread::spawn(move || interrupt.ask());
        }
    }
}

/// The same where what runs may be cancelled.
fn cancel(interrupt: &Interrupt, first: Exit, times: u32, told: bool) {
    if times > 2 || (times == 2 && interrupt.doing() == Doing::Nothing) {
        end(first);
    }
    if told {
        say(if times == 1 {
            "stopping"
        } else {
            "clearing up; once more ends the program at once"
        });
    }
    if times == 1 {
        let interrupt = interrupt.clone();
        // Asked twice, the statement that runs is cancelled; that goes through the network.
        std::thread::spawn(move || {
            interrupt.ask();
            interrupt.ask();
        });
    }
}

/// How long what is said may take: nobody may be reading it.
const PATIENCE: Duration = Duration::from_millis(200);

fn say(message: &'static str) {
    let (sender, said) = channel();
    std::thread::spawn(move || {
        // Below the ^C that the terminal shows.
        let line = if stream::stderr_is_terminal() { "\n" } else { "" };
        stream::stderr(&format!("{line}{message}\n"));
        // Nobody may be waiting any more.
        let _ = sender.send(());
    });
    let _ = said.recv_timeout(PATIENCE);
}

fn message(times: u32, at: At) -> &'static str {
    match (times, at) {
        (1, At::Nothing) => "stopping",
        (1, At::Work) => "stopping after what runs now",
        (1, At::Statement) => "stopping after the statement that runs; once more cancels it",
        (1, At::Program) => "stopping: the command that runs is asked to end; once more kills it",
        (_, At::Statement) => "cancelling the statement that runs; once more ends the program at once",
        (_, At::Program) => "killing the command that runs; once more ends the program at once",
        (_, _) => "what runs now cannot be cancelled; once more ends the program at once",
    }
}

fn end(exit: Exit) -> ! {
    process::exit(exit.status().into())
}

#[cfg(unix)]
mod unix {
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::{OnSignal, received};
    use crate::exit::Exit;

    const SIGNALS: [(i32, Exit); 3] = [
        (SIGINT, Exit::Interrupted),
        (SIGTERM, Exit::Terminated),
        (SIGHUP, Exit::HungUp),
    ];

    /// Signals as close together as this are one wish: package managers pass a Ctrl-C on to a program that has had it from
    /// the terminal as well. For the same reason a terminal that closes counts once: kernel and shell both say so.
    const AT_ONCE: Duration = Duration::from_millis(100);

    pub(super) fn listen(how: OnSignal, told: bool) {
        // Whoever started us with a signal ignored (`nohup`, a shell's background job) wants it to stay so.
        let heard = SIGNALS.iter().filter(|(signal, _)| !is_ignored(*signal));
        // Where it cannot be heard, the system ends the process, as it would have anyway.
        let Ok(mut signals) = Signals::new(heard.map(|(signal, _)| *signal)) else {
            return;
        };
        std::thread::spawn(move || {
            let mut times = 0;
            let mut last: Option<Instant> = None;
            for signal in signals.forever() {
                let repeated = signal == SIGHUP || last.is_some_and(|last| last.elapsed() < AT_ONCE);
                if times > 0 && repeated {
                    continue;
                }
                times += 1;
                last = Some(Instant::now());
                let exit = SIGNALS.iter().find(|(known, _)| *known == signal);
                received(exit.map_or(Exit::Interrupted, |(_, exit)| *exit), times, how, told);
            }
        });
    }

    pub(super) fn is_ignored(signal: i32) -> bool {
        // SAFETY: without a new action the call only writes the present one to where we say, a plain C structure of
        // which zeroes are a value.
        #[expect(unsafe_code, reason = "nothing else tells how a signal is dealt with")]
        unsafe {
            let mut present: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
        }
    }
}
