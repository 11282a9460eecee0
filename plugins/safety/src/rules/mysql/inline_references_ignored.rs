//! `inline-references-ignored`: a foreign key that is written and never made.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, Operation, Severity, Span, Suggestion};

use super::words::{self, Kind, Token, quoted_name};

pub(super) const RULE: Rule = Rule {
    id: "inline-references-ignored",
    summary: "REFERENCES beside a column makes no foreign key on MySQL before 9.0",
    severity: Severity::Medium,
    triggers: &["create-table", "add-column", "alter-column-type"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports `REFERENCES` in the definition of a column, in `CREATE TABLE` and `ALTER TABLE`. Silent where the server is \
known to honour it: MySQL from 9.0, MariaDB from 10.5 (`database.server_version`).

**Why it matters.** The server reads the clause and forgets it, without an error or a warning. The table looks as if it had a foreign \
key; rows that point nowhere come in, and `ON DELETE CASCADE` deletes nothing.

**Instead.** Write `FOREIGN KEY (column) REFERENCES …` as a clause of its own. Every version makes that one.",
    bad: "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id));",
    good: "CREATE TABLE orders (id int PRIMARY KEY, user_id int, FOREIGN KEY (user_id) REFERENCES users (id));",
    check,
    ..Rule::DEFAULT
};

/// Words with which a part of a CREATE TABLE or a clause of an ALTER TABLE begins that is no column.
const NO_COLUMN: &[&str] = &[
    "check",
    "constraint",
    "foreign",
    "fulltext",
    "index",
    "key",
    "like",
    "primary",
    "spatial",
    "unique",
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if honours(context) {
        return;
    }
    let mut seen: Option<Span> = None;
    for step in context.steps() {
        let is_definition = matches!(
            step.effect.operation,
            Operation::CreateTable(_) | Operation::AddColumn(_) | Operation::AlterColumnType(_)
        );
        // A clause that adds several columns is one for each of them.
        if is_definition && seen.replace(step.effect.at) != Some(step.effect.at) {
            report(context, findings, &step);
        }
    }
}

/// The server is known to make a foreign key of it.
fn honours(context: &Context<'_>) -> bool {
    context
        .server()
        .version
        .is_some_and(|(major, minor, _)| major == 9 || (major, minor) >= (10, 5))
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>) {
    let tokens = words::read(context.migration.text(), step.effect.at);
    let creates = matches!(step.effect.operation, Operation::CreateTable(_));
    for column in columns(&tokens, creates) {
        let Some(inline) = inline(column) else { continue };
        let name = column.first().and_then(Token::name).unwrap_or_default();
        let table = match &step.effect.operation {
            Operation::CreateTable(created) => created.name.short(),
            Operation::AddColumn(added) => added.table.short(),
            Operation::AlterColumnType(change) => change.column.table.short(),
            _ => return,
        };
        let verb = step.verb("makes", "make");
        let server = if context.server().version.is_some() {
            "this server"
        } else {
            "MySQL before 9.0"
        };
        let message = format!(
            "{verb} no foreign key for {table}.{name}: {server} reads REFERENCES beside a column and forgets it"
        );
        let finding = findings.report_at(step.statement.index, inline, message).help(format!(
            "write it as a clause of its own: FOREIGN KEY ({}) {}",
            quoted_name(&name),
            inline.of(context.migration.text())
        ));
        let edits = edits(context, column, inline, &name, creates);
        finding.suggest(Suggestion::manual("make it a clause of its own", edits));
    }
}

/// The columns that a clause defines, each from its name on.
fn columns<'s, 't>(tokens: &'s [Token<'t>], creates: bool) -> Vec<&'s [Token<'t>]> {
    let skip = ["add", "modify", "change", "column", "if", "not", "exists"];
    let from = if creates {
        tokens.iter().position(|token| token.is_symbol("("))
    } else {
        tokens.iter().position(|token| !token.is_any(&skip))
    };
    let Some(from) = from else { return Vec::new() };
    let rest = &tokens[from..];
    let Some(inside) = rest.first().filter(|token| token.is_symbol("(")) else {
        // CHANGE has the old name in front of the new one.
        let change = tokens.first().is_some_and(|first| first.is("change"));
        return rest.get(usize::from(change)..).into_iter().collect();
    };
    let depth = inside.depth;
    let end = rest
        .iter()
        .position(|token| token.is_symbol(")") && token.depth == depth)
        .unwrap_or(rest.len());
    let parts = rest[1..end].split(|token| token.is_symbol(",") && token.depth == depth + 1);
    parts
        .filter(|part| part.first().is_some_and(|first| !first.is_any(NO_COLUMN)))
        .collect()
}

/// From REFERENCES to the end of what belongs to it.
fn inline(column: &[Token<'_>]) -> Option<Span> {
    let depth = column.first()?.depth;
    let at = column
        .iter()
        .skip(1)
        .position(|token| token.is("references") && token.depth == depth)?
        + 1;
    let tail = &column[at + 1..];
    let belongs = [
        "on", "delete", "update", "cascade", "restrict", "set", "null", "default", "no", "action", "match", "full",
        "partial", "simple",
    ];
    // The table's name, with its database, and its columns in brackets.
    let mut last = at;
    let mut named = false;
    for (ahead, token) in tail.iter().enumerate() {
        let is_name = !named && (token.kind == Kind::Quoted || token.kind == Kind::Word);
        let dot = token.is_symbol(".");
        let inner = token.depth > depth || token.is_symbol("(") || token.is_symbol(")");
        if !(is_name || dot || inner || (named && token.is_any(&belongs))) {
            break;
        }
        named = (named || is_name) && !dot;
        last = at + 1 + ahead;
    }
    Some(Span {
        start: column[at].start,
        end: column[last].end(),
    })
}

/// Takes the clause away and puts it behind the column's definition.
fn edits(context: &Context<'_>, column: &[Token<'_>], inline: Span, name: &str, creates: bool) -> Vec<Edit> {
    let text = context.migration.text();
    let before = text[..inline.start as usize].trim_end().len();
    let start = u32::try_from(before).unwrap_or(inline.start);
    let end = column.last().map_or(inline.end, Token::end);
    let add = if creates || column.first().is_some_and(|first| first.depth > 0) {
        ""
    } else {
        "ADD "
    };
    let clause = format!(", {add}FOREIGN KEY ({}) {}", quoted_name(name), inline.of(text));
    if end == inline.end {
        return vec![Edit::replace(Span { start, end }, clause)];
    }
    vec![
        Edit::replace(Span { start, end: inline.end }, ""),
        Edit::insert(end, clause),
    ]
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{edited, mysql};

    fn message(column: &str) -> String {
        format!("makes no foreign key for {column}: MySQL before 9.0 reads REFERENCES beside a column and forgets it")
    }

    #[test]
    fn the_clause_is_forgotten() {
        let rule = mysql(&RULE);
        rule.reports(
            "",
            "CREATE TABLE orders (id INT PRIMARY KEY, `user_id` INT NOT NULL REFERENCES `users` (`id`) ON DELETE CASCADE, n INT);",
            Medium,
            &message("orders.user_id"),
        );
        rule.reports(
            "CREATE TABLE orders (id INT);",
            "ALTER TABLE orders ADD COLUMN IF NOT EXISTS user_id INT REFERENCES users (id) AFTER id, ADD n INT;",
            Medium,
            &message("orders.user_id"),
        );
        rule.reports(
            "",
            "ALTER TABLE orders CHANGE uid user_id INT REFERENCES users(id);",
            Medium,
            &message("orders.user_id"),
        );
        rule.reports(
            "",
            "ALTER TABLE orders ADD (a INT, b INT REFERENCES users(id));",
            Medium,
            &message("orders.b"),
        );
        let known = message("o.u").replace("MySQL before 9.0", "this server");
        for (major, minor, patch) in [(8, 4, 3), (5, 7, 44), (10, 4, 30)] {
            rule.version(major, minor, patch).reports(
                "",
                "CREATE TABLE o (u INT REFERENCES users(id))",
                Medium,
                &known,
            );
        }
        let two = "CREATE TABLE o (a INT REFERENCES x(id), b INT REFERENCES y(id))";
        assert_eq!(rule.on("").found_rules(two).len(), 2);
    }

    #[test]
    fn a_foreign_key_is_made() {
        let rule = mysql(&RULE);
        rule.ignores("", "CREATE TABLE o (u INT, FOREIGN KEY (u) REFERENCES users (id), CONSTRAINT f FOREIGN KEY (u) REFERENCES b (id));");
        rule.ignores("", "ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (u) REFERENCES users (id), ADD FOREIGN KEY (u) REFERENCES x (id);");
        rule.ignores(
            "",
            "CREATE TABLE o (u INT COMMENT 'REFERENCES users (id)', `references` INT, c INT CHECK (`references` > 1));",
        );
        let inline = "CREATE TABLE o (u INT REFERENCES users (id));";
        for (major, minor) in [(9, 0), (10, 5), (10, 11), (11, 4), (12, 0)] {
            rule.version(major, minor, 0).ignores("", inline);
        }
    }

    #[test]
    fn it_can_be_written_as_a_clause() {
        let test = mysql(&RULE).on("");
        for (script, expected) in [
            (
                "CREATE TABLE o (\n  u INT NOT NULL REFERENCES `s`.`users` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n  n INT\n);",
                "CREATE TABLE o (\n  u INT NOT NULL, FOREIGN KEY (`u`) REFERENCES `s`.`users` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n  n INT\n);",
            ),
            (
                "ALTER TABLE o ADD u INT REFERENCES users (id) COMMENT 'x', ADD n INT;",
                "ALTER TABLE o ADD u INT COMMENT 'x', ADD FOREIGN KEY (`u`) REFERENCES users (id), ADD n INT;",
            ),
        ] {
            let found = test.check(script);
            let fixed = edited(script, &found[0].suggestions[0].edits);
            assert_eq!(fixed, expected);
            assert!(test.check(&fixed).is_empty());
        }
    }
}
