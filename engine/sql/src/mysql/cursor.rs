//! A place among the tokens of a statement, and what can be read there.

use crate::name::ObjectName;
use crate::script::Span;

use super::scan::{Kind, Token};

/// Reads tokens from left to right. Copies are cheap: to look ahead, read on a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    script: &'a str,
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(script: &'a str, tokens: &'a [Token]) -> Self {
        Self { script, tokens, at: 0 }
    }

    /// The token here.
    pub(super) fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    /// The token so many places further.
    pub(super) fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [Token] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    /// The tokens from here on as a cursor of their own.
    pub(super) fn remainder(&self) -> Self {
        Self::new(self.script, self.rest())
    }

    /// A token as written.
    pub(super) fn text(&self, token: Token) -> &'a str {
        &self.script[token.start..token.end]
    }

    /// The word here in lower case; empty where none stands.
    pub(super) fn word(&self) -> String {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => self.text(token).to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is(self.script, word))
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// These words stand here one behind the other.
    pub(super) fn are(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.peek_at(ahead).is_some_and(|token| token.is(self.script, word)))
    }

    pub(super) fn is_symbol(&self, symbol: char) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(symbol))
    }

    /// Steps over the word if it stands here.
    pub(super) fn take(&mut self, word: &str) -> bool {
        self.take_all(&[word])
    }

    /// Steps over one of the words.
    pub(super) fn take_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(word))
    }

    /// Steps over the words if all of them stand here.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let here = self.are(words);
        if here {
            self.at += words.len();
        }
        here
    }

    pub(super) fn take_symbol(&mut self, symbol: char) -> bool {
        let here = self.is_symbol(symbol);
        self.at += usize::from(here);
        here
    }

    /// IF EXISTS.
    pub(super) fn take_if_exists(&mut self) -> bool {
        self.take_all(&["if", "exists"])
    }

    /// IF NOT EXISTS.
    pub(super) fn take_if_not_exists(&mut self) -> bool {
        self.take_all(&["if", "not", "exists"])
    }

    /// An identifier with its quotes taken off. Double quotes are names where the server is told so (`ANSI_QUOTES`).
    pub(super) fn name(&mut self) -> Option<String> {
        let token = self.peek()?;
        let name = name_of(self.text(token), token.kind)?;
        self.at += 1;
        Some(name)
    }

    /// A name with or without its database.
    pub(super) fn object(&mut self) -> Option<ObjectName> {
        self.take_symbol('.');
        let first = self.name()?;
        if !self.is_symbol('.') {
            return Some(ObjectName::bare(first));
        }
        let mut behind = *self;
        behind.at += 1;
        match behind.name() {
            Some(second) => {
                *self = behind;
                Some(ObjectName::qualified(first, second))
            }
            None => Some(ObjectName::bare(first)),
        }
    }

    /// What a string holds.
    pub(super) fn string(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.kind == Kind::Text)?;
        self.at += 1;
        Some(unquoted(self.text(token)))
    }

    /// Steps over a group in brackets and gives what is inside; nothing happens where none begins here.
    pub(super) fn group(&mut self) -> Option<Self> {
        if !self.is_symbol('(') {
            return None;
        }
        let start = self.at + 1;
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match token.kind {
                Kind::Symbol('(') => depth += 1,
                Kind::Symbol(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let end = self.at.saturating_sub(1).max(start);
        Some(Self::new(self.script, &self.tokens[start..end]))
    }

    /// Steps over one token, or over a whole group in brackets.
    pub(super) fn step(&mut self) {
        if self.group().is_none() {
            self.next();
        }
    }

    /// Steps over everything up to the first token outside of brackets that `stops` takes.
    pub(super) fn until(&mut self, stops: impl Fn(&Self) -> bool) -> Self {
        let start = self.at;
        while !self.at_end() && !stops(self) {
            self.step();
        }
        Self::new(self.script, &self.tokens[start..self.at])
    }

    /// The parts between commas outside of brackets. An empty part counts.
    pub(super) fn parts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = self.remainder();
        loop {
            parts.push(rest.until(|here| here.is_symbol(',')));
            if !rest.take_symbol(',') {
                return parts;
            }
        }
    }

    /// From the first token to the last of all that is in this cursor; `None` when there is none.
    pub(super) fn span(&self) -> Option<Span> {
        let (first, last) = (self.tokens.first()?, self.tokens.last()?);
        Some(Span::new(first.start, last.end))
    }

    /// All that is in this cursor as written.
    pub(super) fn written(&self) -> &'a str {
        self.span().map_or("", |span| span.of(self.script))
    }

    /// All tokens, read ones too.
    pub(super) fn all(&self) -> &'a [Token] {
        self.tokens
    }

    pub(super) fn script(&self) -> &'a str {
        self.script
    }
}

/// The name that a token is; `None` where it can be none.
pub(super) fn name_of(text: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Word => Some(text.to_owned()),
        Kind::Quoted => Some(text.get(1..text.len() - 1)?.replace("``", "`")),
        Kind::Text if text.starts_with('"') => Some(text.get(1..text.len() - 1)?.replace("\"\"", "\"")),
        _ => None,
    }
}

/// What a string holds, its quotes and escapes taken off.
pub(super) fn unquoted(text: &str) -> String {
    let Some(quote) = text.chars().next() else {
        return String::new();
    };
    let inner = text.get(1..text.len() - 1).unwrap_or_default();
    let mut value = String::with_capacity(inner.len());
    let mut letters = inner.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|escaped| match escaped {
                '0' => '\0',
                'b' => '\u{8}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'Z' => '\u{1a}',
                other => other,
            })),
            _ if letter == quote && letters.peek() == Some(&quote) => {
                letters.next();
                value.push(quote);
            }
            _ => value.push(letter),
        }
    }
    value
}
