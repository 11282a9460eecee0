//! The table of rules, one file each.

mod allowed_types;
mod column_order;
mod empty_migration;
mod forbidden_types;
mod identifier_too_long;
mod migration_name;
mod mixed_case_identifier;
mod no_char;
mod no_money;
mod prefer_bigint;
mod prefer_identity;
mod prefer_jsonb;
mod prefer_text;
mod prefer_timestamptz;
mod primary_key_missing;
mod reserved_identifier;
mod schema_qualified_names;
mod table_comment;

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedTable, Edit, Operation, Suggestion};

use crate::columns::{Declared, declared};

/// Every rule, those that are on first.
pub const RULES: &[Rule] = &[
    migration_name::RULE,
    identifier_too_long::RULE,
    empty_migration::RULE,
    primary_key_missing::RULE,
    prefer_bigint::RULE,
    prefer_text::RULE,
    prefer_timestamptz::RULE,
    prefer_jsonb::RULE,
    prefer_identity::RULE,
    no_char::RULE,
    no_money::RULE,
    reserved_identifier::RULE,
    mixed_case_identifier::RULE,
    table_comment::RULE,
    column_order::RULE,
    schema_qualified_names::RULE,
    allowed_types::RULE,
    forbidden_types::RULE,
];

/// Permanent tables that the migration makes and keeps, each with the step that makes it.
fn created_tables<'a>(context: &'a Context<'a>) -> impl Iterator<Item = (Step<'a>, &'a CreatedTable)> {
    context.steps().filter_map(|step| match &step.effect.operation {
        Operation::CreateTable(created) if !created.temporary && created.partition_of.is_none() => {
            Some((step, created))
        }
        _ => None,
    })
}

/// What a rule about types says of one declaration.
struct Verdict {
    /// One sentence.
    message: String,
    /// The type to write instead.
    instead: Option<String>,
    /// Writing it changes nothing that anybody could notice.
    automatic: bool,
}

/// Judges the type of every declared column, and offers the better type in its place.
fn judge_types(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    help: &str,
    judge: impl Fn(&Declared<'_>) -> Option<Verdict>,
) {
    for column in declared(context) {
        let Some(verdict) = judge(&column) else { continue };
        let finding = findings.report_at(column.step.statement.index, column.at, verdict.message);
        finding.help(help);
        if let (Some(at), Some(instead)) = (column.type_at, verdict.instead) {
            let title = format!("write {instead}");
            let edits = vec![Edit::replace(at, instead)];
            finding.suggest(if verdict.automatic {
                Suggestion::automatic(title, edits)
            } else {
                Suggestion::manual(title, edits)
            });
        }
    }
}

/// `is`, or for a column whose type a statement changes: `becomes`.
fn is(column: &Declared<'_>) -> &'static str {
    match (column.definition.is_some(), column.step.effect.conditional) {
        (true, false) => "is",
        (true, true) => "may be",
        (false, false) => "becomes",
        (false, true) => "may become",
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;
    use crate::Conventions;

    #[test]
    fn the_examples_are_judged_as_they_say() {
        tollgate_plugin::testing::assert_examples::<Conventions>(RULES);
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn three_rules_are_on() {
        let on: Vec<_> = RULES.iter().filter(|rule| rule.enabled).map(|rule| rule.id).collect();
        assert_eq!(on, ["migration-name", "identifier-too-long", "empty-migration"]);
    }
}
