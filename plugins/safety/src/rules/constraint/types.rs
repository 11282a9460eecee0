//! What becomes of a foreign key whose columns have another type than the key they refer to.

use tollgate_plugin::Severity;

/// How bad it is, and why in a few words.
pub(super) type Verdict = (Severity, &'static str);

/// A type without its length or precision, and whether it is an array.
fn base(data_type: &str) -> (String, bool) {
    let array = data_type.ends_with("[]");
    let scalar = data_type.trim_end_matches("[]");
    let name = match (scalar.find('('), scalar.find(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &scalar[..open], &scalar[close + 1..]),
        _ => scalar.to_owned(),
    };
    (name.trim().to_owned(), array)
}

/// Built-in types, in families whose members the server compares with each other in some direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Bytes of a whole number.
    Integer(u8),
    Numeric,
    Float,
    Text,
    PaddedText,
    CaseInsensitive,
    Date,
    Address,
    /// Compared with its own kind only.
    Alone,
}

fn family(name: &str) -> Option<Family> {
    Some(match name {
        "smallint" => Family::Integer(2),
        "integer" => Family::Integer(4),
        "bigint" => Family::Integer(8),
        "numeric" => Family::Numeric,
        "real" | "double precision" => Family::Float,
        "text" | "character varying" => Family::Text,
        "character" => Family::PaddedText,
        "citext" => Family::CaseInsensitive,
        "date" | "timestamp without time zone" | "timestamp with time zone" => Family::Date,
        "inet" | "cidr" => Family::Address,
        "uuid" | "boolean" | "bytea" | "json" | "jsonb" | "macaddr" | "money" => Family::Alone,
        // Domains and types of extensions may be anything; times are rare in keys and compare in odd ways.
        _ => return None,
    })
}

/// Whether the name is one of a built-in type that no enum is compared with.
pub(super) fn is_built_in(data_type: &str) -> bool {
    family(&base(data_type).0).is_some()
}

/// Judges a column of type `from` that refers to one of type `to`. `None`: all is well, or nothing is known.
pub(super) fn judge(from: &str, to: &str) -> Option<Verdict> {
    const REFUSED: Verdict = (Severity::High, "the server cannot compare them and refuses it");
    let ((from, from_array), (to, to_array)) = (base(from), base(to));
    if (&from, from_array) == (&to, to_array) {
        return None;
    }
    let (from_family, to_family) = (family(&from)?, family(&to)?);
    if from_array != to_array {
        return Some(REFUSED);
    }
    if from_array {
        return None;
    }
    match (from_family, to_family) {
        (Family::Integer(small), Family::Integer(large)) if small < large => {
            Some((Severity::Medium, "larger values of the key do not fit into it"))
        }
        (Family::Integer(_), Family::Integer(_)) => Some((Severity::Low, "the key has no room for most of its values")),
        (Family::Text, Family::Text) | (Family::Address, Family::Address) => None,
        (Family::PaddedText, Family::Text) | (Family::Text, Family::PaddedText) => {
            Some((Severity::Medium, "blanks at the end count in one and not in the other"))
        }
        (Family::CaseInsensitive, Family::Text) => Some((Severity::Medium, "capitals count in the key and not in it")),
        (Family::Integer(_), Family::Numeric | Family::Float) | (Family::Numeric | Family::Float, Family::Float) => {
            Some((
                Severity::Medium,
                "each lookup converts its values, so that no index helps",
            ))
        }
        (Family::Date, Family::Date) => Some((Severity::Medium, "what is compared depends on the session's time zone")),
        _ => Some(REFUSED),
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::judge;

    #[test]
    fn pairs_are_judged_as_the_server_compares() {
        for (from, to, expected) in [
            ("integer", "integer", None),
            ("integer", "bigint", Some(Medium)),
            ("smallint", "integer", Some(Medium)),
            ("bigint", "integer", Some(Low)),
            ("text", "character varying(20)", None),
            ("character varying(30)", "text", None),
            ("character varying(10)", "character varying(20)", None),
            ("character(5)", "text", Some(Medium)),
            ("citext", "text", Some(Medium)),
            ("text", "citext", Some(High)),
            ("uuid", "text", Some(High)),
            ("text", "uuid", Some(High)),
            ("text", "integer", Some(High)),
            ("integer", "text", Some(High)),
            ("integer", "numeric(10,2)", Some(Medium)),
            ("numeric(10,2)", "numeric(12,2)", None),
            ("numeric", "integer", Some(High)),
            ("real", "double precision", Some(Medium)),
            ("double precision", "real", Some(Medium)),
            ("double precision", "numeric", Some(High)),
            (
                "timestamp(3) without time zone",
                "timestamp with time zone",
                Some(Medium),
            ),
            ("timestamp(3) without time zone", "timestamp(6) without time zone", None),
            ("integer[]", "integer", Some(High)),
            ("mood", "text", None),
            ("app.key", "integer", None),
        ] {
            assert_eq!(
                judge(from, to).map(|(severity, _)| severity),
                expected,
                "{from} to {to}"
            );
        }
    }
}
