//! `index-not-concurrent`: an index is built while nobody can write to the table.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedIndex, Dialect, Edit, Operation, RelationKind, Severity, Suggestion};

use super::{present, shown};
use crate::sql;
use crate::tables::busy;
use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "index-not-concurrent",
    summary: "CREATE INDEX keeps everybody from writing to the table until it is built",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["create-index"],
    explanation: "\
**What it does.** Reports `CREATE INDEX` without `CONCURRENTLY` on a table that is in use. High where the catalog says that the \
table is large. Silent on tables that the same plan makes, on empty and small ones, and on materialized views, where it only \
holds up a refresh.

**Why it matters.** The build takes a SHARE lock: inserts, updates and deletes wait until the whole table has been read and \
sorted, which takes minutes on a large one.

**Instead.** `CREATE INDEX CONCURRENTLY`, in a migration of its own. It takes longer, and nobody waits for it.",
    bad: "CREATE INDEX users_email_idx ON users (email);",
    good: "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    for step in context.steps() {
        let Operation::CreateIndex(index) = &step.effect.operation else {
            continue;
        };
        if index.concurrently || index.only {
            continue;
        }
        if index.if_not_exists && present(context, &step, index).is_some() {
            continue;
        }
        let Some(table) = busy(context, &step, &index.table) else {
            continue;
        };
        // CONCURRENTLY is refused on a partitioned table: another rule says what to do there.
        if table.is_partitioned() || table.is(RelationKind::MaterializedView) {
            continue;
        }
        let verb = step.verb("builds", "build");
        let message = format!(
            "{verb} {} on {}, which nobody can write to until it is done",
            shown(index),
            table.shown()
        );
        let finding = findings.report(&step, message).severity(table.severity());
        let inside = transactions.is_fixed(step.statement);
        if step.effect.conditional || inside {
            finding.help("build it CONCURRENTLY, outside of a transaction and of any block");
        } else {
            finding.help("build it CONCURRENTLY: that takes longer, but nobody waits for it");
            if let Some(edit) = edit(context, &step, index) {
                finding.suggest(Suggestion::automatic("build it CONCURRENTLY", vec![edit]));
            }
        }
    }
}

/// CONCURRENTLY behind the word INDEX. What is tried again after a failure says IF NOT EXISTS too.
fn edit(context: &Context<'_>, step: &Step<'_>, index: &CreatedIndex) -> Option<Edit> {
    let tokens = sql::statement_tokens(context, step.statement);
    let word = tokens.iter().find(|token| token.is("index"))?;
    let again = if index.if_not_exists || index.name.is_none() {
        ""
    } else {
        " IF NOT EXISTS"
    };
    Some(Edit::insert(word.end, format!(" CONCURRENTLY{again}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a failing test should stop here")]

    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str = "CREATE SCHEMA app; CREATE TABLE users (id int PRIMARY KEY, email text, \"Org\" int);
        CREATE TABLE app.\"Users\" (id int, email text);";
    const MESSAGE: &str = "builds the index i on users, which nobody can write to until it is done";

    #[test]
    fn writers_wait_for_the_build() {
        let rule = postgres(&RULE);
        rule.reports("", "CREATE INDEX i ON users (email);", Medium, MESSAGE);
        rule.reports(
            USERS,
            "-- why\nCREATE UNIQUE INDEX IF NOT EXISTS i ON public.users USING btree (email) WHERE id > 1;",
            Medium,
            MESSAGE,
        );
        let message = "builds an index (email, lower(email)) on app.Users, which nobody can write to until it is done";
        rule.reports(
            USERS,
            "CREATE INDEX ON app.\"Users\" (email, lower(email));",
            Medium,
            message,
        );
        let message = "may build the index i on users, which nobody can write to until it is done";
        rule.reports(
            USERS,
            "DO $$ BEGIN CREATE INDEX i ON users (email); END $$;",
            Medium,
            message,
        );
        let renamed = "ALTER TABLE users RENAME TO people; CREATE INDEX i ON people (email);";
        let message = "builds the index i on people, which nobody can write to until it is done";
        rule.reports(USERS, renamed, Medium, message);
    }

    #[test]
    fn the_catalog_says_how_large_the_table_is() {
        let test = postgres(&RULE).on(USERS);
        let message = "builds the index i on users (about 3,200,000 rows), which nobody can write to until it is done";
        assert_reports(
            &test.clone().rows("users", 3_200_000),
            "CREATE INDEX i ON users (email);",
            High,
            message,
        );
        let message = "builds the index i on users (about 50,000 rows), which nobody can write to until it is done";
        assert_reports(
            &test.clone().rows("users", 50_000),
            "CREATE INDEX i ON users (email);",
            Medium,
            message,
        );
        assert_ignores(&test.clone().rows("users", 120), "CREATE INDEX i ON users (email);");
        assert_ignores(&test.rows("users", 0), "CREATE INDEX i ON users (email);");
    }

    #[test]
    fn nobody_waits() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "CREATE INDEX CONCURRENTLY i ON users (email);");
        rule.ignores("", "CREATE TABLE t (a int); CREATE INDEX i ON t (a);");
        rule.ignores(USERS, "DELETE FROM users; CREATE INDEX i ON users (email);");
        rule.ignores(USERS, "TRUNCATE users CASCADE; CREATE INDEX i ON public.users (email);");
        rule.reports(
            USERS,
            "DELETE FROM users WHERE id > 5; CREATE INDEX i ON users (email);",
            Medium,
            MESSAGE,
        );
        let required = "ALTER TABLE users ADD COLUMN slug text NOT NULL; CREATE INDEX i ON users (email);";
        rule.ignores(USERS, required);
        let with_values = required.replace("text", "text DEFAULT 'a'");
        rule.reports(USERS, &with_values, Medium, MESSAGE);
        let filled = "DELETE FROM users; INSERT INTO users SELECT 1; CREATE INDEX i ON users (email);";
        rule.reports(USERS, filled, Medium, MESSAGE);
        let qualified = "CREATE TABLE \"public\".\"T\" (a int); CREATE INDEX i ON \"T\" (a);";
        rule.ignores("", qualified);
        rule.ignores(USERS, qualified);
        rule.ignores(
            USERS,
            "CREATE TABLE t (a int); ALTER TABLE t RENAME TO u; CREATE INDEX i ON public.u (a);",
        );
        let if_absent = "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX IF NOT EXISTS i ON t (a);";
        rule.ignores("", if_absent);
        let there = "CREATE TABLE t (a int);";
        let message = "builds the index i on t, which nobody can write to until it is done";
        rule.reports(there, if_absent, Medium, message);
        rule.ignores("", "CREATE TABLE t AS SELECT 1 AS a; CREATE INDEX i ON t (a);");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "CREATE INDEX i ON t (a);",
        );
        let view = "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT a FROM t;";
        rule.ignores(view, "CREATE UNIQUE INDEX i ON v (a);");
        let there = "CREATE TABLE t (a int); CREATE INDEX i ON t (a);";
        rule.ignores(there, "CREATE INDEX IF NOT EXISTS i ON t (a);");
        let parent = "CREATE TABLE t (a int) PARTITION BY RANGE (a);";
        rule.ignores(parent, "CREATE INDEX i ON t (a);");
        rule.ignores("", "CREATE INDEX i ON ONLY t (a);");
    }

    #[test]
    fn it_can_be_built_concurrently() {
        let test = postgres(&RULE).on(USERS);
        for (script, expected) in [
            (
                "CREATE INDEX i ON users (email);",
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);",
            ),
            (
                "CREATE UNIQUE/* INDEX */INDEX IF NOT EXISTS i ON users (email);",
                "CREATE UNIQUE/* INDEX */INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);",
            ),
            (
                "create index on users (email)",
                "create index CONCURRENTLY on users (email)",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        for script in [
            "BEGIN; CREATE INDEX i ON users (email); COMMIT;",
            "-- tollgate:transaction on\nCREATE INDEX i ON users (email);",
            "DO $$ BEGIN CREATE INDEX i ON users (email); END $$;",
        ] {
            assert!(test.check(script)[0].suggestions.is_empty(), "{script}");
        }
    }
}
