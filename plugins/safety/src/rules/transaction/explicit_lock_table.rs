//! `explicit-lock-table`: LOCK TABLE in a mode that keeps others out.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, LockMode, ObjectKind, Operation, Severity};

use crate::details;

pub(super) const RULE: Rule = Rule {
    id: "explicit-lock-table",
    summary: "LOCK TABLE keeps others out until the transaction ends",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["lock-table"],
    explanation: "\
**What it does.** Reports `LOCK TABLE` of an existing table in a mode that keeps others from writing (SHARE and \
stronger) or reading (ACCESS EXCLUSIVE, which is also what it means without a mode).

**Why it matters.** The lock lasts until the transaction ends, whatever else the migration does meanwhile. Each \
statement takes the lock that it needs anyway.

**Instead.** Leave it out. Where several tables have to be taken in a certain order, do nothing slow behind it.",
    bad: "CREATE TABLE users (id int);\n-- migration\nLOCK TABLE users;",
    good: "CREATE TABLE users (id int);\n-- migration\nLOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE;",
    check,
    ..Rule::DEFAULT
};

const MODES: [(&str, LockMode); 4] = [
    ("SHARE", LockMode::Share),
    ("SHARE ROW EXCLUSIVE", LockMode::ShareRowExclusive),
    ("EXCLUSIVE", LockMode::Exclusive),
    ("ACCESS EXCLUSIVE", LockMode::AccessExclusive),
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        if other.tag != "lock-table" {
            continue;
        }
        let words = details::text(other, "mode").unwrap_or_default();
        let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == words) else {
            continue;
        };
        let tables: Vec<String> = other
            .objects
            .iter()
            .filter(|table| !context.is_new(&step, ObjectKind::Table, table) && context.may_hold_rows(&step, table))
            .map(tollgate_plugin::ObjectName::short)
            .collect();
        if tables.is_empty() {
            continue;
        }
        let what = if mode.blocks_reads() { "read or write" } else { "write" };
        let them = if tables.len() == 1 { "it" } else { "them" };
        let message = format!(
            "{} {} with {mode}: nobody can {what} {them} until the transaction ends",
            step.verb("locks", "lock"),
            tables.join(", ")
        );
        findings
            .report(&step, message)
            .help("leave it out: each statement takes the lock that it needs");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const T: &str = "CREATE TABLE users (id int); CREATE TABLE \"Orders\" (id int);";

    #[test]
    fn others_are_kept_out() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "LOCK users;",
            Medium,
            "locks users with ACCESS EXCLUSIVE: nobody can read or write it until the transaction ends",
        );
        rule.reports(
            "",
            "LOCK TABLE ONLY app.users IN SHARE MODE NOWAIT;",
            Medium,
            "locks app.users with SHARE: nobody can write it until the transaction ends",
        );
        rule.reports(
            T,
            "BEGIN; LOCK TABLE users, public.\"Orders\" IN EXCLUSIVE MODE; COMMIT;",
            Medium,
            "locks users, Orders with EXCLUSIVE: nobody can write them until the transaction ends",
        );
        rule.reports(
            T,
            "DO $$ BEGIN LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE; END $$;",
            Medium,
            "may lock users with SHARE ROW EXCLUSIVE: nobody can write it until the transaction ends",
        );
    }

    #[test]
    fn nobody_is_kept_out() {
        let rule = postgres(&RULE);
        rule.ignores(T, "LOCK TABLE users IN ROW EXCLUSIVE MODE;");
        rule.ignores(T, "LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE;");
        rule.ignores("", "CREATE TABLE t (a int); LOCK TABLE t;");
        assert_ignores(&rule.on(T).pending("CREATE TABLE t (a int);"), "LOCK TABLE t;");
        assert_ignores(&rule.on(T).rows("users", 0), "LOCK TABLE users;");
    }
}
