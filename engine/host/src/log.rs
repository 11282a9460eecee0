//! What plugins say while they work: bounded, printable, and given to whoever embeds the host.

use serde::{Deserialize, Serialize};

use crate::bindings::log as wit;
use crate::state::State;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the operator.
    Info,
    /// Something is off.
    Warn,
    /// Something failed.
    Error,
}

/// One line of a plugin's log, or of the host's own about a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Name of the plugin in the configuration; empty when the line is about no plugin.
    pub plugin: String,
    /// How important.
    pub level: LogLevel,
    /// One line without control characters.
    pub message: String,
    /// Details by name, without control characters.
    pub fields: Vec<(String, String)>,
}

/// Where log lines go. Called while a plugin runs, so it should be quick.
pub trait LogSink: Send + Sync {
    /// Whether lines of this level are wanted; plugins can ask and save themselves the work.
    fn enabled(&self, level: LogLevel) -> bool {
        level >= LogLevel::Info
    }

    /// Takes a line. Only lines of enabled levels come.
    fn emit(&self, line: LogLine);
}

/// Takes every line of [`LogLevel::Info`] and above.
impl<F: Fn(LogLine) + Send + Sync> LogSink for F {
    fn emit(&self, line: LogLine) {
        self(line);
    }
}

/// Drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn enabled(&self, _: LogLevel) -> bool {
        false
    }

    fn emit(&self, _: LogLine) {}
}

/// What a call has logged so far.
#[derive(Default)]
pub(crate) struct LogCount {
    lines: usize,
    dropped: usize,
    /// The last line of level error: often the panic message, so worth repeating in a failure.
    pub(crate) last_error: Option<String>,
}

impl State {
    fn log(&mut self, level: LogLevel, message: &str, fields: Vec<(String, String)>) {
        let mut budget = self.limits.log_line_bytes;
        let message = self.secrets.redact(&printable(message, false, &mut budget));
        if level == LogLevel::Error {
            self.logged.last_error = Some(message.clone());
        }
        if !self.shared.log.enabled(level) {
            return;
        }
        if self.logged.lines >= self.limits.log_lines {
            self.logged.dropped += 1;
            return;
        }
        self.logged.lines += 1;
        let mut kept = Vec::new();
        for (name, value) in fields {
            if budget == 0 {
                break;
            }
            let name = self.secrets.redact(&printable(&name, false, &mut budget));
            kept.push((name, self.secrets.redact(&printable(&value, false, &mut budget))));
        }
        self.shared.log.emit(LogLine {
            plugin: self.plugin.to_string(),
            level,
            message,
            fields: kept,
        });
    }

    /// Says, once the call is over, how many lines nobody will see.
    pub(crate) fn finish_log(&mut self) {
        let dropped = std::mem::take(&mut self.logged.dropped);
        if dropped > 0 {
            self.shared.log.emit(LogLine {
                plugin: self.plugin.to_string(),
                level: LogLevel::Warn,
                message: format!(
                    "{dropped} more log lines dropped (at most {} a call)",
                    self.limits.log_lines
                ),
                fields: Vec::new(),
            });
        }
    }
}

impl wit::Host for State {
    fn enabled(&mut self, level: wit::Level) -> wasmtime::Result<bool> {
        Ok(self.logged.lines < self.limits.log_lines && self.shared.log.enabled(level.into()))
    }

    fn emit(&mut self, level: wit::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.log(level.into(), &message, fields);
        Ok(())
    }
}

impl From<wit::Level> for LogLevel {
    fn from(level: wit::Level) -> Self {
        match level {
            wit::Level::Trace => Self::Trace,
            wit::Level::Debug => Self::Debug,
            wit::Level::Info => Self::Info,
            wit::Level::Warn => Self::Warn,
            wit::Level::Error => Self::Error,
        }
    }
}

/// `text` as it may go to a terminal: no control characters (a plugin must not move the cursor or recolour what
/// others say), no characters that reorder text, at most `budget` bytes, which is reduced by what was used.
pub(crate) fn printable(text: &str, keep_lines: bool, budget: &mut usize) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        let character = match character {
            '\n' if keep_lines => '\n',
            '\t' | '\n' => ' ',
            character if character.is_control() || reorders(character) => continue,
            character => character,
        };
        if kept.len() + character.len_utf8() > *budget {
            *budget = 0;
            kept.push('…');
            return kept;
        }
        kept.push(character);
    }
    *budget -= kept.len();
    kept
}

/// Bidirectional controls: they can make a line read as something it is not.
fn reorders(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_could_move_a_cursor_is_gone() {
        let cases = [
            ("plain ünïcode", "plain ünïcode"),
            ("red \u{1b}[31malert\u{1b}[0m", "red [31malert[0m"),
            ("one\r\ntwo\tthree\u{7}", "one two three"),
            ("re\u{202e}versed", "reversed"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text, false, &mut 100), expected);
        }
        assert_eq!(printable("a\nb", true, &mut 100), "a\nb");
    }

    #[test]
    fn the_budget_is_kept_between_characters() {
        let mut budget = 5;
        assert_eq!(printable("ééé", false, &mut budget), "éé…");
        assert_eq!(budget, 0);
        let mut budget = 6;
        assert_eq!(printable("ééé", false, &mut budget), "ééé");
    }
}
