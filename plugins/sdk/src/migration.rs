//! The migration that a plugin is asked about.

use std::cell::OnceCell;

use crate::bindings::script::Migration as Handle;
use crate::contract::{Change, Statement, TableLock};

/// One migration. Each part is fetched from the engine when it is first asked for, and kept.
pub struct Migration<'a> {
    source: Source<'a>,
    name: OnceCell<String>,
    checksum: OnceCell<String>,
    text: OnceCell<String>,
    statements: OnceCell<Vec<Statement>>,
    changes: OnceCell<Vec<Change>>,
    down: OnceCell<Option<String>>,
    locks: OnceCell<Vec<Vec<TableLock>>>,
}

/// Where the parts come from.
enum Source<'a> {
    /// The engine.
    Host(&'a Handle),
    /// All of them were given at the start; locks are computed when a rule asks.
    #[cfg(feature = "testing")]
    Given(Box<dyn Fn() -> Vec<Vec<TableLock>> + 'a>),
}

impl Source<'_> {
    fn ask<T: Default>(&self, question: impl FnOnce(&Handle) -> T) -> T {
        match self {
            Self::Host(handle) => question(handle),
            #[cfg(feature = "testing")]
            Self::Given(_) => T::default(),
        }
    }

    fn locks(&self) -> Vec<Vec<TableLock>> {
        match self {
            Self::Host(handle) => handle.locks(),
            #[cfg(feature = "testing")]
            Self::Given(compute) => compute(),
        }
    }
}

impl<'a> Migration<'a> {
    pub(crate) fn from_host(handle: &'a Handle) -> Self {
        Self::empty(Source::Host(handle))
    }

    /// A migration of known parts, for native tests.
    #[cfg(feature = "testing")]
    pub(crate) fn given(
        name: &str,
        text: &str,
        statements: Vec<Statement>,
        changes: Vec<Change>,
        down: Option<String>,
        locks: impl Fn() -> Vec<Vec<TableLock>> + 'a,
    ) -> Self {
        let migration = Self::empty(Source::Given(Box::new(locks)));
        let parts = migration.name.set(name.to_owned()).is_ok()
            && migration.text.set(text.to_owned()).is_ok()
            && migration.statements.set(statements).is_ok()
            && migration.changes.set(changes).is_ok()
            && migration.down.set(down).is_ok();
        debug_assert!(parts, "every part of a new migration is still unset");
        migration
    }

    fn empty(source: Source<'a>) -> Self {
        Self {
            source,
            name: OnceCell::new(),
            checksum: OnceCell::new(),
            text: OnceCell::new(),
            statements: OnceCell::new(),
            changes: OnceCell::new(),
            down: OnceCell::new(),
            locks: OnceCell::new(),
        }
    }

    /// Directory name, for example `20260901120000_add_users`.
    pub fn name(&self) -> &str {
        self.name.get_or_init(|| self.source.ask(Handle::name))
    }

    /// SHA-256 of the script in lower-case hexadecimal, as the ledger stores it.
    pub fn checksum(&self) -> &str {
        self.checksum.get_or_init(|| self.source.ask(Handle::checksum))
    }

    /// The whole script.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| self.source.ask(Handle::text))
    }

    /// Every statement, in order.
    pub fn statements(&self) -> &[Statement] {
        self.statements.get_or_init(|| self.source.ask(Handle::statements))
    }

    /// Statements that mean one thing together: a table rebuild, an enum rebuild.
    pub fn changes(&self) -> &[Change] {
        self.changes.get_or_init(|| self.source.ask(Handle::changes))
    }

    /// The author's own `down.sql`, where there is one.
    pub fn down(&self) -> Option<&str> {
        self.down.get_or_init(|| self.source.ask(Handle::down)).as_deref()
    }

    /// What each statement locks, reads whole and writes anew: one list a statement. Computed by the engine when it is
    /// first asked for.
    pub fn locks(&self) -> &[Vec<TableLock>] {
        self.locks.get_or_init(|| self.source.locks())
    }
}
