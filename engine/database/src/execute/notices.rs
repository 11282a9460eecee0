//! What the server said while a script ran, as the ledger keeps it. No I/O.

use std::fmt::Write as _;

use tollgate_sql::{Position, Script};

use crate::execute::ExecuteEvent;
use crate::postgres::connection::Notice;

/// As much as is kept of one script, in bytes: a loop may raise a notice for every row.
const MOST: usize = 64 << 10;

/// Collects what is worth keeping.
pub(crate) struct Log<'a> {
    script: &'a Script,
    /// Statement and text, in order.
    lines: Vec<(usize, String)>,
    size: usize,
    /// How many there was no room for, by statement.
    left_out: Vec<(usize, usize)>,
    /// The statement that began last: what belongs to none, as it is heard at COMMIT, stays or goes with it.
    last: usize,
    /// The statement that something was said of last, and its line. A loop may say a lot of one statement.
    line: Option<(usize, usize)>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(script: &'a Script) -> Self {
        Self {
            script,
            lines: Vec::new(),
            size: 0,
            left_out: Vec::new(),
            last: 0,
            line: None,
        }
    }

    /// Hears what happens.
    pub(crate) fn hear(&mut self, event: &ExecuteEvent) {
        match event {
            ExecuteEvent::Notice { statement, notice } if is_kept(notice) => {
                let index = statement.unwrap_or(self.last);
                let text = self.text_of(*statement, notice);
                if self.size + text.len() > MOST {
                    match self.left_out.last_mut().filter(|(of, _)| *of == index) {
                        Some((_, count)) => *count += 1,
                        None => self.left_out.push((index, 1)),
                    }
                } else {
                    self.size += text.len();
                    self.lines.push((index, text));
                }
            }
            // Of an earlier attempt that was taken back, nothing counts.
            ExecuteEvent::Statement { index } => {
                self.last = *index;
                self.lines.retain(|(of, _)| of < index);
                self.left_out.retain(|(of, _)| of < index);
                self.size = self.lines.iter().map(|(_, text)| text.len()).sum();
            }
            _ => {}
        }
    }

    /// All of it; `None`: nothing was said.
    pub(crate) fn text(&self) -> Option<String> {
        if self.lines.is_empty() && self.left_out.is_empty() {
            return None;
        }
        let mut text: String = self.lines.iter().map(|(_, text)| text.as_str()).collect();
        if !self.left_out.is_empty() {
            // Writing to a string does not fail.
            let count: usize = self.left_out.iter().map(|(_, count)| count).sum();
            let _ = writeln!(text, "({count} more not kept)");
        }
        Some(text)
    }

    /// `NOTICE at line 3: …`, then what the server added.
    fn text_of(&mut self, statement: Option<usize>, notice: &Notice) -> String {
        let mut text = notice.severity.clone();
        if let Some(line) = statement.and_then(|index| self.line_of(index)) {
            let _ = write!(text, " at line {line}");
        }
        let _ = writeln!(text, ": {}", notice.message);
        for (title, more) in [("DETAIL", &notice.detail), ("HINT", &notice.hint)] {
            if let Some(more) = more {
                let _ = writeln!(text, "{title}: {more}");
            }
        }
        text
    }

    fn line_of(&mut self, statement: usize) -> Option<usize> {
        if let Some((known, line)) = self.line
            && known == statement
        {
            return Some(line);
        }
        let start = self.script.statements.get(statement)?.span.start;
        let line = Position::of(&self.script.text, start).line;
        self.line = Some((statement, line));
        Some(line)
    }
}

/// INFO, LOG and DEBUG are for whoever watches.
fn is_kept(notice: &Notice) -> bool {
    matches!(notice.severity.as_str(), "NOTICE" | "WARNING")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn notice(statement: Option<usize>, severity: &str, message: &str) -> ExecuteEvent {
        ExecuteEvent::Notice {
            statement,
            notice: Notice {
                severity: severity.to_owned(),
                sqlstate: "00000".to_owned(),
                message: message.to_owned(),
                detail: None,
                hint: (severity == "WARNING").then(|| "look".to_owned()),
            },
        }
    }

    #[test]
    fn what_was_said_in_the_attempt_that_counts_is_kept() {
        let script = tollgate_sql::parse(tollgate_sql::Dialect::Postgres, "SELECT 1;\n\nSELECT 2;").unwrap();
        let mut log = Log::new(&script);
        assert_eq!(log.text(), None);
        for event in [
            ExecuteEvent::Statement { index: 0 },
            notice(Some(0), "NOTICE", "committed"),
            notice(None, "NOTICE", "committed, too"),
            ExecuteEvent::Statement { index: 1 },
            notice(Some(1), "NOTICE", "taken back"),
            notice(None, "NOTICE", "taken back, too"),
            ExecuteEvent::Statement { index: 1 },
            notice(Some(1), "INFO", "for whoever watches"),
            notice(Some(1), "WARNING", "second"),
            notice(None, "NOTICE", "at the end"),
        ] {
            log.hear(&event);
        }
        assert_eq!(
            log.text().unwrap(),
            "NOTICE at line 1: committed\nNOTICE: committed, too\nWARNING at line 3: second\nHINT: look\nNOTICE: at the end\n"
        );
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let script = tollgate_sql::parse(tollgate_sql::Dialect::Postgres, "SELECT 1;").unwrap();
        let mut log = Log::new(&script);
        for _ in 0..1_000 {
            log.hear(&notice(Some(0), "NOTICE", &"x".repeat(100)));
        }
        let text = log.text().unwrap();
        assert!(text.len() < MOST + 100, "{}", text.len());
        let kept = text.matches("NOTICE at line 1").count();
        assert!(text.ends_with(&format!("({} more not kept)\n", 1_000 - kept)));
    }
}
