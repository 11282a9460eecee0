//! `ddl-and-backfill-in-one-transaction`: a table stays locked while rows are changed.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity, Span};

use super::backfill::{self, Backfill};
use super::held::{self, Held, Watch};
use super::rows::Reach;
use crate::size::Size;
use crate::transactions::{self, Kind};

pub(super) const RULE: Rule = Rule {
    id: "ddl-and-backfill-in-one-transaction",
    summary: "A schema change and a change of many rows in one transaction keep a table locked until all rows are done",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["update", "delete", "insert", "create-table"],
    explanation: "\
**What it does.** Reports the first statement of a transaction that changes many rows (`UPDATE`, `DELETE`, `MERGE`, \
`INSERT … SELECT`, also in CTEs and DO blocks) while an earlier statement of the transaction holds a lock that keeps \
others from reading or writing a table; and one whose table is altered later in the same transaction. A file is one \
transaction unless it says otherwise with BEGIN and COMMIT, with `-- tollgate:transaction off`, or has statements that \
run by themselves, such as `CREATE INDEX CONCURRENTLY`. Changes of rows named by their key, batches with LIMIT, and \
new, empty or small tables are not reported. High where every row of a table known to be large is changed.

**Why it matters.** `ALTER TABLE … ADD COLUMN` takes milliseconds, but its lock lasts until the transaction ends: with \
the `UPDATE` behind it the table cannot even be read for minutes. In the other order the `ALTER` waits for every \
reader while all changed rows stay locked.

**Instead.** Three migrations: the schema change; the rows, in batches that commit; what needs the rows (`SET NOT \
NULL`, constraints).",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email text);\n-- migration\n\
          ALTER TABLE users ADD COLUMN mail text;\nUPDATE users SET mail = lower(email);",
    good: "CREATE TABLE users (id int PRIMARY KEY, email text);\n-- migration\n\
           ALTER TABLE users ADD COLUMN mail text;\nUPDATE users SET mail = 'admin' WHERE id = 1;",
    also: &["unbatched-backfill"],
    check,
    ..Rule::DEFAULT
};

const HELP: &str =
    "make it three migrations: the schema change, the rows in batches that commit, and what needs them filled";

/// Most tables that get a label of their own.
const LABELS: usize = 3;

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    // Reading what a statement does with rows takes longest, and rows alone keep nobody out of a table.
    if context.all_steps().all(|step| changes_rows_alone(&step)) {
        return;
    }
    let backfills = backfill::of(context);
    if backfills.is_empty() {
        return;
    }
    let watch = Watch::new(context);
    for transaction in transactions::of(context) {
        let inside = backfills
            .iter()
            .filter(|found| transaction.kind != Kind::Alone && transaction.contains(found.step.statement));
        let inside: Vec<&Backfill<'_>> = inside.collect();
        if inside.is_empty() {
            continue;
        }
        let held = watch.of(&transaction);
        let behind = inside.iter().find_map(|found| {
            let mut held = held::before(&held, found.step.statement);
            held.extend(watch.inside(&found.step));
            (!held.is_empty()).then_some((found, held))
        });
        let ahead = || {
            let in_use = inside.iter().filter(|found| found.in_use);
            let mut later = in_use.filter_map(|found| Some((found, altered_later(context, &held, found)?)));
            later.next()
        };
        if let Some((found, held)) = behind {
            report_behind(context, findings, found, &held);
        } else if let Some((found, later)) = ahead() {
            report_ahead(context, findings, found, later);
        }
    }
}

fn changes_rows_alone(step: &Step<'_>) -> bool {
    matches!(
        step.effect.operation,
        Operation::Insert(_)
            | Operation::Update(_)
            | Operation::Delete(_)
            | Operation::SetParameter(_)
            | Operation::TransactionControl(_)
    )
}

fn report_behind(context: &Context<'_>, findings: &mut Findings<'_>, found: &Backfill<'_>, held: &[Held<'_>]) {
    // The worst lock: one on the table itself, one that keeps readers out.
    let own = |held: &&Held<'_>| context.same(ObjectKind::Table, &held.lock.relation, &found.table);
    let worst = held
        .iter()
        .max_by_key(|held| (held.lock.mode.blocks_reads(), own(held)));
    let Some(worst) = worst else { return };
    let message = format!(
        "{} in a transaction that has locked {} before: {} until all rows are done",
        found.what(context),
        worst.lock.relation.short(),
        worst.harm()
    );
    let finding = findings.report(&found.step, message);
    finding.severity(level(found)).help(HELP);
    for held in held.iter().take(LABELS) {
        finding.label(
            held.step.effect.at,
            format!(
                "takes {} on {} until the end",
                held.lock.mode,
                held.lock.relation.short()
            ),
        );
    }
}

fn report_ahead(context: &Context<'_>, findings: &mut Findings<'_>, found: &Backfill<'_>, later: Span) {
    let table = found.table.short();
    let message = format!(
        "{} in a transaction that alters {table} afterwards: that waits for everybody who uses {table} while the \
         changed rows stay locked",
        found.what(context)
    );
    let finding = findings.report(&found.step, message);
    finding.severity(level(found)).help(HELP);
    finding.label(later, format!("needs {table} for itself"));
}

fn level(found: &Backfill<'_>) -> Severity {
    match (found.reach, found.size) {
        (Reach::All, Size::Large) => Severity::High,
        (Reach::Named, Size::Small | Size::Middling) if !found.fills_new_column => Severity::Low,
        _ => Severity::Medium,
    }
}

/// Where a later statement of the transaction locks the table of the rows against everybody.
fn altered_later(context: &Context<'_>, held: &[Held<'_>], found: &Backfill<'_>) -> Option<Span> {
    let later = held.iter().find(|held| {
        held.step.statement.index > found.step.statement.index
            && held.lock.mode.blocks_reads()
            && context.same(ObjectKind::Table, &held.lock.relation, &found.table)
            && !matches!(held.step.effect.operation, Operation::Truncate(_))
    })?;
    Some(later.step.effect.at)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email text, role text); CREATE TABLE \"Orders\" (id \
    int PRIMARY KEY, user_id int);";
    const ADD: &str = "ALTER TABLE users ADD COLUMN mail text;";
    const FILL: &str = "UPDATE users SET mail = lower(email);";
    const EVERY: &str = "updates every row of users in a transaction that has locked users before: nobody can read or \
    write users until all rows are done";
    const MANY: &str = "updates rows of users by a condition that may match many in a transaction that has locked \
                        users before: nobody can read or write users until all rows are done";

    #[test]
    fn rows_are_changed_under_the_lock() {
        let rule = postgres(&RULE);
        rule.reports(USERS, &format!("{ADD} {FILL}"), Medium, EVERY);
        rule.reports("", &format!("{ADD} {FILL}"), Medium, EVERY);
        rule.reports(USERS, &format!("-- why\nBEGIN;\n{ADD}\n{FILL}\nCOMMIT;"), Medium, EVERY);
        for fill in [
            "UPDATE users SET mail = o.id::text FROM \"Orders\" o WHERE o.user_id = users.id;",
            "UPDATE \"public\".\"users\" SET mail = email WHERE mail IS NULL;",
            "WITH o AS (SELECT user_id FROM \"Orders\") UPDATE users SET mail = '' FROM o WHERE o.user_id = users.id;",
            "WITH x AS (UPDATE users SET mail = email WHERE mail IS NULL RETURNING 1) SELECT count(*) FROM x;",
        ] {
            rule.reports(USERS, &format!("{ADD} {fill}"), Medium, MANY);
        }
        rule.reports(
            USERS,
            "ALTER TABLE users ADD org int; INSERT INTO \"Orders\" (user_id) SELECT id FROM users;",
            Medium,
            "copies rows of a query into Orders in a transaction that has locked users before: nobody can read or \
             write users until all rows are done",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users DROP COLUMN role; DELETE FROM \"Orders\" WHERE user_id IS NULL;",
            Medium,
            "deletes rows of Orders by a condition that may match many in a transaction that has locked users before: \
             nobody can read or write users until all rows are done",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users ADD mail text; DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM users LOOP UPDATE \
             users SET mail = r.email WHERE id = r.id; END LOOP; END $$;",
            Medium,
            &MANY.replace("updates", "may update"),
        );
    }

    #[test]
    fn a_constraint_or_a_block_may_lock() {
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            &format!(
                "ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID; {}",
                FILL.replace("mail =", "role =")
            ),
            Medium,
            EVERY,
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"Orders\" ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID; UPDATE \
             users SET role = 'x';",
            Medium,
            "updates every row of users in a transaction that has locked users before: nobody can write users until \
             all rows are done",
        );
        rule.reports(
            USERS,
            &format!("DO $$ BEGIN {ADD} IF true THEN {FILL} END IF; END $$;"),
            Medium,
            &EVERY.replace("updates", "may update"),
        );
        rule.reports(
            USERS,
            "CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS 'UPDATE users SET role = lower(email)'; ALTER TABLE \
             users ADD a int; SELECT fill();",
            Medium,
            &EVERY.replace("updates", "calls fill, which updates"),
        );
        rule.reports(
            USERS,
            &format!(
                "LOCK TABLE users IN EXCLUSIVE MODE; {}",
                FILL.replace("mail =", "role =")
            ),
            Medium,
            &EVERY.replace("read or write", "write"),
        );
    }

    #[test]
    fn rows_of_the_migration_s_own_tables() {
        let rule = postgres(&RULE);
        for script in [
            "CREATE TABLE seed (id int, mail text); INSERT INTO seed VALUES (1, 'x'); UPDATE seed SET mail = '';",
            "CREATE TEMP TABLE seed AS SELECT 1 AS id, 'x' AS email; UPDATE seed SET email = '';",
            "CREATE TEMP TABLE seed (id int, mail text); INSERT INTO seed VALUES (1, 'x'); UPDATE users SET mail = \
             s.mail FROM seed s WHERE s.id = users.id;",
            "CREATE TABLE seed (id int); INSERT INTO seed VALUES (1); INSERT INTO \"Orders\" (user_id) SELECT id FROM \
             seed;",
        ] {
            rule.ignores(USERS, &format!("{ADD} {script}"));
        }
        rule.reports(
            USERS,
            &format!(
                "{ADD} CREATE TEMP TABLE moved AS SELECT id, email FROM users; UPDATE users SET mail = m.email \
            FROM moved m WHERE m.id = users.id;"
            ),
            Medium,
            "copies rows of a query into moved in a transaction that has locked users before: nobody can read or write \
             users until all rows are done",
        );
    }

    #[test]
    fn a_new_table_may_lock_an_old_one() {
        postgres(&RULE).reports(
            USERS,
            "CREATE TABLE orgs (id int PRIMARY KEY, owner int REFERENCES users (id)); INSERT INTO orgs (id, owner) \
             SELECT id, id FROM users;",
            Medium,
            "copies rows of a query into orgs in a transaction that has locked users before: nobody can write users \
             until all rows are done",
        );
        postgres(&RULE).ignores(
            USERS,
            "CREATE TABLE orgs (id int PRIMARY KEY); INSERT INTO orgs (id) SELECT id FROM users;",
        );
    }

    #[test]
    fn the_other_way_round() {
        let message = "updates every row of users in a transaction that alters users afterwards: that waits for \
                       everybody who uses users while the changed rows stay locked";
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            "UPDATE users SET role = 'x'; ALTER TABLE users ALTER role SET NOT NULL;",
            Medium,
            message,
        );
        rule.ignores(
            USERS,
            "UPDATE users SET role = 'x'; ALTER TABLE \"Orders\" ADD total int;",
        );
        // One finding a transaction, about what is worse.
        rule.reports(
            USERS,
            &format!("{ADD} {FILL} ALTER TABLE users ALTER mail SET NOT NULL;"),
            Medium,
            EVERY,
        );
    }

    #[test]
    fn what_is_known_of_the_rows_counts() {
        let rule = postgres(&RULE);
        let large = "updates every row of users with about 3,000,000 rows in a transaction that has locked users \
                     before: nobody can read or write users until all rows are done";
        assert_reports(
            &rule.on(USERS).rows("users", 3_000_000),
            &format!("{ADD} {FILL}"),
            High,
            large,
        );
        assert_ignores(&rule.on(USERS).rows("users", 800), &format!("{ADD} {FILL}"));
        rule.reports(
            USERS,
            &format!("{ADD} UPDATE users SET role = 'b' WHERE role = 'a';"),
            Low,
            MANY,
        );
        rule.reports(
            USERS,
            &format!("{ADD} UPDATE users SET mail = 'b' WHERE role = 'a';"),
            Medium,
            MANY,
        );
    }

    #[test]
    fn transactions_of_their_own() {
        let rule = postgres(&RULE);
        for script in [
            FILL.replace("mail", "role"),
            format!("BEGIN; {ADD} COMMIT; {FILL}"),
            format!("BEGIN; {ADD} COMMIT; BEGIN; {FILL} COMMIT;"),
            format!("-- tollgate:transaction off\n{ADD}\n{FILL}"),
            format!("{ADD} CREATE INDEX CONCURRENTLY i ON users (email); {FILL}"),
            format!(
                "{ADD} DO $$ BEGIN LOOP UPDATE users SET mail = email WHERE id IN (SELECT id FROM users LIMIT 9); \
                 COMMIT; END LOOP; END $$;"
            ),
        ] {
            rule.ignores(USERS, &script);
        }
        rule.reports(
            USERS,
            &format!("CREATE INDEX CONCURRENTLY i ON users (email); {ADD} {FILL}"),
            Medium,
            EVERY,
        );
        rule.reports(
            USERS,
            &format!("SELECT 1; BEGIN; {ADD} SAVEPOINT a; {FILL} COMMIT; SELECT 1;"),
            Medium,
            EVERY,
        );
    }

    #[test]
    fn few_rows_or_no_lock() {
        let rule = postgres(&RULE);
        for script in [
            "UPDATE users SET mail = 'x' WHERE id = 7;",
            "UPDATE users SET mail = 'x' WHERE id IN (1, 2, 3);",
            "UPDATE users SET mail = 'x' WHERE id IN (SELECT id FROM users LIMIT 100);",
            "INSERT INTO users (id, mail) VALUES (1, 'x');",
            "INSERT INTO \"Orders\" (id) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM \"Orders\");",
        ] {
            rule.ignores(USERS, &format!("{ADD} {script}"));
        }
        rule.ignores(
            USERS,
            "CREATE TABLE t (a int); ALTER TABLE t ADD b int; UPDATE t SET b = a;",
        );
        rule.ignores(
            USERS,
            "COMMENT ON TABLE users IS 'people'; UPDATE users SET role = 'x';",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users VALIDATE CONSTRAINT c; UPDATE users SET role = 'x';",
        );
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t ADD b int; INSERT INTO t VALUES (1); UPDATE t SET b = 1;",
        );
        sqlite(&RULE).ignores(USERS, &format!("{ADD} {FILL}"));
    }
}
