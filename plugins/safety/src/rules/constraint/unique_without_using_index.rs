//! `unique-without-using-index`: a unique constraint builds its index while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Dialect, Severity};

use super::key;

pub(super) const RULE: Rule = Rule {
    id: "unique-without-using-index",
    summary: "ADD UNIQUE keeps everybody from the table while it builds its index",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a unique constraint that is added to a table in use without `USING INDEX`, also beside a new column. High \
where the catalog says that the table is large.

**Why it matters.** The table is locked exclusively (ACCESS EXCLUSIVE) until the index is built: nobody can even read it.

**Instead.** `CREATE UNIQUE INDEX CONCURRENTLY`, and then `ADD CONSTRAINT … UNIQUE USING INDEX`, which is done at once. A \
partitioned table does not take USING INDEX: add the constraint to `ONLY` the parent, to each partition in that way, and attach \
the partitions' indexes.",
    bad: "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);",
    good: "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    key::check(context, findings, ConstraintKind::Unique);
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str = "CREATE SCHEMA app; CREATE TABLE users (id int, email text, org int);
        CREATE TABLE app.\"Users\" (\"Email\" text); CREATE TABLE parts (a int) PARTITION BY LIST (a);";
    const ADD: &str = "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email);";
    const MESSAGE: &str = "builds the index of the unique constraint u on users, while nobody can use it";

    #[test]
    fn nobody_can_use_the_table() {
        let rule = postgres(&RULE);
        rule.reports("", ADD, Medium, MESSAGE);
        rule.reports(
            USERS,
            "ALTER TABLE ONLY public.users ADD CONSTRAINT u UNIQUE (email, org) DEFERRABLE;",
            Medium,
            MESSAGE,
        );
        let message = "builds the index of a unique constraint (Email) on app.Users, while nobody can use it";
        rule.reports(
            USERS,
            "ALTER TABLE app.\"Users\" ADD UNIQUE (\"Email\");",
            Medium,
            message,
        );
        let message = "builds the index of a unique constraint (slug) on users, while nobody can use it";
        rule.reports(USERS, "ALTER TABLE users ADD COLUMN slug text UNIQUE;", Medium, message);
        let message = "builds the index of a unique constraint (a) on parts, while nobody can use it";
        rule.reports(USERS, "ALTER TABLE parts ADD UNIQUE (a);", Medium, message);
        let message =
            "builds the index of the unique constraint u on users (about 1,500,000 rows), while nobody can use it";
        assert_reports(&rule.on(USERS).rows("users", 1_500_000), ADD, High, message);
    }

    #[test]
    fn it_is_done_at_once() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i;");
        rule.ignores(USERS, "CREATE TABLE t (a int UNIQUE); ALTER TABLE t ADD UNIQUE (a);");
        rule.ignores(USERS, "ALTER TABLE users ADD PRIMARY KEY (id);");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t ADD UNIQUE (a);",
        );
        assert_ignores(&rule.on(USERS).rows("users", 8), ADD);
    }

    #[test]
    fn the_index_can_be_built_first() {
        let test = postgres(&RULE).on(USERS);
        for (script, expected) in [
            (
                ADD,
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u ON users (email);\n\
                 ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX u;",
            ),
            (
                "ALTER TABLE app.\"Users\" ADD UNIQUE (\"Email\"), ADD COLUMN x int;",
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"Users_Email_key\" ON app.\"Users\" (\"Email\");\n\
                 ALTER TABLE app.\"Users\" ADD UNIQUE USING INDEX \"Users_Email_key\", ADD COLUMN x int;",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        for script in [
            "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email) DEFERRABLE;",
            "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email) INCLUDE (org);",
            "ALTER TABLE users ADD COLUMN slug text, ADD CONSTRAINT u UNIQUE (slug);",
            "BEGIN; ALTER TABLE users ADD CONSTRAINT u UNIQUE (email); COMMIT;",
            "ALTER TABLE parts ADD UNIQUE (a);",
        ] {
            assert_eq!(fixed(&test, script), None, "{script}");
        }
    }
}
