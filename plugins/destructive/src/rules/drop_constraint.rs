//! `drop-constraint`: the database no longer refuses wrong rows.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    Constraint, ConstraintKind, Dialect, NamedConstraint, ObjectKind, ObjectName, Operation, Relation, Severity,
};

use super::{set_not_null, table_goes};

pub(super) const RULE: Rule = Rule {
    id: "drop-constraint",
    summary: "DROP CONSTRAINT: rows that were refused are possible from then on",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres, Dialect::Mysql],
    triggers: &["drop-constraint"],
    explanation: "\
**What it does.** Reports `DROP CONSTRAINT` and says which kind it was where that is known. Silent when the migration adds an \
equal one, or takes its columns or its table away.

**Why it matters.** Wrong rows come in from that moment on, and the constraint cannot be added again until they are mended. A \
primary key that is gone also stops replication of updates.

**Instead.** Add the new constraint first (`NOT VALID`, then `VALIDATE`), then drop the old one.",
    bad: "ALTER TABLE orders DROP CONSTRAINT orders_amount_positive;",
    good: "CREATE TABLE orders (id int, amount int, CONSTRAINT positive CHECK (amount > 0));\n-- migration\n\
           ALTER TABLE orders DROP COLUMN amount;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "add the constraint that takes its place first, then drop this one";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::DropConstraint(dropped) = &step.effect.operation {
            report(context, findings, &step, dropped);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &NamedConstraint) {
    if context.is_new(step, ObjectKind::Table, &dropped.table)
        || table_goes(context, &dropped.table)
        || added_above(context, step, dropped)
    {
        return;
    }
    let verb = step.verb("drops", "drop");
    let (table, name) = (dropped.table.short(), &dropped.name);
    let relation = context.before_relation(step, &dropped.table);
    let known = relation
        .as_ref()
        .filter(|relation| context.before.complete() && !relation.uncertain);
    let Some(constraint) = relation.as_ref().and_then(|relation| relation.constraint(name)) else {
        if known.is_none() && !added_below(context, step, dropped) {
            findings
                .report(step, format!("{verb} the constraint {name} of {table}"))
                .help(HELP);
        }
        return;
    };
    if is_held_after(context, &dropped.table, constraint) {
        return;
    }
    let columns = constraint.columns.join(", ");
    let message = match constraint.kind {
        ConstraintKind::PrimaryKey => match new_primary_key(context, &dropped.table) {
            Some(key) => format!("changes the primary key of {table} from ({columns}) to ({key})"),
            None => format!("{verb} the primary key ({columns}) of {table}"),
        },
        ConstraintKind::ForeignKey => {
            let references = constraint
                .references
                .as_ref()
                .map(ObjectName::short)
                .unwrap_or_default();
            format!("{verb} the foreign key {name} from {table} ({columns}) to {references}")
        }
        kind => format!("{verb} the {kind} {name} of {table}"),
    };
    findings.report(step, message).help(HELP);
}

/// The migration added the constraint itself.
fn added_above(context: &Context<'_>, step: &Step<'_>, dropped: &NamedConstraint) -> bool {
    context
        .steps_before(step)
        .any(|earlier| adds(context, &earlier, dropped))
}

/// The migration adds one of the same name afterwards.
fn added_below(context: &Context<'_>, step: &Step<'_>, dropped: &NamedConstraint) -> bool {
    context.steps_after(step).any(|later| adds(context, &later, dropped))
}

fn adds(context: &Context<'_>, step: &Step<'_>, dropped: &NamedConstraint) -> bool {
    match &step.effect.operation {
        Operation::AddConstraint(added) => {
            added.constraint.name.as_ref() == Some(&dropped.name)
                && context.same(ObjectKind::Table, &added.table, &dropped.table)
        }
        _ => false,
    }
}

/// What the constraint demanded is still demanded after the migration, or cannot be broken any more.
fn is_held_after(context: &Context<'_>, table: &ObjectName, constraint: &Constraint) -> bool {
    let Some(after) = context.after.relation(table) else {
        return false;
    };
    let columns_gone = !after.uncertain && constraint.columns.iter().any(|column| after.column(column).is_none());
    let equal = after.constraints.iter().any(|other| {
        other.kind == constraint.kind
            && other.columns == constraint.columns
            && other.references == constraint.references
            && other.referenced_columns == constraint.referenced_columns
            && other.expression == constraint.expression
    });
    let by_index = constraint.kind == ConstraintKind::Unique
        && after.indexes.iter().any(|index| {
            let key = index.key_columns();
            index.unique && index.predicate.is_none() && key.is_some_and(|key| key == constraint.columns)
        });
    let target_gone = constraint
        .references
        .as_ref()
        .is_some_and(|target| table_goes(context, target));
    columns_gone || equal || by_index || target_gone || is_not_null_after(&after, constraint)
}

/// The condition only asked for a value, which NOT NULL does now.
fn is_not_null_after(after: &Relation, constraint: &Constraint) -> bool {
    let ([column], Some(condition)) = (constraint.columns.as_slice(), &constraint.expression) else {
        return false;
    };
    constraint.kind == ConstraintKind::Check
        && set_not_null::demands_value(condition, column)
        && after.column(column).is_some_and(|column| column.not_null)
}

/// Columns of the primary key after the migration.
fn new_primary_key(context: &Context<'_>, table: &ObjectName) -> Option<String> {
    let after = context.after.relation(table)?;
    Some(after.primary_key().join(", ")).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    const SHOP: &str = "\
        CREATE TABLE users (id int PRIMARY KEY, org int, email text CONSTRAINT mail UNIQUE);
        CREATE TABLE orders (id int, user_id int, amount int,
            CONSTRAINT \"orders_User_fkey\" FOREIGN KEY (user_id) REFERENCES users (id),
            CONSTRAINT positive CHECK (amount > 0));";

    #[test]
    fn wrong_rows_are_possible() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE orders DROP CONSTRAINT x;",
            Medium,
            "drops the constraint x of orders",
        );
        let message = "drops the foreign key orders_User_fkey from orders (user_id) to users";
        rule.reports(
            SHOP,
            "ALTER TABLE \"orders\" DROP CONSTRAINT \"orders_User_fkey\";",
            Medium,
            message,
        );
        rule.reports(
            SHOP,
            "ALTER TABLE public.orders DROP CONSTRAINT IF EXISTS positive;",
            Medium,
            "drops the check constraint positive of orders",
        );
        rule.reports(
            SHOP,
            "ALTER TABLE users DROP CONSTRAINT mail;",
            Medium,
            "drops the unique constraint mail of users",
        );
        let script = "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE, ADD PRIMARY KEY (org, id);";
        rule.reports(
            SHOP,
            script,
            Medium,
            "changes the primary key of users from (id) to (org, id)",
        );
    }

    #[test]
    fn it_is_still_demanded() {
        let rule = postgres(&RULE);
        rule.ignores(
            SHOP,
            "ALTER TABLE users DROP CONSTRAINT mail; CREATE UNIQUE INDEX m ON users (email);",
        );
        rule.ignores(
            SHOP,
            "ALTER TABLE orders DROP CONSTRAINT \"orders_User_fkey\";
             ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;",
        );
        rule.ignores(
            SHOP,
            "ALTER TABLE orders DROP CONSTRAINT \"orders_User_fkey\"; ALTER TABLE orders DROP COLUMN user_id;",
        );
        rule.ignores(
            SHOP,
            "ALTER TABLE orders DROP CONSTRAINT \"orders_User_fkey\"; DROP TABLE users;",
        );
        rule.ignores(
            SHOP,
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0); ALTER TABLE orders DROP CONSTRAINT c;",
        );
        let valued = "CREATE TABLE t (\"A\" int CONSTRAINT c CHECK (\"A\" IS NOT NULL));";
        rule.ignores(
            valued,
            "ALTER TABLE t ALTER \"A\" SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c;",
        );
        rule.reports(
            valued,
            "ALTER TABLE t DROP CONSTRAINT c;",
            Medium,
            "drops the check constraint c of t",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0)); ALTER TABLE t DROP CONSTRAINT c;",
        );
        rule.ignores(SHOP, "ALTER TABLE orders DROP CONSTRAINT IF EXISTS nowhere;");
    }
}
