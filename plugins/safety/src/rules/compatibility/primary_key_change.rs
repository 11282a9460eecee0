//! `primary-key-change`: rows are told apart by other columns than the application thinks.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, rebuild};
use tollgate_plugin::{ColumnName, ConstraintKind, ObjectKind, ObjectName, Operation, Relation, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "primary-key-change",
    summary: "The primary key is made of other columns from then on",
    severity: Severity::Medium,
    dialects: ALL_DIALECTS,
    triggers: &["drop-constraint", "table-rebuild"],
    explanation: "\
**What it does.** Reports a table whose primary key is made of other columns when the migration has run, and says so only \
where no unique index remains on the old ones. A rebuild of a SQLite table is looked at too.

**Why it matters.** The application that is running upserts with `ON CONFLICT` on the old key: that fails, because nothing \
unique matches it. Where the new key has more columns, two rows may share an old key, and an `UPDATE … WHERE id = …` changes \
both. (That the key is gone at all is said by `destructive/drop-constraint`.)

**Instead.** Keep a unique index on the old key until no running release relies on it: make it `CONCURRENTLY` before, then \
change the key.",
    bad: "CREATE TABLE users (org int, id int, PRIMARY KEY (id));\n-- migration\n\
          ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (org, id);",
    good: "CREATE TABLE users (org int, id int, PRIMARY KEY (id));\nCREATE UNIQUE INDEX users_id ON users (id);\n-- migration\n\
           ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (org, id);",
    also: &["drop-constraint-backing-index", "primary-key-without-using-index"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::DropConstraint(dropped) = &step.effect.operation else {
            continue;
        };
        let Some(original) = in_use(context, &step, ObjectKind::Table, &dropped.table) else {
            continue;
        };
        let Some(before) = context.before.relation(&original) else {
            continue;
        };
        let constraint = before.constraint(&dropped.name);
        if constraint.is_some_and(|constraint| constraint.kind == ConstraintKind::PrimaryKey) {
            let was_called = |column: &str| earlier_name(context, &dropped.table, column);
            report(context, findings, &step, (&before, &dropped.table), &was_called);
        }
    }
    for rebuilt in rebuild::all(context) {
        let Some(before) = rebuilt
            .before
            .as_ref()
            .filter(|before| !context.before.known_empty(&before.name))
        else {
            continue;
        };
        let pairs = rebuilt.taken_over(context);
        let was_called = |column: &str| {
            let mut pairs = pairs.iter();
            let taken = pairs.find(|(new, _)| context.same_identifier(&new.name, column));
            taken.map_or_else(|| column.to_owned(), |(_, old)| old.name.clone())
        };
        report(
            context,
            findings,
            &rebuilt.create,
            (before, &rebuilt.rebuild.table),
            &was_called,
        );
    }
}

/// What a column of the table as the script leaves it was called before the script: one that was only renamed tells rows
/// apart as it did.
fn earlier_name(context: &Context<'_>, table: &ObjectName, column: &str) -> String {
    let found = context.all_steps().last().and_then(|last| {
        let column = ColumnName::new(table.clone(), column);
        context.original_column(&last, &column)
    });
    found.map_or_else(|| column.to_owned(), |original| original.column)
}

fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    (before, table): (&Relation, &ObjectName),
    was_called: &dyn Fn(&str) -> String,
) {
    let Some(after) = context.after.relation(table) else {
        return;
    };
    let (old, new) = (before.primary_key(), after.primary_key());
    let same_as_old = |columns: Vec<&str>| {
        let is_old = |column: &&str| old.iter().any(|old| context.same_identifier(old, &was_called(column)));
        columns.len() == old.len() && columns.iter().all(is_old)
    };
    let changed = !same_as_old(new.iter().map(String::as_str).collect());
    if old.is_empty() || new.is_empty() || after.uncertain || !changed {
        return;
    }
    let still_unique = after.indexes.iter().any(|index| {
        let whole = index.unique && index.valid && index.predicate.is_none();
        whole && index.key_columns().is_some_and(same_as_old)
    });
    if still_unique {
        return;
    }
    let table = table.short();
    let (was, is) = (old.join(", "), new.join(", "));
    let remains = |column: &String| {
        after
            .columns
            .iter()
            .any(|other| context.same_identifier(&other.name, column))
    };
    let harm = if !old.iter().all(remains) {
        format!("the running application still looks for rows by ({was})")
    } else if old.iter().all(|column| new.contains(column)) {
        format!("ON CONFLICT ({was}) fails, and rows may share their {was}")
    } else {
        format!("ON CONFLICT ({was}) fails")
    };
    let verb = step.verb("changes", "change");
    findings
        .report(
            step,
            format!("{verb} the primary key of {table} from ({was}) to ({is}): {harm}"),
        )
        .help(format!(
            "keep a unique index on ({was}) until no running release relies on it"
        ));
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, \"orgId\" int, uuid uuid NOT NULL);";

    #[test]
    fn rows_are_told_apart_otherwise() {
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD CONSTRAINT users_pkey PRIMARY KEY (\"orgId\", id);",
            Medium,
            "changes the primary key of users from (id) to (orgId, id): ON CONFLICT (id) fails, and rows may share their id",
        );
        rule.reports(
            USERS,
            "ALTER TABLE public.users DROP CONSTRAINT users_pkey; ALTER TABLE users ADD PRIMARY KEY (uuid);",
            Medium,
            "changes the primary key of users from (id) to (uuid): ON CONFLICT (id) fails",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT users_pkey, DROP COLUMN id, ADD PRIMARY KEY (uuid);",
            Medium,
            "changes the primary key of users from (id) to (uuid): the running application still looks for rows by (id)",
        );
    }

    #[test]
    fn a_rebuild_may_change_it() {
        let rebuild = |columns: &str| {
            format!(
                "CREATE TABLE new_t ({columns});\nINSERT INTO new_t (a, b) SELECT a, b FROM t;\nDROP TABLE t;\n\
                 ALTER TABLE new_t RENAME TO t;"
            )
        };
        let before = "CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT);";
        let rule = sqlite(&RULE);
        let message =
            "changes the primary key of t from (a) to (a, b): ON CONFLICT (a) fails, and rows may share their a";
        rule.reports(before, &rebuild("a TEXT, b TEXT, PRIMARY KEY (a, b)"), Medium, message);
        rule.ignores(before, &rebuild("a TEXT NOT NULL PRIMARY KEY, b TEXT, c TEXT"));
        rule.ignores(before, &rebuild("a TEXT UNIQUE, b TEXT PRIMARY KEY"));
    }

    #[test]
    fn the_old_key_is_still_unique() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "CREATE UNIQUE INDEX u ON users (id); ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (uuid);",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD CONSTRAINT pk PRIMARY KEY (id);",
        );
    }

    #[test]
    fn a_column_of_the_key_may_be_renamed() {
        postgres(&RULE).ignores(
            "CREATE TABLE members (\"userId\" int, \"teamId\" int, PRIMARY KEY (\"userId\", \"teamId\"));",
            "ALTER TABLE members RENAME TO member; ALTER TABLE member RENAME \"teamId\" TO org;
             ALTER TABLE member DROP CONSTRAINT members_pkey, ADD CONSTRAINT member_pkey PRIMARY KEY (\"userId\", org);",
        );
        sqlite(&RULE).ignores(
            "CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT);",
            "CREATE TABLE new_t (c TEXT PRIMARY KEY, b TEXT);\nINSERT INTO new_t (c, b) SELECT a, b FROM t;\nDROP TABLE t;\n\
             ALTER TABLE new_t RENAME TO t;",
        );
    }

    #[test]
    fn nothing_changes_or_nobody_uses_it() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users DROP CONSTRAINT users_pkey;");
        rule.ignores(
            "",
            "CREATE TABLE t (a int PRIMARY KEY, b int); ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (b);",
        );
        testing::assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int PRIMARY KEY, b int);"),
            "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (b);",
        );
    }
}
