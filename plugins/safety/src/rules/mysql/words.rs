//! The words of a MySQL statement: strings in either quotes, names in backticks, comments of three kinds.
//!
//! The engine has cut the script, so every literal ends. What stands in an executable comment (`/*!80000 … */`) is code.

use tollgate_plugin::{Span, Statement};

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in backticks.
    Quoted,
    /// A string.
    Text,
    /// One character of anything else.
    Symbol,
}

/// One word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// As written.
    pub(super) text: &'t str,
    /// First byte, in the script.
    pub(super) start: u32,
    /// Brackets around it.
    pub(super) depth: u32,
}

impl Token<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// One past its last byte.
    pub(super) fn end(&self) -> u32 {
        self.start + narrow(self.text.len())
    }

    /// The name that it is.
    pub(super) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Quoted => Some(inner(self.text).replace("``", "`")),
            Kind::Text | Kind::Symbol => None,
        }
    }

    /// What a string holds: two that are written differently and mean the same are equal.
    pub(super) fn value(&self) -> Option<String> {
        let quote = self.text.get(..1).filter(|_| self.kind == Kind::Text)?;
        Some(inner(self.text).replace(&quote.repeat(2), quote).replace('\\', ""))
    }
}

fn inner(text: &str) -> &str {
    text.get(1..text.len() - 1).unwrap_or_default()
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The words of a statement.
pub(super) fn of<'t>(script: &'t str, statement: &Statement) -> Vec<Token<'t>> {
    read(script, statement.span)
}

/// The words of a part of the script.
pub(super) fn read(script: &str, span: Span) -> Vec<Token<'_>> {
    let text = span.of(script);
    let (mut at, mut depth) = (0, 0_u32);
    let mut found = Vec::new();
    while at < text.len() {
        let rest = &text[at..];
        if let Some(length) = blank(rest) {
            at += length;
            continue;
        }
        let (kind, length) = word(rest);
        let token = &rest[..length];
        depth -= u32::from(token == ")" && depth > 0);
        found.push(Token {
            kind,
            text: token,
            start: span.start + narrow(at),
            depth,
        });
        depth += u32::from(token == "(");
        at += length;
    }
    found
}

/// Length of white space, of a comment, or of the frame of an executable one.
fn blank(text: &str) -> Option<usize> {
    let line = || text.find('\n').unwrap_or(text.len());
    if text.starts_with('#')
        || (text.starts_with("--") && !text[2..].starts_with(|next: char| !next.is_ascii_control() && next != ' '))
    {
        return Some(line());
    }
    for frame in ["/*!", "/*M!"] {
        if let Some(rest) = text.strip_prefix(frame) {
            let digits = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
            return Some(frame.len() + if digits >= 5 { digits } else { 0 });
        }
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if text.starts_with("*/") {
        return Some(2);
    }
    let space = text.len() - text.trim_start().len();
    (space > 0).then_some(space)
}

fn word(text: &str) -> (Kind, usize) {
    let first = text.chars().next().unwrap_or(' ');
    match first {
        '\'' | '"' => (Kind::Text, quoted(text, first, true)),
        '`' => (Kind::Quoted, quoted(text, first, false)),
        _ if is_name(first) => (Kind::Word, text.find(|next| !is_name(next)).unwrap_or(text.len())),
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && escapes {
            letters.next();
        } else if letter == quote {
            if letters.peek().is_none_or(|(_, next)| *next != quote) {
                return at + 1;
            }
            letters.next();
        }
    }
    text.len()
}

/// A name in backticks.
pub(super) fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Span;

    use super::read;

    #[test]
    fn words_are_cut_as_the_server_cuts_them() {
        let script = "ALTER/* ( */TABLE `a``b` -- (\n ADD /*!80000 c */ ENUM('x''y', \"z\\\")\") # )\n DEFAULT 5--1";
        let all = Span {
            start: 0,
            end: u32::try_from(script.len()).unwrap_or(u32::MAX),
        };
        let found = read(script, all);
        let texts: Vec<&str> = found.iter().map(|token| token.text).collect();
        assert_eq!(
            texts,
            [
                "ALTER",
                "TABLE",
                "`a``b`",
                "ADD",
                "c",
                "ENUM",
                "(",
                "'x''y'",
                ",",
                "\"z\\\")\"",
                ")",
                "DEFAULT",
                "5",
                "-",
                "-",
                "1"
            ]
        );
        assert_eq!(found[2].name().as_deref(), Some("a`b"));
        assert_eq!(found[7].value().as_deref(), Some("x'y"));
        assert_eq!(found[9].value().as_deref(), Some("z\")"));
        assert_eq!((found[7].depth, found[10].depth), (1, 0));
    }
}
