-- What Tollgate remembers beside the ledger. Times are RFC 3339 in UTC with six decimals, so that they sort as text.
-- "ledger" is the schema of the ledger a row belongs to; several ledgers may share one database.

CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,
    ledger TEXT NOT NULL,
    command TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    actor TEXT,
    environment TEXT,
    outcome TEXT
);
CREATE INDEX runs_by_ledger ON runs (ledger, started_at);

CREATE TABLE findings (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    migration TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
);

-- The SQL that takes a migration back, made while the database was as it was before the migration.
CREATE TABLE rollback_plans (
    ledger TEXT NOT NULL,
    migration TEXT NOT NULL,
    checksum TEXT NOT NULL,
    created_at TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (ledger, migration, checksum)
);

-- How far an unfinished migration came. "digest" is that of the statements that are in.
CREATE TABLE statement_progress (
    row_id TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('up', 'down')),
    done INTEGER NOT NULL,
    digest TEXT NOT NULL,
    in_flight INTEGER,
    repeatable INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (row_id, direction)
);

CREATE TABLE approvals (
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

-- Who may deploy while nobody else may. "token_digest" is the SHA-256 of the token that proves it.
CREATE TABLE leases (
    ledger TEXT PRIMARY KEY NOT NULL,
    token_digest TEXT NOT NULL,
    owner TEXT NOT NULL,
    host TEXT,
    pid INTEGER,
    reason TEXT,
    acquired_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

-- Notifications that have not been delivered, and those that have or never will be.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    ledger TEXT NOT NULL,
    run_id TEXT,
    notifier TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    status TEXT NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'done', 'failed'))
);
CREATE INDEX outbox_by_due ON outbox (status, due_at);
