//! INSERT, REPLACE, UPDATE, DELETE, LOAD DATA, and which tables a query reads.

use std::collections::HashSet;

use crate::name::ObjectName;
use crate::operation::{Operation, RowChange};

use super::cursor::{Cursor, name_of};
use super::effects::Effects;
use super::scan::Token;

/// Words that may stand between the verb and the table.
const MODIFIERS: &[&str] = &["low_priority", "high_priority", "delayed", "quick", "ignore"];

/// Words that end the list of tables of a FROM.
const BEHIND_TABLES: &[&str] = &[
    "except",
    "fetch",
    "for",
    "group",
    "having",
    "intersect",
    "into",
    "limit",
    "offset",
    "order",
    "procedure",
    "returning",
    "set",
    "union",
    "where",
    "window",
];

/// INSERT and REPLACE.
pub(super) fn insert(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    while cursor.take_any(MODIFIERS) {}
    cursor.take("into");
    let Some(table) = cursor.object() else { return };
    if cursor.take("partition") {
        cursor.group();
    }
    let mut columns = Vec::new();
    let is_query = |cursor: &Cursor<'_>| cursor.is_any(&["select", "with", "table"]);
    let mut ahead = *cursor;
    if let Some(group) = ahead.group().filter(|group| !is_query(group) && !group.is_symbol('(')) {
        *cursor = ahead;
        columns = group.parts().into_iter().filter_map(|mut part| part.name()).collect();
    }
    let filtered = is_query(cursor) || cursor.is_symbol('(');
    if cursor.take("set") {
        columns = assigned(cursor.until(|here| here.is("on")))
            .into_iter()
            .map(|(_, column)| column)
            .collect();
    }
    effects.push(
        effects.whole(),
        Operation::Insert(RowChange {
            table,
            filtered,
            columns,
            reads: reads(cursor.remainder()),
        }),
    );
}

/// LOAD DATA and LOAD XML.
pub(super) fn load(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.until(|here| here.is("into"));
    cursor.take("into");
    cursor.take("table");
    if let Some(table) = cursor.object() {
        let change = RowChange {
            table,
            filtered: true,
            columns: Vec::new(),
            reads: Vec::new(),
        };
        effects.push(effects.whole(), Operation::Insert(change));
    }
}

/// UPDATE, of one table or of several.
pub(super) fn update(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    while cursor.take_any(MODIFIERS) {}
    let tables = cursor.until(|here| here.is("set"));
    cursor.take("set");
    let set = assigned(cursor.until(|here| here.is_any(&["where", "order", "limit", "returning"])));
    let named = table_list(tables);
    let filtered = restricts(cursor.remainder()) || named.len() > 1;
    let mut targets: Vec<(ObjectName, Vec<String>)> = Vec::new();
    for (qualifier, column) in set {
        let Some(table) = target(&named, qualifier.as_deref()) else {
            continue;
        };
        match targets.iter_mut().find(|(known, _)| *known == table) {
            Some((_, columns)) => columns.push(column),
            None => targets.push((table, vec![column])),
        }
    }
    let everything = reads_of(&named, cursor);
    for (table, columns) in targets {
        let change = change(table, filtered, columns, &everything);
        effects.push(effects.whole(), Operation::Update(change));
    }
}

/// DELETE, from one table or from several.
pub(super) fn delete(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    while cursor.take_any(MODIFIERS) {}
    // DELETE a, b FROM …, or DELETE FROM a, b USING …, or DELETE FROM a.
    let mut victims = cursor.until(|here| here.is("from"));
    cursor.take("from");
    let mut tables = cursor.until(|here| here.is_any(&["using", "where", "order", "limit", "returning"]));
    if cursor.take("using") {
        victims = tables;
        tables = cursor.until(|here| here.is_any(&["where", "order", "limit", "returning"]));
    }
    let named = table_list(tables);
    let filtered = restricts(cursor.remainder())
        || named.len() > 1
        || tables.rest().iter().any(|token| token.is(cursor.script(), "partition"));
    let targets: Vec<ObjectName> = if victims.at_end() {
        named.first().map(|(table, _)| table.clone()).into_iter().collect()
    } else {
        let names = victims.parts().into_iter().filter_map(|mut part| part.object());
        names
            .filter_map(|name| target(&named, Some(&name.name)).or(Some(name)))
            .collect()
    };
    let everything = reads_of(&named, cursor);
    for table in targets {
        let change = change(table, filtered, Vec::new(), &everything);
        effects.push(effects.whole(), Operation::Delete(change));
    }
}

fn change(table: ObjectName, filtered: bool, columns: Vec<String>, everything: &[ObjectName]) -> RowChange {
    let reads = everything.iter().filter(|read| **read != table).cloned().collect();
    RowChange {
        table,
        filtered,
        columns,
        reads,
    }
}

/// The rest of the statement leaves rows out.
fn restricts(rest: Cursor<'_>) -> bool {
    let mut rest = rest;
    rest.until(|here| here.is_any(&["where", "limit"]));
    !rest.at_end()
}

/// The tables of the statement's own list, and what queries in it read.
fn reads_of(named: &[(ObjectName, Option<String>)], statement: &Cursor<'_>) -> Vec<ObjectName> {
    let mut walk = Walk::of(Cursor::new(statement.script(), statement.all()));
    walk.found.extend(named.iter().map(|(table, _)| table.clone()));
    walk.named()
}

/// The table that a name or an alias means; the first where none is written.
fn target(named: &[(ObjectName, Option<String>)], qualifier: Option<&str>) -> Option<ObjectName> {
    let Some(qualifier) = qualifier else {
        return named.first().map(|(table, _)| table.clone());
    };
    let by_alias = named.iter().find(|(_, alias)| {
        alias
            .as_deref()
            .is_some_and(|alias| alias.eq_ignore_ascii_case(qualifier))
    });
    let by_name = || named.iter().find(|(table, _)| table.name == qualifier);
    by_alias.or_else(by_name).map(|(table, _)| table.clone())
}

/// `a.b = 1, c = 2`: qualifier and column.
fn assigned(list: Cursor<'_>) -> Vec<(Option<String>, String)> {
    let parts = list.parts().into_iter();
    let named = parts.filter_map(|mut part| {
        let name = part.object()?;
        // db.table.column
        let behind = part.take_symbol('.').then(|| part.name()).flatten();
        Some(match behind {
            Some(column) => (Some(name.name), column),
            None => (name.schema, name.name),
        })
    });
    named.collect()
}

/// Tables of an UPDATE or DELETE with their aliases.
fn table_list(list: Cursor<'_>) -> Vec<(ObjectName, Option<String>)> {
    let mut found = Vec::new();
    let mut rest = list.remainder();
    let mut expected = true;
    while let Some(token) = rest.peek() {
        let word = rest.word();
        if token.is_symbol(',') || matches!(word.as_str(), "join" | "straight_join") {
            expected = true;
            rest.next();
        } else if matches!(
            word.as_str(),
            "left" | "right" | "inner" | "outer" | "cross" | "natural" | "lateral"
        ) {
            rest.next();
        } else if !expected {
            rest.step();
        } else if let Some(group) = rest.group() {
            let mut inner = group;
            let is_query = inner.take_any(&["select", "with", "values", "table"]);
            if !is_query {
                // Joins in brackets: their tables count too.
                found.extend(plain_tables(group));
            }
            expected = false;
        } else {
            let Some(table) = rest.object() else {
                rest.next();
                continue;
            };
            expected = false;
            found.push((table, alias(&mut rest)));
        }
    }
    found
}

/// Tables of a join in brackets; deeper brackets are left to [`reads`].
fn plain_tables(group: Cursor<'_>) -> Vec<(ObjectName, Option<String>)> {
    let mut rest = group.remainder();
    let mut found = Vec::new();
    let mut expected = true;
    while !rest.at_end() {
        if expected && let Some(table) = rest.object() {
            found.push((table, alias(&mut rest)));
            expected = false;
            continue;
        }
        expected |= rest.is_symbol(',') || rest.is_any(&["join", "straight_join"]);
        rest.step();
    }
    found
}

fn alias(rest: &mut Cursor<'_>) -> Option<String> {
    let written = rest.take("as");
    let joins = [
        "cross",
        "force",
        "ignore",
        "inner",
        "join",
        "left",
        "natural",
        "on",
        "partition",
        "right",
        "straight_join",
        "use",
        "using",
    ];
    if !written && (rest.is_any(&joins) || rest.is_any(BEHIND_TABLES)) {
        return None;
    }
    rest.name()
}

/// Tables and views that a query reads, common table expressions left out. One pass; brackets may be nested as deep as
/// they like.
pub(super) fn reads(query: Cursor<'_>) -> Vec<ObjectName> {
    Walk::of(query).named()
}

/// What a pair of brackets is about.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// A SELECT stands in it.
    query: bool,
    /// Its FROM is being read.
    from: bool,
    /// A table comes next.
    expected: bool,
    /// What stands before the brackets.
    before: Option<Token>,
}

#[derive(Default)]
struct Walk {
    level: Level,
    outer: Vec<Level>,
    found: Vec<ObjectName>,
    common: Vec<String>,
    previous: Option<Token>,
    /// What stood before the brackets that were closed last.
    before_brackets: Option<Token>,
}

impl Walk {
    fn of(query: Cursor<'_>) -> Self {
        let mut walk = Self::default();
        let mut rest = query.remainder();
        while !rest.at_end() {
            walk.step(&mut rest);
        }
        walk
    }

    /// What was found, each once, without common table expressions.
    fn named(self) -> Vec<ObjectName> {
        let common: HashSet<String> = self.common.iter().map(|name| name.to_lowercase()).collect();
        let is_common = |name: &ObjectName| name.schema.is_none() && common.contains(&name.name.to_lowercase());
        let mut seen = HashSet::new();
        let found = self.found.into_iter();
        found
            .filter(|name| !is_common(name) && seen.insert(name.clone()))
            .collect()
    }

    fn step(&mut self, rest: &mut Cursor<'_>) {
        let word = rest.word();
        match word.as_str() {
            "" if rest.is_symbol('(') => {
                let inner = Level {
                    from: self.level.expected,
                    ..self.level
                };
                self.level.expected = false;
                self.outer.push(self.level);
                self.level = if inner.from { inner } else { Level::default() };
                self.level.before = self.previous;
            }
            "" if rest.is_symbol(')') => {
                self.before_brackets = self.level.before;
                self.level = self.outer.pop().unwrap_or_default();
            }
            "" if rest.is_symbol(',') => self.level.expected = self.level.from,
            "select" => {
                self.level = Level {
                    query: true,
                    before: self.level.before,
                    ..Level::default()
                };
            }
            "as" => self.common(rest),
            "from" if self.level.query => {
                self.level.from = true;
                self.level.expected = true;
            }
            "join" | "straight_join" => self.level.expected = self.level.from,
            "lateral" | "recursive" => {}
            _ if self.level.expected => return self.table(rest),
            _ if BEHIND_TABLES.contains(&word.as_str()) => self.level.from = false,
            _ => {}
        }
        self.previous = rest.next();
    }

    fn table(&mut self, rest: &mut Cursor<'_>) {
        self.level.expected = false;
        self.previous = rest.peek();
        match rest.object() {
            // JSON_TABLE(…), a function; DUAL, no table at all.
            Some(_) if rest.is_symbol('(') => {}
            Some(name) if name.schema.is_none() && name.name.eq_ignore_ascii_case("dual") => {}
            Some(name) => self.found.push(name),
            None => {
                rest.next();
            }
        }
    }

    /// `name AS (` and `name (a, b) AS (`: a common table expression, which is no table.
    fn common(&mut self, rest: &Cursor<'_>) {
        if rest.peek_at(1).is_some_and(|next| next.is_symbol('(')) {
            let named = match self.previous {
                Some(previous) if previous.is_symbol(')') => self.before_brackets,
                previous => previous,
            };
            let name = named.and_then(|token| name_of(rest.text(token), token.kind));
            self.common.extend(name);
        }
    }
}
