//! `replica-identity-lost`: a subscriber can no longer be told which row was changed.

use std::rc::Rc;

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, ObjectName, Operation, Relation, RelationKind, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "replica-identity-lost",
    summary: "A table loses what logical replication tells its rows apart by",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop", "drop-column", "drop-constraint", "replica-identity"],
    explanation: "\
**What it does.** Reports a table that has no replica identity any more when the migration has run: the primary key is \
dropped and none takes its place, the index of `REPLICA IDENTITY USING INDEX` is dropped, or the identity is set to `NOTHING`.

**Why it matters.** Where a publication contains the table (change data capture, an upgrade by logical replication, a \
warehouse), every `UPDATE` and `DELETE` of it fails from then on: \"cannot update table … because it does not have a replica \
identity and publishes updates\".

**Instead.** Give the table a new identity first: a unique index over columns that are NOT NULL and \
`REPLICA IDENTITY USING INDEX`. `FULL` works as well, and writes the whole old row to the log.",
    bad: "CREATE TABLE orders (id int PRIMARY KEY, total int);\n-- migration\n\
          ALTER TABLE orders DROP CONSTRAINT orders_pkey;",
    good: "CREATE TABLE orders (id int PRIMARY KEY, number int NOT NULL);\nCREATE UNIQUE INDEX orders_number ON orders (number);\n\
           -- migration\nALTER TABLE orders REPLICA IDENTITY USING INDEX orders_number;\n\
           ALTER TABLE orders DROP CONSTRAINT orders_pkey;",
    also: &["drop-constraint-backing-index"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut reported: Vec<ObjectName> = Vec::new();
    for step in context.steps() {
        let Some(table) = touched(context, &step) else { continue };
        let Some(original) = in_use(context, &step, ObjectKind::Table, &table) else {
            continue;
        };
        if reported.contains(&original) {
            continue;
        }
        let set_to_nothing = matches!(&step.effect.operation, Operation::Other(_));
        let before = context.before.relation(&original);
        let had_one = match &before {
            Some(before) => has_identity(before),
            None => set_to_nothing,
        };
        if had_one && !has_one_after(context, &table, before.as_ref()) {
            let verb = step.verb("leaves", "leave");
            let message = format!(
                "{verb} {} without a replica identity: where it is published, every UPDATE and DELETE of it fails",
                table.short()
            );
            findings
                .report(&step, message)
                .help("set REPLICA IDENTITY USING INDEX to another unique index first");
            reported.push(original);
        }
    }
}

/// The table whose identity the step may take away.
fn touched(context: &Context<'_>, step: &Step<'_>) -> Option<ObjectName> {
    match &step.effect.operation {
        Operation::DropConstraint(dropped) => Some(dropped.table.clone()),
        Operation::DropColumn(dropped) => Some(dropped.column.table.clone()),
        Operation::Drop(dropped) if dropped.kind == ObjectKind::Index => {
            let original = context.original(step, ObjectKind::Index, &dropped.name)?;
            context.before.index_owner(&original)
        }
        Operation::Other(other) if other.tag == "replica-identity" => {
            let details: serde_json::Value = serde_json::from_str(&other.details).ok()?;
            (details["identity"] == "nothing").then(|| other.objects.first().cloned())?
        }
        _ => None,
    }
}

/// Whether the server can tell rows apart by it.
fn has_identity(relation: &Relation) -> bool {
    match relation.replica_identity.as_str() {
        "full" => true,
        "nothing" => false,
        named => match named.strip_prefix("index:") {
            Some(index) => relation.index(index).is_some(),
            None => !relation.primary_key().is_empty(),
        },
    }
}

/// The same when the migration has run; a table that is gone needs none, and of what is not known nothing is said.
fn has_one_after(context: &Context<'_>, table: &ObjectName, before: Option<&Rc<Relation>>) -> bool {
    match context.after.relation(table) {
        Some(after) if matches!(after.kind, RelationKind::Table | RelationKind::PartitionedTable) => {
            after.uncertain || has_identity(&after)
        }
        Some(_) => true,
        None => before.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const ORDERS: &str = "\
        CREATE TABLE orders (id int PRIMARY KEY, number int NOT NULL, \"Total\" int);
        CREATE UNIQUE INDEX \"orders_Number\" ON orders (number);
        CREATE TABLE app.logs (id int NOT NULL, line text);
        CREATE UNIQUE INDEX logs_id ON app.logs (id);
        ALTER TABLE app.logs REPLICA IDENTITY USING INDEX logs_id;";

    const LOST: &str =
        "leaves orders without a replica identity: where it is published, every UPDATE and DELETE of it fails";

    #[test]
    fn rows_cannot_be_told_apart() {
        let rule = postgres(&RULE);
        rule.reports(ORDERS, "ALTER TABLE orders DROP CONSTRAINT orders_pkey;", Medium, LOST);
        rule.reports(ORDERS, "ALTER TABLE public.\"orders\" DROP COLUMN id;", Medium, LOST);
        rule.reports(ORDERS, "ALTER TABLE orders REPLICA IDENTITY NOTHING;", Medium, LOST);
        rule.reports("", "ALTER TABLE orders REPLICA IDENTITY NOTHING;", Medium, LOST);
        let logs =
            "leaves app.logs without a replica identity: where it is published, every UPDATE and DELETE of it fails";
        rule.reports(ORDERS, "DROP INDEX app.logs_id;", Medium, logs);
        rule.reports(ORDERS, "ALTER TABLE app.logs DROP COLUMN id;", Medium, logs);
    }

    #[test]
    fn another_identity_takes_its_place() {
        let rule = postgres(&RULE);
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders REPLICA IDENTITY USING INDEX \"orders_Number\"; ALTER TABLE orders DROP CONSTRAINT orders_pkey;",
        );
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (number);",
        );
        rule.ignores(
            ORDERS,
            "ALTER TABLE app.logs REPLICA IDENTITY FULL; DROP INDEX app.logs_id;",
        );
        rule.ignores(ORDERS, "ALTER INDEX app.logs_id RENAME TO logs_key;");
    }

    #[test]
    fn there_was_none_or_nobody_needs_it() {
        let rule = postgres(&RULE);
        rule.ignores(
            "CREATE TABLE t (a int UNIQUE);",
            "ALTER TABLE t DROP CONSTRAINT t_a_key;",
        );
        rule.ignores(
            ORDERS,
            "DROP INDEX \"orders_Number\"; ALTER TABLE orders DROP COLUMN \"Total\";",
        );
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey; DROP TABLE orders;",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t DROP CONSTRAINT t_pkey;",
        );
        testing::assert_ignores(
            &rule.on(ORDERS).pending("CREATE TABLE t (a int PRIMARY KEY);"),
            "ALTER TABLE t DROP CONSTRAINT t_pkey;",
        );
    }
}
