//! Names out of the tree: relations, qualified names, roles, kinds of objects, option values.

use pg_query::NodeEnum;
use pg_query::protobuf::{self, Node, ObjectType, RangeVar, RoleSpec, RoleSpecType, a_const};

use super::types;
use crate::name::{Dialect, ObjectName};
use crate::operation::ObjectKind;

/// The node inside the wrapper that the tree puts around every child.
pub(super) fn inner(node: &Node) -> Option<&NodeEnum> {
    node.node.as_ref()
}

/// The same for an optional boxed child.
pub(super) fn boxed(node: Option<&Node>) -> Option<&NodeEnum> {
    node.and_then(inner)
}

/// A table, view, index or sequence.
pub(super) fn relation(range: &RangeVar) -> ObjectName {
    ObjectName {
        schema: non_empty(&range.schemaname),
        name: range.relname.clone(),
    }
}

/// The same for an optional child; the grammar always fills it where this is used.
pub(super) fn relation_of(range: Option<&RangeVar>) -> ObjectName {
    range.map_or_else(|| ObjectName::bare(""), relation)
}

/// `None` for the empty string, which is how the tree writes an absent name.
pub(super) fn non_empty(text: &str) -> Option<String> {
    if text.is_empty() { None } else { Some(text.to_owned()) }
}

/// The text of a String node.
pub(super) fn string(node: &Node) -> Option<&str> {
    match inner(node)? {
        NodeEnum::String(text) => Some(&text.sval),
        _ => None,
    }
}

/// All String nodes of a list.
pub(super) fn strings(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(string).map(str::to_owned).collect()
}

/// The parts of a qualified name; a database name in front is dropped.
pub(super) fn from_parts(parts: &[String]) -> ObjectName {
    match parts {
        [] => ObjectName::bare(""),
        [name] => ObjectName::bare(name),
        [.., schema, name] => ObjectName::qualified(schema, name),
    }
}

/// A qualified name written as a list of String nodes.
pub(super) fn qualified(nodes: &[Node]) -> ObjectName {
    from_parts(&strings(nodes))
}

/// The name in whatever form DROP, COMMENT and ALTER give it.
pub(super) fn object(node: Option<&NodeEnum>) -> ObjectName {
    match node {
        Some(NodeEnum::String(text)) => ObjectName::bare(&text.sval),
        Some(NodeEnum::List(list)) => match list.items.first().and_then(inner) {
            Some(NodeEnum::TypeName(_)) => object(list.items.first().and_then(inner)),
            _ => qualified(&list.items),
        },
        Some(NodeEnum::TypeName(name)) => {
            let parts = strings(&name.names);
            match parts.as_slice() {
                [schema, _] if schema == "pg_catalog" => ObjectName::bare(types::data_type(name).name),
                _ => from_parts(&parts),
            }
        }
        Some(NodeEnum::ObjectWithArgs(routine)) => qualified(&routine.objname),
        Some(NodeEnum::RangeVar(range)) => relation(range),
        Some(NodeEnum::Integer(number)) => ObjectName::bare(number.ival.to_string()),
        Some(NodeEnum::Float(number)) => ObjectName::bare(&number.fval),
        Some(NodeEnum::RoleSpec(spec)) => ObjectName::bare(role(Some(spec))),
        _ => ObjectName::bare(""),
    }
}

/// The input argument types of a function that DROP, COMMENT and ALTER name; `None` where they are left out.
pub(super) fn arguments(node: Option<&NodeEnum>) -> Option<Vec<String>> {
    let Some(NodeEnum::ObjectWithArgs(routine)) = node else {
        return None;
    };
    if routine.args_unspecified {
        return None;
    }
    let names = routine.objargs.iter().map(|argument| match inner(argument) {
        Some(NodeEnum::TypeName(name)) => types::data_type(name).sql(Dialect::Postgres),
        _ => "none".to_owned(),
    });
    Some(names.collect())
}

/// A role as a name: `public`, `current_user` and the like in lower case.
pub(super) fn role(spec: Option<&RoleSpec>) -> String {
    let Some(spec) = spec else { return String::new() };
    match RoleSpecType::try_from(spec.roletype) {
        Ok(RoleSpecType::RolespecCurrentRole) => "current_role".to_owned(),
        Ok(RoleSpecType::RolespecCurrentUser) => "current_user".to_owned(),
        Ok(RoleSpecType::RolespecSessionUser) => "session_user".to_owned(),
        Ok(RoleSpecType::RolespecPublic) => "public".to_owned(),
        _ => spec.rolename.clone(),
    }
}

/// A list of roles.
pub(super) fn roles(nodes: &[Node]) -> Vec<String> {
    let name = |node: &Node| match inner(node) {
        Some(NodeEnum::RoleSpec(spec)) => Some(role(Some(spec))),
        Some(NodeEnum::AccessPriv(privilege)) => Some(privilege.priv_name.clone()),
        _ => None,
    };
    nodes.iter().filter_map(name).collect()
}

/// The kind, and the SQL word where we have no kind of our own.
pub(super) fn kind(code: i32) -> (ObjectKind, Option<String>) {
    use ObjectType as T;
    let object_type = ObjectType::try_from(code).unwrap_or(T::Undefined);
    let known = match object_type {
        T::ObjectTable => ObjectKind::Table,
        T::ObjectView => ObjectKind::View,
        T::ObjectMatview => ObjectKind::MaterializedView,
        T::ObjectForeignTable => ObjectKind::ForeignTable,
        T::ObjectIndex => ObjectKind::Index,
        T::ObjectSequence => ObjectKind::Sequence,
        T::ObjectType => ObjectKind::Type,
        T::ObjectDomain => ObjectKind::Domain,
        T::ObjectFunction | T::ObjectRoutine => ObjectKind::Function,
        T::ObjectProcedure => ObjectKind::Procedure,
        T::ObjectAggregate => ObjectKind::Aggregate,
        T::ObjectTrigger => ObjectKind::Trigger,
        T::ObjectPolicy => ObjectKind::Policy,
        T::ObjectRule => ObjectKind::Rule,
        T::ObjectSchema => ObjectKind::Schema,
        T::ObjectDatabase => ObjectKind::Database,
        T::ObjectExtension => ObjectKind::Extension,
        T::ObjectColumn | T::ObjectAttribute => ObjectKind::Column,
        T::ObjectTabconstraint | T::ObjectDomconstraint => ObjectKind::Constraint,
        T::ObjectRole => ObjectKind::Role,
        other => return (ObjectKind::Other, Some(other_word(other).to_owned())),
    };
    (known, None)
}

fn other_word(object_type: ObjectType) -> &'static str {
    use ObjectType as T;
    match object_type {
        T::ObjectAccessMethod => "access method",
        T::ObjectCast => "cast",
        T::ObjectCollation => "collation",
        T::ObjectConversion => "conversion",
        T::ObjectEventTrigger => "event trigger",
        T::ObjectFdw => "foreign data wrapper",
        T::ObjectForeignServer => "server",
        T::ObjectLanguage => "language",
        T::ObjectLargeobject => "large object",
        T::ObjectOpclass => "operator class",
        T::ObjectOperator => "operator",
        T::ObjectOpfamily => "operator family",
        T::ObjectParameterAcl => "parameter",
        T::ObjectPublication => "publication",
        T::ObjectStatisticExt => "statistics",
        T::ObjectSubscription => "subscription",
        T::ObjectTablespace => "tablespace",
        T::ObjectTransform => "transform",
        T::ObjectTsconfiguration => "text search configuration",
        T::ObjectTsdictionary => "text search dictionary",
        T::ObjectTsparser => "text search parser",
        T::ObjectTstemplate => "text search template",
        T::ObjectUserMapping => "user mapping",
        _ => "object",
    }
}

/// WITH (…) options as name and value; a bare name is `true`, as the server reads it.
pub(super) fn options(nodes: &[Node]) -> Vec<(String, String)> {
    elements(nodes)
        .map(|element| {
            (
                option_name(element),
                value(element).unwrap_or_else(|| "true".to_owned()),
            )
        })
        .collect()
}

/// The `DefElem` nodes of a list.
pub(super) fn elements(nodes: &[Node]) -> impl Iterator<Item = &protobuf::DefElem> {
    nodes.iter().filter_map(|node| match inner(node) {
        Some(NodeEnum::DefElem(element)) => Some(&**element),
        _ => None,
    })
}

/// The option `name` of a list.
pub(super) fn element<'a>(nodes: &'a [Node], name: &str) -> Option<&'a protobuf::DefElem> {
    elements(nodes).find(|element| element.defname == name)
}

/// Whether the option `name` is there and not switched off.
pub(super) fn flag(nodes: &[Node], name: &str) -> bool {
    element(nodes, name).is_some_and(|element| {
        !matches!(
            value(element).as_deref().map(str::to_ascii_lowercase).as_deref(),
            Some("false" | "off" | "0")
        )
    })
}

/// An option's name with its namespace: `toast.autovacuum_enabled`.
pub(super) fn option_name(element: &protobuf::DefElem) -> String {
    match element.defnamespace.as_str() {
        "" => element.defname.clone(),
        namespace => format!("{namespace}.{}", element.defname),
    }
}

/// An option's value as text.
pub(super) fn value(element: &protobuf::DefElem) -> Option<String> {
    boxed(element.arg.as_deref()).map(literal)
}

/// A constant or name as text, without quotes.
pub(super) fn literal(node: &NodeEnum) -> String {
    match node {
        NodeEnum::String(text) => text.sval.clone(),
        NodeEnum::Integer(number) => number.ival.to_string(),
        NodeEnum::Float(number) => number.fval.clone(),
        NodeEnum::Boolean(boolean) => boolean.boolval.to_string(),
        NodeEnum::BitString(bits) => bits.bsval.clone(),
        NodeEnum::TypeName(name) => {
            let parts = strings(&name.names);
            match parts.as_slice() {
                [only] if name.typmods.is_empty() && name.array_bounds.is_empty() => only.clone(),
                _ => types::data_type(name).sql(Dialect::Postgres),
            }
        }
        NodeEnum::List(list) => list
            .items
            .iter()
            .filter_map(inner)
            .map(literal)
            .collect::<Vec<_>>()
            .join("."),
        NodeEnum::AConst(constant) => match &constant.val {
            Some(a_const::Val::Ival(number)) => number.ival.to_string(),
            Some(a_const::Val::Fval(number)) => number.fval.clone(),
            Some(a_const::Val::Boolval(boolean)) => boolean.boolval.to_string(),
            Some(a_const::Val::Sval(text)) => text.sval.clone(),
            Some(a_const::Val::Bsval(bits)) => bits.bsval.clone(),
            None => "NULL".to_owned(),
        },
        NodeEnum::TypeCast(cast) => boxed(cast.arg.as_deref()).map(literal).unwrap_or_default(),
        NodeEnum::ColumnRef(column) => strings(&column.fields).join("."),
        NodeEnum::RoleSpec(spec) => role(Some(spec)),
        _ => String::new(),
    }
}
