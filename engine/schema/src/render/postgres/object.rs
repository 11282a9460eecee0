//! Types, sequences, functions, triggers, policies, extensions.

use std::fmt::Write as _;

use tollgate_sql::operation::ObjectKind;

use crate::model::{Function, PolicyModel, Relation, Sequence, Trigger, TypeKind, UserType};
use crate::render::write::{data_type, identifier, joined, literal, role};

use super::{DIALECT, alter, comment, privilege, statement};

/// A user-defined type with its comment and owner.
pub(super) fn user_type(found: &UserType) -> Vec<String> {
    let name = found.name.sql(DIALECT);
    let (word, create) = match &found.kind {
        TypeKind::Enum { values } => (
            "TYPE",
            format!(
                "CREATE TYPE {name} AS ENUM ({})",
                joined(values, |value| literal(value))
            ),
        ),
        TypeKind::Composite { attributes } => {
            let attributes = joined(attributes, |(name, kind)| {
                format!("{} {}", identifier(DIALECT, name), data_type(kind))
            });
            ("TYPE", format!("CREATE TYPE {name} AS ({attributes})"))
        }
        TypeKind::Domain {
            base,
            not_null,
            default,
            checks,
            collation,
        } => {
            let mut text = format!("CREATE DOMAIN {name} AS {}", data_type(base));
            if let Some(collation) = collation {
                let _ = write!(text, " COLLATE {}", collation.sql(DIALECT));
            }
            if let Some(default) = default {
                let _ = write!(text, " DEFAULT {default}");
            }
            if *not_null {
                text.push_str(" NOT NULL");
            }
            for (check, expression) in checks {
                let _ = write!(text, " CONSTRAINT {} CHECK ({expression})", identifier(DIALECT, check));
            }
            ("DOMAIN", text)
        }
        TypeKind::Other { definition } => ("TYPE", statement(definition)),
    };
    let mut statements = vec![create];
    statements.extend(
        found
            .comment
            .as_ref()
            .map(|text| comment(&format!("{word} {name}"), text)),
    );
    statements.extend(privilege::owner_of(word, &found.name, found.owner.as_ref()));
    statements
}

/// A sequence that stands alone, with its owner column, position and comment.
pub(super) fn sequence(sequence: &Sequence) -> Vec<String> {
    let name = sequence.name.sql(DIALECT);
    let mut statements = vec![create_sequence(sequence)];
    if let Some((table, column)) = &sequence.owned_by {
        let owner = format!("{}.{}", table.sql(DIALECT), identifier(DIALECT, column));
        statements.push(format!("ALTER SEQUENCE {name} OWNED BY {owner}"));
    }
    statements.extend(position(sequence));
    statements.extend(sequence_comment(sequence));
    statements
}

/// COMMENT ON SEQUENCE.
pub(super) fn sequence_comment(sequence: &Sequence) -> Option<String> {
    let text = sequence.comment.as_ref()?;
    Some(comment(&format!("SEQUENCE {}", sequence.name.sql(DIALECT)), text))
}

/// CREATE SEQUENCE alone.
pub(super) fn create_sequence(sequence: &Sequence) -> String {
    let kind = if sequence.data_type == "bigint" {
        String::new()
    } else {
        format!(" AS {}", sequence.data_type)
    };
    let options = sequence_options(&sequence.options);
    let options = if options.is_empty() {
        String::new()
    } else {
        format!(" {}", options.join(" "))
    };
    format!("CREATE SEQUENCE {}{kind}{options}", sequence.name.sql(DIALECT))
}

/// The position it had, so that values already handed out do not come again.
pub(super) fn position(sequence: &Sequence) -> Option<String> {
    let last = sequence.last_value?;
    Some(format!(
        "SELECT pg_catalog.setval({}, {last}, true)",
        literal(&sequence.name.sql(DIALECT))
    ))
}

/// Options of a sequence, each as SQL. What is no option of a sequence itself is left out.
pub(super) fn sequence_options(options: &[(String, String)]) -> Vec<String> {
    let write = |(name, value): &(String, String)| {
        let none = value.is_empty() || value.eq_ignore_ascii_case("none");
        Some(match name.as_str() {
            "increment" => format!("INCREMENT BY {value}"),
            "start" => format!("START WITH {value}"),
            "cache" => format!("CACHE {value}"),
            "minvalue" | "maxvalue" if none => format!("NO {}", name.to_uppercase()),
            "minvalue" | "maxvalue" => format!("{} {value}", name.to_uppercase()),
            "cycle" => if value == "false" { "NO CYCLE" } else { "CYCLE" }.to_owned(),
            _ => return None,
        })
    };
    options.iter().filter_map(write).collect()
}

/// One overload with its comment and privileges.
pub(super) fn function(function: &Function) -> Vec<String> {
    let word = match function.kind {
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Aggregate => "AGGREGATE",
        _ => "FUNCTION",
    };
    let signature = format!("{}({})", function.name.sql(DIALECT), function.arguments.join(", "));
    let mut statements = vec![statement(&function.definition)];
    statements.extend(
        function
            .comment
            .as_ref()
            .map(|text| comment(&format!("{word} {signature}"), text)),
    );
    // GRANT knows aggregates as functions.
    let granted = if function.kind == ObjectKind::Procedure {
        "PROCEDURE"
    } else {
        "FUNCTION"
    };
    let on = format!("{granted} {signature}");
    statements.extend(function.grants.iter().map(|grant| privilege::grant(&on, grant)));
    statements
}

/// A trigger, its state and its comment.
pub(super) fn trigger(relation: &Relation, trigger: &Trigger) -> Vec<String> {
    let name = identifier(DIALECT, &trigger.name);
    let mut statements = vec![statement(&trigger.definition)];
    if !trigger.enabled {
        statements.push(format!(
            "ALTER TABLE {} DISABLE TRIGGER {name}",
            relation.name.sql(DIALECT)
        ));
    }
    let on = format!("TRIGGER {name} ON {}", relation.name.sql(DIALECT));
    statements.extend(trigger.comment.as_ref().map(|text| comment(&on, text)));
    statements
}

/// A row-level security policy and its comment.
pub(super) fn policy(relation: &Relation, policy: &PolicyModel) -> Vec<String> {
    let name = identifier(DIALECT, &policy.name);
    let mut text = format!("CREATE POLICY {name} ON {}", relation.name.sql(DIALECT));
    if !policy.permissive {
        text.push_str(" AS RESTRICTIVE");
    }
    if policy.command != "all" {
        let _ = write!(text, " FOR {}", policy.command.to_uppercase());
    }
    if !policy.roles.is_empty() && policy.roles != ["public"] {
        let _ = write!(text, " TO {}", joined(&policy.roles, |name| role(name)));
    }
    if let Some(using) = &policy.using {
        let _ = write!(text, " USING ({using})");
    }
    if let Some(check) = &policy.check {
        let _ = write!(text, " WITH CHECK ({check})");
    }
    let mut statements = vec![text];
    let on = format!("POLICY {name} ON {}", relation.name.sql(DIALECT));
    statements.extend(policy.comment.as_ref().map(|text| comment(&on, text)));
    statements
}

/// CREATE EXTENSION.
pub(super) fn extension(name: &str, home: &str) -> String {
    format!(
        "CREATE EXTENSION {} WITH SCHEMA {}",
        identifier(DIALECT, name),
        identifier(DIALECT, home)
    )
}

/// ENABLE and FORCE ROW LEVEL SECURITY.
pub(super) fn row_security(relation: &Relation) -> Vec<String> {
    let mut statements = Vec::new();
    if relation.row_security {
        statements.push(format!("{} ENABLE ROW LEVEL SECURITY", alter(relation)));
    }
    if relation.force_row_security {
        statements.push(format!("{} FORCE ROW LEVEL SECURITY", alter(relation)));
    }
    statements
}
