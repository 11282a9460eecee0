//! The printer: one for the whole run.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::ValueEnum;

use super::documents::{Body, Document, ErrorDocument, ReportDocument};
use super::progress::Progress;
use super::redact::Redactor;
use super::render::render;
use super::report::Report;
use super::{stream, style};
use crate::failure::Failure;
use crate::signal;

/// What to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text
    #[default]
    Human,
    /// One JSON document on standard output
    Json,
}

/// How much to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Results, warnings and errors.
    Quiet,
    /// What happens, too.
    Normal,
    /// What plugins log, too.
    Verbose,
}

/// Width of drawings where the terminal does not say its own.
const WIDTH: usize = 100;

/// The printer.
pub struct Ui {
    format: Format,
    verbosity: Verbosity,
    command: &'static str,
    /// The flags of this run that a command to run next needs, too.
    again: String,
    redactor: RefCell<Redactor>,
    warnings: RefCell<Vec<ReportDocument>>,
    /// Standard output belongs to a report; what people read goes to standard error.
    stdout_taken: Cell<bool>,
}

impl Ui {
    /// A printer for a run of `command`.
    pub fn new(format: Format, verbosity: Verbosity, command: &'static str, redactor: Redactor) -> Self {
        Self {
            format,
            verbosity,
            command,
            again: String::new(),
            redactor: RefCell::new(redactor),
            warnings: RefCell::default(),
            stdout_taken: Cell::new(false),
        }
    }

    /// Leaves standard output to a report that [`Ui::raw`] writes.
    pub fn leave_stdout(&self) {
        self.stdout_taken.set(true);
    }

    /// Writes a report for a program to standard output.
    pub fn raw(&self, text: &str) {
        stream::stdout(&self.redacted(text));
    }

    /// Names the flags of this run that a command to run next needs, too.
    #[must_use]
    pub fn again(mut self, flags: String) -> Self {
        self.again = flags;
        self
    }

    /// How to call a command for the database of this run.
    pub fn call(&self, command: &str) -> String {
        format!("`tollgate{} {command}`", self.again)
    }

    /// How much is printed.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Whether a program reads the output.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Never prints this text, in any of its spellings.
    pub fn hide(&self, secret: &str) {
        self.redactor.borrow_mut().add(secret);
    }

    /// A line of the result, for people. A program gets the document instead.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.json() {
            return;
        }
        let text = self.redacted(&format!("{}\n", text.as_ref()));
        if self.stdout_taken.get() {
            stream::stderr(&text);
        } else {
            stream::stdout(&text);
        }
    }

    /// A line about what happens meanwhile.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json() && self.verbosity >= Verbosity::Normal {
            stream::stderr(&self.redacted(&format!("{}\n", text.as_ref())));
        }
    }

    /// A line that only the curious see.
    pub fn detail(&self, text: impl AsRef<str>) {
        if !self.json() && self.verbosity >= Verbosity::Verbose {
            stream::stderr(&self.redacted(&format!("{}\n", style::paint(style::DIM, text.as_ref()))));
        }
    }

    /// A warning in one line.
    pub fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        if self.json() {
            self.warnings
                .borrow_mut()
                .push(ReportDocument::from(&Report::warning("warning", message)));
        } else {
            let text = format!("{} {message}\n", style::paint(style::WARN, "warning:"));
            stream::stderr(&self.redacted(&text));
        }
    }

    /// A diagnostic with its place. For a program, one that is no error is kept for the document's `warnings`.
    pub fn report(&self, report: &Report) {
        if self.json() {
            self.warnings.borrow_mut().push(ReportDocument::from(report));
        } else {
            stream::stderr(&self.redacted(&render(report, width(), stream::stderr_is_coloured())));
        }
    }

    /// The end of an unsuccessful run.
    pub fn failure(&self, failure: &Failure) {
        if self.json() {
            let errors = failure.reports().iter().map(ReportDocument::from).collect();
            self.document(&ErrorDocument {
                status: failure.exit().status(),
                errors,
                finished: failure.done().to_vec(),
            });
        } else {
            failure.reports().iter().for_each(|report| self.report(report));
            let count = failure.reports().len();
            if count > 1 {
                stream::stderr(&format!("{}\n", style::paint(style::BAD, format!("{count} errors"))));
            }
        }
    }

    /// The result for a program.
    pub fn document<T: Body>(&self, body: &T) {
        if !self.json() {
            return;
        }
        let warnings = self.warnings.take();
        let document = Document {
            version: T::VERSION,
            command: self.command,
            warnings,
            body,
        };
        // A document is text, numbers and lists, and those can always be written.
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        stream::stdout(&self.redacted(&format!("{text}\n")));
    }

    /// A progress bar, drawn only for people at a terminal and only when the run turns out to be long.
    pub fn progress(&self, steps: usize) -> Progress {
        let shown = !self.json() && self.verbosity >= Verbosity::Normal && std::io::stdout().is_terminal();
        Progress::new(shown, steps)
    }

    /// Asks, if there is somebody to answer.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if self.json() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        stream::stderr(&self.redacted(&format!("{question} [y/N] ")));
        let _ = std::io::stderr().flush();
        let answer = answer()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// The text without secrets.
    pub fn redacted(&self, text: &str) -> String {
        self.redactor.borrow().redact(text)
    }
}

/// How often is looked whether the question has become pointless.
const LOOK: Duration = Duration::from_millis(20);

/// How long after its terminal is gone a process may be told so.
const HANG_UP: Duration = Duration::from_secs(2);

/// A line of standard input, unless the program is asked to end before it comes. It is read on another thread: a signal
/// does not end the reading.
fn answer() -> Option<String> {
    let (sender, answer) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        // Nobody may be waiting any more.
        let _ = sender.send(read.ok().map(|_| line));
    });
    let interrupt = signal::interrupt();
    loop {
        match answer.recv_timeout(LOOK) {
            // The end of what somebody types (Ctrl-D) is an answer. That of the terminal is none, and the signal that tells of
            // it comes a moment later.
            Ok(line) if line.as_ref().is_none_or(String::is_empty) && !std::io::stdin().is_terminal() => {
                interrupt.sleep(HANG_UP);
                return None;
            }
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if interrupt.asked() == 0 => {}
            Err(_) => return None,
        }
    }
}

/// How wide drawings are, in characters.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, 160))
}
