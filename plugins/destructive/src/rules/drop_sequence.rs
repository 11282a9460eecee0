//! `drop-sequence`: a sequence goes with its position.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

use super::drops;
use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "drop-sequence",
    summary: "DROP SEQUENCE loses the position up to which numbers were given out",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP SEQUENCE`, also when the same migration makes it again.

**Why it matters.** The position is lost: a sequence of the same name begins at 1 again and gives out numbers that are taken.

**Instead.** `ALTER SEQUENCE` changes everything but the position. A new sequence needs `setval` with the highest number in use.",
    bad: "DROP SEQUENCE invoice_numbers;",
    good: "ALTER SEQUENCE invoice_numbers INCREMENT BY 10;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, dropped) in drops(context, &[ObjectKind::Sequence]) {
        let needed = context
            .original(&step, dropped.kind, &dropped.name)
            .map(|original| context.remaining_dependents(&step, dropped.kind, &original))
            .unwrap_or_default();
        let message = format!(
            "{} the sequence {} with its position{}",
            step.verb("drops", "drop"),
            dropped.name.short(),
            words::needed_by(&needed)
        );
        findings
            .report(&step, message)
            .help("use ALTER SEQUENCE, or set the position of the new one with setval");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    #[test]
    fn the_position_is_lost() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP SEQUENCE numbers;",
            Medium,
            "drops the sequence numbers with its position",
        );
        rule.reports(
            "CREATE SEQUENCE numbers;",
            "DROP SEQUENCE IF EXISTS \"numbers\";",
            Medium,
            "drops the sequence numbers with its position",
        );
        rule.reports(
            "CREATE SEQUENCE numbers;",
            "DROP SEQUENCE numbers; CREATE SEQUENCE numbers START 1;",
            Medium,
            "drops the sequence numbers with its position",
        );
    }

    #[test]
    fn one_that_is_new_or_changed_keeps_it() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE SEQUENCE a; DROP SEQUENCE a;");
        rule.ignores("CREATE SEQUENCE numbers;", "ALTER SEQUENCE numbers RENAME TO other;");
        rule.ignores("CREATE TABLE a (id int);", "DROP SEQUENCE IF EXISTS nowhere;");
    }
}
