//! Words, names, strings and symbols of a script, as the servers' own scanners cut them.
//!
//! What stands in an executable comment (`/*!40101 … */`, MariaDB's `/*M! … */`) is code like any other; each token says
//! whether only some servers read it. Everything that must end and does not is an error here, and nowhere else.

use crate::error::{ParseError, ParseErrorKind};
use crate::script::Span;

/// Every server that can still be met reads an executable comment of this version or an older one: `MySQL` 5.7.0.
const READ_BY_ALL: u32 = 50_700;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in backticks.
    Quoted,
    /// A string in single or double quotes.
    Text,
    /// A number; also `0x1F`.
    Number,
    /// One character of anything else.
    Symbol(char),
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// It stands in an executable comment that some servers leave out.
    pub(super) conditional: bool,
}

impl Token {
    pub(super) fn span(self) -> Span {
        Span::new(self.start, self.end)
    }

    /// As written.
    pub(super) fn text(self, script: &str) -> &str {
        &script[self.start..self.end]
    }

    /// It is this keyword.
    pub(super) fn is(self, script: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(script).eq_ignore_ascii_case(word)
    }

    pub(super) fn is_symbol(self, symbol: char) -> bool {
        self.kind == Kind::Symbol(symbol)
    }
}

/// Reads a script from its start to its end.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where each executable comment that is open began, and whether only some servers read it.
    open: Vec<(usize, bool)>,
    /// End of the last `*/` that closed one.
    closed: usize,
    /// Start of the first one that was opened since [`Scanner::mark`].
    opened: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            // A byte order mark is the file's, not the script's.
            at: if text.starts_with('\u{feff}') { 3 } else { 0 },
            open: Vec::new(),
            closed: 0,
            opened: None,
        }
    }

    /// A statement ends here: what is opened from now on belongs to the next.
    pub(super) fn mark(&mut self) {
        self.opened = None;
    }

    /// Start of the first executable comment since the mark.
    pub(super) fn opened(&self) -> Option<usize> {
        self.opened
    }

    /// End of the last executable comment so far.
    pub(super) fn closed(&self) -> usize {
        self.closed
    }

    /// The code that is being read stands in an executable comment.
    pub(super) fn in_comment(&self) -> bool {
        !self.open.is_empty()
    }

    /// The next token; `None` at the end of the script.
    pub(super) fn next(&mut self) -> Result<Option<Token>, ParseError> {
        while let Some(first) = self.text.as_bytes().get(self.at).copied() {
            if self.skip(first)? {
                continue;
            }
            let (kind, length) = self.token(first)?;
            let token = Token {
                kind,
                start: self.at,
                end: self.at + length,
                conditional: self.open.iter().any(|(_, conditional)| *conditional),
            };
            self.at = token.end;
            return Ok(Some(token));
        }
        match self.open.first() {
            Some((start, _)) => Err(self.unterminated(*start, 3, "a comment that holds code (`/*!`) is never closed")),
            None => Ok(None),
        }
    }

    /// Leaves out white space, a comment, or the frame of an executable one; `false` where a token begins.
    fn skip(&mut self, first: u8) -> Result<bool, ParseError> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match first {
            b' ' | b'\t'..=b'\r' => 1,
            b'#' => line_length(rest),
            b'-' if is_line_comment(rest) => line_length(rest),
            b'*' if rest.get(1) == Some(&b'/') && !self.open.is_empty() => {
                self.open.pop();
                self.closed = self.at + 2;
                2
            }
            b'/' if rest.get(1) == Some(&b'*') => match executable(rest) {
                Some((length, conditional)) => {
                    self.open.push((self.at, conditional));
                    self.opened = self.opened.or(Some(self.at));
                    length
                }
                None => match find(&rest[2..], b"*/") {
                    Some(end) => end + 4,
                    None => return Err(self.unterminated(self.at, 2, "a comment (`/*`) is never closed")),
                },
            },
            _ => return Ok(false),
        };
        self.at += length;
        Ok(true)
    }

    fn token(&self, first: u8) -> Result<(Kind, usize), ParseError> {
        let rest = &self.text.as_bytes()[self.at..];
        Ok(match first {
            b'\'' | b'"' => match quoted(rest, first, true) {
                Some(length) => (Kind::Text, length),
                None => return Err(self.unterminated(self.at, 1, "a string is never closed")),
            },
            b'`' => match quoted(rest, first, false) {
                Some(length) => (Kind::Quoted, length),
                None => return Err(self.unterminated(self.at, 1, "a name in backticks is never closed")),
            },
            b'0'..=b'9' => number(rest),
            _ if is_name(first) => (Kind::Word, name_length(rest)),
            // Every byte beyond ASCII belongs to a name, so this is one character of one byte.
            _ => (Kind::Symbol(char::from(first)), 1),
        })
    }

    fn unterminated(&self, start: usize, length: usize, message: &str) -> ParseError {
        let span = Span::new(start, start + length);
        ParseError::new(ParseErrorKind::Syntax, self.text, span, message)
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

fn name_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len())
}

/// Two dashes begin a comment only where white space, a control character or the end follows.
fn is_line_comment(rest: &[u8]) -> bool {
    rest.get(1) == Some(&b'-') && rest.get(2).is_none_or(|next| *next == b' ' || next.is_ascii_control())
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

/// Length of the head of an executable comment (`/*!80016`), and whether only some servers read what follows.
fn executable(rest: &[u8]) -> Option<(usize, bool)> {
    let (length, of_mariadb) = match rest {
        [_, _, b'!', ..] => (3, false),
        [_, _, b'M', b'!', ..] => (4, true),
        _ => return None,
    };
    let digits = rest[length..]
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits < 5 {
        return Some((length, of_mariadb));
    }
    let version = rest[length..length + digits]
        .iter()
        .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    Some((length + digits, of_mariadb || version > READ_BY_ALL))
}

/// Length of what stands between two quotes, with them. A doubled quote is one inside; so is one behind a backslash.
fn quoted(rest: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        if escapes && rest[at] == b'\\' {
            at += 2;
        } else if rest[at] == quote {
            if rest.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    None
}

/// A number, or a name that begins with a digit (`2fa_codes`).
fn number(rest: &[u8]) -> (Kind, usize) {
    let name = name_length(rest);
    let digits = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    let signed = matches!(rest.get(name..name + 2), Some([b'+' | b'-', digit]) if digit.is_ascii_digit());
    let is_number = digits == name || is_hexadecimal(&rest[..name]) || is_exponent(&rest[digits..name], signed);
    if !is_number {
        return (Kind::Word, name);
    }
    let mut length = name;
    if digits == name && rest.get(length) == Some(&b'.') {
        length += 1 + rest[length + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
    }
    // The sign of an exponent: 1.5e-3.
    if rest[length - 1].eq_ignore_ascii_case(&b'e') && matches!(rest.get(length), Some(b'+' | b'-')) {
        length += 1 + rest[length + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
    }
    (Kind::Number, length)
}

fn is_hexadecimal(word: &[u8]) -> bool {
    match word {
        [b'0', b'x', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [b'0', b'b', digits @ ..] => !digits.is_empty() && digits.iter().all(|digit| matches!(digit, b'0' | b'1')),
        _ => false,
    }
}

/// What follows the digits: `e5`, or `e` in front of a sign and digits.
fn is_exponent(word: &[u8], signed: bool) -> bool {
    matches!(word, [b'e' | b'E', digits @ ..] if digits.is_empty() == signed && digits.iter().all(u8::is_ascii_digit))
}
