//! `schema-qualified-names`: names that depend on the search path.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Span, Statement, Suggestion};

use crate::columns::name_at;
use crate::tokens::tokens;

pub(super) const RULE: Rule = Rule {
    id: "schema-qualified-names",
    summary: "a name without a schema",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports statements that name a table, view, type, function or sequence without its schema. Temporary tables are left \
alone, and so is the name of an index in `CREATE INDEX`, which cannot have one.

**Why it matters.** Which object is meant depends on the `search_path` of whoever runs the migration. With another role, or behind a \
pooler that keeps a setting, the table is made in, or dropped from, the wrong schema.

**Instead.** Write `app.users`.",
    bad: "CREATE TABLE users (id bigint PRIMARY KEY);",
    good: "CREATE TABLE app.users (id bigint PRIMARY KEY);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for statement in context.migration.statements() {
        let mut bare: Vec<(ObjectKind, &ObjectName)> = Vec::new();
        for step in context
            .all_steps()
            .filter(|step| step.statement.index == statement.index)
        {
            for (kind, name) in names(&step.effect.operation) {
                let counts = name.schema.is_none() && has_schema(kind) && !is_temporary(context, &step, name);
                if counts && !bare.iter().any(|(_, known)| *known == name) {
                    bare.push((kind, name));
                }
            }
        }
        report(context, findings, statement, &bare);
    }
}

/// One finding for all names of a statement; it points at the first.
fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    statement: &Statement,
    bare: &[(ObjectKind, &ObjectName)],
) {
    let Some((kind, name)) = bare.first() else { return };
    let places: Vec<Vec<Span>> = bare.iter().map(|(_, name)| places(context, statement, name)).collect();
    let at = places[0].first().copied();
    let at = at.or_else(|| name_at(context, statement.span, &name.name));
    let others = match bare.len() - 1 {
        0 => String::new(),
        1 => " and another object".to_owned(),
        more => format!(" and {more} other objects"),
    };
    let message = format!("names the {kind} {}{others} without a schema", name.name);
    let finding = findings.report_at(statement.index, at.unwrap_or(statement.span), message);
    let schema = |(kind, name): &(ObjectKind, &ObjectName)| {
        let found = context.resolve(*kind, name).schema;
        found.unwrap_or_else(|| "public".to_owned())
    };
    let title = format!(
        "write {}.{}{}",
        schema(&bare[0]),
        name.name,
        if others.is_empty() { "" } else { ", …" }
    );
    finding.help(title.clone());
    // A name that is nowhere to be found would be reported again.
    let found = places.iter().all(|places| !places.is_empty());
    let plain = |schema: &String| {
        schema
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    };
    let schemas: Vec<String> = bare.iter().map(schema).collect();
    if found && schemas.iter().all(plain) {
        let edits = places.iter().zip(&schemas).flat_map(|(places, schema)| {
            let insert = move |place: &Span| Edit::insert(place.start, format!("{schema}."));
            places.iter().map(insert)
        });
        let mut edits: Vec<Edit> = edits.collect();
        edits.sort_by_key(|edit| edit.at.start);
        finding.suggest(Suggestion::manual(title, edits));
    }
}

/// Words in front of the name of an object.
const BEFORE_NAME: [&str; 16] = [
    "table",
    "on",
    "references",
    "into",
    "update",
    "from",
    "join",
    "index",
    "type",
    "view",
    "sequence",
    "domain",
    "function",
    "procedure",
    "of",
    "truncate",
];
/// Words that may stand between those and the name.
const BETWEEN: [&str; 6] = ["if", "not", "exists", "only", "concurrently", "column"];

/// Every place where a statement names an object: not where a column happens to have the same name.
fn places(context: &Context<'_>, statement: &Statement, name: &ObjectName) -> Vec<Span> {
    let text = context.migration.text();
    let words = tokens(text, statement.span, context.dialect());
    let is_one_of = |at: usize, list: &[&str]| list.iter().any(|word| words[at].is_word(word));
    // The name of a new index has no schema of its own.
    let new_index = |at: usize| words[0].is_word("create") && words[at].is_word("index");
    let named = |at: usize| {
        let before = (0..at).rev().find(|&before| !is_one_of(before, &BETWEEN));
        words[at].name(context.dialect()).as_deref() == Some(name.name.as_str())
            && before.is_some_and(|before| is_one_of(before, &BEFORE_NAME) && !new_index(before))
            && !words.get(at + 1).is_some_and(|next| next.is("."))
    };
    (0..words.len())
        .filter(|at| named(*at))
        .map(|at| words[at].at)
        .collect()
}

/// Kinds whose names lie in a schema and are written with it.
fn has_schema(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable
            | ObjectKind::Index
            | ObjectKind::Sequence
            | ObjectKind::Type
            | ObjectKind::Domain
            | ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Aggregate
    )
}

/// A statement above made a temporary table of that name.
fn is_temporary(context: &Context<'_>, step: &Step<'_>, name: &ObjectName) -> bool {
    let made = |earlier: &Step<'_>| match &earlier.effect.operation {
        Operation::CreateTable(created) => created.temporary && created.name.name == name.name,
        _ => false,
    };
    made(step) || context.steps_before(step).any(|earlier| made(&earlier))
}

/// The objects that an operation names, the main one first.
fn names(operation: &Operation) -> Vec<(ObjectKind, &ObjectName)> {
    let table = |name| vec![(ObjectKind::Table, name)];
    match operation {
        Operation::CreateTable(created) => {
            let referenced = created.constraints.iter().filter_map(|key| key.references.as_ref());
            let mut names = table(&created.name);
            names.extend(referenced.map(|name| (ObjectKind::Table, name)));
            names
        }
        Operation::AddColumn(added) => table(&added.table),
        Operation::DropColumn(dropped) => table(&dropped.column.table),
        Operation::RenameColumn(rename) => table(&rename.from.table),
        Operation::AlterColumnType(change) => table(&change.column.table),
        Operation::SetNotNull(column) | Operation::DropNotNull(column) | Operation::DropDefault(column) => {
            table(&column.table)
        }
        Operation::SetDefault(set) => table(&set.column.table),
        Operation::SetIdentity(set) => table(&set.column.table),
        Operation::AddConstraint(added) => {
            let mut names = table(&added.table);
            names.extend(added.constraint.references.iter().map(|name| (ObjectKind::Table, name)));
            names
        }
        Operation::ValidateConstraint(named) | Operation::DropConstraint(named) => table(&named.table),
        Operation::CreateIndex(index) => table(&index.table),
        Operation::CreateEnum(created) => vec![(ObjectKind::Type, &created.name)],
        Operation::AddEnumValue(value) => vec![(ObjectKind::Type, &value.name)],
        Operation::RenameEnumValue(rename) => vec![(ObjectKind::Type, &rename.name)],
        Operation::Create(created) => vec![(created.kind, created.on.as_ref().unwrap_or(&created.name))]
            .into_iter()
            .map(|(kind, name)| (if created.on.is_some() { ObjectKind::Table } else { kind }, name))
            .collect(),
        Operation::Drop(dropped) => match &dropped.on {
            Some(on) => table(on),
            None => vec![(dropped.kind, &dropped.name)],
        },
        Operation::Rename(rename) => match &rename.on {
            Some(on) => table(on),
            None => vec![(rename.kind, &rename.from)],
        },
        Operation::SetSchema(change) => vec![(change.kind, &change.name)],
        Operation::AttachPartition(partition) | Operation::DetachPartition(partition) => vec![
            (ObjectKind::Table, &partition.table),
            (ObjectKind::Table, &partition.partition),
        ],
        Operation::RowSecurity(toggle) | Operation::ForceRowSecurity(toggle) | Operation::EnableTrigger(toggle) => {
            table(&toggle.table)
        }
        Operation::Comment(comment) => vec![(comment.kind, &comment.name)],
        Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) => table(&change.table),
        Operation::Truncate(truncation) => table(&truncation.table),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Manual;
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn names_without_a_schema_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE users (id int);",
            Low,
            "names the table users without a schema",
        );
        rule.reports(
            "",
            "ALTER TABLE app.a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES \"B\" (d);",
            Low,
            "names the table B without a schema",
        );
        rule.reports(
            "",
            "CREATE INDEX i ON users (name);",
            Low,
            "names the table users without a schema",
        );
        rule.reports(
            "",
            "CREATE TABLE a (b int REFERENCES b, c int REFERENCES app.c);",
            Low,
            "names the table a and another object without a schema",
        );
        rule.reports("", "DROP INDEX i;", Low, "names the index i without a schema");
        rule.reports(
            "",
            "UPDATE users SET a = 1 WHERE b;",
            Low,
            "names the table users without a schema",
        );
        rule.reports(
            "",
            "CREATE TYPE mood AS ENUM ('a');",
            Low,
            "names the type mood without a schema",
        );
    }

    #[test]
    fn qualified_names_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE app.users (id int); CREATE INDEX i ON app.users (id);");
        rule.ignores("", "CREATE TEMP TABLE t (id int); INSERT INTO t VALUES (1);");
        rule.ignores("", "CREATE SCHEMA app; CREATE EXTENSION citext;");
        rule.ignores("", "DROP INDEX app.i; COMMENT ON COLUMN app.users.id IS 'x';");
    }

    #[test]
    fn the_schema_goes_in_front() {
        assert_eq!(
            fixed(&RULE, "ALTER TABLE ONLY \"Users\" ADD a int, ADD b int;", Manual),
            "ALTER TABLE ONLY public.\"Users\" ADD a int, ADD b int;"
        );
        assert_eq!(
            fixed(
                &RULE,
                "CREATE TABLE orders (users int, u int REFERENCES users, v int REFERENCES users (users));",
                Manual
            ),
            "CREATE TABLE public.orders (users int, u int REFERENCES public.users, v int REFERENCES public.users (users));"
        );
        assert_eq!(
            fixed(&RULE, "CREATE INDEX IF NOT EXISTS users ON users (users);", Manual),
            "CREATE INDEX IF NOT EXISTS users ON public.users (users);"
        );
    }
}
