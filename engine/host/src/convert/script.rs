//! The contract's `script` interface: the migration a call is about.

use tollgate_sql::{Change, Dialect, Effect, Span, Statement};
use wasmtime::component::Resource;

use super::{column_name, locks, narrow, object_name};
use crate::bindings::{script as wit, types};
use crate::state::{MigrationHandle, State};

impl wit::Host for State {}

impl wit::HostMigration for State {
    fn name(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.migration()?.name.clone())
    }

    fn checksum(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.migration()?.checksum.clone())
    }

    fn text(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<String> {
        Ok(self.migration()?.script.text.clone())
    }

    fn statements(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<wit::Statement>> {
        let script = &self.migration()?.script;
        Ok(script
            .statements
            .iter()
            .map(|of| statement(of, script.dialect))
            .collect())
    }

    fn changes(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<wit::Change>> {
        Ok(self.migration()?.script.changes.iter().map(change).collect())
    }

    fn down(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.migration()?.down.clone())
    }

    /// Computed when somebody asks: most rules never do. All policies that ask share the answer.
    fn locks(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<Vec<Vec<wit::TableLock>>> {
        let found = self.locks.of(self.before()?, &self.migration()?.script);
        Ok(super::catalog::known(found)?
            .iter()
            .map(|of| of.iter().map(locks::table_lock).collect())
            .collect())
    }

    fn drop(&mut self, _: Resource<MigrationHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
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
