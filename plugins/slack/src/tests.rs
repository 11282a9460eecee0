#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

use serde_json::json;
use tollgate_plugin::{Applied, Awaiting, Checked, Failed, Finding, Finished, LockWait, Severity, Verdict, testing};

use super::*;

fn run(command: &str) -> Run {
    Run {
        id: "6f1c".to_owned(),
        environment: Some("production".to_owned()),
        target: "db.example.com/app".to_owned(),
        actor: Some("ada <ada@example.com>".to_owned()),
        dry_run: false,
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        command: command.to_owned(),
        commit: Some("0123456789abcdef".to_owned()),
        link: Some("https://ci.example.com/jobs/7".to_owned()),
    }
}

fn finished(succeeded: bool) -> Event {
    let finding = Finding::new("drop-index", Severity::Medium, "drops the index users_email_idx");
    Event::Finished(Finished {
        applied: vec!["1_a".to_owned(), "2_b".to_owned()],
        findings: vec![("1_a".to_owned(), vec![finding])],
        succeeded,
        duration_ms: 61_500,
    })
}

fn blocked() -> Event {
    let high = Finding::new("drop-table", Severity::High, "drops <!channel> & all its rows");
    let low = Finding::new("drop-default", Severity::Low, "drops a default");
    Event::AwaitingApproval(Awaiting {
        findings: vec![("1_a".to_owned(), vec![low, high])],
        requirement: None,
        failures: vec![],
    })
}

#[test]
fn a_deploy_that_went_well() {
    let sent = testing::notifier::<Slack>().notify(&run("deploy"), &finished(true));
    assert_eq!(sent.result, Ok(()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "text": "✅ 2 migrations deployed to production",
      "blocks": [
        {
          "type": "header",
          "text": {
            "type": "plain_text",
            "text": "✅ 2 migrations deployed to production"
          }
        },
        {
          "type": "section",
          "fields": [
            {
              "type": "mrkdwn",
              "text": "*Environment*\nproduction"
            },
            {
              "type": "mrkdwn",
              "text": "*Database*\ndb.example.com/app"
            },
            {
              "type": "mrkdwn",
              "text": "*By*\nada &lt;ada@example.com&gt;"
            },
            {
              "type": "mrkdwn",
              "text": "*Duration*\n1 min 1 s"
            }
          ]
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*Migrations*\n• `1_a`\n• `2_b`"
          }
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*Findings*\n• medium `drop-index` in `1_a`: drops the index users_email_idx"
          }
        },
        {
          "type": "context",
          "elements": [
            {
              "type": "mrkdwn",
              "text": "Tollgate · started 2026-01-01T00:00:00Z · run 6f1c · commit 0123456789ab · <https://ci.example.com/jobs/7|job>"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn what_is_blocked_names_the_gravest_first_and_escapes() {
    let test = testing::notifier::<Slack>().settings(json!({ "mention_on_failure": "<!here>" }));
    let message = test.notify(&run("deploy"), &blocked()).json();
    let findings = message["blocks"][2]["text"]["text"].as_str().unwrap();
    insta::assert_snapshot!(findings, @"
    *Findings*
    • *high* `drop-table` in `1_a`: drops &lt;!channel&gt; &amp; all its rows
    • low `drop-default` in `1_a`: drops a default
    ");
    assert_eq!(message["blocks"][3]["text"]["text"], "<!here>");
}

#[test]
fn a_failure_quotes_the_server() {
    let failed = Failed {
        migration: "1_a".to_owned(),
        statement: Some(0),
        message: "relation \"a\" already exists\nhint".to_owned(),
        sqlstate: Some("42P07".to_owned()),
    };
    let message = testing::notifier::<Slack>()
        .notify(&run("rollback"), &Event::Failed(failed))
        .json();
    assert_eq!(message["text"], "❌ Rollback on production failed");
    let text = message["blocks"][2]["text"]["text"].as_str().unwrap();
    assert_eq!(text, "*1_a* (SQLSTATE 42P07)\n>relation \"a\" already exists\n>hint");
}

#[test]
fn one_message_for_each_run() {
    let applied = Applied {
        migration: "1_a".to_owned(),
        duration_ms: 3,
    };
    let passed = Event::Checked(Checked {
        verdict: Verdict::Blocked,
        findings: vec![],
    });
    let waits = || {
        Event::WaitingForLock(LockWait {
            holder: "PID 7 (user <app>)".to_owned(),
        })
    };
    for silent in [
        Event::Applied(applied),
        passed,
        finished(false),
        waits(),
        Event::Planned(vec![]),
    ] {
        assert!(
            testing::notifier::<Slack>()
                .notify(&run("deploy"), &silent)
                .requests
                .is_empty()
        );
    }
    let quiet = testing::notifier::<Slack>().settings(json!({ "only_failures": true }));
    assert!(quiet.notify(&run("deploy"), &finished(true)).requests.is_empty());
    assert_eq!(quiet.notify(&run("deploy"), &blocked()).requests.len(), 1);

    let curious = testing::notifier::<Slack>().settings(json!({ "waiting_for_lock": true }));
    assert_eq!(
        curious.interests(),
        ["awaiting-approval", "failed", "finished", "waiting-for-lock"]
    );
    let message = curious.notify(&run("deploy"), &waits()).json();
    assert_eq!(message["text"], "⏳ Deploy on production waits for the lock");
    assert_eq!(
        message["blocks"][2]["text"]["text"],
        "The lock is held by PID 7 (user &lt;app&gt;)"
    );
}

#[test]
fn a_deploy_that_stops_says_why() {
    let stopped = |requirement: Option<&str>, failures: &[&str]| {
        let event = Event::AwaitingApproval(Awaiting {
            findings: vec![],
            requirement: requirement.map(str::to_owned),
            failures: failures.iter().map(|&failure| failure.to_owned()).collect(),
        });
        let message = testing::notifier::<Slack>().notify(&run("deploy"), &event).json();
        (message["text"].clone(), message["blocks"][2]["text"]["text"].clone())
    };
    let (title, text) = stopped(Some("has to be deployed to staging first"), &[]);
    assert_eq!(title, "⛔ Deploy to production awaits approval");
    assert_eq!(text, "has to be deployed to staging first");
    let (title, text) = stopped(None, &["safety could not judge 1_a: out of fuel"]);
    assert_eq!(title, "⛔ Deploy to production stopped: a policy could not judge");
    assert_eq!(text, "*Not judged*\n• safety could not judge 1_a: out of fuel");
}

#[test]
fn long_lists_are_cut_to_what_slack_takes() {
    let names: Vec<String> = (0..400)
        .map(|number| format!("{number:014}_{}", "x".repeat(200)))
        .collect();
    let event = Event::Finished(Finished {
        applied: names,
        findings: vec![],
        succeeded: true,
        duration_ms: 1,
    });
    let message = testing::notifier::<Slack>().notify(&run("deploy"), &event).json();
    for block in message["blocks"].as_array().unwrap() {
        assert!(block["text"]["text"].as_str().unwrap_or("").chars().count() <= 3000);
    }
    assert!(message["blocks"][2]["text"]["text"].as_str().unwrap().chars().count() > 2000);
}

#[test]
fn slacks_own_word_for_a_refusal_is_passed_on() {
    let sent = testing::notifier::<Slack>()
        .answer(404, "no_service")
        .notify(&run("deploy"), &finished(true));
    assert_eq!(sent.result.unwrap_err().message, "Slack answered 404 no_service");
    let sent = testing::notifier::<Slack>()
        .answer(503, "")
        .notify(&run("deploy"), &finished(true));
    assert!(sent.result.unwrap_err().retryable);
}
