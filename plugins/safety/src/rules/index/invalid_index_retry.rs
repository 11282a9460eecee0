//! `invalid-index-retry`: IF NOT EXISTS finds an index that is there but cannot be used.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedIndex, Dialect, Edit, ObjectKind, Operation, RelationKind, Severity, Suggestion};

use super::{full_name, present};
use crate::sql;

pub(super) const RULE: Rule = Rule {
    id: "invalid-index-retry",
    summary: "IF NOT EXISTS leaves an invalid index as it is",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["create-index"],
    explanation: "\
**What it does.** Reports `CREATE INDEX IF NOT EXISTS` when an index of that name is there and is invalid: what a build \
`CONCURRENTLY` that failed has left behind, or an index of a partitioned table that not every partition has. Medium for a build \
`CONCURRENTLY`, which Tollgate cleans up after when it tries a migration again.

**Why it matters.** The statement does nothing and succeeds. The index is never used, a unique one refuses nothing, and every \
write keeps it up to date.

**Instead.** Drop it first (`DROP INDEX CONCURRENTLY IF EXISTS`), or build it anew with `REINDEX INDEX CONCURRENTLY`. On a \
partitioned table: attach the indexes that are missing.",
    bad: "CREATE TABLE logs (at date, line text) PARTITION BY RANGE (at);\n\
          CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n\
          CREATE INDEX logs_at_idx ON ONLY logs (at);\n\
          -- migration\nCREATE INDEX IF NOT EXISTS logs_at_idx ON logs (at);",
    good: "CREATE TABLE logs (at date, line text);\nCREATE INDEX logs_at_idx ON logs (at);\n\
           -- migration\nCREATE INDEX CONCURRENTLY IF NOT EXISTS logs_at_idx ON logs (at);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::CreateIndex(index) = &step.effect.operation else {
            continue;
        };
        if !index.if_not_exists || rebuilt(context, index) {
            continue;
        }
        let Some((relation, found)) = present(context, &step, index) else {
            continue;
        };
        if found.valid {
            continue;
        }
        let (name, table) = (&found.name, relation.name.short());
        let partitioned = relation.kind == RelationKind::PartitionedTable;
        let why = if partitioned {
            "which not every partition has"
        } else {
            "which is invalid"
        };
        let message =
            format!("leaves the index {name} of {table} as it is, {why}: IF NOT EXISTS only looks for the name");
        let finding = findings.report(&step, message);
        if partitioned {
            finding.help("attach the indexes of the partitions that lack one");
            continue;
        }
        finding.help("drop the invalid index first");
        if index.concurrently {
            finding.severity(Severity::Medium);
        }
        if let Some(edit) = edit(&step, index) {
            finding.suggest(Suggestion::automatic("drop the invalid index first", vec![edit]));
        }
    }
}

/// Some statement of the migration builds the index anew.
fn rebuilt(context: &Context<'_>, index: &CreatedIndex) -> bool {
    let Some(name) = full_name(index) else { return false };
    context.all_steps().any(|step| match &step.effect.operation {
        Operation::Other(other) if other.tag == "reindex" => other.objects.iter().any(|object| {
            context.same(ObjectKind::Index, object, &name) || context.same(ObjectKind::Table, object, &index.table)
        }),
        _ => false,
    })
}

fn edit(step: &Step<'_>, index: &CreatedIndex) -> Option<Edit> {
    if step.effect.conditional {
        return None;
    }
    let concurrently = if index.concurrently { " CONCURRENTLY" } else { "" };
    let name = sql::object(&full_name(index)?);
    let text = format!("DROP INDEX{concurrently} IF EXISTS {name};\n");
    Some(Edit::insert(step.statement.span.start, text))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str =
        "CREATE TABLE users (id int, email text); CREATE INDEX i ON users (email); CREATE INDEX \"J\" ON users (id);";
    const PARENT: &str = "CREATE TABLE t (a int) PARTITION BY RANGE (a);
        CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (1) TO (9); CREATE INDEX k ON ONLY t (a); CREATE INDEX k1 ON t1 (a);";

    #[test]
    fn the_invalid_index_stays() {
        let test = postgres(&RULE)
            .on(USERS)
            .rows("users", 100)
            .invalid_index("i")
            .invalid_index("J");
        let message = "leaves the index i of users as it is, which is invalid: IF NOT EXISTS only looks for the name";
        let script = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);";
        assert_reports(&test, script, Medium, message);
        assert_reports(&test, "CREATE INDEX IF NOT EXISTS i ON users (email);", High, message);
        let message = message.replace(" i ", " J ");
        let script = "CREATE UNIQUE INDEX IF NOT EXISTS \"J\" ON \"public\".\"users\" (email);";
        assert_reports(&test, script, High, &message);
        let message =
            "leaves the index k of t as it is, which not every partition has: IF NOT EXISTS only looks for the name";
        postgres(&RULE).reports(PARENT, "CREATE INDEX IF NOT EXISTS k ON t (a);", High, message);
    }

    #[test]
    fn the_index_is_usable_afterwards() {
        let rule = postgres(&RULE);
        let test = rule.on(USERS).rows("users", 100).invalid_index("i");
        for script in [
            "DROP INDEX CONCURRENTLY IF EXISTS i; CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email); REINDEX INDEX CONCURRENTLY i;",
            "CREATE INDEX IF NOT EXISTS other ON users (email);",
            "CREATE INDEX IF NOT EXISTS \"J\" ON users (id);",
            // Fails instead of doing nothing.
            "CREATE INDEX i ON users (email);",
        ] {
            assert_ignores(&test, script);
        }
        rule.ignores("", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);");
        let attached = format!("{PARENT} ALTER INDEX k ATTACH PARTITION k1;");
        rule.ignores(&attached, "CREATE INDEX IF NOT EXISTS k ON t (a);");
        let alone = "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE INDEX k ON ONLY t (a);";
        rule.ignores(alone, "CREATE INDEX IF NOT EXISTS k ON t (a);");
    }

    #[test]
    fn the_index_can_be_dropped_first() {
        let test = postgres(&RULE).on(USERS).rows("users", 100).invalid_index("i");
        let script = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (email);";
        let expected = format!("DROP INDEX CONCURRENTLY IF EXISTS i;\n{script}");
        assert_eq!(fixed(&test, script), Some(expected));
    }
}
