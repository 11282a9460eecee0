//! `statement-after-access-exclusive`: slow work while an earlier statement keeps everybody out of a table.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, Dialect, ObjectKind, Operation, Severity, Statement, TableLock};

use super::held::{self, Held, Watch};
use crate::size::{self, Size};
use crate::transactions::{self, Kind, Transaction};

pub(super) const RULE: Rule = Rule {
    id: "statement-after-access-exclusive",
    summary: "A lock that keeps everybody out of a table is kept during slow work",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports the first statement of a transaction that reads or writes a whole table (builds an index, \
tests a constraint, writes a table anew) while an earlier statement of the same transaction holds ACCESS EXCLUSIVE on \
a table that the slow statement alone would not lock so. Quick statements in a row are not reported, nor is work on \
new, empty or small tables. Changes of many rows are `ddl-and-backfill-in-one-transaction`, `VALIDATE` of a constraint \
that the same transaction adds is `validate-in-same-transaction`. High where the table that is worked through is known \
to be large, low for a foreign key of new columns that have no value yet.

**Why it matters.** `ALTER TABLE … ADD COLUMN` takes milliseconds. With a `CREATE INDEX` behind it in the same \
transaction the table cannot even be read until the index is built, while the index alone would only have kept writers \
out.

**Instead.** Put the slow statement into a migration of its own, or at least above the quick one.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email text);\nCREATE TABLE events (id int PRIMARY KEY, at date);\n-- \
    migration\n\
          ALTER TABLE users ADD COLUMN name text;\nALTER TABLE events ADD CONSTRAINT recent CHECK (at > '2020-01-01');",
    good: "CREATE TABLE users (id int PRIMARY KEY, email text);\n-- migration\n\
           ALTER TABLE users ADD COLUMN name text;\nALTER TABLE users ALTER COLUMN name SET DEFAULT '';",
    also: &["check-validating"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let watch = Watch::new(context);
    for transaction in transactions::of(context) {
        let later = transaction.statements.get(1..).unwrap_or_default();
        if transaction.kind == Kind::Alone || !later.iter().any(|statement| may_be_slow(context, &watch, statement)) {
            continue;
        }
        if let Some((slow, work, held)) = first(context, &watch, &transaction) {
            report(context, findings, &watch, slow, work, &held);
        }
    }
}

/// A look at the words, before the engine is asked for locks.
fn may_be_slow(context: &Context<'_>, watch: &Watch<'_, '_>, statement: &Statement) -> bool {
    watch.steps_of(statement).iter().any(|step| {
        let table = match &step.effect.operation {
            Operation::CreateIndex(index) if !index.concurrently => &index.table,
            Operation::AddConstraint(added) => &added.table,
            Operation::ValidateConstraint(validated) => &validated.table,
            Operation::SetNotNull(column) => &column.table,
            Operation::AlterColumnType(change) => &change.column.table,
            Operation::AttachPartition(partition) => &partition.partition,
            Operation::AddColumn(added) => {
                let column = &added.column;
                let plain = column.default.is_none() && column.generated.is_none() && !column.not_null;
                if plain && added.constraints.is_empty() {
                    return false;
                }
                &added.table
            }
            Operation::Other(_) => return true,
            _ => return false,
        };
        context.may_hold_rows(step, table)
    })
}

/// The first slow statement under a lock that it would not take itself.
fn first<'a>(
    context: &Context<'a>,
    watch: &Watch<'_, 'a>,
    transaction: &Transaction<'a>,
) -> Option<(&'a Statement, &'a TableLock, Vec<Held<'a>>)> {
    let all = watch.of(transaction);
    transaction.statements.iter().skip(1).find_map(|statement| {
        let mut held = held::before(&all, statement);
        held.retain(|held| held.lock.mode.blocks_reads());
        if held.is_empty() {
            return None;
        }
        let work = slow_work(context, watch, transaction, statement)?;
        held.retain(|held| {
            held::mode_on(context, statement, &held.lock.relation).is_none_or(|mode| !mode.blocks_reads())
        });
        (!held.is_empty()).then_some((statement, work, held))
    })
}

/// A table that the statement reads or writes whole, and that is not known to be small.
fn slow_work<'a>(
    context: &Context<'a>,
    watch: &Watch<'_, 'a>,
    transaction: &Transaction<'a>,
    statement: &'a Statement,
) -> Option<&'a TableLock> {
    let works = |lock: &&TableLock| lock.scans || lock.rewrites;
    let mut works = context.locks(statement).iter().filter(works).peekable();
    works.peek()?;
    if only_validates_own(context, transaction, statement) {
        return None;
    }
    let step = watch.steps_of(statement).first()?;
    works.find(|lock| size::of(context, step, &lock.relation) != Size::Small)
}

/// VALIDATE of constraints that the transaction has added itself.
fn only_validates_own(context: &Context<'_>, transaction: &Transaction<'_>, statement: &Statement) -> bool {
    statement.effects.iter().all(|effect| match &effect.operation {
        Operation::ValidateConstraint(validated) => {
            let earlier = transaction.before(statement).flat_map(|earlier| &earlier.effects);
            earlier.into_iter().any(|effect| match &effect.operation {
                Operation::AddConstraint(added) => {
                    added.constraint.name.as_ref() == Some(&validated.name)
                        && context.same(ObjectKind::Table, &added.table, &validated.table)
                }
                _ => false,
            })
        }
        _ => false,
    })
}

/// The clause that takes its time; the first one where it cannot be told.
fn slow_step<'s, 'a>(steps: &'s [Step<'a>]) -> Option<&'s Step<'a>> {
    let slow = |step: &&Step<'_>| {
        matches!(
            step.effect.operation,
            Operation::AddConstraint(_)
                | Operation::AlterColumnType(_)
                | Operation::CreateIndex(_)
                | Operation::SetNotNull(_)
                | Operation::ValidateConstraint(_)
        )
    };
    let adds = |step: &&Step<'_>| matches!(step.effect.operation, Operation::AddColumn(_));
    let found = steps.iter().find(slow).or_else(|| steps.iter().find(adds));
    found.or_else(|| steps.first())
}

/// A foreign key of columns that the migration has added without a value: it is read over, and nothing is looked up.
fn tests_nothing(context: &Context<'_>, step: &Step<'_>) -> bool {
    let Operation::AddConstraint(added) = &step.effect.operation else {
        return false;
    };
    let gives_none = |column: &String| {
        let name = ColumnName::new(added.table.clone(), column.clone());
        context
            .steps_before(step)
            .any(|earlier| match &earlier.effect.operation {
                Operation::AddColumn(new) => {
                    let then = ColumnName::new(new.table.clone(), new.column.name.clone());
                    let plain = new.column.default.is_none() && new.column.generated.is_none();
                    let same = context.column_after(&earlier, step, &name);
                    plain && same.is_some_and(|same| context.same_column(&same, &then))
                }
                _ => false,
            })
    };
    let filled = context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::Update(rows) | Operation::Insert(rows) => {
                context.same(ObjectKind::Table, &rows.table, &added.table)
            }
            _ => false,
        });
    added.constraint.kind == ConstraintKind::ForeignKey && !filled && added.constraint.columns.iter().any(gives_none)
}

fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    watch: &Watch<'_, '_>,
    slow: &Statement,
    work: &TableLock,
    held: &[Held<'_>],
) {
    let Some(step) = slow_step(watch.steps_of(slow)) else {
        return;
    };
    let Some(worst) = held.first() else { return };
    let table = work.relation.short();
    let rows = size::in_words(context, step, &work.relation);
    let does = if work.rewrites {
        format!("{} {table}{rows} anew", step.verb("writes", "write"))
    } else {
        format!("{} every row of {table}{rows}", step.verb("reads", "read"))
    };
    let locked = worst.lock.relation.short();
    let finding = findings.report(
        step,
        format!(
            "{does} in a transaction that has locked {locked} before: nobody can read or write {locked} until that \
        is done"
        ),
    );
    if size::of(context, step, &work.relation) == Size::Large {
        finding.severity(Severity::High);
    } else if tests_nothing(context, step) {
        finding.severity(Severity::Low);
    }
    for held in held.iter().take(3) {
        let locked = held.lock.relation.short();
        finding.label(
            held.step.effect.at,
            format!("takes {} on {locked} until the end", held.lock.mode),
        );
    }
    finding.help("put the slow statement into a migration of its own, or above the one that takes the lock");
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str = "CREATE TABLE users (id int PRIMARY KEY, email text); CREATE TABLE \"Orders\" (id int PRIMARY KEY, \
    user_id int, no int);";
    const INDEX: &str = "reads every row of users in a transaction that has locked users before: nobody can read or \
    write users until that is done";

    #[test]
    fn slow_work_under_a_lock_that_it_does_not_need() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE users ADD name text; CREATE INDEX i ON users (name);",
            Medium,
            INDEX,
        );
        rule.reports(
            "",
            "ALTER TABLE users ADD name text; CREATE INDEX i ON users (name);",
            Medium,
            INDEX,
        );
        rule.reports(
            T,
            "-- why\nBEGIN; ALTER TABLE public.users RENAME email TO mail; CREATE UNIQUE INDEX i ON users (mail); \
             COMMIT;",
            Medium,
            INDEX,
        );
        let other = "of Orders in a transaction that has locked users before: nobody can read or write users until \
        that is done";
        rule.reports(
            T,
            "ALTER TABLE users ADD name text; ALTER TABLE \"Orders\" ALTER no SET NOT NULL; CREATE INDEX i ON users \
             (name);",
            Medium,
            &format!("reads every row {other}"),
        );
        rule.reports(
            T,
            "ALTER TABLE users ADD name text; ALTER TABLE \"Orders\" ALTER no TYPE bigint;",
            Medium,
            "writes Orders anew in a transaction that has locked users before: nobody can read or write users until \
             that is done",
        );
        rule.reports(
            T,
            "ALTER TABLE \"Orders\" ADD owner int; ALTER TABLE \"Orders\" ADD CONSTRAINT f FOREIGN KEY (owner) \
             REFERENCES users (id);",
            Low,
            "reads every row of Orders in a transaction that has locked Orders before: nobody can read or write Orders \
             until that is done",
        );
    }

    #[test]
    fn the_size_of_what_is_worked_through_counts() {
        let rule = postgres(&RULE);
        let script = "ALTER TABLE users ADD name text; CREATE INDEX i ON \"Orders\" (no);";
        let message = "reads every row of Orders with about 5,000,000 rows in a transaction that has locked users \
                       before: nobody can read or write users until that is done";
        assert_reports(
            &rule.on(T).rows("Orders", 5_000_000).rows("users", 50),
            script,
            High,
            message,
        );
        assert_ignores(&rule.on(T).rows("Orders", 50).rows("users", 5_000_000), script);
    }

    #[test]
    fn quick_statements_and_locks_that_are_needed_anyway() {
        let rule = postgres(&RULE);
        for script in [
            "ALTER TABLE users ADD name text; ALTER TABLE users ALTER name SET DEFAULT ''; ALTER TABLE \"Orders\" ADD \
             x int;",
            "ALTER TABLE users ADD name text; ALTER TABLE users ALTER id TYPE bigint;",
            "CREATE INDEX i ON users (email); ALTER TABLE users ADD name text;",
            "CREATE TABLE t (a int); ALTER TABLE t ADD b int; CREATE INDEX i ON t (b);",
            "ALTER TABLE users ADD name text; CREATE INDEX CONCURRENTLY i ON users (name);",
            "BEGIN; ALTER TABLE users ADD name text; COMMIT; CREATE INDEX i ON users (name);",
            "-- tollgate:transaction off\nALTER TABLE users ADD name text; CREATE INDEX i ON users (name);",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT c;",
            "ALTER TABLE users ADD name text; CREATE TABLE t (a int); CREATE INDEX i ON t (a);",
            "DROP TABLE users; CREATE INDEX i ON \"Orders\" (no);",
        ] {
            rule.ignores(T, script);
        }
        let pending = rule.on(T).pending("CREATE TABLE t (a int);");
        assert_ignores(&pending, "ALTER TABLE t ADD b int; CREATE INDEX i ON t (b);");
    }
}
