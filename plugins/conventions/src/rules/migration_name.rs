//! `migration-name`: what the folder of a migration is called.

use tollgate_plugin::Severity;
use tollgate_plugin::rules::{Context, Findings, Rule};

use crate::settings::{self, Settings};
use crate::touched::{Touched, words};

pub(super) const RULE: Rule = Rule {
    id: "migration-name",
    summary: "a migration's name that does not say when or what",
    severity: Severity::Low,
    explanation: "\
**What it does.** Reports a name that is not `YYYYMMDDHHMMSS_snake_case`; that has no verb (first, or behind the objects that the \
migration touches: `add_users_email`, `users_add_email`); or that does not name the one table whose schema the migration changes. The \
first migration of a project may be called `init`, and `0_init` is always fine. The settings `verbs`, `accepted_names`, `verb_in_name` and \
`table_in_name` change what is asked for.

**Why it matters.** The name is what deploys, ledgers and messages show. Whoever looks for the migration that broke something at \
night reads the names.

**Instead.** Rename the folder before it is deployed anywhere; `tollgate new add email to users` makes the right form. The name of \
an applied migration must stay: the ledger knows it by that.",
    bad: "-- migration 20260901120000_changes\nALTER TABLE users ADD COLUMN email text;",
    good: "-- migration 20260901120000_add_email_to_users\nALTER TABLE users ADD COLUMN email text;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let settings = settings::of(context);
    let name = context.migration.name();
    if settings
        .accepted_names
        .iter()
        .any(|accepted| settings::fits(accepted, name))
    {
        return;
    }
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (time, rest) = name.split_at(digits);
    let rest = rest.strip_prefix('_').unwrap_or(rest);
    if is_first(context, time, rest) {
        return;
    }
    let mut problems = Vec::new();
    if !is_time(time) {
        problems.push("it does not begin with the time as YYYYMMDDHHMMSS_".to_owned());
    }
    if rest.is_empty() {
        problems.push("it does not say what the migration does".to_owned());
    } else if FIRST.contains(&rest) {
        problems.push(format!(
            "{rest} is for the first migration, and says nothing of what this one does"
        ));
    } else {
        if !is_snake_case(rest) {
            problems.push("it is not snake_case".to_owned());
        }
        problems.extend(what_is_missing(context, &settings, rest));
    }
    if problems.is_empty() {
        return;
    }
    findings
        .report_script(format!("the name {name} could say more: {}", problems.join("; ")))
        .help("rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users");
}

/// What the first migration of a project is called.
const FIRST: [&str; 9] = [
    "init",
    "initial",
    "initial_migration",
    "initial_schema",
    "initial_setup",
    "initialize",
    "baseline",
    "squashed",
    "squashed_migrations",
];

/// `init`, `0_init` and `000000000000_squashed_migrations` are well-known; with a time only the first one is.
fn is_first(context: &Context<'_>, time: &str, rest: &str) -> bool {
    let number = time.trim_start_matches('0').is_empty() || time.len() < 6;
    // The names of all tables are many: only where they matter.
    let nothing_before = || !context.before.complete() || context.before.relations().is_empty();
    FIRST.contains(&rest) && (number || nothing_before())
}

/// Fourteen digits that can be a moment.
fn is_time(digits: &str) -> bool {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok());
    digits.len() == 14
        && part(4, 6).is_some_and(|month| (1..=12).contains(&month))
        && part(6, 8).is_some_and(|day| (1..=31).contains(&day))
        && part(8, 10).is_some_and(|hour| hour < 24)
        && part(10, 12).is_some_and(|minute| minute < 60)
        && part(12, 14).is_some_and(|second| second < 61)
}

fn is_snake_case(text: &str) -> bool {
    text.split('_').all(|word| {
        !word.is_empty()
            && word
                .chars()
                .all(|letter| letter.is_alphanumeric() && !letter.is_uppercase())
    })
}

/// The verb, and the table.
fn what_is_missing(context: &Context<'_>, settings: &Settings, rest: &str) -> Vec<String> {
    let words: Vec<String> = words(rest);
    let touched = Touched::by(context);
    let mut missing = Vec::new();
    if settings.verb_in_name && !has_verb(settings, &words, &touched) {
        missing.push("it does not begin with what is done (add, drop, rename, …)".to_owned());
    }
    if settings.table_in_name
        && let Some(table) = touched.only_table()
        && !touched.names_something(&words)
    {
        missing.push(format!("it does not name {}, all that it changes", table.short()));
    }
    missing
}

/// The first verb, with one word that says where (`auth_add_…`) or nothing but objects that the migration touches before
/// it.
fn has_verb(settings: &Settings, words: &[String], touched: &Touched) -> bool {
    let is_verb = |at: usize| {
        let word = words[at].as_str();
        let known = is_known_verb(word) || settings.verbs.iter().any(|verb| verb == word);
        // At the end of a name it is a thing: `orders_created_at_index`.
        known && (at == 0 || at + 1 < words.len() || !NOUNS.contains(&word))
    };
    (0..words.len())
        .find(|at| is_verb(*at))
        .is_some_and(|at| at < 2 || words[..at].iter().all(|word| touched.has_word(word)))
}

/// Imperatives that names of migrations begin with, sorted; `added` counts as `add`.
// One a line would be a page.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "add", "adjust", "allow", "alter", "append", "apply", "archive", "assign", "attach", "backfill", "ban", "bind",
    "block", "bump", "cast", "change", "check", "clean", "cleanup", "clear", "cluster", "coalesce", "collapse",
    "combine", "comment", "complete", "configure", "consolidate", "constrain", "convert", "copy", "correct", "create",
    "deactivate", "decouple", "dedupe", "deduplicate", "default", "define", "delete", "denormalize", "deprecate",
    "detach", "disable", "disallow", "divide", "drop", "duplicate", "empty", "enable", "encode", "encrypt", "enforce",
    "enlarge", "ensure", "erase", "exclude", "expand", "expire", "export", "extend", "extract", "fill", "finalize",
    "finish", "fix", "flatten", "force", "generate", "grant", "grow", "harden", "hash", "hide", "implement", "import",
    "improve", "include", "increase", "index", "initialise", "initialize", "insert", "install", "introduce",
    "invalidate", "join", "keep", "limit", "link", "load", "lock", "loosen", "lower", "make", "map", "mark", "merge",
    "migrate", "modify", "move", "narrow", "normalise", "normalize", "nullify", "optimise", "optimize", "partition",
    "patch", "populate", "prefix", "prepare", "prevent", "promote", "provision", "prune", "purge", "raise", "rebuild",
    "recalculate", "recompute", "reconcile", "recreate", "redefine", "reduce", "refactor", "refresh", "register",
    "reindex", "relax", "remove", "rename", "renumber", "reorder", "reorganize", "repair", "replace", "replicate",
    "require", "reset", "resize", "restore", "restrict", "restructure", "retire", "retype", "revert", "revoke",
    "rework", "rewrite", "rollback", "rotate", "sanitize", "scope", "secure", "seed", "separate", "set", "setup",
    "share", "shorten", "shrink", "simplify", "snapshot", "sort", "split", "squash", "start", "stop", "store",
    "strip", "support", "swap", "switch", "sync", "synchronize", "tag", "tighten", "toggle", "track", "transfer",
    "transform", "translate", "trim", "truncate", "tune", "undo", "unify", "uninstall", "unlink", "unset", "update",
    "upgrade", "upsert", "use", "vacuum", "validate", "verify", "version", "widen", "wipe", "wrap",
];

/// Verbs that are things as well.
const NOUNS: [&str; 14] = [
    "check",
    "comment",
    "copy",
    "default",
    "duplicate",
    "hash",
    "index",
    "limit",
    "link",
    "lock",
    "map",
    "partition",
    "tag",
    "version",
];

fn is_known_verb(word: &str) -> bool {
    let known = |word: &str| VERBS.binary_search(&word).is_ok();
    known(word) || word.strip_suffix('d').is_some_and(known) || word.strip_suffix("ed").is_some_and(known)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::Test;

    use super::RULE;
    use crate::Conventions;
    use crate::judge::{assert_ignores, postgres, sqlite};

    #[test]
    fn verbs_are_sorted() {
        assert!(super::VERBS.is_sorted());
    }

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text);";
    const ADD: &str = "ALTER TABLE users ADD COLUMN email text;";

    fn named(name: &str) -> Test<Conventions> {
        postgres(&RULE).on(USERS).named(name)
    }

    /// What is said of a name, behind the colon.
    fn said(test: &Test<Conventions>, script: &str) -> String {
        let findings = test.check(script);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0]
            .message
            .split_once(": ")
            .map_or("", |(_, said)| said)
            .to_owned()
    }

    #[test]
    fn the_time_comes_first() {
        let problem = "it does not begin with the time as YYYYMMDDHHMMSS_";
        for name in [
            "add_email_to_users",
            "20260901_add_email_to_users",
            "202609011200_add_email_to_users",
            "20261301120000_add_email_to_users",
            "2026-09-01_add_email_to_users",
        ] {
            assert!(said(&named(name), ADD).starts_with(problem), "{name}");
        }
    }

    #[test]
    fn words_are_separated_by_underscores() {
        for name in [
            "20260901120000_AddUsersEmail",
            "20260901120000_add-users-email",
            "20260901120000_add__users.sql",
        ] {
            assert!(said(&named(name), ADD).contains("it is not snake_case"), "{name}");
        }
    }

    #[test]
    fn a_name_says_what_is_done() {
        let problem = "it does not begin with what is done (add, drop, rename, …)";
        for name in [
            "20260901120000_users",
            "20260901120000_users_email",
            "20260901120000_users_email_index",
        ] {
            assert_eq!(said(&named(name), ADD), problem, "{name}");
        }
        assert_eq!(
            said(&named("20260901120000_"), ADD),
            "it does not say what the migration does"
        );
    }

    #[test]
    fn a_name_says_to_what() {
        assert_eq!(
            said(&named("20260901120000_add_some_columns"), ADD),
            "it does not name users, all that it changes"
        );
        assert_eq!(
            said(&named("20260901120000_changes"), ADD),
            "it does not begin with what is done (add, drop, rename, …); it does not name users, all that it changes"
        );
        let script = "CREATE INDEX i ON users (name); UPDATE public.\"users\" SET name = '' WHERE id = 1;";
        assert_eq!(
            said(&named("20260901120000_improve_speed"), script),
            "it does not name users, all that it changes"
        );
    }

    #[test]
    fn good_names_are_not_reported() {
        for name in [
            "20260901120000_add_email_to_users",
            "20260901120000_users_add_email",
            "20260901120000_add_user_email",
            "20260901120000_add_email",
            "20260901120000_added_email",
            "20260901120000_auth_add_email",
        ] {
            assert_ignores(&named(name), ADD);
        }
        assert_ignores(
            &named("20260901120000_lower_addresses"),
            "UPDATE users SET name = lower(name) WHERE id > 1;",
        );
        assert_ignores(
            &named("20260901120000_add_blog"),
            "CREATE TABLE posts (id int); CREATE TABLE comments (id int);",
        );
        assert_ignores(
            &named("20260901120000_add_größe_to_users"),
            "UPDATE users SET name = 'x' WHERE id = 1;",
        );
    }

    #[test]
    fn the_first_migration_may_be_called_init() {
        for name in [
            "0_init",
            "init",
            "20260901120000_init",
            "000000000000_squashed_migrations",
        ] {
            assert_ignores(&postgres(&RULE).on("").named(name), USERS);
        }
        assert_ignores(&named("0_init"), ADD);
        assert_eq!(
            said(&named("20260901120000_init"), ADD),
            "init is for the first migration, and says nothing of what this one does"
        );
    }

    #[test]
    fn a_rebuild_touches_the_table_that_it_rebuilds() {
        let script = "CREATE TABLE new_users (id INTEGER PRIMARY KEY);\nINSERT INTO new_users SELECT id FROM users;\n\
                      DROP TABLE users;\nALTER TABLE new_users RENAME TO users;";
        let test = sqlite(&RULE).on("CREATE TABLE users (id INTEGER PRIMARY KEY, a TEXT);");
        assert_ignores(&test.clone().named("20260901120000_drop_a_of_users"), script);
        assert!(said(&test.named("20260901120000_drop_things"), script).contains("it does not name users"));
    }

    #[test]
    fn a_team_may_ask_for_less() {
        let settings = serde_json::json!({
            "verbs": ["ship"], "accepted_names": ["release_*"], "table_in_name": false
        });
        let test = |name| named(name).settings(settings.clone());
        assert_ignores(&test("release_4"), ADD);
        assert_ignores(&test("20260901120000_ship_it"), ADD);
        let free = named("20260901120000_whatever").settings(serde_json::json!({
            "verb_in_name": false, "table_in_name": false
        }));
        assert_ignores(&free, ADD);
    }
}
