//! Notifications that wait for delivery.

use diesel::QueryableByName;
use diesel::sql_types::{Integer, Nullable, Text};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::error::DatabaseError;
use crate::state::{State, query, time};

/// A notification to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// The run it tells about.
    pub run: Option<&'a str>,
    /// The notifier that is to deliver it.
    pub notifier: &'a str,
    /// What it is to deliver.
    pub document: &'a Value,
}

/// A notification that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// UUID.
    pub id: String,
    /// The run it tells about.
    pub run: Option<String>,
    /// The notifier that is to deliver it.
    pub notifier: String,
    /// What it is to deliver.
    pub document: Value,
    /// When it was pushed.
    pub created_at: Timestamp,
    /// When it is to be tried.
    pub due_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Why it failed last.
    pub last_error: Option<String>,
}

#[derive(QueryableByName)]
struct Raw {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Text>)]
    run_id: Option<String>,
    #[diesel(sql_type = Text)]
    notifier: String,
    #[diesel(sql_type = Text)]
    document: String,
    #[diesel(sql_type = Text)]
    created_at: String,
    #[diesel(sql_type = Text)]
    due_at: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Nullable<Text>)]
    last_error: Option<String>,
}

impl State<'_> {
    /// Adds a notification that is due at once; its id.
    pub fn push(&mut self, message: &NewMessage<'_>) -> Result<String, DatabaseError> {
        self.make("outbox")?;
        let id = Uuid::new_v4().to_string();
        let now = time::text(Timestamp::now());
        query!(
            self,
            "keep a notification",
            "INSERT INTO {}outbox (id, ledger, run_id, notifier, document, created_at, due_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                Text => &id,
                Text => &self.ledger,
                Nullable<Text> => message.run,
                Text => message.notifier,
                Text => message.document.to_string(),
                Text => &now,
                Text => &now,
            ]
        )?;
        Ok(id)
    }

    /// Notifications that are due at `now`, oldest first.
    pub fn due(&mut self, now: Timestamp) -> Result<Vec<OutboxMessage>, DatabaseError> {
        if !self.tables.has("outbox") {
            return Ok(Vec::new());
        }
        let rows = query!(
            self,
            "read the notifications",
            "SELECT id, run_id, notifier, document, created_at, due_at, attempts, last_error FROM {}outbox \
             WHERE status = 'due' AND ledger = $1 AND due_at <= $2 ORDER BY created_at, id",
            [Text => &self.ledger, Text => time::text(now)],
            load::<Raw>
        )?;
        Ok(rows.into_iter().map(Raw::read).collect())
    }

    /// A notification was delivered.
    pub fn done(&mut self, id: &str) -> Result<(), DatabaseError> {
        query!(self, "record a delivery", "UPDATE {}outbox SET status = 'done' WHERE id = $1", [Text => id]).map(drop)
    }

    /// A notification was not delivered: it is tried again at `retry_at`, or never.
    pub fn failed(&mut self, id: &str, error: &str, retry_at: Option<Timestamp>) -> Result<(), DatabaseError> {
        let status = if retry_at.is_some() { "due" } else { "failed" };
        query!(
            self,
            "record a failed delivery",
            "UPDATE {}outbox SET attempts = attempts + 1, last_error = $1, status = $2, due_at = COALESCE($3, due_at) \
             WHERE id = $4",
            [Text => error, Text => status, Nullable<Text> => retry_at.map(time::text), Text => id]
        )
        .map(drop)
    }
}

impl Raw {
    fn read(self) -> OutboxMessage {
        OutboxMessage {
            id: self.id,
            run: self.run_id,
            notifier: self.notifier,
            document: serde_json::from_str(&self.document).unwrap_or(Value::Null),
            created_at: time::parse(&self.created_at),
            due_at: time::parse(&self.due_at),
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            last_error: self.last_error,
        }
    }
}
