//! `exclude-constraint`: an exclusion constraint builds its index while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Dialect, Severity};

use super::added_to_tables;
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "exclude-constraint",
    summary: "ADD EXCLUDE keeps everybody from the table while it builds its index and compares all rows",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports an exclusion constraint that is added to a table in use. High where the catalog says that the table is \
large.

**Why it matters.** The table is locked exclusively (ACCESS EXCLUSIVE) until the index is built and all rows are compared. There is \
no NOT VALID and no USING INDEX for it.

**Instead.** Make it with the table. Where the table is there: refuse new conflicts with a trigger, or make a new table with the \
constraint, fill it in batches while both are written, and swap the names.",
    bad: "ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&);",
    good: "CREATE TABLE bookings (room int, during tstzrange, CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, added) in added_to_tables(context, ConstraintKind::Exclude) {
        let Some(table) = busy(context, &step, added.table) else {
            continue;
        };
        let verb = step.verb("builds", "build");
        let what = match &added.definition.name {
            Some(name) => format!("the exclusion constraint {name}"),
            None => "an exclusion constraint".to_owned(),
        };
        let message = format!(
            "{verb} the index of {what} on {}, while nobody can use it",
            table.shown()
        );
        findings
            .report(&step, message)
            .severity(table.severity())
            .help("add it while nobody works, or move the rows to a new table that has it");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::postgres;

    const ROOMS: &str =
        "CREATE TABLE bookings (room int, during tstzrange); CREATE TABLE \"Rooms\" (during tstzrange);";
    const ADD: &str = "ALTER TABLE bookings ADD CONSTRAINT x EXCLUDE USING gist (room WITH =, during WITH &&);";
    const MESSAGE: &str = "builds the index of the exclusion constraint x on bookings, while nobody can use it";

    #[test]
    fn nobody_can_use_the_table() {
        let rule = postgres(&RULE);
        rule.reports("", ADD, Medium, MESSAGE);
        rule.reports(ROOMS, ADD, Medium, MESSAGE);
        let message = "builds the index of an exclusion constraint on Rooms, while nobody can use it";
        rule.reports(
            ROOMS,
            "ALTER TABLE public.\"Rooms\" ADD EXCLUDE USING gist (during WITH &&);",
            Medium,
            message,
        );
        let message = "builds the index of the exclusion constraint x on bookings (about 2,000,000 rows), while nobody can use it";
        assert_reports(&rule.on(ROOMS).rows("bookings", 2_000_000), ADD, High, message);
    }

    #[test]
    fn nobody_waits() {
        let rule = postgres(&RULE);
        rule.ignores(ROOMS, "CREATE TABLE t (r tstzrange, EXCLUDE USING gist (r WITH &&));");
        rule.ignores(
            ROOMS,
            "CREATE TABLE t (r tstzrange); ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&);",
        );
        assert_ignores(
            &rule.on(ROOMS).pending("CREATE TABLE t (r tstzrange);"),
            "ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&);",
        );
        assert_ignores(&rule.on(ROOMS).rows("bookings", 70), ADD);
    }
}
