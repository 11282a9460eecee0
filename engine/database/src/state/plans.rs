//! Rollback plans, kept from the deploy on: what a drop destroys can be read only before it.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::DatabaseError;
use crate::state::{State, query, time};

#[derive(QueryableByName)]
struct Document {
    #[diesel(sql_type = Text)]
    document: String,
}

impl State<'_> {
    /// Keeps the plan of a migration, in the place of an earlier one.
    pub fn keep_plan(&mut self, migration: &str, checksum: &str, plan: &Value) -> Result<(), DatabaseError> {
        query!(
            self,
            "keep the rollback plan",
            "INSERT INTO {}rollback_plans (ledger, migration, checksum, created_at, document) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (ledger, migration, checksum) \
             DO UPDATE SET created_at = excluded.created_at, document = excluded.document",
            [
                Text => &self.ledger,
                Text => migration,
                Text => checksum,
                Text => time::text(Timestamp::now()),
                Text => plan.to_string(),
            ]
        )
        .map(drop)
    }

    /// The plan that was kept for a migration, when its file is still the same.
    pub fn plan(&mut self, migration: &str, checksum: &str) -> Result<Option<Value>, DatabaseError> {
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
        query!(
            self,
            "forget the rollback plan",
            "DELETE FROM {}rollback_plans WHERE ledger = $1 AND migration = $2",
            [Text => &self.ledger, Text => migration]
        )
        .map(drop)
    }
}
