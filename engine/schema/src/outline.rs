//! A schema as a few lines of text: for tests and for people who want to see at a glance what is there.

use std::fmt::Write as _;

use tollgate_sql::Dialect;
use tollgate_sql::operation::{Identity, ReferentialAction};

use crate::base::BaseError;
use crate::model::{Column, Constraint, ConstraintRule, Function, Index, Relation, Sequence, TypeKind, UserType};
use crate::schema::Schema;

impl Schema {
    /// Everything the schema knows, one line an object or part, ordered by name.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn outline(&self) -> Result<String, BaseError> {
        let mut text = String::new();
        for name in self.schemas()?.iter().filter(|name| *name != "public") {
            line(&mut text, &format!("schema {name}"));
        }
        for (name, schema) in self.extensions()? {
            line(&mut text, &format!("extension {name} in {schema}"));
        }
        for name in self.type_names()? {
            if let Some(found) = self.user_type(&name)? {
                line(&mut text, &type_line(&found));
            }
        }
        for name in self.sequence_names()? {
            if let Some(found) = self.sequence(&name)? {
                line(&mut text, &sequence_line(&found));
            }
        }
        for name in self.relations()? {
            if let Some(found) = self.relation(&name)? {
                text.push_str(&relation_lines(self.dialect(), &found));
            }
        }
        for name in self.function_names()? {
            for function in self.functions(&name)? {
                line(&mut text, &function_line(&function));
            }
        }
        Ok(text)
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn type_line(found: &UserType) -> String {
    let what = match &found.kind {
        TypeKind::Enum { values } => format!("enum ({})", values.join(", ")),
        TypeKind::Domain {
            base,
            not_null,
            default,
            checks,
            ..
        } => {
            let mut what = format!("domain {}", base.sql(Dialect::Postgres));
            if *not_null {
                what.push_str(" not null");
            }
            if let Some(default) = default {
                let _ = write!(what, " default {default}");
            }
            for (name, check) in checks {
                let _ = write!(what, " check {name} ({check})");
            }
            what
        }
        TypeKind::Composite { attributes } => {
            let parts: Vec<_> = attributes
                .iter()
                .map(|(name, of)| format!("{name} {}", of.sql(Dialect::Postgres)))
                .collect();
            format!("composite ({})", parts.join(", "))
        }
        TypeKind::Other { .. } => "other".to_owned(),
    };
    format!(
        "type {} {what}{}{}",
        found.name,
        comment(found.comment.as_ref()),
        mark(found.uncertain)
    )
}

fn sequence_line(sequence: &Sequence) -> String {
    let mut text = format!("sequence {} {}", sequence.name, sequence.data_type);
    for (option, value) in &sequence.options {
        let _ = write!(text, " {option}={value}");
    }
    if let Some((table, column)) = &sequence.owned_by {
        let _ = write!(
            text,
            " of {table}.{column}{}",
            if sequence.identity { " identity" } else { "" }
        );
    }
    text + &comment(sequence.comment.as_ref())
}

fn function_line(function: &Function) -> String {
    let returns = function
        .returns
        .as_ref()
        .map(|returns| format!(" -> {returns}"))
        .unwrap_or_default();
    format!(
        "function {}({}){returns}{}",
        function.name,
        function.arguments.join(", "),
        comment(function.comment.as_ref())
    )
}

fn relation_lines(dialect: Dialect, relation: &Relation) -> String {
    let mut text = String::new();
    let mut head = format!("{} {}", kind_word(relation), relation.name);
    if let Some((parent, bound)) = &relation.partition_of {
        let _ = write!(head, " partition of {parent} {bound}");
    }
    if let Some(key) = &relation.partition_key {
        let _ = write!(head, " by {key}");
    }
    for parent in &relation.inherits {
        let _ = write!(head, " inherits {parent}");
    }
    for read in &relation.reads {
        let _ = write!(head, " reads {read}");
    }
    if relation.row_security {
        head.push_str(" rls");
    }
    for grant in &relation.grants {
        let option = if grant.grantable { "+" } else { "" };
        let _ = write!(head, " {}{option}={}", grant.role, grant.privileges.join(","));
    }
    line(
        &mut text,
        &(head + &comment(relation.comment.as_ref()) + mark(relation.uncertain)),
    );
    for column in &relation.columns {
        line(&mut text, &format!("  {}", column_line(dialect, column)));
    }
    for constraint in &relation.constraints {
        line(&mut text, &format!("  {}", constraint_line(constraint)));
    }
    for index in &relation.indexes {
        line(&mut text, &format!("  {}", index_line(index)));
    }
    for trigger in &relation.triggers {
        let function = trigger
            .function
            .as_ref()
            .map(|function| format!(" calls {function}"))
            .unwrap_or_default();
        line(
            &mut text,
            &format!(
                "  trigger {}{function}{}",
                trigger.name,
                if trigger.enabled { "" } else { " disabled" }
            ),
        );
    }
    for policy in &relation.policies {
        line(
            &mut text,
            &format!(
                "  policy {} {} to {}",
                policy.name,
                policy.command,
                policy.roles.join(",")
            ),
        );
    }
    for (rule, _) in &relation.rules {
        line(&mut text, &format!("  rule {rule}"));
    }
    text
}

fn kind_word(relation: &Relation) -> &'static str {
    use crate::model::RelationKind as Kind;
    match relation.kind {
        Kind::Table => "table",
        Kind::PartitionedTable => "partitioned table",
        Kind::View => "view",
        Kind::MaterializedView => "materialized view",
        Kind::ForeignTable => "foreign table",
    }
}

fn column_line(dialect: Dialect, column: &Column) -> String {
    let mut text = format!("{} {}", column.name, column.data_type.sql(dialect));
    if column.not_null {
        text.push_str(" not null");
    }
    if let Some(default) = &column.default {
        let _ = write!(text, " default {default}");
    }
    if let Some((expression, stored)) = &column.generated {
        let _ = write!(
            text,
            " generated ({expression}){}",
            if *stored { " stored" } else { "" }
        );
    }
    match column.identity {
        Some(Identity::Always) => text.push_str(" identity always"),
        Some(Identity::ByDefault) => text.push_str(" identity by default"),
        Some(Identity::Autoincrement) => text.push_str(" autoincrement"),
        None => {}
    }
    if let Some(sequence) = &column.sequence {
        let _ = write!(text, " from {sequence}");
    }
    if let Some(collation) = &column.collation {
        let _ = write!(text, " collate {collation}");
    }
    for (option, value) in &column.options {
        let _ = write!(text, " {option}={value}");
    }
    text + &comment(column.comment.as_ref())
}

fn constraint_line(constraint: &Constraint) -> String {
    let list = |columns: &[String]| columns.join(", ");
    let including = |columns: &[String]| {
        if columns.is_empty() {
            String::new()
        } else {
            format!(" include ({})", columns.join(", "))
        }
    };
    let what = match &constraint.rule {
        ConstraintRule::PrimaryKey { columns, include } => {
            format!("primary key ({}){}", list(columns), including(include))
        }
        ConstraintRule::Unique {
            columns,
            include,
            nulls_not_distinct,
        } => {
            let nulls = if *nulls_not_distinct { " nulls not distinct" } else { "" };
            format!("unique ({}){}{nulls}", list(columns), including(include))
        }
        ConstraintRule::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            ..
        } => {
            let mut what = format!(
                "foreign key ({}) -> {references} ({})",
                list(columns),
                list(referenced_columns)
            );
            for (word, action) in [("update", on_update), ("delete", on_delete)] {
                if *action != ReferentialAction::NoAction {
                    let _ = write!(what, " on {word} {action:?}");
                }
            }
            what
        }
        ConstraintRule::Check { expression, .. } => format!("check ({expression})"),
        ConstraintRule::Exclude { definition, .. } => format!("exclude {definition}"),
    };
    let deferrable = match (constraint.deferrable, constraint.initially_deferred) {
        (_, true) => " deferred",
        (true, false) => " deferrable",
        _ => "",
    };
    let valid = if constraint.validated { "" } else { " not valid" };
    format!(
        "constraint {} {what}{deferrable}{valid}{}",
        constraint.name,
        comment(constraint.comment.as_ref())
    )
}

fn index_line(index: &Index) -> String {
    let part = |part: &crate::model::IndexKey| {
        let mut text = part
            .column
            .clone()
            .or_else(|| part.expression.as_ref().map(|text| format!("({text})")))
            .unwrap_or_default();
        if let Some(class) = &part.operator_class {
            let _ = write!(text, " {class}");
        }
        if let Some(collation) = &part.collation {
            let _ = write!(text, " collate {collation}");
        }
        if part.descending {
            text.push_str(" desc");
        }
        if part.nulls_first != part.descending {
            text.push_str(if part.nulls_first {
                " nulls first"
            } else {
                " nulls last"
            });
        }
        text
    };
    let parts: Vec<_> = index.parts.iter().map(part).collect();
    let mut text = format!(
        "{}index {} ({})",
        if index.unique { "unique " } else { "" },
        index.name,
        parts.join(", ")
    );
    if index.method != "btree" {
        let _ = write!(text, " using {}", index.method);
    }
    if !index.include.is_empty() {
        let _ = write!(text, " include ({})", index.include.join(", "));
    }
    if let Some(predicate) = &index.predicate {
        let _ = write!(text, " where {predicate}");
    }
    if index.constraint.is_some() {
        text.push_str(" of constraint");
    }
    if !index.valid {
        text.push_str(" invalid");
    }
    text + &comment(index.comment.as_ref())
}

fn comment(text: Option<&String>) -> String {
    text.map(|text| format!(" # {text}")).unwrap_or_default()
}

fn mark(uncertain: bool) -> &'static str {
    if uncertain { " (uncertain)" } else { "" }
}
