//! `long-build-on-large-table`: work that takes minutes on a table known to be large.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectName, Operation, Severity};

use crate::details;
use crate::size::{self, Size};

pub(super) const RULE: Rule = Rule {
    id: "long-build-on-large-table",
    needs_database: true,
    summary: "An index or a validation on a table known to be large takes its time",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &[
        "create-index",
        "validate-constraint",
        "reindex",
        "refresh-materialized-view",
    ],
    explanation: "\
**What it does.** With a connected database: reports what is slow without keeping others out, on tables of a million \
rows or a gigabyte and more: `CREATE INDEX CONCURRENTLY`, `REINDEX CONCURRENTLY`, `VALIDATE CONSTRAINT`, `REFRESH \
MATERIALIZED VIEW CONCURRENTLY`. Builds that keep others out have rules of their own. Medium where the deploy's \
statement timeout may cut it off.

**Why it matters.** It runs for minutes to hours, loads disk and replicas, and holds the deploy; a concurrent build \
that is cut off leaves an invalid index.

**Instead.** Deploy it in a quiet hour and in a migration of its own, with `-- tollgate:timeout` where the deploy \
limits statements, and more `maintenance_work_mem`.",
    bad: "CREATE TABLE users (id int);\n-- rows users 40000000\n-- migration\nCREATE INDEX CONCURRENTLY IF NOT EXISTS \
    users_id ON users (id);",
    good: "CREATE TABLE users (id int);\n-- rows users 40000\n-- migration\nCREATE INDEX CONCURRENTLY IF NOT EXISTS \
    users_id ON users (id);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::CreateIndex(index) if index.concurrently => {
                let what = format!("{} an index", step.verb("builds", "build"));
                report(context, findings, &step, &index.table, &what);
            }
            Operation::ValidateConstraint(validated) => {
                let what = format!("{} {} against every row", step.verb("tests", "test"), validated.name);
                report(context, findings, &step, &validated.table, &what);
            }
            Operation::Other(other) if other.tag == "reindex" && details::flag(other, "concurrently") => {
                let Some(name) = other.objects.first() else { continue };
                let index = details::text(other, "target").is_some_and(|target| target == "index");
                let owner = context.before.index_owner(name).filter(|_| index);
                let what = if index { "an index" } else { "the indexes" };
                let what = format!("{} {what} anew", step.verb("builds", "build"));
                report(context, findings, &step, owner.as_ref().unwrap_or(name), &what);
            }
            Operation::Other(other)
                if other.tag == "refresh-materialized-view" && details::flag(other, "concurrently") =>
            {
                if let Some(view) = other.objects.first() {
                    let what = format!("{} every row anew", step.verb("computes", "compute"));
                    report(context, findings, &step, view, &what);
                }
            }
            _ => {}
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, table: &ObjectName, what: &str) {
    if size::of(context, step, table) != Size::Large {
        return;
    }
    let rows = size::in_words(context, step, table);
    let limit = context.statement_timeout_ms();
    let tail = match limit {
        Some(limit) => format!("; the deploy cancels it after {}", duration(limit)),
        None => String::new(),
    };
    let message = format!("{what}, on {}{rows}: that takes its time{tail}", table.short());
    let finding = findings.report(step, message);
    if limit.is_some() {
        finding.severity(Severity::Medium).help(
            "give it more time with `-- tollgate:timeout 2h` above the first statement, in a migration of its own",
        );
    } else {
        finding.help("run it in a quiet hour and in a migration of its own");
    }
}

/// `90 s`, `5 min`
fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1_000..=119_999 => format!("{} s", milliseconds / 1_000),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str =
        "CREATE TABLE users (id int, email text); CREATE INDEX \"Mail\" ON users (email); CREATE TABLE few (id int);";

    #[test]
    fn the_catalog_says_how_long_it_is() {
        let large = postgres(&RULE).on(T).rows("users", 40_000_000).rows("few", 10);
        let rows = "on users with about 40,000,000 rows: that takes its time";
        for (script, what) in [
            ("CREATE INDEX CONCURRENTLY i ON public.users (id);", "builds an index"),
            ("ALTER TABLE users VALIDATE CONSTRAINT c;", "tests c against every row"),
            ("REINDEX INDEX CONCURRENTLY \"Mail\";", "builds an index anew"),
            ("REINDEX TABLE CONCURRENTLY users;", "builds the indexes anew"),
        ] {
            assert_reports(&large, script, Low, &format!("{what}, {rows}"));
        }
    }

    #[test]
    fn a_timeout_may_cut_it_off() {
        let large = postgres(&RULE)
            .on(T)
            .rows("users", 40_000_000)
            .statement_timeout(90_000);
        let message = "builds an index, on users with about 40,000,000 rows: that takes its time; the deploy cancels \
        it after 90 s";
        assert_reports(&large, "CREATE INDEX CONCURRENTLY i ON users (id);", Medium, message);
    }

    #[test]
    fn nothing_is_known_to_be_large() {
        let rule = postgres(&RULE);
        rule.ignores(T, "CREATE INDEX CONCURRENTLY i ON users (id);");
        let large = rule.on(T).rows("users", 40_000_000).rows("few", 10);
        assert_ignores(&large, "CREATE INDEX CONCURRENTLY i ON few (id);");
        // What keeps others out has rules of its own.
        assert_ignores(&large, "CREATE INDEX i ON users (id);");
        assert_ignores(&large, "REINDEX TABLE users;");
        assert_ignores(&large, "CREATE TABLE t (a int); CREATE INDEX i ON t (a);");
        assert_ignores(&large, "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i;");
        assert_ignores(
            &rule.on(T).rows("users", 999_999),
            "CREATE INDEX CONCURRENTLY i ON users (id);",
        );
    }
}
