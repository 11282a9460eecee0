//! `rename-table`: a table or view that the application reads by its name gets another one.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, words};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, Rename, Severity, Suggestion};

use super::{in_use, is_dropped_later, is_relation, missing_columns};
use crate::sql;

pub(super) const RULE: Rule = Rule {
    id: "rename-table",
    summary: "A table or view is renamed while the application uses its name",
    severity: Severity::High,
    dialects: ALL_DIALECTS,
    triggers: &["rename"],
    explanation: "\
**What it does.** Reports `RENAME TO` of a table, view, materialized view or foreign table that was there before the plan. \
Silent when something else has the old name afterwards and offers the same columns: a view for compatibility, or a new table \
that takes its place. The renames inside a table rebuild are none.

**Why it matters.** The application that is running names the old table in every query. From the commit on all of them fail, \
until every instance has been replaced by one that knows the new name; and the old release can no longer be brought back.

**Instead.** Leave a view with the old name in the same migration. A view over one table can be written to as well. Drop it \
in a later release, when nothing reads it any more.",
    bad: "ALTER TABLE users RENAME TO people;",
    good: "ALTER TABLE users RENAME TO people;\nCREATE VIEW users AS SELECT * FROM people;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Rename(rename) = &step.effect.operation
            && is_relation(rename.kind)
        {
            report(context, findings, &step, rename);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &Rename) {
    let Some(original) = in_use(context, step, rename.kind, &rename.from) else {
        return;
    };
    let to = ObjectName {
        schema: rename.from.schema.clone(),
        name: rename.to.clone(),
    };
    // What is renamed twice was reported the first time.
    let first = context.same(ObjectKind::Table, &original, &rename.from);
    let other_name = !context.same_identifier(&rename.from.name, &rename.to);
    if !first || !other_name || is_dropped_later(context, step, &to) || is_renamed_back(context, step, rename, &to) {
        return;
    }
    let verb = step.verb("renames", "rename");
    let start = format!("{verb} the {} {} to {}", rename.kind, rename.from.short(), rename.to);
    let is_partition = |name: &ObjectName| {
        let relation = context.before.relation(name);
        relation.is_some_and(|relation| relation.partition_of.is_some())
    };
    match missing_columns(context, &original) {
        // Partitions are read through their table: few queries name one.
        None if is_partition(&original) => {
            let message = format!("{start}: queries that name the partition itself fail");
            findings.report(step, message).severity(Severity::Low);
        }
        None => {
            let old = &rename.from.name;
            let message = format!("{start}: queries of the running application that name {old} fail");
            let finding = findings.report(step, message).help(format!(
                "leave a view named {old} in the same migration, and drop it when nothing reads it any more"
            ));
            finding.suggestions.extend(view(context, step, rename, &to));
        }
        Some(missing) if !missing.is_empty() => {
            let columns = words::list(&missing);
            let message = format!("{start}, and what has its name then lacks {columns}");
            findings
                .report(step, message)
                .help("offer every column under the old name until nothing reads it any more");
        }
        Some(_) => {}
    }
}

/// A later statement gives it its name back.
fn is_renamed_back(context: &Context<'_>, step: &Step<'_>, rename: &Rename, to: &ObjectName) -> bool {
    context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Rename(back) => {
            is_relation(back.kind)
                && context.same(ObjectKind::Table, &back.from, to)
                && context.same_identifier(&back.to, &rename.from.name)
        }
        _ => false,
    })
}

/// A view under the old name, right behind the rename.
fn view(context: &Context<'_>, step: &Step<'_>, rename: &Rename, to: &ObjectName) -> Option<Suggestion> {
    if context.dialect() != Dialect::Postgres || rename.kind == ObjectKind::MaterializedView || step.effect.conditional
    {
        return None;
    }
    let (old, new) = (sql::object(&rename.from), sql::object(to));
    let at = sql::end_with_semicolon(context, step.statement);
    let semicolon = if at == step.statement.span.end { ";" } else { "" };
    let text = format!("{semicolon}\nCREATE VIEW {old} AS SELECT * FROM {new};");
    Some(Suggestion::manual(
        "leave a view with the old name",
        vec![Edit::insert(at, text)],
    ))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low};
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::{fixed, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email text); CREATE TABLE app.\"Order\" (id int);";

    #[test]
    fn queries_name_the_old_table() {
        let rule = postgres(&RULE);
        let message = "renames the table users to people: queries of the running application that name users fail";
        rule.reports("", "ALTER TABLE users RENAME TO people;", High, message);
        rule.reports(USERS, "ALTER TABLE public.\"users\" RENAME TO people;", High, message);
        rule.reports(
            USERS,
            "ALTER TABLE app.\"Order\" RENAME TO \"Purchase\";",
            High,
            "renames the table app.Order to Purchase: queries of the running application that name Order fail",
        );
        rule.reports(
            "CREATE VIEW v AS SELECT 1 AS a;",
            "ALTER VIEW v RENAME TO w; ALTER VIEW w RENAME TO x;",
            High,
            "renames the view v to w: queries of the running application that name v fail",
        );
        sqlite(&RULE).reports(
            "CREATE TABLE users (id INTEGER PRIMARY KEY);",
            "ALTER TABLE users RENAME TO people;",
            High,
            message,
        );
    }

    #[test]
    fn few_queries_name_a_partition() {
        postgres(&RULE).reports(
            "CREATE TABLE e (at date) PARTITION BY RANGE (at);
             CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');",
            "ALTER TABLE e_1 RENAME TO e_2026_01;",
            Low,
            "renames the table e_1 to e_2026_01: queries that name the partition itself fail",
        );
    }

    #[test]
    fn a_successor_has_to_offer_every_column() {
        postgres(&RULE).reports(
            USERS,
            "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT id FROM people;",
            High,
            "renames the table users to people, and what has its name then lacks email",
        );
    }

    #[test]
    fn the_old_name_still_works() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "BEGIN;\nALTER TABLE users RENAME TO people;\nCREATE VIEW users AS SELECT id, email FROM people;\nCOMMIT;",
        );
        rule.ignores(
            USERS,
            "CREATE TABLE new_users (id bigint, email text);
             ALTER TABLE users RENAME TO old_users; ALTER TABLE new_users RENAME TO users;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users RENAME TO x; ALTER TABLE x DROP email; ALTER TABLE x RENAME TO users;",
        );
    }

    #[test]
    fn nobody_uses_what_is_new() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b int); ALTER TABLE a RENAME TO c;");
        testing::assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE a (b int);"),
            "ALTER TABLE a RENAME TO c;",
        );
        rule.ignores(USERS, "ALTER TABLE IF EXISTS nowhere RENAME TO c;");
        rule.ignores(USERS, "ALTER TABLE users RENAME TO gone; DROP TABLE gone;");
        rule.ignores(USERS, "ALTER INDEX users_pkey RENAME TO people_pkey;");
    }

    #[test]
    fn a_rebuild_renames_nothing() {
        sqlite(&RULE).ignores(
            "CREATE TABLE t (id INTEGER PRIMARY KEY);",
            "CREATE TABLE new_t (id INTEGER PRIMARY KEY, a TEXT);\nINSERT INTO new_t (id) SELECT id FROM t;\n\
             DROP TABLE t;\nALTER TABLE new_t RENAME TO t;",
        );
    }

    #[test]
    fn the_view_is_offered() {
        let script = "ALTER TABLE app.\"Order\" RENAME TO \"Purchase\";\nSELECT 1;";
        assert_eq!(
            fixed(&postgres(&RULE).on(USERS), script).as_deref(),
            Some(
                "ALTER TABLE app.\"Order\" RENAME TO \"Purchase\";\n\
                 CREATE VIEW app.\"Order\" AS SELECT * FROM app.\"Purchase\";\nSELECT 1;"
            )
        );
    }
}
