//! What a rule's check is given: the migration, both schemas, and what holds at each step between them.

use std::any::Any;
use std::rc::Rc;

use super::history::{Fate, History};
use crate::catalog::Catalog;
use crate::contract::{Change, ColumnName, Dialect, Effect, ObjectKind, ObjectName, Server, Statement, TableLock};
use crate::migration::Migration;
use crate::relation::Relation;
use crate::request::PolicyRequest;

/// One effect of one statement.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Position among all effects of the script.
    pub(super) ordinal: usize,
    /// The statement.
    pub statement: &'a Statement,
    /// What it does.
    pub effect: &'a Effect,
}

impl Step<'_> {
    /// `drops`, or `may drop` when the effect is behind a condition.
    pub fn verb(&self, third_person: &'static str, infinitive: &str) -> String {
        if self.effect.conditional {
            format!("may {infinitive}")
        } else {
            third_person.to_owned()
        }
    }
}

/// A migration with the schemas around it.
pub struct Context<'a> {
    /// What the engine asked.
    pub request: &'a PolicyRequest,
    /// The migration.
    pub migration: &'a Migration<'a>,
    /// The schema without the migration.
    pub before: &'a dyn Catalog,
    /// The schema with the migration.
    pub after: &'a dyn Catalog,
    settings: &'a dyn Any,
    history: History,
}

impl<'a> Context<'a> {
    /// Reads the script once; everything else is asked for when a rule wants it.
    pub fn new(
        request: &'a PolicyRequest,
        migration: &'a Migration<'a>,
        before: &'a dyn Catalog,
        after: &'a dyn Catalog,
    ) -> Self {
        let history = History::of(migration.statements());
        Self {
            request,
            migration,
            before,
            after,
            settings: &(),
            history,
        }
    }

    /// The plugin's own settings, for rules that depend on them.
    #[must_use]
    pub fn with_settings(mut self, settings: &'a dyn Any) -> Self {
        self.settings = settings;
        self
    }

    /// What [`Context::with_settings`] was given, when it is of that type.
    pub fn settings<S: Any>(&self) -> Option<&'a S> {
        self.settings.downcast_ref()
    }

    /// The server that the migration is for.
    pub fn server(&self) -> &Server {
        &self.request.server
    }

    /// The SQL dialect.
    pub fn dialect(&self) -> Dialect {
        self.request.server.dialect
    }

    /// What the statement locks, reads whole and writes anew, by the schema just before it and the server's version.
    /// Objects are named as the server has them; what the statement itself creates is not among them.
    pub fn locks(&self, statement: &Statement) -> &'a [TableLock] {
        let found = self.migration.locks().get(statement.index as usize);
        found.map_or(&[], Vec::as_slice)
    }

    /// How long a statement of a deploy may wait for a lock, in milliseconds; `None`: nothing limits it.
    pub fn lock_timeout_ms(&self) -> Option<u64> {
        self.request.lock_timeout_ms.filter(|limit| *limit > 0)
    }

    /// How long a statement of a deploy may run, in milliseconds; `None`: nothing limits it.
    pub fn statement_timeout_ms(&self) -> Option<u64> {
        self.request.statement_timeout_ms.filter(|limit| *limit > 0)
    }

    /// Every effect that stands for itself: the steps of a rebuild are left out, see [`Context::changes`].
    pub fn steps(&self) -> impl Iterator<Item = Step<'a>> {
        self.all_steps().filter(|step| step.statement.part_of.is_none())
    }

    /// Every effect of every statement.
    pub fn all_steps(&self) -> impl Iterator<Item = Step<'a>> {
        self.migration
            .statements()
            .iter()
            .flat_map(|statement| statement.effects.iter().map(move |effect| (statement, effect)))
            .enumerate()
            .map(|(ordinal, (statement, effect))| Step {
                ordinal,
                statement,
                effect,
            })
    }

    /// Statements that mean one thing together, each with the statement to point at.
    pub fn changes(&self) -> impl Iterator<Item = (&'a Change, &'a Statement)> {
        let statements = self.migration.statements();
        self.migration.changes().iter().filter_map(|change| {
            let at = match change {
                Change::TableRebuild(rebuild) => rebuild.drop_statement,
                Change::EnumRebuild(rebuild) => rebuild.drop_statement,
            };
            Some((change, statements.get(at as usize)?))
        })
    }

    /// The relation as it was before the migration, under whatever name it had then. `None`: made by the migration, or
    /// not known.
    pub fn before_relation(&self, step: &Step<'_>, name: &ObjectName) -> Option<Rc<Relation<'a>>> {
        self.before.relation(&self.original(step, ObjectKind::Table, name)?)
    }

    /// What the object was called before the migration; `None` when an earlier statement made it.
    pub fn original(&self, step: &Step<'_>, kind: ObjectKind, name: &ObjectName) -> Option<ObjectName> {
        self.history
            .original(kind, name, step.ordinal, &|left, right| self.same(kind, left, right))
    }

    /// The column as it was called before the migration; `None` when an earlier statement added it or its table. Where the
    /// server takes several spellings of a name for the same, the one that it was made with.
    pub fn original_column(&self, step: &Step<'_>, column: &ColumnName) -> Option<ColumnName> {
        let same = |left: &ObjectName, right: &ObjectName| self.same(ObjectKind::Table, left, right);
        let (table, column) = self
            .history
            .column_back(&column.table, &column.column, step.ordinal, None, &same)?;
        let column = self.as_made(&table, column);
        Some(ColumnName { table, column })
    }

    fn as_made(&self, table: &ObjectName, column: String) -> String {
        if self.dialect() == Dialect::Postgres {
            return column;
        }
        let Some(relation) = self.before.relation(table) else {
            return column;
        };
        if relation.column(&column).is_some() {
            return column;
        }
        let known = relation.columns.iter().map(|known| &known.name);
        known
            .into_iter()
            .find(|known| self.same_identifier(known, &column))
            .cloned()
            .unwrap_or(column)
    }

    /// The object did not exist before the migration: a statement above made it, or it is known to be absent.
    pub fn is_new(&self, step: &Step<'_>, kind: ObjectKind, name: &ObjectName) -> bool {
        match self.original(step, kind, name) {
            None => true,
            Some(original) => self.before.exists(kind, &original) == Some(false),
        }
    }

    /// The column did not exist before the migration: a statement above added it or its table, or it is known to be
    /// absent.
    pub fn is_new_column(&self, step: &Step<'_>, column: &ColumnName) -> bool {
        let Some(original) = self.original_column(step, column) else {
            return true;
        };
        match self.before.relation(&original.table) {
            Some(table) => !table.uncertain && table.column(&original.column).is_none(),
            None => self.before.exists(ObjectKind::Table, &original.table) == Some(false),
        }
    }

    /// The column as it was called right after an earlier step; `None` when it was added between the two.
    pub fn column_after(&self, earlier: &Step<'_>, step: &Step<'_>, column: &ColumnName) -> Option<ColumnName> {
        let same = |left: &ObjectName, right: &ObjectName| self.same(ObjectKind::Table, left, right);
        let since = Some(earlier.ordinal);
        let (table, column) = self
            .history
            .column_back(&column.table, &column.column, step.ordinal, since, &same)?;
        Some(ColumnName { table, column })
    }

    /// A column of the schema before the migration has been dropped when the step runs.
    pub fn is_column_gone(&self, step: &Step<'_>, original: &ColumnName) -> bool {
        self.column_fate(step, original) == Fate::Gone
    }

    /// A column of the schema before the migration has another type when the step runs.
    pub fn is_column_retyped(&self, step: &Step<'_>, original: &ColumnName) -> bool {
        self.column_fate(step, original) == Fate::Retyped
    }

    fn column_fate(&self, step: &Step<'_>, original: &ColumnName) -> Fate {
        let same = |left: &ObjectName, right: &ObjectName| self.same(ObjectKind::Table, left, right);
        self.history
            .column_fate(&original.table, &original.column, step.ordinal, &same)
    }

    /// An object of the schema before the migration has been dropped when the step runs.
    pub fn is_gone(&self, step: &Step<'_>, kind: ObjectKind, original: &ObjectName) -> bool {
        self.history.is_gone(kind, original, step.ordinal, &|left, right| {
            self.same(kind, left, right)
        })
    }

    /// Whether two names mean the same column of the same table.
    pub fn same_column(&self, left: &ColumnName, right: &ColumnName) -> bool {
        self.same_identifier(&left.column, &right.column) && self.same(ObjectKind::Table, &left.table, &right.table)
    }

    /// The steps that follow, in order.
    pub fn steps_after(&self, step: &Step<'_>) -> impl Iterator<Item = Step<'a>> {
        let ordinal = step.ordinal;
        self.all_steps().filter(move |later| later.ordinal > ordinal)
    }

    /// The steps above, in order.
    pub fn steps_before(&self, step: &Step<'_>) -> impl Iterator<Item = Step<'a>> {
        let ordinal = step.ordinal;
        self.all_steps().take_while(move |earlier| earlier.ordinal < ordinal)
    }

    /// Whether the table can hold rows when the step runs. `false` only where that is known: made by this migration or
    /// by one of the same plan and not filled since, or counted and found empty. One whose rows the migration itself has
    /// deleted is still in use: see [`Context::is_emptied`].
    pub fn may_hold_rows(&self, step: &Step<'_>, table: &ObjectName) -> bool {
        let same = |left: &ObjectName, right: &ObjectName| self.same(ObjectKind::Table, left, right);
        if self.history.filled(table, step.ordinal, &same) {
            return true;
        }
        match self.original(step, ObjectKind::Table, table) {
            None => false,
            Some(original) => self.held_rows(&original),
        }
    }

    /// A statement above has deleted every row of the table, and none was written since: nothing in it can be wrong.
    pub fn is_emptied(&self, step: &Step<'_>, table: &ObjectName) -> bool {
        let same = |left: &ObjectName, right: &ObjectName| self.same(ObjectKind::Table, left, right);
        self.history.emptied(table, step.ordinal, &same)
    }

    /// Whether a table could hold rows before the migration.
    pub fn held_rows(&self, table: &ObjectName) -> bool {
        !(self.before.known_empty(table)
            || self.before.exists(ObjectKind::Table, table) == Some(false)
            || self.before.count_rows(table, 1) == Ok(0))
    }

    /// How many rows the table had before the migration, in words for a message: `12 rows`, `about 3,200,000 rows`.
    /// `None` when nobody knows.
    pub fn rows_in_words(&self, table: &ObjectName) -> Option<String> {
        const LIMIT: u64 = 10_000;
        match self.before.count_rows(table, LIMIT) {
            Ok(1) => Some("1 row".to_owned()),
            Ok(rows) if rows < LIMIT => Some(format!("{} rows", thousands(rows))),
            counted => {
                let estimate = self.before.relation(table).and_then(|relation| relation.estimated_rows);
                match (estimate.filter(|rows| *rows > 0), counted) {
                    (Some(rows), _) => Some(format!("about {} rows", thousands(rows))),
                    (None, Ok(rows)) => Some(format!("{} rows or more", thousands(rows))),
                    (None, Err(_)) => None,
                }
            }
        }
    }

    /// Whether two names mean the same object of a kind. Names are only resolved where they could.
    pub fn same(&self, kind: ObjectKind, left: &ObjectName, right: &ObjectName) -> bool {
        if self.dialect() == Dialect::Sqlite {
            return left.name.eq_ignore_ascii_case(&right.name);
        }
        left.name == right.name
            && (left.schema == right.schema || self.resolve(kind, left) == self.resolve(kind, right))
    }

    /// Whether two identifiers of columns and the like are the same to the server.
    pub fn same_identifier(&self, left: &str, right: &str) -> bool {
        match self.dialect() {
            Dialect::Postgres => left == right,
            Dialect::Sqlite | Dialect::Mysql => left.eq_ignore_ascii_case(right),
        }
    }

    /// A name as the server resolves it before the migration.
    pub fn resolve(&self, kind: ObjectKind, name: &ObjectName) -> ObjectName {
        self.before.resolve(kind, name)
    }
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
