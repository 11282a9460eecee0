//! `mixed-case-identifier`: names with capitals.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

use crate::names::given;

pub(super) const RULE: Rule = Rule {
    id: "mixed-case-identifier",
    summary: "a name with capital letters",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports tables, columns, types, constraints and the like whose name has capital letters, which PostgreSQL only keeps \
inside quotes.

**Why it matters.** `SELECT fullName FROM users` looks for `fullname` and fails; everybody who writes a query by hand has to know \
which names are to be quoted. Leave the rule off in a Prisma project that takes the names of its models over as they are.

**Instead.** Write `snake_case`. With Prisma: `@map(\"full_name\")` and `@@map(\"users\")`.",
    bad: "CREATE TABLE users (id bigint PRIMARY KEY, \"fullName\" text);",
    good: "CREATE TABLE users (id bigint PRIMARY KEY, full_name text);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for named in given(context) {
        let free = matches!(named.kind, ObjectKind::Extension | ObjectKind::Role | ObjectKind::Other);
        if free || !named.name.chars().any(char::is_uppercase) {
            continue;
        }
        findings
            .report_at(
                named.step.statement.index,
                named.at,
                format!("the name of {} has capital letters", named.shown),
            )
            .help(format!("write {}, which needs no quotes", snake_case(named.name)));
    }
}

/// `fullName` as `full_name`, `User_pkey` as `user_pkey`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut before_is_small = false;
    for letter in name.chars() {
        if letter.is_uppercase() && before_is_small {
            out.push('_');
        }
        before_is_small = letter.is_lowercase() || letter.is_ascii_digit();
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::{RULE, snake_case};
    use crate::judge::postgres;

    #[test]
    fn capitals_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE \"User\" (id int);",
            Low,
            "the name of the table User has capital letters",
        );
        rule.reports(
            "",
            "ALTER TABLE app.users ADD COLUMN \"fullName\" text;",
            Low,
            "the name of the column app.users.fullName has capital letters",
        );
        rule.reports(
            "",
            "CREATE INDEX \"users_Name\" ON users (name);",
            Low,
            "the name of the index users_Name has capital letters",
        );
        rule.reports(
            "",
            "ALTER TABLE a ADD CONSTRAINT \"A_pkey\" PRIMARY KEY (id);",
            Low,
            "the name of the constraint A_pkey of a has capital letters",
        );
        rule.reports(
            "",
            "CREATE TYPE \"Größe\" AS ENUM ('S');",
            Low,
            "the name of the type Größe has capital letters",
        );
    }

    #[test]
    fn without_quotes_there_are_none() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE Users (Id int, CONSTRAINT Users_Pkey PRIMARY KEY (Id));",
        );
        rule.ignores("", "CREATE TABLE \"users\" (\"full name\" text);");
        rule.ignores(
            "CREATE TABLE \"User\" (id int);",
            "ALTER TABLE \"User\" ALTER id SET NOT NULL;",
        );
        rule.ignores(
            "",
            "CREATE EXTENSION \"uuid-ossp\"; CREATE TEMP TABLE \"Temp\" (\"A\" int);",
        );
    }

    #[test]
    fn names_are_offered() {
        assert_eq!(snake_case("fullName"), "full_name");
        assert_eq!(snake_case("User_pkey"), "user_pkey");
        assert_eq!(snake_case("APIKey2"), "apikey2");
        assert_eq!(snake_case("v2Name"), "v2_name");
    }
}
