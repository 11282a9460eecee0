//! Every other kind of object: created, dropped, renamed, moved, commented, granted.

use tollgate_plugin::{Comment, Created, Dropped, ObjectKind, ObjectName, PrivilegeChange, Rename, SchemaChange};

use super::Context;
use crate::Undo;

impl Context<'_> {
    pub(super) fn undo_create_object(&self, at: u32, created: &Created) -> Undo {
        match created.kind {
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.undo_create_member(at, created),
            kind => {
                let or_replace = created.or_replace || created.if_not_exists;
                self.undo_create(kind, &created.name, created.arguments.as_deref(), or_replace)
            }
        }
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
        if or_replace && self.before.exists(kind, &name) != Some(false) {
            return match self.before.ddl(kind, &name) {
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

    fn undo_create_member(&self, at: u32, created: &Created) -> Undo {
        let Some(on) = &created.on else { return Undo::declined() };
        let Some(original) = self.original(at, on) else {
            return Undo::nothing();
        };
        let Some(word) = word(created.kind) else {
            return Undo::declined();
        };
        let member = &created.name.name;
        if (created.or_replace || created.if_not_exists)
            && let Some(sql) = self.before.member_ddl(created.kind, &original, member)
        {
            return Undo::sql(replace(sql));
        }
        let on = match self.dialect() {
            tollgate_plugin::Dialect::Postgres => format!(" ON {}", self.names.object(&self.table(on))),
            _ => String::new(),
        };
        Undo::one(format!("DROP {word} {}{on}", self.names.one(member)))
    }

    pub(super) fn undo_drop(&self, at: u32, dropped: &Dropped) -> Undo {
        match dropped.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => self.undo_drop_table(at, &dropped.name, dropped.cascade),
            ObjectKind::Index => self.undo_drop_index(dropped),
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.undo_drop_member(at, dropped),
            ObjectKind::Database => Undo::irreversible(format!("the database {} is gone", dropped.name.short())),
            ObjectKind::Schema if dropped.cascade => {
                Undo::irreversible(format!("everything in the schema {} is gone", dropped.name.short()))
            }
            kind => self.undo_drop_object(kind, dropped),
        }
    }

    fn undo_drop_object(&self, kind: ObjectKind, dropped: &Dropped) -> Undo {
        let name = self.before.resolve(kind, &dropped.name);
        if self.before.exists(kind, &name) == Some(false) {
            return Undo::nothing();
        }
        let Some(mut sql) = self.before.ddl(kind, &name) else {
            return Undo::irreversible(format!("what the {kind} {} was is not known", name.short()));
        };
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
        if lost.is_empty() {
            Undo::sql(sql)
        } else {
            Undo::sql(sql).losing(lost.join(", "))
        }
    }

    fn undo_drop_member(&self, at: u32, dropped: &Dropped) -> Undo {
        let on = dropped.on.clone().or_else(|| self.owner_of_trigger(dropped));
        let Some(on) = on else {
            return Undo::irreversible(format!(
                "what the {} {} was is not known",
                dropped.kind, dropped.name.name
            ));
        };
        let Some(original) = self.original(at, &on) else {
            return Undo::nothing();
        };
        match self.before.member_ddl(dropped.kind, &original, &dropped.name.name) {
            Some(sql) => Undo::sql(sql),
            None if dropped.if_exists => Undo::nothing(),
            None => Undo::irreversible(format!(
                "what the {} {} was is not known",
                dropped.kind, dropped.name.name
            )),
        }
    }

    /// `SQLite` drops a trigger by its name alone.
    fn owner_of_trigger(&self, dropped: &Dropped) -> Option<ObjectName> {
        self.before.relations().into_iter().find(|name| {
            self.before
                .relation(name)
                .is_some_and(|relation| relation.triggers.contains(&dropped.name.name))
        })
    }

    pub(super) fn undo_rename(&self, at: u32, renamed: &Rename) -> Undo {
        let back = self.names.one(&renamed.from.name);
        let to = self.names.one(&renamed.to);
        let Some(word) = word(renamed.kind) else {
            return Undo::declined();
        };
        if let Some(on) = &renamed.on {
            if self.original(at, on).is_none() {
                return Undo::nothing();
            }
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

    pub(super) fn undo_comment(&self, comment: &Comment) -> Undo {
        let Some(word) = word(comment.kind) else {
            return Undo::declined();
        };
        let name = self.before.resolve(comment.kind, &comment.name);
        if self.before.exists(comment.kind, &name) == Some(false) {
            return Undo::nothing();
        }
        let object = self.names.object(&name);
        let target = match (&comment.member, comment.kind) {
            (Some(column), ObjectKind::Column) => format!("{object}.{}", self.names.one(column)),
            (Some(member), _) => format!("{} ON {object}", self.names.one(member)),
            (None, _) => object,
        };
        let ddl = match (&comment.member, comment.kind) {
            (Some(member), kind) => self.before.member_ddl(kind, &name, member),
            (None, kind) => self.before.ddl(kind, &name),
        };
        let head = format!("COMMENT ON {word} {target} IS ");
        let bare = |text: &str| text.replace('"', "");
        let old = ddl
            .unwrap_or_default()
            .into_iter()
            .find(|statement| bare(statement).starts_with(&bare(&head)));
        Undo::one(old.unwrap_or_else(|| format!("{head}NULL")))
    }

    pub(super) fn undo_privileges(&self, at: u32, change: &PrivilegeChange) -> Undo {
        let Some(word) = word(change.kind) else {
            return Undo::declined();
        };
        if change.all_in_schema || change.grant_option {
            return Undo::irreversible("which privileges there were before is not known");
        }
        if change.kind == ObjectKind::Table && self.original(at, &change.object).is_none() {
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
        let object = self.names.object(&self.after.resolve(change.kind, &change.object));
        Undo::one(if change.grant {
            format!("REVOKE {privileges} ON {word} {object} FROM {roles}")
        } else {
            format!("GRANT {privileges} ON {word} {object} TO {roles}")
        })
    }
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
