//! People are told of an interrupted run as of a failed one, unless they do not answer.

use std::net::TcpListener;

use insta::assert_snapshot;
use rustix::process::Signal;
use tollgate_tests::Receiver;

use crate::support::{Running, Stage, WAIT};

fn stage(url: &str) -> Stage {
    let stage = Stage::new();
    stage.project.succeed(&["deploy"]);
    stage.project.file(
        "tollgate.toml",
        &format!(
            "[deploy]\nstatement_lock_timeout_ms = 0\n\n[plugins.webhook.settings]\nevents = [\"failed\", \"finished\"]\n\n\
             [plugins.webhook.endpoints.webhook]\nurl = \"{url}\"\nallow_private = true\n",
        ),
    );
    stage
        .project
        .migration("2_b", &format!("{WAIT}CREATE TABLE c (id integer);\n"));
    stage
}

#[test]
fn that_it_was_interrupted() {
    let receiver = Receiver::start();
    let stage = stage(receiver.url());
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    deploy.ask(Signal::INT);
    first.end();
    assert_eq!(deploy.end(&stage.project).status, Some(130));
    let told = receiver.received();
    let told = told.iter().map(|request| {
        let body = request.json();
        format!("{}: {}\n", body["event"], body["data"]["message"])
    });
    assert_snapshot!(told.collect::<String>(), @r#"
    "failed": "interrupted: statement 2 was cancelled"
    "finished": null
    "#);
    second.end();
    stage.goes_on();
}

#[test]
fn one_who_does_not_answer_holds_nobody_up_who_asks_twice() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = stage(&format!("http://{}/", silent.local_addr().unwrap()));
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    deploy.ask(Signal::INT);
    first.end();
    // It is about to be told.
    let connection = silent.accept().unwrap();
    deploy.send_again();
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(130), "{outcome}");
    drop(connection);
    let waiting = stage.database.psql(
        "SELECT (e ->> 'event') || coalesce(': ' || (e ->> 'message'), '') FROM tollgate.outbox, \
         LATERAL (SELECT document::json -> 'event' AS e) d WHERE status = 'due' ORDER BY created_at, id",
    );
    assert_snapshot!(waiting, @"
    failed: interrupted: statement 2 was cancelled
    finished
    ");
    drop(silent);
    second.end();
    stage.goes_on();
}
