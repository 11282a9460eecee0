//! Data types by name: one spelling for each, and patterns that settings name them by.

/// PostgreSQL's spellings of one type, the one that the server prints last.
const ALIASES: [(&str, &str); 23] = [
    ("bool", "boolean"),
    ("bpchar", "character"),
    ("char", "character"),
    ("dec", "numeric"),
    ("decimal", "numeric"),
    ("float", "double precision"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("nchar", "character"),
    ("national character", "character"),
    ("serial", "integer"),
    ("bigserial", "bigint"),
    ("smallserial", "smallint"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("varbit", "bit varying"),
    ("varchar", "character varying"),
];

/// A type taken apart: `character varying(255)[]` is `character varying`, `(255)` and `[]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The name as the server prints it.
    pub(crate) name: String,
    /// With the brackets, without spaces; empty where there is none.
    pub(crate) modifier: String,
    /// `[]` for each dimension.
    pub(crate) dimensions: String,
}

/// Takes a type apart, in whatever spelling.
pub(crate) fn parts(text: &str) -> Parts {
    let text = text.trim();
    let bare = text.trim_end_matches(['[', ']', ' ']);
    let dimensions = "[]".repeat(text[bare.len()..].matches('[').count());
    // `timestamp(3) without time zone`: the modifier may stand inside the name.
    let (name, modifier) = match (bare.find('('), bare.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let name = format!("{} {}", &bare[..open], &bare[close + 1..]);
            (name, bare[open..=close].replace(' ', ""))
        }
        _ => (bare.to_owned(), String::new()),
    };
    let mut words: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        words.push(if word.contains('"') {
            word.to_owned()
        } else {
            word.to_lowercase()
        });
    }
    let name = words.join(" ");
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    Parts {
        name: alias.map_or(name.clone(), |(_, printed)| (*printed).to_owned()),
        modifier,
        dimensions,
    }
}

/// One spelling for each type: `varchar(20)[]` as `character varying(20)[]`.
pub(crate) fn canonical(text: &str) -> String {
    let Parts {
        name,
        modifier,
        dimensions,
    } = parts(text);
    format!("{name}{modifier}{dimensions}")
}

/// A type in settings. Without a modifier it means the type with any, and arrays of it.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    parts: Parts,
}

impl Pattern {
    /// Reads one, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = parts(text);
        let balanced = text.matches('(').count() == text.matches(')').count()
            && text.matches('[').count() == text.matches(']').count();
        if parts.name.is_empty() || !balanced {
            return Err(format!("{text:?} is not a type"));
        }
        Ok(Self { parts })
    }

    /// The type is one of those that the pattern means.
    pub(crate) fn fits(&self, data_type: &str) -> bool {
        let found = parts(data_type);
        let part = |pattern: &str, text: &str| pattern.is_empty() || crate::settings::fits(pattern, text);
        crate::settings::fits(&self.parts.name, &found.name)
            && part(&self.parts.modifier, &found.modifier)
            && part(&self.parts.dimensions, &found.dimensions)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;

    #[test]
    fn one_spelling_for_each() {
        for (written, printed) in [
            ("VARCHAR( 20 ) []", "character varying(20)[]"),
            ("timestamp(3) without time zone", "timestamp without time zone(3)"),
            ("timestamptz(3)", "timestamp with time zone(3)"),
            ("\"Mood\"", "\"Mood\""),
            ("decimal(10, 2)", "numeric(10,2)"),
        ] {
            assert_eq!(canonical(written), printed);
        }
    }

    #[test]
    fn patterns_mean_more_the_less_they_say() {
        let fits = |pattern: &str, data_type: &str| Pattern::parse(pattern).unwrap().fits(data_type);
        assert!(fits("varchar", "character varying(255)"));
        assert!(fits("varchar", "character varying(255)[]"));
        assert!(fits("varchar(255)", "character varying(255)"));
        assert!(!fits("varchar(255)", "character varying(64)"));
        assert!(fits("varchar(*)", "character varying(64)"));
        assert!(!fits("varchar(*)", "character varying"));
        assert!(fits("*[]", "text[]"));
        assert!(!fits("*[]", "text"));
        assert!(fits("timestamp", "timestamp(3) without time zone"));
        assert!(!fits("timestamp", "timestamp(3) with time zone"));
        assert!(!fits("char", "\"char\""));
        assert!(Pattern::parse("").is_err());
        assert!(Pattern::parse("numeric(10").is_err());
    }
}
