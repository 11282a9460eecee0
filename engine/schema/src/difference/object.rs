//! Differences between schemas, extensions, types, sequences and functions.

use std::collections::BTreeMap;

use tollgate_sql::{Dialect, ObjectName};

use super::{Comparison, Place};
use crate::base::BaseError;
use crate::model::{Function, TypeKind};
use crate::schema::Schema;

impl Comparison<'_> {
    pub(super) fn schemas_and_extensions(&mut self) -> Result<(), BaseError> {
        self.pair_names("schema", self.left.schemas()?, self.right.schemas()?);
        // Every database has the language; nobody creates it.
        let names = |schema: &Schema| -> Result<Vec<String>, BaseError> {
            Ok(schema
                .extensions()?
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| name != "plpgsql")
                .collect())
        };
        self.pair_names("extension", names(self.left)?, names(self.right)?);
        Ok(())
    }

    pub(super) fn types(&mut self) -> Result<(), BaseError> {
        for name in self.pair_objects("type", self.left.type_names()?, self.right.type_names()?) {
            let (Some(left), Some(right)) = (self.left.user_type(&name)?, self.right.user_type(&name)?) else {
                continue;
            };
            if left.uncertain || right.uncertain {
                continue;
            }
            self.object = format!("type {name}");
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
                self.differ("collation", collation, order, |name| format!("{name:?}"));
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
        for name in self.pair_objects("sequence", self.left.sequence_names()?, self.right.sequence_names()?) {
            let (Some(left), Some(right)) = (self.left.sequence(&name)?, self.right.sequence(&name)?) else {
                continue;
            };
            self.object = format!("sequence {name}");
            self.differ("type", &left.data_type, &right.data_type, Clone::clone);
            self.differ("options", &left.options, &right.options, |options| {
                format!("{options:?}")
            });
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
            self.object = format!("function {signature}");
            match right.remove(&signature) {
                None => self.only("", true),
                Some(other) => {
                    self.differ("language", &function.language, &other.language, Clone::clone);
                    self.differ("kind", &function.kind, &other.kind, |kind| {
                        format!("{kind:?}").to_lowercase()
                    });
                    self.flag("security definer", function.security_definer, other.security_definer);
                    self.text("comment", function.comment.as_ref(), other.comment.as_ref());
                }
            }
        }
        for signature in right.into_keys() {
            self.object = format!("function {signature}");
            self.only("", false);
        }
        Ok(())
    }

    fn pair_objects(&mut self, kind: &str, left: Vec<ObjectName>, right: Vec<ObjectName>) -> Vec<ObjectName> {
        let both: Vec<_> = left.iter().filter(|name| right.contains(name)).cloned().collect();
        let text = |names: Vec<ObjectName>| names.iter().map(ToString::to_string).collect();
        self.pair_names(kind, text(left), text(right));
        both
    }
}

fn kind(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Enum { .. } => "enum",
        TypeKind::Domain { .. } => "domain",
        TypeKind::Composite { .. } => "composite type",
        TypeKind::Other { .. } => "base or range type",
    }
}

/// Functions by name and argument types, in whatever order of overloads.
fn overloads(schema: &Schema) -> Result<BTreeMap<String, Function>, BaseError> {
    let mut found = BTreeMap::new();
    for name in schema.function_names()? {
        for function in schema.functions(&name)? {
            // One side may write the schema of an argument's type, the other may not.
            let bare = |argument: &String| {
                argument
                    .rsplit('.')
                    .next()
                    .unwrap_or(argument)
                    .trim_matches('"')
                    .to_owned()
            };
            let arguments: Vec<_> = function.arguments.iter().map(bare).collect();
            found.insert(format!("{name}({})", arguments.join(", ")), function);
        }
    }
    Ok(found)
}
