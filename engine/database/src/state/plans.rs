//! Rollback plans, kept from the deploy on: what a drop destroys can be read only before it.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::DatabaseError;
use crate::sql_text::literal;
use crate::state::{AT_ONCE, State, prefix, query, time};

#[derive(QueryableByName)]
struct Document {
    #[diesel(sql_type = Text)]
    document: String,
}

/// How a migration will be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptPlan<'a> {
    /// Folder name.
    pub migration: &'a str,
    /// Checksum of its file.
    pub checksum: &'a str,
    /// The plan.
    pub document: Value,
}

impl State<'_> {
    /// Keeps plans, each in the place of an earlier one of the same migration and file.
    pub fn keep_plans(&mut self, plans: &[KeptPlan<'_>]) -> Result<(), DatabaseError> {
        if plans.is_empty() {
            return Ok(());
        }
        self.make("rollback_plans")?;
        let created_at = literal(&time::text(Timestamp::now()));
        let ledger = literal(&self.ledger);
        for plans in plans.chunks(AT_ONCE) {
            let rows: Vec<String> = plans
                .iter()
                .map(|plan| {
                    let document = literal(&plan.document.to_string());
                    let (migration, checksum) = (literal(plan.migration), literal(plan.checksum));
                    format!("({ledger}, {migration}, {checksum}, {created_at}, {document})")
                })
                .collect();
            let sql = format!(
                "INSERT INTO {}rollback_plans (ledger, migration, checksum, created_at, document) VALUES {} \
                 ON CONFLICT (ledger, migration, checksum) \
                 DO UPDATE SET created_at = excluded.created_at, document = excluded.document",
                prefix(self.connection.is_postgres()),
                rows.join(", ")
            );
            self.connection.run_own("keep the rollback plans", &sql)?;
        }
        Ok(())
    }

    /// The plan that was kept for a migration, when its file is still the same.
    pub fn plan(&mut self, migration: &str, checksum: &str) -> Result<Option<Value>, DatabaseError> {
        if !self.tables.has("rollback_plans") {
            return Ok(None);
        }
        let rows = query!(
            self,
            "read the rollback plan",
            "SELECT document FROM {}rollback_plans WHERE ledger = $1 AND migration = $2 AND checksum = $3",
            [Text => &self.ledger, Text => migration, Text => checksum],
            load::<Document>
        )?;
        Ok(rows.first().and_then(|row| serde_json::from_str(&row.document).ok()))
    }

    /// Forgets every plan of a migration.
    pub fn forget_plans(&mut self, migration: &str) -> Result<(), DatabaseError> {
        if !self.tables.has("rollback_plans") {
            return Ok(());
        }
        query!(
            self,
            "forget the rollback plan",
            "DELETE FROM {}rollback_plans WHERE ledger = $1 AND migration = $2",
            [Text => &self.ledger, Text => migration]
        )
        .map(drop)
    }
}
