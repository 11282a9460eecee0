//! `primary-key-change`: rows are told apart by other columns than the application thinks.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, rebuild};
use tollgate_plugin::{ConstraintKind, ObjectName, Operation, Relation, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "primary-key-change",
    summary: "The primary key is made of other columns from then on",
    severity: Severity::Medium,
    dialects: ALL_DIALECTS,
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
    also: &["primary-key-without-using-index", "unique-without-using-index"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::DropConstraint(dropped) = &step.effect.operation else {
            continue;
        };
        let Some(original) = in_use(context, &step, tollgate_plugin::ObjectKind::Table, &dropped.table) else {
            continue;
        };
        let before = context.before.relation(&original);
        let is_key = before.as_ref().and_then(|before| before.constraint(&dropped.name));
        if is_key.is_some_and(|constraint| constraint.kind == ConstraintKind::PrimaryKey) {
            report(context, findings, &step, before.as_deref(), &dropped.table);
        }
    }
    for rebuilt in rebuild::all(context) {
        let known_empty = context.before.known_empty(&rebuilt.rebuild.table);
        if !known_empty {
            report(
                context,
                findings,
                &rebuilt.create,
                rebuilt.before.as_deref(),
                &rebuilt.rebuild.table,
            );
        }
    }
}

fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    before: Option<&Relation>,
    table: &ObjectName,
) {
    let (Some(before), Some(after)) = (before, context.after.relation(table)) else {
        return;
    };
    let (old, new) = (before.primary_key(), after.primary_key());
    let same = |left: &[String], right: &[String]| {
        left.len() == right.len()
            && left
                .iter()
                .all(|one| right.iter().any(|other| context.same_identifier(one, other)))
    };
    if old.is_empty() || new.is_empty() || after.uncertain || same(old, new) {
        return;
    }
    let still_unique = after.indexes.iter().any(|index| {
        let key: Option<Vec<String>> = index
            .key_columns()
            .map(|columns| columns.into_iter().map(str::to_owned).collect());
        index.unique && index.valid && index.predicate.is_none() && key.is_some_and(|key| same(&key, old))
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
