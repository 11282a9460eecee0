//! Enums. PostgreSQL cannot take a value out of an enum: the type is made anew and the columns moved over.

use tollgate_plugin::{EnumValue, EnumValueRename, ObjectKind, ObjectName};

use super::Context;
use crate::Undo;
use crate::names::Names;

impl Context<'_> {
    pub(super) fn undo_add_enum_value(&self, name: &ObjectName, added: &EnumValue) -> Undo {
        match self.before.enum_values(name) {
            None if self.before.exists(ObjectKind::Type, name) == Some(false) => Undo::nothing(),
            Some(values) if values.contains(&added.value) => Undo::nothing(),
            // One migration may add several values: the enum is made anew once, where the first of them is undone last.
            Some(values) if self.first_addition(name, &values) == Some(&added.value) => self.restore_enum(name),
            Some(_) => Undo::nothing(),
            None => Undo::irreversible(format!("the values of {} are not known", name.short())),
        }
    }

    fn first_addition(&self, name: &ObjectName, before: &[String]) -> Option<&String> {
        self.migration
            .statements()
            .iter()
            .flat_map(|statement| &statement.effects)
            .find_map(|effect| match &effect.operation {
                tollgate_plugin::Operation::AddEnumValue(added)
                    if self.before.resolve(ObjectKind::Type, &added.name) == *name
                        && !before.contains(&added.value) =>
                {
                    Some(&added.value)
                }
                _ => None,
            })
    }

    pub(super) fn undo_rename_enum_value(&self, renamed: &EnumValueRename) -> Undo {
        let name = self.after.resolve(ObjectKind::Type, &renamed.name);
        Undo::one(format!(
            "ALTER TYPE {} RENAME VALUE {} TO {}",
            self.names.object(&name),
            Names::literal(&renamed.to),
            Names::literal(&renamed.from)
        ))
    }

    /// Gives an enum the values that it had. Rows with a value that it had not stop the rollback; nothing is lost.
    pub(super) fn restore_enum(&self, name: &ObjectName) -> Undo {
        let Some(values) = self.before.enum_values(name) else {
            return Undo::irreversible(format!("the values of {} are not known", name.short()));
        };
        let old = ObjectName {
            schema: name.schema.clone(),
            name: format!("{}_old", name.name),
        };
        let quoted = self.names.object(name);
        let mut sql = vec![
            format!("ALTER TYPE {quoted} RENAME TO {}", self.names.one(&old.name)),
            format!(
                "CREATE TYPE {quoted} AS ENUM ({})",
                values
                    .iter()
                    .map(|value| Names::literal(value))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ];
        for dependent in self.after.dependents(ObjectKind::Type, name) {
            let Some(column) = dependent.member.filter(|_| dependent.kind == ObjectKind::Column) else {
                continue;
            };
            sql.extend(self.move_column(&dependent.name, &column, &quoted));
        }
        sql.push(format!("DROP TYPE {}", self.names.object(&old)));
        Undo::sql(sql)
    }

    fn move_column(&self, table: &ObjectName, column: &str, to: &str) -> Vec<String> {
        let relation = self.after.relation(table);
        let found = relation.as_ref().and_then(|relation| relation.column(column));
        let array = if found.is_some_and(|column| column.data_type.ends_with("[]")) {
            "[]"
        } else {
            ""
        };
        let default = self
            .before
            .relation(table)
            .and_then(|relation| relation.column(column).and_then(|column| column.default.clone()))
            .or_else(|| found.and_then(|column| column.default.clone()));
        let alter = format!(
            "ALTER TABLE {} ALTER COLUMN {} ",
            self.names.object(table),
            self.names.one(column)
        );
        let text = if array.is_empty() { "text" } else { "text[]" };
        let mut sql = Vec::new();
        if default.is_some() {
            sql.push(format!("{alter}DROP DEFAULT"));
        }
        sql.push(format!(
            "{alter}SET DATA TYPE {to}{array} USING {}::{text}::{to}{array}",
            self.names.one(column)
        ));
        if let Some(default) = default {
            sql.push(format!("{alter}SET DEFAULT {default}"));
        }
        sql
    }
}
