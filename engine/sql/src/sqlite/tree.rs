//! A thin view of one parsed statement: names, texts, spans and walks. Knows nothing of operations.

use syntaqlite::any::{AnyNodeId, AnyNodeTag, AnyParsedStatement, FieldValue};
use syntaqlite::nodes::{Expr, Name, Node, QualifiedName};
use syntaqlite::source::StmtOffset;
use syntaqlite::typed::{Dialect as Grammar, GrammarNodeType, TypedNodeList};

use crate::name::ObjectName;
use crate::script::Span;

/// Reserved words that introduce an expression: none can be the beginning of one.
const CLAUSE_WORDS: &[&str] = &["default", "where"];

/// The position of a node's field of that name.
pub(super) type FieldLookup<'a> = dyn Fn(AnyNodeTag, &str) -> Option<u8> + 'a;

/// One parsed statement. Names are those of the script with their quotes taken off.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    statement: &'a AnyParsedStatement<'a>,
    fields: &'a FieldLookup<'a>,
    text: &'a str,
}

impl<'a> Tree<'a> {
    pub(super) fn new(statement: &'a AnyParsedStatement<'a>, fields: &'a FieldLookup<'a>, text: &'a str) -> Self {
        Self {
            statement,
            fields,
            text,
        }
    }

    pub(super) fn root(self) -> AnyNodeId {
        self.statement.root_id()
    }

    /// The node as the type its grammar rule has.
    pub(super) fn node<T: GrammarNodeType<'a>>(self, id: impl Into<AnyNodeId>) -> Option<T> {
        T::from_result(self.statement, id.into())
    }

    /// From the first token to the last, without the closing semicolon; `None` for an empty statement.
    pub(super) fn span(self) -> Option<Span> {
        let mut span: Option<Span> = None;
        for token in self.tokens().filter(|token| token.of(self.text) != ";") {
            span = Some(Span::new(span.map_or(token.start, |span| span.start), token.end));
        }
        span
    }

    /// Spans of all tokens.
    pub(super) fn tokens(self) -> impl Iterator<Item = Span> + 'a {
        let base = StmtOffset::from_raw(0)
            .to_doc(self.statement.statement_base())
            .as_usize();
        self.statement.tokens().map(move |token| {
            let start = base + token.offset().as_usize();
            Span::new(start, start + token.text().len())
        })
    }

    /// The statement as written.
    pub(super) fn statement_text(self) -> &'a str {
        self.span().map_or("", |span| &self.text[span.start..span.end])
    }

    /// Where a node stands. A clause's first word (WHERE, FROM, AS) may be part of it.
    pub(super) fn span_of(self, id: impl Into<AnyNodeId>) -> Option<Span> {
        self.statement
            .node_range(id.into())
            .map(|range| Span::new(range.start.as_usize(), range.end.as_usize()))
    }

    /// A node as written.
    pub(super) fn text_of(self, id: impl Into<AnyNodeId>) -> &'a str {
        self.span_of(id).map_or("", |span| &self.text[span.start..span.end])
    }

    /// An expression as written. The grammar hands some over together with the word before them.
    pub(super) fn expression_text(self, expr: Expr<'a>) -> &'a str {
        let text = self.text_of(expr.node_id());
        let length = text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$')
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(length);
        let is_clause = CLAUSE_WORDS.iter().any(|clause| clause.eq_ignore_ascii_case(word));
        if is_clause && rest.starts_with(|c: char| c.is_ascii()) {
            skip_trivia(rest)
        } else {
            text
        }
    }

    /// The identifier in a node's field of that name, without quotes; `None` when the script leaves it out. The grammar
    /// takes the quotes off most names, and says so; off the others they are taken here.
    pub(super) fn identifier(self, id: impl Into<AnyNodeId>, field: &str) -> Option<String> {
        let (tag, fields) = self.statement.extract_fields(id.into())?;
        let index = (self.fields)(tag, field)?;
        let name = self.statement.span_field_ident_text(&fields, index)?;
        match fields[usize::from(index)] {
            FieldValue::Span(span) if !span.is_quoted() => Some(first_unquoted(&name)),
            _ => Some(name.into_owned()),
        }
    }

    /// A name node's identifier, without quotes.
    pub(super) fn name(self, name: Name<'a>) -> String {
        self.statement
            .name_ident_text(Some(name.node_id().into()))
            .0
            .into_owned()
    }

    /// The object that two fields of a node name; the schema field may be empty.
    pub(super) fn object(self, id: impl Into<AnyNodeId> + Copy, field: &str) -> ObjectName {
        object_name(
            self.identifier(id, "schema"),
            self.identifier(id, field).unwrap_or_default(),
        )
    }

    /// The object that a qualified name means.
    pub(super) fn qualified(self, name: Option<QualifiedName<'a>>) -> ObjectName {
        let schema = name.and_then(|name| name.schema()).map(|schema| self.name(schema));
        let own = name.and_then(|name| name.object_name()).map(|own| self.name(own));
        object_name(schema, own.unwrap_or_default())
    }

    /// Every node below `id` and `id` itself, parents first, in the order written. Not recursive: nesting is unbounded.
    pub(super) fn walk(self, id: impl Into<AnyNodeId>) -> impl Iterator<Item = Node<'a>> + 'a {
        let mut waiting = vec![id.into()];
        std::iter::from_fn(move || {
            while let Some(id) = waiting.pop() {
                let mut children = match self.statement.list_children(id) {
                    Some(children) => children.to_vec(),
                    None => self.statement.child_node_ids(id).collect(),
                };
                children.retain(|child| !child.is_null());
                children.reverse();
                waiting.append(&mut children);
                if let Some(node) = self.node(id) {
                    return Some(node);
                }
            }
            None
        })
    }

    /// Tables and views that `id` and what is below it read, common table expressions left out.
    pub(super) fn reads(self, id: impl Into<AnyNodeId>) -> Vec<ObjectName> {
        self.reads_without(id, None)
    }

    /// The same without the mention `skipped`: the table that a statement writes to.
    pub(super) fn reads_without(self, id: impl Into<AnyNodeId>, skipped: Option<AnyNodeId>) -> Vec<ObjectName> {
        let mut names: Vec<ObjectName> = Vec::new();
        let mut common: Vec<String> = Vec::new();
        for node in self.walk(id) {
            match node {
                Node::TableRef(table) if skipped != Some(table.node_id().into()) => {
                    names.push(self.object(table.node_id(), "table_name"));
                }
                Node::CteDefinition(cte) => common.extend(self.identifier(cte.node_id(), "cte_name")),
                _ => {}
            }
        }
        let is_common = |name: &ObjectName| {
            name.schema.is_none() && common.iter().any(|common| common.eq_ignore_ascii_case(&name.name))
        };
        names.retain(|name| !is_common(name));
        without_duplicates(names)
    }
}

/// The members of a list that the script may leave out.
pub(super) fn items<'a, T: GrammarNodeType<'a>>(list: Option<TypedNodeList<'a, Grammar, T>>) -> Vec<T> {
    list.map(|list| list.iter().collect()).unwrap_or_default()
}

/// Names in order of their first appearance.
pub(super) fn without_duplicates<T: PartialEq>(names: Vec<T>) -> Vec<T> {
    let mut seen = Vec::with_capacity(names.len());
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// A name with its schema; `main` is what an unqualified name means, so it is left out.
fn object_name(schema: Option<String>, name: String) -> ObjectName {
    ObjectName {
        schema: schema.filter(|schema| !schema.eq_ignore_ascii_case("main")),
        name,
    }
}

/// What stands between the quotes that `text` begins with; all of it when it begins with none.
pub(super) fn first_unquoted(text: &str) -> String {
    let close = match text.chars().next() {
        Some('[') => ']',
        Some(quote @ ('"' | '\'' | '`')) => quote,
        _ => return text.to_owned(),
    };
    let mut name = String::new();
    let mut rest = text[1..].chars().peekable();
    while let Some(next) = rest.next() {
        if next != close {
            name.push(next);
        } else if close != ']' && rest.next_if_eq(&close).is_some() {
            name.push(close);
        } else {
            break;
        }
    }
    name
}

/// `text` without leading white space and comments.
fn skip_trivia(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else {
            return rest;
        };
        let Some(after) = after else { return "" };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::skip_trivia;

    #[test]
    fn trivia_is_skipped() {
        assert_eq!(skip_trivia(" -- a\n /* b\n */ x /* c */"), "x /* c */");
        assert_eq!(skip_trivia("-- a"), "");
        assert_eq!(skip_trivia("/* a"), "");
    }
}
