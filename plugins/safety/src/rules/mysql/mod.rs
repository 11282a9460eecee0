//! Rules about what MySQL and MariaDB do in their own way.

mod alter_copy_algorithm;
mod alter_without_algorithm_or_lock;
mod alterations;
mod change_column_rename;
mod enum_reorder;
mod inline_references_ignored;
mod non_transactional_ddl_in_multi_statement_file;
mod values;
mod words;

use tollgate_plugin::rules::{Context, Rule, Step};

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    alter_copy_algorithm::RULE,
    alter_without_algorithm_or_lock::RULE,
    enum_reorder::RULE,
    inline_references_ignored::RULE,
    change_column_rename::RULE,
    non_transactional_ddl_in_multi_statement_file::RULE,
];

/// The step is a part of a `CHANGE old new …`.
pub(super) fn is_change(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = words::read(context.migration.text(), step.effect.at);
    tokens.first().is_some_and(|first| first.is("change"))
}

/// The steps of each statement that stands for itself.
fn by_statement<'a>(context: &Context<'a>) -> Vec<Vec<Step<'a>>> {
    let mut all: Vec<Vec<Step<'a>>> = Vec::new();
    for step in context.steps() {
        match all.last_mut() {
            Some(last) if last[0].statement.index == step.statement.index => last.push(step),
            _ => all.push(vec![step]),
        }
    }
    all
}
