//! Writing names and strings so that the server reads exactly them.

use pg_query::protobuf::KeywordKind;

use crate::name::Dialect;

/// `name` as an identifier, quoted only where it has to be.
pub fn identifier(dialect: Dialect, name: &str) -> String {
    let plain = match dialect {
        Dialect::Postgres => is_plain(name, false) && !is_postgres_keyword(name),
        Dialect::Sqlite => is_plain(name, true) && !is_sqlite_keyword(name),
        Dialect::Mysql => false,
    };
    match (plain, dialect) {
        (true, _) => name.to_owned(),
        (false, Dialect::Mysql) => format!("`{}`", name.replace('`', "``")),
        (false, _) => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// `text` as a string constant.
pub fn literal(dialect: Dialect, text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match dialect {
        // As the server's own quote_literal: right whatever standard_conforming_strings says.
        Dialect::Postgres if text.contains('\\') => format!("E'{}'", doubled.replace('\\', "\\\\")),
        Dialect::Mysql => format!("'{}'", doubled.replace('\\', "\\\\")),
        Dialect::Postgres | Dialect::Sqlite => format!("'{doubled}'"),
    }
}

/// Letters, digits and underscores, as the server keeps them without quotes: PostgreSQL would fold upper case.
fn is_plain(name: &str, upper_case: bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || (upper_case && byte.is_ascii_uppercase());
    match name.as_bytes() {
        [first, rest @ ..] => letter(*first) && rest.iter().all(|byte| letter(*byte) || byte.is_ascii_digit()),
        [] => false,
    }
}

/// Every keyword but the unreserved ones, as `quote_identifier` of the server does it; the scanner knows them.
fn is_postgres_keyword(name: &str) -> bool {
    let harmless = [KeywordKind::NoKeyword as i32, KeywordKind::UnreservedKeyword as i32];
    pg_query::scan_tokens(name).map_or(true, |tokens| {
        tokens.iter().any(|token| !harmless.contains(&token.keyword_kind))
    })
}

/// Ascending. All keywords that `SQLite` documents: some are only reserved in places, none is harmed by quotes.
const SQLITE_KEYWORDS: [&str; 147] = [
    "abort",
    "action",
    "add",
    "after",
    "all",
    "alter",
    "always",
    "analyze",
    "and",
    "as",
    "asc",
    "attach",
    "autoincrement",
    "before",
    "begin",
    "between",
    "by",
    "cascade",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "commit",
    "conflict",
    "constraint",
    "create",
    "cross",
    "current",
    "current_date",
    "current_time",
    "current_timestamp",
    "database",
    "default",
    "deferrable",
    "deferred",
    "delete",
    "desc",
    "detach",
    "distinct",
    "do",
    "drop",
    "each",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exclusive",
    "exists",
    "explain",
    "fail",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "from",
    "full",
    "generated",
    "glob",
    "group",
    "groups",
    "having",
    "if",
    "ignore",
    "immediate",
    "in",
    "index",
    "indexed",
    "initially",
    "inner",
    "insert",
    "instead",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "key",
    "last",
    "left",
    "like",
    "limit",
    "match",
    "materialized",
    "natural",
    "no",
    "not",
    "nothing",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "others",
    "outer",
    "over",
    "partition",
    "plan",
    "pragma",
    "preceding",
    "primary",
    "query",
    "raise",
    "range",
    "recursive",
    "references",
    "regexp",
    "reindex",
    "release",
    "rename",
    "replace",
    "restrict",
    "returning",
    "right",
    "rollback",
    "row",
    "rows",
    "savepoint",
    "select",
    "set",
    "table",
    "temp",
    "temporary",
    "then",
    "ties",
    "to",
    "transaction",
    "trigger",
    "unbounded",
    "union",
    "unique",
    "update",
    "using",
    "vacuum",
    "values",
    "view",
    "virtual",
    "when",
    "where",
    "window",
    "with",
    "without",
];

fn is_sqlite_keyword(name: &str) -> bool {
    SQLITE_KEYWORDS
        .binary_search(&name.to_ascii_lowercase().as_str())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_identifiers_only_where_needed() {
        for (dialect, name, expected) in [
            (Dialect::Postgres, "users", "users"),
            (Dialect::Postgres, "_a1", "_a1"),
            (Dialect::Postgres, "User", "\"User\""),
            (Dialect::Postgres, "user", "\"user\""),
            (Dialect::Postgres, "integer", "\"integer\""),
            (Dialect::Postgres, "name", "name"),
            (Dialect::Postgres, "1a", "\"1a\""),
            (Dialect::Postgres, "a b", "\"a b\""),
            (Dialect::Postgres, "a\"b", "\"a\"\"b\""),
            (Dialect::Postgres, "é", "\"é\""),
            (Dialect::Postgres, "", "\"\""),
            (Dialect::Sqlite, "User", "User"),
            (Dialect::Sqlite, "Order", "\"Order\""),
            (Dialect::Sqlite, "a-b", "\"a-b\""),
            (Dialect::Mysql, "a`b", "`a``b`"),
        ] {
            assert_eq!(identifier(dialect, name), expected, "{dialect} {name}");
        }
    }

    #[test]
    fn quotes_literals() {
        for (dialect, text, expected) in [
            (Dialect::Postgres, "it's", "'it''s'"),
            (Dialect::Postgres, r"a\b'", r"E'a\\b'''"),
            (Dialect::Sqlite, r"a\b'", r"'a\b'''"),
            (Dialect::Mysql, r"a\b'", r"'a\\b'''"),
        ] {
            assert_eq!(literal(dialect, text), expected, "{dialect} {text}");
        }
    }

    #[test]
    fn sqlite_keywords_are_in_order() {
        assert!(SQLITE_KEYWORDS.is_sorted());
    }
}
