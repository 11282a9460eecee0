//! What a statement does, as it is found.

use crate::operation::Operation;
use crate::script::{Effect, Span};

use super::cursor::Cursor;
use super::scan::Token;

/// The effects of one statement.
pub(super) struct Effects<'a> {
    whole: Span,
    tokens: &'a [Token],
    found: Vec<Effect>,
}

impl<'a> Effects<'a> {
    /// None yet, of a statement that stands at `whole`.
    pub(super) fn new(whole: Span, tokens: &'a [Token]) -> Self {
        Self {
            whole,
            tokens,
            found: Vec::new(),
        }
    }

    /// The statement.
    pub(super) fn whole(&self) -> Span {
        self.whole
    }

    /// The statement as written.
    pub(super) fn written<'s>(&self, cursor: &Cursor<'s>) -> &'s str {
        self.whole.of(cursor.script())
    }

    /// Something happens, because of the words at `span`. Only perhaps where some servers leave them out.
    pub(super) fn push(&mut self, span: Span, operation: Operation) {
        let at = self.tokens.partition_point(|token| token.start < span.start);
        let conditional = self.tokens.get(at).is_some_and(|token| token.conditional);
        self.found.push(Effect {
            span,
            operation,
            conditional,
        });
    }

    pub(super) fn finish(self) -> Vec<Effect> {
        self.found
    }
}
