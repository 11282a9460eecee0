//! Indexes that stand behind no constraint.

use std::fmt::Write as _;

use tollgate_sql::ObjectName;

use crate::model::{Index, IndexKey, Relation};
use crate::render::write::{identifier, identifiers, joined, parameters};

use super::{DIALECT, comment};

/// CREATE INDEX and its comment. Written from its parts: a kept definition may name what has been renamed since.
pub(super) fn index(relation: &Relation, index: &Index) -> Vec<String> {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let mut text = format!(
        "CREATE {unique}INDEX {} ON {} USING {} ({})",
        identifier(DIALECT, &index.name),
        relation.name.sql(DIALECT),
        identifier(DIALECT, &index.method),
        joined(&index.parts, |part| key(part, &index.method)),
    );
    if !index.include.is_empty() {
        let _ = write!(text, " INCLUDE ({})", identifiers(DIALECT, &index.include));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if !index.options.is_empty() {
        let _ = write!(text, " WITH ({})", parameters(&index.options));
    }
    if let Some(tablespace) = &index.tablespace {
        let _ = write!(text, " TABLESPACE {}", identifier(DIALECT, tablespace));
    }
    if let Some(predicate) = &index.predicate {
        let _ = write!(text, " WHERE {predicate}");
    }
    let mut statements = vec![text];
    statements.extend(index_comment(relation, index));
    statements
}

/// COMMENT ON INDEX.
pub(super) fn index_comment(relation: &Relation, index: &Index) -> Option<String> {
    let text = index.comment.as_ref()?;
    let name = ObjectName {
        schema: relation.name.schema.clone(),
        name: index.name.clone(),
    };
    Some(comment(&format!("INDEX {}", name.sql(DIALECT)), text))
}

/// One key. Operator class and collation are kept as SQL, schema and quotes included.
fn key(part: &IndexKey, method: &str) -> String {
    let mut text = match (&part.column, &part.expression) {
        (Some(column), _) => identifier(DIALECT, column),
        (None, Some(expression)) => format!("({expression})"),
        (None, None) => String::new(),
    };
    if let Some(collation) = &part.collation {
        let _ = write!(text, " COLLATE {}", collation_name(collation));
    }
    if let Some(class) = &part.operator_class {
        let _ = write!(text, " {class}");
    }
    // Only ordered access methods know directions.
    if method == "btree" {
        if part.descending {
            text.push_str(" DESC");
        }
        if part.nulls_first != part.descending {
            text.push_str(if part.nulls_first {
                " NULLS FIRST"
            } else {
                " NULLS LAST"
            });
        }
    }
    text
}

/// A collation's name; one that is quoted already stays as it is.
fn collation_name(name: &str) -> String {
    if name.contains('"') {
        name.to_owned()
    } else {
        identifier(DIALECT, name)
    }
}
