DROP TABLE tollgate.outbox;
DROP TABLE tollgate.leases;
DROP TABLE tollgate.approvals;
DROP TABLE tollgate.statement_progress;
DROP TABLE tollgate.rollback_plans;
DROP TABLE tollgate.findings;
DROP TABLE tollgate.runs;
