//! `many-tables-locked-in-one-transaction`: a transaction that collects the locks of many tables.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use super::held::{Held, Watch};
use crate::transactions::{self, Kind, Transaction};

pub(super) const RULE: Rule = Rule {
    id: "many-tables-locked-in-one-transaction",
    summary: "One transaction takes many tables for itself, one after the other",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports a transaction that takes ACCESS EXCLUSIVE on five or more tables that were there before the \
migration, by two or more statements. New and empty tables, tables that the migration drops, and partitions of a table \
that is locked with them do not count.

**Why it matters.** Each lock is kept until the transaction ends. While it waits for the third table behind a long \
query, nobody can read the first two; and an application that uses them in another order deadlocks with the migration.

**Instead.** One table a migration, or a few that nobody uses together. `-- tollgate:transaction off` lets go of each \
lock at once where the statements do not need each other.",
    bad: "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE d (x int); CREATE TABLE \
    e (x int);\n-- migration\n\
          ALTER TABLE a ADD COLUMN y int;\nALTER TABLE b ADD COLUMN y int;\nALTER TABLE c ADD COLUMN y int;\nALTER \
          TABLE d ADD COLUMN y int;\n\
          ALTER TABLE e ADD COLUMN y int;",
    good: "CREATE TABLE a (x int); CREATE TABLE b (x int);\n-- migration\n\
           ALTER TABLE a ADD COLUMN y int;\nALTER TABLE b ADD COLUMN y int;",
    check,
    ..Rule::DEFAULT
};

/// So many tables are too many. Two or three belong to one change of the application more often than not.
const THRESHOLD: usize = 5;

/// Most tables that the message names.
const NAMED: usize = 3;

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for transaction in transactions::of(context) {
        let effects = transaction.statements.iter().flat_map(|statement| &statement.effects);
        let takers = effects.filter(|effect| may_take(&effect.operation)).count();
        // One that takes a foreign key away takes two tables.
        if transaction.kind != Kind::Alone && transaction.statements.len() > 1 && takers * 2 >= THRESHOLD {
            report(context, findings, &transaction);
        }
    }
}

/// A look at the words, before the engine is asked for locks.
fn may_take(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::CreateTable(_)
            | Operation::CreateIndex(_)
            | Operation::CreateEnum(_)
            | Operation::AddEnumValue(_)
            | Operation::Comment(_)
            | Operation::Insert(_)
            | Operation::Update(_)
            | Operation::Delete(_)
            | Operation::SetParameter(_)
            | Operation::TransactionControl(_)
            | Operation::Dynamic(_)
            | Operation::Privileges(_)
    )
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, transaction: &Transaction<'_>) {
    let watch = Watch::new(context);
    let mut locked: Vec<Held<'_>> = Vec::new();
    for statement in transaction.statements {
        for held in watch.by(statement) {
            let known = locked.iter().any(|known| known.lock.relation == held.lock.relation);
            if held.lock.mode.blocks_reads() && !known {
                locked.push(held);
            }
        }
    }
    if locked.len() < THRESHOLD {
        return;
    }
    let names: Vec<_> = locked.iter().map(|held| held.lock.relation.clone()).collect();
    locked.retain(|held| {
        let relation = context.before_relation(&held.step, &held.lock.relation);
        let parent = relation.and_then(|relation| relation.partition_of.clone());
        parent.is_none_or(|parent| !names.contains(&parent))
    });
    let statements = locked.iter().map(|held| held.step.statement.index);
    let several = statements.clone().min() != statements.max();
    let (true, [.., last]) = (locked.len() >= THRESHOLD && several, locked.as_slice()) else {
        return;
    };
    let named: Vec<String> = locked
        .iter()
        .take(NAMED)
        .map(|held| held.lock.relation.short())
        .collect();
    let message = format!(
        "takes {} tables for itself in one transaction ({} and {} more): none of them can be read until the last has \
         been locked and changed",
        locked.len(),
        named.join(", "),
        locked.len() - named.len(),
    );
    let finding = findings.report(&last.step, message);
    for held in locked.iter().take(NAMED) {
        finding.label(
            held.step.effect.at,
            format!("takes {} until the end", held.lock.relation.short()),
        );
    }
    finding.help("change one table a migration, or let go of each at once with `-- tollgate:transaction off`");
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const T: &str = "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE \"D\" (x \
    int); CREATE TABLE e (x int);";

    /// One statement a table.
    fn alter(tables: &[&str]) -> String {
        tables
            .iter()
            .map(|table| format!("ALTER TABLE {table} ADD COLUMN y int;\n"))
            .collect()
    }

    #[test]
    fn many_tables_by_several_statements() {
        let rule = postgres(&RULE);
        let message = "takes 5 tables for itself in one transaction (a, b, c and 2 more): none of them can be read \
                       until the last has been locked and changed";
        let all = alter(&["a", "b", "public.c", "\"D\"", "e"]);
        rule.reports(T, &all, Medium, message);
        rule.reports(T, &format!("-- why\nBEGIN;\n{all}COMMIT;"), Medium, message);
        rule.reports(
            T,
            "TRUNCATE a, b, c; ALTER TABLE \"D\" RENAME x TO z; DROP TRIGGER t ON e;",
            Medium,
            message,
        );
    }

    #[test]
    fn fewer_or_one_by_one() {
        let rule = postgres(&RULE);
        rule.ignores(T, &alter(&["a", "b", "c", "\"D\""]));
        rule.ignores(T, &alter(&["a", "a", "b", "c", "\"D\""]));
        rule.ignores(
            T,
            &format!(
                "{}CREATE TABLE f (x int);\n{}",
                alter(&["a", "b", "c", "\"D\""]),
                alter(&["f"])
            ),
        );
        rule.ignores(
            T,
            &format!("-- tollgate:transaction off\n{}", alter(&["a", "b", "c", "\"D\"", "e"])),
        );
        rule.ignores(
            T,
            &format!("BEGIN;\n{}COMMIT;\n{}", alter(&["a", "b", "c"]), alter(&["\"D\"", "e"])),
        );
        rule.ignores(T, "TRUNCATE a, b, c, \"D\", e;");
        rule.ignores(
            T,
            "DROP TABLE a; DROP TABLE b; DROP TABLE c; DROP TABLE \"D\"; DROP TABLE e;",
        );
        let pending = rule.on(T).pending("CREATE TABLE n (x int);");
        assert_ignores(&pending, &alter(&["a", "b", "c", "\"D\"", "n"]));
    }

    #[test]
    fn a_partitioned_table_is_one() {
        let before = "CREATE TABLE p (x int) PARTITION BY LIST (x); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
            CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3); CREATE \
            TABLE a (x int);";
        postgres(&RULE).ignores(before, &alter(&["p", "a"]));
    }
}
