//! Which changes of a type leave the rows as they are on disk.

use tollgate_plugin::Server;

use crate::tokens::{self, Kind};

/// What PostgreSQL does with the rows when a column's type changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing: the old values are good values of the new type.
    Nothing,
    /// Nothing where the session's time zone is UTC, otherwise it writes them anew.
    NothingInUtc,
    /// Writes them anew.
    Rewrite,
}

/// A type as the server prints it: `timestamp(3) without time zone`.
struct Type {
    base: String,
    modifiers: Vec<u32>,
    dimensions: usize,
}

impl Type {
    fn read(text: &str) -> Self {
        let dimensions = text.matches("[]").count();
        let scalar = text.replace("[]", "");
        let (base, modifiers) = match scalar.split_once('(') {
            Some((head, rest)) => {
                let (inside, tail) = rest.split_once(')').unwrap_or((rest, ""));
                let modifiers = inside.split(',').filter_map(|part| part.trim().parse().ok());
                (format!("{head}{tail}"), modifiers.collect())
            }
            None => (scalar.clone(), Vec::new()),
        };
        Self {
            base: base.trim().to_lowercase(),
            modifiers,
            dimensions,
        }
    }

    /// Longest value, where the type is one whose length alone decides; the largest number where nothing limits it.
    fn length(&self) -> Option<u32> {
        let limit = || self.modifiers.first().copied().unwrap_or(u32::MAX);
        match self.base.as_str() {
            "text" | "citext" | "xml" => Some(u32::MAX),
            "character varying" => Some(limit()),
            _ => None,
        }
    }

    /// Digits of a second, of a type that has them.
    fn precision(&self) -> u32 {
        self.modifiers.first().copied().unwrap_or(6)
    }

    /// Digits in all and behind the point; `None`: any number of them.
    fn digits(&self) -> Option<(u32, u32)> {
        match self.modifiers.as_slice() {
            [] => None,
            [precision] => Some((*precision, 0)),
            [precision, scale, ..] => Some((*precision, *scale)),
        }
    }
}

/// What a change from one type to another costs, where nothing but the type changes.
pub(super) fn work(server: &Server, from: &str, to: &str) -> Work {
    if from.eq_ignore_ascii_case(to) {
        return Work::Nothing;
    }
    let (from, to) = (Type::read(from), Type::read(to));
    if from.dimensions > 0 || to.dimensions > 0 {
        return Work::Rewrite;
    }
    let keeps = |keeps: bool| if keeps { Work::Nothing } else { Work::Rewrite };
    if to.base == "xml" {
        return Work::Rewrite;
    }
    if let (Some(old), Some(new)) = (from.length(), to.length()) {
        return keeps(old <= new);
    }
    match (from.base.as_str(), to.base.as_str()) {
        ("numeric", "numeric") => keeps(match (from.digits(), to.digits()) {
            (_, None) => true,
            (Some((old, old_scale)), Some((new, scale))) => old <= new && old_scale == scale,
            (None, Some(_)) => false,
        }),
        ("bit varying", "bit varying") => {
            let limit = |of: &Type| of.modifiers.first().copied().unwrap_or(u32::MAX);
            keeps(limit(&from) <= limit(&to))
        }
        (old, new) if old == new && (old.starts_with("time") || old == "interval") => {
            keeps(from.precision() <= to.precision())
        }
        ("timestamp without time zone", "timestamp with time zone")
        | ("timestamp with time zone", "timestamp without time zone")
            if from.precision() <= to.precision() =>
        {
            if server.older_than(12) {
                Work::Rewrite
            } else {
                Work::NothingInUtc
            }
        }
        ("cidr", "inet") | ("integer", "oid") => Work::Nothing,
        _ => Work::Rewrite,
    }
}

/// USING says no more than the change itself: the column, perhaps cast to the new type.
pub(super) fn is_plain(using: &str, column: &str, to: &str) -> bool {
    let tokens = tokens::read(using);
    let tokens = tokens::bare(&tokens);
    let Some((first, cast)) = tokens.split_first() else {
        return false;
    };
    if first.name().as_deref() != Some(column) {
        return false;
    }
    match cast {
        [] => true,
        [colons, rest @ ..] if colons.is_symbol("::") => {
            let written: String = rest.iter().map(|token| token.text.to_lowercase()).collect();
            let wanted: String = to.to_lowercase().split_whitespace().collect();
            let one_cast = rest
                .iter()
                .all(|token| !token.is_symbol("::") && token.kind != Kind::Literal);
            one_cast && (written == wanted || ALIASES.contains(&(written.as_str(), wanted.as_str())))
        }
        _ => false,
    }
}

/// Types as people write them and as the server prints them.
const ALIASES: [(&str, &str); 5] = [
    ("varchar", "charactervarying"),
    ("timestamptz", "timestampwithtimezone"),
    ("timestamp", "timestampwithouttimezone"),
    ("decimal", "numeric"),
    ("\"text\"", "text"),
];

#[cfg(test)]
mod tests {
    use tollgate_plugin::{Dialect, Server};

    use super::{Work, is_plain, work};

    fn server(major: Option<u32>) -> Server {
        Server {
            dialect: Dialect::Postgres,
            version: major.map(|major| (major, 0, 0)),
        }
    }

    #[test]
    fn some_changes_leave_the_rows_alone() {
        for (from, to, expected) in [
            ("character varying(20)", "character varying(40)", Work::Nothing),
            ("character varying(20)", "text", Work::Nothing),
            ("text", "character varying", Work::Nothing),
            ("text", "character varying(20)", Work::Rewrite),
            ("character varying(40)", "character varying(20)", Work::Rewrite),
            ("character(2)", "character(3)", Work::Rewrite),
            ("character(2)", "text", Work::Rewrite),
            ("numeric(10,2)", "numeric(12,2)", Work::Nothing),
            ("numeric(10,2)", "numeric", Work::Nothing),
            ("numeric(10,2)", "numeric(12,4)", Work::Rewrite),
            ("numeric", "numeric(65,30)", Work::Rewrite),
            ("integer", "bigint", Work::Rewrite),
            ("integer", "text", Work::Rewrite),
            (
                "timestamp(3) without time zone",
                "timestamp without time zone",
                Work::Nothing,
            ),
            (
                "timestamp without time zone",
                "timestamp(3) without time zone",
                Work::Rewrite,
            ),
            (
                "timestamp without time zone",
                "timestamp with time zone",
                Work::NothingInUtc,
            ),
            (
                "timestamp without time zone",
                "timestamp(3) with time zone",
                Work::Rewrite,
            ),
            ("cidr", "inet", Work::Nothing),
            ("json", "jsonb", Work::Rewrite),
            ("xml", "text", Work::Nothing),
            ("text", "xml", Work::Rewrite),
            ("text", "text[]", Work::Rewrite),
            ("mood", "\"Mood_new\"", Work::Rewrite),
        ] {
            assert_eq!(work(&server(None), from, to), expected, "{from} to {to}");
        }
        let zones = ("timestamp without time zone", "timestamp with time zone");
        assert_eq!(work(&server(Some(11)), zones.0, zones.1), Work::Rewrite);
    }

    #[test]
    fn using_may_say_nothing_new() {
        assert!(is_plain("\"Name\"::varchar", "Name", "character varying"));
        assert!(is_plain("(name)", "name", "text"));
        assert!(is_plain(
            "at::timestamp with time zone",
            "at",
            "timestamp with time zone"
        ));
        assert!(!is_plain("name::text::mood", "name", "mood"));
        assert!(!is_plain("lower(name)", "name", "text"));
        assert!(!is_plain("name || ''", "name", "text"));
        assert!(!is_plain("other", "name", "text"));
    }
}
