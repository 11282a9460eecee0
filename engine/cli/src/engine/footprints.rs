//! What statements lock, read whole and write anew, for people and for programs.

use serde::Serialize;
use tollgate_engine::sql::ObjectName;
use tollgate_engine::sql::operation::ObjectKind;
use tollgate_engine::{ExplainedStatement, LockMode, TableLock};

use crate::output::Ui;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// One statement.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatementDocument {
    /// Line on which it starts.
    pub line: usize,
    /// Its text on one line, shortened.
    pub excerpt: String,
    /// It runs inside a transaction.
    pub transactional: bool,
    /// What it does, a clause each.
    pub does: Vec<String>,
    /// What it locks; what it makes itself is left out. Null where that is not told: on MySQL and MariaDB.
    pub locks: Option<Vec<LockDocument>>,
}

/// One relation that a statement locks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct LockDocument {
    /// The relation with its schema; on SQLite the database, `main`.
    pub relation: String,
    /// `table`, `view`, `materialized-view`, `foreign-table`, `index`, `sequence` or `database`.
    pub kind: ObjectKindName,
    /// PostgreSQL's mode: `ACCESS EXCLUSIVE`.
    pub mode: &'static str,
    /// Nobody can read it meanwhile.
    pub blocks_reads: bool,
    /// Nobody can write to it meanwhile.
    pub blocks_writes: bool,
    /// Nobody can alter it, index it or vacuum it meanwhile.
    pub blocks_changes: bool,
    /// Every row is read.
    pub scans: bool,
    /// Every row is written anew.
    pub rewrites: bool,
}

/// A kind of relation, by name.
pub type ObjectKindName = &'static str;

impl From<&ExplainedStatement> for StatementDocument {
    fn from(statement: &ExplainedStatement) -> Self {
        Self {
            line: statement.line,
            excerpt: statement.excerpt.clone(),
            transactional: statement.transactional,
            does: statement.does.clone(),
            locks: statement
                .locks
                .as_ref()
                .map(|locks| locks.iter().map(LockDocument::from).collect()),
        }
    }
}

impl From<&TableLock> for LockDocument {
    fn from(lock: &TableLock) -> Self {
        Self {
            relation: lock.relation.to_string(),
            kind: kind(lock.kind),
            mode: lock.mode.words(),
            blocks_reads: lock.mode.blocks_reads(),
            blocks_writes: lock.mode.blocks_writes(),
            blocks_changes: lock.mode.blocks_changes(),
            scans: lock.scans,
            rewrites: lock.rewrites,
        }
    }
}

/// The name of a relation's kind.
pub fn kind(kind: ObjectKind) -> ObjectKindName {
    match kind {
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized-view",
        ObjectKind::ForeignTable => "foreign-table",
        ObjectKind::Index => "index",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Database => "database",
        _ => "table",
    }
}

/// Prints where a statement is and what it says.
pub fn head(ui: &Ui, statement: &ExplainedStatement) {
    let alone = if statement.transactional {
        String::new()
    } else {
        paint(DIM, " (outside of transactions)")
    };
    let place = paint(DIM, format!("line {}:", statement.line));
    ui.line(format!("  {place} {}{alone}", paint(NAME, &statement.excerpt)));
}

/// Prints one statement: where, what it says, what it does, what it locks.
pub fn show(ui: &Ui, statement: &ExplainedStatement) {
    head(ui, statement);
    for clause in &statement.does {
        ui.line(format!("    {clause}"));
    }
    let Some(locks) = &statement.locks else { return };
    for lock in locks {
        show_lock(ui, lock);
    }
    if locks.is_empty() {
        ui.line(format!("    {}", paint(DIM, "locks nothing that was there before")));
    }
}

/// Prints one lock of a statement.
pub fn show_lock(ui: &Ui, lock: &TableLock) {
    ui.line(format!("    {}", line(lock)));
}

/// One lock in a line.
fn line(lock: &TableLock) -> String {
    if lock.kind == ObjectKind::Database {
        let text = "locks the whole database: nobody else can write until it commits";
        return paint(WARN, text);
    }
    let mut text = format!(
        "{} on {} {}: {}",
        lock.mode,
        kind(lock.kind).replace('-', " "),
        short(&lock.relation),
        meaning(lock.mode)
    );
    if lock.rewrites {
        text.push_str("; writes every row anew");
    } else if lock.scans {
        text.push_str("; reads every row");
    }
    paint(style(lock), text)
}

fn style(lock: &TableLock) -> anstyle::Style {
    let long = lock.scans || lock.rewrites;
    match lock.mode {
        mode if mode.blocks_reads() && long => BAD,
        mode if mode.blocks_reads() || (mode.blocks_writes() && long) => WARN,
        mode if mode.blocks_changes() => GOOD,
        _ => DIM,
    }
}

/// What a mode means for everybody else.
fn meaning(mode: LockMode) -> &'static str {
    if mode.blocks_reads() {
        "nobody else can read or write"
    } else if mode.blocks_writes() {
        "others can read, nobody else can write"
    } else if mode.blocks_changes() {
        "others can read and write, nobody else can alter it"
    } else {
        "others can read and write"
    }
}

/// The name without the schema that everybody uses.
fn short(name: &ObjectName) -> String {
    match name.schema.as_deref() {
        Some("public") => name.name.clone(),
        _ => name.to_string(),
    }
}
