//! `prefer-timestamptz`: a moment without its time zone.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "prefer-timestamptz",
    summary: "timestamp without time zone",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of the type `timestamp` (without time zone).

**Why it matters.** `timestamp` holds what a clock on the wall shows, not a moment: two servers or sessions in different time \
zones read different moments out of the same row, and one hour a year exists twice. `timestamptz` takes no more space.

**Instead.** Write `timestamptz`. With Prisma: `@db.Timestamptz(3)`.",
    bad: "CREATE TABLE visits (id bigint PRIMARY KEY, seen_at timestamp NOT NULL DEFAULT now());",
    good: "CREATE TABLE visits (id bigint PRIMARY KEY, seen_at timestamptz NOT NULL DEFAULT now());",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let help = "write timestamptz: it holds a moment, in the same space";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        (parts.name == "timestamp without time zone").then(|| Verdict {
            message: format!("{} {} a timestamp without time zone", column.shown(), is(column)),
            instead: Some(format!("timestamptz{}{}", parts.modifier, parts.dimensions)),
            automatic: false,
        })
    });
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Manual;
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn a_clock_on_the_wall_is_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE \"Visit\" (\"seenAt\" TIMESTAMP(3) NOT NULL);",
            Low,
            "Visit.seenAt is a timestamp without time zone",
        );
        rule.reports(
            "",
            "ALTER TABLE a ADD b timestamp without time zone;",
            Low,
            "a.b is a timestamp without time zone",
        );
        rule.reports(
            "CREATE TABLE a (b date);",
            "ALTER TABLE a ALTER COLUMN b TYPE timestamp;",
            Low,
            "a.b becomes a timestamp without time zone",
        );
    }

    #[test]
    fn moments_and_dates_are_not() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE a (b timestamptz, c timestamp(3) with time zone, d date);",
        );
        rule.ignores("", "CREATE TEMPORARY TABLE a (b timestamp);");
        rule.ignores("CREATE TABLE a (b timestamp);", "ALTER TABLE a ALTER b SET NOT NULL;");
    }

    #[test]
    fn the_precision_stays() {
        assert_eq!(
            fixed(
                &RULE,
                "ALTER TABLE a ADD b timestamp(3) without time zone NOT NULL;",
                Manual
            ),
            "ALTER TABLE a ADD b timestamptz(3) NOT NULL;"
        );
    }
}
