//! `security-definer-search-path`: a function with its owner's rights looks for names where its caller says.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Created, Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Suggestion};

use super::{has, words};
use crate::sql;

pub(super) const RULE: Rule = Rule {
    id: "security-definer-search-path",
    summary: "SECURITY DEFINER without SET search_path lets the caller choose what the function finds",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["create", "alter-function"],
    explanation: "\
**What it does.** Reports a function or procedure that becomes `SECURITY DEFINER` and has no `SET search_path`. One whose \
body is part of the statement (`BEGIN ATOMIC`, `RETURN`) is fine: its names are looked up when it is made.

**Why it matters.** Such a function runs with the rights of its owner, but looks for tables, functions and operators along \
the search path of whoever calls it. Any role that can make a table or a function in a schema of its own can have the function \
use that one instead, with the owner's rights.

**Instead.** Fix the path in the function: `SET search_path = pg_catalog, app, pg_temp`, with `pg_temp` last.",
    bad: "CREATE FUNCTION reset_password(id int) RETURNS void LANGUAGE sql SECURITY DEFINER\n\
          AS 'UPDATE accounts SET password = NULL WHERE accounts.id = $1';",
    good: "CREATE FUNCTION reset_password(id int) RETURNS void LANGUAGE sql SECURITY DEFINER\n\
           SET search_path = pg_catalog, app, pg_temp\nAS 'UPDATE accounts SET password = NULL WHERE accounts.id = $1';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::Create(created) if created.security_definer => made(context, findings, &step, created),
            Operation::Other(other) if other.tag == "alter-function" => {
                let tokens = words(context, &step);
                let definer = has(&tokens, &["security", "definer"]);
                if let Some(name) = other.objects.first()
                    && definer
                    && !has(&tokens, &["search_path"])
                    && !is_set_elsewhere(context, &step, name)
                {
                    report(context, findings, &step, "function", name);
                }
            }
            _ => {}
        }
    }
}

fn made(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, created: &Created) {
    let has_path = created
        .settings
        .iter()
        .any(|name| name.eq_ignore_ascii_case("search_path"));
    let tokens = words(context, step);
    // The keyword of a body that the server has parsed; RETURNS is another word.
    let is_parsed =
        has(&tokens, &["begin", "atomic"]) || tokens.iter().any(|token| token.depth == 0 && token.is("return"));
    if !has_path && !is_parsed && !is_set_elsewhere(context, step, &created.name) {
        let kind = created.kind.to_string();
        report(context, findings, step, &kind, &created.name);
    }
}

/// Another statement of the file gives the function a path: `ALTER FUNCTION … SET search_path`, or makes it anew.
fn is_set_elsewhere(context: &Context<'_>, step: &Step<'_>, name: &ObjectName) -> bool {
    let same = |other: &ObjectName| context.same(ObjectKind::Function, other, name);
    let replaced = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Create(created) => created.arguments.is_some() && created.or_replace && same(&created.name),
        Operation::Drop(dropped) => {
            matches!(dropped.kind, ObjectKind::Function | ObjectKind::Procedure) && same(&dropped.name)
        }
        _ => false,
    });
    let altered = context.steps().any(|other| match &other.effect.operation {
        Operation::Other(operation) if operation.tag == "alter-function" => {
            let tokens = words(context, &other);
            operation.objects.iter().any(same) && has(&tokens, &["set", "search_path"])
        }
        _ => false,
    });
    replaced || altered
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, kind: &str, name: &ObjectName) {
    let verb = step.verb("gives", "give");
    let message = format!(
        "{verb} the {kind} {} its owner's rights, but lets its caller's search path choose what it finds",
        name.short()
    );
    let finding = findings
        .report(step, message)
        .help("add SET search_path with the schemas that it needs, and pg_temp last");
    let tokens = words(context, step);
    let definer = tokens
        .windows(2)
        .find(|pair| pair[0].is("security") && pair[1].is("definer"))
        .map(|pair| pair[1].end);
    if let Some(at) = definer.filter(|_| !step.effect.conditional) {
        let schema = name.schema.as_deref().unwrap_or("public");
        let text = format!(" SET search_path = pg_catalog, {}, pg_temp", sql::name(schema));
        // The body may use other schemas.
        finding.suggest(Suggestion::manual("fix the search path", vec![Edit::insert(at, text)]));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn the_caller_chooses() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
            Medium,
            "gives the function f its owner's rights, but lets its caller's search path choose what it finds",
        );
        rule.reports(
            "",
            "CREATE OR REPLACE PROCEDURE app.\"Do It\"() LANGUAGE plpgsql SECURITY DEFINER AS $$\n\
             BEGIN SET search_path = app; RETURN; END $$;",
            Medium,
            "gives the procedure app.Do It its owner's rights, but lets its caller's search path choose what it finds",
        );
        rule.reports(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
            "ALTER FUNCTION f() SECURITY DEFINER;",
            Medium,
            "gives the function f its owner's rights, but lets its caller's search path choose what it finds",
        );
    }

    #[test]
    fn the_path_is_fixed() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';",
        );
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
             ALTER FUNCTION f() SET search_path TO pg_catalog, pg_temp;",
        );
        rule.ignores("", "ALTER FUNCTION f() SECURITY DEFINER SET search_path = app;");
    }

    #[test]
    fn names_are_looked_up_already() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';");
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT 1; END;",
        );
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1;",
        );
        rule.ignores("", "ALTER FUNCTION f() SECURITY INVOKER;");
    }

    #[test]
    fn a_path_is_offered() {
        let script = "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';";
        assert_eq!(
            fixed(&postgres(&RULE).on(""), script).as_deref(),
            Some(
                "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql SECURITY DEFINER \
                 SET search_path = pg_catalog, app, pg_temp AS 'SELECT 1';"
            )
        );
    }
}
