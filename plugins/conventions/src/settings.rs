//! `[plugins.conventions.settings]`: what a team may say differently.

use std::collections::BTreeMap;

use tollgate_plugin::SettingsIssue;
use tollgate_plugin::rules::Context;

use crate::types;

/// The plugin's table in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Words that `migration-name` takes for verbs, besides those that it knows.
    pub verbs: Vec<String>,
    /// Names of migrations that `migration-name` leaves alone; `*` stands for any characters.
    pub accepted_names: Vec<String>,
    /// A migration's name begins with a verb, or with the objects that it touches and then a verb.
    pub verb_in_name: bool,
    /// A migration that touches exactly one table names it.
    pub table_in_name: bool,
    /// Words that `reserved-identifier` reports, besides those of the server.
    pub reserved_words: Vec<String>,
    /// Which columns `prefer-bigint` looks at.
    pub bigint_for: BigintFor,
    /// Columns that `column-order` wants right behind the primary key, in this order.
    pub first_columns: Vec<String>,
    /// Columns that `column-order` wants at the end, in this order.
    pub last_columns: Vec<String>,
    /// Types that `allowed-types` allows, besides those that the project makes itself.
    pub allowed_types: Vec<String>,
    /// Types that `forbidden-types` reports, each with what to write instead (may be empty).
    pub forbidden_types: BTreeMap<String, String>,
}

/// Which integer columns should be `bigint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BigintFor {
    /// Those whose values grow with the rows: primary keys, serial and identity columns, and foreign keys to such.
    #[default]
    Keys,
    /// Every one.
    All,
}

/// Types that need no justification on PostgreSQL.
const ALLOWED: [&str; 20] = [
    "bigint",
    "boolean",
    "bytea",
    "cidr",
    "citext",
    "date",
    "double precision",
    "inet",
    "int4range",
    "int8range",
    "integer",
    "interval",
    "jsonb",
    "numeric",
    "smallint",
    "text",
    "timestamptz",
    "tstzrange",
    "tsvector",
    "uuid",
];

/// Types that are never the right ones, and why.
const FORBIDDEN: [(&str, &str); 3] = [
    ("char", "text, with a CHECK on the length where it matters"),
    ("money", "numeric, and a column for the currency"),
    ("timetz", "timestamptz, or time and a column for the time zone"),
];

impl Default for Settings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            verbs: Vec::new(),
            accepted_names: Vec::new(),
            verb_in_name: true,
            table_in_name: true,
            reserved_words: Vec::new(),
            bigint_for: BigintFor::default(),
            first_columns: Vec::new(),
            last_columns: owned(&["created_at", "updated_at", "deleted_at"]),
            allowed_types: owned(&ALLOWED),
            forbidden_types: FORBIDDEN
                .iter()
                .map(|&(name, instead)| (name.to_owned(), instead.to_owned()))
                .collect(),
        }
    }
}

impl Settings {
    /// What is wrong with them, each with its place.
    pub(crate) fn issues(&self) -> Vec<SettingsIssue> {
        let mut issues = Vec::new();
        // Each call reads the settings anew, and most teams leave them as they are.
        if *self == Self::default() {
            return issues;
        }
        for (at, verb) in self.verbs.iter().enumerate() {
            if verb.is_empty()
                || !verb
                    .chars()
                    .all(|letter| letter.is_alphanumeric() && !letter.is_uppercase())
            {
                let message = format!("{verb:?} is not one word in lower case, as it stands in a name");
                issues.push(SettingsIssue::new(format!("/verbs/{at}"), message));
            }
        }
        for (key, words) in [
            ("accepted_names", &self.accepted_names),
            ("reserved_words", &self.reserved_words),
            ("first_columns", &self.first_columns),
            ("last_columns", &self.last_columns),
        ] {
            let empty = words.iter().enumerate().filter(|(_, word)| word.trim().is_empty());
            issues.extend(empty.map(|(at, _)| SettingsIssue::new(format!("/{key}/{at}"), "the name is empty")));
        }
        for (at, column) in self.last_columns.iter().enumerate() {
            if self.first_columns.contains(column) {
                let message = format!("{column} cannot stand at the end: it is in first_columns, too");
                issues.push(SettingsIssue::new(format!("/last_columns/{at}"), message));
            }
        }
        for (at, name) in self.allowed_types.iter().enumerate() {
            if let Err(problem) = types::Pattern::parse(name) {
                issues.push(SettingsIssue::new(format!("/allowed_types/{at}"), problem));
            }
        }
        for name in self.forbidden_types.keys() {
            if let Err(problem) = types::Pattern::parse(name) {
                issues.push(SettingsIssue::new(pointer(name), problem));
            } else if self.forbids_what_it_allows(name) {
                let message = format!("{name} is in allowed_types, too");
                issues.push(SettingsIssue::new(pointer(name), message));
            }
        }
        issues
    }

    /// A type that the settings themselves forbid and allow. The lists that nobody has changed do not contradict each
    /// other, and where one of them has been changed that one counts.
    fn forbids_what_it_allows(&self, name: &str) -> bool {
        let same = |allowed: &String| types::canonical(allowed) == types::canonical(name);
        let defaults = Self::default();
        let changed = self.allowed_types != defaults.allowed_types && self.forbidden_types != defaults.forbidden_types;
        changed && self.allowed_types.iter().any(same)
    }
}

/// JSON Pointer to an entry of `forbidden_types`.
fn pointer(name: &str) -> String {
    format!("/forbidden_types/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The settings of the plugin that runs the rules.
pub(crate) fn of<'a>(context: &Context<'a>) -> std::borrow::Cow<'a, Settings> {
    match context.settings::<Settings>() {
        Some(settings) => std::borrow::Cow::Borrowed(settings),
        None => std::borrow::Cow::Owned(Settings::default()),
    }
}

/// `pattern` with `*` for any characters fits the whole `text`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            left.char_indices()
                .map(|(at, _)| at)
                .chain([left.len()])
                .any(|at| fits(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_plugin::Policy as _;

    use super::*;
    use crate::Conventions;

    fn refused(settings: &str) -> Vec<(String, String)> {
        let issues = match tollgate_plugin::glue::read_settings::<Settings>(settings) {
            Ok(settings) => Conventions::configure(settings).err().unwrap_or_default(),
            Err(issues) => issues,
        };
        issues.into_iter().map(|issue| (issue.path, issue.message)).collect()
    }

    #[test]
    fn nothing_is_wrong_with_the_defaults() {
        // They are not looked at when nothing else is set.
        assert_eq!(refused(r#"{"verbs": ["ship"]}"#), []);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let cases = [
            (r#"{"verbs": ["ship", "Roll out"]}"#, "/verbs/1"),
            (r#"{"accepted_names": [" "]}"#, "/accepted_names/0"),
            (r#"{"allowed_types": ["text", ""]}"#, "/allowed_types/1"),
            (r#"{"forbidden_types": {"int)": ""}}"#, "/forbidden_types/int)"),
            (
                r#"{"allowed_types": ["int"], "forbidden_types": {"integer": ""}}"#,
                "/forbidden_types/integer",
            ),
            (
                r#"{"first_columns": ["created_at"], "last_columns": ["created_at"]}"#,
                "/last_columns/0",
            ),
            (r#"{"bigint_for": "some"}"#, "/bigint_for"),
            (r#"{"verb": []}"#, "/verb"),
        ];
        for (settings, path) in cases {
            let issues = refused(settings);
            assert_eq!(issues.len(), 1, "{settings}: {issues:?}");
            assert_eq!(issues[0].0, path, "{settings}");
        }
    }

    #[test]
    fn the_schema_takes_what_the_plugin_takes() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("settings.schema.json")).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let good = serde_json::json!({
            "verbs": ["ship"], "accepted_names": ["0_*"], "verb_in_name": false, "table_in_name": false,
            "reserved_words": ["tenant"], "bigint_for": "all", "first_columns": ["tenant_id"], "last_columns": [],
            "allowed_types": ["text", "varchar(*)"], "forbidden_types": {"json": "jsonb"},
        });
        assert!(schema.is_valid(&good));
        assert_eq!(refused(&good.to_string()), []);
        for bad in [
            r#"{"bigint_for": "some"}"#,
            r#"{"verb": []}"#,
            r#"{"forbidden_types": ["json"]}"#,
        ] {
            assert!(!schema.is_valid(&serde_json::from_str(bad).unwrap()), "{bad}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(fits("0_*", "0_init"));
        assert!(fits("*_ü*x", "a_übbx"));
        assert!(fits("a", "a"));
        assert!(!fits("a*", "ba"));
        assert!(!fits("*a", "ab"));
    }
}
