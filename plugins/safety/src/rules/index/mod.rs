//! Rules about indexes that are made, dropped or rebuilt under a lock.

mod concurrent_in_transaction;
mod concurrent_with_other_statements;
mod drop_index_not_concurrent;
mod duplicate_index;
mod index_not_concurrent;
mod index_on_partitioned_parent;
mod invalid_index_retry;
mod reindex_not_concurrent;
mod replace_index_drop_first;

use std::rc::Rc;

use tollgate_plugin::rules::{Context, Rule, Step};
use tollgate_plugin::{CreatedIndex, Index, IndexKey, ObjectKind, ObjectName, Operation, Relation, Statement};

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    index_not_concurrent::RULE,
    drop_index_not_concurrent::RULE,
    reindex_not_concurrent::RULE,
    concurrent_in_transaction::RULE,
    concurrent_with_other_statements::RULE,
    invalid_index_retry::RULE,
    replace_index_drop_first::RULE,
    duplicate_index::RULE,
    index_on_partitioned_parent::RULE,
];

/// `the index users_email_idx`, or `an index (email)` where it has no name.
fn shown(index: &CreatedIndex) -> String {
    match &index.name {
        Some(name) => format!("the index {name}"),
        None => format!("an index ({})", keys(&index.keys).join(", ")),
    }
}

/// The keys as written.
fn keys(keys: &[IndexKey]) -> Vec<&str> {
    keys.iter()
        .map(|key| match key {
            IndexKey::Column(text) | IndexKey::Expression(text) => text.as_str(),
        })
        .collect()
}

/// The name of a new index, in its table's schema.
fn full_name(index: &CreatedIndex) -> Option<ObjectName> {
    Some(ObjectName {
        schema: index.table.schema.clone(),
        name: index.name.clone()?,
    })
}

/// What is there already under the name of a new index when the step runs, and its table.
fn present<'a>(context: &Context<'a>, step: &Step<'_>, index: &CreatedIndex) -> Option<(Rc<Relation<'a>>, Index)> {
    let original = context.original(step, ObjectKind::Index, &full_name(index)?)?;
    if context.is_gone(step, ObjectKind::Index, &original) {
        return None;
    }
    let owner = context.before.index_owner(&original)?;
    let relation = context.before.relation(&owner)?;
    let found = relation.index(&original.name)?.clone();
    Some((relation, found))
}

/// What a statement is that the server refuses inside a transaction: `CREATE INDEX CONCURRENTLY`, `VACUUM`.
fn words(statement: &Statement) -> String {
    let Some(effect) = statement.effects.first() else {
        return "a statement".to_owned();
    };
    match &effect.operation {
        Operation::CreateIndex(_) => "CREATE INDEX CONCURRENTLY".to_owned(),
        Operation::Drop(dropped) if dropped.kind == ObjectKind::Index => "DROP INDEX CONCURRENTLY".to_owned(),
        Operation::Drop(dropped) => format!("DROP {}", dropped.kind.to_string().to_uppercase()),
        Operation::DetachPartition(_) => "DETACH PARTITION CONCURRENTLY".to_owned(),
        Operation::Other(other) if other.tag == "reindex" => "REINDEX CONCURRENTLY".to_owned(),
        Operation::Other(other) => other.tag.replace('-', " ").to_uppercase(),
        _ => "a statement".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::rules::split_example;
    use tollgate_plugin::testing::{Test, policy};
    use tollgate_plugin::{Finding, Severity};

    use super::super::constraint;
    use super::RULES;
    use crate::Safety;
    use crate::judge::{edited, followed_by};

    fn on(before: &str) -> Test<Safety> {
        let test = policy::<Safety>();
        if before.is_empty() { test } else { test.before(before) }
    }

    /// What would make the engine take a fix back. That a statement now stands beside others is what it mends itself.
    fn problems(findings: &[Finding]) -> Vec<&str> {
        let worse = |finding: &&Finding| {
            finding.severity >= Severity::Medium && finding.rule != "concurrent-with-other-statements"
        };
        findings
            .iter()
            .filter(worse)
            .map(|finding| finding.rule.as_str())
            .collect()
    }

    #[test]
    fn what_is_suggested_for_an_example_brings_up_nothing_else() {
        let mut made = 0;
        for rule in RULES.iter().chain(constraint::RULES) {
            let (before, script) = split_example(rule.bad);
            let findings = on(before).check(script);
            let Some(finding) = findings
                .iter()
                .find(|finding| finding.rule == rule.id && !finding.suggestions.is_empty())
            else {
                continue;
            };
            made += 1;
            let fixed = edited(script, &finding.suggestions[0].edits);
            let now = on(before).check(&fixed);
            let was = problems(&findings);
            let new: Vec<_> = problems(&now).into_iter().filter(|rule| !was.contains(rule)).collect();
            assert!(
                new.is_empty() && !now.iter().any(|now| now.rule == rule.id),
                "{fixed}: {now:?}"
            );
            if let Some(following) = followed_by(finding) {
                let then = on(before).before(fixed).check(following);
                assert!(problems(&then).is_empty(), "{following}: {then:?}");
            }
        }
        assert!(made >= 12, "only {made} rules suggest something for their bad example");
    }
}
