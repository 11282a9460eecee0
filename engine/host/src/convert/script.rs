//! The contract's `script` interface: the migration a call is about.

use std::sync::Arc;

use tollgate_schema::locks::TableLock;
use tollgate_sql::{Change, Dialect, Effect, Script, Span, Statement};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::catalog::known;
use super::{column_name, locks, narrow, object_name};
use crate::bindings::{script as wit, types};
use crate::state::{MigrationHandle, State};

impl wit::Host for State {}

impl wit::HostMigration for State {
    fn name(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.subject()?.migration().name.clone())
    }

    fn checksum(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.subject()?.migration().checksum.clone())
    }

    fn text(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.subject()?.migration().script.text.clone())
    }

    fn statements(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<wit::Statement>> {
        Ok(self.subject()?.statements().to_vec())
    }

    fn changes(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<wit::Change>> {
        Ok(self.subject()?.changes().to_vec())
    }

    fn down(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.subject()?.migration().down.clone())
    }

    fn locks(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<Vec<wit::TableLock>>> {
        Ok(known(self.subject()?.locks())?.to_vec())
    }

    fn drop(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

type Migration = (Resource<MigrationHandle>,);

/// Puts functions that hand out what the subject keeps, instead of copies of it, in the place of those above.
pub(crate) fn add_shared_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("tollgate:plugin/script@0.1.0")?;
    instance.func_wrap(
        "[method]migration.statements",
        |store: StoreContextMut<'_, State>, (_,): Migration| Ok((store.data().subject()?.statements(),)),
    )?;
    instance.func_wrap(
        "[method]migration.changes",
        |store: StoreContextMut<'_, State>, (_,): Migration| Ok((store.data().subject()?.changes(),)),
    )?;
    instance.func_wrap(
        "[method]migration.locks",
        |store: StoreContextMut<'_, State>, (_,): Migration| Ok((known(store.data().subject()?.locks())?,)),
    )
}

pub(crate) fn statements(script: &Script) -> Arc<[wit::Statement]> {
    let statements = script.statements.iter();
    statements.map(|of| statement(of, script.dialect)).collect()
}

pub(crate) fn changes(script: &Script) -> Arc<[wit::Change]> {
    script.changes.iter().map(change).collect()
}

pub(crate) fn table_locks(found: &[Vec<TableLock>]) -> Arc<[Vec<wit::TableLock>]> {
    let statements = found.iter();
    statements
        .map(|of| of.iter().map(locks::table_lock).collect())
        .collect()
}

pub(super) fn span(span: Span) -> types::Span {
    types::Span {
        start: narrow(span.start),
        end: narrow(span.end),
    }
}

fn statement(statement: &Statement, dialect: Dialect) -> wit::Statement {
    wit::Statement {
        index: narrow(statement.index),
        span: span(statement.span),
        effects: statement.effects.iter().map(|of| effect(of, dialect)).collect(),
        transactional: statement.transactional,
        part_of: statement.part_of.map(narrow),
    }
}

fn effect(effect: &Effect, dialect: Dialect) -> wit::Effect {
    wit::Effect {
        at: span(effect.span),
        operation: super::operation::operation(&effect.operation, dialect),
        conditional: effect.conditional,
    }
}

fn change(change: &Change) -> wit::Change {
    match change {
        Change::TableRebuild(rebuild) => wit::Change::TableRebuild(wit::TableRebuild {
            table: object_name(&rebuild.table),
            temporary: object_name(&rebuild.temporary),
            statements: rebuild.statements.iter().copied().map(narrow).collect(),
            drop_statement: narrow(rebuild.drop_statement),
            copied: rebuild.copied.clone(),
            all_rows: rebuild.all_rows,
        }),
        Change::EnumRebuild(rebuild) => wit::Change::EnumRebuild(wit::EnumRebuild {
            name: object_name(&rebuild.name),
            statements: rebuild.statements.iter().copied().map(narrow).collect(),
            drop_statement: narrow(rebuild.drop_statement),
            values: rebuild.values.clone(),
            columns: rebuild
                .columns
                .iter()
                .map(|(table, column)| column_name(table, column))
                .collect(),
        }),
    }
}
