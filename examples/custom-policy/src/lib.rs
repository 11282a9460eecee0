//! Every table that holds tenants' data has a `tenant_id`, and an index that starts with it.
//!
//! Without one, a query for one tenant reads the rows of all of them. No rule about single statements can say that: it
//! is a question about the schema as it is after the migration.

use std::collections::BTreeSet;

use tollgate_plugin::{
    Catalog, Description, Effect, Failure, Finding, IndexKey, Migration, ObjectKind, ObjectName, Operation, Policy,
    PolicyRequest, Relation, RelationKind, SettingsIssue, Severity, Statement,
};

/// The table `[plugins.tenant-isolation.settings]` of the configuration.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Tables that all tenants share.
    #[serde(default)]
    shared_tables: BTreeSet<String>,
}

/// The policy.
pub struct TenantIsolation {
    shared_tables: BTreeSet<String>,
}

impl Policy for TenantIsolation {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new("tenant-isolation", env!("CARGO_PKG_VERSION"), "Tenants' tables are indexed by tenant_id")
            .rule("tenant-index", Severity::High, "A tenant table has a tenant_id that leads an index")
    }

    fn configure(settings: Settings) -> Result<Self, Vec<SettingsIssue>> {
        Ok(Self { shared_tables: settings.shared_tables })
    }

    fn check(
        &self,
        _request: &PolicyRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<Finding>, Failure> {
        let mut judged = BTreeSet::new();
        let mut findings = Vec::new();
        for statement in migration.statements() {
            for effect in &statement.effects {
                // What is not there after the migration, and what was judged for an earlier statement, needs no word.
                let Some(table) = table_of(&effect.operation, before) else { continue };
                let Some(relation) = after.relation(&table) else { continue };
                if judged.insert(relation.name.to_string()) && !self.isolated(&relation) {
                    findings.push(report(&relation, statement, effect));
                }
            }
        }
        Ok(findings)
    }
}

impl TenantIsolation {
    fn isolated(&self, relation: &Relation) -> bool {
        let is_table = matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable);
        !is_table
            || self.shared_tables.contains(&relation.name.name)
            || relation.indexes.iter().any(|index| {
                matches!(index.keys.first(), Some(IndexKey::Column(column)) if column == "tenant_id")
                    && index.valid
                    && index.predicate.is_none()
            })
    }
}

/// The table whose isolation the operation can change.
fn table_of(operation: &Operation, before: &dyn Catalog) -> Option<ObjectName> {
    match operation {
        Operation::CreateTable(created) => Some(created.name.clone()),
        Operation::DropColumn(dropped) => Some(dropped.column.table.clone()),
        Operation::RenameColumn(renamed) => Some(renamed.from.table.clone()),
        Operation::DropConstraint(dropped) => Some(dropped.table.clone()),
        Operation::Drop(dropped) if dropped.kind == ObjectKind::Index => before.index_owner(&dropped.name),
        Operation::Rename(renamed) if renamed.kind == ObjectKind::Table => {
            Some(ObjectName { name: renamed.to.clone(), ..renamed.from.clone() })
        }
        _ => None,
    }
}

fn report(relation: &Relation, statement: &Statement, effect: &Effect) -> Finding {
    let table = relation.name.short();
    let (message, help) = if relation.column("tenant_id").is_some() {
        (
            format!("no index of {table} starts with tenant_id"),
            format!("create one in this migration: CREATE INDEX ON \"{table}\" (\"tenant_id\")"),
        )
    } else {
        (
            format!("the table {table} has no tenant_id"),
            "add the column and an index that starts with it, or list the table under `shared_tables`".to_owned(),
        )
    };
    let mut finding = Finding::new("tenant-index", Severity::High, message);
    finding.at(statement.index, effect.at).help(help);
    finding
}

tollgate_plugin::export_policy!(TenantIsolation);
