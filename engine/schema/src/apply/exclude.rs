//! What stands in an EXCLUDE constraint, which the operation keeps as text.

use crate::model::{Index, IndexKey, Relation};
use crate::names;
use crate::schema::Schema;
use crate::text::bare;

/// Names of all elements of an EXCLUDE constraint, as its index names them.
pub(super) fn exclude_columns(definition: &str, columns: &[String]) -> Vec<String> {
    let elements = exclude_elements(definition);
    if elements.is_empty() {
        return columns.to_vec();
    }
    let parts = elements.iter().map(|element| match element {
        Element::Column(name) => (Some(name.as_str()), None),
        Element::Expression(text) => (None, Some(text.as_str())),
    });
    names::index_columns(parts)
}

enum Element {
    Column(String),
    Expression(String),
}

/// What stands before each WITH in `USING gist (room WITH =, tsrange(a, b) WITH &&)`.
fn exclude_elements(definition: &str) -> Vec<Element> {
    let found = crate::text::tokens(tollgate_sql::Dialect::Postgres, definition);
    let Some(open) = found.iter().position(|token| token.is_symbol(definition, "(")) else {
        return Vec::new();
    };
    let mut depth = 0_usize;
    let mut start = open + 1;
    let mut elements = Vec::new();
    for at in open..found.len() {
        let token = &found[at];
        if token.is_symbol(definition, "(") {
            depth += 1;
        } else if token.is_symbol(definition, ")") {
            depth -= 1;
            if depth == 0 {
                break;
            }
        } else if depth == 1 && token.is_keyword("with") && start < at {
            let element = &found[start..at];
            let text = &definition[element[0].start..element[element.len() - 1].end];
            // A lone word is a column; a second one is its operator class.
            let plain = element.iter().all(|token| token.name().is_some());
            elements.push(match element[0].name() {
                Some(name) if plain => Element::Column(name.to_owned()),
                _ => Element::Expression(text.to_owned()),
            });
        } else if depth == 1 && token.is_symbol(definition, ",") {
            start = at + 1;
        }
    }
    elements
}

/// The index behind an EXCLUDE constraint.
pub(super) fn exclude_index(
    schema: &Schema,
    relation: &Relation,
    name: &str,
    definition: &str,
    columns: &[String],
) -> Index {
    let found = crate::text::tokens(schema.dialect(), definition);
    let method = match found.as_slice() {
        [using, method, ..] if using.is_keyword("using") => method.name().unwrap_or("btree").to_owned(),
        _ => "btree".to_owned(),
    };
    let elements = exclude_elements(definition);
    let mut index = Index::on_columns(name, if elements.is_empty() { columns } else { &[] });
    for element in elements {
        index.parts.push(match element {
            Element::Column(column) if relation.columns.iter().any(|known| known.name == column) => {
                IndexKey::column(&column)
            }
            Element::Column(text) | Element::Expression(text) => IndexKey {
                column: None,
                expression: Some(bare(&text).to_owned()),
                ..IndexKey::column("")
            },
        });
    }
    index.method = method;
    index.constraint = Some(name.to_owned());
    let condition = found
        .iter()
        .position(|token| token.is_keyword("where"))
        .and_then(|at| found.get(at + 1));
    index.predicate = condition.map(|start| bare(&definition[start.start..]).to_owned());
    index
}
