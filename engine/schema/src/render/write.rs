//! Names, lists and literals as SQL.

use tollgate_sql::operation::{DataType, ReferentialAction};
use tollgate_sql::{Dialect, ObjectName};

/// Types whose names are keywords or several words: quoted they would be other types.
const KEYWORD_TYPES: &[&str] = &[
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "char",
    "character",
    "character varying",
    "dec",
    "decimal",
    "double precision",
    "float",
    "int",
    "integer",
    "interval",
    "json",
    "nchar",
    "numeric",
    "real",
    "smallint",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "varchar",
];

/// An identifier.
pub(super) fn identifier(dialect: Dialect, name: &str) -> String {
    dialect.quote_if_needed(name)
}

/// Identifiers, separated by commas.
pub(super) fn identifiers(dialect: Dialect, names: &[String]) -> String {
    joined(names, |name| identifier(dialect, name))
}

/// Anything, separated by commas.
pub(super) fn joined<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    items.iter().map(write).collect::<Vec<_>>().join(", ")
}

/// Object names, separated by commas.
pub(super) fn objects(dialect: Dialect, names: &[ObjectName]) -> String {
    joined(names, |name| name.sql(dialect))
}

/// A string constant. Backslashes mean themselves (`standard_conforming_strings`, and always on `SQLite`).
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A PostgreSQL type.
pub(super) fn data_type(written: &DataType) -> String {
    let dialect = Dialect::Postgres;
    let modifiers = match written.modifiers.as_slice() {
        [] => String::new(),
        modifiers => format!("({})", modifiers.join(",")),
    };
    let name = if let Some(schema) = &written.schema {
        format!(
            "{}.{}{modifiers}",
            identifier(dialect, schema),
            identifier(dialect, &written.name)
        )
    } else if !is_keyword_type(&written.name) {
        format!("{}{modifiers}", identifier(dialect, &written.name))
    } else {
        match written
            .name
            .split_once(' ')
            .filter(|(first, _)| matches!(*first, "timestamp" | "time"))
        {
            Some((first, rest)) => format!("{first}{modifiers} {rest}"),
            None => format!("{}{modifiers}", written.name),
        }
    };
    format!("{name}{}", "[]".repeat(written.dimensions as usize))
}

/// `"char"` is printed with its quotes; an interval may have fields.
fn is_keyword_type(name: &str) -> bool {
    KEYWORD_TYPES.contains(&name) || name.starts_with('"') || name.starts_with("interval ")
}

/// What a foreign key does.
pub(super) fn action(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}

/// `name = value, …` as storage parameters take it.
pub(super) fn parameters(options: &[(String, String)]) -> String {
    joined(options, |(name, value)| {
        if value.is_empty() {
            name.clone()
        } else {
            format!("{name} = {}", parameter(value))
        }
    })
}

/// A parameter's value: plain where it can be.
fn parameter(value: &str) -> String {
    let plain = value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-');
    let word = value.starts_with(|c: char| c.is_ascii_alphabetic()) && !value.contains(['.', '-']);
    let number = value.parse::<f64>().is_ok();
    if plain && (word || number) {
        value.to_owned()
    } else {
        literal(value)
    }
}

/// A relation, type or function privilege list.
pub(super) fn privileges(privileges: &[String]) -> String {
    if privileges.is_empty() {
        "ALL".to_owned()
    } else {
        joined(privileges, |privilege| privilege.to_uppercase())
    }
}

/// A role, or one of the words that stand for one.
pub(super) fn role(name: &str) -> String {
    match name {
        "public" => "PUBLIC".to_owned(),
        "current_user" | "session_user" | "current_role" => name.to_uppercase(),
        _ => identifier(Dialect::Postgres, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(schema: Option<&str>, name: &str, modifiers: &[&str], dimensions: u32) -> String {
        data_type(&DataType {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            modifiers: modifiers.iter().map(ToString::to_string).collect(),
            dimensions,
        })
    }

    #[test]
    fn types_are_written_as_the_server_reads_them() {
        assert_eq!(typed(None, "character varying", &["255"], 0), "character varying(255)");
        assert_eq!(
            typed(None, "timestamp without time zone", &["3"], 1),
            "timestamp(3) without time zone[]"
        );
        assert_eq!(typed(None, "numeric", &["10", "2"], 0), "numeric(10,2)");
        assert_eq!(typed(None, "\"char\"", &[], 0), "\"char\"");
        assert_eq!(typed(Some("App"), "Role", &[], 2), "\"App\".\"Role\"[][]");
    }

    #[test]
    fn parameters_are_quoted_where_they_must_be() {
        let options = [
            ("fillfactor", "70"),
            ("autovacuum_enabled", "false"),
            ("buffering", "a b"),
            ("x", ""),
        ];
        let options: Vec<_> = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(
            parameters(&options),
            "fillfactor = 70, autovacuum_enabled = false, buffering = 'a b', x"
        );
    }
}
