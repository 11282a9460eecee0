//! Patterns of what is no drift.

use std::fmt;
use std::str::FromStr;

use tollgate_schema::difference::Difference;
use tollgate_sql::operation::ObjectKind;

/// `KIND:NAME`, or `NAME` of any kind. In the name `*` stands for any characters and `?` for one. A name with a dot is
/// compared with `schema.object` or `schema.object.member`, one without with the object's own name. Whoever ignores an
/// object ignores everything that belongs to it; who ignores a schema, everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    kind: Option<ObjectKind>,
    name: String,
}

/// A pattern that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No kind of object is called so.
    #[error("there is no kind of object called {word}: there are {}", names())]
    Kind {
        /// What was written.
        word: String,
    },
    /// The name is missing.
    #[error("a name is missing")]
    Name,
}

/// The kinds that can be named.
const KINDS: [(&str, ObjectKind); 14] = [
    ("schema", ObjectKind::Schema),
    ("extension", ObjectKind::Extension),
    ("type", ObjectKind::Type),
    ("sequence", ObjectKind::Sequence),
    ("function", ObjectKind::Function),
    ("table", ObjectKind::Table),
    ("view", ObjectKind::View),
    ("materialized-view", ObjectKind::MaterializedView),
    ("foreign-table", ObjectKind::ForeignTable),
    ("column", ObjectKind::Column),
    ("constraint", ObjectKind::Constraint),
    ("index", ObjectKind::Index),
    ("trigger", ObjectKind::Trigger),
    ("policy", ObjectKind::Policy),
];

fn names() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (kind, name) = match text.split_once(':') {
            None => (None, text),
            Some((word, name)) => {
                let kind = KINDS.iter().find(|(known, _)| *known == word.trim());
                let (_, kind) = kind.ok_or_else(|| PatternError::Kind {
                    word: word.trim().to_owned(),
                })?;
                (Some(*kind), name)
            }
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(PatternError::Name);
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, kind)| Some(*kind) == self.kind);
        match kind {
            Some((word, _)) => write!(f, "{word}:{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Pattern {
    /// Whether a difference is about what the pattern names.
    pub fn matches(&self, difference: &Difference) -> bool {
        let subject = &difference.subject;
        let schema = match subject.kind {
            ObjectKind::Schema => Some(subject.name.name.as_str()),
            _ => subject.name.schema.as_deref(),
        };
        let object = subject.name.name.as_str();
        let named = |kind: ObjectKind, own: &str, full: &str| {
            let of_kind = self.kind.is_none_or(|wanted| wanted == kind);
            of_kind && (glob(&self.name, own) || (self.name.contains('.') && glob(&self.name, full)))
        };
        if self.kind == Some(ObjectKind::Schema) {
            return schema.is_some_and(|schema| glob(&self.name, schema));
        }
        let full = match schema {
            Some(schema) if subject.kind != ObjectKind::Schema => format!("{schema}.{object}"),
            _ => object.to_owned(),
        };
        if named(subject.kind, object, &full) {
            return true;
        }
        difference.member.as_ref().is_some_and(|member| {
            let below = format!("{full}.{}", member.name);
            let short = format!("{object}.{}", member.name);
            named(member.kind, &member.name, &below) || (self.name.contains('.') && named(member.kind, &short, &short))
        })
    }
}

/// Whether the whole text fits the pattern.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                None => return false,
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tollgate_schema::difference::{Member, Sides, Subject};
    use tollgate_sql::ObjectName;

    use super::*;

    fn difference(kind: ObjectKind, name: &str, member: Option<(ObjectKind, &str)>) -> Difference {
        let name = match name.split_once('.') {
            Some((schema, name)) => ObjectName::qualified(schema, name),
            None => ObjectName::bare(name),
        };
        Difference {
            object: name.to_string(),
            text: String::new(),
            subject: Subject {
                kind,
                name,
                arguments: None,
            },
            member: member.map(|(kind, name)| Member {
                kind,
                name: name.to_owned(),
            }),
            property: None,
            sides: Sides::OnlyRight,
        }
    }

    #[test]
    fn a_pattern_names_objects_and_what_belongs_to_them() {
        let table = difference(ObjectKind::Table, "public.tmp_a", None);
        let column = difference(
            ObjectKind::Table,
            "public.users",
            Some((ObjectKind::Column, "legacy_id")),
        );
        let extension = difference(ObjectKind::Extension, "pg_stat_statements", None);
        let schema = difference(ObjectKind::Schema, "auth", None);
        let inside = difference(ObjectKind::Table, "auth.sessions", None);
        for (pattern, difference, expected) in [
            ("public.tmp_*", &table, true),
            ("tmp_?", &table, true),
            ("table:tmp_a", &table, true),
            ("view:tmp_a", &table, false),
            ("tmp", &table, false),
            ("public.users", &column, true),
            ("users.legacy_*", &column, true),
            ("public.users.legacy_*", &column, true),
            ("column:legacy_id", &column, true),
            ("index:legacy_id", &column, false),
            ("public.users.name", &column, false),
            ("extension:pg_stat_statements", &extension, true),
            ("extension:pg_*", &extension, true),
            ("schema:auth", &schema, true),
            ("schema:auth", &inside, true),
            ("auth.*", &inside, true),
            ("schema:auth", &table, false),
            ("*", &inside, true),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(difference), expected, "{pattern} {}", difference.object);
            assert_eq!(parsed.to_string(), pattern);
        }
        assert_eq!(
            "thing:a".parse::<Pattern>(),
            Err(PatternError::Kind {
                word: "thing".to_owned()
            })
        );
        assert_eq!("table:".parse::<Pattern>(), Err(PatternError::Name));
    }
}
