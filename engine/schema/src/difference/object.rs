//! Differences between schemas, extensions, types, sequences and functions.

use std::collections::BTreeMap;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use super::{Comparison, Place, Texts, show};
use crate::base::BaseError;
use crate::model::{Function, TypeKind};
use crate::schema::Schema;

impl Comparison<'_> {
    pub(super) fn schemas_and_extensions(&mut self) -> Result<(), BaseError> {
        let bare = |names: Vec<String>| names.into_iter().map(ObjectName::bare).collect();
        let (left, right) = (bare(self.left.schemas()?), bare(self.right.schemas()?));
        self.pair_names("schema", ObjectKind::Schema, left, right);
        // Every database has the language; nobody creates it.
        let names = |schema: &Schema| -> Result<Vec<ObjectName>, BaseError> {
            Ok(schema
                .extensions()?
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| name != "plpgsql")
                .map(ObjectName::bare)
                .collect())
        };
        let (left, right) = (names(self.left)?, names(self.right)?);
        self.pair_names("extension", ObjectKind::Extension, left, right);
        Ok(())
    }

    pub(super) fn types(&mut self) -> Result<(), BaseError> {
        for name in self.pair_names(
            "type",
            ObjectKind::Type,
            self.left.type_names()?,
            self.right.type_names()?,
        ) {
            let (Some(left), Some(right)) = (self.left.user_type(&name)?, self.right.user_type(&name)?) else {
                continue;
            };
            if left.uncertain || right.uncertain {
                continue;
            }
            self.at("type", ObjectKind::Type, &name);
            self.text("comment", left.comment.as_ref(), right.comment.as_ref());
            self.type_kind(&name, &left.kind, &right.kind);
        }
        Ok(())
    }

    fn type_kind(&mut self, name: &ObjectName, left: &TypeKind, right: &TypeKind) {
        use TypeKind::{Composite, Domain, Enum, Other};
        match (left, right) {
            (Enum { values: left }, Enum { values: right }) => {
                self.differ("values", left, right, |values| format!("({})", values.join(", ")));
            }
            (
                Domain {
                    base,
                    not_null,
                    default,
                    checks,
                    collation,
                },
                Domain {
                    base: other,
                    not_null: null,
                    default: text,
                    checks: others,
                    collation: order,
                },
            ) => {
                self.differ("base type", base, other, |data_type| data_type.sql(Dialect::Postgres));
                self.flag("not null", *not_null, *null);
                let place = Place::Domain { domain: name };
                self.expression("default", place, default.as_ref(), text.as_ref());
                self.differ("collation", collation, order, |name| {
                    name.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
                });
                let (left, right): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    (checks.iter().cloned().collect(), others.iter().cloned().collect());
                for check in left
                    .keys()
                    .chain(right.keys().filter(|check| !left.contains_key(*check)))
                {
                    match (left.get(check), right.get(check)) {
                        (Some(one), Some(two)) => {
                            self.expression(&format!("check {check}"), place, Some(one), Some(two));
                        }
                        (one, _) => self.only(&format!("check {check}"), one.is_some()),
                    }
                }
            }
            (Composite { attributes: left }, Composite { attributes: right }) => {
                self.differ("attributes", left, right, |attributes| {
                    let parts: Vec<_> = attributes
                        .iter()
                        .map(|(name, data_type)| format!("{name} {}", data_type.sql(Dialect::Postgres)))
                        .collect();
                    format!("({})", parts.join(", "))
                });
            }
            (Other { .. }, Other { .. }) => {}
            _ => self.differ("kind", &kind(left), &kind(right), |kind| (*kind).to_owned()),
        }
    }

    pub(super) fn sequences(&mut self) -> Result<(), BaseError> {
        for name in self.pair_names(
            "sequence",
            ObjectKind::Sequence,
            self.left.sequence_names()?,
            self.right.sequence_names()?,
        ) {
            let (Some(left), Some(right)) = (self.left.sequence(&name)?, self.right.sequence(&name)?) else {
                continue;
            };
            self.at("sequence", ObjectKind::Sequence, &name);
            self.differ("type", &left.data_type, &right.data_type, Clone::clone);
            self.differ("options", &left.options, &right.options, |options| show::pairs(options));
            self.flag("identity", left.identity, right.identity);
            self.text("comment", left.comment.as_ref(), right.comment.as_ref());
            self.differ("owner", &left.owned_by, &right.owned_by, |owner| match owner {
                Some((table, column)) => format!("{table}.{column}"),
                None => "none".to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn functions(&mut self) -> Result<(), BaseError> {
        let left = overloads(self.left)?;
        let mut right = overloads(self.right)?;
        for (signature, function) in left {
            self.function(&signature, &function);
            match right.remove(&signature) {
                None => self.only("", true),
                Some(other) => {
                    self.bodies(&function, &other);
                    self.differ("language", &function.language, &other.language, Clone::clone);
                    self.differ("kind", &function.kind, &other.kind, |kind| {
                        format!("{kind:?}").to_lowercase()
                    });
                    self.flag("security definer", function.security_definer, other.security_definer);
                    self.text("comment", function.comment.as_ref(), other.comment.as_ref());
                }
            }
        }
        for (signature, function) in right {
            self.function(&signature, &function);
            self.only("", false);
        }
        Ok(())
    }

    /// Goes on with this overload.
    fn function(&mut self, signature: &str, function: &Function) {
        self.at("function", ObjectKind::Function, &function.name);
        self.object = format!("function {signature}");
        self.subject.arguments = Some(function.arguments.clone());
    }

    /// What a function does, as far as the texts of the two sides can be compared.
    fn bodies(&mut self, left: &Function, right: &Function) {
        match self.options.texts {
            Texts::None => {}
            Texts::Written => {
                self.differ("volatility", &left.volatility, &right.volatility, |volatility| {
                    format!("{volatility:?}").to_lowercase()
                });
                if let (Some(one), Some(other)) = (&left.body, &right.body) {
                    self.changed("body", without_margins(one) == without_margins(other));
                }
            }
            Texts::Printed => self.changed("definition", left.definition == right.definition),
        }
    }
}

/// A body as it is compared: editors and shells change line ends, and what comes first and last.
fn without_margins(body: &str) -> String {
    body.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn kind(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Enum { .. } => "enum",
        TypeKind::Domain { .. } => "domain",
        TypeKind::Composite { .. } => "composite type",
        TypeKind::Other { .. } => "base or range type",
    }
}

/// An argument's type by its name alone: one side may write its schema, the other may not.
pub(crate) fn bare_type(argument: &str) -> &str {
    argument.rsplit('.').next().unwrap_or(argument).trim_matches('"')
}

/// Functions by name and argument types, in whatever order of overloads.
fn overloads(schema: &Schema) -> Result<BTreeMap<String, Function>, BaseError> {
    let mut found = BTreeMap::new();
    for name in schema.function_names()? {
        for function in schema.functions(&name)? {
            let arguments: Vec<_> = function.arguments.iter().map(|argument| bare_type(argument)).collect();
            found.insert(format!("{name}({})", arguments.join(", ")), function);
        }
    }
    Ok(found)
}
