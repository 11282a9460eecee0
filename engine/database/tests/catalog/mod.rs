//! The model in short lines, for snapshots: only what is not as usual is written.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Write as _;

use tollgate_schema::model::{
    Column, Constraint, ConstraintRule, Dependent, Index, IndexKey, Privilege, Relation, TypeKind, UserType,
};
use tollgate_sql::operation::DataType;

pub fn relation(relation: &Relation) -> String {
    let mut text = format!("{:?} {}", relation.kind, relation.name);
    let flags = [
        (relation.row_security, "row security"),
        (relation.force_row_security, "forced"),
        (relation.unlogged, "unlogged"),
        (relation.without_rowid, "without rowid"),
        (relation.strict, "strict"),
        (relation.uncertain, "uncertain"),
    ];
    for (_, flag) in flags.iter().filter(|(on, _)| *on) {
        let _ = write!(text, " [{flag}]");
    }
    let mut property = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, "\n  {name}: {value}");
        }
    };
    property("comment", relation.comment.clone());
    property("partition key", relation.partition_key.clone());
    property(
        "partition of",
        relation
            .partition_of
            .as_ref()
            .map(|(parent, bound)| format!("{parent} {bound}")),
    );
    property("inherits", join(&relation.inherits));
    property("options", pairs(&relation.options));
    property("access method", relation.access_method.clone());
    let identity = Some(relation.replica_identity.clone()).filter(|identity| identity != "default");
    property("replica identity", identity);
    property("query", relation.query.as_ref().map(|query| query.replace('\n', " ")));
    property("reads", join(&relation.reads));
    property("grants", grants(&relation.grants));
    for column in &relation.columns {
        let _ = write!(text, "\n  {}", self::column(column));
    }
    for constraint in &relation.constraints {
        let _ = write!(text, "\n  {}", self::constraint(constraint));
    }
    for index in &relation.indexes {
        let _ = write!(text, "\n  {}", self::index(index));
    }
    for trigger in &relation.triggers {
        let function = trigger
            .function
            .as_ref()
            .map(|function| format!(" calls {function}"))
            .unwrap_or_default();
        let enabled = if trigger.enabled { "" } else { " [disabled]" };
        let _ = write!(
            text,
            "\n  trigger {}{function}{enabled}: {}",
            trigger.name, trigger.definition
        );
    }
    for policy in &relation.policies {
        let _ = write!(
            text,
            "\n  policy {} for {} to {}",
            policy.name,
            policy.command,
            policy.roles.join(", ")
        );
        let _ = write!(
            text,
            " using {:?} check {:?} permissive {}",
            policy.using, policy.check, policy.permissive
        );
    }
    for (name, definition) in &relation.rules {
        let _ = write!(text, "\n  rule {name}: {}", definition.replace('\n', " "));
    }
    text
}

pub fn data_type(data_type: &DataType) -> String {
    let schema = data_type
        .schema
        .as_ref()
        .map(|schema| format!("{schema}."))
        .unwrap_or_default();
    let modifiers = if data_type.modifiers.is_empty() {
        String::new()
    } else {
        format!("({})", data_type.modifiers.join(","))
    };
    format!(
        "{schema}{}{modifiers}{}",
        data_type.name,
        "[]".repeat(data_type.dimensions as usize)
    )
}

fn column(column: &Column) -> String {
    let mut text = format!("{} {}", column.name, data_type(&column.data_type));
    if column.not_null {
        text += " not null";
    }
    let mut property = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, ", {name} {value}");
        }
    };
    property("default", column.default.clone());
    property(
        "generated",
        column
            .generated
            .as_ref()
            .map(|(text, stored)| format!("{text} {}", if *stored { "stored" } else { "virtual" })),
    );
    property("identity", column.identity.map(|identity| format!("{identity:?}")));
    property("sequence", column.sequence.as_ref().map(ToString::to_string));
    property("collation", column.collation.as_ref().map(ToString::to_string));
    property("comment", column.comment.clone());
    property("options", pairs(&column.options));
    property("grants", grants(&column.grants));
    text
}

fn constraint(constraint: &Constraint) -> String {
    let rule = match &constraint.rule {
        ConstraintRule::PrimaryKey { columns, include } => format!("primary key {columns:?} {include:?}"),
        ConstraintRule::Unique {
            columns,
            include,
            nulls_not_distinct,
        } => {
            format!(
                "unique {columns:?} {include:?}{}",
                if *nulls_not_distinct { " nulls not distinct" } else { "" }
            )
        }
        ConstraintRule::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            on_delete_columns,
            match_full,
        } => format!(
            "foreign key {columns:?} to {references} {referenced_columns:?} update {on_update:?} delete {on_delete:?} \
             {on_delete_columns:?}{}",
            if *match_full { " match full" } else { "" }
        ),
        ConstraintRule::Check {
            expression,
            columns,
            no_inherit,
        } => {
            format!(
                "check {expression} of {columns:?}{}",
                if *no_inherit { " no inherit" } else { "" }
            )
        }
        ConstraintRule::Exclude { definition, columns } => format!("exclude {definition} of {columns:?}"),
    };
    let mut text = format!("constraint {:?} {rule}", constraint.name);
    let flags = [
        (constraint.deferrable, " deferrable"),
        (constraint.initially_deferred, " deferred"),
        (!constraint.validated, " not valid"),
    ];
    text.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag));
    text + &constraint
        .comment
        .as_ref()
        .map(|comment| format!(", comment {comment}"))
        .unwrap_or_default()
}

fn index(index: &Index) -> String {
    let keys: Vec<_> = index.parts.iter().map(key).collect();
    let mut text = format!("index {} {} ({})", index.name, index.method, keys.join(", "));
    let flags = [
        (index.unique, " unique"),
        (index.primary, " primary"),
        (index.nulls_not_distinct, " nulls not distinct"),
        (!index.valid, " invalid"),
    ];
    text.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag));
    let mut property = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, " {name} {value}");
        }
    };
    property(
        "include",
        Some(index.include.join(", ")).filter(|list| !list.is_empty()),
    );
    property("where", index.predicate.clone());
    property("behind", index.constraint.as_ref().map(|name| format!("{name:?}")));
    property("with", pairs(&index.options));
    property("comment", index.comment.clone());
    text
}

fn key(key: &IndexKey) -> String {
    let mut text = key
        .column
        .clone()
        .or_else(|| key.expression.as_ref().map(|text| format!("<{text}>")))
        .unwrap_or_default();
    for part in [&key.operator_class, &key.collation].into_iter().flatten() {
        text = text + " " + part;
    }
    text + if key.descending { " desc" } else { "" } + if key.nulls_first { " nulls first" } else { "" }
}

pub fn user_type(user_type: &UserType) -> String {
    let kind = match &user_type.kind {
        TypeKind::Enum { values } => format!("enum {values:?}"),
        TypeKind::Domain {
            base,
            not_null,
            default,
            checks,
            collation,
        } => format!(
            "domain over {} not null {not_null} default {default:?} checks {checks:?} collation {:?}",
            data_type(base),
            collation.as_ref().map(ToString::to_string)
        ),
        TypeKind::Composite { attributes } => {
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(name, kind)| format!("{name} {}", data_type(kind)))
                .collect();
            format!("composite ({})", attributes.join(", "))
        }
        TypeKind::Other { definition } => definition.clone(),
    };
    let comment = user_type
        .comment
        .as_ref()
        .map(|comment| format!(", comment {comment}"))
        .unwrap_or_default();
    format!("{} {kind}{comment}", user_type.name)
}

pub fn dependents(dependents: &[Dependent]) -> String {
    let lines = dependents.iter().map(|dependent| {
        let member = dependent
            .member
            .as_ref()
            .map(|member| format!(".{member}"))
            .unwrap_or_default();
        let column = dependent
            .column
            .as_ref()
            .map(|column| format!(" (through {column})"))
            .unwrap_or_default();
        format!("{:?} {}{member}{column}", dependent.kind, dependent.name)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn grants(privileges: &[Privilege]) -> Option<String> {
    let list = privileges.iter().map(|privilege| {
        format!(
            "{}: {}{}",
            privilege.role,
            privilege.privileges.join(" "),
            if privilege.grantable { " grantable" } else { "" }
        )
    });
    Some(list.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
}

fn pairs(options: &[(String, String)]) -> Option<String> {
    let list: Vec<_> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(list.join(" ")).filter(|text| !text.is_empty())
}

fn join<T: ToString>(names: &[T]) -> Option<String> {
    let list: Vec<_> = names.iter().map(ToString::to_string).collect();
    Some(list.join(", ")).filter(|text| !text.is_empty())
}
