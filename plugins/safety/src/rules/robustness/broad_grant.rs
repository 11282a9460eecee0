//! `broad-grant`: more people may do more than anybody means.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words as in_words};
use tollgate_plugin::{Dialect, ObjectKind, Operation, PrivilegeChange, Severity};

use super::{has, words};
use crate::sql::Token;

pub(super) const RULE: Rule = Rule {
    id: "broad-grant",
    summary: "A GRANT to everybody, of everything, or of a role that may do nearly everything",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["privileges", "grant-role", "alter-default-privileges"],
    explanation: "\
**What it does.** Reports grants to `PUBLIC` of what it does not have anyway (tables, sequences, CREATE on a schema or \
database), also as default privileges, and membership in roles that see or change everything (`pg_read_all_data`, \
`pg_write_all_data`, `pg_execute_server_program`, …): medium. `GRANT ALL` on tables and `WITH GRANT OPTION`: low. What \
`PUBLIC` has by default (EXECUTE on functions, USAGE on types, CONNECT) is not reported.

**Why it matters.** `PUBLIC` is every role, also those that will be made later. `ALL` on a table includes TRUNCATE, \
REFERENCES and TRIGGER: a role that can make a trigger runs code with the rights of whoever writes next.

**Instead.** Grant to the role that needs it, and name what it needs: `GRANT SELECT, INSERT, UPDATE ON orders TO app`.",
    bad: "GRANT SELECT, UPDATE ON orders TO PUBLIC;",
    good: "GRANT SELECT, UPDATE ON orders TO app;",
    check,
    ..Rule::DEFAULT
};

/// Roles of the server whose members get at everything.
const POWERFUL: [&str; 5] = [
    "pg_execute_server_program",
    "pg_read_all_data",
    "pg_read_server_files",
    "pg_write_all_data",
    "pg_write_server_files",
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::Privileges(change) if change.grant => privileges(findings, &step, change),
            Operation::Other(other) if other.tag == "grant-role" => membership(context, findings, &step),
            Operation::Other(other) if other.tag == "alter-default-privileges" => defaults(context, findings, &step),
            _ => {}
        }
    }
}

fn privileges(findings: &mut Findings<'_>, step: &Step<'_>, change: &PrivilegeChange) {
    let object = object(change);
    let verb = step.verb("grants", "grant");
    let what = match change.privileges.as_slice() {
        [] => "every privilege".to_owned(),
        some => in_words::list(some).to_uppercase().replace(" AND ", " and "),
    };
    let to_public = change.roles.iter().any(|role| role == "public");
    if to_public && !has_anyway(change) {
        findings
            .report(
                step,
                format!("{verb} {what} on {object} to every role there is and will be"),
            )
            .help("grant it to the role that needs it");
        return;
    }
    let roles = in_words::list(&change.roles);
    let is_table = matches!(
        change.kind,
        ObjectKind::Table | ObjectKind::View | ObjectKind::ForeignTable
    );
    if change.privileges.is_empty() && is_table && !to_public {
        let message = format!("{verb} {what} on {object} to {roles}, TRUNCATE, REFERENCES and TRIGGER among them");
        findings
            .report(step, message)
            .severity(Severity::Low)
            .help("name the privileges that it needs, for example SELECT, INSERT, UPDATE, DELETE");
    } else if change.grant_option {
        findings
            .report(
                step,
                format!("{verb} {what} on {object} to {roles}, which may pass it on to anybody"),
            )
            .severity(Severity::Low)
            .help("leave WITH GRANT OPTION out");
    }
}

/// What every role has by default, or what lets nobody get at data.
fn has_anyway(change: &PrivilegeChange) -> bool {
    let only = |allowed: &[&str]| {
        !change.privileges.is_empty()
            && change
                .privileges
                .iter()
                .all(|privilege| allowed.contains(&privilege.as_str()))
    };
    match change.kind {
        // With ALL … IN SCHEMA the kind says of what.
        ObjectKind::Schema if !change.all_in_schema => only(&["usage"]),
        ObjectKind::Database => only(&["connect", "temporary", "temp"]),
        ObjectKind::Function
        | ObjectKind::Procedure
        | ObjectKind::Aggregate
        | ObjectKind::Type
        | ObjectKind::Domain
        | ObjectKind::Other => true,
        _ => false,
    }
}

/// `orders`, `every object of the schema app`, `the schema app`.
fn object(change: &PrivilegeChange) -> String {
    let name = change.object.short();
    match change.kind {
        _ if change.all_in_schema => format!("everything in the schema {}", change.object.name),
        ObjectKind::Table | ObjectKind::View => name,
        ObjectKind::Schema => format!("the schema {}", change.object.name),
        kind => format!("the {kind} {name}"),
    }
}

/// GRANT role TO role.
fn membership(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>) {
    let tokens = words(context, step);
    let end = tokens.iter().position(|token| token.is("to")).unwrap_or(tokens.len());
    let granted: Vec<String> = tokens[..end]
        .iter()
        .filter_map(Token::name)
        .filter(|name| POWERFUL.contains(&name.as_str()))
        .collect();
    if !granted.is_empty() {
        let verb = step.verb("grants", "grant");
        let message = format!(
            "{verb} the role {}, whose members get at everything",
            in_words::list(&granted)
        );
        findings
            .report(step, message)
            .help("grant privileges on the objects that are needed");
    }
}

/// ALTER DEFAULT PRIVILEGES … GRANT … TO PUBLIC.
fn defaults(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>) {
    let tokens = words(context, step);
    let kind = ["tables", "sequences", "schemas", "large"]
        .into_iter()
        .find(|kind| has(&tokens, &["on", kind]));
    let to = tokens.iter().rposition(|token| token.is("to"));
    let to_public = to.is_some_and(|at| tokens[at..].iter().any(|token| token.is("public")));
    if let Some(kind) = kind.filter(|_| to_public && has(&tokens, &["grant"])) {
        let verb = step.verb("grants", "grant");
        let kind = if kind == "large" { "large objects" } else { kind };
        findings
            .report(
                step,
                format!("{verb} every role there is and will be rights on {kind} that will be made"),
            )
            .help("grant them to the role that needs them");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::postgres;

    #[test]
    fn everybody_may() {
        let rule = postgres(&RULE);
        let reports = |script, message| rule.reports("", script, Medium, message);
        reports(
            "GRANT SELECT, INSERT ON app.\"Order\" TO PUBLIC;",
            "grants SELECT and INSERT on app.Order to every role there is and will be",
        );
        reports(
            "GRANT SELECT ON ALL TABLES IN SCHEMA app TO public;",
            "grants SELECT on everything in the schema app to every role there is and will be",
        );
        reports(
            "GRANT CREATE ON SCHEMA public TO PUBLIC;",
            "grants CREATE on the schema public to every role there is and will be",
        );
        reports(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;",
            "grants every role there is and will be rights on tables that will be made",
        );
        reports(
            "GRANT pg_read_all_data TO app;",
            "grants the role pg_read_all_data, whose members get at everything",
        );
    }

    #[test]
    fn one_role_may_do_everything() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "GRANT ALL PRIVILEGES ON orders TO app;",
            Low,
            "grants every privilege on orders to app, TRUNCATE, REFERENCES and TRIGGER among them",
        );
        rule.reports(
            "",
            "GRANT SELECT ON orders TO app WITH GRANT OPTION;",
            Low,
            "grants SELECT on orders to app, which may pass it on to anybody",
        );
    }

    #[test]
    fn it_is_what_is_needed() {
        let rule = postgres(&RULE);
        rule.ignores("", "GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO app;");
        rule.ignores(
            "",
            "GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT EXECUTE ON FUNCTION f() TO PUBLIC;",
        );
        rule.ignores("", "REVOKE ALL ON orders FROM PUBLIC;");
        rule.ignores("", "GRANT ALL ON SCHEMA app TO app; GRANT app_writer TO app;");
        rule.ignores("", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;");
        rule.ignores("", "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;");
        rule.ignores("", "GRANT app TO pg_read_all_data;");
    }
}
