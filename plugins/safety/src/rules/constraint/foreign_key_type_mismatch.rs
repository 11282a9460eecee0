//! `foreign-key-type-mismatch`: a column refers to a key of another type.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, Severity, Span, Suggestion};

use super::types::{self, Verdict};
use super::{Added, With, new_foreign_keys, place, referenced_columns};
use crate::sql;
use crate::tokens::Kind;

pub(super) const RULE: Rule = Rule {
    id: "foreign-key-type-mismatch",
    summary: "A foreign key's column has another type than the key that it refers to",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["create-table", "add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a new foreign key whose columns have other types than those they refer to. High where the server refuses \
to compare them (`text` and `uuid`), low where the referring column is only wider. `varchar(n)` and `text` are the same here, \
and so are lengths and precisions.

**Why it matters.** An `integer` that refers to a `bigint` works until the key grows beyond 2,147,483,647; then every insert \
fails, and changing the type rewrites the table. Other pairs convert values at each lookup, which no index serves.

**Instead.** Give the column the type of the key.",
    bad: "CREATE TABLE users (id bigint PRIMARY KEY);\n-- migration\n\
          CREATE TABLE orders (id bigint PRIMARY KEY, user_id integer UNIQUE REFERENCES users (id));",
    good: "CREATE TABLE users (id bigint PRIMARY KEY);\n-- migration\n\
           CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint UNIQUE REFERENCES users (id));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, added) in new_foreign_keys(context) {
        let Some(target) = &added.definition.references else {
            continue;
        };
        let (Some(table), Some(key)) = (context.after.relation(added.table), context.after.relation(target)) else {
            continue;
        };
        if table.uncertain || key.uncertain {
            continue;
        }
        let pairs = added
            .definition
            .columns
            .iter()
            .zip(referenced_columns(context, added.definition));
        for (from, to) in pairs {
            let (Some(from), Some(to)) = (table.column(from), key.column(&to)) else {
                continue;
            };
            let Some((severity, why)) = judge(context, &from.data_type, &to.data_type) else {
                continue;
            };
            let message = format!(
                "makes {}.{} ({}) refer to {}.{} ({}): {why}",
                added.table.short(),
                from.name,
                shown(&from.data_type),
                target.short(),
                to.name,
                shown(&to.data_type)
            );
            let finding = findings.report_at(step.statement.index, place(context, &step, &added), message);
            finding.severity(severity).help("give both columns the same type");
            if let Some(written) = written_type(context, &step, &added, &from.name) {
                let edit = Edit::replace(written, shown(&to.data_type));
                finding.suggest(Suggestion::manual("give it the type of the key", vec![edit]));
            }
        }
    }
}

/// Where the same statement declares the column with a type of one word.
fn written_type(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>, column: &str) -> Option<Span> {
    let depth = match added.with {
        With::Itself => return None,
        With::Column => 0,
        With::Table(_) => 1,
    };
    let tokens = match added.with {
        With::Table(_) => sql::statement_tokens(context, step.statement),
        _ => sql::clause_tokens(context, step),
    };
    let at = tokens.windows(2).position(|pair| {
        let [before, name] = pair else { return false };
        let begins = before.is_symbol("(") || before.is_symbol(",");
        let added = ["add", "column", "exists"].iter().any(|word| before.is(word));
        let here = name.depth == depth && name.name().as_deref() == Some(column);
        here && if depth == 1 { begins } else { added }
    })?;
    let (written, next) = (tokens.get(at + 2)?, tokens.get(at + 3));
    let goes_on = next.is_some_and(|next| {
        ["(", "[", "."].iter().any(|symbol| next.is_symbol(symbol))
            || ["varying", "precision", "with", "without", "array"]
                .iter()
                .any(|word| next.is(word))
    });
    // The sequence of a serial column would be lost.
    let plain = written.kind == Kind::Word && !written.text.to_ascii_lowercase().contains("serial");
    (plain && !goes_on).then_some(Span {
        start: written.start,
        end: written.end,
    })
}

/// Types of the usual schema are written without it.
fn shown(data_type: &str) -> &str {
    data_type.strip_prefix("public.").unwrap_or(data_type)
}

/// Enums are only compared with themselves.
fn judge(context: &Context<'_>, from: &str, to: &str) -> Option<Verdict> {
    const REFUSED: Verdict = (Severity::High, "the server cannot compare them and refuses it");
    let is_enum = |name: &str| !types::is_built_in(name) && !name.ends_with("[]") && enum_exists(context, name);
    match (is_enum(from), is_enum(to)) {
        (true, true) if from != to => Some(REFUSED),
        (true, false) if types::is_built_in(to) => Some(REFUSED),
        (false, true) if types::is_built_in(from) => Some(REFUSED),
        _ => types::judge(from, to),
    }
}

/// Types of the catalog are written as SQL: `mood`, `app."Mood"`.
fn enum_exists(context: &Context<'_>, written: &str) -> bool {
    let part = |text: &str| text.trim_matches('"').replace("\"\"", "\"");
    let name = match written.split_once('.') {
        Some((schema, name)) => tollgate_plugin::ObjectName::qualified(part(schema), part(name)),
        None => tollgate_plugin::ObjectName::bare(part(written)),
    };
    context.after.enum_values(&name).is_some()
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};
    use tollgate_plugin::testing::assert_reports;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str = "CREATE SCHEMA app; CREATE TYPE mood AS ENUM ('a'); CREATE TYPE \"Mood\" AS ENUM ('b');
        CREATE TABLE users (id bigint PRIMARY KEY, mail varchar(40) UNIQUE, mood mood UNIQUE);
        CREATE TABLE app.\"Keys\" (\"Id\" uuid PRIMARY KEY); CREATE TABLE orders (id int, \"userId\" int, mail text);";

    #[test]
    fn types_differ() {
        let rule = postgres(&RULE);
        let message =
            "makes orders.userId (integer) refer to users.id (bigint): larger values of the key do not fit into it";
        rule.reports(
            USERS,
            "ALTER TABLE orders ADD FOREIGN KEY (\"userId\") REFERENCES users;",
            Medium,
            message,
        );
        rule.reports(
            USERS,
            "ALTER TABLE public.orders ADD CONSTRAINT fk FOREIGN KEY (\"userId\") REFERENCES public.users (id) NOT VALID;",
            Medium,
            message,
        );
        let message =
            "makes mails.key (text) refer to app.Keys.Id (uuid): the server cannot compare them and refuses it";
        rule.reports(
            USERS,
            "CREATE TABLE mails (key text REFERENCES app.\"Keys\" (\"Id\"));",
            High,
            message,
        );
        let message = "makes orders.n (bigint) refer to t.id (integer): the key has no room for most of its values";
        let script = "CREATE TABLE t (id serial PRIMARY KEY); ALTER TABLE orders ADD COLUMN n bigint REFERENCES t;";
        rule.reports(USERS, script, Low, message);
        let message =
            "makes x.mood (\"Mood\") refer to users.mood (mood): the server cannot compare them and refuses it";
        rule.reports(
            USERS,
            "CREATE TABLE x (mood \"Mood\" REFERENCES users (mood));",
            High,
            message,
        );
        let pending = rule.on(USERS).pending("CREATE TABLE t (id bigint PRIMARY KEY);");
        let message = "makes u.t (integer) refer to t.id (bigint): larger values of the key do not fit into it";
        assert_reports(
            &pending,
            "CREATE TABLE u (t int, FOREIGN KEY (t) REFERENCES t (id));",
            Medium,
            message,
        );
    }

    #[test]
    fn a_column_that_is_new_can_have_the_right_type() {
        let test = postgres(&RULE).on(USERS);
        for (script, expected) in [
            (
                "CREATE TABLE t (users text, u INT NOT NULL REFERENCES users, CHECK (u > 0));",
                "CREATE TABLE t (users text, u bigint NOT NULL REFERENCES users, CHECK (u > 0));",
            ),
            (
                "CREATE TABLE t (\"U\" integer, FOREIGN KEY (\"U\") REFERENCES users (id));",
                "CREATE TABLE t (\"U\" bigint, FOREIGN KEY (\"U\") REFERENCES users (id));",
            ),
            (
                "ALTER TABLE orders ADD COLUMN IF NOT EXISTS n int REFERENCES users;",
                "ALTER TABLE orders ADD COLUMN IF NOT EXISTS n bigint REFERENCES users;",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        for script in [
            "ALTER TABLE orders ADD FOREIGN KEY (\"userId\") REFERENCES users;",
            "CREATE TABLE t (k varchar(20) REFERENCES app.\"Keys\");",
            "CREATE TABLE t (n serial REFERENCES users);",
        ] {
            assert_eq!(fixed(&test, script), None, "{script}");
        }
    }

    #[test]
    fn types_agree() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE orders ADD FOREIGN KEY (mail) REFERENCES users (mail);",
        );
        rule.ignores(USERS, "CREATE TABLE x (id bigint REFERENCES users, key uuid REFERENCES app.\"Keys\", mood mood REFERENCES users (mood));");
        rule.ignores(USERS, "CREATE TABLE x (id bigserial REFERENCES users (id));");
        rule.ignores(
            USERS,
            "ALTER TABLE orders ALTER \"userId\" TYPE bigint; ALTER TABLE orders ADD FOREIGN KEY (\"userId\") REFERENCES users;",
        );
        rule.ignores(
            "",
            "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id);",
        );
        rule.ignores(
            "CREATE DOMAIN key AS bigint; CREATE TABLE u (id bigint PRIMARY KEY);",
            "CREATE TABLE x (u key REFERENCES u);",
        );
    }
}
