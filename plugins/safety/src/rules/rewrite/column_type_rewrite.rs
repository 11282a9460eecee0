//! `column-type-rewrite`: a change of type that PostgreSQL writes the whole table anew for.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Change, ColumnName, ColumnTypeChange, Dialect, Operation, Severity};

use super::target;
use super::types::{self, Work};

pub(super) const RULE: Rule = Rule {
    id: "column-type-rewrite",
    summary: "Most changes of a type write the table anew while nobody can use it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["alter-column-type"],
    explanation: "\
**What it does.** Reports `ALTER COLUMN … TYPE` where PostgreSQL writes every row and every index of the table anew, \
also as a step of an enum that is made anew. Changes that only lift a limit (`varchar(20)` to `varchar(40)` or `text`, \
more digits of a `numeric` with the same scale) leave the rows alone and are not reported, nor is `timestamp` to \
`timestamptz` in a session whose time zone the migration sets to UTC (from PostgreSQL 12). High where the table is \
known to be large.

**Why it matters.** The table is locked with ACCESS EXCLUSIVE until the last row is written: every query waits. It \
also needs the room of the table once more, and replicas get all of it.

**Instead.** Add a column of the new type, keep it in step with a trigger, fill it in batches, and let a short \
migration rename the two.",
    bad: "CREATE TABLE orders (id int PRIMARY KEY, total integer);\n-- migration\n\
          ALTER TABLE orders ALTER COLUMN total TYPE bigint;",
    good: "CREATE TABLE orders (id int PRIMARY KEY, note varchar(80));\n-- migration\n\
           ALTER TABLE orders ALTER COLUMN note TYPE varchar(200);",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "add a column of the new type, fill it in batches, and let a short migration rename the two";

const UTC_HELP: &str = "let the migration begin with `SET timezone = 'UTC'` where the stored times are meant as UTC: \
                        then the rows stay as they are (from PostgreSQL 12)";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    // The steps of an enum that is made anew are rewrites like any other.
    for step in context.all_steps() {
        if let Operation::AlterColumnType(change) = &step.effect.operation {
            report(context, findings, &step, change);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, change: &ColumnTypeChange) {
    let column = &change.column;
    // The engine knows domains and user-defined types, too. A new column has a value in each row of an old table.
    if !context.locks(step.statement).iter().any(|lock| lock.rewrites) {
        return;
    }
    let verb = step.verb("changes", "change");
    if let Some(name) = rebuilt_enum(context, step) {
        let what = format!("{verb} {column} to another enum {name}");
        if let Some(finding) = target::report(context, findings, step, &column.table, &what) {
            finding.help("add values with ALTER TYPE … ADD VALUE where that is enough; the old ones can stay unused");
        }
        return;
    }
    let old = old_type(context, step, change);
    let plain = change
        .using
        .as_ref()
        .is_none_or(|using| types::is_plain(&using.text, &column.column, &change.to));
    let work = match (&old, plain) {
        (Some(old), true) => types::work(context.server(), old, &change.to),
        (None, _) | (_, false) => Work::Rewrite,
    };
    let utc = work == Work::NothingInUtc;
    if work == Work::Nothing || (utc && sets_utc(context, step)) {
        return;
    }
    let what = match &old {
        Some(old) if utc => {
            format!(
                "{verb} {column} from {old} to {} where the session's time zone may not be UTC",
                change.to
            )
        }
        Some(old) => format!("{verb} {column} from {old} to {}", change.to),
        None => format!(
            "{verb} {column} to {} from a type that may be stored otherwise",
            change.to
        ),
    };
    if let Some(finding) = target::report(context, findings, step, &column.table, &what) {
        finding.help(if utc { UTC_HELP } else { HELP });
    }
}

/// The column's type before the migration, or the one that it was added with.
fn old_type(context: &Context<'_>, step: &Step<'_>, change: &ColumnTypeChange) -> Option<String> {
    let Some(original) = context.original_column(step, &change.column) else {
        return context
            .steps_before(step)
            .find_map(|earlier| match &earlier.effect.operation {
                Operation::AddColumn(added) => {
                    let then = context.column_after(&earlier, step, &change.column)?;
                    let name = ColumnName::new(added.table.clone(), added.column.name.clone());
                    context
                        .same_column(&then, &name)
                        .then(|| added.column.data_type.clone())
                }
                _ => None,
            });
    };
    let relation = context.before.relation(&original.table)?;
    relation.column(&original.column).map(|column| column.data_type.clone())
}

/// The enum that is made anew by the statements that the step is one of.
fn rebuilt_enum(context: &Context<'_>, step: &Step<'_>) -> Option<String> {
    let change = context.migration.changes().get(step.statement.part_of? as usize)?;
    match change {
        Change::EnumRebuild(rebuild) => Some(rebuild.name.short()),
        Change::TableRebuild(_) => None,
    }
}

/// The last statement above that sets the time zone sets it to UTC.
fn sets_utc(context: &Context<'_>, step: &Step<'_>) -> bool {
    let zone = context
        .steps_before(step)
        .filter_map(|earlier| match &earlier.effect.operation {
            Operation::SetParameter(parameter) if parameter.name.eq_ignore_ascii_case("timezone") => {
                Some(parameter.value.clone())
            }
            _ => None,
        });
    zone.last().flatten().is_some_and(|zone| {
        let zone = zone.trim_matches(['\'', '"']).to_ascii_lowercase();
        matches!(zone.as_str(), "utc" | "gmt" | "etc/utc" | "0")
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const T: &str = "CREATE TABLE t (id int, big bigint, name varchar(20), \"At\" timestamp, price numeric(10,2));";
    const ANEW: &str = "the table is written anew, and nobody can read or write it meanwhile";

    #[test]
    fn the_table_is_written_anew() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE t ALTER id TYPE bigint;",
            Medium,
            &format!("changes t.id from integer to bigint: {ANEW}"),
        );
        rule.reports(
            T,
            "ALTER TABLE ONLY \"public\".\"t\" ALTER COLUMN name SET DATA TYPE varchar(10) USING left(name, 10);",
            Medium,
            &format!("changes t.name from character varying(20) to character varying(10): {ANEW}"),
        );
        rule.reports(
            T,
            "ALTER TABLE t ALTER name TYPE varchar(40) USING trim(name);",
            Medium,
            &format!("changes t.name from character varying(20) to character varying(40): {ANEW}"),
        );
        rule.reports(
            T,
            "ALTER TABLE t ADD tmp text; ALTER TABLE t RENAME tmp TO x; ALTER TABLE t ALTER x TYPE int USING x::int;",
            Medium,
            &format!("changes t.x from text to integer: {ANEW}"),
        );
        rule.reports(
            "",
            "ALTER TABLE s.t ALTER x TYPE int;",
            Medium,
            &format!("changes s.t.x to integer from a type that may be stored otherwise: {ANEW}"),
        );
        rule.reports(
            "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p DEFAULT;",
            "ALTER TABLE p ALTER id TYPE bigint;",
            Medium,
            &format!("changes p.id from integer to bigint: {ANEW}"),
        );
    }

    #[test]
    fn a_large_table_makes_it_high_and_a_small_one_silent() {
        let rule = postgres(&RULE);
        let message = "changes t.id from integer to bigint: the table with about 5,000,000 rows is written anew, and \
        nobody can read or write it meanwhile";
        assert_reports(
            &rule.on(T).rows("t", 5_000_000),
            "ALTER TABLE t ALTER id TYPE bigint;",
            High,
            message,
        );
        assert_ignores(&rule.on(T).rows("t", 400), "ALTER TABLE t ALTER id TYPE bigint;");
    }

    #[test]
    fn rows_that_stay_as_they_are() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE t ALTER name TYPE text, ALTER price TYPE numeric(12,2);");
        rule.ignores(T, "ALTER TABLE t ALTER name TYPE varchar(40) USING name::varchar(40);");
        rule.ignores("", "CREATE TABLE t (id int); ALTER TABLE t ALTER id TYPE bigint;");
        rule.ignores(T, "ALTER TABLE t ADD x varchar(20); ALTER TABLE t ALTER x TYPE text;");
        assert_ignores(
            &rule.on(T).pending("CREATE TABLE u (id int);"),
            "ALTER TABLE u ALTER id TYPE bigint;",
        );
        sqlite(&RULE).ignores("", "CREATE TABLE t (a int);");
    }

    /// The engine says whether the statement writes the table anew, the rule which of its clauses does.
    #[test]
    fn the_engine_agrees() {
        let rule = postgres(&RULE);
        for (from, to, anew) in [
            ("varchar(20)", "varchar(40)", false),
            ("varchar(20)", "text", false),
            ("text", "varchar", false),
            ("text", "varchar(20)", true),
            ("char(2)", "char(3)", true),
            ("numeric(10,2)", "numeric(12,2)", false),
            ("numeric(10,2)", "numeric(12,3)", true),
            ("numeric(10,2)", "numeric", false),
            ("int", "bigint", true),
            ("bigint", "int", true),
            ("timestamp(3)", "timestamp", false),
            ("timestamp", "timestamp(3)", true),
            ("timestamp", "timestamptz", true),
            ("cidr", "inet", false),
            ("inet", "cidr", true),
            ("json", "jsonb", true),
            ("text[]", "varchar[]", true),
            ("xml", "text", false),
            ("bit varying(4)", "bit varying(8)", false),
            ("date", "timestamp", true),
        ] {
            let findings = rule
                .on(&format!("CREATE TABLE t (c {from});"))
                .check(&format!("ALTER TABLE t ALTER c TYPE {to};"));
            assert_eq!(!findings.is_empty(), anew, "{from} to {to}");
        }
        let domain = "CREATE DOMAIN mail AS text; CREATE TABLE t (c text);";
        rule.ignores(domain, "ALTER TABLE t ALTER c TYPE mail;");
    }

    #[test]
    fn a_time_zone_may_keep_them() {
        let change = "ALTER TABLE t ALTER \"At\" TYPE timestamptz;";
        let message = format!(
            "changes t.At from timestamp without time zone to timestamp with time zone where the session's time zone \
             may not be UTC: {ANEW}"
        );
        let rule = postgres(&RULE);
        rule.reports(T, change, Medium, &message);
        rule.reports(
            T,
            &format!("SET TIME ZONE 'UTC'; SET timezone = 'Europe/Berlin'; {change}"),
            Medium,
            &message,
        );
        rule.ignores(T, &format!("SET LOCAL timezone = 'UTC'; {change}"));
        let message = format!("changes t.At from timestamp without time zone to timestamp with time zone: {ANEW}");
        rule.version(11, 4, 0)
            .reports(T, &format!("SET timezone = 'UTC'; {change}"), Medium, &message);
    }

    #[test]
    fn an_enum_made_anew_rewrites_its_tables() {
        let before = "CREATE TYPE \"Role\" AS ENUM ('a', 'b'); CREATE TABLE u (id int, role \"Role\");";
        let script = "BEGIN;\nCREATE TYPE \"Role_new\" AS ENUM ('a');\n\
                      ALTER TABLE u ALTER COLUMN role TYPE \"Role_new\" USING (role::text::\"Role_new\");\n\
                      ALTER TYPE \"Role\" RENAME TO \"Role_old\";\nALTER TYPE \"Role_new\" RENAME TO \"Role\";\nDROP \
                      TYPE \"Role_old\";\nCOMMIT;";
        postgres(&RULE).reports(
            before,
            script,
            Medium,
            &format!("changes u.role to another enum Role: {ANEW}"),
        );
    }
}
