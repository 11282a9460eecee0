//! Columns: added, dropped, renamed, changed.

use std::rc::Rc;

use tollgate_plugin::{
    AddedColumn, Column, ColumnName, ColumnRename, ColumnTypeChange, ConstraintKind, DroppedColumn, Identity,
    IdentityChange, ObjectKind, ObjectName, Operation, Relation,
};

use super::Context;
use crate::Undo;
use crate::lives::{At, Life};

impl Context<'_> {
    /// The column as it was before the migration, with its table.
    fn column_before(&self, at: At) -> Option<(Rc<Relation<'_>>, Column)> {
        let relation = self.before.relation(&self.original(at)?)?;
        let column = relation.column(self.original_member(at)?)?.clone();
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

    pub(super) fn undo_add_column(&self, at: At, added: &AddedColumn) -> Undo {
        if self.original(at).is_none() && !self.uses_new_type(&added.column.data_type) {
            return Undo::nothing();
        }
        let table = self.table(&added.table);
        let undo = Undo::one(format!(
            "{}DROP COLUMN {}",
            self.alter(&added.table),
            self.names.one(&added.column.name)
        ));
        if added.column.generated.is_some() || self.original(at).is_none() {
            undo
        } else {
            undo.losing(format!(
                "what was written to {}.{} since",
                table.short(),
                added.column.name
            ))
        }
    }

    /// `SQLite` adds no column whose default has to be computed.
    pub(super) fn needs_rebuild_on_sqlite(&self, at: At) -> bool {
        self.column_before(at).is_some_and(|(_, column)| {
            let computed =
                |default: &str| default.contains('(') || default.to_ascii_uppercase().starts_with("CURRENT_");
            column.generated.is_some() || column.default.as_deref().is_some_and(computed)
        })
    }

    pub(super) fn undo_drop_column(&self, at: At, dropped: &DroppedColumn) -> Undo {
        let column = &dropped.column;
        let Some(original) = self.original(at) else {
            return Undo::nothing();
        };
        let Some((relation, old)) = self.column_before(at) else {
            return match self.before.relation(&original) {
                Some(_) => Undo::nothing(),
                None => Undo::irreversible(format!("what {column} looked like is not known")),
            };
        };
        if relation.primary_key().contains(&old.name) && !self.before.known_empty(&original) {
            return Undo::irreversible(format!(
                "the values of {column} are gone, and the primary key needs them"
            ));
        }
        let Some(mut sql) = self.before.member_ddl(ObjectKind::Column, &original, &old.name) else {
            return Undo::irreversible(format!("{column} cannot be added again"));
        };
        // What stands on several dropped columns comes back with the one that is added last.
        let added_later = self.lives.dropped_columns(at).filter(|(other, _)| *other < at);
        for (_, other) in added_later {
            let with_it = self
                .before
                .member_ddl(ObjectKind::Column, &original, other)
                .unwrap_or_default();
            sql.retain(|statement| !with_it.contains(statement));
        }
        if dropped.cascade {
            sql.extend(self.needing_column(&original, &old.name));
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

    pub(super) fn undo_rename_column(&self, renamed: &ColumnRename) -> Undo {
        Undo::one(format!(
            "{}RENAME COLUMN {} TO {}",
            self.alter(&renamed.from.table),
            self.names.one(&renamed.to),
            self.names.one(&renamed.from.column)
        ))
    }

    pub(super) fn undo_alter_type(&self, at: At, change: &ColumnTypeChange) -> Undo {
        let Some((_, old)) = self.column_before(at) else {
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
        let widened = change.using.is_none() && widens(&old.data_type, &change.to);
        // A cast would cut what has become too long since; without one the server refuses to.
        let using = if widened && is_text(&old.data_type) {
            String::new()
        } else {
            format!(" USING {name}::{}", cast(&change.to, &old.data_type))
        };
        sql.push(format!("{alter}SET DATA TYPE {}{using}", old.data_type));
        if let Some(default) = default {
            sql.push(format!("{alter}SET DEFAULT {default}"));
        }
        let undo = Undo::sql(sql);
        if widened && (is_text(&old.data_type) || is_integer(&change.to)) {
            return undo;
        }
        if widened {
            return undo.losing(format!(
                "of what was written to {} since, whatever {} cannot hold",
                change.column, old.data_type
            ));
        }
        undo.losing(format!("what {} lost when it became {}", change.column, change.to))
    }

    pub(super) fn undo_set_not_null(&self, at: At, column: &ColumnName) -> Undo {
        match self.column_before(at) {
            Some((_, old)) if old.not_null => Undo::nothing(),
            Some(_) => Undo::one(format!("{}DROP NOT NULL", self.alter_column(column))),
            None => self.unknown_column(at, column),
        }
    }

    pub(super) fn undo_drop_not_null(&self, at: At, column: &ColumnName) -> Undo {
        match self.column_before(at) {
            Some((_, old)) if !old.not_null => Undo::nothing(),
            Some(_) => Undo::one(format!("{}SET NOT NULL", self.alter_column(column))),
            None => self.unknown_column(at, column),
        }
    }

    pub(super) fn restore_default(&self, at: At, column: &ColumnName) -> Undo {
        match self.column_before(at) {
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

    pub(super) fn undo_identity(&self, at: At, change: &IdentityChange) -> Undo {
        let Some((_, old)) = self.column_before(at) else {
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
            (Some(old), None) => Undo::one(format!("{alter}ADD {}", self.identity_before(at, word(old))))
                .losing(format!("the position of the sequence of {}", change.column)),
        }
    }

    /// `GENERATED … AS IDENTITY (…)` as the column had it.
    fn identity_before(&self, at: At, word: &str) -> String {
        let statements = self
            .column_before(at)
            .and_then(|(relation, column)| self.before.member_ddl(ObjectKind::Column, &relation.name, &column.name));
        let clause = statements.and_then(|statements| {
            let add = statements.first()?;
            let clause = &add[add.find(" GENERATED ")? + 1..];
            let options = clause.find("AS IDENTITY (")?;
            let end = options + clause[options..].find(')')? + 1;
            Some(clause[..end].to_owned())
        });
        clause.unwrap_or_else(|| format!("GENERATED {word} AS IDENTITY"))
    }

    /// The migration makes a type that the type of a column is made from.
    fn uses_new_type(&self, data_type: &str) -> bool {
        let statements = self.migration.statements().iter();
        let mut made = statements
            .flat_map(|statement| &statement.effects)
            .filter_map(|effect| match &effect.operation {
                Operation::CreateEnum(created) => Some(&created.name),
                Operation::Create(created) if matches!(created.kind, ObjectKind::Type | ObjectKind::Domain) => {
                    Some(&created.name)
                }
                _ => None,
            });
        made.any(|name| data_type.contains(name.name.as_str()))
    }

    /// A column that was not there before goes again with its own ADD COLUMN or CREATE TABLE.
    fn unknown_column(&self, at: At, column: &ColumnName) -> Undo {
        let is_new = |life: Option<&Life>| life.is_some_and(Life::is_new);
        if is_new(self.lives.object(at)) || is_new(self.lives.member(at)) {
            Undo::nothing()
        } else {
            Undo::irreversible(format!("what {column} was before is not known"))
        }
    }
}

/// `SQLite` refuses to drop a column with a foreign key: the table has to be built anew.
pub(super) fn stays_on_sqlite(added: &AddedColumn) -> bool {
    added
        .constraints
        .iter()
        .any(|constraint| constraint.kind == ConstraintKind::ForeignKey)
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

/// A type of text whose limit the server enforces when values are assigned to it.
fn is_text(name: &str) -> bool {
    name == "text" || name.starts_with("character varying")
}

/// A type from which a cast to a smaller one fails rather than rounds.
fn is_integer(name: &str) -> bool {
    matches!(name, "smallint" | "integer" | "bigint")
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
