//! `sequence-not-reset`: numbers were written by hand, and the sequence will give them out again.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    Column, Dialect, Edit, Identity, IndexKey, ObjectKind, ObjectName, Operation, OtherOperation, Relation, RowChange,
    Severity, Suggestion,
};

use super::details;
use crate::sql;
use crate::tokens;

pub(super) const RULE: Rule = Rule {
    id: "sequence-not-reset",
    summary: "Rows are inserted with numbers of their own, but the sequence stays where it was",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["insert"],
    explanation: "\
**What it does.** Reports an `INSERT` that writes values of its own into a serial or identity column that is unique, when the \
file does not set the sequence afterwards (`setval`, `ALTER SEQUENCE … RESTART`). Typical of rows that are copied from an old \
table, and of fixed rows that are seeded.

**Why it matters.** The sequence knows nothing of these numbers. It gives them out again, and the application's next `INSERT` \
fails with a duplicate key.

**Instead.** Leave the column out, or set the sequence behind the INSERT: \
`SELECT setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders))`.",
    bad: "CREATE TABLE orders (id serial PRIMARY KEY, total int);\n-- migration\n\
          INSERT INTO orders (id, total) VALUES (1, 100);",
    good: "CREATE TABLE orders (id serial PRIMARY KEY, total int);\n-- migration\n\
           INSERT INTO orders (id, total) VALUES (1, 100);\nSELECT setval('orders_id_seq', (SELECT max(id) FROM orders));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Insert(insert) = &step.effect.operation {
            report(context, findings, &step, insert);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, insert: &RowChange) {
    let Some(relation) = context.after.relation(&insert.table) else {
        return;
    };
    let Some((column, sequence)) = relation.columns.iter().find_map(|column| numbered(column, &relation)) else {
        return;
    };
    let written = insert.columns.contains(&column.name)
        || (insert.columns.is_empty() && relation.columns.first().is_some_and(|first| first.name == column.name));
    if !written || gives_out(context, step) || shares(context, &insert.table, sequence.as_ref()) {
        return;
    }
    let again = context.steps_after(step).any(|later| match &later.effect.operation {
        // The last of several is enough.
        Operation::Insert(other) => {
            context.same(ObjectKind::Table, &other.table, &insert.table) && other.columns == insert.columns
        }
        _ => sets(context, &later.effect.operation, &insert.table, sequence.as_ref()),
    });
    if again {
        return;
    }
    let verb = step.verb("writes", "write");
    let (table, column) = (insert.table.short(), &column.name);
    let message = format!(
        "{verb} values of its own to {table}.{column}, but leaves the sequence behind it where it was: it will give them \
         out again"
    );
    let finding = findings
        .report(step, message)
        .help("set the sequence to the greatest value behind the INSERT, with setval");
    if !step.effect.conditional {
        let (name, quoted) = (sql::object(&insert.table), sql::name(column));
        let at = sql::end_with_semicolon(context, step.statement);
        let semicolon = if at == step.statement.span.end { ";" } else { "" };
        let text = format!(
            "{semicolon}\nSELECT setval(pg_get_serial_sequence('{}', '{}'), (SELECT max({quoted}) FROM {name}));",
            name.replace('\'', "''"),
            column.replace('\'', "''")
        );
        finding.suggest(Suggestion::manual("set the sequence", vec![Edit::insert(at, text)]));
    }
}

/// A unique column that takes its values from a sequence, and that sequence, where the default names it.
fn numbered<'r>(column: &'r Column, relation: &Relation) -> Option<(&'r Column, Option<ObjectName>)> {
    let by_default = column.default.as_deref().filter(|text| text.starts_with("nextval("));
    if by_default.is_none() && !matches!(column.identity, Some(Identity::Always | Identity::ByDefault)) {
        return None;
    }
    let unique = relation
        .indexes
        .iter()
        .any(|index| index.unique && matches!(index.keys.as_slice(), [IndexKey::Column(only)] if *only == column.name));
    unique.then(|| (column, by_default.and_then(named)))
}

/// The sequence of `nextval('schema.name'::regclass)`.
fn named(default: &str) -> Option<ObjectName> {
    let literal = tokens::read(default).iter().find_map(tokens::Token::value)?;
    let mut parts: Vec<String> = tokens::read(&literal).iter().filter_map(tokens::Token::name).collect();
    let name = parts.pop()?;
    Some(ObjectName {
        schema: parts.pop(),
        name,
    })
}

/// The statement itself takes values from the sequence, or ignores those that it is given.
fn gives_out(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = sql::clause_tokens(context, step);
    tokens.iter().any(|token| token.is("default") || token.is("nextval"))
        || tokens
            .windows(3)
            .any(|words| words[0].is("overriding") && words[1].is("user") && words[2].is("value"))
}

/// A new table whose sequence was there before: another table's, which gave out the very values.
fn shares(context: &Context<'_>, table: &ObjectName, sequence: Option<&ObjectName>) -> bool {
    let is_new = context.before.relation(table).is_none();
    is_new && sequence.is_some_and(|name| context.before.exists(ObjectKind::Sequence, name) == Some(true))
}

/// Whether an operation sets the sequence, or may do so.
fn sets(context: &Context<'_>, operation: &Operation, table: &ObjectName, sequence: Option<&ObjectName>) -> bool {
    let is_table = |name: &ObjectName| context.same(ObjectKind::Table, name, table);
    let is_it = |name: &ObjectName| sequence.is_none_or(|sequence| sequence.name == name.name);
    match operation {
        Operation::Other(other) => sets_by(other, &is_it, &is_table),
        Operation::Truncate(truncation) => is_table(&truncation.table),
        Operation::Drop(dropped) => dropped.kind == ObjectKind::Table && is_table(&dropped.name),
        Operation::Delete(deletion) => !deletion.filtered && is_table(&deletion.table),
        Operation::SetIdentity(change) => is_table(&change.column.table),
        Operation::Dynamic(_) => true,
        _ => false,
    }
}

fn sets_by(
    other: &OtherOperation,
    is_it: &dyn Fn(&ObjectName) -> bool,
    is_table: &dyn Fn(&ObjectName) -> bool,
) -> bool {
    let named = |of: &dyn Fn(&ObjectName) -> bool| other.objects.is_empty() || other.objects.iter().any(of);
    let details = details(other);
    match other.tag.as_str() {
        "call-function" => details["function"] == "setval" && named(is_it),
        "alter-sequence" => details["options"].get("restart").is_some() && named(is_it),
        "alter-identity" => details["options"].get("restart").is_some() && named(is_table),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const ORDERS: &str = "\
        CREATE TABLE orders (id serial PRIMARY KEY, total int); CREATE TABLE old_orders (id int, total int);
        CREATE TABLE app.\"Item\" (\"itemId\" bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE, name text);
        CREATE TABLE logs (id serial, line text);";

    const ORDERS_MESSAGE: &str = "writes values of its own to orders.id, but leaves the sequence behind it where it was: it will give them out again";

    #[test]
    fn the_numbers_come_again() {
        let rule = postgres(&RULE);
        rule.reports(
            ORDERS,
            "INSERT INTO orders (id, total) VALUES (1, 2);",
            Medium,
            ORDERS_MESSAGE,
        );
        rule.reports(
            ORDERS,
            "INSERT INTO orders SELECT * FROM old_orders;",
            Medium,
            ORDERS_MESSAGE,
        );
        rule.reports(
            ORDERS,
            "INSERT INTO app.\"Item\" (\"itemId\", name) SELECT id, 'a' FROM old_orders;",
            Medium,
            "writes values of its own to app.Item.itemId, but leaves the sequence behind it where it was: it will give \
             them out again",
        );
        rule.reports(
            "",
            "CREATE TABLE orders (id serial PRIMARY KEY, total int);
             INSERT INTO orders (id, total) VALUES (1, 2); INSERT INTO orders (id, total) VALUES (2, 3);",
            Medium,
            ORDERS_MESSAGE,
        );
    }

    #[test]
    fn the_sequence_is_set() {
        let rule = postgres(&RULE);
        let insert = "INSERT INTO orders (id, total) VALUES (1, 2);";
        for set in [
            "SELECT setval('orders_id_seq', 1);",
            "SELECT setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders));",
            "ALTER SEQUENCE orders_id_seq RESTART WITH 2;",
            "DO $$ BEGIN PERFORM setval('orders_id_seq', 9); END $$;",
            "DELETE FROM orders;",
        ] {
            rule.ignores(ORDERS, &format!("{insert} {set}"));
        }
        rule.ignores(
            ORDERS,
            "INSERT INTO app.\"Item\" (\"itemId\") VALUES (1); ALTER TABLE app.\"Item\" ALTER \"itemId\" RESTART WITH 2;",
        );
    }

    #[test]
    fn it_gives_the_numbers_itself() {
        let rule = postgres(&RULE);
        rule.ignores(ORDERS, "INSERT INTO orders (total) SELECT total FROM old_orders;");
        rule.ignores(ORDERS, "INSERT INTO orders (id, total) VALUES (DEFAULT, 2);");
        rule.ignores(ORDERS, "INSERT INTO orders VALUES (nextval('orders_id_seq'), 2);");
        rule.ignores(ORDERS, "INSERT INTO old_orders (id, total) VALUES (1, 2);");
        rule.ignores("", "INSERT INTO orders (id, total) VALUES (1, 2);");
    }

    #[test]
    fn equal_numbers_do_no_harm() {
        let rule = postgres(&RULE);
        rule.ignores(ORDERS, "INSERT INTO logs (id, line) VALUES (1, 'a');");
        rule.ignores(
            ORDERS,
            "CREATE TABLE new_orders (id int PRIMARY KEY DEFAULT nextval('orders_id_seq'), total int);
             INSERT INTO new_orders (id, total) SELECT id, total FROM orders;",
        );
    }

    #[test]
    fn setval_is_offered() {
        let script = "INSERT INTO app.\"Item\" (\"itemId\") VALUES (1);\n";
        assert_eq!(
            fixed(&postgres(&RULE).on(ORDERS), script).as_deref(),
            Some(
                "INSERT INTO app.\"Item\" (\"itemId\") VALUES (1);\n\
                 SELECT setval(pg_get_serial_sequence('app.\"Item\"', 'itemId'), (SELECT max(\"itemId\") FROM app.\"Item\"));\n"
            )
        );
    }
}
