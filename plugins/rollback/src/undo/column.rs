//! Columns: added, dropped, renamed, changed.

use std::rc::Rc;

use tollgate_plugin::{
    AddedColumn, Column, ColumnName, ColumnRename, ColumnTypeChange, ConstraintKind, Dialect, DroppedColumn, Identity,
    IdentityChange, ObjectKind, ObjectName, Relation,
};

use super::Context;
use crate::Undo;

impl Context<'_> {
    /// The column as it was before the migration, with its table.
    fn column_before(&self, at: u32, column: &ColumnName) -> Option<(Rc<Relation>, Column)> {
        let original = self.original(at, &column.table)?;
        let relation = self.before.relation(&original)?;
        let column = relation.column(&column.column)?.clone();
        Some((relation, column))
    }

    /// `ALTER TABLE "t" ALTER COLUMN "c" `.
    fn alter_column(&self, column: &ColumnName) -> String {
        format!(
            "{}ALTER COLUMN {} ",
            self.alter(&column.table),
            self.names.one(&column.column)
        )
    }

    pub(super) fn undo_add_column(&self, at: u32, added: &AddedColumn) -> Undo {
        let Some(original) = self.original(at, &added.table) else {
            return Undo::nothing();
        };
        let before = self.before.relation(&original);
        let existed = before.is_some_and(|relation| relation.column(&added.column.name).is_some());
        if added.if_not_exists && existed {
            return Undo::nothing();
        }
        let table = self.table(&added.table);
        let what = format!("what was written to {}.{} since", table.short(), added.column.name);
        let in_foreign_key = added
            .constraints
            .iter()
            .any(|constraint| constraint.kind == ConstraintKind::ForeignKey);
        let undo = if self.dialect() == Dialect::Sqlite && in_foreign_key {
            // SQLite refuses to drop a column with a foreign key: the table has to be built anew.
            match self.before.restore_table(&original, self.after) {
                Some(sql) => Undo::sql(sql),
                None => return Undo::irreversible(format!("{} cannot be rebuilt without the column", table.short())),
            }
        } else {
            Undo::one(format!(
                "{}DROP COLUMN {}",
                self.alter(&added.table),
                self.names.one(&added.column.name)
            ))
        };
        if added.column.generated.is_some() {
            undo
        } else {
            undo.losing(what)
        }
    }

    pub(super) fn undo_drop_column(&self, at: u32, dropped: &DroppedColumn) -> Undo {
        let column = &dropped.column;
        let Some(original) = self.original(at, &column.table) else {
            return Undo::nothing();
        };
        if self
            .origins
            .column_added(at, &self.table(&column.table), &column.column)
            && self.column_before(at, column).is_none()
        {
            return Undo::irreversible(format!("{column} was added and dropped in one migration"));
        }
        let Some((relation, old)) = self.column_before(at, column) else {
            return match self.before.relation(&original) {
                Some(_) => Undo::nothing(),
                None => Undo::irreversible(format!("what {column} looked like is not known")),
            };
        };
        if relation.primary_key().contains(&column.column) && !self.before.known_empty(&original) {
            return Undo::irreversible(format!(
                "the values of {column} are gone, and the primary key needs them"
            ));
        }
        let sql = if self.dialect() == Dialect::Sqlite {
            self.readd_on_sqlite(&original, &old)
        } else {
            self.before.member_ddl(ObjectKind::Column, &original, &column.column)
        };
        let Some(mut sql) = sql else {
            return Undo::irreversible(format!("{column} cannot be added again"));
        };
        if dropped.cascade {
            sql.extend(self.needing_column(&original, &column.column));
        }
        if old.generated.is_some() || self.before.known_empty(&original) {
            return Undo::sql(sql);
        }
        // Rows that are there have no value for it: the column has to come back without NOT NULL.
        let needs_values = old.not_null && old.default.is_none() && old.identity.is_none();
        if !needs_values {
            return Undo::sql(sql).losing(format!("the values of {column}"));
        }
        let not_null = |statement: &String| statement.trim_end_matches(';').ends_with("SET NOT NULL");
        let sql = sql
            .into_iter()
            .filter(|statement| !not_null(statement))
            .map(|statement| nullable(&statement))
            .collect();
        Undo::sql(sql).losing(format!("the values of {column}, which comes back without NOT NULL"))
    }

    /// What a CASCADE took with the column: views and foreign keys of other tables.
    fn needing_column(&self, table: &ObjectName, column: &str) -> Vec<String> {
        let foreign_keys = self
            .before
            .referencing(table)
            .into_iter()
            .filter(|(owner, foreign_key)| {
                owner != table && foreign_key.referenced_columns.iter().any(|name| name == column)
            });
        let foreign_keys = foreign_keys.filter_map(|(owner, foreign_key)| {
            self.before
                .member_ddl(ObjectKind::Constraint, &owner, &foreign_key.name)
        });
        let views = self
            .before
            .dependents(ObjectKind::Table, table)
            .into_iter()
            .filter(|dependent| {
                matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView)
                    && dependent.column.as_deref().is_none_or(|needed| needed == column)
                    && self.after.relation(&dependent.name).is_none()
            });
        let mut seen = Vec::new();
        let views = views.filter_map(|view| {
            let new = !seen.contains(&view.name);
            seen.push(view.name.clone());
            if new {
                self.before.ddl(view.kind, &view.name)
            } else {
                None
            }
        });
        foreign_keys.chain(views).flatten().collect()
    }

    /// ADD COLUMN where `SQLite` can, a rebuild of the table where it cannot.
    fn readd_on_sqlite(&self, table: &ObjectName, column: &Column) -> Option<Vec<String>> {
        let constant = column
            .default
            .as_deref()
            .is_none_or(|default| !default.contains('(') && !default.to_ascii_uppercase().starts_with("CURRENT_"));
        if constant && column.generated.is_none() {
            return self.before.member_ddl(ObjectKind::Column, table, &column.name);
        }
        self.before.restore_table(table, self.after)
    }

    pub(super) fn undo_rename_column(&self, at: u32, renamed: &ColumnRename) -> Undo {
        if self.original(at, &renamed.from.table).is_none() {
            return Undo::nothing();
        }
        Undo::one(format!(
            "{}RENAME COLUMN {} TO {}",
            self.alter(&renamed.from.table),
            self.names.one(&renamed.to),
            self.names.one(&renamed.from.column)
        ))
    }

    pub(super) fn undo_alter_type(&self, at: u32, change: &ColumnTypeChange) -> Undo {
        if self.original(at, &change.column.table).is_none() {
            return Undo::nothing();
        }
        let Some((_, old)) = self.column_before(at, &change.column) else {
            return self.unknown_column(at, &change.column);
        };
        let name = self.names.one(&change.column.column);
        let alter = self.alter_column(&change.column);
        let mut sql = Vec::new();
        // A default of the new type may have no cast to the old one; it comes back below.
        let default = old
            .default
            .as_ref()
            .filter(|_| old.generated.is_none() && old.identity.is_none());
        if default.is_some() {
            sql.push(format!("{alter}DROP DEFAULT"));
        }
        sql.push(format!(
            "{alter}SET DATA TYPE {0} USING {name}::{1}",
            old.data_type,
            cast(&change.to, &old.data_type)
        ));
        if let Some(default) = default {
            sql.push(format!("{alter}SET DEFAULT {default}"));
        }
        let undo = Undo::sql(sql);
        if change.using.is_none() && widens(&old.data_type, &change.to) {
            return undo;
        }
        undo.losing(format!("what {} lost when it became {}", change.column, change.to))
    }

    pub(super) fn undo_set_not_null(&self, at: u32, column: &ColumnName) -> Undo {
        match self.column_before(at, column) {
            Some((_, old)) if old.not_null => Undo::nothing(),
            Some(_) => Undo::one(format!("{}DROP NOT NULL", self.alter_column(column))),
            None => self.unknown_column(at, column),
        }
    }

    pub(super) fn undo_drop_not_null(&self, at: u32, column: &ColumnName) -> Undo {
        match self.column_before(at, column) {
            Some((_, old)) if !old.not_null => Undo::nothing(),
            Some(_) => Undo::one(format!("{}SET NOT NULL", self.alter_column(column))),
            None => self.unknown_column(at, column),
        }
    }

    pub(super) fn restore_default(&self, at: u32, column: &ColumnName) -> Undo {
        match self.column_before(at, column) {
            Some((
                _,
                Column {
                    default: Some(default), ..
                },
            )) => Undo::one(format!("{}SET DEFAULT {default}", self.alter_column(column))),
            Some(_) => Undo::one(format!("{}DROP DEFAULT", self.alter_column(column))),
            None => self.unknown_column(at, column),
        }
    }

    pub(super) fn undo_identity(&self, at: u32, change: &IdentityChange) -> Undo {
        let Some((_, old)) = self.column_before(at, &change.column) else {
            return self.unknown_column(at, &change.column);
        };
        let alter = self.alter_column(&change.column);
        let word = |identity: Identity| {
            if identity == Identity::Always {
                "ALWAYS"
            } else {
                "BY DEFAULT"
            }
        };
        match (old.identity, change.identity) {
            (None, None) => Undo::nothing(),
            (None, Some(_)) => Undo::one(format!("{alter}DROP IDENTITY")),
            (Some(old), Some(_)) => Undo::one(format!("{alter}SET GENERATED {}", word(old))),
            (Some(old), None) => Undo::one(format!("{alter}ADD GENERATED {} AS IDENTITY", word(old)))
                .losing(format!("the position of the sequence of {}", change.column)),
        }
    }

    /// A column that was not there before goes again with its own ADD COLUMN or CREATE TABLE.
    fn unknown_column(&self, at: u32, column: &ColumnName) -> Undo {
        let table = self.table(&column.table);
        let goes = self.original(at, &column.table).is_none() || self.origins.column_added(at, &table, &column.column);
        if goes {
            Undo::nothing()
        } else {
            Undo::irreversible(format!("what {column} was before is not known"))
        }
    }
}

/// An ADD COLUMN without its NOT NULL.
fn nullable(statement: &str) -> String {
    if statement.contains("ADD COLUMN") {
        statement.replacen(" NOT NULL", "", 1)
    } else {
        statement.to_owned()
    }
}

/// What to write behind `::`. An enum has no direct cast to another: the way leads over text.
fn cast(from: &str, to: &str) -> String {
    let built_in = |name: &str| !name.contains('"') && !name.contains('.');
    if built_in(from) && built_in(to) {
        to.to_owned()
    } else {
        format!("text::{to}")
    }
}

/// Every value of `from` is one of `to`, and comes back the same.
fn widens(from: &str, to: &str) -> bool {
    const WIDENING: &[(&str, &[&str])] = &[
        ("smallint", &["integer", "bigint", "numeric"]),
        ("integer", &["bigint", "numeric"]),
        ("bigint", &["numeric"]),
        ("real", &["double precision"]),
        ("date", &["timestamp without time zone"]),
        ("character varying", &["text", "character varying"]),
        ("text", &["character varying"]),
    ];
    let base = |name: &str| name.split('(').next().unwrap_or(name).trim().to_owned();
    let limit = |name: &str| -> Option<u32> { name.split_once('(')?.1.trim_end_matches(')').parse().ok() };
    let listed = WIDENING
        .iter()
        .any(|(narrow, wide)| base(from) == *narrow && wide.contains(&to.split('(').next().unwrap_or(to)));
    match (limit(from), limit(to)) {
        (_, None) => listed,
        (Some(from_limit), Some(to_limit)) => base(from) == base(to) && from_limit <= to_limit,
        (None, Some(_)) => false,
    }
}
