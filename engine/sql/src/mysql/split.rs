//! A script cut into statements.
//!
//! A semicolon ends a statement unless it stands in the body of a stored program, or in an executable comment.

use crate::error::{ParseError, ParseErrorKind};
use crate::script::Span;

use super::body::Body;
use super::scan::{Kind, Scanner, Token};

/// Words at the beginning of a line that only the `mysql` program understands. No statement of a server begins with one.
const CLIENT_COMMANDS: &[&str] = &[
    "charset",
    "clear",
    "connect",
    "delimiter",
    "edit",
    "ego",
    "exit",
    "go",
    "nopager",
    "notee",
    "nowarning",
    "pager",
    "print",
    "prompt",
    "quit",
    "rehash",
    "resetconnection",
    "source",
    "status",
    "system",
    "tee",
    "warnings",
];

/// One statement: its tokens, and where it stands.
pub(super) struct Piece {
    pub(super) tokens: Vec<Token>,
    /// From its first token to its last, the frame of an executable comment around it included.
    pub(super) span: Span,
    /// It is a stored program, or a block of MariaDB's that is run at once.
    pub(super) body: bool,
}

/// Calls `each` for every statement, in order.
pub(super) fn split(text: &str, mut each: impl FnMut(Piece) -> Result<(), ParseError>) -> Result<(), ParseError> {
    let mut scanner = Scanner::new(text);
    let mut reading = Reading::new(text);
    while let Some(token) = scanner.next()? {
        let ends = token.is_symbol(';') && !scanner.in_comment() && !reading.body.holds();
        if !ends {
            reading.push(token)?;
            continue;
        }
        let done = std::mem::replace(&mut reading, Reading::new(text));
        if let Some(piece) = done.finish(&scanner)? {
            each(piece)?;
        }
        scanner.mark();
    }
    match reading.finish(&scanner)? {
        Some(piece) => each(piece),
        None => Ok(()),
    }
}

/// The statement that is being read.
struct Reading<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Brackets that are open.
    brackets: Vec<usize>,
    body: Body<'a>,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            tokens: Vec::new(),
            brackets: Vec::new(),
            body: Body::new(text),
        }
    }

    fn push(&mut self, token: Token) -> Result<(), ParseError> {
        match token.kind {
            Kind::Symbol('\\') => self.refuse_backslash(token)?,
            Kind::Symbol('(') => self.brackets.push(token.start),
            Kind::Symbol(')') if self.brackets.pop().is_none() => {
                return Err(self.syntax(token.span(), "a bracket is closed that is not open"));
            }
            // What follows in a body is a statement of its own.
            Kind::Symbol(';') => self.all_closed()?,
            _ => {}
        }
        self.body.follow(token, self.brackets.len());
        self.tokens.push(token);
        if self.tokens.len() == 2 {
            self.refuse_client_command()?;
        }
        Ok(())
    }

    fn all_closed(&self) -> Result<(), ParseError> {
        match self.brackets.last() {
            Some(open) => Err(self.syntax(Span::new(*open, *open + 1), "a bracket is never closed")),
            None => Ok(()),
        }
    }

    /// The statement is over; `None` when there is nothing in it.
    fn finish(self, scanner: &Scanner<'_>) -> Result<Option<Piece>, ParseError> {
        self.all_closed()?;
        let (Some(first), Some(last)) = (self.tokens.first(), self.tokens.last()) else {
            return Ok(None);
        };
        if self.tokens.len() == 1 {
            self.refuse_client_command()?;
        }
        let start = scanner
            .opened()
            .filter(|start| *start < first.start)
            .unwrap_or(first.start);
        let end = if scanner.closed() > last.end {
            scanner.closed()
        } else {
            last.end
        };
        Ok(Some(Piece {
            span: Span::new(start, end),
            body: self.body.is_program(),
            tokens: self.tokens,
        }))
    }

    /// `DELIMITER //` and its like are for the client program, which a migration does not have.
    fn refuse_client_command(&self) -> Result<(), ParseError> {
        let Some(first) = self.tokens.first().filter(|first| first.kind == Kind::Word) else {
            return Ok(());
        };
        let word = first.text(self.text);
        let is_label = self.tokens.get(1).is_some_and(|next| next.is_symbol(':'));
        let is_command = CLIENT_COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(word));
        if is_label || !is_command {
            return Ok(());
        }
        let message = format!("`{word}` is a command of the mysql client, not SQL");
        let help = if word.eq_ignore_ascii_case("delimiter") {
            "leave the DELIMITER lines out and end the body with `END;`: the body of a procedure, function, trigger or \
             event is read to its end as it is"
        } else {
            "write what it does as SQL, or run it by hand; a migration holds only SQL"
        };
        Err(ParseError::new(ParseErrorKind::MetaCommand, self.text, first.span(), message).with_help(help))
    }

    /// `\G` and its like; `\N` is MariaDB's NULL.
    fn refuse_backslash(&self, token: Token) -> Result<(), ParseError> {
        let letter = self.text[token.end..].chars().next().unwrap_or(' ');
        if letter == 'N' {
            return Ok(());
        }
        let span = Span::new(
            token.start,
            token.end + letter.len_utf8().min(self.text.len() - token.end),
        );
        let message = format!(
            "`{}` is a command of the mysql client, not SQL",
            span.of(self.text).trim_end()
        );
        Err(ParseError::new(ParseErrorKind::MetaCommand, self.text, span, message)
            .with_help("end the statement with a semicolon; a migration holds only SQL"))
    }

    fn syntax(&self, span: Span, message: &str) -> ParseError {
        ParseError::new(ParseErrorKind::Syntax, self.text, span, message)
    }
}
