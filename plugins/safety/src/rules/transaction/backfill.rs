//! Statements that change rows of tables which may hold many of them.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, ObjectKind, ObjectName, Operation, Relation, RowChange};

use super::rows::{self, Facts, Reach};
use crate::size::{self, Size};
use crate::tokens::{self, Token};
use crate::transactions;

/// What such a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Updates,
    Deletes,
    /// INSERT … SELECT.
    Copies,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backfill<'a> {
    pub(super) step: Step<'a>,
    pub(super) verb: Verb,
    pub(super) table: &'a ObjectName,
    /// Never [`Reach::Few`].
    pub(super) reach: Reach,
    /// Of the table; of a copy, where that is not known to be large, nothing is known of what is read.
    pub(super) size: Size,
    /// It runs again and again in a DO block that never commits.
    pub(super) looped: bool,
    /// The table has rows of its own: nobody else can change them meanwhile.
    pub(super) in_use: bool,
    /// It writes a column that the migration has added.
    pub(super) fills_new_column: bool,
}

impl Backfill<'_> {
    /// `updates every row of users with 12,000 rows`
    pub(super) fn what(&self, context: &Context<'_>) -> String {
        let table = self.table.short();
        let rows = size::in_words(context, &self.step, self.table);
        let which = match self.reach {
            Reach::All => format!("every row of {table}{rows}"),
            Reach::Few | Reach::Named | Reach::Many => {
                format!("rows of {table}{rows} by a condition that may match many")
            }
        };
        match self.verb {
            Verb::Updates => format!("{} {which}", self.step.verb("updates", "update")),
            Verb::Deletes => format!("{} {which}", self.step.verb("deletes", "delete")),
            Verb::Copies => format!(
                "{} rows of a query into {table}{rows}",
                self.step.verb("copies", "copy")
            ),
        }
    }
}

/// All of them, in order. A statement that says the same of a table twice (MERGE) is there once.
pub(super) fn of<'a>(context: &Context<'a>) -> Vec<Backfill<'a>> {
    let mut found: Vec<Backfill<'a>> = Vec::new();
    for step in context.steps() {
        let (verb, change) = match &step.effect.operation {
            Operation::Update(change) => (Verb::Updates, change),
            Operation::Delete(change) => (Verb::Deletes, change),
            Operation::Insert(change) if change.filtered => (Verb::Copies, change),
            _ => continue,
        };
        let twice = found
            .last()
            .is_some_and(|last| last.step.effect.at == step.effect.at && last.table == &change.table);
        if !twice {
            found.extend(read(context, step, verb, change));
        }
    }
    found
}

fn read<'a>(context: &Context<'a>, step: Step<'a>, verb: Verb, change: &'a RowChange) -> Option<Backfill<'a>> {
    let text = context.migration.text();
    let in_use = context.may_hold_rows(&step, &change.table);
    if (!in_use && verb != Verb::Copies) || transactions::commits_itself(step.statement, text) {
        return None;
    }
    let size = size::of(context, &step, &change.table);
    if size == Size::Small && verb != Verb::Copies {
        return None;
    }
    let looped = is_in_loop(step, text);
    let reach = reach(context, &step, verb, change, looped);
    if reach == Reach::Few || (reach == Reach::Named && is_reference_data(context, change)) {
        return None;
    }
    let fills_new_column = !change.columns.is_empty()
        && change
            .columns
            .iter()
            .any(|column| context.is_new_column(&step, &ColumnName::new(change.table.clone(), column.clone())));
    Some(Backfill {
        step,
        verb,
        table: &change.table,
        reach,
        size: if size == Size::Small { Size::Middling } else { size },
        looped,
        in_use,
        fills_new_column,
    })
}

fn reach(context: &Context<'_>, step: &Step<'_>, verb: Verb, change: &RowChange, looped: bool) -> Reach {
    let relation = context.before_relation(step, &change.table);
    let relation = relation.as_deref();
    // Of a copy the rows that are read count, whose table the words tell.
    let keys = if verb == Verb::Copies {
        vec![vec!["id".to_owned()]]
    } else {
        keys(relation)
    };
    let varied = |column: &str| verb == Verb::Copies || is_varied(relation, column);
    let large = |name: &[String]| {
        let name = match name {
            [schema, name] => ObjectName::qualified(schema.as_str(), name.as_str()),
            [.., name] => ObjectName::bare(name.as_str()),
            [] => return false,
        };
        size::of(context, step, &name) != Size::Small
    };
    let facts = Facts {
        keys: &keys,
        varied: &varied,
        variables: step.effect.conditional && !looped,
        large: &large,
    };
    let text = step.effect.at.of(context.migration.text());
    let reach = match verb {
        Verb::Copies => rows::of_copy(text, &facts),
        _ if is_merge(text) => rows::of_copy(text, &facts),
        _ if !change.filtered => Reach::All,
        _ => rows::of_change(text, &facts),
    };
    if looped { reach.max(Reach::Many) } else { reach }
}

fn is_merge(text: &str) -> bool {
    let tokens = tokens::read(text);
    let found = tokens::at_top(&tokens).any(|(_, token)| token.is("merge"));
    found
}

/// Columns of primary key, unique constraints and unique indexes. Where nothing is known of the table, `id` is its key.
fn keys(relation: Option<&Relation>) -> Vec<Vec<String>> {
    let Some(relation) = relation else {
        return vec![vec!["id".to_owned()]];
    };
    let constraints = relation
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique))
        .map(|constraint| constraint.columns.clone());
    let indexes = relation
        .indexes
        .iter()
        .filter(|index| index.unique && index.predicate.is_none());
    let indexes = indexes.filter_map(|index| {
        let columns = index.key_columns()?;
        Some(columns.into_iter().map(str::to_owned).collect())
    });
    constraints.chain(indexes).collect()
}

/// Whether a column can hold so many values that one of them names few rows: not a flag, not an enum.
fn is_varied(relation: Option<&Relation>, column: &str) -> bool {
    const VARIED: [&str; 12] = [
        "text",
        "character",
        "citext",
        "uuid",
        "integer",
        "bigint",
        "smallint",
        "numeric",
        "date",
        "timestamp",
        "inet",
        "bytea",
    ];
    relation
        .and_then(|relation| relation.column(column))
        .is_none_or(|column| VARIED.iter().any(|name| column.data_type.starts_with(name)))
}

/// The migration also writes rows of the table out: what it changes by name is data that comes with the application.
fn is_reference_data(context: &Context<'_>, change: &RowChange) -> bool {
    context.steps().any(|step| match &step.effect.operation {
        Operation::Insert(rows) => !rows.filtered && context.same(ObjectKind::Table, &rows.table, &change.table),
        _ => false,
    })
}

/// The step stands in a loop of a DO block.
fn is_in_loop(step: Step<'_>, text: &str) -> bool {
    let statement = step.statement.span.of(text);
    if !step.effect.conditional || !statement.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("do")) {
        return false;
    }
    let place = step.effect.at.start.saturating_sub(step.statement.span.start) as usize;
    let tokens = tokens::read(statement);
    let Some((block, body)) = tokens.iter().find_map(|token| Some((token, token.body()?))) else {
        return false;
    };
    let body_start = block.start + (block.text.len() - body.len()) / 2;
    let words: Vec<Token<'_>> = tokens::read(body);
    let mut depth = 0_usize;
    let mut any = false;
    for (at, word) in words.iter().enumerate() {
        if place > 0 && body_start + word.start >= place {
            break;
        }
        if word.is("loop") {
            if at > 0 && words[at - 1].is("end") {
                depth = depth.saturating_sub(1);
            } else {
                depth += 1;
                any = true;
            }
        }
    }
    // Where the place is not known, any loop counts.
    if place == 0 { any } else { depth > 0 }
}
