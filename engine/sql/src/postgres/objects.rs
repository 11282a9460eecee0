//! Statements that take any kind of object: DROP, RENAME, SET SCHEMA, OWNER TO, COMMENT, GRANT; and the objects that
//! are neither tables, indexes, types nor functions.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterOwnerStmt, AlterSeqStmt, CommentStmt, CreateSeqStmt, DefElem, DropStmt, GrantStmt, GrantTargetType, Node,
    ObjectType, RenameStmt, Token,
};

use super::alter::cascades;
use super::columns::sequence_options;
use super::names::{self, boxed, inner, strings};
use super::reader::Reader;
use super::types;
use crate::name::{Dialect, ObjectName};
use crate::operation::{CreateTrigger, DomainChange, Drop, Grant, ObjectKind, Operation, OtherOperation, Policy};

/// Kinds that belong to a table: their name is the last part, the table is in front.
fn of_table(code: i32) -> bool {
    matches!(
        ObjectType::try_from(code),
        Ok(ObjectType::ObjectTrigger
            | ObjectType::ObjectPolicy
            | ObjectType::ObjectRule
            | ObjectType::ObjectTabconstraint)
    )
}

/// Splits `[schema,] table, member`.
fn table_and_member(node: Option<&NodeEnum>) -> (ObjectName, String) {
    let parts = match node {
        Some(NodeEnum::List(list)) => strings(&list.items),
        _ => Vec::new(),
    };
    match parts.split_last() {
        Some((member, table)) => (names::from_parts(table), member.clone()),
        None => (ObjectName::bare(""), String::new()),
    }
}

fn relation_or_object(relation: Option<&pg_query::protobuf::RangeVar>, object: Option<&NodeEnum>) -> ObjectName {
    relation.map_or_else(|| names::object(object), names::relation)
}

/// `OWNED BY table.column` or NONE.
fn owned_by(element: &DefElem) -> Option<(ObjectName, String)> {
    let Some(NodeEnum::List(list)) = boxed(element.arg.as_deref()) else {
        return None;
    };
    match strings(&list.items).split_last() {
        Some((column, table)) if !table.is_empty() => Some((names::from_parts(table), column.clone())),
        _ => None,
    }
}

/// An operator class is listed behind its access method; a cast has no name but its types.
fn dropped_name(code: i32, object: Option<&NodeEnum>) -> ObjectName {
    match (ObjectType::try_from(code), object) {
        (Ok(ObjectType::ObjectOpclass | ObjectType::ObjectOpfamily), Some(NodeEnum::List(list))) => {
            names::qualified(list.items.get(1..).unwrap_or_default())
        }
        (Ok(ObjectType::ObjectCast), Some(NodeEnum::List(list))) => {
            let types = list.items.iter().filter_map(inner).map(names::literal);
            ObjectName::bare(types.collect::<Vec<_>>().join(" as "))
        }
        _ => names::object(object),
    }
}

impl Reader<'_> {
    pub(super) fn any_object(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::DropStmt(it) => self.drop_objects(it),
            NodeEnum::DropdbStmt(it) => self.drop_one(ObjectKind::Database, None, &it.dbname, it.missing_ok),
            NodeEnum::DropTableSpaceStmt(it) => {
                self.drop_one(ObjectKind::Other, Some("tablespace"), &it.tablespacename, it.missing_ok);
            }
            NodeEnum::DropSubscriptionStmt(it) => {
                self.drop_one(ObjectKind::Other, Some("subscription"), &it.subname, it.missing_ok);
            }
            NodeEnum::DropUserMappingStmt(it) => {
                self.drop_one(
                    ObjectKind::Other,
                    Some("user mapping"),
                    &names::role(it.user.as_ref()),
                    it.missing_ok,
                );
            }
            NodeEnum::DropRoleStmt(it) => {
                for role in names::roles(&it.roles) {
                    self.drop_one(ObjectKind::Role, None, &role, it.missing_ok);
                }
            }
            NodeEnum::RenameStmt(it) => self.rename(it),
            NodeEnum::AlterObjectSchemaStmt(it) => {
                let object = boxed(it.object.as_deref());
                self.push(Operation::SetSchema {
                    kind: names::kind(it.object_type).0,
                    name: relation_or_object(it.relation.as_ref(), object),
                    arguments: names::arguments(object),
                    to: it.newschema.clone(),
                });
            }
            NodeEnum::AlterOwnerStmt(it) => self.set_owner(it),
            NodeEnum::CommentStmt(it) => self.comment(it),
            NodeEnum::GrantStmt(it) => self.grant(it),
            _ => {}
        }
    }

    fn drop_one(&mut self, kind: ObjectKind, word: Option<&str>, name: &str, if_exists: bool) {
        self.push(Operation::Drop(Drop {
            kind,
            other_kind: word.map(str::to_owned),
            name: ObjectName::bare(name),
            on: None,
            arguments: None,
            if_exists,
            cascade: false,
            concurrently: false,
        }));
    }

    fn drop_objects(&mut self, it: &DropStmt) {
        let (kind, other_kind) = names::kind(it.remove_type);
        for object in &it.objects {
            let object = inner(object);
            let (name, on) = if of_table(it.remove_type) {
                let (table, member) = table_and_member(object);
                (ObjectName::bare(member), Some(table))
            } else {
                (dropped_name(it.remove_type, object), None)
            };
            self.push(Operation::Drop(Drop {
                kind,
                other_kind: other_kind.clone(),
                name,
                on,
                arguments: names::arguments(object),
                if_exists: it.missing_ok,
                cascade: cascades(it.behavior),
                concurrently: it.concurrent,
            }));
        }
    }

    fn rename(&mut self, it: &RenameStmt) {
        let object = boxed(it.object.as_deref());
        let name = || relation_or_object(it.relation.as_ref(), object);
        let (from, to) = (it.subname.clone(), it.newname.clone());
        let (kind, word) = names::kind(it.rename_type);
        let operation = match ObjectType::try_from(it.rename_type) {
            Ok(ObjectType::ObjectColumn) => Operation::RenameColumn {
                table: name(),
                from,
                to,
            },
            Ok(ObjectType::ObjectAttribute) => {
                let start = self.source.find(self.range, Token::Rename).unwrap_or(self.range.0);
                let text = self.source.slice((start, self.range.1)).to_owned();
                Operation::AlterComposite { name: name(), text }
            }
            Ok(ObjectType::ObjectTabconstraint) => Operation::RenameConstraint {
                table: name(),
                from,
                to,
            },
            Ok(ObjectType::ObjectDomconstraint) => Operation::AlterDomain {
                name: name(),
                change: DomainChange::RenameConstraint { from, to },
            },
            Ok(ObjectType::ObjectTrigger | ObjectType::ObjectPolicy | ObjectType::ObjectRule) => Operation::Rename {
                kind,
                from: ObjectName::bare(from),
                on: Some(name()),
                arguments: None,
                to,
            },
            _ => {
                let from = if it.relation.is_none() && object.is_none() {
                    ObjectName::bare(from)
                } else {
                    name()
                };
                if let Some(word) = word {
                    let details = vec![("kind".to_owned(), word), ("to".to_owned(), to)];
                    Operation::Other(OtherOperation {
                        tag: "rename".to_owned(),
                        objects: vec![from],
                        details,
                    })
                } else {
                    Operation::Rename {
                        kind,
                        from,
                        on: None,
                        arguments: names::arguments(object),
                        to,
                    }
                }
            }
        };
        self.push(operation);
    }

    fn set_owner(&mut self, it: &AlterOwnerStmt) {
        self.push(Operation::SetOwner {
            kind: names::kind(it.object_type).0,
            name: relation_or_object(it.relation.as_ref(), boxed(it.object.as_deref())),
            owner: names::role(it.newowner.as_ref()),
        });
    }

    fn comment(&mut self, it: &CommentStmt) {
        let object = boxed(it.object.as_deref());
        let kind = names::kind(it.objtype).0;
        let (name, member) = match ObjectType::try_from(it.objtype) {
            Ok(ObjectType::ObjectColumn) => {
                let (table, column) = table_and_member(object);
                (table, Some(column))
            }
            Ok(ObjectType::ObjectDomconstraint) => match object {
                Some(NodeEnum::List(list)) => {
                    let member = list.items.get(1).and_then(names::string).map(str::to_owned);
                    (names::object(list.items.first().and_then(inner)), member)
                }
                _ => (names::object(object), None),
            },
            _ if of_table(it.objtype) => {
                let (table, member) = table_and_member(object);
                (table, Some(member))
            }
            _ => (dropped_name(it.objtype, object), None),
        };
        // The tree has no NULL for strings, and the server takes an empty comment for none.
        let text = names::non_empty(&it.comment);
        self.push(Operation::Comment {
            kind,
            name,
            member,
            arguments: names::arguments(object),
            text,
        });
    }

    fn grant(&mut self, it: &GrantStmt) {
        let all_in_schema = it.targtype == GrantTargetType::AclTargetAllInSchema as i32;
        let kind = if all_in_schema {
            ObjectKind::Schema
        } else {
            names::kind(it.objtype).0
        };
        let privileges: Vec<String> = it.privileges.iter().filter_map(privilege).collect();
        for object in it.objects.iter().filter_map(inner) {
            self.push(Operation::Grant(Grant {
                grant: it.is_grant,
                kind,
                object: names::object(Some(object)),
                all_in_schema,
                privileges: privileges.clone(),
                roles: names::roles(&it.grantees),
                grant_option: it.grant_option,
            }));
        }
    }

    /// Views, triggers, rules, sequences, policies, extensions.
    pub(super) fn other_object(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::ViewStmt(it) => self.create_view(it),
            NodeEnum::RefreshMatViewStmt(it) => {
                let name = names::relation_of(it.relation.as_ref());
                self.push(Operation::RefreshView {
                    name,
                    concurrently: it.concurrent,
                });
            }
            NodeEnum::CreateTrigStmt(it) => {
                let trigger = CreateTrigger {
                    name: it.trigname.clone(),
                    table: names::relation_of(it.relation.as_ref()),
                    or_replace: it.replace,
                    if_not_exists: false,
                    function: Some(names::qualified(&it.funcname)),
                    definition: self.text(),
                };
                self.push(Operation::CreateTrigger(Box::new(trigger)));
            }
            NodeEnum::RuleStmt(it) => {
                let definition = self.text();
                let table = names::relation_of(it.relation.as_ref());
                let name = it.rulename.clone();
                self.push(Operation::CreateRule {
                    name,
                    table,
                    or_replace: it.replace,
                    definition,
                });
            }
            NodeEnum::CreateSeqStmt(it) => self.create_sequence(it),
            NodeEnum::AlterSeqStmt(it) => self.alter_sequence(it),
            NodeEnum::CreatePolicyStmt(it) => {
                let policy = self.policy(
                    (&it.policy_name, it.table.as_ref(), &it.roles),
                    (it.qual.is_some(), it.with_check.is_some()),
                );
                let policy = Policy {
                    permissive: it.permissive,
                    command: it.cmd_name.clone(),
                    ..policy
                };
                self.push(Operation::CreatePolicy(Box::new(policy)));
            }
            NodeEnum::AlterPolicyStmt(it) => {
                let policy = self.policy(
                    (&it.policy_name, it.table.as_ref(), &it.roles),
                    (it.qual.is_some(), it.with_check.is_some()),
                );
                self.push(Operation::AlterPolicy(Box::new(policy)));
            }
            NodeEnum::CreateExtensionStmt(it) => self.push(Operation::CreateExtension {
                name: it.extname.clone(),
                schema: names::element(&it.options, "schema").and_then(names::value),
                if_not_exists: it.if_not_exists,
            }),
            _ => {}
        }
    }

    fn policy(
        &self,
        (name, table, roles): (&str, Option<&pg_query::protobuf::RangeVar>, &[Node]),
        (has_using, has_check): (bool, bool),
    ) -> Policy {
        let after = |keyword: Token, present: bool| {
            let index = self.source.find(self.range, keyword).filter(|_| present)?;
            let inside = self.source.inside((index, self.range.1))?;
            Some(self.source.slice(inside).to_owned())
        };
        Policy {
            name: name.to_owned(),
            table: names::relation_of(table),
            permissive: true,
            command: "all".to_owned(),
            roles: names::roles(roles),
            using: after(Token::Using, has_using),
            check: after(Token::Check, has_check),
        }
    }

    fn create_sequence(&mut self, it: &CreateSeqStmt) {
        self.push(Operation::CreateSequence {
            name: names::relation_of(it.sequence.as_ref()),
            if_not_exists: it.if_not_exists,
            temporary: it.sequence.as_ref().is_some_and(|name| name.relpersistence == "t"),
            data_type: sequence_type(&it.options),
            options: sequence_options(&it.options),
            owned_by: names::element(&it.options, "owned_by").and_then(owned_by),
        });
    }

    fn alter_sequence(&mut self, it: &AlterSeqStmt) {
        let mut options = sequence_options(&it.options);
        options.extend(sequence_type(&it.options).map(|name| ("as".to_owned(), name)));
        self.push(Operation::AlterSequence {
            name: names::relation_of(it.sequence.as_ref()),
            options,
            owned_by: names::element(&it.options, "owned_by").map(owned_by),
        });
    }
}

fn sequence_type(options: &[Node]) -> Option<String> {
    match boxed(names::element(options, "as")?.arg.as_deref()) {
        Some(NodeEnum::TypeName(name)) => Some(types::data_type(name).sql(Dialect::Postgres)),
        _ => None,
    }
}

/// A privilege in lower case, with its columns: `select (a, b)`.
fn privilege(node: &Node) -> Option<String> {
    let Some(NodeEnum::AccessPriv(it)) = inner(node) else {
        return None;
    };
    let name = if it.priv_name.is_empty() { "all" } else { &it.priv_name };
    Some(match strings(&it.cols).as_slice() {
        [] => name.to_owned(),
        columns => {
            let columns = columns.iter().map(|column| Dialect::Postgres.quote_if_needed(column));
            format!("{name} ({})", columns.collect::<Vec<_>>().join(", "))
        }
    })
}
