//! `foreign-key-without-index`: nothing finds the rows that refer to a row.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, Index, Severity, Suggestion};

use super::{Added, column_with_value, new_foreign_keys, place};
use crate::size::{self, Size};
use crate::{sql, tokens};

pub(super) const RULE: Rule = Rule {
    id: "foreign-key-without-index",
    summary: "A foreign key without an index makes deletes in the other table read the whole table",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["create-table", "add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a new foreign key whose columns no index begins with after the migration; a primary key or unique \
constraint counts, and of several columns one is enough. Medium where the catalog says that the referring table is large.

**Why it matters.** PostgreSQL makes no index for a foreign key. Whenever a row of the other table is deleted, or its key is \
changed, it looks for rows that refer to it, and without an index it reads the whole table each time, with the row locked.

**Instead.** Make an index on the columns, in the same migration for a new table, CONCURRENTLY in one of its own otherwise.",
    bad: "CREATE TABLE users (id int PRIMARY KEY);\nCREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id));",
    good: "CREATE TABLE users (id int PRIMARY KEY);\nCREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id));\n\
           CREATE INDEX orders_user_id_idx ON orders (user_id);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, added) in new_foreign_keys(context) {
        let (Some(target), Some(table)) = (&added.definition.references, context.after.relation(added.table)) else {
            continue;
        };
        let columns = &added.definition.columns;
        if table.uncertain || table.indexes.iter().any(|index| finds(context, index, columns)) {
            continue;
        }
        // Columns that a later statement drops or renames are somebody else's affair.
        if columns.iter().any(|column| table.column(column).is_none()) {
            continue;
        }
        let size = existing_size(context, &step, &added);
        if size == Some(Size::Small) {
            continue;
        }
        let (from, to) = (added.table.short(), target.short());
        let (what, them) = match columns.as_slice() {
            [only] => (format!("{from}.{only}"), "it"),
            several => (format!("{from} ({})", several.join(", ")), "them"),
        };
        let message =
            format!("makes {what} refer to {to} without an index on {them}: each delete in {to} reads all of {from}");
        let finding = findings.report_at(step.statement.index, place(context, &step, &added), message);
        if size == Some(Size::Large) {
            finding.severity(Severity::Medium);
        }
        let (on, keys) = (sql::object(added.table), sql::names(columns));
        if size.is_none() {
            finding.help("make an index on the referring columns");
            let create = format!(";\nCREATE INDEX ON {on} ({keys})");
            finding.suggest(Suggestion::manual(
                "make an index",
                vec![Edit::insert(step.statement.span.end, create)],
            ));
        } else {
            finding.help("make an index on the referring columns CONCURRENTLY, in a migration of its own");
        }
    }
}

/// How large the table was; `None` when the plan makes it, or it is empty: then it is still to grow.
fn existing_size(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>) -> Option<Size> {
    let original = context.original(step, tollgate_plugin::ObjectKind::Table, added.table)?;
    context.held_rows(&original).then(|| size::before(context, &original))
}

/// The index leads to the rows with given values in the columns. Of several columns one does, in practice.
fn finds(context: &Context<'_>, index: &Index, columns: &[String]) -> bool {
    if !matches!(index.method.as_str(), "btree" | "hash") {
        return false;
    }
    let leading = index.keys.first().and_then(|key| match key {
        tollgate_plugin::IndexKey::Column(column) => Some(column),
        tollgate_plugin::IndexKey::Expression(_) => None,
    });
    let leads = leading.is_some_and(|leading| columns.iter().any(|column| context.same_identifier(column, leading)));
    leads
        && index
            .predicate
            .as_deref()
            .is_none_or(|predicate| only_wants_values(predicate, columns))
}

/// The condition of a partial index says no more than that the columns have values.
fn only_wants_values(predicate: &str, columns: &[String]) -> bool {
    let all = tokens::read(predicate);
    tokens::split(tokens::bare(&all), |token| token.is("and"))
        .into_iter()
        .all(|part| column_with_value(part).is_some_and(|name| columns.contains(&name)))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const SHOP: &str = "CREATE SCHEMA app; CREATE TABLE users (id int PRIMARY KEY, org int, UNIQUE (org, id));
        CREATE TABLE orders (id int PRIMARY KEY, \"userId\" int, org int);";
    const ADD: &str = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (\"userId\") REFERENCES users (id) NOT VALID;";
    const MESSAGE: &str =
        "makes orders.userId refer to users without an index on it: each delete in users reads all of orders";

    #[test]
    fn deletes_read_the_whole_table() {
        let rule = postgres(&RULE);
        rule.reports(SHOP, ADD, Low, MESSAGE);
        rule.reports(
            SHOP,
            &format!("CREATE INDEX i ON orders (org, \"userId\"); {ADD}"),
            Low,
            MESSAGE,
        );
        rule.reports(
            SHOP,
            &format!("CREATE INDEX i ON orders (\"userId\") WHERE org > 1; {ADD}"),
            Low,
            MESSAGE,
        );
        rule.reports(
            SHOP,
            &format!("CREATE INDEX i ON orders USING brin (\"userId\"); {ADD}"),
            Low,
            MESSAGE,
        );
        let message = "makes app.Mails (org, user) refer to users without an index on them: each delete in users reads all of app.Mails";
        let script = "CREATE TABLE app.\"Mails\" (\"user\" int, org int, FOREIGN KEY (org, \"user\") REFERENCES users (org, id));";
        rule.reports(SHOP, script, Low, message);
        let message =
            "makes orders.boss refer to users without an index on it: each delete in users reads all of orders";
        rule.reports(
            SHOP,
            "ALTER TABLE orders ADD COLUMN boss int REFERENCES public.users;",
            Low,
            message,
        );
        assert_reports(&rule.on(SHOP).rows("orders", 3_000_000), ADD, Medium, MESSAGE);
    }

    #[test]
    fn an_index_finds_the_rows() {
        let rule = postgres(&RULE);
        for script in [
            "CREATE INDEX i ON orders (\"userId\", org);",
            "CREATE INDEX CONCURRENTLY i ON orders USING hash (\"userId\");",
            "CREATE INDEX i ON public.orders (\"userId\") WHERE (\"userId\" IS NOT NULL);",
            "ALTER TABLE orders ADD UNIQUE (\"userId\", org);",
        ] {
            rule.ignores(SHOP, &format!("{script} {ADD}"));
            rule.ignores(SHOP, &format!("{ADD} {script}"));
            rule.ignores(&format!("{SHOP} {script}"), ADD);
        }
        rule.ignores(
            SHOP,
            "CREATE TABLE profiles (\"userId\" int PRIMARY KEY REFERENCES users);",
        );
        rule.ignores(
            SHOP,
            "CREATE TABLE m (u int, org int, FOREIGN KEY (org, u) REFERENCES users (org, id)); CREATE INDEX ON m (u);",
        );
        rule.ignores(
            "",
            "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id);",
        );
        assert_ignores(&rule.on(SHOP).rows("orders", 400), ADD);
    }

    #[test]
    fn each_key_is_pointed_at() {
        let script = "CREATE TABLE t (a int NOT NULL REFERENCES users (id), \"B\" int,
            CONSTRAINT x FOREIGN KEY (\"B\", org) REFERENCES users (org, id), org int);";
        let findings = postgres(&RULE).on(SHOP).check(script);
        let places: Vec<&str> = findings
            .iter()
            .filter_map(|finding| finding.at)
            .map(|at| at.of(script))
            .collect();
        assert_eq!(
            places,
            [
                "a int NOT NULL REFERENCES users (id)",
                "CONSTRAINT x FOREIGN KEY (\"B\", org) REFERENCES users (org, id)",
            ]
        );
    }

    #[test]
    fn a_new_table_can_have_it_at_once() {
        let test = postgres(&RULE).on(SHOP);
        let script = "CREATE TABLE t (\"user\" int REFERENCES users, o int REFERENCES orders);\n";
        let findings = test.check(script);
        assert_eq!(findings.len(), 2);
        let expected = "CREATE TABLE t (\"user\" int REFERENCES users, o int REFERENCES orders);\n\
                        CREATE INDEX ON t (o);\nCREATE INDEX ON t (\"user\");\n";
        assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        assert!(test.check(ADD).iter().all(|finding| finding.suggestions.is_empty()));
    }
}
