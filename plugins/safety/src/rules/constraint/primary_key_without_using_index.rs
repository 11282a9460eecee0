//! `primary-key-without-using-index`: a primary key builds its index while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Dialect, Severity};

use super::key;

pub(super) const RULE: Rule = Rule {
    id: "primary-key-without-using-index",
    summary: "ADD PRIMARY KEY keeps everybody from the table while it builds its index",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a primary key that is added to a table in use without `USING INDEX`, also beside a new column. High where \
the catalog says that the table is large.

**Why it matters.** The table is locked exclusively (ACCESS EXCLUSIVE) until the index is built, and before that all rows are read \
when a column of the key may be NULL.

**Instead.** Make the columns NOT NULL, `CREATE UNIQUE INDEX CONCURRENTLY`, and then `ADD CONSTRAINT … PRIMARY KEY USING INDEX`, \
which is done at once.",
    bad: "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (id);",
    good: "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_pkey;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    key::check(context, findings, ConstraintKind::PrimaryKey);
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str =
        "CREATE TABLE users (id int NOT NULL, email text); CREATE TABLE \"Tags\" (a int NOT NULL, b int NOT NULL,
        CONSTRAINT \"Tags_pkey\" PRIMARY KEY (a));";
    const ADD: &str = "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (id);";
    const MESSAGE: &str = "builds the index of the primary key (id) on users, while nobody can use it";

    #[test]
    fn nobody_can_use_the_table() {
        let rule = postgres(&RULE);
        rule.reports("", ADD, Medium, MESSAGE);
        rule.reports(
            USERS,
            "ALTER TABLE \"public\".\"users\" ADD PRIMARY KEY (\"id\");",
            Medium,
            MESSAGE,
        );
        let message = "builds the index of the primary key (a, b) on Tags, while nobody can use it";
        let script =
            "ALTER TABLE \"Tags\" DROP CONSTRAINT \"Tags_pkey\", ADD CONSTRAINT \"Tags_pkey\" PRIMARY KEY (a, b);";
        rule.reports(USERS, script, Medium, message);
        let message = "builds the index of the primary key (n) on users, while nobody can use it";
        rule.reports(
            USERS,
            "ALTER TABLE users ADD COLUMN n bigserial PRIMARY KEY;",
            Medium,
            message,
        );
        let message =
            "builds the index of the primary key (id) on users (about 9,000,000 rows), while nobody can use it";
        assert_reports(&rule.on(USERS).rows("users", 9_000_000), ADD, High, message);
    }

    #[test]
    fn it_is_done_at_once() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users ADD PRIMARY KEY USING INDEX i;");
        rule.ignores(USERS, "CREATE TABLE t (a int); ALTER TABLE t ADD PRIMARY KEY (a);");
        rule.ignores(USERS, "ALTER TABLE users ADD UNIQUE (id);");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t ADD PRIMARY KEY (a);",
        );
        assert_ignores(&rule.on(USERS).rows("users", 0), ADD);
    }

    #[test]
    fn the_index_can_be_built_first() {
        let test = postgres(&RULE).on(USERS);
        for (script, expected) in [
            (
                ADD,
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_pkey ON users (id);\n\
                 ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_pkey;",
            ),
            (
                "ALTER TABLE \"Tags\" DROP CONSTRAINT \"Tags_pkey\", ADD CONSTRAINT \"Tags_pkey\" PRIMARY KEY (a, b);",
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"Tags_pkey_new\" ON \"Tags\" (a, b);\n\
                 ALTER TABLE \"Tags\" DROP CONSTRAINT \"Tags_pkey\", ADD CONSTRAINT \"Tags_pkey\" PRIMARY KEY USING INDEX \"Tags_pkey_new\";",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        // The column may be NULL, so all rows have to be read under the lock.
        assert_eq!(fixed(&test, "ALTER TABLE users ADD PRIMARY KEY (email);"), None);
    }
}
