//! Statements that change rows of tables which may hold many of them.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, ObjectKind, ObjectName, Operation, Relation};

use super::routine;
use super::rows::{self, Facts, Reach};
use crate::size::{self, Size};
use crate::tokens::{self, Kind, Token};
use crate::transactions::{self, Transactions};

/// What such a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Updates,
    Deletes,
    /// INSERT … SELECT.
    Copies,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Backfill<'a> {
    pub(super) step: Step<'a>,
    pub(super) verb: Verb,
    pub(super) table: ObjectName,
    /// The function of the same migration that does it.
    pub(super) through: Option<String>,
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
        let rows = size::in_words(context, &self.step, &self.table);
        let which = match self.reach {
            Reach::Batch => format!("another batch of {table}{rows}"),
            Reach::All => format!("every row of {table}{rows}"),
            Reach::Few | Reach::Named | Reach::Many => {
                format!("rows of {table}{rows} by a condition that may match many")
            }
        };
        let which = if self.verb == Verb::Copies {
            format!("rows of a query into {table}{rows}")
        } else {
            which
        };
        let (third_person, infinitive) = match self.verb {
            Verb::Updates => ("updates", "update"),
            Verb::Deletes => ("deletes", "delete"),
            Verb::Copies => ("copies", "copy"),
        };
        match &self.through {
            Some(function) => format!("calls {function}, which {third_person} {which}"),
            None => format!("{} {which}", self.step.verb(third_person, infinitive)),
        }
    }
}

/// All of them, in order. A statement that says the same of a table twice (MERGE) is there once.
pub(super) fn of<'a>(context: &Context<'a>) -> Vec<Backfill<'a>> {
    let mut found: Vec<Backfill<'a>> = Vec::new();
    let text = context.migration.text();
    for step in context.steps() {
        let (verb, change) = match &step.effect.operation {
            Operation::Update(change) => (Verb::Updates, change),
            Operation::Delete(change) => (Verb::Deletes, change),
            // One row at a time is a copy, too, when it goes on and on.
            Operation::Insert(change) if change.filtered || is_in_loop(step, text) => (Verb::Copies, change),
            Operation::CreateTable(made) if made.from_query => {
                found.extend(read(context, step, &from_query(&step, &made.name, text)));
                continue;
            }
            Operation::Dynamic(call) => {
                routine::called(context, &step, call, &mut |rows| {
                    found.extend(read(context, step, rows));
                });
                continue;
            }
            _ => continue,
        };
        let twice = found
            .last()
            .is_some_and(|last| last.step.effect.at == step.effect.at && last.table == change.table);
        if twice || transactions::commits_itself(step.statement, text) {
            continue;
        }
        let looped = is_in_loop(step, text);
        let rows = Rows {
            verb,
            table: change.table.clone(),
            columns: change.columns.clone(),
            filtered: change.filtered,
            text: step.effect.at.of(text),
            looped,
            variables: step.effect.conditional && !looped,
            through: None,
        };
        found.extend(read(context, step, &rows));
    }
    without_single_batches(context, found)
}

/// One batch is what a batch shall be. The second one in the same transaction is not: the first stays locked.
fn without_single_batches<'a>(context: &Context<'a>, mut found: Vec<Backfill<'a>>) -> Vec<Backfill<'a>> {
    if found.iter().all(|one| one.reach != Reach::Batch) {
        return found;
    }
    let transactions = Transactions::of(context);
    let batches: Vec<Backfill<'a>> = found.iter().filter(|one| one.reach == Reach::Batch).cloned().collect();
    let earlier = |one: &Backfill<'_>| {
        let same = batches.iter().filter(|other| {
            other.step.statement.index < one.step.statement.index
                && context.same(ObjectKind::Table, &other.table, &one.table)
                && transactions.are_together(other.step.statement, one.step.statement)
        });
        same.count()
    };
    found.retain(|one| one.reach != Reach::Batch || earlier(one) == 1);
    found
}

/// CREATE TABLE … AS query: the query is what takes time.
fn from_query<'t>(step: &Step<'_>, table: &ObjectName, text: &'t str) -> Rows<'t> {
    let clause = step.effect.at.of(text);
    let query = tokens::read(clause)
        .iter()
        .find(|token| token.is("as"))
        .map_or(0, Token::end);
    Rows {
        verb: Verb::Copies,
        table: table.clone(),
        columns: Vec::new(),
        filtered: true,
        text: &clause[query..],
        looped: false,
        variables: false,
        through: None,
    }
}

/// A statement that changes rows, before anything is known of them.
#[derive(Debug)]
pub(super) struct Rows<'t> {
    pub(super) verb: Verb,
    pub(super) table: ObjectName,
    pub(super) columns: Vec<String>,
    pub(super) filtered: bool,
    pub(super) text: &'t str,
    pub(super) looped: bool,
    /// Words of it may be variables.
    pub(super) variables: bool,
    pub(super) through: Option<String>,
}

fn read<'a>(context: &Context<'a>, step: Step<'a>, rows: &Rows<'_>) -> Option<Backfill<'a>> {
    // Rows that the migration itself has put into a table of its own are nobody else's yet.
    let is_new = context.is_new(&step, ObjectKind::Table, &rows.table);
    let in_use = !is_new && context.may_hold_rows(&step, &rows.table);
    if !in_use && rows.verb != Verb::Copies {
        return None;
    }
    let size = size::of(context, &step, &rows.table);
    if size == Size::Small && rows.verb != Verb::Copies {
        return None;
    }
    let reach = reach(context, &step, rows);
    if reach == Reach::Few || (reach == Reach::Named && is_reference_data(context, &rows.table)) {
        return None;
    }
    let is_added = |column: &String| context.is_new_column(&step, &ColumnName::new(rows.table.clone(), column.clone()));
    Some(Backfill {
        step,
        verb: rows.verb,
        table: rows.table.clone(),
        through: rows.through.clone(),
        reach,
        size: if size == Size::Small { Size::Middling } else { size },
        looped: rows.looped,
        in_use,
        fills_new_column: rows.columns.iter().any(is_added),
    })
}

fn reach(context: &Context<'_>, step: &Step<'_>, rows: &Rows<'_>) -> Reach {
    let relation = context.before_relation(step, &rows.table);
    let relation = relation.as_deref();
    let copies = rows.verb == Verb::Copies;
    // Of a copy the rows that are read count, whose table the words tell.
    let keys = if copies {
        vec![vec!["id".to_owned()]]
    } else {
        keys(relation)
    };
    let varied = |column: &str| copies || is_varied(relation, column);
    let large = |name: &[String]| {
        let name = match name {
            [schema, name] => ObjectName::qualified(schema.as_str(), name.as_str()),
            [.., name] => ObjectName::bare(name.as_str()),
            [] => return false,
        };
        if context.is_new(step, ObjectKind::Table, &name) {
            return is_filled_by_query(context, step, &name);
        }
        size::of(context, step, &name) != Size::Small
    };
    let facts = Facts {
        keys: &keys,
        varied: &varied,
        variables: rows.variables,
        large: &large,
    };
    let reach = if copies || is_merge(rows.text) {
        rows::of_copy(rows.text, &facts)
    } else if rows.filtered {
        rows::of_change(rows.text, &facts)
    } else {
        Reach::All
    };
    if rows.looped { reach.max(Reach::Many) } else { reach }
}

/// A table of the migration's own holds the rows of a query, of which nobody knows how many there are.
fn is_filled_by_query(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::CreateTable(made) => made.from_query && context.same(ObjectKind::Table, &made.name, table),
            Operation::Insert(rows) => rows.filtered && context.same(ObjectKind::Table, &rows.table, table),
            _ => false,
        })
}

fn is_merge(text: &str) -> bool {
    const WORD: &[u8] = b"merge";
    // A look at the letters is enough for nearly all.
    let mut places = text.as_bytes().windows(WORD.len());
    if !places.any(|letters| letters.eq_ignore_ascii_case(WORD)) {
        return false;
    }
    let tokens = tokens::read(text);
    tokens::until(&tokens, |token| token.is("merge")).len() < tokens.len()
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
fn is_reference_data(context: &Context<'_>, table: &ObjectName) -> bool {
    context.steps().any(|step| match &step.effect.operation {
        Operation::Insert(rows) => !rows.filtered && context.same(ObjectKind::Table, &rows.table, table),
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
    // Of each open loop: whether it may go on and on.
    let mut open: Vec<bool> = Vec::new();
    let mut any = false;
    for (at, word) in words.iter().enumerate() {
        if place > 0 && body_start + word.start >= place {
            break;
        }
        if word.is("loop") {
            if at > 0 && words[at - 1].is("end") {
                open.pop();
            } else {
                let long = !has_few_rounds(&words[..at]);
                any |= long;
                open.push(long);
            }
        }
    }
    // Where the place is not known, any loop counts.
    if place == 0 { any } else { open.contains(&true) }
}

/// What stands before LOOP counts to a small number, or goes over values that are written out.
fn has_few_rounds(before: &[Token<'_>]) -> bool {
    const ROUNDS: u64 = 1_000;
    let starts = |token: &Token<'_>| token.is("for") || token.is("foreach");
    let Some(start) = before.iter().rposition(|token| starts(token) || token.is_symbol(";")) else {
        return false;
    };
    let head = &before[start..];
    let Some(over) = head.iter().position(|token| token.is("in")) else {
        return false;
    };
    let over = &head[over + 1..];
    if head[0].is("foreach") {
        return over.iter().all(|token| {
            matches!(token.kind, Kind::Literal | Kind::Number)
                || token.is("array")
                || ["[", "]", ",", "::", "(", ")"].contains(&token.text)
                || token.is("text")
        });
    }
    match over {
        [range] => range.text.split_once("..").is_some_and(|(from, upto)| {
            let ends = (from.parse::<u64>(), upto.parse::<u64>());
            matches!(ends, (Ok(from), Ok(upto)) if upto.saturating_sub(from) < ROUNDS)
        }),
        _ => false,
    }
}
