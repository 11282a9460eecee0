//! `alter-not-supported-by-version`: an ALTER TABLE that this version of SQLite does not know, or that none accepts.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{
    AddedColumn, ColumnName, ConstraintKind, Dialect, DroppedColumn, Expression, ObjectKind, Operation, Relation,
    Severity,
};

use super::pragmas::Pragmas;
use crate::tokens::{self, Kind};

pub(super) const RULE: Rule = Rule {
    id: "alter-not-supported-by-version",
    summary: "ALTER TABLE that SQLite refuses, in this version or in every one",
    severity: Severity::High,
    dialects: &[Dialect::Sqlite],
    triggers: &["rename-column", "drop-column", "add-column"],
    explanation: "\
**What it does.** Reports `RENAME COLUMN` before SQLite 3.25, `DROP COLUMN` before 3.35 and generated columns before 3.31, \
where the version is known. Of every version: `ADD COLUMN` that is a primary key or unique; on a table that may hold rows, also \
with a default that is no constant (`CURRENT_TIMESTAMP`, an expression), stored and generated, or with a foreign key and a \
default; and `DROP COLUMN` of one that a key, an index, a check or a foreign key of the table uses.

**Why it matters.** The statement fails, and with it the deploy.

**Instead.** Make the table anew: create it under another name, copy, drop the old one, rename (with \
`PRAGMA foreign_keys=OFF`). An index on a column: drop it first.",
    bad: "ALTER TABLE users ADD COLUMN email TEXT UNIQUE;",
    good: "ALTER TABLE users ADD COLUMN email TEXT;\nCREATE UNIQUE INDEX users_email ON users (email);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let (column, refused) = match &step.effect.operation {
            Operation::RenameColumn(rename) => {
                let refused = older(context, (3, 25, 0)).then(|| since("RENAME COLUMN", "3.25"));
                (rename.from.clone(), refused)
            }
            Operation::DropColumn(dropped) => (dropped.column.clone(), dropping(context, &step, dropped)),
            Operation::AddColumn(added) => {
                let column = ColumnName::new(added.table.clone(), added.column.name.clone());
                (column, adding(context, &step, added))
            }
            _ => continue,
        };
        if let Some(refused) = refused {
            findings
                .report(&step, format!("alters {column}, which fails: {}", refused.why))
                .help(refused.help);
        }
    }
}

/// Why SQLite refuses, and what to do instead.
struct Refused {
    why: String,
    help: String,
}

const REBUILD: &str = "make the table anew: create it under another name, copy, drop the old one, rename";

fn refused(why: impl Into<String>) -> Refused {
    Refused {
        why: why.into(),
        help: REBUILD.to_owned(),
    }
}

fn since(what: &str, version: &str) -> Refused {
    Refused {
        why: format!("this SQLite knows no {what}, which came with {version}"),
        help: REBUILD.to_owned(),
    }
}

/// The server is known to be older.
fn older(context: &Context<'_>, version: (u32, u32, u32)) -> bool {
    context.server().version.is_some_and(|known| known < version)
}

fn adding(context: &Context<'_>, step: &Step<'_>, added: &AddedColumn) -> Option<Refused> {
    let column = &added.column;
    let has = |kind: ConstraintKind| added.constraints.iter().any(|constraint| constraint.kind == kind);
    if has(ConstraintKind::PrimaryKey) {
        return Some(refused("SQLite cannot add a column that is a primary key"));
    }
    if has(ConstraintKind::Unique) {
        return Some(Refused {
            why: "SQLite cannot add a column that is unique".to_owned(),
            help: "add it without UNIQUE, and make a unique index on it".to_owned(),
        });
    }
    if column.generated.is_some() && older(context, (3, 31, 0)) {
        return Some(since("generated columns", "3.31"));
    }
    if !context.may_hold_rows(step, &added.table) || context.is_emptied(step, &added.table) {
        return None;
    }
    if column.generated.as_ref().is_some_and(|(_, stored)| *stored) {
        return Some(refused("SQLite cannot add a stored column to a table with rows"));
    }
    let default = column.default.as_ref().filter(|default| !default.is_null)?;
    if !is_constant(default) {
        return Some(refused(format!(
            "SQLite cannot add a column whose default is {} to a table with rows",
            words::expression(&default.text)
        )));
    }
    let references = has(ConstraintKind::ForeignKey) && Pragmas::at(context, step).foreign_keys;
    if references {
        return Some(refused(
            "SQLite cannot add a foreign key column with a default to a table with rows",
        ));
    }
    None
}

/// One literal, with or without a sign and brackets.
fn is_constant(default: &Expression) -> bool {
    let tokens = tokens::read(&default.text);
    let is_literal = |token: &tokens::Token<'_>| {
        let word = ["true", "false", "null"].iter().any(|word| token.is(word));
        // A name in double quotes is a string here.
        word || matches!(token.kind, Kind::Literal | Kind::Number | Kind::Quoted)
    };
    match tokens::bare(&tokens) {
        [only] => is_literal(only) || !is_moment(only),
        [sign, number] => (sign.is_symbol("-") || sign.is_symbol("+")) && number.kind == Kind::Number,
        _ => false,
    }
}

/// `CURRENT_TIMESTAMP` and its like; any other bare word is taken for a string.
fn is_moment(token: &tokens::Token<'_>) -> bool {
    ["current_timestamp", "current_date", "current_time"]
        .iter()
        .any(|word| token.is(word))
}

fn dropping(context: &Context<'_>, step: &Step<'_>, dropped: &DroppedColumn) -> Option<Refused> {
    if older(context, (3, 35, 0)) {
        return Some(since("DROP COLUMN", "3.35"));
    }
    if context.is_new_column(step, &dropped.column) {
        return None;
    }
    let original = context.original_column(step, &dropped.column)?;
    let relation = context.before.relation(&original.table)?;
    let column = &original.column;
    let names = |text: &str| {
        let mut words = tokens::read(text).into_iter().filter_map(|token| token.name());
        words.any(|word| context.same_identifier(&word, column))
    };
    let constraint = relation.constraints.iter().find_map(|constraint| {
        let of_several = constraint.columns.len() > 1;
        let uses = constraint
            .columns
            .iter()
            .any(|name| context.same_identifier(name, column));
        match constraint.kind {
            ConstraintKind::PrimaryKey if uses => Some("the primary key"),
            ConstraintKind::Unique if uses => Some("a unique constraint"),
            ConstraintKind::ForeignKey if uses && (of_several || stands_alone(context, &relation, column)) => {
                Some("a foreign key")
            }
            ConstraintKind::Check if of_several && constraint.expression.as_deref().is_some_and(names) => {
                Some("a check")
            }
            _ => None,
        }
    });
    if let Some(constraint) = constraint {
        return Some(refused(format!("{constraint} of the table uses the column")));
    }
    let generated = relation
        .columns
        .iter()
        .find(|other| other.generated.as_deref().is_some_and(names));
    if let Some(generated) = generated.filter(|other| !context.same_identifier(&other.name, column)) {
        return Some(refused(format!("the column {} is computed from it", generated.name)));
    }
    indexed(context, step, &relation, column, &names)
}

/// The column's foreign key is a clause of its own, `FOREIGN KEY (column)`: one beside the column goes with it.
fn stands_alone(context: &Context<'_>, relation: &Relation, column: &str) -> bool {
    let text = context
        .before
        .ddl(ObjectKind::Table, &relation.name)
        .unwrap_or_default()
        .join(";");
    tokens::read(&text).windows(4).any(|words| match words {
        [foreign, key, open, name] => {
            let named = name.name().is_some_and(|name| context.same_identifier(&name, column));
            foreign.is("foreign") && key.is("key") && open.is_symbol("(") && named
        }
        _ => false,
    })
}

/// Indexes that use the column and have not been dropped by a statement above.
fn indexed(
    context: &Context<'_>,
    step: &Step<'_>,
    relation: &Relation,
    column: &str,
    names: &dyn Fn(&str) -> bool,
) -> Option<Refused> {
    let uses = |key: &tollgate_plugin::IndexKey| match key {
        tollgate_plugin::IndexKey::Column(name) => context.same_identifier(name, column),
        tollgate_plugin::IndexKey::Expression(text) => names(text),
    };
    let is_gone = |name: &str| {
        context
            .steps_before(step)
            .any(|earlier| match &earlier.effect.operation {
                Operation::Drop(dropped) => {
                    dropped.kind == ObjectKind::Index && context.same_identifier(&dropped.name.name, name)
                }
                _ => false,
            })
    };
    let found: Vec<&str> = relation
        .indexes
        .iter()
        .filter(|index| index.constraint.is_none() && !index.primary)
        .filter(|index| index.keys.iter().any(uses) || index.predicate.as_deref().is_some_and(names))
        .map(|index| index.name.as_str())
        .filter(|name| !is_gone(name))
        .collect();
    let one = (!found.is_empty()).then(|| words::list(&found))?;
    Some(Refused {
        why: format!("the index {one} uses the column"),
        help: format!("DROP INDEX {one} first"),
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::sqlite;

    const USERS: &str = "\
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, \"fullName\" TEXT, age INTEGER, a INTEGER, b INTEGER,
            plain TEXT, twice INTEGER GENERATED ALWAYS AS (age * 2) VIRTUAL, boss INTEGER, team INTEGER REFERENCES users (id),
            CHECK (a < b), CONSTRAINT f FOREIGN KEY (\"boss\") REFERENCES users (id));
        CREATE INDEX \"users_Name\" ON users (\"fullName\");";

    #[test]
    fn the_version_does_not_know_it() {
        let rule = sqlite(&RULE);
        rule.version(3, 34, 1).reports(
            "",
            "ALTER TABLE users DROP COLUMN plain;",
            High,
            "alters users.plain, which fails: this SQLite knows no DROP COLUMN, which came with 3.35",
        );
        rule.version(3, 24, 0).reports(
            "",
            "ALTER TABLE \"users\" RENAME COLUMN \"fullName\" TO name;",
            High,
            "alters users.fullName, which fails: this SQLite knows no RENAME COLUMN, which came with 3.25",
        );
        rule.version(3, 30, 0).reports(
            "",
            "ALTER TABLE users ADD COLUMN c INTEGER GENERATED ALWAYS AS (a) VIRTUAL;",
            High,
            "alters users.c, which fails: this SQLite knows no generated columns, which came with 3.31",
        );
        rule.version(3, 35, 0)
            .ignores(USERS, "ALTER TABLE users DROP COLUMN plain;");
        rule.ignores(
            "",
            "ALTER TABLE users DROP COLUMN plain; ALTER TABLE users RENAME COLUMN a TO c;",
        );
    }

    #[test]
    fn columns_that_cannot_be_added() {
        let rule = sqlite(&RULE);
        let reports = |column: &str, why: &str| {
            let script = format!("ALTER TABLE users ADD COLUMN c {column};");
            rule.reports(
                USERS,
                &script,
                High,
                &format!("alters users.c, which fails: SQLite cannot add {why}"),
            );
        };
        reports("TEXT UNIQUE", "a column that is unique");
        reports("INTEGER PRIMARY KEY", "a column that is a primary key");
        reports(
            "DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP",
            "a column whose default is CURRENT_TIMESTAMP to a table with rows",
        );
        reports(
            "INTEGER DEFAULT (1 + 1)",
            "a column whose default is 1 + 1 to a table with rows",
        );
        reports("INTEGER AS (age + 1) STORED", "a stored column to a table with rows");
        reports(
            "INTEGER DEFAULT 1 REFERENCES users (id)",
            "a foreign key column with a default to a table with rows",
        );
    }

    #[test]
    fn columns_that_can() {
        let rule = sqlite(&RULE);
        for column in [
            "TEXT",
            "TEXT NOT NULL DEFAULT ''",
            "INTEGER DEFAULT -1",
            "REAL DEFAULT (0.5)",
            "BOOLEAN NOT NULL DEFAULT false",
            "TEXT DEFAULT NULL REFERENCES users (id)",
            "INTEGER AS (age + 1) VIRTUAL",
        ] {
            rule.ignores(USERS, &format!("ALTER TABLE users ADD COLUMN c {column};"));
        }
        let moment = "ALTER TABLE users ADD COLUMN c DATETIME DEFAULT CURRENT_TIMESTAMP;";
        testing::assert_ignores(&rule.on(USERS).rows("users", 0), moment);
        rule.ignores("", &format!("CREATE TABLE users (id INTEGER); {moment}"));
        rule.ignores(USERS, &format!("DELETE FROM users; {moment}"));
        rule.ignores(
            USERS,
            "PRAGMA foreign_keys=OFF; ALTER TABLE users ADD COLUMN c INTEGER DEFAULT 1 REFERENCES users (id);",
        );
    }

    #[test]
    fn columns_that_cannot_be_dropped() {
        let rule = sqlite(&RULE);
        let reports = |column: &str, why: &str| {
            let script = format!("ALTER TABLE users DROP COLUMN {column};");
            rule.reports(
                USERS,
                &script,
                High,
                &format!("alters users.{column}, which fails: {why}"),
            );
        };
        reports("id", "the primary key of the table uses the column");
        reports("email", "a unique constraint of the table uses the column");
        reports("a", "a check of the table uses the column");
        reports("boss", "a foreign key of the table uses the column");
        reports("age", "the column twice is computed from it");
        reports("fullName", "the index users_Name uses the column");
        rule.ignores(USERS, "ALTER TABLE users DROP COLUMN twice;");
        rule.ignores(USERS, "ALTER TABLE users DROP COLUMN plain;");
        rule.ignores(USERS, "ALTER TABLE users DROP COLUMN team;");
        rule.ignores(
            USERS,
            "DROP INDEX \"users_Name\"; ALTER TABLE users DROP COLUMN \"fullName\";",
        );
    }
}
