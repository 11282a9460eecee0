//! `change-default`: a column that the application leaves out gets another value.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, rebuild, words};
use tollgate_plugin::{ColumnDefault, ColumnName, ObjectKind, Operation, Severity};

use crate::tokens::{self, Kind, Token};

pub(super) const RULE: Rule = Rule {
    id: "change-default",
    summary: "A column's default becomes another one",
    severity: Severity::Low,
    dialects: ALL_DIALECTS,
    triggers: &["set-default", "table-rebuild"],
    explanation: "\
**What it does.** Reports a column that had a default before the plan and has another one when the migration has run. Needs \
the catalog or the earlier migrations to know the old one. A first default is not reported, nor one that is dropped \
(`destructive/drop-default` says that).

**Why it matters.** The application that is running leaves the column out where the old default suits it. It gets the new one \
from then on, without an error, and rows of both kinds lie mixed. Rows that are there keep the old value.

**Instead.** Deploy first an application that writes the column itself, then change the default.",
    bad: "CREATE TABLE users (id int, role text DEFAULT 'member');\n-- migration\n\
          ALTER TABLE users ALTER COLUMN role SET DEFAULT 'guest';",
    good: "CREATE TABLE users (id int, role text);\n-- migration\nALTER TABLE users ALTER COLUMN role SET DEFAULT 'guest';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::SetDefault(set) = &step.effect.operation {
            report(context, findings, &step, set);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for (new, old) in rebuilt.taken_over(context) {
            let column = ColumnName::new(rebuilt.rebuild.table.clone(), new.name.clone());
            if let (Some(was), Some(is)) = (&old.default, &new.default) {
                say(findings, &rebuilt.create, &column, was, &is.text);
            }
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, set: &ColumnDefault) {
    let column = &set.column;
    let table = &column.table;
    let set_again = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::SetDefault(again) => context.same_column(&again.column, column),
        Operation::DropDefault(dropped) => context.same_column(dropped, column),
        _ => false,
    });
    if set_again || context.is_new_column(step, column) {
        return;
    }
    let Some(original) = context.original_column(step, column) else {
        return;
    };
    if context.before.known_empty(&original.table) || context.after.exists(ObjectKind::Table, table) == Some(false) {
        return;
    }
    let before = context.before.relation(&original.table);
    let was = before.and_then(|before| before.column(&original.column)?.default.clone());
    if let Some(was) = was {
        say(findings, step, column, &was, &set.default.text);
    }
}

fn say(findings: &mut Findings<'_>, step: &Step<'_>, column: &ColumnName, was: &str, is: &str) {
    if plain(was) == plain(is) {
        return;
    }
    let verb = step.verb("changes", "change");
    let message = format!(
        "{verb} the default of {column} from {} to {}: rows that the running application writes without it get another \
         value",
        words::expression(was),
        words::expression(is)
    );
    findings
        .report(step, message)
        .help("deploy first the application that writes the column itself");
}

/// A default as it counts: without casts, brackets and quotes, and with one name for functions that give the same.
fn plain(text: &str) -> String {
    let tokens = tokens::read(text);
    let mut rest = tokens.as_slice();
    let mut kept: Vec<Token<'_>> = Vec::new();
    while let [first, after @ ..] = rest {
        if first.is_symbol("::") {
            rest = behind_type(after);
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    let part = |token: &Token<'_>| {
        token
            .value()
            .or_else(|| token.name())
            .unwrap_or_else(|| token.text.to_owned())
    };
    let text: String = tokens::bare(&kept).iter().map(part).collect();
    match text.as_str() {
        "now()" | "transaction_timestamp()" => "current_timestamp".to_owned(),
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        "uuid_generate_v4()" => "gen_random_uuid()".to_owned(),
        _ if text.starts_with("current_timestamp(") => "current_timestamp".to_owned(),
        _ if text.starts_with("nextval(") => "nextval".to_owned(),
        _ => text,
    }
}

/// What follows the type of a cast: `character varying(3)[]`, `app."Mood"`.
fn behind_type<'s, 't>(tokens: &'s [Token<'t>]) -> &'s [Token<'t>] {
    let mut depth = 0_u32;
    let length = tokens.iter().position(|token| {
        let opens = token.is_symbol("(") || token.is_symbol("[");
        let closes = token.is_symbol(")") || token.is_symbol("]");
        if closes && depth > 0 {
            depth -= 1;
            return false;
        }
        if opens {
            depth += 1;
        }
        let named = matches!(token.kind, Kind::Word | Kind::Quoted) || token.is_symbol(".");
        depth == 0 && !named
    });
    length.map_or(&[], |length| &tokens[length..])
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;
    use tollgate_plugin::testing;

    use super::{RULE, plain};
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "\
        CREATE TABLE users (id serial PRIMARY KEY, role text DEFAULT 'member', \"maxSize\" int NOT NULL DEFAULT 10,
            seen timestamptz DEFAULT now(), note text);";

    #[test]
    fn rows_get_another_value() {
        let rule = postgres(&RULE);
        let harm = "rows that the running application writes without it get another value";
        rule.reports(
            USERS,
            "ALTER TABLE users ALTER role SET DEFAULT 'guest';",
            Low,
            &format!("changes the default of users.role from 'member' to 'guest': {harm}"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE public.users ALTER COLUMN \"maxSize\" SET DEFAULT 20;",
            Low,
            &format!("changes the default of users.maxSize from 10 to 20: {harm}"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE users RENAME TO people; ALTER TABLE people ALTER role SET DEFAULT 'a'; ALTER TABLE people ALTER role SET DEFAULT 'b';",
            Low,
            &format!("changes the default of people.role from 'member' to 'b': {harm}"),
        );
    }

    #[test]
    fn a_rebuild_may_change_it() {
        let rebuild = |column: &str| {
            format!(
                "CREATE TABLE new_t (id INTEGER, {column});\nINSERT INTO new_t (id, role) SELECT id, role FROM t;\n\
                 DROP TABLE t;\nALTER TABLE new_t RENAME TO t;"
            )
        };
        let before = "CREATE TABLE t (id INTEGER, role TEXT DEFAULT 'a');";
        let rule = sqlite(&RULE);
        let message = "changes the default of t.role from 'a' to 'b': rows that the running application writes without it get another value";
        rule.reports(before, &rebuild("role TEXT DEFAULT 'b'"), Low, message);
        rule.ignores(before, &rebuild("role TEXT DEFAULT ('a')"));
        rule.ignores(before, &rebuild("role TEXT"));
    }

    #[test]
    fn the_same_default_or_a_first_one_changes_nothing() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users ALTER role SET DEFAULT 'member'::text;");
        rule.ignores(USERS, "ALTER TABLE users ALTER seen SET DEFAULT CURRENT_TIMESTAMP;");
        rule.ignores(USERS, "ALTER TABLE users ALTER note SET DEFAULT '';");
        rule.ignores(USERS, "ALTER TABLE users ALTER role DROP DEFAULT;");
        rule.ignores("", "ALTER TABLE users ALTER role SET DEFAULT 'guest';");
        rule.ignores(
            USERS,
            "ALTER TABLE users ALTER role DROP DEFAULT; ALTER TABLE users ALTER role TYPE varchar(9);
             ALTER TABLE users ALTER role SET DEFAULT 'member';",
        );
    }

    #[test]
    fn nobody_relies_on_what_is_new() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD active boolean DEFAULT false; ALTER TABLE users ALTER active SET DEFAULT true;",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (a int DEFAULT 1); ALTER TABLE t ALTER a SET DEFAULT 2;",
        );
        testing::assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int DEFAULT 1);"),
            "ALTER TABLE t ALTER a SET DEFAULT 2;",
        );
    }

    #[test]
    fn defaults_are_compared_by_what_they_give() {
        for (left, right) in [
            ("'a'::character varying(3)", "'a'"),
            ("'{}'::text[]", "'{}'"),
            ("'A'::app.\"Mood\"", "('A')"),
            ("'-1'::integer", "-1"),
            ("(now())::timestamp(3)", "CURRENT_TIMESTAMP"),
            ("true", "1"),
            ("nextval('a_seq'::regclass)", "nextval('b_seq')"),
        ] {
            assert_eq!(plain(left), plain(right), "{left} and {right}");
        }
        assert_ne!(plain("'a'"), plain("'b'"));
        assert_ne!(plain("1 + 2"), plain("1"));
    }
}
