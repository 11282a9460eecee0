-- Approvals by which a run let findings pass: one row for each, so that it can be said later who let what into the
-- database. The table of this name that was here before never had a row.

DROP TABLE approvals;

CREATE TABLE approvals (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    ledger TEXT NOT NULL,
    migration TEXT NOT NULL,
    checksum TEXT NOT NULL,
    plugin TEXT NOT NULL,
    rule TEXT NOT NULL,
    statement INTEGER,
    digest TEXT,
    level TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('file', 'command-line')),
    approved_by TEXT NOT NULL,
    approved_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE INDEX approvals_by_migration ON approvals (ledger, migration);
