//! `duplicate-index`: an index that another one makes superfluous.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedIndex, Dialect, Index, ObjectKind, Operation, Relation, Severity, Suggestion};

use super::{keys, present};
use crate::sql::{self, Token};
use crate::tokens;

pub(super) const RULE: Rule = Rule {
    id: "duplicate-index",
    summary: "A new index serves no query that another one does not serve",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["create-index"],
    explanation: "\
**What it does.** Reports a new index when the table has one with the same keys, or a B-tree that begins with them, in the same \
order, with the same operator classes and the same condition. A unique index is only compared with unique ones.

**Why it matters.** Every write keeps all indexes up to date, and they take memory from each other.

**Instead.** Leave it out, or drop the other one where the new one is meant to take its place.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email text, org int);\nCREATE INDEX users_org_email_idx ON users (org, email);\n\
          CREATE INDEX users_org_idx ON users (org);",
    good: "CREATE TABLE users (id int PRIMARY KEY, email text, org int);\nCREATE INDEX users_org_email_idx ON users (org, email);\n\
           CREATE INDEX users_email_idx ON users (email);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::CreateIndex(created) = &step.effect.operation else {
            continue;
        };
        if step.effect.conditional || created.if_not_exists && present(context, &step, created).is_some() {
            continue;
        }
        let Some(relation) = context
            .after
            .relation(&created.table)
            .filter(|relation| !relation.uncertain)
        else {
            continue;
        };
        let Some(new) = made(context, &relation, created) else {
            continue;
        };
        let serving = relation.indexes.iter().find(|other| {
            other.name != new.name && !is_made_below(context, &step, other) && serves(context, &relation, new, other)
        });
        let Some(other) = serving else { continue };
        let table = relation.name.short();
        let other_name = match (&other.constraint, other.primary) {
            (_, true) => "the primary key".to_owned(),
            (Some(constraint), _) => format!("the constraint {constraint}"),
            (None, _) => format!("the index {}", other.name),
        };
        let name = &new.name;
        let columns = keys(&new.keys).join(", ");
        let message = if other.keys.len() == new.keys.len() {
            format!("builds the index {name} over ({columns}) of {table}, over which {other_name} is already")
        } else {
            let longer = keys(&other.keys).join(", ");
            format!(
                "builds the index {name} over ({columns}) of {table}, with which {other_name} over ({longer}) begins"
            )
        };
        findings
            .report(&step, message)
            .help("leave it out: each index costs every write")
            .suggest(Suggestion::manual(
                "leave it out",
                vec![sql::remove(context, step.statement)],
            ));
    }
}

/// The new index as the catalog has it after the migration.
fn made<'r>(context: &Context<'_>, relation: &'r Relation, created: &CreatedIndex) -> Option<&'r Index> {
    if let Some(name) = &created.name {
        return relation.index(name);
    }
    // The server has chosen a name.
    let before = context.before.relation(&created.table);
    let is_new = |index: &&Index| before.as_ref().is_none_or(|before| before.index(&index.name).is_none());
    relation
        .indexes
        .iter()
        .filter(|index| is_new(index) && index.constraint.is_none())
        .rfind(|index| index.keys == created.keys && index.unique == created.unique)
}

/// The same migration makes the other index further down: that one is superfluous, or none.
fn is_made_below(context: &Context<'_>, step: &Step<'_>, other: &Index) -> bool {
    context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::CreateIndex(created) => created.name.as_ref() == Some(&other.name),
        Operation::AddConstraint(added) => added.constraint.name.as_ref() == Some(&other.name),
        _ => false,
    })
}

/// Every query that the new index serves is served by the other.
fn serves(context: &Context<'_>, relation: &Relation, new: &Index, other: &Index) -> bool {
    let same = other.keys.len() == new.keys.len();
    let begins = other.keys.starts_with(&new.keys) && (same || new.method == "btree" && !new.unique);
    if !begins || !other.valid || other.method != new.method || other.predicate != new.predicate {
        return false;
    }
    if new.unique && !other.unique {
        return false;
    }
    let (Some(new), Some(other)) = (
        Definition::of(context, relation, new),
        Definition::of(context, relation, other),
    ) else {
        return false;
    };
    // What an index includes beyond its keys helps those that need it, and harms nobody else.
    let includes = new.include == other.include || new.include.is_empty();
    other.keys.starts_with(&new.keys) && includes && new.rest == other.rest
}

/// What CREATE INDEX says besides names: each key with its order and operator class, INCLUDE, and the rest.
#[derive(Debug, PartialEq, Eq)]
struct Definition {
    keys: Vec<String>,
    include: Vec<String>,
    rest: Vec<String>,
}

impl Definition {
    fn of(context: &Context<'_>, relation: &Relation, index: &Index) -> Option<Self> {
        let written = context
            .after
            .member_ddl(ObjectKind::Index, &relation.name, &index.name)
            .and_then(|statements| statements.into_iter().next())
            .filter(|text| text.starts_with("CREATE"));
        match written {
            Some(text) => Self::read(&text),
            // The index of a constraint has nothing beyond its columns.
            None => Some(Self {
                keys: index.key_columns()?.into_iter().map(sql::name).collect(),
                include: Vec::new(),
                rest: Vec::new(),
            }),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let end = u32::try_from(text.len()).ok()?;
        let all = sql::tokens(text, tollgate_plugin::Span { start: 0, end });
        let using = sql::find(&all, &["using"])?;
        let (keys, rest) = bracketed(text, all.get(using + 2..)?)?;
        let (include, rest) = match rest {
            [word, rest @ ..] if word.is("include") => bracketed(text, rest)?,
            rest => (Vec::new(), rest),
        };
        let rest = rest.iter().map(|token| token.text.to_owned()).collect();
        Some(Self { keys, include, rest })
    }
}

/// The parts between commas in the brackets that come first, and what follows them.
fn bracketed<'t, 'a>(text: &str, all: &'t [Token<'a>]) -> Option<(Vec<String>, &'t [Token<'a>])> {
    let open = all.first().filter(|token| token.is_symbol("("))?;
    let close = all.iter().position(|token| token.depth == 0 && token.is_symbol(")"))?;
    let inside = text.get(open.end as usize..all.get(close)?.start as usize)?;
    let read = tokens::read(inside);
    let parts = tokens::split(&read, |token| token.is_symbol(","));
    let words = |part: &[tokens::Token<'_>]| part.iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
    Some((parts.into_iter().map(words).collect(), all.get(close + 1..)?))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;
    use tollgate_plugin::testing::assert_reports;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const USERS: &str =
        "CREATE TABLE users (id int PRIMARY KEY, email text, \"Org\" int, at timestamptz, UNIQUE (email));
        CREATE INDEX i ON users (\"Org\", at DESC); CREATE INDEX j ON users (at) WHERE id > 5;
        CREATE INDEX k ON users (lower(email) text_pattern_ops) INCLUDE (at);";

    #[test]
    fn another_one_serves() {
        let rule = postgres(&RULE);
        let message = "builds the index n over (Org, at) of users, over which the index i is already";
        rule.reports(USERS, "CREATE INDEX n ON users (\"Org\", at DESC);", Low, message);
        let message = "builds the index n over (Org) of users, with which the index i over (Org, at) begins";
        rule.reports(
            USERS,
            "CREATE INDEX CONCURRENTLY n ON public.users USING btree (\"Org\");",
            Low,
            message,
        );
        let message = "builds the index users_id_idx over (id) of users, over which the primary key is already";
        rule.reports(USERS, "CREATE UNIQUE INDEX ON users (id);", Low, message);
        let message = "builds the index n over (email) of users, over which the constraint users_email_key is already";
        rule.reports(USERS, "CREATE INDEX n ON users (email);", Low, message);
        let message = "builds the index n over (lower(email)) of users, over which the index k is already";
        rule.reports(
            USERS,
            "CREATE INDEX n ON users (lower(email) text_pattern_ops);",
            Low,
            message,
        );
        let message = "builds the index b over (a) of t, over which the index a is already";
        rule.reports(
            "",
            "CREATE TABLE t (a int); CREATE INDEX a ON t (a); CREATE INDEX b ON t (a);",
            Low,
            message,
        );
        let message = "builds the index n over (at) of users, over which the index j is already";
        let script = "CREATE TABLE t (a int, b int); CREATE INDEX ON t (a) INCLUDE (b); ALTER TABLE t ADD UNIQUE (a) INCLUDE (b);";
        rule.ignores("", script);
        let test = rule.on("").pending(USERS);
        assert_reports(&test, "CREATE INDEX n ON users (at) WHERE id > 5;", Low, message);
    }

    #[test]
    fn no_other_serves() {
        let rule = postgres(&RULE);
        for script in [
            "CREATE INDEX n ON users (\"Org\", at);",
            "CREATE INDEX n ON users (at, \"Org\");",
            "CREATE INDEX n ON users USING hash (\"Org\");",
            "CREATE INDEX n ON users (at);",
            "CREATE INDEX n ON users (at) WHERE id > 6;",
            "CREATE INDEX n ON users (lower(email));",
            "CREATE INDEX n ON users (lower(email) text_pattern_ops) INCLUDE (id);",
            "CREATE UNIQUE INDEX n ON users (\"Org\", at DESC);",
            "CREATE INDEX n ON users (\"Org\", at DESC); DROP INDEX i;",
            "CREATE INDEX n ON users (email text_pattern_ops);",
            "CREATE INDEX IF NOT EXISTS i ON users (\"Org\", at DESC);",
            "CREATE INDEX n ON users (\"Org\", at DESC, email);",
        ] {
            rule.ignores(USERS, script);
        }
        rule.ignores("", "CREATE INDEX n ON users (email);");
    }

    #[test]
    fn it_can_be_left_out() {
        let test = postgres(&RULE).on(USERS);
        let script = "SELECT 1;\nCREATE INDEX n ON users (\"Org\");\n";
        assert_eq!(fixed(&test, script).as_deref(), Some("SELECT 1;\n"));
    }
}
