//! Approvals by which runs let findings pass: who let what into the database.

use diesel::QueryableByName;
use diesel::sql_types::{Integer, Nullable, Text};
use jiff::Timestamp;

use crate::error::DatabaseError;
use crate::sql_text::literal;
use crate::state::{AT_ONCE, State, prefix, query, time};

/// An approval that a run made use of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// The migration.
    pub migration: String,
    /// Checksum of its text.
    pub checksum: String,
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// The statement's place in the file, counted from 1; `None` for the file as a whole.
    pub statement: Option<usize>,
    /// SHA-256 of the statement.
    pub digest: Option<String>,
    /// The level up to which it was given.
    pub level: String,
    /// `file` or `command-line`.
    pub source: String,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

#[derive(QueryableByName)]
struct Raw {
    #[diesel(sql_type = Text)]
    migration: String,
    #[diesel(sql_type = Text)]
    checksum: String,
    #[diesel(sql_type = Text)]
    plugin: String,
    #[diesel(sql_type = Text)]
    rule: String,
    #[diesel(sql_type = Nullable<Integer>)]
    statement: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    digest: Option<String>,
    #[diesel(sql_type = Text)]
    level: String,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    approved_by: String,
    #[diesel(sql_type = Text)]
    approved_at: String,
    #[diesel(sql_type = Text)]
    reason: String,
}

impl State<'_> {
    /// Records the approvals that a run makes use of. Once a run.
    pub fn add_approvals(&mut self, run: &str, approvals: &[ApprovalRecord]) -> Result<(), DatabaseError> {
        if approvals.is_empty() {
            return Ok(());
        }
        self.make("approvals")?;
        let numbered: Vec<_> = approvals.iter().enumerate().collect();
        for approvals in numbered.chunks(AT_ONCE) {
            let rows: Vec<String> = approvals
                .iter()
                .map(|(number, approval)| self.approval_row(run, *number, approval))
                .collect();
            let sql = format!(
                "INSERT INTO {}approvals (run_id, number, ledger, migration, checksum, plugin, rule, statement, digest, \
                 level, source, approved_by, approved_at, reason) VALUES {}",
                prefix(self.connection.is_postgres()),
                rows.join(", ")
            );
            self.connection.run_own("record the approvals", &sql)?;
        }
        Ok(())
    }

    fn approval_row(&self, run: &str, number: usize, approval: &ApprovalRecord) -> String {
        let null = || "NULL".to_owned();
        let statement = approval.statement.map_or_else(null, |number| number.to_string());
        let digest = approval.digest.as_deref().map_or_else(null, literal);
        let at = time::text(approval.at);
        let texts = [
            &self.ledger,
            &approval.migration,
            &approval.checksum,
            &approval.plugin,
            &approval.rule,
        ];
        let more = [&approval.level, &approval.source, &approval.by, &at, &approval.reason];
        let list = |texts: &[&String]| texts.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ");
        format!(
            "({}, {number}, {}, {statement}, {digest}, {})",
            literal(run),
            list(&texts),
            list(&more)
        )
    }

    /// The approvals that a run made use of, in the order of its plan.
    pub fn approvals(&mut self, run: &str) -> Result<Vec<ApprovalRecord>, DatabaseError> {
        if !self.tables.has("approvals") {
            return Ok(Vec::new());
        }
        let rows = query!(
            self,
            "read the approvals",
            "SELECT migration, checksum, plugin, rule, statement, digest, level, source, approved_by, approved_at, reason \
             FROM {}approvals WHERE run_id = $1 ORDER BY number",
            [Text => run],
            load::<Raw>
        )?;
        Ok(rows.into_iter().map(Raw::read).collect())
    }
}

impl Raw {
    fn read(self) -> ApprovalRecord {
        ApprovalRecord {
            migration: self.migration,
            checksum: self.checksum,
            plugin: self.plugin,
            rule: self.rule,
            statement: self.statement.and_then(|number| usize::try_from(number).ok()),
            digest: self.digest,
            level: self.level,
            source: self.source,
            by: self.approved_by,
            at: time::parse(&self.approved_at),
            reason: self.reason,
        }
    }
}
