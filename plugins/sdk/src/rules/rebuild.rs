//! Tables that a migration makes anew: what the new one has, what it takes over, what is lost on the way.

use std::rc::Rc;

use super::{Context, Step};
use crate::contract::{Change, Column, ColumnDefinition, CreatedTable, ObjectKind, Operation, TableRebuild};
use crate::relation::Relation;

/// One rebuild, with the table before it.
#[derive(Debug, Clone)]
pub struct Rebuilt<'a> {
    /// What the parser saw.
    pub rebuild: &'a TableRebuild,
    /// CREATE TABLE of the new one.
    pub created: &'a CreatedTable,
    /// CREATE TABLE, to point at.
    pub create: Step<'a>,
    /// DROP TABLE, to point at.
    pub drop: Step<'a>,
    /// The table before the migration; `None` when it is not known.
    pub before: Option<Rc<Relation<'a>>>,
}

/// Every rebuild of a table.
pub fn all<'a>(context: &Context<'a>) -> Vec<Rebuilt<'a>> {
    let changes = context.changes().filter_map(|(change, _)| match change {
        Change::TableRebuild(rebuild) => read(context, rebuild),
        Change::EnumRebuild(_) => None,
    });
    changes.collect()
}

/// Every rebuild of a table that may hold rows.
pub fn of_tables_with_rows<'a>(context: &Context<'a>) -> Vec<Rebuilt<'a>> {
    let mut found = all(context);
    found.retain(|rebuilt| context.may_hold_rows(&rebuilt.create, &rebuilt.rebuild.table));
    found
}

fn read<'a>(context: &Context<'a>, rebuild: &'a TableRebuild) -> Option<Rebuilt<'a>> {
    let drop = context
        .all_steps()
        .find(|step| step.statement.index == rebuild.drop_statement)?;
    let (create, created) = context.all_steps().find_map(|step| match &step.effect.operation {
        Operation::CreateTable(created)
            if rebuild.statements.contains(&step.statement.index)
                && (context.same(ObjectKind::Table, &created.name, &rebuild.temporary)
                    || context.same(ObjectKind::Table, &created.name, &rebuild.table)) =>
        {
            Some((step, created))
        }
        _ => None,
    })?;
    let before = context.before_relation(&create, &rebuild.table);
    Some(Rebuilt {
        rebuild,
        created,
        create,
        drop,
        before,
    })
}

impl Rebuilt<'_> {
    /// Columns of the old table that no column of the new one takes its values from.
    pub fn lost_columns(&self, context: &Context<'_>) -> Option<Vec<String>> {
        let before = self.before.as_ref()?;
        let lost = before.columns.iter().filter(|column| {
            column.generated.is_none()
                && !self
                    .rebuild
                    .copied
                    .iter()
                    .any(|(_, from)| mentions(context, from, &column.name))
        });
        Some(lost.map(|column| column.name.clone()).collect())
    }

    /// Each new column with the old one that it takes its values from, unchanged.
    pub fn taken_over(&self, context: &Context<'_>) -> Vec<(&ColumnDefinition, Column)> {
        let Some(before) = &self.before else { return Vec::new() };
        let pairs = self.rebuild.copied.iter().filter_map(|(to, from)| {
            let new = self
                .created
                .columns
                .iter()
                .find(|column| context.same_identifier(&column.name, to))?;
            let old = before
                .columns
                .iter()
                .find(|column| context.same_identifier(&column.name, bare(from)))?;
            Some((new, old.clone()))
        });
        pairs.collect()
    }

    /// New columns that get no value from the old table.
    pub fn added(&self, context: &Context<'_>) -> impl Iterator<Item = &ColumnDefinition> {
        self.created.columns.iter().filter(|column| {
            !self
                .rebuild
                .copied
                .iter()
                .any(|(to, _)| context.same_identifier(to, &column.name))
        })
    }
}

/// An identifier without its quotes.
fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix(['"', '`', '['])
        .and_then(|text| text.strip_suffix(['"', '`', ']']))
        .unwrap_or(text)
}

/// Whether an expression names a column, as a whole word.
fn mentions(context: &Context<'_>, expression: &str, column: &str) -> bool {
    context.same_identifier(bare(expression), column)
        || expression
            .split(|character: char| !(character.is_alphanumeric() || character == '_' || character == '$'))
            .any(|word| context.same_identifier(word, column))
        || (column.contains(|character: char| !(character.is_alphanumeric() || character == '_'))
            && expression.contains(column))
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn quotes_come_off() {
        assert_eq!(bare("\"createdAt\""), "createdAt");
        assert_eq!(bare(" `a` "), "a");
        assert_eq!(bare("[b c]"), "b c");
        assert_eq!(bare("coalesce(a, 1)"), "coalesce(a, 1)");
    }
}
