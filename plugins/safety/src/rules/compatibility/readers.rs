//! What names a column: functions, into whose bodies the server does not look, and parts of the table itself.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{Catalog, ColumnName, Dependent, Dialect, ObjectKind, ObjectName, Operation, Relation};

use crate::tokens::{self, Token};

/// Functions that a trigger of the table calls and whose body names `NEW.column` or `OLD.column`, as people write them.
pub(super) fn trigger_functions(catalog: &dyn Catalog, table: &ObjectName, column: &str) -> Vec<String> {
    let Some(relation) = catalog.relation(table) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    for trigger in &relation.triggers {
        let definition = catalog.member_ddl(ObjectKind::Trigger, &relation.name, trigger);
        let Some(function) = definition.iter().flatten().find_map(|text| called(text)) else {
            continue;
        };
        let name = function.short();
        let bodies = catalog.ddl(ObjectKind::Function, &function).unwrap_or_default();
        if !found.contains(&name) && bodies.iter().any(|text| names_column(text, column)) {
            found.push(name);
        }
    }
    found
}

/// Functions of the schema after the migration whose body names the table and the column, and no other table that the
/// column could be of.
pub(super) fn functions(context: &Context<'_>, table: &ObjectName, column: &str) -> Vec<String> {
    let mut found = Vec::new();
    for function in context.after.functions() {
        let definitions = context.after.ddl(ObjectKind::Function, &function).unwrap_or_default();
        let bodies = definitions.iter().flat_map(|text| tokens::read(text));
        let names = bodies.filter_map(|token| token.body()).any(|body| {
            let words = names(body);
            let has = |name: &str| words.iter().any(|word| context.same_identifier(word, name));
            has(column) && has(&table.name) && !names_another_table(context, &words, &[table], column)
        });
        if names {
            found.push(function.short());
        }
    }
    found
}

/// Whether words of a text are the name of a table with a column of that name, other than `known`.
pub(super) fn names_another_table(
    context: &Context<'_>,
    words: &[String],
    known: &[&ObjectName],
    column: &str,
) -> bool {
    let mut others = context.before.relations().into_iter().filter(|name| {
        let is_known = known.iter().any(|known| context.same(ObjectKind::Table, known, name));
        !is_known && words.iter().any(|word| context.same_identifier(word, &name.name))
    });
    others.any(|name| {
        let relation = context.before.relation(&name);
        relation.is_some_and(|relation| relation.column(column).is_some())
    })
}

/// Every name in a text, as the server folds it.
pub(super) fn names(text: &str) -> Vec<String> {
    tokens::read(text).iter().filter_map(Token::name).collect()
}

/// Parts of the table, as it was before the migration, that the server will not let go with the column: policies, triggers
/// that name it, columns that are computed from it. Those that a statement above drops are left out.
pub(super) fn members(context: &Context<'_>, step: &Step<'_>, table: &Relation, column: &str) -> Vec<Dependent> {
    let definition = |kind, name: &str| {
        let statements = context.before.member_ddl(kind, &table.name, name).unwrap_or_default();
        statements.join(";")
    };
    let triggers = table
        .triggers
        .iter()
        .filter(|name| trigger_names(context, &definition(ObjectKind::Trigger, name), column))
        .map(|name| (ObjectKind::Trigger, name));
    let policies = table
        .policies
        .iter()
        .filter(|name| {
            names(&definition(ObjectKind::Policy, name))
                .iter()
                .any(|word| word == column)
        })
        .map(|name| (ObjectKind::Policy, name));
    let mut found: Vec<(ObjectKind, &String)> = triggers.chain(policies).collect();
    // SQLite has more reasons of this kind: `alter-not-supported-by-version` knows them.
    if context.dialect() == Dialect::Postgres {
        let computed = table.columns.iter().filter(|other| {
            let expression = other.generated.as_deref().unwrap_or_default();
            names(expression).iter().any(|word| word == column)
        });
        found.extend(computed.map(|other| (ObjectKind::Column, &other.name)));
    }
    found.retain(|(kind, name)| !is_dropped(context, step, *kind, &table.name, name));
    let dependent = |(kind, member): (ObjectKind, &String)| Dependent {
        kind,
        name: table.name.clone(),
        member: Some(member.clone()),
        column: Some(column.to_owned()),
    };
    found.into_iter().map(dependent).collect()
}

/// `UPDATE OF column`, or `NEW.column` outside of strings: in WHEN, on SQLite also in what the trigger does.
fn trigger_names(context: &Context<'_>, definition: &str, column: &str) -> bool {
    let tokens = tokens::read(definition);
    let same = |token: &Token<'_>| token.name().is_some_and(|name| context.same_identifier(&name, column));
    let of = tokens.iter().position(|token| token.is("of")).map_or(0, |at| at + 1);
    let mut listed = tokens[of..].iter().take_while(|token| !token.is("on"));
    (of > 0 && listed.any(same)) || names_row(&tokens, &same)
}

/// `NEW.column` or `OLD.column`.
fn names_row(tokens: &[Token<'_>], is_column: &dyn Fn(&Token<'_>) -> bool) -> bool {
    tokens.windows(3).any(|window| match window {
        [row, dot, name] => (row.is("new") || row.is("old")) && dot.is_symbol(".") && is_column(name),
        _ => false,
    })
}

/// A statement above drops the member by its name.
fn is_dropped(context: &Context<'_>, step: &Step<'_>, kind: ObjectKind, table: &ObjectName, name: &str) -> bool {
    if kind == ObjectKind::Column {
        return context.is_column_gone(step, &ColumnName::new(table.clone(), name));
    }
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::Drop(dropped) => dropped.kind == kind && context.same_identifier(&dropped.name.name, name),
            _ => false,
        })
}

/// The function of `EXECUTE FUNCTION schema.name()`.
fn called(trigger: &str) -> Option<ObjectName> {
    let tokens = tokens::read(trigger);
    let execute = tokens.iter().rposition(|token| token.is("execute"))?;
    let rest = tokens.get(execute + 2..)?;
    let end = rest.iter().position(|token| token.is_symbol("(")).unwrap_or(rest.len());
    let mut parts: Vec<String> = rest[..end].iter().filter_map(Token::name).collect();
    let name = parts.pop()?;
    Some(ObjectName {
        schema: parts.pop(),
        name,
    })
}

/// The body (the string behind AS) reads or sets the column of the row that a trigger has.
fn names_column(function: &str, column: &str) -> bool {
    let is_column = |token: &Token<'_>| token.name().as_deref() == Some(column);
    let tokens = tokens::read(function);
    let mut bodies = tokens.iter().filter_map(Token::body);
    bodies.any(|body| names_row(&tokens::read(body), &is_column))
}

#[cfg(test)]
mod tests {
    use super::{called, names_column};

    #[test]
    fn the_function_of_a_trigger() {
        let of = |text: &str| called(text).map(|name| name.to_string());
        let text = "CREATE TRIGGER execute BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION app.\"Touch\"('a')";
        assert_eq!(of(text).as_deref(), Some("app.Touch"));
        assert_eq!(
            of("CREATE TRIGGER a AFTER INSERT ON t EXECUTE PROCEDURE f()").as_deref(),
            Some("f")
        );
    }

    #[test]
    fn the_column_of_the_row() {
        let body = |text: &str| format!("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ {text} $$");
        assert!(names_column(&body("NEW.name := 1;"), "name"));
        assert!(names_column(&body("x = old . \"fullName\""), "fullName"));
        assert!(!names_column(&body("x = name; -- NEW.name"), "name"));
        assert!(!names_column(&body("x = new.names"), "name"));
    }
}
