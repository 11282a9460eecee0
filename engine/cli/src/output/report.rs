//! One diagnostic, for people and for programs: code, message, source, help, and the state of the database.

use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something has to be done.
    Error,
    /// Something should be looked at.
    Warning,
    /// Good to know.
    Note,
}

/// A diagnostic.
#[derive(Debug, Clone)]
pub struct Report {
    /// How bad it is.
    pub level: Level,
    /// Stable name, for example `config::unknown-key`.
    pub code: String,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Where.
    pub snippet: Option<Snippet>,
    /// What to do.
    pub help: Option<String>,
    /// What state the database is in now, for errors after which one wonders.
    pub database: Option<String>,
}

/// A part of a text to show, and what to say about it.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// The file's name, as shown.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Byte ranges and what stands under them; the first is the place itself.
    pub labels: Vec<(Range<usize>, String)>,
}

impl Report {
    /// A diagnostic of any level.
    pub fn new(level: Level, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level,
            code: code.into(),
            message: message.into(),
            snippet: None,
            help: None,
            database: None,
        }
    }

    /// An error.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a place.
    #[must_use]
    pub fn snippet(mut self, snippet: Snippet) -> Self {
        self.snippet = Some(snippet);
        self
    }

    /// The same with what is true of the database now, as the rest of "the database now: …".
    #[must_use]
    pub fn database(mut self, state: impl Into<String>) -> Self {
        self.database = Some(state.into());
        self
    }
}

impl Snippet {
    /// A text without labels.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            labels: Vec::new(),
        }
    }

    /// The same with a label. Ranges outside the text are moved to its end.
    #[must_use]
    pub fn label(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end).max(start);
        self.labels.push((start..end, text.into()));
        self
    }

    /// Line and column of the first label, counted from 1, columns in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        let start = self.labels.first()?.0.start;
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ))
    }
}
