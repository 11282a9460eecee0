//! The text of a statement as tokens, for edits that must hit the right word, and names written back as SQL.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{Edit, ObjectName, Span, Statement};

use crate::tokens::{self, Kind};

/// A part of a statement; comments and white space lie between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) kind: Kind,
    /// As written.
    pub(crate) text: &'a str,
    /// First byte, in the script.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// Brackets around it.
    pub(crate) depth: u32,
}

impl Token<'_> {
    /// It is this keyword.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// A name as the server folds it.
    pub(crate) fn name(&self) -> Option<String> {
        let token = tokens::Token {
            kind: self.kind,
            text: self.text,
            start: 0,
        };
        token.name()
    }

    /// It is this character.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }
}

/// The tokens of a span of the script.
pub(crate) fn tokens(script: &str, span: Span) -> Vec<Token<'_>> {
    let mut depth = 0_u32;
    tokens::read(span.of(script))
        .into_iter()
        .map(|token| {
            if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            let found = Token {
                kind: token.kind,
                text: token.text,
                start: span.start + narrow(token.start),
                end: span.start + narrow(token.end()),
                depth,
            };
            if token.is_symbol("(") {
                depth += 1;
            }
            found
        })
        .collect()
}

/// The tokens of the whole statement.
pub(crate) fn statement_tokens<'a>(context: &Context<'a>, statement: &Statement) -> Vec<Token<'a>> {
    tokens(context.migration.text(), statement.span)
}

/// The tokens of a step's clause.
pub(crate) fn clause_tokens<'a>(context: &Context<'a>, step: &Step<'_>) -> Vec<Token<'a>> {
    tokens(context.migration.text(), step.effect.at)
}

/// Where the words stand one behind the other, outside of brackets: the position of the first among the tokens.
pub(crate) fn find(tokens: &[Token<'_>], words: &[&str]) -> Option<usize> {
    tokens.windows(words.len()).position(|window| {
        window
            .iter()
            .zip(words)
            .all(|(token, word)| token.depth == 0 && token.is(word))
    })
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Takes a whole statement out of the script, with its semicolon and the rest of its line.
pub(crate) fn remove(context: &Context<'_>, statement: &Statement) -> Edit {
    let text = context.migration.text();
    let end = end_with_semicolon(context, statement);
    let rest = &text[end as usize..];
    let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let only_space = rest[..line_end].trim().is_empty();
    let span = Span {
        start: statement.span.start,
        end: if only_space { end + narrow(line_end) } else { end },
    };
    Edit::replace(span, "")
}

/// One past the semicolon that ends the statement, or its end where the script has none.
pub(crate) fn end_with_semicolon(context: &Context<'_>, statement: &Statement) -> u32 {
    let text = context.migration.text();
    let rest = Span {
        start: statement.span.end,
        end: narrow(text.len()),
    };
    tokens(text, rest)
        .first()
        .filter(|token| token.is_symbol(";"))
        .map_or(statement.span.end, |token| token.end)
}

/// A name as SQL, quoted only where it has to be.
pub(crate) fn name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && KEYWORDS.binary_search(&name).is_err() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// `schema.table` as SQL.
pub(crate) fn object(object: &ObjectName) -> String {
    match &object.schema {
        Some(schema) => format!("{}.{}", name(schema), name(&object.name)),
        None => name(&object.name),
    }
}

/// `a, b` as SQL.
pub(crate) fn names<T: AsRef<str>>(all: &[T]) -> String {
    all.iter().map(|one| name(one.as_ref())).collect::<Vec<_>>().join(", ")
}

/// PostgreSQL's keywords but the unreserved ones: a name that is one of them stands in quotes. Ascending.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between", "bigint",
    "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate", "collation",
    "column", "concurrently", "constraint", "create", "cross", "current_catalog", "current_date", "current_role",
    "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable",
    "desc", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
    "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner",
    "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "json", "json_array",
    "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query", "json_scalar", "json_serialize",
    "json_table", "json_value", "lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp",
    "merge_action", "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
    "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision",
    "primary", "real", "references", "returning", "right", "row", "select", "session_user", "setof", "similar",
    "smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample", "then", "time", "timestamp",
    "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar", "variadic",
    "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest",
    "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
];

#[cfg(test)]
mod tests {
    use tollgate_plugin::{ObjectName, Span};

    use super::{KEYWORDS, find, name, object, tokens};

    #[test]
    fn words_are_found_outside_of_brackets() {
        let script = "CREATE INDEX \"on only\" ON ONLY t ((on only))";
        let found = tokens(script, Span { start: 0, end: 44 });
        assert_eq!(find(&found, &["on", "only"]), Some(3));
        assert_eq!(find(&found, &["only", "on"]), None);
    }

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        assert!(KEYWORDS.is_sorted());
        assert_eq!(name("users"), "users");
        assert_eq!(name("user"), "\"user\"");
        assert_eq!(name("full\"Name"), "\"full\"\"Name\"");
        assert_eq!(object(&ObjectName::qualified("app", "Order")), "app.\"Order\"");
    }
}
