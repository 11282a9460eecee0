//! Tables as a whole, partitions, row-level security.

use tollgate_plugin::{CreatedTable, Dialect, ObjectKind, ObjectName, Partition, TableRebuild, Toggle};

use super::Context;
use crate::Undo;

impl Context<'_> {
    pub(super) fn undo_create_table(&self, created: &CreatedTable) -> Undo {
        let name = self.table(&created.name);
        if created.if_not_exists && self.before.relation(&name).is_some() {
            return Undo::nothing();
        }
        let undo = Undo::one(format!("DROP TABLE {}", self.names.object(&name)));
        if created.temporary {
            return Undo::nothing();
        }
        undo.losing(format!("the rows written to {} since", name.short()))
    }

    pub(super) fn undo_drop_table(&self, at: u32, name: &ObjectName, cascade: bool) -> Undo {
        let Some(original) = self.original(at, name) else {
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

    pub(super) fn undo_rebuild(&self, rebuild: &TableRebuild) -> Undo {
        let name = self.table(&rebuild.table);
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

    pub(super) fn undo_attach(&self, partition: &Partition) -> Undo {
        let child = self.names.object(&self.table(&partition.partition));
        Undo::one(format!("{}DETACH PARTITION {child}", self.alter(&partition.table)))
    }

    /// The bound comes from the statement that would make the partition anew.
    pub(super) fn undo_detach(&self, partition: &Partition) -> Undo {
        let name = self.before.resolve(ObjectKind::Table, &partition.partition);
        let bound = self.before.ddl(ObjectKind::Table, &name).and_then(|ddl| {
            let create = ddl.iter().find(|statement| statement.contains("PARTITION OF"))?;
            let rest = &create[create.find("PARTITION OF")?..];
            let start = rest.find("FOR VALUES").or_else(|| rest.find("DEFAULT"))?;
            let end = rest.find(" PARTITION BY ").unwrap_or(rest.len());
            Some(rest[start..end].trim_end_matches(';').trim_end().to_owned())
        });
        match bound {
            Some(bound) => Undo::one(format!(
                "{}ATTACH PARTITION {} {bound}",
                self.alter(&partition.table),
                self.names.object(&name)
            )),
            None => Undo::irreversible(format!("the bound of {} is not known", name.short())),
        }
    }

    pub(super) fn undo_row_security(&self, at: u32, toggle: &Toggle) -> Undo {
        let Some(original) = self.original(at, &toggle.table) else {
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

    pub(super) fn undo_force_row_security(&self, at: u32, toggle: &Toggle) -> Undo {
        if self.original(at, &toggle.table).is_none() {
            return Undo::nothing();
        }
        let word = if toggle.enable { "NO FORCE" } else { "FORCE" };
        Undo::one(format!("{}{word} ROW LEVEL SECURITY", self.alter(&toggle.table)))
    }

    pub(super) fn undo_enable_trigger(&self, at: u32, toggle: &Toggle) -> Undo {
        if self.original(at, &toggle.table).is_none() || self.dialect() != Dialect::Postgres {
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
