DROP TABLE tollgate.approvals;

CREATE TABLE tollgate.approvals (
    id TEXT PRIMARY KEY NOT NULL,
    ledger TEXT NOT NULL,
    migration TEXT NOT NULL,
    checksum TEXT NOT NULL,
    rule TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    reason TEXT,
    approved_at TEXT NOT NULL,
    UNIQUE (ledger, migration, checksum, rule, approved_by)
);
