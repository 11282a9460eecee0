//! Every other kind of object: created, dropped, renamed, moved, commented, granted.

use tollgate_plugin::{
    Comment, Created, Dialect, Dropped, ObjectKind, ObjectName, Operation, PrivilegeChange, Rename, SchemaChange,
};

use super::Context;
use crate::Undo;
use crate::lives::{At, Life};

impl Context<'_> {
    pub(super) fn undo_create_object(&self, at: At, created: &Created) -> Undo {
        match created.kind {
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.undo_create_member(at, created),
            // A replacement goes with what the migration made first.
            _ if created.or_replace && self.made_earlier(at, created) => Undo::nothing(),
            kind => {
                let or_replace = created.or_replace || created.if_not_exists;
                self.undo_create(kind, &created.name, created.arguments.as_deref(), or_replace)
            }
        }
    }

    fn made_earlier(&self, at: At, created: &Created) -> bool {
        let earlier = self
            .migration
            .statements()
            .iter()
            .take_while(|statement| statement.index < at.statement);
        let mut made = earlier.flat_map(|statement| &statement.effects);
        made.any(|effect| match &effect.operation {
            Operation::Create(first) => {
                (first.kind, &first.arguments) == (created.kind, &created.arguments)
                    && self.after.resolve(first.kind, &first.name) == self.after.resolve(created.kind, &created.name)
            }
            _ => false,
        })
    }

    pub(super) fn undo_create(
        &self,
        kind: ObjectKind,
        name: &ObjectName,
        arguments: Option<&[String]>,
        or_replace: bool,
    ) -> Undo {
        let Some(word) = word(kind) else {
            return Undo::declined();
        };
        let name = if matches!(
            kind,
            ObjectKind::Schema | ObjectKind::Extension | ObjectKind::Database | ObjectKind::Role
        ) {
            name.clone()
        } else {
            self.after.resolve(kind, name)
        };
        // Functions are not followed: one that is gone at the end needs nothing.
        if self.after.exists(kind, &name) == Some(false) {
            return Undo::nothing();
        }
        if or_replace && self.before.exists(kind, &name) != Some(false) {
            return match self.before.ddl(kind, &name) {
                Some(sql) if kind == ObjectKind::View => self.replace_view(&name, sql),
                Some(sql) => Undo::sql(replace(sql)),
                None => Undo::irreversible(format!("what the {kind} {} was before is not known", name.short())),
            };
        }
        let arguments = arguments.map_or_else(String::new, |arguments| format!("({})", arguments.join(", ")));
        let undo = Undo::one(format!("DROP {word} {}{arguments}", self.names.object(&name)));
        match kind {
            ObjectKind::Database => undo
                .outside_transaction()
                .losing(format!("everything in {}", name.short())),
            _ => undo,
        }
    }

    /// CREATE OR REPLACE takes no column from a view, and without a connection its columns are not known: it has to go,
    /// with the views on it, and come back.
    fn replace_view(&self, name: &ObjectName, sql: Vec<String>) -> Undo {
        let on_it = self.views_on(name);
        let drop = |(kind, view): &(ObjectKind, ObjectName)| {
            format!("DROP {} {}", word(*kind).unwrap_or("VIEW"), self.names.object(view))
        };
        let mut statements: Vec<String> = on_it.iter().rev().map(drop).collect();
        statements.push(format!("DROP VIEW {}", self.names.object(name)));
        statements.extend(sql);
        for (kind, view) in &on_it {
            statements.extend(self.after.ddl(*kind, view).unwrap_or_default());
        }
        stars(Undo::sql(statements), name)
    }

    /// The views that stand on a view after the migration, each behind those it stands on.
    fn views_on(&self, name: &ObjectName) -> Vec<(ObjectKind, ObjectName)> {
        let mut found: Vec<(ObjectKind, ObjectName)> = Vec::new();
        let mut open = vec![name.clone()];
        while let Some(view) = open.pop() {
            for dependent in self.after.dependents(ObjectKind::View, &view) {
                let is_view = matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView);
                if is_view && dependent.name != *name {
                    found.retain(|(_, known)| *known != dependent.name);
                    found.push((dependent.kind, dependent.name.clone()));
                    open.push(dependent.name);
                }
            }
        }
        found
    }

    fn undo_create_member(&self, at: At, created: &Created) -> Undo {
        let Some(on) = &created.on else { return Undo::declined() };
        let Some(word) = word(created.kind) else {
            return Undo::declined();
        };
        let original = self.original(at);
        if original.is_none() && self.dialect() != Dialect::Postgres {
            return Undo::nothing();
        }
        // On a new table too: the function that it calls may have to go first.
        let replaced = original.filter(|_| created.or_replace || created.if_not_exists);
        if let Some(sql) = replaced.and_then(|table| self.before.member_ddl(created.kind, &table, &created.name.name)) {
            return Undo::sql(replace(sql));
        }
        let on = match self.dialect() {
            Dialect::Postgres => format!(" ON {}", self.names.object(&self.table(on))),
            _ => String::new(),
        };
        Undo::one(format!("DROP {word} {}{on}", self.names.one(&created.name.name)))
    }

    pub(super) fn undo_drop(&self, at: At, dropped: &Dropped) -> Undo {
        match dropped.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => self.undo_drop_table(at, dropped.cascade),
            ObjectKind::Index => self.undo_drop_index(at, dropped),
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.undo_drop_member(at, dropped),
            ObjectKind::Database => Undo::irreversible(format!("the database {} is gone", dropped.name.short())),
            ObjectKind::Schema if dropped.cascade => {
                Undo::irreversible(format!("everything in the schema {} is gone", dropped.name.short()))
            }
            kind => self.undo_drop_object(at, kind, dropped),
        }
    }

    fn undo_drop_object(&self, at: At, kind: ObjectKind, dropped: &Dropped) -> Undo {
        let name = self
            .original(at)
            .unwrap_or_else(|| self.before.resolve(kind, &dropped.name));
        if self.before.exists(kind, &name) == Some(false) {
            return Undo::nothing();
        }
        let Some(mut sql) = self.before.ddl(kind, &name) else {
            return Undo::irreversible(format!("what the {kind} {} was is not known", name.short()));
        };
        if matches!(kind, ObjectKind::Function | ObjectKind::Procedure) {
            // These are all functions of the name: some may still be there.
            sql = replace(sql);
        }
        let mut lost = Vec::new();
        if dropped.cascade {
            for dependent in self.before.dependents(kind, &name) {
                match (dependent.kind, &dependent.member) {
                    (ObjectKind::Column, Some(column)) => {
                        sql.extend(
                            self.before
                                .member_ddl(ObjectKind::Column, &dependent.name, column)
                                .unwrap_or_default(),
                        );
                        lost.push(format!("the values of {}.{column}", dependent.name.short()));
                    }
                    (member_kind, Some(member)) => sql.extend(
                        self.before
                            .member_ddl(member_kind, &dependent.name, member)
                            .unwrap_or_default(),
                    ),
                    (kind, None) => sql.extend(self.before.ddl(kind, &dependent.name).unwrap_or_default()),
                }
            }
        }
        if kind == ObjectKind::Sequence && !sql.iter().any(|statement| statement.contains("setval")) {
            lost.push(format!("the position of {}", name.short()));
        }
        let undo = match kind {
            ObjectKind::View | ObjectKind::MaterializedView => stars(Undo::sql(sql), &name),
            _ => Undo::sql(sql),
        };
        if lost.is_empty() {
            undo
        } else {
            undo.losing(lost.join(", "))
        }
    }

    fn undo_drop_member(&self, at: At, dropped: &Dropped) -> Undo {
        let original = self.original(at);
        let Some(original) = original else {
            return Undo::nothing();
        };
        let name = self.original_member(at).unwrap_or(&dropped.name.name);
        match self.before.member_ddl(dropped.kind, &original, name) {
            Some(sql) => Undo::sql(sql),
            None if dropped.if_exists => Undo::nothing(),
            None => Undo::irreversible(format!("what the {} {name} was is not known", dropped.kind)),
        }
    }

    pub(super) fn undo_rename(&self, renamed: &Rename) -> Undo {
        let back = self.names.one(&renamed.from.name);
        let to = self.names.one(&renamed.to);
        let Some(word) = word(renamed.kind) else {
            return Undo::declined();
        };
        if let Some(on) = &renamed.on {
            let on = self.names.object(&self.table(on));
            return Undo::one(match renamed.kind {
                ObjectKind::Constraint => format!("ALTER TABLE {on} RENAME CONSTRAINT {to} TO {back}"),
                _ => format!("ALTER {word} {to} ON {on} RENAME TO {back}"),
            });
        }
        let resolved = self.before.resolve(renamed.kind, &renamed.from);
        let now = self.names.object(&ObjectName {
            schema: resolved.schema,
            name: renamed.to.clone(),
        });
        Undo::one(format!("ALTER {word} {now} RENAME TO {back}"))
    }

    pub(super) fn undo_set_schema(&self, change: &SchemaChange) -> Undo {
        let Some(word) = word(change.kind) else {
            return Undo::declined();
        };
        let from = self.before.resolve(change.kind, &change.name);
        let Some(schema) = &from.schema else {
            return Undo::declined();
        };
        let now = self.names.object(&ObjectName {
            schema: Some(change.to.clone()),
            name: from.name.clone(),
        });
        Undo::one(format!("ALTER {word} {now} SET SCHEMA {}", self.names.one(schema)))
    }

    pub(super) fn undo_comment(&self, at: At, comment: &Comment) -> Undo {
        let Some(word) = word(comment.kind) else {
            return Undo::declined();
        };
        let is_new = |life: Option<&Life>| life.is_some_and(Life::is_new);
        if is_new(self.lives.object(at)) || is_new(self.lives.member(at)) {
            return Undo::nothing();
        }
        let target = |object: &ObjectName, member: Option<&str>| {
            let object = self.names.object(object);
            match (member, comment.kind) {
                (Some(column), ObjectKind::Column) => format!("{object}.{}", self.names.one(column)),
                (Some(member), _) => format!("{} ON {object}", self.names.one(member)),
                (None, _) => object,
            }
        };
        let head = |target: &str| format!("COMMENT ON {word} {target} IS ");
        let now = target(
            &self.after.resolve(comment.kind, &comment.name),
            comment.member.as_deref(),
        );
        let index = (comment.kind == ObjectKind::Index)
            .then(|| self.lives.member(at)?.before.clone())
            .flatten();
        let name = index
            .or_else(|| self.original(at))
            .unwrap_or_else(|| self.before.resolve(comment.kind, &comment.name));
        if self.before.exists(comment.kind, &name) == Some(false) && comment.member.is_none() {
            return Undo::nothing();
        }
        let member = comment
            .member
            .as_deref()
            .map(|member| self.original_member(at).unwrap_or(member));
        let ddl = match member {
            Some(member) => self.before.member_ddl(comment.kind, &name, member),
            None => self.before.ddl(comment.kind, &name),
        };
        let bare = |text: &str| text.replace('"', "");
        let was = bare(&head(&target(&name, member)));
        let old = ddl
            .unwrap_or_default()
            .into_iter()
            .find(|statement| bare(statement).starts_with(&was));
        let text = old
            .as_deref()
            .and_then(|statement| Some(statement.split_once(" IS ")?.1))
            .unwrap_or("NULL");
        Undo::one(format!("{}{text}", head(&now)))
    }

    pub(super) fn undo_privileges(&self, at: At, change: &PrivilegeChange) -> Undo {
        let Some(word) = word(change.kind) else {
            return Undo::declined();
        };
        if change.all_in_schema || change.grant_option {
            return Undo::irreversible("which privileges there were before is not known");
        }
        if change.kind == ObjectKind::Table && self.original(at).is_none() {
            return Undo::nothing();
        }
        let privileges = if change.privileges.is_empty() {
            "ALL".to_owned()
        } else {
            change.privileges.join(", ").to_uppercase()
        };
        let role = |role: &String| {
            if role == "public" {
                "PUBLIC".to_owned()
            } else {
                self.names.one(role)
            }
        };
        let roles = change.roles.iter().map(role).collect::<Vec<_>>().join(", ");
        let name = self.after.resolve(change.kind, &change.object);
        if change.kind == ObjectKind::Schema && self.lives.object(at).is_some_and(|life| !life.is_new()) {
            return Undo::nothing().losing(format!("the privileges on the schema {} as they were", name.short()));
        }
        let object = self.names.object(&name);
        let mut sql = vec![if change.grant {
            format!("REVOKE {privileges} ON {word} {object} FROM {roles}")
        } else {
            format!("GRANT {privileges} ON {word} {object} TO {roles}")
        }];
        if change.grant {
            // Some of it may have been granted before.
            let granted = self.before.ddl(change.kind, &name).unwrap_or_default().into_iter();
            sql.extend(granted.filter(|statement| {
                let to = statement
                    .starts_with("GRANT ")
                    .then(|| statement.rsplit_once(" TO "))
                    .flatten();
                to.is_some_and(|(_, to)| change.roles.iter().any(|role| same_role(to, role)))
            }));
        }
        Undo::sql(sql)
    }
}

/// The grantee at the end of a GRANT.
fn same_role(granted: &str, role: &str) -> bool {
    let granted = granted
        .trim_end_matches(';')
        .trim_end_matches(" WITH GRANT OPTION")
        .replace('"', "");
    granted.eq_ignore_ascii_case(role)
}

/// A `*` in a view's own text stands for the columns of today, not those of the day it was written.
fn stars(undo: Undo, name: &ObjectName) -> Undo {
    let lower = undo.sql.join(" ").to_ascii_lowercase();
    let words = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    if [".*", "select *", ", *"].iter().any(|star| words.contains(star)) {
        let what = format!(
            "the columns that * stood for in {}: it stands for all there are then",
            name.short()
        );
        return undo.losing(what);
    }
    undo
}

/// CREATE OR REPLACE in place of CREATE, for what can be replaced.
fn replace(sql: Vec<String>) -> Vec<String> {
    sql.into_iter()
        .map(|statement| {
            ["FUNCTION ", "PROCEDURE ", "VIEW ", "TRIGGER ", "RULE "]
                .iter()
                .find_map(|word| {
                    statement
                        .strip_prefix(&format!("CREATE {word}"))
                        .map(|rest| (word, rest))
                })
                .map(|(word, rest)| format!("CREATE OR REPLACE {word}{rest}"))
                .unwrap_or(statement)
        })
        .collect()
}

fn word(kind: ObjectKind) -> Option<&'static str> {
    Some(match kind {
        ObjectKind::Table => "TABLE",
        ObjectKind::View => "VIEW",
        ObjectKind::MaterializedView => "MATERIALIZED VIEW",
        ObjectKind::ForeignTable => "FOREIGN TABLE",
        ObjectKind::Index => "INDEX",
        ObjectKind::Sequence => "SEQUENCE",
        ObjectKind::Type => "TYPE",
        ObjectKind::Domain => "DOMAIN",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Aggregate => "AGGREGATE",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Policy => "POLICY",
        ObjectKind::Rule => "RULE",
        ObjectKind::Schema => "SCHEMA",
        ObjectKind::Database => "DATABASE",
        ObjectKind::Extension => "EXTENSION",
        ObjectKind::Column => "COLUMN",
        ObjectKind::Constraint => "CONSTRAINT",
        ObjectKind::Role => "ROLE",
        ObjectKind::Other => return None,
    })
}
