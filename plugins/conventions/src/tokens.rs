//! The words of a script with their places in it.

use tollgate_plugin::rules::tokens;
use tollgate_plugin::{Dialect, Span};

/// One word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'t> {
    /// Where it stands in the script.
    pub(crate) at: Span,
    token: tokens::Token<'t>,
}

impl Token<'_> {
    /// The keyword, or a name without quotes, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.token.is(word)
    }

    /// The punctuation mark.
    pub(crate) fn is(&self, symbol: &str) -> bool {
        self.token.is_symbol(symbol)
    }

    /// A name in quotes.
    pub(crate) fn is_quoted(&self) -> bool {
        self.token.kind == tokens::Kind::Quoted
    }

    /// The name that it can be, as the server folds it but not cut to any length.
    pub(crate) fn name(&self, dialect: Dialect) -> Option<String> {
        self.token.name_on(dialect)
    }

    /// Of a dollar-quoted string the place of what is between the tags.
    pub(crate) fn dollar_quoted(&self) -> Option<Span> {
        let body = self.token.body().filter(|_| self.token.text.starts_with('$'))?;
        let tag = u32::try_from((self.token.text.len() - body.len()) / 2).ok()?;
        Some(Span {
            start: self.at.start + tag,
            end: self.at.end - tag,
        })
    }
}

/// The tokens of `span`; comments and white space are left out.
pub(crate) fn tokens(text: &str, span: Span, dialect: Dialect) -> Vec<Token<'_>> {
    let found = tokens::read(span.of(text), dialect).into_iter();
    found
        .map(|token| Token {
            at: token.span(span.start),
            token,
        })
        .collect()
}
