//! Tables as a whole, partitions, row-level security.

use tollgate_plugin::{CreatedTable, Dialect, ObjectKind, ObjectName, Partition, Toggle};

use super::Context;
use crate::Undo;
use crate::lives::At;

impl Context<'_> {
    pub(super) fn undo_create_table(&self, created: &CreatedTable) -> Undo {
        let name = self.table(&created.name);
        let undo = Undo::one(format!("DROP TABLE {}", self.names.object(&name)));
        if created.temporary {
            return Undo::nothing();
        }
        undo.losing(format!("the rows written to {} since", name.short()))
    }

    pub(super) fn undo_drop_table(&self, at: At, cascade: bool) -> Undo {
        let Some(original) = self.original(at) else {
            return Undo::nothing();
        };
        let Some(mut sql) = self.before.ddl(ObjectKind::Table, &original) else {
            return match self.before.exists(ObjectKind::Table, &original) {
                Some(false) => Undo::nothing(),
                _ => Undo::irreversible(format!("what {} looked like is not known", original.short())),
            };
        };
        if cascade {
            for (table, constraint) in self.before.referencing(&original) {
                if table != original {
                    sql.extend(
                        self.before
                            .member_ddl(ObjectKind::Constraint, &table, &constraint.name)
                            .unwrap_or_default(),
                    );
                }
            }
            let mut seen = Vec::new();
            for dependent in self.before.dependents(ObjectKind::Table, &original) {
                let is_view = matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView);
                if is_view && !seen.contains(&dependent.name) {
                    seen.push(dependent.name.clone());
                    sql.extend(self.before.ddl(dependent.kind, &dependent.name).unwrap_or_default());
                }
            }
        }
        if self.before.known_empty(&original) {
            return Undo::sql(sql);
        }
        Undo::sql(sql).losing(format!("the rows of {}", original.short()))
    }

    /// Turns a table that is there before and after back as a whole.
    pub(super) fn undo_rebuild(&self, table: &ObjectName) -> Undo {
        let name = self.table(table);
        let (Some(old), Some(new)) = (self.before.relation(&name), self.after.relation(&name)) else {
            return Undo::irreversible(format!("what {} looked like is not known", name.short()));
        };
        let Some(sql) = self.before.restore_table(&name, self.after) else {
            return Undo::irreversible(format!("{} cannot be turned back into what it was", name.short()));
        };
        let lost: Vec<String> = old
            .columns
            .iter()
            .filter(|column| new.column(&column.name).is_none() && column.generated.is_none())
            .map(|column| format!("{}.{}", name.short(), column.name))
            .collect();
        let added: Vec<String> = new
            .columns
            .iter()
            .filter(|column| old.column(&column.name).is_none() && column.generated.is_none())
            .map(|column| format!("{}.{}", name.short(), column.name))
            .collect();
        let undo = Undo::sql(sql);
        let undo = if lost.is_empty() {
            undo
        } else {
            undo.losing(format!("the values of {}", lost.join(", ")))
        };
        if added.is_empty() {
            return undo;
        }
        undo.then(Undo::nothing().losing(format!("what was written to {} since", added.join(", "))))
    }

    /// The indexes and constraints that attaching made are the partition's own afterwards, and go.
    pub(super) fn undo_attach(&self, at: At, partition: &Partition) -> Undo {
        let child = self.table(&partition.partition);
        let quoted = self.names.object(&child);
        let mut sql = vec![format!("{}DETACH PARTITION {quoted}", self.alter(&partition.table))];
        let before = self.original(at).and_then(|original| self.before.relation(&original));
        if let (Some(before), Some(after)) = (before, self.after.relation(&child)) {
            for index in after.indexes.iter().filter(|index| before.index(&index.name).is_none()) {
                sql.push(match &index.constraint {
                    Some(constraint) => format!("ALTER TABLE {quoted} DROP CONSTRAINT {}", self.names.one(constraint)),
                    None => format!(
                        "DROP INDEX {}",
                        self.names.object(&ObjectName {
                            name: index.name.clone(),
                            ..child.clone()
                        })
                    ),
                });
            }
        }
        Undo::sql(sql)
    }

    /// The bound comes from the statement that would make the partition anew.
    pub(super) fn undo_detach(&self, at: At, partition: &Partition) -> Undo {
        let Some(name) = self.original(at) else {
            return Undo::nothing();
        };
        let bound = self.before.ddl(ObjectKind::Table, &name).and_then(|ddl| {
            let attach = ddl
                .into_iter()
                .find(|statement| statement.contains(" ATTACH PARTITION "))?;
            let attach = attach.trim_end_matches(';');
            let start = attach
                .rfind(" FOR VALUES ")
                .or_else(|| attach.strip_suffix(" DEFAULT").map(str::len))?;
            Some(attach[start + 1..].to_owned())
        });
        match bound {
            Some(bound) => Undo::one(format!(
                "{}ATTACH PARTITION {} {bound}",
                self.alter(&partition.table),
                self.names.object(&self.table(&partition.partition))
            )),
            None => Undo::irreversible(format!("the bound of {} is not known", name.short())),
        }
    }

    pub(super) fn undo_row_security(&self, at: At, toggle: &Toggle) -> Undo {
        let Some(original) = self.original(at) else {
            return Undo::nothing();
        };
        match self.before.relation(&original).map(|relation| relation.row_security) {
            Some(was) if was == toggle.enable => Undo::nothing(),
            _ => {
                let word = if toggle.enable { "DISABLE" } else { "ENABLE" };
                Undo::one(format!("{}{word} ROW LEVEL SECURITY", self.alter(&toggle.table)))
            }
        }
    }

    pub(super) fn undo_force_row_security(&self, at: At, toggle: &Toggle) -> Undo {
        if self.original(at).is_none() {
            return Undo::nothing();
        }
        let word = if toggle.enable { "NO FORCE" } else { "FORCE" };
        Undo::one(format!("{}{word} ROW LEVEL SECURITY", self.alter(&toggle.table)))
    }

    pub(super) fn undo_enable_trigger(&self, at: At, toggle: &Toggle) -> Undo {
        if self.original(at).is_none() || self.dialect() != Dialect::Postgres {
            return Undo::nothing();
        }
        let word = if toggle.enable { "DISABLE" } else { "ENABLE" };
        let which = toggle
            .name
            .as_ref()
            .map_or_else(|| "ALL".to_owned(), |name| self.names.one(name));
        Undo::one(format!("{}{word} TRIGGER {which}", self.alter(&toggle.table)))
    }
}
