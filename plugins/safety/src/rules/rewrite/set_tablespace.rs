//! `set-tablespace`: a table or index whose file is copied to another place.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectName, Operation, OtherOperation, Severity};

use super::target;
use crate::details;
use crate::size::{self, Size};

pub(super) const RULE: Rule = Rule {
    id: "set-tablespace",
    summary: "SET TABLESPACE copies a table or index while nobody can use it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["set-tablespace", "move-all-to-tablespace"],
    explanation: "\
**What it does.** Reports `SET TABLESPACE` of a table, index or materialized view, and `ALTER TABLE ALL IN \
TABLESPACE`. High where the table is known to be large. A partitioned table has no file of its own: there it is a \
setting for partitions to come, and nothing is reported.

**Why it matters.** The whole file is copied, through the write-ahead log, while ACCESS EXCLUSIVE keeps everybody from \
reading it.

**Instead.** An index can be made in the other tablespace with CONCURRENTLY and the old one dropped; from PostgreSQL \
14 on `REINDEX (TABLESPACE …) INDEX CONCURRENTLY` does both. For a table: a new one there, filled in batches, or \
`pg_repack`.",
    bad: "CREATE TABLE events (id int);\n-- migration\nALTER TABLE events SET TABLESPACE archive;",
    good: "CREATE TABLE events (id int);\nALTER TABLE events SET TABLESPACE archive;",
    check,
    ..Rule::DEFAULT
};

const TABLE_HELP: &str = "make a table there and move the rows over in batches, or use pg_repack --tablespace";

const INDEX_HELP: &str = "make the index there with CREATE INDEX CONCURRENTLY and drop the old one; from PostgreSQL 14 \
                          on REINDEX (TABLESPACE …) INDEX CONCURRENTLY does both";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        match other.tag.as_str() {
            "move-all-to-tablespace" => {
                let to = details::text(other, "tablespace").unwrap_or_default();
                let verb = step.verb("moves", "move");
                let message = format!(
                    "{verb} everything in a tablespace to {to}: nobody can read or write any of it until all of it has \
                     been copied"
                );
                findings
                    .report(&step, message)
                    .help("move the objects one by one, each in a transaction of its own");
            }
            "set-tablespace" => report(context, findings, &step, other),
            _ => {}
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, other: &OtherOperation) {
    let Some(name) = other.objects.first() else { return };
    let is_index = details::text(other, "kind").is_some_and(|kind| kind == "index");
    let table: Option<ObjectName> = if is_index {
        context.before.index_owner(name)
    } else {
        Some(name.clone())
    };
    if !is_index && target::is_partitioned(context, step, name) {
        return;
    }
    let size = table
        .as_ref()
        .map_or(Size::Middling, |table| size::of(context, step, table));
    if size == Size::Small {
        return;
    }
    let to = details::text(other, "tablespace").unwrap_or_default();
    let rows = table
        .as_ref()
        .map(|table| size::in_words(context, step, table))
        .unwrap_or_default();
    let verb = step.verb("moves", "move");
    let message = match (is_index, &table) {
        (true, Some(table)) => format!(
            "{verb} the index {} to the tablespace {to}: nobody can read or write the table {}{rows} until it has been \
             copied",
            name.short(),
            table.short()
        ),
        (true, None) => format!(
            "{verb} the index {} to the tablespace {to}: nobody can read or write its table until it has been copied",
            name.short()
        ),
        (false, _) => format!(
            "{verb} {}{rows} to the tablespace {to}: nobody can read or write it until it has been copied",
            name.short()
        ),
    };
    let finding = findings.report(step, message);
    finding.help(if is_index { INDEX_HELP } else { TABLE_HELP });
    if size == Size::Large {
        finding.severity(Severity::High);
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str = "CREATE TABLE events (id int); CREATE INDEX \"Events_id\" ON events (id); CREATE TABLE parts (id \
    int) PARTITION BY RANGE (id);";

    #[test]
    fn the_file_is_copied() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE events SET TABLESPACE archive;",
            Medium,
            "moves events to the tablespace archive: nobody can read or write it until it has been copied",
        );
        rule.reports(
            T,
            "ALTER INDEX public.\"Events_id\" SET TABLESPACE fast;",
            Medium,
            "moves the index Events_id to the tablespace fast: nobody can read or write the table events until it has \
             been copied",
        );
        rule.reports(
            "",
            "ALTER INDEX i SET TABLESPACE fast;",
            Medium,
            "moves the index i to the tablespace fast: nobody can read or write its table until it has been copied",
        );
        rule.reports(
            "",
            "ALTER TABLE ALL IN TABLESPACE old SET TABLESPACE new;",
            Medium,
            "moves everything in a tablespace to new: nobody can read or write any of it until all of it has been \
             copied",
        );
        assert_reports(
            &rule.on(T).rows("events", 9_000_000),
            "ALTER TABLE events SET TABLESPACE archive;",
            High,
            "moves events with about 9,000,000 rows to the tablespace archive: nobody can read or write it until it \
             has been copied",
        );
    }

    #[test]
    fn there_is_nothing_to_copy() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE parts SET TABLESPACE archive;");
        rule.ignores("", "CREATE TABLE t (a int); ALTER TABLE t SET TABLESPACE archive;");
        rule.ignores(T, "CREATE INDEX i ON events (id) TABLESPACE fast;");
        assert_ignores(
            &rule.on(T).rows("events", 100),
            "ALTER INDEX \"Events_id\" SET TABLESPACE fast;",
        );
    }
}
