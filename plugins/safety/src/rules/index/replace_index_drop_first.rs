//! `replace-index-drop-first`: the old index goes before the new one is there.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    CreatedIndex, Dialect, Dropped, Edit, Index, ObjectKind, ObjectName, Operation, Severity, Suggestion,
};

use super::shown;
use crate::sql;
use crate::tables::{Busy, busy, busy_before, goes};
use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "replace-index-drop-first",
    summary: "An index is dropped before the one that takes its place is built",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP INDEX` above a `CREATE INDEX` on the same table whose name, or whose first key, is the same. High \
where both are in one transaction and the catalog says that the table is large.

**Why it matters.** In one transaction the lock of the drop is kept while the new index is built: nobody can even read the table. \
Otherwise every query that used the old index reads the whole table meanwhile.

**Instead.** Build the new index first, CONCURRENTLY and under another name, then drop the old one. `ALTER INDEX … RENAME` gives it \
the old name at once.",
    bad: "CREATE TABLE users (id int, email text, org int);\nCREATE INDEX users_email_idx ON users (email);\n-- migration\n\
          DROP INDEX CONCURRENTLY users_email_idx;\nCREATE INDEX CONCURRENTLY users_email_org_idx ON users (email, org);",
    good: "CREATE TABLE users (id int, email text, org int);\nCREATE INDEX users_email_idx ON users (email);\n-- migration\n\
           CREATE INDEX CONCURRENTLY users_email_org_idx ON users (email, org);\nDROP INDEX CONCURRENTLY users_email_idx;",
    also: &["concurrent-with-other-statements", "not-idempotent-outside-transaction"],
    check,
    ..Rule::DEFAULT
};

/// The index that goes, and its table.
struct Old {
    table: Option<ObjectName>,
    index: Option<Index>,
}

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    for step in context.steps() {
        let Operation::Drop(dropped) = &step.effect.operation else {
            continue;
        };
        if dropped.kind != ObjectKind::Index {
            continue;
        }
        let Some(old) = old(context, &step, dropped) else {
            continue;
        };
        let replaces = |other: &Step<'_>| match &other.effect.operation {
            Operation::CreateIndex(new) => takes_its_place(context, other, dropped, &old, new),
            _ => false,
        };
        if context.steps_before(&step).any(|earlier| replaces(&earlier)) {
            continue;
        }
        let Some(later) = context.steps_after(&step).find(replaces) else {
            continue;
        };
        let Operation::CreateIndex(new) = &later.effect.operation else {
            continue;
        };
        let Some(table) = in_use(context, &later, &old, new) else {
            continue;
        };
        let together = transactions.are_together(step.statement, later.statement);
        if !together && another_helps(&table, &old) {
            continue;
        }
        let same_name = new.name.as_ref() == Some(&dropped.name.name);
        report(
            context,
            findings,
            &Replacement {
                step,
                later,
                dropped,
                new,
                table,
                together,
                same_name,
            },
        );
    }
}

/// A pair that was found.
struct Replacement<'a, 's> {
    step: Step<'s>,
    later: Step<'s>,
    dropped: &'a Dropped,
    new: &'a CreatedIndex,
    table: Busy<'a>,
    together: bool,
    same_name: bool,
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, found: &Replacement<'_, '_>) {
    let verb = found.step.verb("drops", "drop");
    let (name, table) = (found.dropped.name.short(), found.table.shown());
    let new = if found.same_name {
        "it anew".to_owned()
    } else {
        format!("{} in its place", shown(found.new))
    };
    let harm = if found.together {
        format!("nobody can read {table} until that is done")
    } else {
        format!("queries of {table} do without meanwhile")
    };
    let finding = findings.report(
        &found.step,
        format!("{verb} the index {name} before it builds {new}: {harm}"),
    );
    finding.label(found.later.effect.at, "built here");
    if found.together {
        finding.severity(found.table.severity());
    }
    if found.same_name {
        finding.help("build the new index first under another name, drop the old one, and rename the new one");
        return;
    }
    finding.help("build the new index first, then drop the old one");
    finding.suggestions.extend(suggestion(context, found));
}

/// Moves the drop behind the build.
fn suggestion(context: &Context<'_>, found: &Replacement<'_, '_>) -> Option<Suggestion> {
    let plain = |step: &Step<'_>| step.statement.effects.len() == 1 && !step.effect.conditional;
    if !plain(&found.step) || !plain(&found.later) {
        return None;
    }
    let drop = found.step.statement.span.of(context.migration.text());
    let later = found.later.statement.span.end;
    let edits = vec![
        sql::remove(context, found.step.statement),
        Edit::insert(later, format!(";\n{drop}")),
    ];
    Some(Suggestion::manual("drop the old index afterwards", edits))
}

/// The index as it was before the migration; `None` where the migration made it.
fn old(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped) -> Option<Old> {
    let original = context.original(step, ObjectKind::Index, &dropped.name)?;
    if context.before.exists(ObjectKind::Index, &original) == Some(false) {
        return None;
    }
    let table = context.before.index_owner(&original);
    let relation = table.as_ref().and_then(|table| context.before.relation(table));
    let index = relation.and_then(|relation| relation.index(&original.name).cloned());
    Some(Old { table, index })
}

fn takes_its_place(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped, old: &Old, new: &CreatedIndex) -> bool {
    if step.effect.conditional {
        return false;
    }
    if let Some(table) = &old.table {
        let of_new = context.original(step, ObjectKind::Table, &new.table);
        if !of_new.is_some_and(|of_new| context.same(ObjectKind::Table, &of_new, table)) {
            return false;
        }
    }
    let same_name = new.name.as_ref() == Some(&dropped.name.name);
    let same_key = old.index.as_ref().is_some_and(|old| {
        old.method == new.method && old.keys.first() == new.keys.first() && old.predicate == new.predicate
    });
    same_name || same_key
}

/// The table has another index whose first key is the same: queries can use that one meanwhile.
fn another_helps(table: &Busy, old: &Old) -> bool {
    let (Some(relation), Some(old)) = (&table.relation, &old.index) else {
        return false;
    };
    relation.indexes.iter().any(|other| {
        other.name != old.name
            && other.valid
            && other.method == old.method
            && other.keys.first() == old.keys.first()
            && other.predicate.is_none()
    })
}

fn in_use<'a>(context: &Context<'a>, later: &Step<'_>, old: &Old, new: &CreatedIndex) -> Option<Busy<'a>> {
    match &old.table {
        Some(table) if goes(context, table) => None,
        Some(table) => busy_before(context, table, table.short()),
        None => busy(context, later, &new.table),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str = "CREATE TABLE users (id int, email text, org int); CREATE INDEX i ON users (email);
        CREATE INDEX \"J\" ON users (org) WHERE id > 5;";

    #[test]
    fn queries_are_left_without_an_index() {
        let rule = postgres(&RULE);
        let message =
            "drops the index i before it builds the index k in its place: nobody can read users until that is done";
        rule.reports(
            USERS,
            "DROP INDEX i; CREATE INDEX k ON users (email, org);",
            Medium,
            message,
        );
        let message = "drops the index i before it builds it anew: nobody can read users until that is done";
        rule.reports(
            USERS,
            "DROP INDEX public.i; CREATE UNIQUE INDEX i ON \"public\".\"users\" (id);",
            Medium,
            message,
        );
        rule.reports(
            "",
            "-- a\nBEGIN; DROP INDEX i; CREATE INDEX i ON users (id); COMMIT;",
            Medium,
            message,
        );
        let message =
            "drops the index J before it builds the index k in its place: queries of users do without meanwhile";
        let script = "DROP INDEX CONCURRENTLY \"J\"; CREATE INDEX CONCURRENTLY k ON users (org, id) WHERE id > 5;";
        rule.reports(USERS, script, Medium, message);
        let message = "drops the index i before it builds it anew: nobody can read users (about 2,000,000 rows) until that is done";
        let test = rule.on(USERS).rows("users", 2_000_000);
        assert_reports(
            &test,
            "DROP INDEX i; CREATE INDEX i ON users (id, email);",
            High,
            message,
        );
    }

    #[test]
    fn there_is_always_an_index() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "CREATE INDEX k ON users (email, org); DROP INDEX i;");
        rule.ignores(
            USERS,
            "CREATE INDEX k ON users (email); DROP INDEX i; ALTER INDEX k RENAME TO i;",
        );
        rule.ignores(USERS, "DROP INDEX i; CREATE INDEX k ON users (org);");
        let two = format!("{USERS} CREATE INDEX wide ON users (email, id);");
        rule.ignores(
            &two,
            "DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY k ON users (email, org);",
        );
        rule.ignores(
            USERS,
            "DROP INDEX i; CREATE TABLE t (email text); CREATE INDEX k ON t (email);",
        );
        rule.ignores(
            USERS,
            "DROP INDEX i; CREATE INDEX k ON users USING gin (email gin_trgm_ops);",
        );
        rule.ignores(USERS, "DROP INDEX \"J\"; CREATE INDEX k ON users (org);");
        rule.ignores(
            "",
            "CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i; CREATE INDEX i ON t (a);",
        );
        assert_ignores(
            &rule.on(USERS).rows("users", 10),
            "DROP INDEX i; CREATE INDEX i ON users (id);",
        );
        let pending = rule
            .on(USERS)
            .pending("CREATE TABLE t (a int); CREATE INDEX k ON t (a);");
        assert_ignores(&pending, "DROP INDEX k; CREATE INDEX k ON t (a);");
    }

    #[test]
    fn the_drop_can_move() {
        let test = postgres(&RULE).on(USERS);
        let script = "DROP INDEX i;\nCREATE INDEX k ON users (email, org);\n";
        let expected = "CREATE INDEX k ON users (email, org);\nDROP INDEX i;\n";
        assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        assert_eq!(fixed(&test, "DROP INDEX i; CREATE INDEX i ON users (id);"), None);
    }
}
