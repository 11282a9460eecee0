#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

use serde_json::json;
use tollgate_plugin::{Applied, Awaiting, Checked, Failed, Finding, Finished, LockWait, Severity, Verdict, testing};

use super::*;

fn run() -> Run {
    Run {
        id: "6f1c".to_owned(),
        environment: Some("production".to_owned()),
        target: "db.example.com/app".to_owned(),
        actor: Some("ada".to_owned()),
        dry_run: false,
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        command: "deploy".to_owned(),
        commit: Some("0123456789abcdef".to_owned()),
        link: None,
    }
}

fn finished() -> Event {
    Event::Finished(Finished {
        applied: vec!["1_a".to_owned()],
        findings: vec![
            (
                "1_a".to_owned(),
                vec![Finding::new("drop-index", Severity::Medium, "drops an index")],
            ),
            ("2_b".to_owned(), vec![]),
        ],
        succeeded: true,
        duration_ms: 12,
    })
}

#[test]
fn the_whole_run_is_in_the_body() {
    let sent = testing::notifier::<Webhook>().notify(&run(), &finished());
    assert_eq!(sent.result, Ok(()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "version": 1,
      "event": "finished",
      "run": {
        "id": "6f1c",
        "command": "deploy",
        "environment": "production",
        "target": "db.example.com/app",
        "actor": "ada",
        "dry_run": false,
        "started_at": "2026-01-01T00:00:00Z",
        "commit": "0123456789abcdef",
        "link": null
      },
      "data": {
        "succeeded": true,
        "migrations": [
          "1_a"
        ],
        "duration_ms": 12,
        "findings": [
          {
            "migration": "1_a",
            "findings": [
              {
                "rule": "drop-index",
                "severity": "medium",
                "message": "drops an index",
                "statement": null,
                "help": null
              }
            ]
          }
        ]
      }
    }
    "#);
}

#[test]
fn every_event_has_its_data() {
    let applied = || Applied {
        migration: "1_a".to_owned(),
        duration_ms: 3,
    };
    let failed = Failed {
        migration: "1_a".to_owned(),
        statement: Some(2),
        message: "boom".to_owned(),
        sqlstate: None,
    };
    for (event, expected) in [
        (Event::Planned(vec!["1_a".to_owned()]), json!({ "migrations": ["1_a"] })),
        (
            Event::Checked(Checked {
                verdict: Verdict::Blocked,
                findings: vec![],
            }),
            json!({ "verdict": "blocked", "findings": [] }),
        ),
        (
            Event::WaitingForLock(LockWait {
                holder: "PID 7".to_owned(),
            }),
            json!({ "holder": "PID 7" }),
        ),
        (
            Event::AwaitingApproval(Awaiting {
                findings: vec![],
                requirement: Some("has to be deployed to staging first".to_owned()),
                failures: vec![],
            }),
            json!({ "findings": [], "requirement": "has to be deployed to staging first", "failures": [] }),
        ),
        (
            Event::Applied(applied()),
            json!({ "migration": "1_a", "duration_ms": 3 }),
        ),
        (
            Event::RolledBack(applied()),
            json!({ "migration": "1_a", "duration_ms": 3 }),
        ),
        (
            Event::Failed(failed),
            json!({ "migration": "1_a", "statement": 2, "message": "boom", "sqlstate": null }),
        ),
    ] {
        let sent = testing::notifier::<Webhook>().notify(&run(), &event);
        assert_eq!(sent.json()["data"], expected);
        assert_eq!(sent.json()["event"], tag(&event));
    }
}

#[test]
fn a_key_signs_the_body_and_is_never_seen() {
    let test = testing::notifier::<Webhook>().settings(json!({ "signing_secret": "key" }));
    let sent = test.notify(&run(), &finished());
    let signature = sent.requests[0]
        .headers
        .iter()
        .find(|(name, _)| name == "x-tollgate-signature")
        .unwrap();
    let HeaderValue::HmacSha256(signature) = &signature.1 else {
        panic!("not signed: {signature:?}")
    };
    assert_eq!(
        (signature.secret.as_str(), signature.prefix.as_str()),
        ("key", "sha256=")
    );

    let unsigned = testing::notifier::<Webhook>().notify(&run(), &finished());
    assert!(
        !unsigned.requests[0]
            .headers
            .iter()
            .any(|(name, _)| name == "x-tollgate-signature")
    );
}

#[test]
fn what_may_succeed_later_is_retryable() {
    for (status, retryable) in [(500, true), (429, true), (404, false), (401, false)] {
        let sent = testing::notifier::<Webhook>()
            .answer(status, "")
            .notify(&run(), &finished());
        let failure = sent.result.unwrap_err();
        assert_eq!(
            (failure.message, failure.retryable),
            (format!("the receiver answered {status}"), retryable)
        );
    }
    let sent = testing::notifier::<Webhook>()
        .fail(HttpError::TimedOut)
        .notify(&run(), &finished());
    assert!(sent.result.unwrap_err().retryable);
}

#[test]
fn settings_are_checked() {
    let wrong = Settings {
        events: vec!["finished".to_owned(), "done".to_owned()],
        signing_secret: None,
    };
    let Err(issues) = Webhook::configure(wrong) else {
        panic!("an unknown event was accepted")
    };
    assert_eq!(issues[0].path, "/events/1");
    let chosen = testing::notifier::<Webhook>().settings(json!({ "events": ["failed"] }));
    assert_eq!(chosen.interests(), ["failed"]);
}
