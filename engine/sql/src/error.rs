//! Why a script could not be read.

use crate::script::{Position, Span};

/// Why a script could not be read. Nothing has been run when this is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {}, column {})", position.line, position.column)]
#[non_exhaustive]
pub struct ParseError {
    /// What kind of problem.
    pub kind: ParseErrorKind,
    /// One sentence, lower case, no full stop: the grammar's own words where it has some.
    pub message: String,
    /// Where to point.
    pub span: Span,
    /// The same as line and column of the span's start.
    pub position: Position,
    /// What to do instead, where that is known.
    pub help: Option<String>,
}

impl ParseError {
    /// An error at `span` of `text`.
    pub fn new(kind: ParseErrorKind, text: &str, span: Span, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            span,
            position: Position::of(text, span.start),
            help: None,
        }
    }

    /// The script has more bytes than can be counted here.
    pub(crate) fn too_large(limit_gib: u8) -> Self {
        let message = format!("the script is larger than {limit_gib} GiB");
        Self::new(ParseErrorKind::TooLarge, "", Span::new(0, 0), message)
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What kind of problem a [`ParseError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The server's grammar refuses the text.
    Syntax,
    /// A psql meta command such as `\connect`; only psql understands it.
    MetaCommand,
    /// `COPY … FROM stdin`: the data would have to come over the wire protocol.
    CopyFromStdin,
    /// BEGIN without a COMMIT (or the reverse) in one file.
    UnbalancedTransaction,
    /// A dialect for which there is no parser.
    UnsupportedDialect,
    /// A script over the size limit (spans are 32 bits wide in the plugin contract).
    TooLarge,
}
