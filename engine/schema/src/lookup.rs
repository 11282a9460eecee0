//! What a [`Schema`] answers: names, relations, types, sequences, functions, and who depends on what.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{DataType, ObjectKind};

use crate::base::BaseError;
use crate::class::Class;
use crate::model::{Constraint, ConstraintRule, Function, Relation, RelationKind, Sequence, TypeKind, UserType};
use crate::schema::{SQLITE_TEMPORARY, Schema, TEMPORARY};
use crate::words::Wanted;

impl Schema {
    /// A name as the server resolves it: with the schema where the object is found along the search path, or where it
    /// would be created. On `SQLite` the spelling of the existing object.
    pub fn resolve(&self, kind: ObjectKind, name: &ObjectName) -> ObjectName {
        self.find(kind, name).unwrap_or_else(|_| self.creation_name(name))
    }

    /// [`Schema::resolve`] that says when the base cannot answer.
    pub(crate) fn find(&self, kind: ObjectKind, name: &ObjectName) -> Result<ObjectName, BaseError> {
        let class = Class::of(kind);
        if matches!(class, Class::Schema | Class::Extension) {
            return Ok(name.clone());
        }
        if self.is_sqlite() {
            if name.schema.is_none() && self.overlay.temporary {
                let temporary = ObjectName::qualified(SQLITE_TEMPORARY, &name.name);
                if self
                    .overlay
                    .relation(&self.key(&temporary))
                    .is_some_and(Option::is_some)
                {
                    return Ok(temporary);
                }
            }
            let plain = self.creation_name(name);
            return Ok(self.get(&plain)?.map_or(plain, |relation| relation.name.clone()));
        }
        if self.is_mysql() && name.schema.is_some() && class == Class::Relation {
            return self.in_its_database(name);
        }
        if name.schema.is_some() {
            return Ok(name.clone());
        }
        if self.overlay.temporary {
            let temporary = ObjectName::qualified(TEMPORARY, &name.name);
            let known = match class {
                Class::Relation => self.overlay.relation(&temporary).is_some_and(Option::is_some),
                Class::Sequence => self.overlay.sequences.get(&temporary).is_some_and(Option::is_some),
                _ => false,
            };
            if known {
                return Ok(temporary);
            }
        }
        let path = self.path();
        if path.len() > 1 {
            for schema in path {
                let candidate = ObjectName::qualified(schema, &name.name);
                if self.has(class, &candidate)? {
                    return Ok(candidate);
                }
            }
        }
        Ok(self.creation_name(name))
    }

    /// Where an object of this name would be created.
    pub(crate) fn creation_name(&self, name: &ObjectName) -> ObjectName {
        if self.is_sqlite() {
            let schema = name
                .schema
                .clone()
                .filter(|schema| !schema.eq_ignore_ascii_case("main"));
            return ObjectName {
                schema,
                name: name.name.clone(),
            };
        }
        match &name.schema {
            Some(_) => name.clone(),
            None if !self.has_search_path() => name.clone(),
            None => ObjectName::qualified(self.creation_schema(), &name.name),
        }
    }

    fn creation_schema(&self) -> &str {
        let existing = |schema: &&String| self.schema_known(schema);
        let path = self.path();
        path.iter()
            .find(existing)
            .or(path.first())
            .or(self.context().search_path.first())
            .map_or("public", String::as_str)
    }

    fn schema_known(&self, schema: &str) -> bool {
        match self.overlay.schemas.get(schema) {
            Some(exists) => *exists,
            None => self.base.has_schema(schema).unwrap_or(false),
        }
    }

    /// Whether an object of `class` is known under a resolved name. `SQLite`: by key.
    pub(crate) fn has(&self, class: Class, name: &ObjectName) -> Result<bool, BaseError> {
        Ok(match class {
            Class::Relation => self.get(name)?.is_some(),
            Class::Index => self.index_owner(name)?.is_some(),
            Class::Sequence => self.sequence(name)?.is_some(),
            Class::Type => self.user_type(name)?.is_some(),
            Class::Function => !self.functions(name)?.is_empty(),
            Class::Schema => self.schemas()?.contains(&name.name),
            Class::Extension => self.extensions()?.iter().any(|(extension, _)| *extension == name.name),
            Class::Other => false,
        })
    }

    /// Names of all relations.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn relations(&self) -> Result<Vec<ObjectName>, BaseError> {
        let mut names = BTreeSet::new();
        for name in self.base.relation_names()? {
            if !self.overlay.has_relation(&self.key(&name)) {
                names.insert(name);
            }
        }
        let kept = self.overlay.relations().filter(|relation| !relation.temporary);
        names.extend(kept.map(|relation| relation.name.clone()));
        Ok(names.into_iter().collect())
    }

    /// One relation with all that belongs to it.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn relation(&self, name: &ObjectName) -> Result<Option<Arc<Relation>>, BaseError> {
        self.get(&self.find(ObjectKind::Table, name)?)
    }

    /// Whether an object is there. `None`: not known, because the schema is incomplete or only a condition makes it,
    /// or because the model does not keep objects of this kind.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn exists(&self, kind: ObjectKind, name: &ObjectName) -> Result<Option<bool>, BaseError> {
        let class = Class::of(kind);
        if class == Class::Other {
            return Ok(None);
        }
        let found = self.find(kind, name)?;
        if self
            .overlay
            .doubtful
            .contains(&(Class::doubtful_kind(kind), self.key(&found).into_owned()))
        {
            return Ok(None);
        }
        if self.has(class, &found)? {
            let matches = match (class, self.get(&found)?) {
                (Class::Relation, Some(relation)) => relation_is(relation.kind, kind),
                _ => true,
            };
            return Ok(Some(matches));
        }
        let dropped = match class {
            Class::Relation => self.overlay.has_relation(&self.key(&found)),
            Class::Sequence => self.overlay.sequences.contains_key(&found),
            Class::Type => self.overlay.types.contains_key(&found),
            Class::Function => self.overlay.functions.contains_key(&found),
            Class::Schema => self.overlay.schemas.contains_key(&found.name),
            Class::Extension => self.overlay.extensions.contains_key(&found.name),
            Class::Index | Class::Other => false,
        };
        Ok((dropped || self.complete()).then_some(false))
    }

    /// Whether no row can exist: the table was made here and nothing was inserted since.
    pub fn known_empty(&self, table: &ObjectName) -> bool {
        self.overlay
            .empty
            .contains(&*self.key(&self.resolve(ObjectKind::Table, table)))
    }

    /// Table of an index.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let schemas: Vec<Option<&str>> = match &index.schema {
            Some(schema) => vec![Some(schema)],
            None if !self.has_search_path() => vec![None],
            None => self.path().iter().map(|schema| Some(schema.as_str())).collect(),
        };
        for schema in schemas {
            let in_schema = |relation: &&Arc<Relation>| relation.name.schema.as_deref() == schema;
            for relation in self.with_member(&index.name).filter(in_schema) {
                if relation
                    .indexes
                    .iter()
                    .any(|known| self.folding().same(&known.name, &index.name))
                {
                    return Ok(Some(relation.name.clone()));
                }
            }
            let asked = ObjectName {
                schema: schema.map(str::to_owned),
                name: index.name.clone(),
            };
            if let Some(owner) = self.base.index_owner(&asked)?
                && !self.overlay.has_relation(&self.key(&owner))
            {
                return Ok(Some(owner));
            }
        }
        Ok(None)
    }

    /// Tables that hold a foreign key to `table`, with that constraint.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn referencing(&self, table: &ObjectName) -> Result<Vec<(ObjectName, Constraint)>, BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let mut found = Vec::new();
        let mut look = |relation: &Relation| {
            for constraint in &relation.constraints {
                if let ConstraintRule::ForeignKey { references, .. } = &constraint.rule
                    && self.folding().same_object(references, &table)
                {
                    found.push((relation.name.clone(), constraint.clone()));
                }
            }
        };
        for relation in self.overlay.naming(Wanted::new(&table)) {
            look(relation);
        }
        if let Some(base) = self.base_name(&table)? {
            let named = self.base.referencing(&base)?;
            let current: BTreeSet<_> = named.iter().filter_map(|name| self.current_name(name)).collect();
            for name in current {
                if !self.overlay.has_relation(&self.key(&name))
                    && let Some(relation) = self.get(&name)?
                {
                    look(&relation);
                }
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found)
    }

    /// Values of an enum in order; `None` when there is no such enum or it is not known.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn enum_values(&self, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
        Ok(self.user_type(name)?.and_then(|found| match &found.kind {
            TypeKind::Enum { values } => Some(values.clone()),
            _ => None,
        }))
    }

    /// A user-defined type.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn user_type(&self, name: &ObjectName) -> Result<Option<Arc<UserType>>, BaseError> {
        for name in self.places(name) {
            match self.overlay.types.get(&name) {
                Some(Some(known)) => return Ok(Some(Arc::clone(known))),
                Some(None) => {}
                None => {
                    if let Some(read) = self.base.user_type(&name)? {
                        return Ok(Some(Arc::new(read)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// A sequence.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn sequence(&self, name: &ObjectName) -> Result<Option<Arc<Sequence>>, BaseError> {
        for name in self.places(name) {
            match self.overlay.sequences.get(&name) {
                Some(Some(known)) => return Ok(Some(Arc::clone(known))),
                Some(None) => {}
                None => {
                    if let Some(read) = self.base.sequence(&name)? {
                        return Ok(Some(Arc::new(read)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// All overloads of a function.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        for name in self.places(name) {
            let found = match self.overlay.functions.get(&name) {
                Some(known) => known.to_vec(),
                None => self.base.functions(&name)?,
            };
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Names of all user-defined types.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn type_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        let mut names = self.base.names(ObjectKind::Type)?;
        names.extend(self.base.names(ObjectKind::Domain)?);
        let touched = self.overlay.types.iter();
        let touched = touched.map(|(name, known)| (&**name, known.is_some()));
        Ok(overlaid(names, touched))
    }

    /// Names of all sequences.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn sequence_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        let names = self.base.names(ObjectKind::Sequence)?;
        let touched = self.overlay.sequences.iter();
        let touched = touched.map(|(name, known)| (&**name, known.is_some()));
        Ok(overlaid(names, touched))
    }

    /// Names of all functions, procedures and aggregates.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn function_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        let mut names = Vec::new();
        for kind in [ObjectKind::Function, ObjectKind::Procedure, ObjectKind::Aggregate] {
            names.extend(self.base.names(kind)?);
        }
        let touched = self.overlay.functions.iter();
        let touched = touched.map(|(name, overloads)| (&**name, !overloads.is_empty()));
        Ok(overlaid(names, touched))
    }

    /// Schemas that exist.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn schemas(&self) -> Result<Vec<String>, BaseError> {
        let names = self.base.schemas()?;
        let touched = self.overlay.schemas.iter().map(|(name, exists)| (name, *exists));
        Ok(overlaid(names, touched))
    }

    /// Extensions and their schemas.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        let mut known: Vec<_> = self.base.extensions()?;
        known.retain(|(name, _)| !self.overlay.extensions.contains_key(name));
        let made = self.overlay.extensions.iter();
        known.extend(made.filter_map(|(name, schema)| Some((name.clone(), schema.clone()?))));
        known.sort();
        Ok(known)
    }

    /// Where a name may be found, in the order of the search path.
    fn places(&self, name: &ObjectName) -> Vec<ObjectName> {
        if !self.has_search_path() || name.schema.is_some() {
            return vec![name.clone()];
        }
        self.path()
            .iter()
            .map(|schema| ObjectName::qualified(schema, &name.name))
            .collect()
    }

    /// Resolved names of all relations in the overlay.
    pub(crate) fn overlay_names(&self) -> BTreeSet<ObjectName> {
        self.overlay.relations().map(|relation| relation.name.clone()).collect()
    }

    /// The name a relation of now has in the base.
    pub(crate) fn base_name(&self, name: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let key = self.key(name);
        match self.overlay.origins.get(&*key) {
            Some(origin) => Ok(origin.base.clone()),
            None => self.base_spelling(&key),
        }
    }

    /// The name a relation of the base has now; `None` when it is gone.
    pub(crate) fn current_name(&self, base: &ObjectName) -> Option<ObjectName> {
        let key = self.key(base);
        let from_base = |origin: &crate::schema::Origin| origin.base.as_ref().is_some_and(|name| self.key(name) == key);
        let own = self.overlay.origins.get(&*key);
        let live = |key: &ObjectName| self.overlay.relation(key).is_none_or(Option::is_some);
        if own.is_none_or(|origin| from_base(origin)) && live(&key) {
            return Some(base.clone());
        }
        let renamed = self
            .overlay
            .origins
            .iter()
            .find(|(name, origin)| from_base(origin) && live(name));
        renamed.map(|(name, _)| ObjectName::clone(name))
    }

    /// Resolved names of the relations that may have to do with an object: those of the overlay that may name it, itself,
    /// and those of which the base says that they depend on it.
    pub(crate) fn candidates(&self, kind: ObjectKind, name: &ObjectName) -> Result<BTreeSet<ObjectName>, BaseError> {
        let naming = self.overlay.naming(Wanted::new(name));
        let mut names: BTreeSet<_> = naming.map(|relation| relation.name.clone()).collect();
        let relation = Class::of(kind) == Class::Relation;
        if relation && let Some(Some(itself)) = self.overlay.relation(&self.key(name)) {
            names.insert(itself.name.clone());
        }
        let base = if relation {
            self.base_name(name)?
        } else {
            Some(name.clone())
        };
        if let Some(base) = base {
            for dependent in self.base.dependents(kind, &base)? {
                names.extend(self.current_name(&dependent.name));
            }
            if relation {
                for referencing in self.base.referencing(&base)? {
                    names.extend(self.current_name(&referencing));
                }
            }
        }
        Ok(names)
    }

    /// Whether `data_type` is the user-defined type `name`.
    pub(crate) fn is_type(&self, data_type: &DataType, name: &ObjectName) -> bool {
        data_type.name == name.name
            && match &data_type.schema {
                Some(schema) => Some(schema) == name.schema.as_ref(),
                None => name
                    .schema
                    .as_ref()
                    .is_none_or(|schema| self.path().contains(schema) || self.context().search_path.contains(schema)),
            }
    }
}

/// `names` with what the overlay has made and without what it has dropped, ascending.
fn overlaid<'a, N: Ord + Clone + 'a>(names: Vec<N>, overlay: impl Iterator<Item = (&'a N, bool)>) -> Vec<N> {
    let mut names: BTreeSet<N> = names.into_iter().collect();
    for (name, exists) in overlay {
        if exists {
            names.insert(name.clone())
        } else {
            names.remove(name)
        };
    }
    names.into_iter().collect()
}

/// Whether a relation of `actual` kind is what the SQL word `wanted` names.
fn relation_is(actual: RelationKind, wanted: ObjectKind) -> bool {
    match wanted {
        ObjectKind::View => actual == RelationKind::View,
        ObjectKind::MaterializedView => actual == RelationKind::MaterializedView,
        ObjectKind::ForeignTable => actual == RelationKind::ForeignTable,
        _ => matches!(
            actual,
            RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable
        ),
    }
}
