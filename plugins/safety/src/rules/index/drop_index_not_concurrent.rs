//! `drop-index-not-concurrent`: an index goes under a lock that stops the whole table.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    Dialect, Dropped, Edit, LockMode, ObjectKind, ObjectName, Operation, Severity, Statement, Suggestion,
};

use crate::sql;
use crate::tables::{busy_before, goes};
use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "drop-index-not-concurrent",
    summary: "DROP INDEX waits for every query of the table, and all later ones wait for it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP INDEX` without `CONCURRENTLY` of an index whose table is in use. Silent where the table goes too, \
where another statement of the same transaction locks the table as strongly anyway, and for indexes of partitioned tables, \
which cannot be dropped concurrently.

**Why it matters.** It takes an ACCESS EXCLUSIVE lock on the table. The drop itself is quick, but it waits for the longest query \
that is running, and whoever comes later, readers included, waits behind it.

**Instead.** `DROP INDEX CONCURRENTLY IF EXISTS`, one statement for each index, in a migration of its own.",
    bad: "DROP INDEX users_email_idx;",
    good: "DROP INDEX CONCURRENTLY IF EXISTS users_email_idx;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    let mut suggested = None;
    for step in context.steps() {
        let Operation::Drop(dropped) = &step.effect.operation else {
            continue;
        };
        if dropped.kind != ObjectKind::Index || dropped.concurrently {
            continue;
        }
        let Some(table) = locked_table(context, &transactions, &step, dropped) else {
            continue;
        };
        let verb = step.verb("drops", "drop");
        let name = dropped.name.short();
        let message = format!(
            "{verb} the index {name} under a lock that waits for every query of {table}, and all later ones for it"
        );
        let finding = findings.report(&step, message);
        let inside = transactions.is_fixed(step.statement);
        if step.effect.conditional || inside {
            finding.help("drop it CONCURRENTLY, outside of a transaction and of any block");
            continue;
        }
        finding.help("drop it CONCURRENTLY");
        // All indexes of one statement are rewritten together.
        if suggested != Some(step.statement.index)
            && let Some(edit) = edit(context, &step, dropped)
        {
            suggested = Some(step.statement.index);
            finding.suggest(Suggestion::automatic("drop it CONCURRENTLY", vec![edit]));
        }
    }
}

/// What the lock is on, in words; `None` where nobody can be waiting.
fn locked_table(
    context: &Context<'_>,
    transactions: &Transactions<'_>,
    step: &Step<'_>,
    dropped: &Dropped,
) -> Option<String> {
    let original = context.original(step, ObjectKind::Index, &dropped.name)?;
    if context.before.exists(ObjectKind::Index, &original) == Some(false) {
        return None;
    }
    let Some(owner) = context.before.index_owner(&original) else {
        return Some("its table".to_owned());
    };
    if goes(context, &owner) || is_locked_anyway(context, transactions, step.statement, &owner) {
        return None;
    }
    let table = busy_before(context, &owner, owner.short())?;
    (!table.is_partitioned()).then(|| table.shown())
}

/// Another statement of the same transaction stops the whole table too: CONCURRENTLY would win nothing.
fn is_locked_anyway(
    context: &Context<'_>,
    transactions: &Transactions<'_>,
    statement: &Statement,
    table: &ObjectName,
) -> bool {
    let only_drops_indexes = |other: &Statement| {
        other
            .effects
            .iter()
            .all(|effect| matches!(&effect.operation, Operation::Drop(dropped) if dropped.kind == ObjectKind::Index))
    };
    transactions.containing(statement).is_some_and(|transaction| {
        transaction
            .statements
            .iter()
            .filter(|other| other.index != statement.index && !only_drops_indexes(other))
            .flat_map(|other| context.locks(other))
            .any(|lock| lock.mode == LockMode::AccessExclusive && lock.relation == *table)
    })
}

/// CONCURRENTLY takes one index, and no CASCADE.
fn edit(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped) -> Option<Edit> {
    let dropped_with_it: Vec<&Dropped> = step
        .statement
        .effects
        .iter()
        .filter_map(|effect| match &effect.operation {
            Operation::Drop(dropped) => Some(dropped),
            _ => None,
        })
        .collect();
    if dropped.cascade {
        return None;
    }
    if let [_] = dropped_with_it.as_slice() {
        let tokens = sql::statement_tokens(context, step.statement);
        let word = tokens.iter().find(|token| token.is("index"))?;
        let exists = if dropped.if_exists { "" } else { " IF EXISTS" };
        return Some(Edit::insert(word.end, format!(" CONCURRENTLY{exists}")));
    }
    let all: Vec<String> = dropped_with_it
        .iter()
        .map(|dropped| format!("DROP INDEX CONCURRENTLY IF EXISTS {}", sql::object(&dropped.name)))
        .collect();
    Some(Edit::replace(step.statement.span, all.join(";\n")))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str =
        "CREATE TABLE users (id int, email text); CREATE INDEX i ON users (email); CREATE INDEX \"J\" ON users (id);";
    const MESSAGE: &str =
        "drops the index i under a lock that waits for every query of users, and all later ones for it";

    #[test]
    fn everybody_waits() {
        let rule = postgres(&RULE);
        let message =
            "drops the index i under a lock that waits for every query of its table, and all later ones for it";
        rule.reports("", "DROP INDEX i;", Medium, message);
        rule.reports(USERS, "DROP INDEX IF EXISTS i;", Medium, MESSAGE);
        rule.reports(USERS, "BEGIN; DROP INDEX i; COMMIT;", Medium, MESSAGE);
        let message =
            "drops the index public.J under a lock that waits for every query of users, and all later ones for it";
        rule.reports(
            USERS,
            "DROP INDEX \"public\".\"J\" CASCADE;",
            Medium,
            &message.replace("public.", ""),
        );
        let message =
            "may drop the index i under a lock that waits for every query of users, and all later ones for it";
        rule.reports(USERS, "DO $$ BEGIN DROP INDEX i; END $$;", Medium, message);
        let script = "DROP INDEX i; CREATE INDEX CONCURRENTLY k ON users (email); ALTER TABLE users DROP COLUMN email;";
        rule.reports(USERS, script, Medium, MESSAGE);
        let renamed = "ALTER INDEX i RENAME TO k; DROP INDEX k;";
        rule.reports(USERS, renamed, Medium, &MESSAGE.replace("index i", "index k"));
    }

    #[test]
    fn the_catalog_says_how_many_rows_there_are() {
        let test = postgres(&RULE).on(USERS);
        let message = "drops the index i under a lock that waits for every query of users (about 50,000 rows), and all later ones for it";
        assert_reports(&test.clone().rows("users", 50_000), "DROP INDEX i;", Medium, message);
        assert_ignores(&test.rows("users", 5), "DROP INDEX i;");
    }

    #[test]
    fn nobody_waits() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "DROP INDEX CONCURRENTLY IF EXISTS i;");
        rule.ignores(USERS, "DROP INDEX IF EXISTS nowhere;");
        rule.ignores(USERS, "DROP INDEX i; DROP TABLE users;");
        rule.ignores(USERS, "DROP INDEX i; ALTER TABLE \"users\" DROP COLUMN email;");
        rule.ignores("", "CREATE TABLE t (a int); CREATE INDEX k ON t (a); DROP INDEX k;");
        rule.ignores(USERS, "CREATE INDEX k ON users (email); DROP INDEX k;");
        let pending = rule
            .on(USERS)
            .pending("CREATE TABLE t (a int); CREATE INDEX k ON t (a);");
        assert_ignores(&pending, "DROP INDEX k;");
        let parent = "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE INDEX k ON t (a);";
        rule.ignores(parent, "DROP INDEX k;");
    }

    #[test]
    fn it_can_be_dropped_concurrently() {
        let test = postgres(&RULE).on(USERS);
        for (script, expected) in [
            ("DROP INDEX i;", "DROP INDEX CONCURRENTLY IF EXISTS i;"),
            ("drop index if exists i", "drop index CONCURRENTLY if exists i"),
            (
                "DROP INDEX i, public.\"J\";",
                "DROP INDEX CONCURRENTLY IF EXISTS i;\nDROP INDEX CONCURRENTLY IF EXISTS public.\"J\";",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        assert_eq!(fixed(&test, "BEGIN; DROP INDEX i; COMMIT;"), None);
        assert_eq!(fixed(&test, "DROP INDEX i CASCADE;"), None);
    }
}
