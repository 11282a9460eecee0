//! Comments, privileges, owners, extensions and session settings.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{Grant, ObjectKind, OtherOperation};

use crate::base::BaseError;
use crate::class::Class;
use crate::model::{Function, Privilege, Relation};
use crate::schema::Schema;

impl Schema {
    pub(super) fn create_extension(&mut self, name: &str, schema: Option<&str>) -> Result<(), BaseError> {
        if self.has(Class::Extension, &ObjectName::bare(name))? {
            return Ok(());
        }
        let schema = schema.map_or_else(
            || self.creation_name(&ObjectName::bare(name)).schema.unwrap_or_default(),
            str::to_owned,
        );
        Arc::make_mut(&mut self.overlay.extensions).insert(name.to_owned(), Some(schema));
        Ok(())
    }

    pub(super) fn set_parameter(&mut self, name: &str, value: Option<&str>) {
        if !self.is_sqlite() && name.eq_ignore_ascii_case("search_path") {
            let names = value.map(crate::text::name_list);
            self.overlay.search_path = names.map(|names| {
                names
                    .into_iter()
                    .filter(|name| name != "$user" && name != "pg_catalog")
                    .collect()
            });
        }
    }

    pub(super) fn comment(
        &mut self,
        kind: ObjectKind,
        name: &ObjectName,
        member: Option<&str>,
        arguments: Option<&[String]>,
        text: Option<&str>,
    ) -> Result<(), BaseError> {
        let text = text.filter(|text| !text.is_empty()).map(str::to_owned);
        match Class::of(kind) {
            Class::Index => self.alter_index(name, |index| index.comment = text),
            Class::Sequence => {
                let name = self.find(kind, name)?;
                if let Some(known) = self.sequence(&name)? {
                    self.put_sequence(crate::model::Sequence {
                        comment: text,
                        ..(*known).clone()
                    });
                }
                Ok(())
            }
            Class::Type => {
                let name = self.find(kind, name)?;
                if let Some(known) = self.user_type(&name)? {
                    self.put_type(crate::model::UserType {
                        comment: text,
                        ..(*known).clone()
                    });
                }
                Ok(())
            }
            Class::Function => self.change_functions(name, arguments, |function| function.comment.clone_from(&text)),
            Class::Relation | Class::Other => match member {
                None if Class::of(kind) == Class::Relation => self.alter(name, |relation| relation.comment = text),
                None => Ok(()),
                Some(member) => self.alter(name, |relation| comment_member(relation, kind, member, text)),
            },
            Class::Schema | Class::Extension => Ok(()),
        }
    }

    fn change_functions(
        &mut self,
        name: &ObjectName,
        arguments: Option<&[String]>,
        mut change: impl FnMut(&mut Function),
    ) -> Result<(), BaseError> {
        let name = self.find(ObjectKind::Function, name)?;
        let mut overloads = self.functions(&name)?;
        let mut any = false;
        for function in &mut overloads {
            if arguments.is_none_or(|wanted| super::routine::same_arguments(&function.arguments, wanted)) {
                change(function);
                any = true;
            }
        }
        if any {
            self.put_functions(&name, overloads);
        }
        Ok(())
    }

    pub(super) fn set_owner(&mut self, kind: ObjectKind, name: &ObjectName, owner: &str) -> Result<(), BaseError> {
        match Class::of(kind) {
            Class::Relation => self.alter(name, |relation| relation.owner = Some(owner.to_owned())),
            Class::Type => {
                let name = self.find(kind, name)?;
                if let Some(known) = self.user_type(&name)? {
                    self.put_type(crate::model::UserType {
                        owner: Some(owner.to_owned()),
                        ..(*known).clone()
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn grant(&mut self, grant: &Grant) -> Result<(), BaseError> {
        if !grant.all_in_schema {
            return self.grant_on(grant, &grant.object);
        }
        let inside = |name: &&ObjectName| name.schema.as_deref() == Some(grant.object.name.as_str());
        let functions = matches!(grant.kind, ObjectKind::Function | ObjectKind::Procedure)
            || grant.privileges.iter().any(|privilege| privilege == "execute");
        let sequences =
            grant.kind == ObjectKind::Sequence || grant.privileges.iter().any(|privilege| privilege == "usage");
        if functions {
            for name in self.function_names()?.iter().filter(inside) {
                self.change_functions(name, None, |function| {
                    change_privileges(&mut function.grants, grant, &["execute"]);
                })?;
            }
        } else if !sequences {
            for name in self.relations()?.iter().filter(inside) {
                self.grant_on(
                    &Grant {
                        kind: ObjectKind::Table,
                        ..grant.clone()
                    },
                    name,
                )?;
            }
        }
        Ok(())
    }

    fn grant_on(&mut self, grant: &Grant, object: &ObjectName) -> Result<(), BaseError> {
        match Class::of(grant.kind) {
            Class::Relation => self.alter(object, |relation| {
                let (columns, whole): (Vec<_>, Vec<_>) = grant
                    .privileges
                    .iter()
                    .cloned()
                    .partition(|privilege| privilege.contains('('));
                for written in columns {
                    grant_columns(relation, grant, &written);
                }
                if !whole.is_empty() || grant.privileges.is_empty() {
                    let all = [
                        "delete",
                        "insert",
                        "references",
                        "select",
                        "trigger",
                        "truncate",
                        "update",
                    ];
                    change_privileges(
                        &mut relation.grants,
                        &Grant {
                            privileges: whole,
                            ..grant.clone()
                        },
                        &all,
                    );
                }
            }),
            Class::Function => self.change_functions(object, None, |function| {
                change_privileges(&mut function.grants, grant, &["execute"]);
            }),
            _ => Ok(()),
        }
    }

    /// Statements without an operation of their own: most change nothing the model keeps.
    pub(super) fn other(&mut self, other: &OtherOperation) -> Result<(), BaseError> {
        match other.tag.as_str() {
            // Which objects these touch depends on what the server holds.
            "drop-owned" | "import-foreign-schema" | "attach-database" => {
                self.overlay.incomplete = true;
                Ok(())
            }
            "copy" | "copy-from" => {
                for table in &other.objects {
                    let name = self.find(ObjectKind::Table, table)?;
                    let key = self.key(&name);
                    Arc::make_mut(&mut self.overlay.empty).remove(&*key);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn comment_member(relation: &mut Relation, kind: ObjectKind, member: &str, text: Option<String>) {
    let place = match kind {
        ObjectKind::Constraint => relation
            .constraints
            .iter_mut()
            .find(|known| known.name == member)
            .map(|known| &mut known.comment),
        ObjectKind::Trigger => relation
            .triggers
            .iter_mut()
            .find(|known| known.name == member)
            .map(|known| &mut known.comment),
        ObjectKind::Policy => relation
            .policies
            .iter_mut()
            .find(|known| known.name == member)
            .map(|known| &mut known.comment),
        ObjectKind::Rule => None,
        _ => relation
            .columns
            .iter_mut()
            .find(|known| known.name == member)
            .map(|known| &mut known.comment),
    };
    if let Some(place) = place {
        *place = text;
    }
}

/// `select (a, b)`: a privilege on columns.
fn grant_columns(relation: &mut Relation, grant: &Grant, written: &str) {
    let Some((privilege, columns)) = written.split_once('(') else {
        return;
    };
    let columns: Vec<_> = columns
        .trim_end_matches(')')
        .split(',')
        .map(|column| column.trim().trim_matches('"').to_owned())
        .collect();
    let one = Grant {
        privileges: vec![privilege.trim().to_owned()],
        ..grant.clone()
    };
    for column in relation
        .columns
        .iter_mut()
        .filter(|column| columns.contains(&column.name))
    {
        change_privileges(&mut column.grants, &one, &["insert", "references", "select", "update"]);
    }
}

/// Adds or takes away privileges; none named means all.
fn change_privileges(known: &mut Vec<Privilege>, grant: &Grant, all: &[&str]) {
    let named: Vec<String> = if grant.privileges.is_empty() {
        all.iter().map(|privilege| (*privilege).to_owned()).collect()
    } else {
        grant.privileges.clone()
    };
    for role in &grant.roles {
        let mut taken = Vec::new();
        if !grant.grant || grant.grant_option {
            // Taking away, or raising to WITH GRANT OPTION, removes the plain form (and REVOKE both).
            for entry in known.iter_mut().filter(|entry| entry.role == *role) {
                let affected = !grant.grant_option || grant.grant != entry.grantable;
                if affected {
                    taken.extend(
                        entry
                            .privileges
                            .iter()
                            .filter(|privilege| named.contains(privilege))
                            .cloned(),
                    );
                    entry.privileges.retain(|privilege| !named.contains(privilege));
                }
            }
        }
        // REVOKE GRANT OPTION FOR leaves the privilege itself.
        let add = if grant.grant {
            named.clone()
        } else if grant.grant_option {
            taken
        } else {
            Vec::new()
        };
        if !add.is_empty() {
            let grantable = grant.grant && grant.grant_option;
            let stronger = known.iter().any(|entry| {
                entry.role == *role && entry.grantable && !grantable && add.iter().all(|p| entry.privileges.contains(p))
            });
            if !stronger {
                match known
                    .iter_mut()
                    .find(|entry| entry.role == *role && entry.grantable == grantable)
                {
                    Some(entry) => entry.privileges.extend(add),
                    None => known.push(Privilege {
                        role: role.clone(),
                        privileges: add,
                        grantable,
                    }),
                }
            }
        }
    }
    for entry in known.iter_mut() {
        entry.privileges.sort();
        entry.privileges.dedup();
    }
    known.retain(|entry| !entry.privileges.is_empty());
    known.sort();
}

/// Types that an extension brings; `None` for extensions that are not known here.
pub(super) fn extension_types(extension: &str) -> Option<&'static [&'static str]> {
    Some(match extension {
        "citext" => &["citext"],
        "hstore" => &["hstore"],
        "ltree" => &["ltree", "lquery", "ltxtquery"],
        "vector" => &["vector", "halfvec", "sparsevec"],
        "cube" => &["cube"],
        "isn" => &["isbn", "issn", "ean13", "ismn", "upc", "isbn13", "issn13", "ismn13"],
        "postgis" => &["geometry", "geography", "box2d", "box3d"],
        "seg" => &["seg"],
        "btree_gin" | "btree_gist" | "fuzzystrmatch" | "pg_stat_statements" | "pg_trgm" | "pgcrypto" | "plpgsql"
        | "tablefunc" | "unaccent" | "uuid-ossp" => &[],
        _ => return None,
    })
}
