//! SQL's words, as far as a rule needs them that looks into a clause which the contract keeps as text.
//!
//! The engine has parsed the script, so nothing here has to judge whether it is right: every literal ends.

use crate::contract::{Dialect, Span};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes: double ones, and where the server has them backticks or square brackets.
    Quoted,
    /// A string, dollar-quoted ones included.
    Literal,
    /// A number or a parameter (`$1`).
    Number,
    /// An operator or a punctuation mark.
    Symbol,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: Kind,
    /// As written.
    pub text: &'t str,
    /// Where it begins in the text that was read.
    pub start: usize,
}

impl<'t> Token<'t> {
    /// This keyword, in capitals or not.
    pub fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// This operator or punctuation mark.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// A name as PostgreSQL folds it.
    pub fn name(&self) -> Option<String> {
        self.name_on(Dialect::Postgres)
    }

    /// A name as the server folds it, but not cut to any length.
    pub fn name_on(&self, dialect: Dialect) -> Option<String> {
        match self.kind {
            Kind::Word if dialect == Dialect::Postgres => Some(self.text.to_lowercase()),
            Kind::Word => Some(self.text.to_owned()),
            Kind::Quoted => {
                let inside = self.text.get(1..self.text.len() - 1)?;
                Some(match self.text.as_bytes().first() {
                    Some(b'`') => inside.replace("``", "`"),
                    Some(b'[') => inside.to_owned(),
                    _ => inside.replace("\"\"", "\""),
                })
            }
            _ => None,
        }
    }

    /// Where it stands in a script, when its text begins at byte `offset` of it.
    pub fn span(&self, offset: u32) -> Span {
        let at = |place: usize| offset + u32::try_from(place).unwrap_or(u32::MAX - offset);
        Span {
            start: at(self.start),
            end: at(self.end()),
        }
    }

    /// What a string holds, as written between its quotes.
    pub fn body(&self) -> Option<&'t str> {
        if self.kind != Kind::Literal {
            return None;
        }
        let quote = self.text.find(['\'', '$'])?;
        let tag = match self.text.as_bytes().get(quote) {
            Some(b'$') => self.text[quote + 1..].find('$')? + 2,
            _ => 1,
        };
        self.text.get(quote + tag..self.text.len() - tag)
    }

    /// The value of a plain string: `'it''s'` is `it's`.
    pub fn value(&self) -> Option<String> {
        let body = self.body()?;
        Some(if self.text.ends_with('\'') {
            body.replace("''", "'")
        } else {
            body.to_owned()
        })
    }

    /// One past its last byte.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Characters that operators are made of.
const OPERATORS: &[u8] = b"<>=!~+-*/%^&|@#?:";

/// All tokens of a text; white space and comments are left out.
pub fn read(text: &str, dialect: Dialect) -> Vec<Token<'_>> {
    let mut found = Vec::with_capacity(text.len() / 4);
    found.extend(each(text, dialect));
    found
}

/// The first token of a text.
pub fn first(text: &str, dialect: Dialect) -> Option<Token<'_>> {
    each(text, dialect).next()
}

/// The tokens of a text, one by one.
fn each(text: &str, dialect: Dialect) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let length = blank(&text[at..], dialect);
            if length > 0 {
                at += length;
                continue;
            }
            let (kind, length) = token(&text[at..], dialect);
            let start = at;
            at = (at + length).min(text.len());
            let text = &text[start..at];
            return Some(Token { kind, text, start });
        }
        None
    })
}

/// Length of white space or of a comment that the text begins with.
fn blank(text: &str, dialect: Dialect) -> usize {
    // Nearly every token begins with a plain character that is none of those looked for below.
    let first = text.as_bytes().first().copied().unwrap_or(0);
    if first.is_ascii_graphic() && first != b'-' && first != b'/' {
        return 0;
    }
    if text.starts_with("--") {
        return text.find('\n').map_or(text.len(), |end| end + 1);
    }
    if text.starts_with("/*") {
        let mut depth = 0_usize;
        let mut at = 0;
        while at < text.len() {
            let step = match text.as_bytes().get(at..at + 2) {
                // Only PostgreSQL's comments may hold others.
                Some(b"/*") if depth == 0 || dialect == Dialect::Postgres => {
                    depth += 1;
                    2
                }
                Some(b"*/") => {
                    depth -= 1;
                    2
                }
                _ => 1,
            };
            at += step;
            if depth == 0 {
                break;
            }
        }
        return at;
    }
    text.len() - text.trim_start().len()
}

fn token(text: &str, dialect: Dialect) -> (Kind, usize) {
    let postgres = dialect == Dialect::Postgres;
    let bytes = text.as_bytes();
    let first = bytes[0];
    let second = bytes.get(1).copied().unwrap_or(0);
    match first {
        b'\'' => (Kind::Literal, quoted(text, 0, b'\'', false)),
        b'e' | b'E' if postgres && second == b'\'' => (Kind::Literal, quoted(text, 1, b'\'', true)),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if second == b'\'' => (Kind::Literal, quoted(text, 1, b'\'', false)),
        b'u' | b'U' if text.get(1..3) == Some("&'") => (Kind::Literal, quoted(text, 2, b'\'', false)),
        b'"' => (Kind::Quoted, quoted(text, 0, b'"', false)),
        b'`' if !postgres => (Kind::Quoted, quoted(text, 0, b'`', false)),
        b'[' if dialect == Dialect::Sqlite => (Kind::Quoted, text.find(']').map_or(text.len(), |end| end + 1)),
        b'$' if postgres => match dollar(text) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Number, 1 + run(&text[1..], |c| c.is_ascii_digit())),
        },
        b'0'..=b'9' => (
            Kind::Number,
            run(text, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_'),
        ),
        _ if first.is_ascii_alphabetic() || first == b'_' || !first.is_ascii() => (
            Kind::Word,
            run(text, |c| c.is_alphanumeric() || c == '_' || c == '$').max(char_length(text)),
        ),
        _ if OPERATORS.contains(&first) => (Kind::Symbol, operator(bytes)),
        _ => (Kind::Symbol, 1),
    }
}

fn char_length(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

/// Length of the characters at the beginning that `belongs` takes.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    let plain = |byte: &u8| byte.is_ascii() && belongs(char::from(*byte));
    let length = text.bytes().take_while(|byte| plain(byte)).count();
    match text.as_bytes().get(length) {
        Some(byte) if !byte.is_ascii() => text.find(|character| !belongs(character)).unwrap_or(text.len()),
        _ => length,
    }
}

/// An operator ends where a comment begins.
fn operator(bytes: &[u8]) -> usize {
    let mut length = 1;
    while bytes.get(length).is_some_and(|byte| OPERATORS.contains(byte)) {
        if matches!(bytes.get(length..length + 2), Some(b"--" | b"/*")) {
            break;
        }
        length += 1;
    }
    length
}

/// Length of a quoted token whose quote stands at `from`. A doubled quote is one inside.
fn quoted(text: &str, from: usize, quote: u8, escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = from + 1;
    while at < bytes.len() {
        if escapes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of `$tag$ … $tag$`.
fn dollar(text: &str) -> Option<usize> {
    let tag = run(&text[1..], |c| c.is_alphanumeric() || c == '_') + 2;
    let opening = text.get(..tag).filter(|opening| opening.ends_with('$'))?;
    if opening.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let end = text[tag..].find(opening)?;
    Some(tag + end + tag)
}

/// The tokens from `from` up to the first that `stops` takes, outside brackets.
pub fn until<'s, 't>(tokens: &'s [Token<'t>], stops: impl Fn(&Token<'t>) -> bool) -> &'s [Token<'t>] {
    let length = at_top(tokens)
        .find(|(_, token)| stops(token))
        .map_or(tokens.len(), |(at, _)| at);
    &tokens[..length]
}

/// Tokens outside brackets, with their places. The brackets themselves are left out.
pub fn at_top<'s, 't>(tokens: &'s [Token<'t>]) -> impl Iterator<Item = (usize, &'s Token<'t>)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        let opens = token.is_symbol("(") || token.is_symbol("[");
        let closes = token.is_symbol(")") || token.is_symbol("]");
        if closes {
            depth = depth.saturating_sub(1);
        }
        let outside = depth == 0 && !opens && !closes;
        if opens {
            depth += 1;
        }
        outside
    })
}

/// The parts between separators that stand outside brackets.
pub fn split<'s, 't>(tokens: &'s [Token<'t>], separates: impl Fn(&Token<'t>) -> bool) -> Vec<&'s [Token<'t>]> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, token) in at_top(tokens) {
        if separates(token) {
            parts.push(&tokens[from..at]);
            from = at + 1;
        }
    }
    parts.push(&tokens[from..]);
    parts
}

/// Without brackets around the whole.
pub fn bare<'s, 't>(mut tokens: &'s [Token<'t>]) -> &'s [Token<'t>] {
    while let [open, inside @ .., close] = tokens
        && open.is_symbol("(")
        && close.is_symbol(")")
        && balanced(inside)
    {
        tokens = inside;
    }
    tokens
}

fn balanced(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_i32;
    for token in tokens {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: Dialect = Dialect::Postgres;

    fn shown(text: &str) -> Vec<&str> {
        read(text, POSTGRES).iter().map(|token| token.text).collect()
    }

    #[test]
    fn a_text_is_read_as_the_server_reads_it() {
        assert_eq!(shown("a>='x''y'--c\n+ 1.5e3"), ["a", ">=", "'x''y'", "+", "1.5e3"]);
        assert_eq!(
            shown("\"a\"\"b\".c /* x /* y */ */ IN(1)"),
            ["\"a\"\"b\"", ".", "c", "IN", "(", "1", ")"]
        );
        assert_eq!(
            shown("$$a;b$$ $x$ $$ $x$ $1 E'\\'' größe"),
            ["$$a;b$$", "$x$ $$ $x$", "$1", "E'\\''", "größe"]
        );
        assert_eq!(shown("a::text[]"), ["a", "::", "text", "[", "]"]);
    }

    #[test]
    fn values_and_names() {
        let tokens = read("'it''s' $t$b$t$ \"A\"\"b\" ABC", POSTGRES);
        assert_eq!(tokens[0].value().as_deref(), Some("it's"));
        assert_eq!(tokens[1].value().as_deref(), Some("b"));
        assert_eq!(tokens[2].name().as_deref(), Some("A\"b"));
        assert_eq!(tokens[3].name().as_deref(), Some("abc"));
    }

    #[test]
    fn brackets_keep_together() {
        let tokens = read("a = (b AND c) AND d IN (1, 2)", POSTGRES);
        let parts = split(&tokens, |token| token.is("and"));
        assert_eq!(parts.len(), 2);
        assert_eq!(bare(&read("((a) + (b))", POSTGRES)).len(), 7);
        assert_eq!(until(&tokens, |token| token.is("and")).len(), 7);
    }

    #[test]
    fn what_does_not_end_goes_to_the_end() {
        for text in ["'a", "\"a", "$$ a", "/* a", "$a", "E'\\", "\"", "'", "[", "`"] {
            for dialect in [POSTGRES, Dialect::Sqlite, Dialect::Mysql] {
                let found = read(text, dialect);
                assert!(found.len() <= 3, "{text}: {found:?}");
                assert!(found.iter().all(|token| token.end() <= text.len()), "{text}: {found:?}");
                let names = found.iter().filter_map(|token| token.name_on(dialect));
                assert!(names.count() <= 2, "{text}");
            }
        }
    }

    #[test]
    fn servers_quote_and_comment_in_their_own_ways() {
        let shown = |text, dialect| -> Vec<&str> { read(text, dialect).iter().map(|token| token.text).collect() };
        let text = "/* a /* b */ [x y] `c``d` $1";
        assert_eq!(shown(text, Dialect::Sqlite), ["[x y]", "`c``d`", "$", "1"]);
        assert_eq!(shown(text, Dialect::Mysql), ["[", "x", "y", "]", "`c``d`", "$", "1"]);
        assert!(shown(text, POSTGRES).is_empty(), "the comment goes on");
        let tokens = read("Users `My ``T` [a\"\"b]", Dialect::Sqlite);
        let names: Vec<_> = tokens
            .iter()
            .filter_map(|token| token.name_on(Dialect::Sqlite))
            .collect();
        assert_eq!(names, ["Users", "My `T", "a\"\"b"]);
        assert_eq!(
            first("-- x\nCOPY t", POSTGRES).map(|token| token.span(3)),
            Some(Span { start: 8, end: 12 })
        );
    }
}
