//! `unbatched-backfill`: many rows are changed in one statement.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::backfill::{self, Backfill, Verb};
use super::rows::Reach;
use crate::size::Size;

pub(super) const RULE: Rule = Rule {
    id: "unbatched-backfill",
    summary: "Many rows are changed in one statement, and stay locked until the last of them",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["update", "delete", "insert", "create-table"],
    explanation: "\
**What it does.** Reports `UPDATE`, `DELETE`, `MERGE` and `INSERT … SELECT` on a table that may hold rows, where the \
statement does not say that it touches few of them: not the rows of a key (`WHERE id = …`, `id IN (…)`), not a range \
of the key, not a batch with `LIMIT`. Joins, CTEs, DO blocks and functions that the migration calls are looked \
through. Batches are reported, too, when the next one follows in the same transaction. A DO block or procedure that \
commits inside its loop is not reported, nor are `INSERT … VALUES`, new and empty tables, and tables of up to 10,000 \
rows where a database is connected. High for every row of a table known to be large, low where values of a column that \
is no key are named.

**Why it matters.** Every changed row stays locked until the statement ends, so the application's writes wait for it. \
The old versions of all rows stay on disk as long, autovacuum cannot clear any table meanwhile, replicas fall behind, \
and a failure near the end loses all of it.

**Instead.** Change a few thousand rows at a time and commit after each time: a DO block or procedure with `COMMIT` in \
its loop, in a file that begins with `-- tollgate:transaction off`, or a job of the application.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email text, mail text);\n-- migration\nUPDATE users SET mail = \
    lower(email);",
    good: "CREATE TABLE users (id int PRIMARY KEY, email text, mail text);\n-- migration\n-- tollgate:transaction off\n\
           DO $$\nBEGIN\n  LOOP\n    UPDATE users SET mail = lower(email)\n    WHERE id IN (SELECT id FROM users WHERE \
           mail IS NULL LIMIT 5000);\n\
           \x20   EXIT WHEN NOT FOUND;\n    COMMIT;\n  END LOOP;\nEND $$;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "change a few thousand rows at a time: a DO block with COMMIT in its loop, in a file that begins \
                    with `-- tollgate:transaction off`, or a job of the application";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for found in backfill::of(context).iter().filter(|found| found.in_use) {
        let what = found.what(context);
        let how = if found.looped {
            "in a loop that never commits"
        } else {
            "in one statement"
        };
        let harm = match found.verb {
            Verb::Updates | Verb::Deletes => "they stay locked until the last of them is done",
            Verb::Copies => "nothing of it can be kept when it fails, and it holds back vacuum until it is done",
        };
        let how = if found.reach == Reach::Batch {
            "in the transaction of the one before"
        } else {
            how
        };
        findings
            .report(&found.step, format!("{what}, {how}: {harm}"))
            .severity(level(found))
            .help(HELP);
    }
}

fn level(found: &Backfill<'_>) -> Severity {
    match (found.reach, found.size) {
        (Reach::All, Size::Large) => Severity::High,
        (Reach::Named, Size::Large) | (Reach::All | Reach::Many | Reach::Batch, _) => Severity::Medium,
        (Reach::Few | Reach::Named, _) => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TYPE kind AS ENUM ('a', 'b');
        CREATE TABLE users (id uuid PRIMARY KEY, email text UNIQUE, \"mailLower\" text, org int, no int, kind kind, \
        adapter text, UNIQUE (org, no));
        CREATE TABLE \"Orders\" (id int PRIMARY KEY, user_id uuid, total int);";
    const LOCKED: &str = "in one statement: they stay locked until the last of them is done";

    #[test]
    fn every_row_or_many_of_them() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "UPDATE users SET a = 1;",
            Medium,
            &format!("updates every row of users, {LOCKED}"),
        );
        rule.reports(
            USERS,
            "UPDATE ONLY \"public\".\"users\" SET \"mailLower\" = lower(email) WHERE true;",
            Medium,
            &format!("updates every row of users, {LOCKED}"),
        );
        let many = format!("updates rows of users by a condition that may match many, {LOCKED}");
        for script in [
            "UPDATE users SET \"mailLower\" = lower(email) WHERE \"mailLower\" IS NULL;",
            "UPDATE users u SET org = o.total FROM \"Orders\" o WHERE o.user_id = u.id;",
            "UPDATE users SET org = 1 WHERE id IN (SELECT user_id FROM \"Orders\");",
            "UPDATE users SET org = 1 WHERE org <> 1;",
            "UPDATE users SET org = 1 WHERE kind = 'a';",
            "UPDATE users SET org = 1 WHERE id = '1' OR email LIKE 'a%';",
            "WITH o AS (SELECT user_id, max(total) AS total FROM \"Orders\" GROUP BY 1) UPDATE users SET org = o.total \
             FROM o WHERE o.user_id = users.id;",
            "WITH changed AS (UPDATE users SET org = 2 WHERE org IS NULL RETURNING id) SELECT count(*) FROM changed;",
            "MERGE INTO users u USING \"Orders\" o ON o.user_id = u.id WHEN MATCHED THEN UPDATE SET org = 1;",
        ] {
            rule.reports(USERS, script, Medium, &many);
        }
        rule.reports(
            USERS,
            "DELETE FROM \"Orders\" USING users WHERE users.id = user_id AND users.kind = 'b';",
            Medium,
            &format!("deletes rows of Orders by a condition that may match many, {LOCKED}"),
        );
        rule.reports(
            USERS,
            "DELETE FROM \"Orders\";",
            Medium,
            &format!("deletes every row of Orders, {LOCKED}"),
        );
    }

    #[test]
    fn rows_of_a_query() {
        let rule = postgres(&RULE);
        let message = "copies rows of a query into Orders, in one statement: nothing of it can be kept when it fails, \
                       and it holds back vacuum until it is done";
        rule.reports(
            USERS,
            "INSERT INTO \"Orders\" (user_id) SELECT id FROM users;",
            Medium,
            message,
        );
        rule.reports(
            USERS,
            "WITH moved AS (SELECT id FROM users) INSERT INTO public.\"Orders\" (user_id) SELECT id FROM moved ON \
             CONFLICT DO NOTHING;",
            Medium,
            message,
        );
        rule.ignores(USERS, "INSERT INTO \"Orders\" (id) VALUES (1), (2);");
        rule.ignores(
            USERS,
            "INSERT INTO \"Orders\" (id) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM \"Orders\" WHERE id = 1);",
        );
        rule.ignores(
            USERS,
            "INSERT INTO \"Orders\" (id) SELECT x FROM unnest(ARRAY[1, 2, 3]) AS x;",
        );
        rule.ignores(
            USERS,
            "CREATE TABLE copied (id uuid); INSERT INTO copied SELECT id FROM users;",
        );
        rule.ignores(
            "",
            "CREATE TABLE a (b int); CREATE TABLE c (b int); INSERT INTO a VALUES (1); INSERT INTO c SELECT b FROM a;",
        );
    }

    #[test]
    fn rows_that_are_named() {
        let rule = postgres(&RULE);
        for script in [
            "UPDATE users SET org = 1 WHERE id = '9b2c…';",
            "UPDATE users SET org = 1 WHERE users.\"id\" IN ('a', 'b') AND org IS NULL;",
            "UPDATE users SET org = 1 WHERE email = 'a@b.c';",
            "DELETE FROM users AS u WHERE (u.org = 1) AND (u.no = 2);",
            "DELETE FROM users WHERE id = ANY('{a,b}'::uuid[]);",
            "UPDATE users u SET org = v.org FROM (VALUES ('a'::uuid, 1)) AS v(id, org) WHERE v.id = u.id;",
        ] {
            rule.ignores(USERS, script);
        }
        rule.ignores("", "UPDATE users SET org = 1 WHERE id = 5;");
        let message = format!("updates rows of users by a condition that may match many, {LOCKED}");
        rule.reports(
            USERS,
            "UPDATE users SET adapter = 'b' WHERE adapter = 'a';",
            Low,
            &message,
        );
        assert_reports(
            &rule.on(USERS).rows("users", 8_000_000),
            "UPDATE users SET adapter = 'b' WHERE adapter = 'a';",
            Medium,
            "updates rows of users with about 8,000,000 rows by a condition that may match many, in one statement: \
             they stay locked until the last of them is done",
        );
        // Data that comes with the application: what is deleted is written out again.
        rule.ignores(
            USERS,
            "DELETE FROM users WHERE adapter IN ('a', 'b'); INSERT INTO users (id, adapter) VALUES ('1', 'a');",
        );
    }

    #[test]
    fn batches() {
        let rule = postgres(&RULE);
        for script in [
            "UPDATE users SET org = 1 WHERE id IN (SELECT id FROM users WHERE org IS NULL LIMIT 1000 FOR UPDATE SKIP \
             LOCKED);",
            "DELETE FROM users WHERE ctid = ANY(ARRAY(SELECT ctid FROM users WHERE org IS NULL LIMIT 10000));",
            "WITH batch AS (SELECT id FROM users LIMIT 500) UPDATE users SET org = 1 FROM batch WHERE batch.id = \
             users.id;",
            "UPDATE users SET org = 1 WHERE id BETWEEN '0' AND '1';",
            "DO $$ BEGIN LOOP UPDATE users SET org = 1 WHERE id IN (SELECT id FROM users WHERE org IS NULL LIMIT 9); \
             EXIT WHEN NOT FOUND; COMMIT; END LOOP; END $$;",
        ] {
            rule.ignores(USERS, script);
        }
        let message = "may update rows of users by a condition that may match many, in a loop that never commits: they \
                       stay locked until the last of them is done";
        for script in [
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM users LOOP UPDATE users SET org = 1 WHERE id = \
             r.id; END LOOP; END $$;",
            "do $x$ BEGIN LOOP UPDATE users SET org = 1 WHERE id IN (SELECT id FROM users WHERE org IS NULL LIMIT 9); \
             EXIT WHEN NOT FOUND; -- COMMIT;\n END LOOP; END $x$ LANGUAGE plpgsql;",
        ] {
            rule.reports(USERS, script, Medium, message);
        }
        rule.ignores(
            USERS,
            "DO $$ DECLARE one uuid := '1'; BEGIN FOR i IN 1..3 LOOP NULL; END LOOP; UPDATE users SET org = 1 WHERE id \
             = one; END $$;",
        );
        rule.reports(
            USERS,
            "DO $$ BEGIN EXECUTE 'UPDATE users SET org = 1'; END $$;",
            Medium,
            "may update every row of users, in one statement: they stay locked until the last of them is done",
        );
    }

    #[test]
    fn batches_of_one_transaction_are_none() {
        let rule = postgres(&RULE);
        let batches = "UPDATE users SET org = 1 WHERE id BETWEEN '0' AND '1'; UPDATE users SET org = 1 WHERE id \
                       BETWEEN '1' AND '2'; UPDATE users SET org = 1 WHERE id BETWEEN '2' AND '3';";
        let message = "updates another batch of users, in the transaction of the one before: they stay locked until \
                       the last of them is done";
        rule.reports(USERS, batches, Medium, message);
        rule.reports(USERS, &format!("BEGIN; {batches} COMMIT;"), Medium, message);
        rule.ignores(USERS, &format!("-- tollgate:transaction off\n{batches}"));
        rule.ignores(
            USERS,
            &batches
                .replace("; UPDATE", "; COMMIT; BEGIN; UPDATE")
                .replacen("UPDATE", "BEGIN; UPDATE", 1)
                .replace("'3';", "'3'; COMMIT;"),
        );
    }

    #[test]
    fn row_by_row() {
        let rule = postgres(&RULE);
        let message = "may copy rows of a query into Orders, in a loop that never commits: nothing of it can be kept \
                       when it fails, and it holds back vacuum until it is done";
        rule.reports(
            USERS,
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM users LOOP INSERT INTO \"Orders\" (user_id) VALUES \
             (r.id); END LOOP; END $$;",
            Medium,
            message,
        );
        for script in [
            "DO $$ BEGIN FOR i IN 1..20 LOOP INSERT INTO \"Orders\" (id) VALUES (i); END LOOP; END $$;",
            "DO $$ DECLARE x text; BEGIN FOREACH x IN ARRAY ARRAY['a', 'b'] LOOP UPDATE users SET org = 1 WHERE id = \
             x; END LOOP; END $$;",
            "DO $$ BEGIN INSERT INTO \"Orders\" (id) VALUES (1); END $$;",
        ] {
            rule.ignores(USERS, script);
        }
    }

    #[test]
    fn through_a_function_of_the_same_file() {
        let rule = postgres(&RULE);
        let function = "CREATE FUNCTION app.fill(many int) RETURNS void LANGUAGE plpgsql AS $$\nDECLARE n \
                        int;\nBEGIN\n  n := 1;\n  UPDATE public.users SET \"mailLower\" = lower(email) \
                        WHERE \"mailLower\" IS NULL;\nEND $$;";
        let message =
            format!("calls app.fill, which updates rows of users by a condition that may match many, {LOCKED}");
        rule.reports(USERS, &format!("{function} SELECT app.fill(5);"), Medium, &message);
        rule.ignores(USERS, function);
        rule.ignores(USERS, "SELECT app.fill(5);");
        // One that is there already.
        rule.reports(&format!("{USERS} {function}"), "SELECT app.fill(5);", Medium, &message);
        rule.ignores(
            USERS,
            &format!(
                "{} SELECT app.fill(5);",
                function.replace("WHERE \"mailLower\" IS NULL", "WHERE id = 'x'")
            ),
        );
        let procedure = "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN LOOP UPDATE users SET org = 1 WHERE id \
                         IN (SELECT id FROM users WHERE org IS NULL LIMIT 9); EXIT WHEN NOT FOUND; COMMIT; END LOOP; \
                         END $$;";
        rule.ignores(USERS, &format!("{procedure} CALL fill();"));
        let message = "calls fill, which updates rows of users by a condition that may match many, in a loop that \
                       never commits: they stay locked until the last of them is done";
        rule.reports(
            USERS,
            &format!("{} CALL fill();", procedure.replace("COMMIT;", "")),
            Medium,
            message,
        );
        let copies = "CREATE FUNCTION copy_all() RETURNS void LANGUAGE sql AS 'INSERT INTO \"Orders\" (user_id) SELECT \
        id FROM users';";
        let message = "calls copy_all, which copies rows of a query into Orders, in one statement: nothing of it can \
                       be kept when it fails, and it holds back vacuum until it is done";
        rule.reports(
            USERS,
            &format!("{copies} SELECT copy_all(); DROP FUNCTION copy_all();"),
            Medium,
            message,
        );
    }

    #[test]
    fn tables_without_many_rows() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE t (a int); UPDATE t SET a = 1;");
        rule.ignores(
            "",
            "CREATE TABLE t (a int); INSERT INTO t VALUES (1); DELETE FROM t WHERE a = 1;",
        );
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "UPDATE t SET a = 1;",
        );
        assert_ignores(&rule.on(USERS).rows("users", 0), "UPDATE users SET org = 1;");
        assert_ignores(&rule.on(USERS).rows("users", 10_000), "UPDATE users SET org = 1;");
        let large = "updates every row of users with about 2,000,000 rows, in one statement: they stay locked until \
        the last of them is done";
        assert_reports(
            &rule.on(USERS).rows("users", 2_000_000),
            "UPDATE users SET org = 1;",
            High,
            large,
        );
        sqlite(&RULE).ignores("", "UPDATE t SET a = 1;");
    }
}
