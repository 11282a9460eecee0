//! `superuser-required`: the role that deploys may not do this.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words as in_words};
use tollgate_plugin::{
    Constraint, ConstraintKind, Created, Dialect, ObjectKind, Operation, OtherOperation, Parameter, Severity, Toggle,
};

use super::extensions::{Installer, installer};
use super::{details, has, words};
use crate::sql;
use crate::tokens::{self, Kind};

pub(super) const RULE: Rule = Rule {
    id: "superuser-required",
    summary: "A statement that only a superuser may run",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &[
        "create",
        "enable-trigger",
        "set-parameter",
        "insert",
        "alter-system",
        "copy-to",
        "load",
        "create-tablespace",
        "create-event-trigger",
        "create-foreign-data-wrapper",
        "create-access-method",
        "create-operator-class",
        "create-operator-family",
        "create-text-search-parser",
        "create-text-search-template",
        "create-subscription",
        "create-publication",
        "create-role",
        "alter-role",
    ],
    explanation: "\
**What it does.** Reports what fails unless a superuser runs it: `CREATE EXTENSION` of one that is not trusted (before \
PostgreSQL 13: of any), functions in C and other untrusted languages, `ALTER SYSTEM`, `COPY` from and to files of the server, \
`DISABLE TRIGGER ALL`, `SET session_replication_role` and other parameters of the kind, event triggers, foreign data wrappers, \
operator classes, tablespaces, superuser roles, publications of all tables, subscriptions (before 16). Low for extensions that \
do not come with the server: their control file decides. An extension that is there already is not reported.

**Why it matters.** The role that deploys to production is seldom a superuser, and on managed servers nobody is. What worked \
on the laptop fails there, in the middle of a deploy, unless somebody has given the role exactly this right (`GRANT SET ON \
PARAMETER`, `pg_read_server_files`). The other way round, a deploy that has to be a superuser may do anything.

**Instead.** Have it done once, by the database's administrator or the provider's own means, and let the migration find it done \
(`CREATE EXTENSION IF NOT EXISTS`). For `DISABLE TRIGGER ALL` use `USER`, which leaves the checks of foreign keys on.",
    bad: "CREATE EXTENSION dblink;",
    good: "CREATE EXTENSION IF NOT EXISTS pg_trgm;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let what = match &step.effect.operation {
            Operation::Create(created) if created.kind == ObjectKind::Extension => {
                extension(context, findings, &step, created);
                continue;
            }
            Operation::Create(created) => function(context, &step, created),
            Operation::EnableTrigger(toggle) if toggle.name.is_none() && !toggle.enable => {
                let all = has(&words(context, &step), &["trigger", "all"]) && may_have_foreign_keys(context, toggle);
                all.then(|| {
                    format!(
                        "disables the triggers of {} that check foreign keys",
                        toggle.table.short()
                    )
                })
            }
            Operation::SetParameter(parameter) => setting(parameter),
            Operation::Insert(_) => file(context, &step).then(|| "reads a file or a program of the server".to_owned()),
            Operation::Other(other) => statement(context, &step, other),
            _ => None,
        };
        if let Some(what) = what {
            say(findings, &step, &what);
        }
    }
}

/// Without foreign keys from or to it a table has no triggers of the server's own.
fn may_have_foreign_keys(context: &Context<'_>, toggle: &Toggle) -> bool {
    let Some(after) = context.after.relation(&toggle.table) else {
        return true;
    };
    let is_key = |constraint: &Constraint| constraint.kind == ConstraintKind::ForeignKey;
    after.uncertain
        || !context.before.complete()
        || after.constraints.iter().any(is_key)
        || !context.after.referencing(&after.name).is_empty()
}

fn say(findings: &mut Findings<'_>, step: &Step<'_>, what: &str) {
    findings
        .report(step, format!("{what}: only a superuser may"))
        .help("have it done once by the database's administrator, and leave it out of the migrations");
}

fn extension(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, created: &Created) {
    let name = &created.name.name;
    if context.before.exists(ObjectKind::Extension, &created.name) == Some(true) || name == "plpgsql" {
        return;
    }
    let verb = step.verb("installs", "install");
    let help = "have it installed once by the database's administrator; IF NOT EXISTS then finds it";
    if context.server().older_than(13) {
        let message = format!("{verb} the extension {name}: before PostgreSQL 13 only a superuser may");
        findings.report(step, message).help(help);
        return;
    }
    match installer(name) {
        Installer::Owner => {}
        Installer::Superuser => {
            let message = format!("{verb} the extension {name}, which is not a trusted one: only a superuser may");
            findings.report(step, message).help(help);
        }
        Installer::Unknown => {
            let message =
                format!("{verb} the extension {name}: only a superuser may, unless its control file calls it trusted");
            findings.report(step, message).severity(Severity::Low).help(help);
        }
    }
}

/// A function in a language that can do anything on the server, or one that promises not to leak.
fn function(context: &Context<'_>, step: &Step<'_>, created: &Created) -> Option<String> {
    created.arguments.as_ref()?;
    let name = created.name.short();
    let language = created.language.as_deref().unwrap_or_default();
    let untrusted = matches!(language, "c" | "internal") || (language.starts_with("pl") && language.ends_with('u'));
    if untrusted && created.kind != ObjectKind::Aggregate {
        return Some(format!(
            "{} the {} {name} in {language}",
            step.verb("makes", "make"),
            created.kind
        ));
    }
    let tokens = words(context, step);
    let leakproof = tokens.iter().position(|token| token.is("leakproof"))?;
    let negated = leakproof > 0 && tokens[leakproof - 1].is("not");
    (!negated).then(|| format!("calls the {} {name} LEAKPROOF", created.kind))
}

/// Parameters that other roles may not set, ascending.
const PARAMETERS: [&str; 20] = [
    "allow_system_table_mods",
    "commit_delay",
    "compute_query_id",
    "deadlock_timeout",
    "dynamic_library_path",
    "ignore_checksum_failure",
    "lc_messages",
    "log_duration",
    "log_lock_waits",
    "log_min_duration_statement",
    "log_min_messages",
    "log_statement",
    "max_stack_depth",
    "session_authorization",
    "session_preload_libraries",
    "session_replication_role",
    "temp_file_limit",
    "track_functions",
    "track_io_timing",
    "zero_damaged_pages",
];

fn setting(parameter: &Parameter) -> Option<String> {
    let value = parameter.value.as_ref()?;
    let name = parameter.name.to_ascii_lowercase();
    let own = name == "session_authorization" && value.eq_ignore_ascii_case("default");
    (PARAMETERS.binary_search(&name.as_str()).is_ok() && !own)
        .then(|| format!("sets {name} to {}", in_words::expression(value)))
}

/// COPY … FROM or TO a file or a program.
fn file(context: &Context<'_>, step: &Step<'_>) -> bool {
    let first = tokens::first(step.statement.span.of(context.migration.text()));
    if !first.is_some_and(|token| token.is("copy")) {
        return false;
    }
    let tokens = sql::statement_tokens(context, step.statement);
    tokens.windows(2).any(|pair| {
        let direction = pair[0].depth == 0 && (pair[0].is("from") || pair[0].is("to"));
        direction && (pair[1].is("program") || pair[1].kind == Kind::Literal)
    })
}

fn statement(context: &Context<'_>, step: &Step<'_>, other: &OtherOperation) -> Option<String> {
    let named = |what: &str| {
        let name = other
            .objects
            .first()
            .map(|name| format!(" {}", name.short()))
            .unwrap_or_default();
        Some(format!("{what}{name}"))
    };
    let details = details(other);
    match other.tag.as_str() {
        "alter-system" => Some("changes the server's configuration with ALTER SYSTEM".to_owned()),
        "copy-to" => file(context, step).then(|| "writes a file or feeds a program of the server".to_owned()),
        "load" => Some("loads a library into the server".to_owned()),
        "create-tablespace" => named("makes the tablespace"),
        "create-event-trigger" => named("makes the event trigger"),
        "create-foreign-data-wrapper" => named("makes the foreign data wrapper"),
        "create-access-method" => named("makes the access method"),
        "create-operator-class" => named("makes the operator class"),
        "create-operator-family" => named("makes the operator family"),
        "create-text-search-parser" => named("makes the text search parser"),
        "create-text-search-template" => named("makes the text search template"),
        "create-subscription" if context.server().older_than(16) => named("makes the subscription"),
        "create-publication" if details["all-tables"] == "true" => named("publishes all tables as"),
        "create-role" | "alter-role" => {
            let tokens = words(context, step);
            // Since 16 a role that may make roles hands on what it has itself.
            let guarded: &[&str] = if context.server().older_than(16) {
                &["superuser", "replication", "bypassrls"]
            } else {
                &["superuser"]
            };
            let word = guarded.iter().find(|word| has(&tokens, &[word]))?;
            named(&format!("gives {} to the role", word.to_uppercase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::{PARAMETERS, RULE};
    use crate::judge::postgres;

    #[test]
    fn extensions() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;",
            Medium,
            "installs the extension pg_stat_statements, which is not a trusted one: only a superuser may",
        );
        rule.reports(
            "",
            "CREATE EXTENSION \"some-thing\";",
            Low,
            "installs the extension some-thing: only a superuser may, unless its control file calls it trusted",
        );
        rule.ignores(
            "",
            "CREATE EXTENSION \"uuid-ossp\"; CREATE EXTENSION IF NOT EXISTS vector;",
        );
        rule.ignores("CREATE EXTENSION postgis;", "CREATE EXTENSION IF NOT EXISTS postgis;");
        rule.version(13, 0, 0).ignores("", "CREATE EXTENSION pgcrypto;");
        rule.version(12, 9, 0).reports(
            "",
            "CREATE EXTENSION pgcrypto;",
            Medium,
            "installs the extension pgcrypto: before PostgreSQL 13 only a superuser may",
        );
    }

    #[test]
    fn other_statements() {
        let rule = postgres(&RULE);
        let reports = |script, message| rule.reports("", script, Medium, message);
        reports(
            "ALTER SYSTEM SET work_mem = '1GB';",
            "changes the server's configuration with ALTER SYSTEM: only a superuser may",
        );
        reports(
            "ALTER TABLE app.\"Order\" DISABLE TRIGGER ALL;",
            "disables the triggers of app.Order that check foreign keys: only a superuser may",
        );
        reports(
            "SET session_replication_role = replica;",
            "sets session_replication_role to replica: only a superuser may",
        );
        reports(
            "COPY users FROM '/tmp/users.csv' CSV;",
            "reads a file or a program of the server: only a superuser may",
        );
        reports(
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'return 1';",
            "makes the function f in plpython3u: only a superuser may",
        );
        reports(
            "CREATE ROLE admin SUPERUSER;",
            "gives SUPERUSER to the role admin: only a superuser may",
        );
        reports(
            "CREATE PUBLICATION everything FOR ALL TABLES;",
            "publishes all tables as everything: only a superuser may",
        );
        reports(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1';",
            "calls the function f LEAKPROOF: only a superuser may",
        );
    }

    #[test]
    fn anybody_may() {
        let rule = postgres(&RULE);
        rule.ignores("CREATE TABLE logs (a int);", "ALTER TABLE logs DISABLE TRIGGER ALL;");
        rule.ignores(
            "",
            "ALTER TABLE orders DISABLE TRIGGER USER; ALTER TABLE orders DISABLE TRIGGER touch;",
        );
        rule.ignores("", "SET lock_timeout = '1s'; RESET session_replication_role;");
        rule.ignores(
            "",
            "CREATE ROLE app LOGIN NOSUPERUSER; CREATE PUBLICATION p FOR TABLE users;",
        );
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';",
        );
    }

    #[test]
    fn subscriptions_got_a_role_of_their_own() {
        let script = "CREATE SUBSCRIPTION s CONNECTION 'host=a' PUBLICATION p WITH (connect = false);";
        let rule = postgres(&RULE);
        rule.version(15, 0, 0)
            .reports("", script, Medium, "makes the subscription s: only a superuser may");
        rule.version(16, 0, 0).ignores("", script);
    }

    #[test]
    fn roles_hand_on_what_they_have() {
        let script = "CREATE ROLE r LOGIN REPLICATION NOBYPASSRLS;";
        let rule = postgres(&RULE);
        let message = "gives REPLICATION to the role r: only a superuser may";
        rule.version(15, 4, 0).reports("", script, Medium, message);
        rule.version(16, 0, 0).ignores("", script);
    }

    #[test]
    fn parameters_are_in_order() {
        assert!(PARAMETERS.is_sorted());
    }
}
