//! The table of rules, one file each.

mod alter_column_type;
mod delete_rows;
mod disable_rls;
mod drop_cascade;
mod drop_column;
mod drop_constraint;
mod drop_database;
mod drop_default;
mod drop_extension;
mod drop_function;
mod drop_index;
mod drop_materialized_view;
mod drop_not_null;
mod drop_policy;
mod drop_rls_policy;
mod drop_schema;
mod drop_sequence;
mod drop_table;
mod drop_trigger;
mod drop_type;
mod drop_view;
mod recreate_column;
mod required_column_without_default;
mod set_not_null;
mod truncate;
mod unique_on_existing_data;
mod update_without_where;

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dropped, ObjectKind, Operation};

/// Every rule, what loses most first.
pub const RULES: &[Rule] = &[
    drop_table::RULE,
    drop_column::RULE,
    delete_rows::RULE,
    truncate::RULE,
    drop_schema::RULE,
    drop_database::RULE,
    drop_type::RULE,
    drop_cascade::RULE,
    recreate_column::RULE,
    required_column_without_default::RULE,
    disable_rls::RULE,
    drop_rls_policy::RULE,
    drop_view::RULE,
    drop_materialized_view::RULE,
    drop_function::RULE,
    drop_trigger::RULE,
    drop_sequence::RULE,
    drop_extension::RULE,
    drop_policy::RULE,
    drop_index::RULE,
    drop_constraint::RULE,
    alter_column_type::RULE,
    set_not_null::RULE,
    unique_on_existing_data::RULE,
    update_without_where::RULE,
    drop_default::RULE,
    drop_not_null::RULE,
];

/// DROPs of objects of these kinds that existed before the migration.
fn drops<'a>(context: &'a Context<'a>, kinds: &'a [ObjectKind]) -> impl Iterator<Item = (Step<'a>, &'a Dropped)> {
    context.steps().filter_map(move |step| match &step.effect.operation {
        Operation::Drop(dropped)
            if kinds.contains(&dropped.kind) && !context.is_new(&step, dropped.kind, &dropped.name) =>
        {
            Some((step, dropped))
        }
        _ => None,
    })
}

/// Reports DROPs of objects that hold no rows; one that the migration makes again is no loss.
fn report_drops(context: &Context<'_>, findings: &mut Findings<'_>, kinds: &[ObjectKind], help: &str) {
    for (step, dropped) in drops(context, kinds) {
        if made_again(context, &step, dropped) {
            continue;
        }
        let needed = context
            .original(&step, dropped.kind, &dropped.name)
            .map(|original| context.remaining_dependents(&step, dropped.kind, &original))
            .unwrap_or_default();
        let verb = step.verb("drops", "drop");
        let (kind, name) = (dropped.kind, dropped.name.short());
        findings
            .report(
                &step,
                format!("{verb} the {kind} {name}{}", crate::words::needed_by(&needed)),
            )
            .help(help);
    }
}

/// A later statement makes an object of the same kind and name.
fn made_again(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped) -> bool {
    context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Create(created) => {
            created.kind == dropped.kind
                && context.same(dropped.kind, &created.name, &dropped.name)
                && match (&created.on, &dropped.on) {
                    (Some(created), Some(dropped)) => context.same(ObjectKind::Table, created, dropped),
                    _ => true,
                }
        }
        _ => false,
    })
}

/// The table is known to be gone when the migration has run: whatever belonged to it went with it.
fn table_goes(context: &Context<'_>, table: &tollgate_plugin::ObjectName) -> bool {
    context.after.exists(ObjectKind::Table, table) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::RULES;
    use crate::Destructive;

    #[test]
    fn the_examples_are_judged_as_they_say() {
        tollgate_plugin::testing::assert_examples::<Destructive>(RULES);
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
