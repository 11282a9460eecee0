//! One table turned back into what it was, rows kept.
//!
//! First goes what the wanted table does not have or has otherwise, dependents before what they depend on; then columns
//! change; then what is missing comes back.

use std::collections::BTreeSet;

use tollgate_sql::ObjectName;

use crate::base::BaseError;
use crate::model::{Constraint, Index, Privilege, Relation, RelationKind};
use crate::render::uses_column;
use crate::render::write::{identifier, parameters};
use crate::schema::Schema;

use super::{
    DIALECT, Surroundings, alter, column, constraint, index, object, privilege, relation, restore_column, statement,
};

/// See [`crate::render::restore_table`].
pub(in crate::render) fn restore_table(
    wanted_schema: &Schema,
    current_schema: &Schema,
    wanted: &Relation,
    current: &Relation,
) -> Result<Option<Vec<String>>, BaseError> {
    if !matches!(wanted.kind, RelationKind::Table | RelationKind::PartitionedTable) {
        return Ok(None);
    }
    restore_relation(wanted_schema, current_schema, wanted, current)
}

/// The same for views, too, whose queries stay as they are.
pub(in crate::render) fn restore_relation(
    wanted_schema: &Schema,
    current_schema: &Schema,
    wanted: &Relation,
    current: &Relation,
) -> Result<Option<Vec<String>>, BaseError> {
    if wanted.kind != current.kind || wanted.partition_key != current.partition_key {
        return Ok(None);
    }
    let before = Surroundings::of(wanted_schema, wanted)?;
    let now = Surroundings::of(current_schema, current)?;
    let mut plan = Plan {
        wanted,
        current,
        replaced: restore_column::replaced(wanted, current),
        statements: Vec::new(),
    };
    plan.detach();
    plan.drop_members();
    plan.statements
        .extend(restore_column::columns(wanted, current, &plan.replaced, &before, &now));
    plan.table_properties();
    plan.add_members();
    plan.comments();
    plan.privileges();
    plan.attach();
    Ok(Some(plan.statements))
}

struct Plan<'a> {
    wanted: &'a Relation,
    current: &'a Relation,
    /// Columns that are dropped (and perhaps added again), with whatever stands on them.
    replaced: BTreeSet<String>,
    statements: Vec<String>,
}

impl Plan<'_> {
    fn alter(&mut self, clause: &str) {
        self.statements.push(format!("{} {clause}", alter(self.wanted)));
    }

    /// Leaves a partitioned table or parent that the wanted table has not.
    fn detach(&mut self) {
        if self.wanted.partition_of != self.current.partition_of
            && let Some((parent, _)) = &self.current.partition_of
        {
            let name = self.wanted.name.sql(DIALECT);
            self.statements
                .push(format!("ALTER TABLE {} DETACH PARTITION {name}", parent.sql(DIALECT)));
        }
        let left: Vec<_> = missing_from(&self.current.inherits, &self.wanted.inherits);
        for parent in left {
            self.alter(&format!("NO INHERIT {}", parent.sql(DIALECT)));
        }
    }

    fn attach(&mut self) {
        let joined: Vec<_> = missing_from(&self.wanted.inherits, &self.current.inherits);
        for parent in joined {
            self.alter(&format!("INHERIT {}", parent.sql(DIALECT)));
        }
        if self.wanted.partition_of != self.current.partition_of
            && let Some((parent, bound)) = &self.wanted.partition_of
        {
            let name = self.wanted.name.sql(DIALECT);
            self.statements.push(format!(
                "ALTER TABLE {} ATTACH PARTITION {name} {bound}",
                parent.sql(DIALECT)
            ));
        }
    }

    /// Triggers, rules, policies, constraints and indexes that are not wanted as they are.
    fn drop_members(&mut self) {
        let table = self.wanted.name.sql(DIALECT);
        for (name, _) in missing_from(&self.current.rules, &self.wanted.rules) {
            self.statements
                .push(format!("DROP RULE {} ON {table}", identifier(DIALECT, &name)));
        }
        for trigger in &self.current.triggers {
            if !self.wanted.triggers.iter().any(|wanted| same_trigger(wanted, trigger)) {
                self.statements.push(format!(
                    "DROP TRIGGER {} ON {table}",
                    identifier(DIALECT, &trigger.name)
                ));
            }
        }
        for policy in &self.current.policies {
            if !self.wanted.policies.iter().any(|wanted| same_policy(wanted, policy)) {
                self.statements
                    .push(format!("DROP POLICY {} ON {table}", identifier(DIALECT, &policy.name)));
            }
        }
        let dropped = |found: &&Constraint| !self.goes_with_column(found) && !self.keeps(found);
        let (foreign, own): (Vec<_>, Vec<_>) = self
            .current
            .constraints
            .iter()
            .filter(dropped)
            .partition(|found| constraint::is_foreign_key(found));
        let drops: Vec<String> = foreign
            .into_iter()
            .chain(own)
            .map(|found| {
                format!(
                    "{} DROP CONSTRAINT {}",
                    alter(self.wanted),
                    identifier(DIALECT, &found.name)
                )
            })
            .collect();
        self.statements.extend(drops);
        for found in &self.current.indexes {
            let kept = self.wanted.indexes.iter().any(|wanted| wanted.is_like(found));
            if found.constraint.is_none() && !kept && !self.index_goes_with_column(found) {
                let name = ObjectName {
                    schema: self.wanted.name.schema.clone(),
                    name: found.name.clone(),
                };
                self.statements.push(format!("DROP INDEX {}", name.sql(DIALECT)));
            }
        }
    }

    fn add_members(&mut self) {
        let missing = |found: &&Constraint| {
            self.goes_with_column(found)
                || !self
                    .current
                    .constraints
                    .iter()
                    .any(|current| same_constraint(found, current))
        };
        let (foreign, own): (Vec<_>, Vec<_>) = self
            .wanted
            .constraints
            .iter()
            .filter(missing)
            .partition(|found| constraint::is_foreign_key(found));
        let own: Vec<String> = own
            .into_iter()
            .flat_map(|found| constraint::add_with_comment(self.wanted, found))
            .collect();
        let foreign: Vec<String> = foreign
            .into_iter()
            .flat_map(|found| constraint::add_with_comment(self.wanted, found))
            .collect();
        self.statements.extend(own);
        for found in self.wanted.indexes.iter().filter(|found| found.constraint.is_none()) {
            let kept = self.current.indexes.iter().any(|current| found.is_like(current));
            if !kept || self.index_goes_with_column(found) {
                self.statements.extend(index::index(self.wanted, found));
            }
        }
        if self.wanted.replica_identity != self.current.replica_identity {
            self.alter(&relation::replica_identity_clause(&self.wanted.replica_identity));
        }
        for (_, definition) in missing_from(&self.wanted.rules, &self.current.rules) {
            self.statements.push(statement(&definition));
        }
        for trigger in &self.wanted.triggers {
            if !self
                .current
                .triggers
                .iter()
                .any(|current| same_trigger(trigger, current))
            {
                self.statements.extend(object::trigger(self.wanted, trigger));
            }
        }
        for policy in &self.wanted.policies {
            if !self.current.policies.iter().any(|current| same_policy(policy, current)) {
                self.statements.extend(object::policy(self.wanted, policy));
            }
        }
        self.statements.extend(foreign);
    }

    fn table_properties(&mut self) {
        if self.wanted.unlogged != self.current.unlogged {
            self.alter(if self.wanted.unlogged {
                "SET UNLOGGED"
            } else {
                "SET LOGGED"
            });
        }
        if self.wanted.tablespace != self.current.tablespace {
            let tablespace = self.wanted.tablespace.as_deref().unwrap_or("pg_default");
            self.alter(&format!("SET TABLESPACE {}", identifier(DIALECT, tablespace)));
        }
        let set = missing_from(&self.wanted.options, &self.current.options);
        if !set.is_empty() {
            self.alter(&format!("SET ({})", parameters(&set)));
        }
        let kept = |name: &String| self.wanted.options.iter().any(|(wanted, _)| wanted == name);
        let reset: Vec<String> = self
            .current
            .options
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !kept(name))
            .collect();
        if !reset.is_empty() {
            self.alter(&format!("RESET ({})", reset.join(", ")));
        }
        if self.wanted.row_security != self.current.row_security {
            self.alter(if self.wanted.row_security {
                "ENABLE ROW LEVEL SECURITY"
            } else {
                "DISABLE ROW LEVEL SECURITY"
            });
        }
        if self.wanted.force_row_security != self.current.force_row_security {
            let forced = self.wanted.force_row_security;
            self.alter(if forced {
                "FORCE ROW LEVEL SECURITY"
            } else {
                "NO FORCE ROW LEVEL SECURITY"
            });
        }
    }

    fn comments(&mut self) {
        let table = self.wanted.name.sql(DIALECT);
        if self.wanted.comment != self.current.comment {
            let text = column::comment_or_null(self.wanted.comment.as_deref());
            let word = relation::word(self.wanted.kind);
            self.statements.push(format!("COMMENT ON {word} {table} IS {text}"));
        }
        for wanted in &self.wanted.columns {
            let current = self.current.columns.iter().find(|current| current.name == wanted.name);
            let current = current.filter(|_| !self.replaced.contains(&wanted.name));
            if current.and_then(|current| current.comment.as_ref()) != wanted.comment.as_ref() {
                let text = column::comment_or_null(wanted.comment.as_deref());
                let name = identifier(DIALECT, &wanted.name);
                self.statements
                    .push(format!("COMMENT ON COLUMN {table}.{name} IS {text}"));
            }
        }
        for wanted in &self.wanted.constraints {
            let current = self
                .current
                .constraints
                .iter()
                .find(|current| same_constraint(wanted, current));
            if let Some(current) = current
                && current.comment != wanted.comment
                && !self.goes_with_column(wanted)
            {
                let text = column::comment_or_null(wanted.comment.as_deref());
                let name = identifier(DIALECT, &wanted.name);
                self.statements
                    .push(format!("COMMENT ON CONSTRAINT {name} ON {table} IS {text}"));
            }
        }
    }

    fn privileges(&mut self) {
        let on = privilege::table(self.wanted);
        let revoked = missing_from(&self.current.grants, &self.wanted.grants);
        let granted = missing_from(&self.wanted.grants, &self.current.grants);
        self.statements
            .extend(revoked.iter().map(|grant| privilege::revoke(&on, grant)));
        self.statements
            .extend(granted.iter().map(|grant| privilege::grant(&on, grant)));
        let none: &[Privilege] = &[];
        for wanted in &self.wanted.columns {
            let current = self.current.columns.iter().find(|current| current.name == wanted.name);
            let current = current.filter(|_| !self.replaced.contains(&wanted.name));
            let current = current.map_or(none, |current| current.grants.as_slice());
            let revoked = missing_from(current, &wanted.grants);
            let granted = missing_from(&wanted.grants, current);
            let name = &wanted.name;
            self.statements.extend(
                revoked
                    .iter()
                    .map(|grant| privilege::revoke_column(self.wanted, name, grant)),
            );
            self.statements.extend(
                granted
                    .iter()
                    .map(|grant| privilege::grant_column(self.wanted, name, grant)),
            );
        }
        if self.wanted.owner.is_some() && self.wanted.owner != self.current.owner {
            self.statements.extend(privilege::owner(self.wanted));
        }
    }

    /// The constraint stands as it is wanted.
    fn keeps(&self, found: &Constraint) -> bool {
        self.wanted
            .constraints
            .iter()
            .any(|wanted| same_constraint(wanted, found))
    }

    /// The server drops the constraint with one of its columns.
    fn goes_with_column(&self, found: &Constraint) -> bool {
        found.rule.columns().iter().any(|column| self.replaced.contains(column))
    }

    fn index_goes_with_column(&self, found: &Index) -> bool {
        self.replaced
            .iter()
            .any(|column| uses_column(DIALECT, found, &self.wanted.name.name, column))
    }
}

/// What `of` has and `other` has not.
fn missing_from<T: PartialEq + Clone>(of: &[T], other: &[T]) -> Vec<T> {
    of.iter().filter(|item| !other.contains(item)).cloned().collect()
}

fn same_constraint(one: &Constraint, other: &Constraint) -> bool {
    Constraint {
        comment: None,
        ..one.clone()
    } == Constraint {
        comment: None,
        ..other.clone()
    }
}

fn same_trigger(one: &crate::model::Trigger, other: &crate::model::Trigger) -> bool {
    one.name == other.name && one.definition == other.definition && one.enabled == other.enabled
}

fn same_policy(one: &crate::model::PolicyModel, other: &crate::model::PolicyModel) -> bool {
    let plain = |policy: &crate::model::PolicyModel| crate::model::PolicyModel {
        comment: None,
        ..policy.clone()
    };
    plain(one) == plain(other)
}
