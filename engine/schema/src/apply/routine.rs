//! Views, functions, triggers, rules and policies.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{CreateFunction, CreateTrigger, CreateView, ObjectKind, Policy};

use crate::base::BaseError;
use crate::model::{Column, Function, PolicyModel, Relation, RelationKind, Trigger};
use crate::schema::{SQLITE_TEMPORARY, Schema, TEMPORARY};
use crate::text::bare;

impl Schema {
    pub(super) fn create_view(&mut self, view: &CreateView) -> Result<(), BaseError> {
        let name = match (view.temporary, self.is_sqlite()) {
            (true, true) => ObjectName::qualified(SQLITE_TEMPORARY, &view.name.name),
            (true, false) => ObjectName::qualified(TEMPORARY, &view.name.name),
            (false, _) => self.creation_name(&view.name),
        };
        let mut reads = Vec::new();
        for read in &view.reads {
            reads.extend(self.find_read(read)?);
        }
        if let Some(known) = self.get(&name)? {
            if view.or_replace && known.kind == RelationKind::View {
                self.edit(&name, |relation| {
                    relation.query = Some(trimmed(&view.query));
                    relation.reads = reads;
                    relation.definition = Some(view.definition.clone());
                    // New columns may have come at the end.
                    if !view.columns.is_empty() {
                        relation.columns = view.columns.iter().map(|column| unknown_column(column)).collect();
                    }
                })?;
            }
            return Ok(());
        }
        if self.taken(&name)? {
            return Ok(());
        }
        let kind = if view.materialized {
            RelationKind::MaterializedView
        } else {
            RelationKind::View
        };
        let mut relation = Relation::new(name, kind);
        relation.temporary = view.temporary;
        relation.columns = view.columns.iter().map(|column| unknown_column(column)).collect();
        relation.query = Some(trimmed(&view.query));
        relation.reads = reads;
        relation.definition = Some(view.definition.clone());
        self.put(relation);
        Ok(())
    }

    /// A relation that a query reads. Functions are left out, and so is what nobody knows where all is known: the name of
    /// a common table expression, or a view of the server's own.
    fn find_read(&self, read: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let relation = self.find(ObjectKind::Table, read)?;
        let known = self.get(&relation)?.is_some();
        let function = !known && !self.functions(read)?.is_empty();
        Ok((known || !(function || self.complete())).then_some(relation))
    }

    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Result<(), BaseError> {
        let name = self.creation_name(&create.name);
        let mut overloads = self.functions(&name)?;
        let known = overloads
            .iter()
            .position(|function| same_arguments(&function.arguments, &create.arguments));
        let mut function = Function {
            name: name.clone(),
            kind: create.kind,
            arguments: create.arguments.clone(),
            returns: create.returns.clone(),
            language: create.language.clone(),
            body: create.body.clone(),
            volatility: create.volatility,
            security_definer: create.security_definer,
            definition: create.definition.clone(),
            comment: None,
            grants: Vec::new(),
        };
        match known {
            // Replacing keeps what was said and granted about it.
            Some(at) if create.or_replace => {
                function.comment = overloads[at].comment.take();
                function.grants = std::mem::take(&mut overloads[at].grants);
                overloads[at] = function;
            }
            Some(_) => return Ok(()),
            None => overloads.push(function),
        }
        self.put_functions(&name, overloads);
        Ok(())
    }

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, &create.table)?;
        let function = match &create.function {
            Some(function) => {
                let found = self.find(ObjectKind::Function, function)?;
                // What is not known where all is known is one of the server's own.
                let own = function.schema.is_none() && self.complete() && self.functions(&found)?.is_empty();
                Some(if own { function.clone() } else { found })
            }
            None => None,
        };
        let trigger = Trigger {
            name: create.name.clone(),
            function,
            definition: create.definition.clone(),
            enabled: true,
            comment: None,
        };
        let folding = self.folding();
        self.edit(&table, |relation| {
            let known = relation
                .triggers
                .iter_mut()
                .find(|known| folding.same(&known.name, &trigger.name));
            match known {
                Some(known) if create.or_replace => {
                    let comment = known.comment.take();
                    *known = Trigger { comment, ..trigger };
                }
                Some(_) => {}
                None => relation.triggers.push(trigger),
            }
        })
        .map(|_| ())
    }

    pub(super) fn create_rule(&mut self, name: &str, table: &ObjectName, definition: &str) -> Result<(), BaseError> {
        self.alter(table, |relation| {
            relation.rules.retain(|(known, _)| known != name);
            relation.rules.push((name.to_owned(), definition.to_owned()));
        })
    }

    pub(super) fn create_policy(&mut self, policy: &Policy) -> Result<(), BaseError> {
        self.alter(&policy.table, |relation| {
            if relation.policies.iter().any(|known| known.name == policy.name) {
                return;
            }
            relation.policies.push(PolicyModel {
                name: policy.name.clone(),
                permissive: policy.permissive,
                command: policy.command.clone(),
                roles: policy.roles.clone(),
                using: policy.using.as_deref().map(|text| bare(text).to_owned()),
                check: policy.check.as_deref().map(|text| bare(text).to_owned()),
                comment: None,
            });
        })
    }

    /// ALTER POLICY: what it does not name stays.
    pub(super) fn alter_policy(&mut self, policy: &Policy) -> Result<(), BaseError> {
        self.alter(&policy.table, |relation| {
            for known in relation.policies.iter_mut().filter(|known| known.name == policy.name) {
                if !policy.roles.is_empty() {
                    known.roles.clone_from(&policy.roles);
                }
                if policy.using.is_some() {
                    known.using = policy.using.as_deref().map(|text| bare(text).to_owned());
                }
                if policy.check.is_some() {
                    known.check = policy.check.as_deref().map(|text| bare(text).to_owned());
                }
            }
        })
    }
}

/// A query without white space around it and without a closing semicolon.
fn trimmed(query: &str) -> String {
    query.trim().trim_end_matches(';').trim_end().to_owned()
}

/// Whether two lists of argument types are the same function's.
pub(super) fn same_arguments(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left == right)
}

/// A view's column: its name is written, its type is what the query makes of it.
fn unknown_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: tollgate_sql::operation::DataType {
            schema: None,
            name: String::new(),
            modifiers: Vec::new(),
            dimensions: 0,
        },
        not_null: false,
        default: None,
        generated: None,
        identity: None,
        sequence: None,
        collation: None,
        comment: None,
        grants: Vec::new(),
        options: Vec::new(),
    }
}
