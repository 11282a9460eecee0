//! Types that differ.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::difference::{Difference, Subject};
use crate::model::{RelationKind, TypeKind, UserType};
use crate::render::{data_type_sql, literal};

use super::{DIALECT, There, Work};

impl Work<'_> {
    pub(super) fn user_type(
        &mut self,
        subject: &Subject,
        there: There,
        differences: &[&Difference],
    ) -> Result<(), BaseError> {
        let name = subject.name.sql(DIALECT);
        match there {
            There::OnlyWanted => {
                let made = self.made(subject, ObjectKind::Type)?;
                self.plan.types.extend(made);
            }
            There::OnlyCurrent => {
                let found = self.current.user_type(&subject.name)?;
                let word = found.map_or("TYPE", |found| word(&found));
                self.plan.types_gone.push(format!("DROP {word} {name}"));
            }
            There::Both => {
                let pair = (
                    self.wanted.user_type(&subject.name)?,
                    self.current.user_type(&subject.name)?,
                );
                if let (Some(wanted), Some(current)) = pair {
                    self.alter_type(&wanted, &current, differences)?;
                }
            }
        }
        Ok(())
    }

    fn alter_type(
        &mut self,
        wanted: &UserType,
        current: &UserType,
        differences: &[&Difference],
    ) -> Result<(), BaseError> {
        let name = wanted.name.sql(DIALECT);
        if wanted.comment != current.comment {
            let text = wanted.comment.as_deref().map_or_else(|| "NULL".to_owned(), literal);
            let remark = format!("COMMENT ON {} {name} IS {text}", word(wanted));
            self.plan.remarks.push(remark);
        }
        match (&wanted.kind, &current.kind) {
            (TypeKind::Enum { values }, TypeKind::Enum { values: old }) if values != old => {
                match renamed(&name, values, old).or_else(|| added(&name, values, old)) {
                    Some(statements) => self.plan.types.extend(statements),
                    None => self.rebuild_enum(wanted, values)?,
                }
            }
            (TypeKind::Composite { attributes }, TypeKind::Composite { attributes: old }) => {
                let gone = old
                    .iter()
                    .filter(|(old, _)| !attributes.iter().any(|(name, _)| name == old));
                let mut parts: Vec<String> = gone
                    .map(|(old, _)| format!("DROP ATTRIBUTE {}", DIALECT.quote_if_needed(old)))
                    .collect();
                for (attribute, data_type) in attributes {
                    let quoted = DIALECT.quote_if_needed(attribute);
                    let kind = data_type_sql(data_type);
                    match old.iter().find(|(old, _)| old == attribute) {
                        None => parts.push(format!("ADD ATTRIBUTE {quoted} {kind}")),
                        Some((_, old)) if old != data_type => {
                            parts.push(format!("ALTER ATTRIBUTE {quoted} TYPE {kind}"));
                        }
                        Some(_) => {}
                    }
                }
                if !parts.is_empty() {
                    self.plan.types.push(format!("ALTER TYPE {name} {}", parts.join(", ")));
                }
            }
            (TypeKind::Domain { .. }, TypeKind::Domain { .. }) => self.alter_domain(wanted, current, differences),
            (one, other) if one != other => {
                let object = format!("type {}", wanted.name);
                self.cannot(
                    &object,
                    "it is another kind of type, which only dropping and making it can change",
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn alter_domain(&mut self, wanted: &UserType, current: &UserType, differences: &[&Difference]) {
        let (
            TypeKind::Domain {
                not_null,
                default,
                checks,
                ..
            },
            TypeKind::Domain { checks: old, .. },
        ) = (&wanted.kind, &current.kind)
        else {
            return;
        };
        let alter = format!("ALTER DOMAIN {}", wanted.name.sql(DIALECT));
        for difference in differences {
            let property = difference.property.as_deref().unwrap_or_default();
            let check = |list: &[(String, String)], name: &str| list.iter().find(|(found, _)| found == name).cloned();
            match property {
                "not null" if *not_null => self.plan.types.push(format!("{alter} SET NOT NULL")),
                "not null" => self.plan.types.push(format!("{alter} DROP NOT NULL")),
                "default" => self.plan.types.push(match default {
                    Some(default) => format!("{alter} SET DEFAULT {default}"),
                    None => format!("{alter} DROP DEFAULT"),
                }),
                "base type" | "collation" => {
                    let object = format!("domain {}", wanted.name);
                    self.cannot(&object, "no statement changes the type of a domain");
                }
                _ => {
                    // A check: `check NAME`, or that only one side has it.
                    let text = difference.text.strip_prefix("check ").unwrap_or_default();
                    let name = text.split(": ").next().unwrap_or_default();
                    let quoted = DIALECT.quote_if_needed(name);
                    if check(old, name).is_some() {
                        self.plan.types.push(format!("{alter} DROP CONSTRAINT {quoted}"));
                    }
                    if let Some((_, expression)) = check(checks, name) {
                        self.plan
                            .types
                            .push(format!("{alter} ADD CONSTRAINT {quoted} CHECK ({expression})"));
                    }
                }
            }
        }
    }

    /// A value that goes, or another order: there is only a new type for that.
    fn rebuild_enum(&mut self, wanted: &UserType, values: &[String]) -> Result<(), BaseError> {
        let new = wanted.name.sql(DIALECT);
        let old_name = ObjectName {
            schema: wanted.name.schema.clone(),
            name: format!("{}_old", wanted.name.name),
        };
        let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
        let mut statements = vec![
            format!("ALTER TYPE {new} RENAME TO {}", DIALECT.quote_if_needed(&old_name.name)),
            format!("CREATE TYPE {new} AS ENUM ({})", values.join(", ")),
        ];
        for table in self.current.relations()? {
            let Some(relation) = self.current.relation(&table)? else {
                continue;
            };
            if !matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable) {
                continue;
            }
            let of_type = relation.columns.iter().filter(|column| {
                column.data_type.name == wanted.name.name && column.data_type.schema == wanted.name.schema
            });
            for column in of_type {
                let alter = format!("ALTER TABLE {}", table.sql(DIALECT));
                let quoted = DIALECT.quote_if_needed(&column.name);
                let kind = data_type_sql(&column.data_type);
                let array = "[]".repeat(usize::try_from(column.data_type.dimensions).unwrap_or_default());
                if column.default.is_some() {
                    statements.push(format!("{alter} ALTER COLUMN {quoted} DROP DEFAULT"));
                }
                statements.push(format!(
                    "{alter} ALTER COLUMN {quoted} TYPE {kind} USING {quoted}::text{array}::{kind}"
                ));
                // The old default may be a value that goes.
                let after = self.wanted.relation(&table)?;
                let after = after.as_ref().and_then(|after| {
                    let same = after.columns.iter().find(|other| other.name == column.name)?;
                    same.default.as_ref()
                });
                if let Some(default) = after {
                    statements.push(format!("{alter} ALTER COLUMN {quoted} SET DEFAULT {default}"));
                }
            }
        }
        statements.push(format!("DROP TYPE {}", old_name.sql(DIALECT)));
        self.plan.types.extend(statements);
        Ok(())
    }
}

fn word(found: &UserType) -> &'static str {
    match found.kind {
        TypeKind::Domain { .. } => "DOMAIN",
        _ => "TYPE",
    }
}

/// RENAME VALUE where one value stands in the place of another: rows keep what they have.
fn renamed(name: &str, wanted: &[String], current: &[String]) -> Option<Vec<String>> {
    let pairs: Vec<_> = wanted.iter().zip(current).filter(|(new, old)| new != old).collect();
    let [(new, old)] = pairs.as_slice() else { return None };
    let another = wanted.len() == current.len() && !current.contains(new) && !wanted.contains(old);
    another.then(|| {
        let (old, new) = (literal(old), literal(new));
        vec![format!("ALTER TYPE {name} RENAME VALUE {old} TO {new}")]
    })
}

/// ADD VALUE for each that is new; `None` where that does not lead to what is wanted.
fn added(name: &str, wanted: &[String], current: &[String]) -> Option<Vec<String>> {
    let mut kept = wanted.iter().filter(|value| current.contains(value));
    let in_order = current.iter().all(|value| kept.next() == Some(value));
    if !in_order {
        return None;
    }
    let mut statements = Vec::new();
    for (at, value) in wanted.iter().enumerate().filter(|(_, value)| !current.contains(value)) {
        let place = match (at.checked_sub(1), current.first()) {
            (Some(before), _) => format!(" AFTER {}", literal(&wanted[before])),
            (None, Some(first)) => format!(" BEFORE {}", literal(first)),
            (None, None) => String::new(),
        };
        statements.push(format!("ALTER TYPE {name} ADD VALUE {}{place}", literal(value)));
    }
    Some(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn values_are_added_where_they_belong() {
        for (wanted, current, expected) in [
            ("a b c", "a b", Some(vec!["ALTER TYPE t ADD VALUE 'c' AFTER 'b'"])),
            ("x a", "a", Some(vec!["ALTER TYPE t ADD VALUE 'x' BEFORE 'a'"])),
            (
                "a x y b",
                "a b",
                Some(vec![
                    "ALTER TYPE t ADD VALUE 'x' AFTER 'a'",
                    "ALTER TYPE t ADD VALUE 'y' AFTER 'x'",
                ]),
            ),
            ("a", "a b", None),
            ("b a", "a b", None),
        ] {
            let found = added("t", &values(wanted), &values(current));
            let expected: Option<Vec<String>> = expected.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(found, expected, "{wanted} from {current}");
        }
    }
}
