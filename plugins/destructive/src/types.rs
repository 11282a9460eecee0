//! What a change of type does to the values that are there.

mod mysql;

use tollgate_plugin::{Dialect, Severity};

/// How dangerous a change is, and why in a few words.
pub(crate) type Verdict = (Severity, &'static str);

/// A type as the server prints it, taken apart: `character varying(20)[]`.
#[derive(Debug, PartialEq, Eq)]
struct Type<'a> {
    base: String,
    modifiers: Vec<u32>,
    dimensions: usize,
    text: &'a str,
}

impl<'a> Type<'a> {
    fn read(text: &'a str) -> Self {
        let dimensions = text.matches("[]").count();
        let scalar = text.replace("[]", "");
        let (base, modifiers) = match (scalar.find('('), scalar.find(')')) {
            (Some(open), Some(close)) if open < close => {
                let inside = scalar[open + 1..close]
                    .split(',')
                    .filter_map(|part| part.trim().parse().ok())
                    .collect();
                (format!("{}{}", &scalar[..open], &scalar[close + 1..]), inside)
            }
            _ => (scalar.clone(), Vec::new()),
        };
        Self {
            base: base.trim().to_lowercase(),
            modifiers,
            dimensions,
            text,
        }
    }

    /// Digits before the point that every value of an integer type fits into; its rank among them.
    fn integer_digits(&self) -> Option<u32> {
        match self.base.as_str() {
            "smallint" => Some(5),
            "integer" => Some(10),
            "bigint" => Some(19),
            _ => None,
        }
    }

    /// Longest text that a text type takes; the largest number where it has no limit.
    fn text_limit(&self) -> Option<u32> {
        let limit = self.modifiers.first().copied();
        match self.base.as_str() {
            "text" | "citext" => Some(u32::MAX),
            "character varying" => Some(limit.unwrap_or(u32::MAX)),
            "character" => Some(limit.unwrap_or(1)),
            _ => None,
        }
    }

    fn is_float(&self) -> bool {
        matches!(self.base.as_str(), "real" | "double precision")
    }

    /// Fractions of a second that a point in time keeps.
    fn timestamp_precision(&self) -> Option<u32> {
        self.base
            .starts_with("timestamp")
            .then(|| self.modifiers.first().copied().unwrap_or(6))
    }
}

/// Judges a change of type. `None`: nothing changes.
pub(crate) fn judge(dialect: Dialect, from: &str, to: &str) -> Option<Verdict> {
    if from.eq_ignore_ascii_case(to) {
        return None;
    }
    match dialect {
        Dialect::Postgres => {}
        Dialect::Sqlite => return judge_affinity(from, to),
        Dialect::Mysql => return mysql::judge(from, to),
    }
    let (from, to) = (Type::read(from), Type::read(to));
    if from.dimensions != to.dimensions {
        return Some(match (from.dimensions, to.dimensions) {
            (0, _) => (Severity::Medium, "each value becomes an array"),
            _ => (Severity::High, "an array does not fit into one value"),
        });
    }
    let texts = || judge_texts(&from, &to);
    let numbers = || judge_numbers(&from, &to);
    Some(
        texts()
            .or_else(numbers)
            .or_else(|| judge_times(&from, &to))
            .unwrap_or_else(|| judge_others(&from, &to)),
    )
}

fn judge_texts(from: &Type<'_>, to: &Type<'_>) -> Option<Verdict> {
    match (from.text_limit(), to.text_limit()) {
        (Some(old), Some(new)) if old <= new => Some((Severity::Low, "it only widens")),
        (Some(_), Some(_)) => Some((Severity::High, "longer values make it fail")),
        (Some(_), None) => Some((Severity::High, "values that cannot be converted make it fail")),
        (None, Some(u32::MAX)) => Some((Severity::Low, "every value can be written as text")),
        (None, Some(_)) => Some((Severity::High, "values whose text is longer make it fail")),
        (None, None) => None,
    }
}

fn judge_numbers(from: &Type<'_>, to: &Type<'_>) -> Option<Verdict> {
    let widens = Some((Severity::Low, "it only widens"));
    let overflows = Some((Severity::High, "larger values make it fail"));
    let rounds = Some((Severity::High, "values lose digits"));
    match (from.integer_digits(), to.integer_digits()) {
        (Some(old), Some(new)) => return if old < new { widens } else { overflows },
        (Some(old), None) if to.base == "numeric" => {
            return match to.modifiers.as_slice() {
                [] => widens,
                [precision, scale @ ..] => {
                    let whole = precision.saturating_sub(scale.first().copied().unwrap_or(0));
                    if whole >= old { widens } else { overflows }
                }
            };
        }
        (Some(old), None) if to.is_float() => {
            // A double holds whole numbers exactly up to 2^53, a real up to 2^24.
            let exact = if to.base == "real" { 5 } else { 10 };
            return if old <= exact { widens } else { rounds };
        }
        (None, Some(_)) if from.base == "numeric" || from.is_float() => return rounds,
        _ => {}
    }
    match (from.base.as_str(), to.base.as_str()) {
        ("numeric", "numeric") => Some(judge_numeric(&from.modifiers, &to.modifiers)),
        ("real", "double precision") => widens,
        ("double precision", "real")
        | ("numeric", "real" | "double precision")
        | ("real" | "double precision", "numeric") => rounds,
        _ => None,
    }
}

fn judge_numeric(from: &[u32], to: &[u32]) -> Verdict {
    let parts = |modifiers: &[u32]| match modifiers {
        [] => None,
        [precision] => Some((*precision, 0)),
        [precision, scale, ..] => Some((precision.saturating_sub(*scale), *scale)),
    };
    match (parts(from), parts(to)) {
        (_, None) => (Severity::Low, "it only widens"),
        (Some((old_whole, old_scale)), Some((whole, scale))) if old_whole <= whole && old_scale <= scale => {
            (Severity::Low, "it only widens")
        }
        _ => (Severity::High, "values lose digits or make it fail"),
    }
}

fn judge_times(from: &Type<'_>, to: &Type<'_>) -> Option<Verdict> {
    let zoned = |of: &Type<'_>| of.base.ends_with("with time zone");
    match (from.timestamp_precision(), to.timestamp_precision()) {
        (Some(_), Some(_)) if zoned(from) != zoned(to) => {
            Some((Severity::Medium, "values are converted in the session's time zone"))
        }
        (Some(old), Some(new)) if old <= new => Some((Severity::Low, "it only widens")),
        (Some(_), Some(_)) => Some((Severity::Medium, "fractions of a second are rounded")),
        (Some(_), None) if to.base == "date" || to.base.starts_with("time") => {
            Some((Severity::High, "the other part of date and time is lost"))
        }
        (None, Some(_)) if from.base == "date" => Some((Severity::Low, "it only widens")),
        _ => None,
    }
}

fn judge_others(from: &Type<'_>, to: &Type<'_>) -> Verdict {
    match (from.base.as_str(), to.base.as_str()) {
        ("jsonb", "json") => (Severity::Low, "every value stays"),
        ("json", "jsonb") => (Severity::Medium, "the order of keys and repeated keys are lost"),
        ("cidr", "inet") => (Severity::Low, "it only widens"),
        ("boolean", "integer" | "smallint" | "bigint") => (Severity::Medium, "the values must be converted"),
        (_, "boolean") => (Severity::High, "values other than true and false cannot be kept"),
        _ if from.base == to.base && from.text != to.text => (Severity::Medium, "values may have to be cut"),
        _ => (Severity::High, "values that cannot be converted make it fail"),
    }
}

/// `SQLite` keeps what it cannot convert: only an affinity that changes how values are stored matters.
fn judge_affinity(from: &str, to: &str) -> Option<Verdict> {
    let (from, to) = (affinity(from), affinity(to));
    match (from, to) {
        _ if from == to => None,
        (_, "text" | "blob") => Some((Severity::Low, "every value can be kept")),
        ("integer", "numeric" | "real") => Some((Severity::Low, "it only widens")),
        ("real" | "numeric", "integer") => Some((Severity::Medium, "fractions may be stored differently")),
        _ => Some((Severity::Medium, "values that are no numbers stay text")),
    }
}

/// `SQLite`'s rules, in its order.
fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        "integer"
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        "text"
    } else if declared.is_empty() || has("BLOB") {
        "blob"
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        "real"
    } else {
        "numeric"
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Dialect;
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::judge;

    #[test]
    fn postgres_changes() {
        for (from, to, expected) in [
            ("integer", "integer", None),
            ("integer", "bigint", Some(Low)),
            ("bigint", "integer", Some(High)),
            ("smallint", "numeric(5,0)", Some(Low)),
            ("integer", "numeric(8,2)", Some(High)),
            ("integer", "double precision", Some(Low)),
            ("bigint", "double precision", Some(High)),
            ("numeric", "integer", Some(High)),
            ("numeric(10,2)", "numeric(12,2)", Some(Low)),
            ("numeric(10,2)", "numeric(12,1)", Some(High)),
            ("numeric(10,2)", "numeric", Some(Low)),
            ("numeric", "numeric(65,30)", Some(High)),
            ("real", "double precision", Some(Low)),
            ("double precision", "real", Some(High)),
            ("double precision", "numeric(65,30)", Some(High)),
            ("character varying(20)", "text", Some(Low)),
            ("character varying(20)", "character varying(40)", Some(Low)),
            ("character varying(20)", "character varying", Some(Low)),
            ("character varying(40)", "character varying(20)", Some(High)),
            ("text", "character varying(20)", Some(High)),
            ("uuid", "text", Some(Low)),
            ("integer", "character varying(5)", Some(High)),
            ("text", "integer", Some(High)),
            ("text", "\"Mood\"", Some(High)),
            ("mood", "text", Some(Low)),
            ("timestamp without time zone", "timestamp with time zone", Some(Medium)),
            (
                "timestamp(3) without time zone",
                "timestamp without time zone",
                Some(Low),
            ),
            ("timestamp with time zone", "timestamp(3) with time zone", Some(Medium)),
            ("timestamp with time zone", "date", Some(High)),
            ("date", "timestamp without time zone", Some(Low)),
            ("json", "jsonb", Some(Medium)),
            ("jsonb", "json", Some(Low)),
            ("text", "text[]", Some(Medium)),
            ("text[]", "text", Some(High)),
            ("integer[]", "bigint[]", Some(Low)),
            ("integer", "boolean", Some(High)),
        ] {
            assert_eq!(
                judge(Dialect::Postgres, from, to).map(|(severity, _)| severity),
                expected,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn sqlite_changes() {
        for (from, to, expected) in [
            ("VARCHAR(20)", "TEXT", None),
            ("INTEGER", "BIGINT", None),
            ("INTEGER", "TEXT", Some(Low)),
            ("TEXT", "INTEGER", Some(Medium)),
            ("INTEGER", "REAL", Some(Low)),
            ("DATETIME", "INTEGER", Some(Medium)),
        ] {
            assert_eq!(
                judge(Dialect::Sqlite, from, to).map(|(severity, _)| severity),
                expected,
                "{from} to {to}"
            );
        }
    }
}
