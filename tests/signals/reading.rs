//! Commands that only read end at once; and a deploy that has nothing to lose yet ends when it is asked twice.

use std::net::TcpListener;

use insta::assert_snapshot;
use rustix::process::Signal;
use tollgate_tests::Project;

use crate::support::{Running, until};

/// A server that takes connections and never says a word.
fn silent() -> (TcpListener, Project) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut project = Project::new();
    project.set(
        "DATABASE_URL",
        &format!("postgresql://u@127.0.0.1:{port}/d?connect_timeout=0&sslmode=disable"),
    );
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    (listener, project)
}

fn connecting(arguments: &[&str], end: impl FnOnce(&Running)) -> String {
    let (listener, project) = silent();
    let command = Running::start(&project, arguments);
    let connection = listener.accept().unwrap();
    end(&command);
    let outcome = command.end(&project).to_string();
    drop(connection);
    outcome
}

#[test]
fn a_status_ends_at_once_and_in_silence() {
    let seen = [Signal::INT, Signal::TERM, Signal::HUP].map(|signal| connecting(&["status"], |it| it.send(signal)));
    assert_snapshot!(seen.concat(), @"
    status: 130
    status: 143
    status: 129
    ");
}

#[test]
fn so_does_a_dry_run() {
    let seen = connecting(&["deploy", "--dry-run"], |it| it.send(Signal::INT));
    assert_snapshot!(seen, @"status: 130");
}

#[test]
fn a_deploy_that_only_connects_ends_when_it_is_asked_twice() {
    let seen = connecting(&["deploy"], |it| {
        it.ask(Signal::TERM);
        it.send_again();
    });
    assert_snapshot!(seen, @"
    status: 143
    -- stderr
    stopping
    ");
}

#[test]
fn two_at_once_are_one_wish() {
    let seen = connecting(&["deploy"], |it| {
        // As npm does it: the terminal's Ctrl-C, and the same passed on.
        it.send(Signal::INT);
        it.ask(Signal::INT);
        it.send(Signal::HUP);
        it.send_again();
    });
    assert_snapshot!(seen, @"
    status: 130
    -- stderr
    stopping
    ");
}

#[test]
fn what_was_ignored_at_the_start_stays_so() {
    let (listener, project) = silent();
    let direct = project.command(&["status"]);
    let mut command = std::process::Command::new("nohup");
    command
        .arg(direct.get_program())
        .args(direct.get_args())
        .current_dir(project.path())
        .env_clear()
        .envs(direct.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let status = Running::spawn(&mut command);
    let connection = listener.accept().unwrap();
    status.send(Signal::HUP);
    // Had it been heard, it would have ended it before this one.
    status.send_again();
    assert_eq!(status.end(&project).status, Some(130));
    drop(connection);
}

#[test]
fn a_reader_that_goes_away_does_not_break_a_deploy() {
    let mut project = Project::new();
    project.set("DATABASE_URL", "file:./app.db");
    for number in 10..60 {
        project.migration(
            &format!("{number}_t"),
            &format!("CREATE TABLE t{number} (id integer);\n"),
        );
    }
    let mut deploy = project.command(&["deploy"]);
    let mut deploy = deploy
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // As `| head -0` does.
    drop(deploy.stdout.take());
    drop(deploy.stderr.take());
    until("the deploy has ended", || deploy.try_wait().unwrap().is_some());
    assert_eq!(deploy.wait().unwrap().code(), Some(0));
    project.succeed(&["status"]);
}
