//! Indexes.

use tollgate_plugin::{CreatedIndex, Dropped, Index, ObjectKind, ObjectName};

use super::Context;
use crate::Undo;
use crate::lives::At;

impl Context<'_> {
    pub(super) fn undo_create_index(&self, at: At, created: &CreatedIndex) -> Undo {
        let table = self.table(&created.table);
        let Some(original) = self.original(at) else {
            return Undo::nothing();
        };
        let before = self.before.relation(&original);
        let existed = |name: &str| before.as_ref().is_some_and(|relation| relation.index(name).is_some());
        let name = match &created.name {
            Some(name) => Some(name.clone()),
            None => self.after.relation(&table).and_then(|relation| {
                let same = |index: &&Index| index.keys == created.keys && !existed(&index.name);
                relation.indexes.iter().find(same).map(|index| index.name.clone())
            }),
        };
        let Some(name) = name else {
            return Undo::irreversible(format!(
                "the name that the server gave an index of {} is not known",
                table.short()
            ));
        };
        let name = self.names.object(&ObjectName {
            schema: table.schema,
            name,
        });
        if created.concurrently {
            return Undo::one(format!("DROP INDEX CONCURRENTLY {name}")).outside_transaction();
        }
        Undo::one(format!("DROP INDEX {name}"))
    }

    pub(super) fn undo_drop_index(&self, at: At, dropped: &Dropped) -> Undo {
        let index = self
            .lives
            .member(at)
            .and_then(|life| life.before.clone())
            .unwrap_or_else(|| dropped.name.clone());
        let Some(owner) = self.before.index_owner(&index) else {
            let known = self.before.exists(ObjectKind::Index, &index);
            return match known {
                Some(false) => Undo::nothing(),
                _ => Undo::irreversible(format!("what the index {} covered is not known", index.short())),
            };
        };
        let Some(sql) = self.before.member_ddl(ObjectKind::Index, &owner, &index.name) else {
            return Undo::irreversible(format!("what the index {} covered is not known", index.short()));
        };
        if self.comes_back_with_column(at, &owner, &sql) {
            return Undo::nothing();
        }
        if !dropped.concurrently {
            return Undo::sql(sql);
        }
        let concurrently = |statement: String| {
            ["CREATE UNIQUE INDEX ", "CREATE INDEX "]
                .iter()
                .find_map(|words| {
                    statement
                        .strip_prefix(words)
                        .map(|rest| format!("{words}CONCURRENTLY {rest}"))
                })
                .unwrap_or(statement)
        };
        Undo::sql(sql.into_iter().map(concurrently).collect()).outside_transaction()
    }
}
