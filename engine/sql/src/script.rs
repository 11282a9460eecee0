//! A parsed migration script: its text, its statements and what each does.

use serde::{Deserialize, Serialize};

use crate::name::{Dialect, ObjectName};
use crate::operation::Operation;

/// Half-open byte range into a script's text, always on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The spanned part of `text`.
    pub fn of(self, text: &str) -> &str {
        &text[self.start..self.end]
    }
}

/// A place a person can go to: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in Unicode scalar values.
    pub column: usize,
}

impl Position {
    /// Where byte `offset` of `text` is.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A migration script after parsing. The spans of `statements` are in ascending order and do not overlap; joined with
/// the text between them they give back `text`.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Which grammar read it.
    pub dialect: Dialect,
    /// The whole file.
    pub text: String,
    /// Every statement; empty statements and comments lie between.
    pub statements: Vec<Statement>,
    /// Statements that together are one change.
    pub changes: Vec<Change>,
}

impl Script {
    /// The line on which each statement begins, counted from 1: the text is read once for all of them.
    pub fn lines(&self) -> Vec<usize> {
        let (mut line, mut at) = (1, 0);
        let mut lines = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            line += self.text[at..statement.span.start].matches('\n').count();
            at = statement.span.start;
            lines.push(line);
        }
        lines
    }
}

/// One statement of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Position in the script, counted from zero.
    pub index: usize,
    /// The statement without leading comments and white space, and without the closing semicolon.
    pub span: Span,
    /// What it does, in the order the server does it. Empty for a statement that changes nothing (a plain SELECT).
    pub effects: Vec<Effect>,
    /// Whether the server can run it inside a transaction block.
    pub transactional: bool,
    /// Index into [`Script::changes`] when the statement is one step of a larger change.
    pub part_of: Option<usize>,
}

impl Statement {
    /// Every object the statement names, without duplicates, in order of appearance.
    pub fn objects(&self) -> Vec<ObjectName> {
        let mut seen = Vec::new();
        for object in self.effects.iter().flat_map(|effect| effect.operation.objects()) {
            if !seen.contains(&object) {
                seen.push(object);
            }
        }
        seen
    }
}

/// One operation and where the script says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The clause (`DROP COLUMN x`) or, where the operation is the whole statement, the statement.
    pub span: Span,
    /// What happens.
    pub operation: Operation,
    /// The operation stands inside a DO block or behind a condition, so it may or may not happen.
    pub conditional: bool,
}

/// Statements that mean one thing together. A policy that looked at them one by one would report a loss where none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Create a table under a temporary name, copy, drop the old one, rename: how `SQLite` alters what ALTER TABLE cannot.
    TableRebuild(TableRebuild),
    /// Create a new enum, move the columns over, drop the old one: how Prisma removes or reorders enum values.
    EnumRebuild(EnumRebuild),
}

/// See [`Change::TableRebuild`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRebuild {
    /// The table, before and after.
    pub table: ObjectName,
    /// The name the new table has meanwhile; where the old table is renamed away first, that name.
    pub temporary: ObjectName,
    /// Indexes of the statements that belong to it, ascending; the DROP TABLE is among them.
    pub statements: Vec<usize>,
    /// The DROP TABLE among them.
    pub drop_statement: usize,
    /// New column and the old column (or expression) its values come from; `("*", "*")` where the copy is `SELECT *`,
    /// whose columns the script alone does not tell.
    pub copied: Vec<(String, String)>,
    /// The copy takes every row (no WHERE, no LIMIT, no DISTINCT, no join).
    pub all_rows: bool,
}

/// See [`Change::EnumRebuild`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumRebuild {
    /// The enum, before and after.
    pub name: ObjectName,
    /// Indexes of the statements that belong to it, ascending.
    pub statements: Vec<usize>,
    /// The DROP TYPE among them.
    pub drop_statement: usize,
    /// All values afterwards, in order.
    pub values: Vec<String>,
    /// Columns that were moved to the new type.
    pub columns: Vec<(ObjectName, String)>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_are_those_of_the_places_where_statements_begin() {
        let text = "-- é\nSELECT 1; SELECT 2;\r\n\n\nSELECT\n3;\n-- four\n  SELECT 4;\n";
        let script = crate::parse(Dialect::Postgres, text).unwrap();
        assert_eq!(script.lines(), [2, 2, 5, 8]);
        for (statement, line) in script.statements.iter().zip(script.lines()) {
            assert_eq!(Position::of(text, statement.span.start).line, line);
        }
        assert!(
            crate::parse(Dialect::Postgres, "-- nothing\n")
                .unwrap()
                .lines()
                .is_empty()
        );
    }
}
