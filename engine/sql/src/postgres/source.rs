//! A script with its tokens: turns the start offsets of the tree into exact spans.

use pg_query::protobuf::{ScanToken, Token};

use super::grammar;
use crate::script::Span;

/// Text and tokens of a script. All offsets are bytes of `text`.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub text: &'a str,
    pub tokens: Vec<ScanToken>,
    /// How many bodies lie around it: 0 for a script, 1 for a function's body in it.
    pub depth: u8,
}

/// Offsets of the scanner are never negative.
pub(super) fn offset(location: i32) -> usize {
    usize::try_from(location).unwrap_or(0)
}

impl<'a> Source<'a> {
    /// A text that stands inside `depth` others.
    pub fn new(text: &'a str, depth: u8) -> Self {
        Self {
            text,
            tokens: grammar::tokens(text),
            depth,
        }
    }

    /// The first token that starts at byte `at` or later.
    pub fn token_at(&self, at: usize) -> usize {
        self.tokens.partition_point(|token| offset(token.start) < at)
    }

    /// Bytes from the first to before the last token of a range; empty for an empty range.
    pub fn span(&self, range: (usize, usize)) -> Span {
        match self.tokens.get(range.0..range.1) {
            Some([first, .., last]) => Span::new(offset(first.start), offset(last.end)),
            Some([only]) => Span::new(offset(only.start), offset(only.end)),
            _ => {
                let at = self
                    .tokens
                    .get(range.0)
                    .map_or(self.text.len(), |token| offset(token.start));
                Span::new(at, at)
            }
        }
    }

    /// The text of a token range.
    pub fn slice(&self, range: (usize, usize)) -> &'a str {
        self.span(range).of(self.text)
    }

    /// Whether token `index` is `kind`.
    pub fn is(&self, index: usize, kind: Token) -> bool {
        self.tokens.get(index).is_some_and(|token| token.token == kind as i32)
    }

    /// The first token of `kind` outside brackets in `range`.
    pub fn find(&self, range: (usize, usize), kind: Token) -> Option<usize> {
        self.find_any(range, &[kind])
    }

    /// The first token of one of `kinds` outside brackets in `range`.
    pub fn find_any(&self, range: (usize, usize), kinds: &[Token]) -> Option<usize> {
        let mut depth = 0_usize;
        for index in range.0..range.1.min(self.tokens.len()) {
            let kind = self.tokens[index].token;
            if depth == 0 && kinds.iter().any(|wanted| *wanted as i32 == kind) {
                return Some(index);
            }
            if opens(kind) {
                depth += 1;
            } else if closes(kind) {
                depth = depth.saturating_sub(1);
            }
        }
        None
    }

    /// One past the bracket that closes the one at `open`.
    pub fn past_bracket(&self, open: usize, end: usize) -> usize {
        let mut depth = 0_usize;
        for index in open..end.min(self.tokens.len()) {
            let kind = self.tokens[index].token;
            if opens(kind) {
                depth += 1;
            } else if closes(kind) {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
        }
        end
    }

    /// What stands inside the first parentheses of `range`, as tokens.
    pub fn inside(&self, range: (usize, usize)) -> Option<(usize, usize)> {
        let open = self.find(range, Token::Ascii40)?;
        Some((open + 1, self.past_bracket(open, range.1).saturating_sub(1)))
    }

    /// `range` cut at the commas outside brackets.
    pub fn split_commas(&self, range: (usize, usize)) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let mut start = range.0;
        while let Some(comma) = self.find((start, range.1), Token::Ascii44) {
            parts.push((start, comma));
            start = comma + 1;
        }
        parts.push((start, range.1));
        parts
    }

    /// From `start` to before the comma or closing bracket that ends the clause, at most to `end`.
    pub fn clause(&self, start: usize, end: usize) -> (usize, usize) {
        let mut depth = 0_usize;
        for index in start..end.min(self.tokens.len()) {
            let kind = self.tokens[index].token;
            if opens(kind) {
                depth += 1;
            } else if closes(kind) {
                if depth == 0 {
                    return (start, index);
                }
                depth -= 1;
            } else if depth == 0 && kind == Token::Ascii44 as i32 {
                return (start, index);
            }
        }
        (start, end)
    }

    /// One past a possibly qualified name that starts at `start`.
    pub fn past_name(&self, start: usize) -> usize {
        let mut next = start + 1;
        while self.is(next, Token::Ascii46) {
            next += 2;
        }
        next
    }
}

fn opens(kind: i32) -> bool {
    kind == Token::Ascii40 as i32 || kind == Token::Ascii91 as i32
}

fn closes(kind: i32) -> bool {
    kind == Token::Ascii41 as i32 || kind == Token::Ascii93 as i32
}
