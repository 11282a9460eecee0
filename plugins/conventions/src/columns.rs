//! Every column that a migration declares or gives another type, with the place of its type in the script.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ColumnDefinition, ConstraintDefinition, Dialect, ObjectName, Operation, Span};

use crate::tokens::{Token, tokens};

/// One declaration.
pub(crate) struct Declared<'a> {
    /// What declares it.
    pub(crate) step: Step<'a>,
    /// Its table.
    pub(crate) table: &'a ObjectName,
    /// Its name.
    pub(crate) name: &'a str,
    /// Its type, as the server prints it.
    pub(crate) data_type: &'a str,
    /// The whole definition; `None` where only the type changes.
    pub(crate) definition: Option<&'a ColumnDefinition>,
    /// Constraints written in the same clause, of the column and of others.
    pub(crate) constraints: &'a [ConstraintDefinition],
    /// Where to point: the declaration, or the clause.
    pub(crate) at: Span,
    /// The type, where it could be found.
    pub(crate) type_at: Option<Span>,
}

impl Declared<'_> {
    /// `table.column`, for messages.
    pub(crate) fn shown(&self) -> String {
        format!("{}.{}", self.table.short(), self.name)
    }

    /// Declared as smallserial, serial or bigserial.
    pub(crate) fn is_serial(&self) -> bool {
        self.definition.is_some_and(|definition| definition.serial)
    }
}

/// All declarations in permanent tables, in the order of the script.
pub(crate) fn declared<'a>(context: &Context<'a>) -> Vec<Declared<'a>> {
    let mut found = Vec::new();
    for step in context.steps() {
        match &step.effect.operation {
            Operation::CreateTable(created) if !created.temporary => {
                let places = places(context, &step);
                for column in &created.columns {
                    let place = places.iter().find(|place| place.name == column.name);
                    found.push(Declared {
                        step,
                        table: &created.name,
                        name: &column.name,
                        data_type: &column.data_type,
                        definition: Some(column),
                        constraints: &created.constraints,
                        at: place.map_or(step.effect.at, |place| place.at),
                        type_at: place.and_then(|place| place.type_at),
                    });
                }
            }
            Operation::AddColumn(added) => found.push(Declared {
                step,
                table: &added.table,
                name: &added.column.name,
                data_type: &added.column.data_type,
                definition: Some(&added.column),
                constraints: &added.constraints,
                at: step.effect.at,
                type_at: type_of_clause(context, &step, &added.column.name),
            }),
            Operation::AlterColumnType(change) => found.push(Declared {
                step,
                table: &change.column.table,
                name: &change.column.column,
                data_type: &change.to,
                definition: None,
                constraints: &[],
                at: step.effect.at,
                type_at: type_of_change(context, &step),
            }),
            _ => {}
        }
    }
    found
}

/// Where a column stands in CREATE TABLE.
struct Place {
    name: String,
    at: Span,
    type_at: Option<Span>,
}

/// The elements between the outer brackets of CREATE TABLE that begin with a name.
fn places(context: &Context<'_>, step: &Step<'_>) -> Vec<Place> {
    let text = context.migration.text();
    let found = tokens(text, step.effect.at, context.dialect());
    let Some(open) = found.iter().position(|token| token.is("(")) else {
        return Vec::new();
    };
    let mut places = Vec::new();
    for element in elements(&found[open + 1..]) {
        let [name, rest @ ..] = element else { continue };
        let Some(last) = element.last() else { continue };
        if let Some(folded) = name.name(context.dialect()) {
            places.push(Place {
                name: folded,
                at: Span {
                    start: name.at.start,
                    end: last.at.end,
                },
                type_at: type_at(rest),
            });
        }
    }
    places
}

/// Splits at the commas outside of brackets, up to the bracket that closes.
fn elements<'s, 't>(tokens: &'s [Token<'t>]) -> Vec<&'s [Token<'t>]> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") && depth == 0 {
            found.push(&tokens[start..at]);
            break;
        } else if token.is(")") {
            depth -= 1;
        } else if token.is(",") && depth == 0 {
            found.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    found
}

/// The type in `ADD [COLUMN] [IF NOT EXISTS] name type …`.
fn type_of_clause(context: &Context<'_>, step: &Step<'_>, column: &str) -> Option<Span> {
    let text = context.migration.text();
    let found = tokens(text, step.effect.at, context.dialect());
    // The name may itself be a keyword: the first that fits behind ADD is meant, unless another follows IF NOT EXISTS.
    let named = |token: &Token<'_>| token.name(context.dialect()).as_deref() == Some(column);
    let mut from = found.iter().position(|token| token.is_word("add"))? + 1;
    if found.get(from)?.is_word("column") {
        from += 1;
    }
    if found.get(from)?.is_word("if") && found.get(from + 1)?.is_word("not") {
        from += 3;
    }
    found.get(from).filter(|token| named(token))?;
    type_at(found.get(from + 1..)?)
}

/// The type in `ALTER [COLUMN] name [SET DATA] TYPE type …`.
fn type_of_change(context: &Context<'_>, step: &Step<'_>) -> Option<Span> {
    let text = context.migration.text();
    let found = tokens(text, step.effect.at, context.dialect());
    let mut from = found.iter().position(|token| token.is_word("alter"))? + 1;
    if found.get(from)?.is_word("column") {
        from += 1;
    }
    // The column may have the name of any of these words.
    from += 1;
    if found.get(from)?.is_word("set") {
        from += 2;
    }
    found.get(from).filter(|token| token.is_word("type"))?;
    type_at(found.get(from + 1..)?)
}

/// Words that end a type.
const AFTER_TYPE: [&str; 17] = [
    "not",
    "null",
    "default",
    "primary",
    "unique",
    "references",
    "check",
    "collate",
    "generated",
    "constraint",
    "storage",
    "compression",
    "deferrable",
    "initially",
    "using",
    "autoincrement",
    "as",
];

/// The type at the start of what follows a column's name.
fn type_at(tokens: &[Token<'_>]) -> Option<Span> {
    let length = tokens
        .iter()
        .position(|token| AFTER_TYPE.iter().any(|word| token.is_word(word)) || token.is(";"))
        .unwrap_or(tokens.len());
    match &tokens[..length] {
        [] => None,
        [first, ..] => Some(Span {
            start: first.at.start,
            end: tokens[length - 1].at.end,
        }),
    }
}

/// The first place in a span where a name stands, for names that the script writes.
pub(crate) fn name_at(context: &Context<'_>, within: Span, name: &str) -> Option<Span> {
    let text = context.migration.text();
    let postgres = context.dialect() == Dialect::Postgres;
    tokens(text, within, context.dialect())
        .iter()
        .find(|token| {
            token.name(context.dialect()).is_some_and(|found| {
                if postgres {
                    found == name
                } else {
                    found.eq_ignore_ascii_case(name)
                }
            })
        })
        .map(|token| token.at)
}
