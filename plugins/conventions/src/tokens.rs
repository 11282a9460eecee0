//! The words of a script with their places: enough to point at a column's type or at a name, and no more.

use tollgate_plugin::{Dialect, Span};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a name without quotes, as written.
    Word,
    /// A name in quotes: what stands between them, with doubled quotes made single.
    Quoted(String),
    /// A string constant; of a dollar-quoted one the place of what is between the tags.
    Text(Option<Span>),
    /// A number.
    Number,
    /// One character of anything else.
    Symbol(char),
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where it stands in the text that was read, from the offset that was given.
    pub(crate) at: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

impl Token {
    /// The keyword, or a name without quotes, in any case.
    pub(crate) fn is_word(&self, text: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.at.of(text).eq_ignore_ascii_case(word)
    }

    /// The symbol.
    pub(crate) fn is(&self, symbol: char) -> bool {
        self.kind == Kind::Symbol(symbol)
    }

    /// The name that it can be, as the server folds it but not cut to any length.
    pub(crate) fn name(&self, text: &str, dialect: Dialect) -> Option<String> {
        match &self.kind {
            Kind::Quoted(name) => Some(name.clone()),
            Kind::Word if dialect == Dialect::Postgres => Some(self.at.of(text).to_lowercase()),
            Kind::Word => Some(self.at.of(text).to_owned()),
            _ => None,
        }
    }
}

/// The tokens of `span`; comments and white space are left out.
pub(crate) fn tokens(text: &str, span: Span, dialect: Dialect) -> Vec<Token> {
    let mut reader = Reader {
        text: &text[..(span.end as usize).min(text.len())],
        at: span.start as usize,
        dialect,
    };
    let mut found = Vec::new();
    while reader.skip_blank() {
        let start = reader.at;
        let kind = reader.token();
        let at = span_of(start, reader.at);
        found.push(Token { at, kind });
    }
    found
}

fn span_of(start: usize, end: usize) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: narrow(start),
        end: narrow(end),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    dialect: Dialect,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Skips white space and comments; `false` at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += self.block_comment();
            } else {
                return !rest.is_empty();
            }
        }
    }

    /// Length of the comment here; PostgreSQL's may hold others.
    fn block_comment(&self) -> usize {
        let bytes = self.rest().as_bytes();
        let (mut depth, mut at) = (0_usize, 0);
        while at < bytes.len() {
            match bytes.get(at..at + 2) {
                Some(b"/*") if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    at += 2;
                }
                Some(b"*/") => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => at += 1,
            }
        }
        bytes.len()
    }

    fn token(&mut self) -> Kind {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Kind::Symbol(' ');
        };
        match first {
            '"' => self.quoted('"'),
            '`' if self.dialect != Dialect::Postgres => self.quoted('`'),
            '[' if self.dialect == Dialect::Sqlite => self.quoted(']'),
            '\'' => self.string(false),
            'e' | 'E' if self.dialect == Dialect::Postgres && rest[1..].starts_with('\'') => {
                self.at += 1;
                self.string(true)
            }
            '$' if self.dialect == Dialect::Postgres => self.dollar(),
            _ if first.is_ascii_digit() => self.run(Kind::Number),
            _ if first.is_alphabetic() || first == '_' => self.run(Kind::Word),
            _ => {
                self.at += first.len_utf8();
                Kind::Symbol(first)
            }
        }
    }

    /// Letters, digits, underscores and dollar signs; of a number the dot as well.
    fn run(&mut self, kind: Kind) -> Kind {
        let number = kind == Kind::Number;
        let belongs =
            |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$' || (number && letter == '.');
        let length = self.rest().find(|letter| !belongs(letter)).unwrap_or(self.rest().len());
        self.at += length;
        kind
    }

    fn quoted(&mut self, close: char) -> Kind {
        let mut name = String::new();
        let mut letters = self.rest()[1..].char_indices().peekable();
        let mut length = self.rest().len();
        while let Some((at, letter)) = letters.next() {
            if letter != close {
                name.push(letter);
            } else if letters.peek().is_some_and(|(_, next)| *next == close) && close != ']' {
                letters.next();
                name.push(close);
            } else {
                length = 1 + at + 1;
                break;
            }
        }
        self.at += length;
        Kind::Quoted(name)
    }

    fn string(&mut self, escapes: bool) -> Kind {
        let bytes = self.rest().as_bytes();
        let mut at = 1;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if escapes => at += 2,
                b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                b'\'' => {
                    at += 1;
                    break;
                }
                _ => at += 1,
            }
        }
        self.at += at.min(bytes.len());
        Kind::Text(None)
    }

    /// `$tag$ … $tag$`, or a lone dollar sign of a parameter.
    fn dollar(&mut self) -> Kind {
        let rest = self.rest();
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]).filter(|tag| {
            let name = &tag[1..tag.len() - 1];
            !name.starts_with(|first: char| first.is_ascii_digit())
                && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        });
        let Some(tag) = tag else {
            self.at += 1;
            return Kind::Symbol('$');
        };
        let inside = self.at + tag.len();
        let length = self.text[inside..].find(tag);
        let end = inside + length.unwrap_or(self.text.len() - inside);
        let past = end + length.map_or(0, |_| tag.len());
        self.at = past;
        Kind::Text(Some(span_of(inside, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dialect: Dialect) -> Vec<String> {
        let whole = span_of(0, text.len());
        let found = tokens(text, whole, dialect);
        found.iter().map(|token| token.at.of(text).to_owned()).collect()
    }

    #[test]
    fn comments_and_strings_are_not_words() {
        let text = "-- x\nALTER /* a /* b */ c */ TABLE \"a\"\"b\" 'it''s' E'\\'' $f$ $$ $f$ $1 größe_1;";
        assert_eq!(
            read(text, Dialect::Postgres),
            [
                "ALTER",
                "TABLE",
                "\"a\"\"b\"",
                "'it''s'",
                "E'\\''",
                "$f$ $$ $f$",
                "$",
                "1",
                "größe_1",
                ";"
            ]
        );
    }

    #[test]
    fn names_are_folded() {
        let text = "Users \"My \"\"T\"";
        let found = tokens(text, span_of(0, text.len()), Dialect::Postgres);
        assert_eq!(found[0].name(text, Dialect::Postgres).as_deref(), Some("users"));
        assert_eq!(found[0].name(text, Dialect::Sqlite).as_deref(), Some("Users"));
        assert_eq!(found[1].name(text, Dialect::Postgres).as_deref(), Some("My \"T"));
    }

    #[test]
    fn sqlite_has_other_quotes() {
        assert_eq!(read("[a b] `c` x", Dialect::Sqlite), ["[a b]", "`c`", "x"]);
        assert_eq!(read("a[1]", Dialect::Postgres), ["a", "[", "1", "]"]);
    }

    #[test]
    fn what_does_not_end_goes_to_the_end() {
        for text in ["'a", "\"a", "$$ a", "/* a", "$a", "E'\\"] {
            let found = read(text, Dialect::Postgres);
            assert!(found.len() <= 2, "{text}: {found:?}");
        }
    }
}
