//! Expressions: their text, the columns they name, and whether they are the same for every row.

use crate::operation::{Expression, Volatility};

use super::cursor::{Cursor, name_of};
use super::scan::{Kind, Token};

/// Functions whose result depends on their arguments alone.
const PURE: &[&str] = &[
    "abs",
    "ascii",
    "bin",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "conv",
    "convert",
    "crc32",
    "date",
    "date_add",
    "date_format",
    "date_sub",
    "datediff",
    "day",
    "elt",
    "exp",
    "extract",
    "field",
    "find_in_set",
    "floor",
    "format",
    "greatest",
    "hex",
    "hour",
    "if",
    "ifnull",
    "in",
    "insert",
    "instr",
    "interval",
    "json_array",
    "json_contains",
    "json_extract",
    "json_length",
    "json_merge_patch",
    "json_object",
    "json_quote",
    "json_unquote",
    "json_valid",
    "json_value",
    "lcase",
    "least",
    "left",
    "length",
    "ln",
    "locate",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "mid",
    "minute",
    "mod",
    "month",
    "not",
    "nullif",
    "octet_length",
    "point",
    "position",
    "pow",
    "power",
    "quarter",
    "regexp_like",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "second",
    "sha1",
    "sha2",
    "md5",
    "sign",
    "space",
    "sqrt",
    "st_geomfromtext",
    "str_to_date",
    "strcmp",
    "substr",
    "substring",
    "substring_index",
    "time",
    "timestampadd",
    "timestampdiff",
    "trim",
    "truncate",
    "ucase",
    "unhex",
    "upper",
    "uuid_to_bin",
    "bin_to_uuid",
    "values",
    "week",
    "weekday",
    "year",
    "and",
    "or",
    "xor",
    "decimal",
    "binary",
    "varchar",
    "datetime",
    "timestamp",
];

/// Functions of the time of the statement or of the session.
const STABLE: &[&str] = &[
    "connection_id",
    "curdate",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "curtime",
    "database",
    "last_insert_id",
    "localtime",
    "localtimestamp",
    "now",
    "schema",
    "session_user",
    "system_user",
    "unix_timestamp",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "version",
];

/// Functions that give another value in each row.
const VOLATILE: &[&str] = &[
    "gen_random_uuid",
    "nextval",
    "rand",
    "random_bytes",
    "sys_guid",
    "sysdate",
    "uuid",
    "uuid_short",
    "uuid_v4",
    "uuid_v7",
];

/// Words of expressions that are no columns.
const WORDS: &[&str] = &[
    "and",
    "array",
    "as",
    "asc",
    "between",
    "binary",
    "by",
    "case",
    "char",
    "character",
    "collate",
    "date",
    "datetime",
    "day",
    "decimal",
    "desc",
    "distinct",
    "div",
    "double",
    "else",
    "end",
    "escape",
    "exists",
    "false",
    "float",
    "from",
    "hour",
    "in",
    "int",
    "integer",
    "interval",
    "is",
    "json",
    "like",
    "memberof",
    "microsecond",
    "minute",
    "mod",
    "month",
    "not",
    "null",
    "or",
    "order",
    "quarter",
    "real",
    "regexp",
    "rlike",
    "second",
    "select",
    "separator",
    "set",
    "signed",
    "sounds",
    "then",
    "time",
    "true",
    "unknown",
    "unsigned",
    "using",
    "week",
    "when",
    "where",
    "xor",
    "year",
];

/// The expression that the cursor holds.
pub(super) fn expression(cursor: Cursor<'_>) -> Expression {
    let mut columns: Vec<String> = Vec::new();
    let mut volatility = Volatility::Immutable;
    let tokens = cursor.all();
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        let found = of_token(cursor, *token, next);
        volatility = volatility.less_stable(found);
        if let Some(name) = column(cursor, tokens, at)
            && !columns.iter().any(|known| known.eq_ignore_ascii_case(&name))
        {
            columns.push(name);
        }
    }
    Expression {
        text: cursor.written().to_owned(),
        is_null: is_null(cursor),
        volatility,
        columns,
    }
}

/// A default's expression: what is not in brackets names no column.
pub(super) fn default(cursor: Cursor<'_>) -> Expression {
    let read = expression(cursor);
    if cursor.is_symbol('(') {
        return read;
    }
    Expression {
        columns: Vec::new(),
        ..read
    }
}

fn is_null(cursor: Cursor<'_>) -> bool {
    let mut inner = cursor.all();
    while let [open, middle @ .., close] = inner
        && open.is_symbol('(')
        && close.is_symbol(')')
    {
        inner = middle;
    }
    matches!(inner, [only] if only.is(cursor.script(), "null"))
}

fn of_token(cursor: Cursor<'_>, token: Token, next: Option<&Token>) -> Volatility {
    if token.is_symbol('@') {
        return Volatility::Stable;
    }
    if token.kind != Kind::Word {
        return Volatility::Immutable;
    }
    let word = cursor.text(token).to_ascii_lowercase();
    let word = word.as_str();
    let called = next.is_some_and(|next| next.is_symbol('('));
    if STABLE.contains(&word)
        && (called || word.starts_with("current_") || word.starts_with("local") || word.starts_with("utc_"))
    {
        return Volatility::Stable;
    }
    if word == "select" {
        return Volatility::Stable;
    }
    if !called || PURE.contains(&word) || WORDS.contains(&word) {
        return Volatility::Immutable;
    }
    if VOLATILE.contains(&word) {
        return Volatility::Volatile;
    }
    Volatility::Unknown
}

/// The column that a token names.
fn column(cursor: Cursor<'_>, tokens: &[Token], at: usize) -> Option<String> {
    let token = tokens[at];
    let next = tokens.get(at + 1);
    let previous = at.checked_sub(1).and_then(|at| tokens.get(at));
    let is_part = next.is_some_and(|next| next.is_symbol('(') || next.is_symbol('.') || next.kind == Kind::Text)
        || previous.is_some_and(|previous| previous.is_symbol('@') || previous.is(cursor.script(), "collate"));
    if is_part || token.kind == Kind::Text {
        return None;
    }
    let name = name_of(cursor.text(token), token.kind)?;
    let keyword = |name: &str| {
        let lower = name.to_ascii_lowercase();
        WORDS.contains(&lower.as_str()) || STABLE.contains(&lower.as_str())
    };
    let is_word =
        token.kind == Kind::Word && !previous.is_some_and(|previous| previous.is_symbol('.')) && keyword(&name);
    (!is_word).then_some(name)
}
