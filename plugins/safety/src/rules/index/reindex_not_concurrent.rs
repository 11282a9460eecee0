//! `reindex-not-concurrent`: indexes are built anew while nobody can write, and queries cannot use them.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, OtherOperation, Severity, Suggestion};

use crate::tables::{busy, busy_before};
use crate::transactions::Transactions;
use crate::{details, sql};

pub(super) const RULE: Rule = Rule {
    id: "reindex-not-concurrent",
    summary: "REINDEX keeps everybody from writing, and queries from planning, until the indexes are built",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["reindex"],
    explanation: "\
**What it does.** Reports `REINDEX` without `CONCURRENTLY` of an index or table that is in use, and of a schema or database. High \
where the catalog says that the table is large.

**Why it matters.** Each index is locked exclusively while it is built: writes to the table wait, and so does every query that \
looks at the index while it is planned, which is nearly every query of the table.

**Instead.** `REINDEX … CONCURRENTLY` (PostgreSQL 12 and newer). Before that: make a second index CONCURRENTLY, drop the old one \
CONCURRENTLY, and give the new one its name.",
    bad: "REINDEX TABLE users;",
    good: "REINDEX TABLE CONCURRENTLY users;",
    check,
    ..Rule::DEFAULT
};

/// What is built anew, and how bad that is.
struct Rebuilt {
    what: String,
    severity: Severity,
}

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    for step in context.steps() {
        let Operation::Other(operation) = &step.effect.operation else {
            continue;
        };
        if operation.tag != "reindex" {
            continue;
        }
        if details::flag(operation, "concurrently") {
            continue;
        }
        let target = details::text(operation, "target").unwrap_or_default();
        let Some(rebuilt) = rebuilt(context, &step, operation, &target) else {
            continue;
        };
        let verb = step.verb("builds", "build");
        let message = format!("{verb} {}: writes and most queries wait meanwhile", rebuilt.what);
        let finding = findings.report(&step, message).severity(rebuilt.severity);
        let inside = transactions.is_fixed(step.statement);
        if target == "system" {
            finding.help("system catalogs cannot be rebuilt concurrently: do it while nobody works");
        } else if context.server().older_than(12) {
            finding.help("make a second index CONCURRENTLY, drop the old one CONCURRENTLY and rename the new one");
        } else if step.effect.conditional || inside {
            finding.help("rebuild it CONCURRENTLY, outside of a transaction and of any block");
        } else {
            finding.help("rebuild it CONCURRENTLY");
            if let Some(edit) = edit(context, &step, &target) {
                finding.suggest(Suggestion::automatic("rebuild it CONCURRENTLY", vec![edit]));
            }
        }
    }
}

fn rebuilt(context: &Context<'_>, step: &Step<'_>, operation: &OtherOperation, target: &str) -> Option<Rebuilt> {
    let name = operation.objects.first();
    let whole = |what: String| {
        Some(Rebuilt {
            what,
            severity: Severity::Medium,
        })
    };
    match (target, name) {
        ("index", Some(index)) => index_rebuilt(context, step, index),
        ("table", Some(table)) => {
            let table = busy(context, step, table)?;
            Some(Rebuilt {
                what: format!("all indexes of {} anew", table.shown()),
                severity: table.severity(),
            })
        }
        ("schema", Some(schema)) => whole(format!("all indexes in the schema {} anew", schema.name)),
        ("system", _) => whole("the indexes of the system catalogs anew".to_owned()),
        _ => whole("all indexes in the database anew".to_owned()),
    }
}

fn index_rebuilt(context: &Context<'_>, step: &Step<'_>, index: &ObjectName) -> Option<Rebuilt> {
    let original = context.original(step, ObjectKind::Index, index)?;
    if context.before.exists(ObjectKind::Index, &original) == Some(false) {
        return None;
    }
    let name = index.short();
    let Some(owner) = context.before.index_owner(&original) else {
        return Some(Rebuilt {
            what: format!("the index {name} anew"),
            severity: Severity::Medium,
        });
    };
    let table = busy_before(context, &owner, owner.short())?;
    Some(Rebuilt {
        what: format!("the index {name} of {} anew", table.shown()),
        severity: table.severity(),
    })
}

/// CONCURRENTLY behind the word that says what is rebuilt; options in brackets stand before it.
fn edit(context: &Context<'_>, step: &Step<'_>, target: &str) -> Option<Edit> {
    let tokens = sql::statement_tokens(context, step.statement);
    let word = tokens.iter().find(|token| token.depth == 0 && token.is(target))?;
    Some(Edit::insert(word.end, " CONCURRENTLY"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str = "CREATE TABLE users (id int, email text); CREATE INDEX i ON users (email);";

    #[test]
    fn everybody_waits() {
        let rule = postgres(&RULE);
        let message = "builds the index i anew: writes and most queries wait meanwhile";
        rule.reports("", "REINDEX INDEX i;", Medium, message);
        let message = "builds the index i of users anew: writes and most queries wait meanwhile";
        rule.reports(USERS, "REINDEX (VERBOSE) INDEX public.i;", Medium, message);
        let message = "builds all indexes of users anew: writes and most queries wait meanwhile";
        rule.reports(USERS, "REINDEX (CONCURRENTLY false) TABLE \"users\";", Medium, message);
        rule.version(11, 22, 0)
            .reports(USERS, "REINDEX TABLE users;", Medium, message);
        let message = "builds all indexes in the schema public anew: writes and most queries wait meanwhile";
        rule.reports(USERS, "REINDEX SCHEMA public;", Medium, message);
        let message = "builds all indexes of users (about 2,000,000 rows) anew: writes and most queries wait meanwhile";
        assert_reports(
            &rule.on(USERS).rows("users", 2_000_000),
            "REINDEX TABLE users;",
            High,
            message,
        );
    }

    #[test]
    fn nobody_waits() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "REINDEX TABLE CONCURRENTLY users;");
        rule.ignores(USERS, "REINDEX (CONCURRENTLY, VERBOSE) INDEX i;");
        rule.ignores("", "CREATE TABLE t (a int PRIMARY KEY); REINDEX TABLE t;");
        rule.ignores(USERS, "CREATE INDEX k ON users (email); REINDEX INDEX k;");
        assert_ignores(&rule.on(USERS).rows("users", 5), "REINDEX TABLE users;");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int PRIMARY KEY);"),
            "REINDEX TABLE t;",
        );
    }

    #[test]
    fn it_can_be_rebuilt_concurrently() {
        let rule = postgres(&RULE);
        let test = rule.on(USERS);
        for (script, expected) in [
            ("REINDEX TABLE users;", "REINDEX TABLE CONCURRENTLY users;"),
            ("reindex (verbose) index i;", "reindex (verbose) index CONCURRENTLY i;"),
            ("REINDEX DATABASE app;", "REINDEX DATABASE CONCURRENTLY app;"),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        assert_eq!(fixed(&test, "REINDEX SYSTEM app;"), None);
        assert_eq!(fixed(&rule.version(11, 0, 0).on(USERS), "REINDEX TABLE users;"), None);
    }
}
