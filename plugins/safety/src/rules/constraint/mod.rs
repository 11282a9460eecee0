//! Rules about constraints that scan or lock a table that is in use.

mod attach_partition_without_check;
mod check_validating;
mod domain_constraint;
mod exclude_constraint;
mod foreign_key_type_mismatch;
mod foreign_key_validating;
mod foreign_key_without_index;
mod key;
mod not_null_scan;
mod primary_key_without_using_index;
mod types;
mod unique_without_using_index;
mod validate_in_same_transaction;

use tollgate_plugin::rules::{Context, Rule, Step};
use tollgate_plugin::{
    Constraint, ConstraintDefinition, ConstraintKind, CreatedTable, Edit, Finding, ObjectKind, ObjectName, Operation,
    Span, Suggestion,
};

use crate::sql;
use crate::tokens::{self, Token};

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    foreign_key_validating::RULE,
    check_validating::RULE,
    unique_without_using_index::RULE,
    primary_key_without_using_index::RULE,
    exclude_constraint::RULE,
    validate_in_same_transaction::RULE,
    domain_constraint::RULE,
    not_null_scan::RULE,
    foreign_key_without_index::RULE,
    foreign_key_type_mismatch::RULE,
    attach_partition_without_check::RULE,
];

/// A constraint that a step gives to a table.
#[derive(Debug, Clone, Copy)]
struct Added<'a> {
    table: &'a ObjectName,
    definition: &'a ConstraintDefinition,
    with: With<'a>,
}

/// How the script writes a constraint.
#[derive(Debug, Clone, Copy)]
enum With<'a> {
    /// ADD CONSTRAINT.
    Itself,
    /// Beside ADD COLUMN.
    Column,
    /// Inside CREATE TABLE.
    Table(&'a CreatedTable),
}

/// What a step adds.
fn added<'a>(step: &Step<'a>) -> Vec<Added<'a>> {
    match &step.effect.operation {
        Operation::AddConstraint(added) => vec![Added {
            table: &added.table,
            definition: &added.constraint,
            with: With::Itself,
        }],
        Operation::AddColumn(column) => column
            .constraints
            .iter()
            .map(|definition| Added {
                table: &column.table,
                definition,
                with: With::Column,
            })
            .collect(),
        Operation::CreateTable(table) => table
            .constraints
            .iter()
            .map(|definition| Added {
                table: &table.name,
                definition,
                with: With::Table(table),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Constraints of a kind that steps add to tables that are there.
fn added_to_tables<'a>(context: &'a Context<'a>, kind: ConstraintKind) -> Vec<(Step<'a>, Added<'a>)> {
    let each = context
        .steps()
        .flat_map(|step| added(&step).into_iter().map(move |added| (step, added)));
    each.filter(|(_, added)| added.definition.kind == kind && !matches!(added.with, With::Table(_)))
        .collect()
}

impl Added<'_> {
    /// The name that the constraint has or that the server will give to it, where that is certain.
    fn name(&self, context: &Context<'_>) -> Option<String> {
        if let Some(name) = &self.definition.name {
            return Some(name.clone());
        }
        let after = context.after.relation(self.table)?;
        let before = context.before.relation(self.table);
        let is_new = |constraint: &&Constraint| {
            constraint.kind == self.definition.kind
                && constraint.columns == self.definition.columns
                && before
                    .as_ref()
                    .is_none_or(|before| before.constraint(&constraint.name).is_none())
        };
        let mut new = after.constraints.iter().filter(is_new);
        match (new.next(), new.next()) {
            (Some(only), None) => Some(only.name.clone()),
            _ => None,
        }
    }
}

/// Offers to add the constraint NOT VALID here and to validate it in a following migration.
fn suggest_not_valid(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>, finding: &mut Finding) {
    let Some(name) = added.name(context) else { return };
    if step.effect.conditional || !matches!(added.with, With::Itself) {
        return;
    }
    let edit = Edit::insert(step.effect.at.end, " NOT VALID");
    finding.suggest(Suggestion::automatic(
        "add it NOT VALID, and validate it in a following migration",
        vec![edit],
    ));
    let table = sql::object(added.table);
    finding.property(
        "fix.following",
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {};\n", sql::name(&name)),
    );
}

/// The columns that a foreign key points at: those of the primary key where the script names none.
fn referenced_columns(context: &Context<'_>, definition: &ConstraintDefinition) -> Vec<String> {
    if !definition.referenced_columns.is_empty() {
        return definition.referenced_columns.clone();
    }
    let target = definition
        .references
        .as_ref()
        .and_then(|name| context.after.relation(name));
    target
        .map(|relation| relation.primary_key().to_vec())
        .unwrap_or_default()
}

/// Foreign keys that the migration makes on tables that still are there afterwards.
fn new_foreign_keys<'a>(context: &'a Context<'a>) -> Vec<(Step<'a>, Added<'a>)> {
    let each = context
        .steps()
        .flat_map(|step| added(&step).into_iter().map(move |added| (step, added)));
    each.filter(|(step, added)| {
        let temporary = matches!(added.with, With::Table(table) if table.temporary);
        added.definition.kind == ConstraintKind::ForeignKey && !temporary && !step.effect.conditional
    })
    .collect()
}

/// Where the script writes a foreign key: inside CREATE TABLE the column or the clause, otherwise the step's clause.
fn place(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>) -> Span {
    if !matches!(added.with, With::Table(_)) {
        return step.effect.at;
    }
    let tokens = sql::statement_tokens(context, step.statement);
    let inside = tokens.split(|token| token.depth == 0).find(|inside| !inside.is_empty());
    let elements = inside
        .unwrap_or_default()
        .split(|token| token.depth == 1 && token.is_symbol(","));
    let found = elements
        .filter(|element| writes_key(element, &added.definition.columns))
        .find_map(|element| Some((element.first()?.start, element.last()?.end)));
    found.map_or(step.effect.at, |(start, end)| Span { start, end })
}

/// `column … REFERENCES` or `FOREIGN KEY (columns)`.
fn writes_key(element: &[sql::Token<'_>], columns: &[String]) -> bool {
    let names = |tokens: &[sql::Token<'_>]| tokens.iter().filter_map(sql::Token::name).collect::<Vec<_>>();
    let clause = element
        .windows(2)
        .position(|words| words[0].is("foreign") && words[1].is("key"));
    match clause {
        Some(at) => {
            let key = element[at + 2..]
                .split(|token| token.depth == 1)
                .find(|key| !key.is_empty());
            key.is_some_and(|key| names(key) == columns)
        }
        None => element.iter().any(|token| token.is("references")) && names(&element[..1]).first() == columns.first(),
    }
}

/// The column that a condition says has a value: `x` of `(x) IS NOT NULL`.
fn column_with_value(condition: &[Token<'_>]) -> Option<String> {
    match tokens::bare(condition) {
        [column @ .., is, not, null] if is.is("is") && not.is("not") && null.is("null") => match tokens::bare(column) {
            [name] => name.name(),
            _ => None,
        },
        _ => None,
    }
}

/// The two names mean the same table.
fn same_table(context: &Context<'_>, left: &ObjectName, right: &ObjectName) -> bool {
    context.same(ObjectKind::Table, left, right)
}
