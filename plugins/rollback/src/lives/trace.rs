//! Follows names through a script, effect by effect.

use tollgate_plugin::{Catalog, Created, Dropped, ObjectKind, ObjectName, Operation, Rename, RowChange};

use super::{At, Life, Lives, Space, Subject};

impl Lives {
    pub(super) fn follow(&mut self, at: At, operation: &Operation, before: &dyn Catalog) -> Subject {
        match operation {
            Operation::CreateTable(created) => self.make_object(
                Space::Relation,
                ObjectKind::Table,
                &created.name,
                created.if_not_exists,
                before,
            ),
            Operation::AddColumn(added) => {
                let mut subject = self.of_table(&added.table, before);
                let there = self.whose(Space::Column, subject.object, &added.column.name, before);
                if added.if_not_exists && there.is_some() {
                    subject.idle = true;
                } else {
                    subject.member = Some(self.make_member(Space::Column, subject.object, &added.column.name));
                }
                subject
            }
            Operation::DropColumn(dropped) => {
                let mut subject = self.of_table(&dropped.column.table, before);
                self.end_member(at, Space::Column, &mut subject, &dropped.column.column, before);
                subject
            }
            Operation::RenameColumn(renamed) => {
                let mut subject = self.of_table(&renamed.from.table, before);
                self.rename_member(
                    at,
                    Space::Column,
                    &mut subject,
                    &renamed.from.column,
                    &renamed.to,
                    before,
                );
                subject
            }
            Operation::AlterColumnType(change) => self.of_column(&change.column.table, &change.column.column, before),
            Operation::SetNotNull(column) | Operation::DropNotNull(column) | Operation::DropDefault(column) => {
                self.of_column(&column.table, &column.column, before)
            }
            Operation::SetDefault(change) => self.of_column(&change.column.table, &change.column.column, before),
            Operation::SetIdentity(change) => self.of_column(&change.column.table, &change.column.column, before),
            Operation::AddConstraint(added) => {
                let mut subject = self.of_table(&added.table, before);
                if let Some(index) = &added.constraint.using_index {
                    self.end_index(at, subject.object, index, &added.table, before);
                }
                if let Some(name) = &added.constraint.name {
                    subject.member = Some(self.make_member(Space::Constraint, subject.object, name));
                }
                subject
            }
            Operation::ValidateConstraint(named) => {
                let mut subject = self.of_table(&named.table, before);
                subject.member = self.whose(Space::Constraint, subject.object, &named.name, before);
                subject
            }
            Operation::DropConstraint(named) => {
                let mut subject = self.of_table(&named.table, before);
                self.end_member(at, Space::Constraint, &mut subject, &named.name, before);
                subject
            }
            Operation::CreateIndex(created) => {
                let mut subject = self.of_table(&created.table, before);
                let Some(name) = &created.name else { return subject };
                let name = beside(&before.resolve(ObjectKind::Table, &created.table), name);
                if created.if_not_exists && self.who(Space::Relation, ObjectKind::Index, &name, before).is_some() {
                    subject.idle = true;
                } else {
                    let owner = subject.object;
                    subject.member = Some(self.make(Space::Relation, None, name, owner));
                }
                subject
            }
            Operation::CreateEnum(created) => {
                self.make_object(Space::Type, ObjectKind::Type, &created.name, false, before)
            }
            Operation::AddEnumValue(added) => self.of_object(ObjectKind::Type, &added.name, before),
            Operation::RenameEnumValue(renamed) => self.of_object(ObjectKind::Type, &renamed.name, before),
            Operation::Create(created) => self.follow_create(created, before),
            Operation::Drop(dropped) => self.follow_drop(at, dropped, before),
            Operation::Rename(renamed) => self.follow_rename(at, renamed, before),
            Operation::SetSchema(change) => {
                let subject = self.of_object(change.kind, &change.name, before);
                if let (Some(id), Some(space)) = (subject.object, space(change.kind)) {
                    let from = before.resolve(change.kind, &change.name);
                    let to = ObjectName::qualified(change.to.as_str(), from.name.as_str());
                    self.rekey(at, id, (space, None, from), (space, None, to));
                }
                subject
            }
            Operation::AttachPartition(partition) | Operation::DetachPartition(partition) => {
                self.of_table(&partition.partition, before)
            }
            Operation::RowSecurity(toggle) | Operation::ForceRowSecurity(toggle) => {
                self.of_table(&toggle.table, before)
            }
            Operation::EnableTrigger(toggle) => {
                let mut subject = self.of_table(&toggle.table, before);
                if let Some(name) = &toggle.name {
                    subject.member = self.whose(Space::Trigger, subject.object, name, before);
                }
                subject
            }
            Operation::Comment(comment) => match (&comment.member, comment.kind) {
                (Some(column), ObjectKind::Column) => self.of_column(&comment.name, column, before),
                (Some(member), kind) => {
                    let mut subject = self.of_table(&comment.name, before);
                    if let Some(space) = space(kind) {
                        subject.member = self.whose(space, subject.object, member, before);
                    }
                    subject
                }
                (None, ObjectKind::Index) => self.of_index(&comment.name, before),
                (None, kind) => self.of_object(kind, &comment.name, before),
            },
            Operation::Privileges(change) if !change.all_in_schema => {
                self.of_object(change.kind, &change.object, before)
            }
            Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) => {
                self.of_rows(change, before)
            }
            Operation::Truncate(truncation) => self.of_table(&truncation.table, before),
            _ => Subject::default(),
        }
    }

    fn follow_create(&mut self, created: &Created, before: &dyn Catalog) -> Subject {
        let Some(space) = space(created.kind) else {
            return Subject::default();
        };
        if let Some(on) = &created.on {
            let mut subject = self.of_table(on, before);
            let there = self.whose(space, subject.object, &created.name.name, before);
            subject.member = match there {
                Some(there) if created.or_replace || created.if_not_exists => {
                    // What the migration made goes with its first CREATE.
                    subject.idle = self.all[there].is_new();
                    Some(there)
                }
                _ => Some(self.make_member(space, subject.object, &created.name.name)),
            };
            return subject;
        }
        let keeps = created.or_replace || created.if_not_exists;
        let mut subject = self.make_object(space, created.kind, &created.name, keeps, before);
        // A replacement of what was there before has something to undo.
        if created.or_replace && self.object_of(&subject).is_some_and(|life| !life.is_new()) {
            subject.idle = false;
        }
        subject
    }

    fn follow_drop(&mut self, at: At, dropped: &Dropped, before: &dyn Catalog) -> Subject {
        let Some(space) = space(dropped.kind) else {
            return Subject::default();
        };
        if let Some(on) = &dropped.on {
            let mut subject = self.of_table(on, before);
            self.end_member(at, space, &mut subject, &dropped.name.name, before);
            return subject;
        }
        if space == Space::Trigger {
            // SQLite drops a trigger by its name alone.
            let mut subject = Subject {
                object: self.owner_of_trigger(&dropped.name.name, before),
                ..Subject::default()
            };
            self.end_member(at, space, &mut subject, &dropped.name.name, before);
            return subject;
        }
        let key = (space, None, before.resolve(dropped.kind, &dropped.name));
        let mut subject = match dropped.kind {
            ObjectKind::Index => self.of_index(&dropped.name, before),
            _ => self.of_object(dropped.kind, &dropped.name, before),
        };
        let ends = if dropped.kind == ObjectKind::Index {
            subject.member
        } else {
            subject.object
        };
        match ends {
            Some(id) => self.end(at, id, key),
            None => subject.idle = dropped.if_exists && self.is_gone(key),
        }
        subject
    }

    fn follow_rename(&mut self, at: At, renamed: &Rename, before: &dyn Catalog) -> Subject {
        let Some(space) = space(renamed.kind) else {
            return Subject::default();
        };
        if let Some(on) = &renamed.on {
            let mut subject = self.of_table(on, before);
            self.rename_member(at, space, &mut subject, &renamed.from.name, &renamed.to, before);
            return subject;
        }
        let from = before.resolve(renamed.kind, &renamed.from);
        let to = beside(&from, &renamed.to);
        let subject = match renamed.kind {
            ObjectKind::Index => self.of_index(&renamed.from, before),
            kind => self.of_object(kind, &renamed.from, before),
        };
        let moves = if renamed.kind == ObjectKind::Index {
            subject.member
        } else {
            subject.object
        };
        if let Some(id) = moves {
            self.rekey(at, id, (space, None, from), (space, None, to));
        }
        subject
    }

    fn object_of(&self, subject: &Subject) -> Option<&Life> {
        self.all.get(subject.object?)
    }

    fn of_table(&mut self, table: &ObjectName, before: &dyn Catalog) -> Subject {
        self.of_object(ObjectKind::Table, table, before)
    }

    fn of_object(&mut self, kind: ObjectKind, name: &ObjectName, before: &dyn Catalog) -> Subject {
        let object = space(kind).and_then(|space| self.who(space, kind, &before.resolve(kind, name), before));
        Subject {
            object,
            ..Subject::default()
        }
    }

    /// An index stands beside its table.
    fn of_index(&mut self, index: &ObjectName, before: &dyn Catalog) -> Subject {
        let name = before.resolve(ObjectKind::Index, index);
        let member = self.who(Space::Relation, ObjectKind::Index, &name, before);
        let object = match member.and_then(|id| self.all[id].owner) {
            Some(owner) => Some(owner),
            None => before.index_owner(&name).and_then(|owner| self.relation_before(&owner)),
        };
        Subject {
            object,
            member,
            ..Subject::default()
        }
    }

    fn of_column(&mut self, table: &ObjectName, column: &str, before: &dyn Catalog) -> Subject {
        let mut subject = self.of_table(table, before);
        subject.member = self.whose(Space::Column, subject.object, column, before);
        subject
    }

    fn of_rows(&mut self, change: &RowChange, before: &dyn Catalog) -> Subject {
        let mut subject = self.of_table(&change.table, before);
        let columns = change.columns.iter();
        subject.columns = columns
            .map(|column| {
                self.whose(Space::Column, subject.object, column, before)
                    .unwrap_or(usize::MAX)
            })
            .collect();
        subject
    }

    fn owner_of_trigger(&mut self, trigger: &str, before: &dyn Catalog) -> Option<usize> {
        let (space, _, name) = self.folded((Space::Trigger, None, ObjectName::bare(trigger)));
        let known = self
            .now
            .iter()
            .find(|((of, _, known), id)| *of == space && *known == name && id.is_some());
        if let Some(((_, owner, _), _)) = known {
            return *owner;
        }
        let has_it = |table: &ObjectName| {
            let relation = before.relation(table);
            relation.is_some_and(|relation| relation.triggers.iter().any(|found| found == trigger))
        };
        let owner = before.relations().into_iter().find(has_it)?;
        self.relation_before(&owner)
    }

    /// The relation that had this name before the migration.
    fn relation_before(&mut self, name: &ObjectName) -> Option<usize> {
        let known = self
            .all
            .iter()
            .position(|life| life.space == Space::Relation && life.before.as_ref() == Some(name));
        known.or_else(|| {
            let key = self.folded((Space::Relation, None, name.clone()));
            if self.now.contains_key(&key) {
                return None;
            }
            let id = self.begin(Space::Relation, Some(name.clone()), None);
            self.now.insert(key, Some(id));
            Some(id)
        })
    }

    /// Whoever has the name now.
    fn who(&mut self, space: Space, kind: ObjectKind, name: &ObjectName, before: &dyn Catalog) -> Option<usize> {
        let key = self.folded((space, None, name.clone()));
        if let Some(known) = self.now.get(&key) {
            return *known;
        }
        let there = match space {
            Space::Relation if kind != ObjectKind::Index && kind != ObjectKind::Sequence => {
                before.relation(name).is_some() || (!before.complete() && before.exists(kind, name) != Some(false))
            }
            _ => before.exists(kind, name) != Some(false),
        };
        if !there {
            return None;
        }
        let id = self.begin(space, Some(name.clone()), None);
        self.now.insert(key, Some(id));
        Some(id)
    }

    fn whose(&mut self, space: Space, owner: Option<usize>, name: &str, before: &dyn Catalog) -> Option<usize> {
        let key = self.folded((space, owner, ObjectName::bare(name)));
        if let Some(known) = self.now.get(&key) {
            return *known;
        }
        let table = self.all.get(owner?)?.before.clone()?;
        let relation = before.relation(&table);
        let there = relation.is_none_or(|relation| match space {
            Space::Column => relation.column(name).is_some(),
            Space::Constraint => relation.constraint(name).is_some(),
            Space::Trigger => relation.triggers.iter().any(|trigger| trigger == name),
            Space::Policy => relation.policies.iter().any(|policy| policy == name),
            _ => true,
        });
        if !there {
            return None;
        }
        let id = self.begin(space, Some(ObjectName::bare(name)), owner);
        self.now.insert(key, Some(id));
        Some(id)
    }

    fn begin(&mut self, space: Space, before: Option<ObjectName>, owner: Option<usize>) -> usize {
        self.all.push(Life {
            before,
            renamed: None,
            died: None,
            space,
            owner,
        });
        self.all.len() - 1
    }

    fn make(&mut self, space: Space, of: Option<usize>, name: ObjectName, owner: Option<usize>) -> usize {
        let id = self.begin(space, None, owner);
        let key = self.folded((space, of, name));
        self.now.insert(key, Some(id));
        id
    }

    fn make_member(&mut self, space: Space, owner: Option<usize>, name: &str) -> usize {
        self.make(space, owner, ObjectName::bare(name), owner)
    }

    fn make_object(
        &mut self,
        space: Space,
        kind: ObjectKind,
        name: &ObjectName,
        keeps: bool,
        before: &dyn Catalog,
    ) -> Subject {
        let name = before.resolve(kind, name);
        let there = self.who(space, kind, &name, before).filter(|_| keeps);
        Subject {
            object: Some(there.unwrap_or_else(|| self.make(space, None, name, None))),
            idle: there.is_some(),
            ..Subject::default()
        }
    }

    fn is_gone(&self, key: super::Key) -> bool {
        self.now.get(&self.folded(key)) == Some(&None)
    }

    fn end(&mut self, at: At, id: usize, key: super::Key) {
        self.all[id].died = Some(at);
        let key = self.folded(key);
        self.now.insert(key, None);
    }

    fn end_member(&mut self, at: At, space: Space, subject: &mut Subject, name: &str, before: &dyn Catalog) {
        subject.member = self.whose(space, subject.object, name, before);
        let key = (space, subject.object, ObjectName::bare(name));
        match subject.member {
            Some(id) => self.end(at, id, key),
            None => subject.idle = self.is_gone(key),
        }
    }

    /// A constraint takes its index over.
    fn end_index(&mut self, at: At, owner: Option<usize>, index: &str, table: &ObjectName, before: &dyn Catalog) {
        let name = beside(&before.resolve(ObjectKind::Table, table), index);
        if let Some(id) = self.who(Space::Relation, ObjectKind::Index, &name, before) {
            self.all[id].owner = owner;
            self.end(at, id, (Space::Relation, None, name));
        }
    }

    fn rename_member(
        &mut self,
        at: At,
        space: Space,
        subject: &mut Subject,
        from: &str,
        to: &str,
        before: &dyn Catalog,
    ) {
        subject.member = self.whose(space, subject.object, from, before);
        let Some(id) = subject.member else { return };
        let key = |name: &str| (space, subject.object, ObjectName::bare(name));
        self.rekey(at, id, key(from), key(to));
        // Indexes and constraints name columns: with other names they cannot be made as they were.
        if let (Space::Column, Some(table)) = (space, subject.object) {
            self.all[table].renamed.get_or_insert(at);
        }
    }

    fn rekey(&mut self, at: At, id: usize, from: super::Key, to: super::Key) {
        self.all[id].renamed.get_or_insert(at);
        let (from, to) = (self.folded(from), self.folded(to));
        self.now.insert(from, None);
        self.now.insert(to, Some(id));
    }

    /// SQLite's names differ in more than their case.
    fn folded(&self, (space, owner, mut name): super::Key) -> super::Key {
        if self.fold {
            name.name.make_ascii_lowercase();
            name.schema = name.schema.map(|schema| schema.to_ascii_lowercase());
        }
        (space, owner, name)
    }
}

/// An object in the same schema as another.
fn beside(other: &ObjectName, name: &str) -> ObjectName {
    ObjectName {
        schema: other.schema.clone(),
        name: name.to_owned(),
    }
}

/// The namespace of a kind; `None` for those that are not followed: overloaded functions share a name.
fn space(kind: ObjectKind) -> Option<Space> {
    Some(match kind {
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::ForeignTable
        | ObjectKind::Sequence
        | ObjectKind::Index => Space::Relation,
        ObjectKind::Type | ObjectKind::Domain => Space::Type,
        ObjectKind::Schema => Space::Schema,
        ObjectKind::Extension => Space::Extension,
        ObjectKind::Column => Space::Column,
        ObjectKind::Constraint => Space::Constraint,
        ObjectKind::Trigger => Space::Trigger,
        ObjectKind::Policy => Space::Policy,
        ObjectKind::Rule => Space::Rule,
        _ => return None,
    })
}
