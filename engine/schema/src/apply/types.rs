//! Enums, domains, composites and sequences.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, DataType, DomainChange, Expression, ObjectKind,
};

use crate::base::BaseError;
use crate::model::{TypeKind, UserType};
use crate::names;
use crate::schema::Schema;
use crate::text::bare;

impl Schema {
    fn create_type(&mut self, name: &ObjectName, kind: TypeKind) -> Result<(), BaseError> {
        let name = self.creation_name(name);
        if self.user_type(&name)?.is_none() {
            self.put_type(UserType {
                name,
                kind,
                comment: None,
                owner: None,
                uncertain: false,
            });
        }
        Ok(())
    }

    fn change_type(&mut self, name: &ObjectName, change: impl FnOnce(&mut UserType)) -> Result<(), BaseError> {
        let name = self.find(ObjectKind::Type, name)?;
        if let Some(known) = self.user_type(&name)? {
            let mut changed = (*known).clone();
            change(&mut changed);
            self.put_type(changed);
        }
        Ok(())
    }

    pub(super) fn create_enum(&mut self, name: &ObjectName, values: &[String]) -> Result<(), BaseError> {
        self.create_type(
            name,
            TypeKind::Enum {
                values: values.to_vec(),
            },
        )
    }

    pub(super) fn add_enum_value(
        &mut self,
        name: &ObjectName,
        value: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<(), BaseError> {
        self.change_type(name, |changed| {
            let TypeKind::Enum { values } = &mut changed.kind else {
                return;
            };
            if values.iter().any(|known| known == value) {
                return;
            }
            let place = |neighbour: Option<&str>| values.iter().position(|known| Some(known.as_str()) == neighbour);
            let at = place(before).or(place(after).map(|at| at + 1)).unwrap_or(values.len());
            values.insert(at, value.to_owned());
        })
    }

    pub(super) fn rename_enum_value(&mut self, name: &ObjectName, from: &str, to: &str) -> Result<(), BaseError> {
        let found = self.find(ObjectKind::Type, name)?;
        self.change_type(&found, |changed| {
            let TypeKind::Enum { values } = &mut changed.kind else {
                return;
            };
            for value in values.iter_mut().filter(|value| *value == from) {
                to.clone_into(value);
            }
        })?;
        // A default refers to the value, not to its text.
        for table in self.candidates(ObjectKind::Type, &found)? {
            let Some(relation) = self.get(&table)? else { continue };
            let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
            let (old, new) = (quoted(from), quoted(to));
            let affected = |schema: &Self, column: &crate::model::Column| {
                schema.is_type(&column.data_type, &found)
                    && column
                        .default
                        .as_ref()
                        .is_some_and(|text| text.trim() == old || text.trim().starts_with(&format!("{old}::")))
            };
            let columns: Vec<_> = relation
                .columns
                .iter()
                .filter(|c| affected(self, c))
                .map(|c| c.name.clone())
                .collect();
            if columns.is_empty() {
                continue;
            }
            self.edit(&table, |relation| {
                for column in relation
                    .columns
                    .iter_mut()
                    .filter(|column| columns.contains(&column.name))
                {
                    column.default = column.default.take().map(|text| text.replacen(&old, &new, 1));
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn create_domain(
        &mut self,
        name: &ObjectName,
        data_type: &DataType,
        not_null: bool,
        default: Option<&Expression>,
        constraints: &[ConstraintDefinition],
        collation: Option<&ObjectName>,
    ) -> Result<(), BaseError> {
        let mut checks: Vec<(String, String)> = Vec::new();
        let mut required = not_null;
        for constraint in constraints {
            match &constraint.kind {
                ConstraintKind::Check { expression } => {
                    let check = domain_check_name(name, constraint, &checks);
                    checks.push((check, bare(&expression.text).to_owned()));
                }
                ConstraintKind::NotNull { .. } => required = true,
                _ => {}
            }
        }
        let default = default
            .filter(|default| !default.is_null)
            .map(|default| default.text.clone());
        let base = self.canonical_type(data_type);
        self.create_type(
            name,
            TypeKind::Domain {
                base,
                not_null: required,
                default,
                checks,
                collation: collation.cloned(),
            },
        )
    }

    pub(super) fn alter_domain(&mut self, name: &ObjectName, change: &DomainChange) -> Result<(), BaseError> {
        self.change_type(name, |changed| {
            let own = changed.name.clone();
            let TypeKind::Domain {
                not_null,
                default,
                checks,
                ..
            } = &mut changed.kind
            else {
                return;
            };
            match change {
                DomainChange::SetDefault(value) => {
                    *default = value
                        .as_ref()
                        .filter(|value| !value.is_null)
                        .map(|value| value.text.clone());
                }
                DomainChange::SetNotNull(required) => *not_null = *required,
                DomainChange::AddConstraint(constraint) => match &constraint.kind {
                    ConstraintKind::Check { expression } => {
                        let check = domain_check_name(&own, constraint, checks);
                        checks.push((check, bare(&expression.text).to_owned()));
                    }
                    ConstraintKind::NotNull { .. } => *not_null = true,
                    _ => {}
                },
                DomainChange::DropConstraint { name, .. } => checks.retain(|(known, _)| known != name),
                DomainChange::RenameConstraint { from, to } => {
                    for (known, _) in checks.iter_mut().filter(|(known, _)| known == from) {
                        to.clone_into(known);
                    }
                }
                DomainChange::ValidateConstraint(_) => {}
            }
        })
    }

    pub(super) fn create_composite(
        &mut self,
        name: &ObjectName,
        attributes: &[ColumnDefinition],
    ) -> Result<(), BaseError> {
        let attributes = attributes
            .iter()
            .map(|attribute| (attribute.name.clone(), self.canonical_type(&attribute.data_type)))
            .collect();
        self.create_type(name, TypeKind::Composite { attributes })
    }

    /// The change comes as text; what it makes of the attributes is not known.
    pub(super) fn alter_composite(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        self.change_type(name, |changed| changed.uncertain = true)
    }

    pub(super) fn create_other_type(&mut self, name: &ObjectName, definition: &str) -> Result<(), BaseError> {
        self.create_type(
            name,
            TypeKind::Other {
                definition: definition.to_owned(),
            },
        )
    }
}

fn domain_check_name(domain: &ObjectName, constraint: &ConstraintDefinition, known: &[(String, String)]) -> String {
    if let Some(name) = &constraint.name {
        return name.clone();
    }
    let taken = |name: &str| Ok::<_, std::convert::Infallible>(known.iter().any(|(other, _)| other == name));
    match names::choose(&domain.name, None, "check", taken) {
        Ok(name) => name,
        Err(never) => match never {},
    }
}
