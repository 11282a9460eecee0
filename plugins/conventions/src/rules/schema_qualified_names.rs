//! `schema-qualified-names`: names that depend on the search path.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Suggestion};

use crate::columns::name_at;

pub(super) const RULE: Rule = Rule {
    id: "schema-qualified-names",
    summary: "a name without its schema",
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
    let mut reported = None;
    for step in context.all_steps() {
        if reported == Some(step.statement.index) {
            continue;
        }
        let named = names(&step.effect.operation);
        let bare = named
            .into_iter()
            .find(|(kind, name)| name.schema.is_none() && !is_temporary(context, &step, name) && has_schema(*kind));
        let Some((kind, name)) = bare else { continue };
        reported = Some(step.statement.index);
        let place =
            name_at(context, step.effect.at, &name.name).or_else(|| name_at(context, step.statement.span, &name.name));
        let at = place.unwrap_or(step.effect.at);
        let finding = findings.report_at(
            step.statement.index,
            at,
            format!("names the {kind} {} without its schema", name.name),
        );
        let schema = context
            .resolve(kind, name)
            .schema
            .unwrap_or_else(|| "public".to_owned());
        finding.help(format!("write {schema}.{}", name.name));
        if let Some(place) = place.filter(|_| {
            schema
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_')
        }) {
            let title = format!("write {schema}.{}", name.name);
            finding.suggest(Suggestion::manual(
                title,
                vec![Edit::insert(place.start, format!("{schema}."))],
            ));
        }
    }
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
            "names the table users without its schema",
        );
        rule.reports(
            "",
            "ALTER TABLE app.a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES \"B\" (d);",
            Low,
            "names the table B without its schema",
        );
        rule.reports(
            "",
            "CREATE INDEX i ON users (name);",
            Low,
            "names the table users without its schema",
        );
        rule.reports("", "DROP INDEX i;", Low, "names the index i without its schema");
        rule.reports(
            "",
            "UPDATE users SET a = 1 WHERE b;",
            Low,
            "names the table users without its schema",
        );
        rule.reports(
            "",
            "CREATE TYPE mood AS ENUM ('a');",
            Low,
            "names the type mood without its schema",
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
    }
}
