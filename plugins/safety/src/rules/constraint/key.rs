//! Keys whose index is built under the lock that adds them: what the rules for unique constraints and primary keys share.

use tollgate_plugin::rules::{Context, Findings, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, Edit, ObjectKind, ObjectName, Span, Suggestion};

use super::{Added, With, added_to_tables};
use crate::sql;
use crate::tables::{Busy, busy};
use crate::transactions::Transactions;

/// Reports keys of a kind that are added to tables in use, without an index that is there already.
pub(super) fn check(context: &Context<'_>, findings: &mut Findings<'_>, kind: ConstraintKind) {
    let transactions = Transactions::of(context);
    for (step, added) in added_to_tables(context, kind) {
        if added.definition.using_index.is_some() {
            continue;
        }
        let Some(table) = busy(context, &step, added.table) else {
            continue;
        };
        let verb = step.verb("builds", "build");
        let message = format!(
            "{verb} the index of {} on {}, while nobody can use it",
            shown(&added),
            table.shown()
        );
        let finding = findings.report(&step, message).severity(table.severity());
        if table.is_partitioned() {
            finding
                .help("add it to ONLY the parent, give it to each partition USING an index built CONCURRENTLY, and attach those indexes");
            continue;
        }
        finding.help(if kind == ConstraintKind::PrimaryKey {
            "build a unique index CONCURRENTLY over columns that are NOT NULL, then add the key USING INDEX"
        } else {
            "build a unique index CONCURRENTLY, then add the constraint USING INDEX"
        });
        let inside = transactions.is_fixed(step.statement);
        if !inside && !step.effect.conditional && matches!(added.with, With::Itself) {
            finding.suggestions.extend(suggestion(context, &step, &added, &table));
        }
    }
}

fn shown(added: &Added<'_>) -> String {
    let columns = added.definition.columns.join(", ");
    match (&added.definition.name, added.definition.kind) {
        (_, ConstraintKind::PrimaryKey) => format!("the primary key ({columns})"),
        (Some(name), kind) => format!("the {kind} {name}"),
        (None, kind) => format!("a {kind} ({columns})"),
    }
}

/// Builds the index in a statement above, and adds the key with it.
fn suggestion(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>, table: &Busy) -> Option<Suggestion> {
    let columns = &added.definition.columns;
    let needs_values = added.definition.kind == ConstraintKind::PrimaryKey;
    let usable = columns.iter().all(|column| {
        let name = ColumnName::new(added.table.clone(), column.clone());
        let original = context.original_column(step, &name);
        let found = original
            .as_ref()
            .and_then(|original| table.relation.as_ref()?.column(&original.column));
        match found {
            // A primary key over a column that may be NULL reads all rows under the lock, whatever index there is.
            Some(found) => found.not_null || !needs_values,
            None => table.relation.is_none() && !needs_values && original.is_some(),
        }
    });
    if !usable {
        return None;
    }
    let name = added.name(context)?;
    let index = free_name(context, added.table, &name)?;
    let clause = key_clause(context, step, added.definition.kind)?;
    let word = if needs_values { "PRIMARY KEY" } else { "UNIQUE" };
    let create = format!(
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {} ON {} ({});\n",
        sql::name(&index),
        sql::object(added.table),
        sql::names(columns)
    );
    let named = if added.definition.name.is_none() && index != name {
        format!("CONSTRAINT {} ", sql::name(&name))
    } else {
        String::new()
    };
    let edits = vec![
        Edit::insert(step.statement.span.start, create),
        Edit::replace(clause, format!("{named}{word} USING INDEX {}", sql::name(&index))),
    ];
    Some(Suggestion::automatic("build the index CONCURRENTLY first", edits))
}

/// The constraint's name, which its index will get, or another while that one is taken.
fn free_name(context: &Context<'_>, table: &ObjectName, name: &str) -> Option<String> {
    let taken = |name: &str| {
        let full = ObjectName {
            schema: table.schema.clone(),
            name: name.to_owned(),
        };
        context.before.exists(ObjectKind::Index, &full) == Some(true)
    };
    if !taken(name) {
        return Some(name.to_owned());
    }
    let other = format!("{name}_new");
    // Longer names are cut by the server.
    (other.len() < 64 && !taken(&other)).then_some(other)
}

/// `UNIQUE (a, b)` where nothing follows it: what else such a clause may say has to be thought about.
fn key_clause(context: &Context<'_>, step: &Step<'_>, kind: ConstraintKind) -> Option<Span> {
    let tokens = sql::clause_tokens(context, step);
    let words: &[&str] = if kind == ConstraintKind::PrimaryKey {
        &["primary", "key"]
    } else {
        &["unique"]
    };
    let first = sql::find(&tokens, words)?;
    let open = tokens.get(first + words.len())?;
    let last = tokens.last()?;
    let closes = tokens
        .iter()
        .filter(|token| token.depth == 0 && token.is_symbol(")"))
        .count();
    (open.is_symbol("(") && last.is_symbol(")") && closes == 1).then(|| Span {
        start: tokens[first].start,
        end: last.end,
    })
}
