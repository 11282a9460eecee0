//! Runs of Tollgate and what the policies found in them.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::error::DatabaseError;
use crate::sql_text::literal;
use crate::state::{AT_ONCE, State, prefix, query, time};

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun<'a> {
    /// `deploy`, `rollback`, …
    pub command: &'a str,
    /// Who.
    pub actor: Option<&'a str>,
    /// Which environment of the configuration.
    pub environment: Option<&'a str>,
}

/// A new run's identifier.
pub fn new_run_id() -> String {
    Uuid::new_v4().to_string()
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// UUID.
    pub id: String,
    /// `deploy`, `rollback`, …
    pub command: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended. `None`: it runs, or was killed.
    pub finished_at: Option<Timestamp>,
    /// Who.
    pub actor: Option<String>,
    /// Which environment of the configuration.
    pub environment: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
}

/// Something a policy found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRecord {
    /// In which migration.
    pub migration: Option<String>,
    /// The finding.
    pub document: Value,
}

#[derive(QueryableByName)]
struct RawRun {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    command: String,
    #[diesel(sql_type = Text)]
    started_at: String,
    #[diesel(sql_type = Nullable<Text>)]
    finished_at: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    actor: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    environment: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    outcome: Option<String>,
}

#[derive(QueryableByName)]
struct RawFinding {
    #[diesel(sql_type = Nullable<Text>)]
    migration: Option<String>,
    #[diesel(sql_type = Text)]
    document: String,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName)]
struct Next {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl State<'_> {
    /// Records that a run begins; its id.
    pub fn begin_run(&mut self, run: &NewRun<'_>) -> Result<String, DatabaseError> {
        self.make("runs")?;
        let id = new_run_id();
        // What the run does comes later, and takes this along to PostgreSQL's disk.
        let values = if self.connection.is_postgres() {
            "SELECT $1, $2, $3, $4, $5, $6 FROM pg_catalog.set_config('synchronous_commit', 'off', true)"
        } else {
            "VALUES ($1, $2, $3, $4, $5, $6)"
        };
        query!(
            self,
            "record the run",
            format!("INSERT INTO {{}}runs (id, ledger, command, started_at, actor, environment) {values}"),
            [
                Text => &id,
                Text => &self.ledger,
                Text => run.command,
                Text => time::text(Timestamp::now()),
                Nullable<Text> => run.actor,
                Nullable<Text> => run.environment,
            ]
        )?;
        Ok(id)
    }

    /// Records how a run ended.
    pub fn finish_run(&mut self, id: &str, outcome: &str) -> Result<(), DatabaseError> {
        query!(
            self,
            "record the end of the run",
            "UPDATE {}runs SET finished_at = $1, outcome = $2 WHERE id = $3",
            [Text => time::text(Timestamp::now()), Text => outcome, Text => id]
        )
        .map(drop)
    }

    /// Runs that did not come to a good end, or not yet.
    pub(crate) fn unfinished_runs(&mut self) -> Result<Vec<String>, DatabaseError> {
        if !self.tables.has("runs") {
            return Ok(Vec::new());
        }
        let rows = query!(
            self,
            "read the runs",
            "SELECT id FROM {}runs WHERE ledger = $1 AND (outcome IS NULL OR outcome <> 'succeeded')",
            [Text => &self.ledger],
            load::<Id>
        )?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// The newest runs, newest first.
    pub fn runs(&mut self, limit: i64) -> Result<Vec<RunRecord>, DatabaseError> {
        if !self.tables.has("runs") {
            return Ok(Vec::new());
        }
        let rows = query!(
            self,
            "read the runs",
            "SELECT id, command, started_at, finished_at, actor, environment, outcome FROM {}runs WHERE ledger = $1 \
             ORDER BY started_at DESC, id LIMIT $2",
            [Text => &self.ledger, BigInt => limit],
            load::<RawRun>
        )?;
        Ok(rows.into_iter().map(RawRun::read).collect())
    }

    /// Records findings of a run, after those it has.
    pub fn add_findings(&mut self, run: &str, findings: &[FindingRecord]) -> Result<(), DatabaseError> {
        if findings.is_empty() {
            return Ok(());
        }
        self.make("findings")?;
        let next = query!(
            self,
            "read the findings",
            "SELECT CAST(count(*) AS BIGINT) AS number FROM {}findings WHERE run_id = $1",
            [Text => run],
            load::<Next>
        )?;
        let first = next
            .first()
            .map_or(0, |next| i32::try_from(next.number).unwrap_or(i32::MAX));
        let numbered: Vec<_> = (first..).zip(findings).collect();
        for findings in numbered.chunks(AT_ONCE) {
            let rows: Vec<String> = findings
                .iter()
                .map(|(number, finding)| {
                    let migration = finding.migration.as_deref().map_or_else(|| "NULL".to_owned(), literal);
                    let document = literal(&finding.document.to_string());
                    format!("({}, {number}, {migration}, {document})", literal(run))
                })
                .collect();
            let sql = format!(
                "INSERT INTO {}findings (run_id, number, migration, document) VALUES {}",
                prefix(self.connection.is_postgres()),
                rows.join(", ")
            );
            self.connection.run_own("record the findings", &sql)?;
        }
        Ok(())
    }

    /// Findings of a run, of one migration or of all, in the order in which they were recorded.
    pub fn findings(&mut self, run: &str, migration: Option<&str>) -> Result<Vec<FindingRecord>, DatabaseError> {
        if !self.tables.has("findings") {
            return Ok(Vec::new());
        }
        let rows = query!(
            self,
            "read the findings",
            "SELECT migration, document FROM {}findings WHERE run_id = $1 ORDER BY number",
            [Text => run],
            load::<RawFinding>
        )?;
        Ok(rows
            .into_iter()
            .filter(|row| migration.is_none() || row.migration.as_deref() == migration)
            .map(|row| FindingRecord {
                migration: row.migration,
                document: serde_json::from_str(&row.document).unwrap_or(Value::Null),
            })
            .collect())
    }
}

impl RawRun {
    fn read(self) -> RunRecord {
        RunRecord {
            id: self.id,
            command: self.command,
            started_at: time::parse(&self.started_at),
            finished_at: self.finished_at.as_deref().map(time::parse),
            actor: self.actor,
            environment: self.environment,
            outcome: self.outcome,
        }
    }
}
