//! `domain-constraint`: a domain's new condition is tested in every table that uses it.

use serde_json::Value;
use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, OtherOperation, Severity, Suggestion};

use crate::sql;
use crate::tables::{Busy, busy_before};

pub(super) const RULE: Rule = Rule {
    id: "domain-constraint",
    summary: "A new condition of a domain keeps everybody from writing to all tables that use it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["alter-domain"],
    explanation: "\
**What it does.** Reports `ALTER DOMAIN … ADD CONSTRAINT` without `NOT VALID` and `SET NOT NULL`, when a table that is in use has a \
column of the domain. Before PostgreSQL 18 also `VALIDATE CONSTRAINT`, which takes the same lock there. High where the catalog says \
that a table is large.

**Why it matters.** All rows of all tables that use the domain are read, and nobody can write to any of them until the last is \
done.

**Instead.** A CHECK constraint on each table, added NOT VALID and validated in a following migration, stops nobody. From \
PostgreSQL 18 on the domain's own constraint can be added and validated that way.",
    bad: "CREATE DOMAIN email AS text;\nCREATE TABLE users (id int, email email);\n-- migration\n\
          ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%');",
    good: "CREATE DOMAIN email AS text;\nCREATE TABLE users (id int, email email);\n-- migration\n\
           ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT VALID;",
    check,
    ..Rule::DEFAULT
};

/// What is tested.
struct Tested {
    what: String,
    /// The name of a constraint that could be added NOT VALID.
    can_wait: Option<String>,
}

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(operation) = &step.effect.operation else {
            continue;
        };
        let Some(domain) = operation.objects.first().filter(|_| operation.tag == "alter-domain") else {
            continue;
        };
        let Some(tested) = tested(context, operation) else {
            continue;
        };
        let Some(tables) = tables(context, &step, domain) else {
            continue;
        };
        let names: Vec<String> = tables.iter().map(Busy::shown).collect();
        let listed = match names.as_slice() {
            [] => "the tables that use it".to_owned(),
            [only] => only.clone(),
            [first, .., last] if names.len() == 2 => format!("{first} and {last}"),
            [first, rest @ ..] => format!("{first} and {} other tables", rest.len()),
        };
        let large = tables.iter().any(|table| table.large);
        let verb = step.verb("tests", "test");
        let message = format!(
            "{verb} {} of the domain {} on all rows, while nobody can write to {listed}",
            tested.what,
            domain.short()
        );
        let finding = findings.report(&step, message);
        finding.severity(if large { Severity::High } else { Severity::Medium });
        let name = tested
            .can_wait
            .filter(|_| context.server().at_least(18) && !step.effect.conditional);
        let Some(name) = name else {
            finding.help("a CHECK on each table can be added NOT VALID and validated without stopping writes");
            continue;
        };
        finding.help("add it NOT VALID, and validate it in a following migration");
        let edit = Edit::insert(step.effect.at.end, " NOT VALID");
        finding.suggest(Suggestion::automatic(
            "add it NOT VALID, and validate it in a following migration",
            vec![edit],
        ));
        let following = format!(
            "ALTER DOMAIN {} VALIDATE CONSTRAINT {};\n",
            sql::object(domain),
            sql::name(&name)
        );
        finding.property("fix.following", following);
    }
}

/// What the change has to be tested for; `None` where no row is read.
fn tested(context: &Context<'_>, operation: &OtherOperation) -> Option<Tested> {
    let details: Value = serde_json::from_str(&operation.details).ok()?;
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if let Some(added) = details.get("add-constraint") {
        if added.get("not-valid").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let name = name(added);
        let what = match &name {
            Some(name) => format!("the constraint {name}"),
            None => "a constraint".to_owned(),
        };
        return Some(Tested { what, can_wait: name });
    }
    if details.get("not-null").and_then(Value::as_bool) == Some(true) {
        return Some(Tested {
            what: "NOT NULL".to_owned(),
            can_wait: None,
        });
    }
    let validated = details
        .get("validate-constraint")
        .filter(|_| context.server().older_than(18))?;
    Some(Tested {
        what: format!("the constraint {}", name(validated)?),
        can_wait: None,
    })
}

/// Tables in use with a column of the domain; empty where nobody knows them, `None` where there is none.
fn tables<'a>(context: &Context<'a>, step: &Step<'_>, domain: &ObjectName) -> Option<Vec<Busy<'a>>> {
    let original = context.original(step, ObjectKind::Domain, domain)?;
    let mut names: Vec<ObjectName> = context
        .before
        .dependents(ObjectKind::Domain, &original)
        .into_iter()
        .filter(|dependent| dependent.kind == ObjectKind::Column)
        .map(|dependent| dependent.name)
        .collect();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    if names.is_empty() {
        return (!context.before.complete()).then(Vec::new);
    }
    let busy: Vec<Busy<'_>> = names
        .iter()
        .filter_map(|name| busy_before(context, name, name.short()))
        .collect();
    (!busy.is_empty()).then_some(busy)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    const USERS: &str = "CREATE SCHEMA app; CREATE DOMAIN email AS text; CREATE DOMAIN app.\"Email\" AS text; CREATE DOMAIN unused AS int;
        CREATE TABLE users (id int, email email); CREATE TABLE mails (sender email, \"to\" app.\"Email\");";
    const ADD: &str = "ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%');";
    const MESSAGE: &str =
        "tests the constraint c of the domain email on all rows, while nobody can write to mails and users";

    #[test]
    fn all_tables_are_read() {
        let rule = postgres(&RULE);
        rule.reports(USERS, ADD, Medium, MESSAGE);
        let message =
            "tests the constraint c of the domain email on all rows, while nobody can write to the tables that use it";
        rule.reports("", ADD, Medium, message);
        let message = "tests NOT NULL of the domain app.Email on all rows, while nobody can write to mails";
        rule.reports(USERS, "ALTER DOMAIN app.\"Email\" SET NOT NULL;", Medium, message);
        let validate = "ALTER DOMAIN email VALIDATE CONSTRAINT c;";
        rule.version(17, 0, 0).reports(USERS, validate, Medium, MESSAGE);
        let message = MESSAGE.replace("mails and users", "users (about 2,000,000 rows)");
        let test = rule.on(USERS).rows("users", 2_000_000).rows("mails", 3);
        assert_reports(&test, ADD, High, &message);
    }

    #[test]
    fn no_table_is_read() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%') NOT VALID;",
        );
        rule.ignores(USERS, "ALTER DOMAIN unused ADD CHECK (VALUE > 0);");
        rule.ignores(
            USERS,
            "ALTER DOMAIN email DROP NOT NULL; ALTER DOMAIN email SET DEFAULT 'x';",
        );
        rule.ignores(
            "",
            "CREATE DOMAIN d AS int CHECK (VALUE > 0); ALTER DOMAIN d SET NOT NULL;",
        );
        rule.version(18, 1, 0)
            .ignores(USERS, "ALTER DOMAIN email VALIDATE CONSTRAINT c;");
        assert_ignores(&rule.on(USERS).rows("users", 3).rows("mails", 0), ADD);
        let pending = rule
            .on("SELECT 1;")
            .pending("CREATE DOMAIN d AS int; CREATE TABLE t (a d);");
        assert_ignores(&pending, "ALTER DOMAIN d SET NOT NULL;");
    }

    #[test]
    fn it_can_be_validated_later() {
        let rule = postgres(&RULE);
        let test = rule.version(18, 0, 0).on(USERS);
        assert_eq!(
            fixed(&test, ADD).as_deref(),
            Some("ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%') NOT VALID;")
        );
        assert_eq!(
            following(&test, ADD).as_deref(),
            Some("ALTER DOMAIN email VALIDATE CONSTRAINT c;\n")
        );
        assert_eq!(fixed(&rule.version(17, 0, 0).on(USERS), ADD), None);
    }
}
