//! While another run holds the lock.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Running, Session, Stage};

fn waiting_for_it(arguments: &[&str], signal: Signal) -> String {
    let stage = Stage::new();
    stage.project.succeed(&["deploy"]);
    stage.project.migration("2_b", "CREATE TABLE b (id integer);\n");
    let other = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    let command = Running::start(&stage.project, arguments);
    command.says("lock already held");
    command.ask(signal);
    let outcome = command.end(&stage.project).to_string();
    other.end();
    assert_eq!(stage.tables(), "a");
    stage.goes_on();
    outcome
}

#[test]
fn a_deploy_stops_waiting() {
    assert_snapshot!(waiting_for_it(&["deploy"], Signal::INT), @"
    status: 130
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    stopping
    interrupted

      × interrupted while waiting for the migration lock
      the database now: nothing was changed
    ");
}

#[test]
fn a_rollback_stops_waiting() {
    assert_snapshot!(waiting_for_it(&["rollback", "--force"], Signal::TERM), @"
    status: 143
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    stopping
    interrupted

      × interrupted while waiting for the migration lock
      the database now: nothing was changed
    ");
}

#[test]
fn a_resolve_stops_waiting() {
    assert_snapshot!(waiting_for_it(&["resolve", "--applied", "2_b"], Signal::HUP), @"
    status: 129
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    stopping
    interrupted

      × interrupted while waiting for the migration lock
      the database now: nothing was changed
    ");
}
