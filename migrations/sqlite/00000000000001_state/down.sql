DROP TABLE outbox;
DROP TABLE leases;
DROP TABLE approvals;
DROP TABLE statement_progress;
DROP TABLE rollback_plans;
DROP TABLE findings;
DROP TABLE runs;
