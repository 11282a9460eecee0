//! What others see while a deploy is in the middle of a migration.

use insta::assert_snapshot;

use crate::support::{Running, Session, Stage, WAIT};

/// What a command says. A run's two sessions are in the order of what they do, not of their processes.
fn shown(stage: &Stage, arguments: &[&str]) -> String {
    let text = stage.project.run(arguments).to_string();
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(first) = lines.iter().position(|line| line.starts_with("at work")) {
        lines[first..first + 2].sort_unstable();
    }
    lines.join("\n")
}

/// A deploy that is at a project's second migration. Should a test fail, it goes before its database.
struct Midway {
    deploy: Running,
    held: [Session; 2],
    stage: Stage,
}

impl Midway {
    #[track_caller]
    fn through(migration: &str) -> Self {
        let stage = Stage::new();
        stage.project.migration("2_b", migration);
        let held = stage.hold();
        let deploy = Running::start(&stage.project, &["deploy"]);
        stage.waits();
        Self { deploy, held, stage }
    }

    /// Lets it come to its end.
    #[track_caller]
    fn end(self) -> Stage {
        for session in self.held {
            session.end();
        }
        let outcome = self.deploy.end(&self.stage.project);
        assert_eq!(outcome.status, Some(0), "{outcome}");
        self.stage.goes_on();
        self.stage
    }
}

#[test]
fn a_migration_that_is_one_transaction_is_pending_until_it_is_in() {
    let deploy = Midway::through(&format!("{WAIT}CREATE TABLE c (id integer);\n"));
    assert_snapshot!(shown(&deploy.stage, &["status"]), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    at work: PID [number] (user postgres, application tollgate, since [time]) holds the lock
    at work: PID [number] (user postgres, application tollgate, since [time]) holds the lock and runs CREATE TABLE b AS SELECT ? AS id FROM pg_advisory_xact_lock…
    applied     1_a
    pending     2_b
    2 migrations: 1 applied, 1 pending; next: wait until the run that holds the lock is done
    "#);
    assert_snapshot!(shown(&deploy.stage, &["deploy", "--dry-run"]), @"
    status: 0
    -- stdout
    1. 2_b 3 statements
       taken back: irreversible: no rollback generator knows how to undo every statement
    1 migration checked: 1 note
    1 migration to deploy; nothing was changed
    -- stderr
    conventions::migration-name

      ☞ migrations/2_b/migration.sql: the name 2_b could say more: it does not begin with the time as
      │ YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users
    ");
    let lock = shown(&deploy.stage, &["lock", "status"]);
    let runs = "runs, or ran last: CREATE TABLE b AS SELECT ? AS id FROM pg_advisory_xact_lock(?)";
    assert!(lock.contains(runs), "{lock}");
    assert_eq!(deploy.end().tables(), "a b c");
}

#[test]
fn one_of_several_transactions_is_running() {
    let migration = format!("-- tollgate:transaction off\nCREATE TABLE c (id integer);\n{WAIT}");
    let deploy = Midway::through(&migration);
    assert_snapshot!(shown(&deploy.stage, &["status"]), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    at work: PID [number] (user postgres, application tollgate, since [time]) holds the lock
    at work: PID [number] (user postgres, application tollgate, since [time]) holds the lock and runs CREATE TABLE b AS SELECT ? AS id FROM pg_advisory_xact_lock…
    applied     1_a
    running     2_b  1 of 3 statements is in; line 3 comes next
    2 migrations: 1 applied, 1 running; next: wait until the run that holds the lock is done
    "#);
    deploy.end();
}
