#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

use serde_json::{Value, json};
use tollgate_plugin::http::HeaderValue;
use tollgate_plugin::testing::{self, NotifierTest, Sent};
use tollgate_plugin::{Applied, Awaiting, Failed, Finding, Finished, Severity};

use super::*;

fn run() -> Run {
    Run {
        id: "6f1c".to_owned(),
        environment: Some("production".to_owned()),
        target: "db.example.com/app".to_owned(),
        actor: None,
        dry_run: false,
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        command: "deploy".to_owned(),
        commit: Some("c0ffee".to_owned()),
        link: Some("https://github.com/acme/shop/actions/runs/42".to_owned()),
    }
}

fn finished(succeeded: bool) -> Event {
    let finding = Finding::new("drop-index", Severity::Medium, "drops the index a_b of <b> @all");
    Event::Finished(Finished {
        applied: vec!["1_a".to_owned()],
        findings: vec![("1_a".to_owned(), vec![finding])],
        succeeded,
        duration_ms: 3,
    })
}

fn planned() -> Event {
    Event::Planned(vec!["1_a".to_owned(), "2_b".to_owned()])
}

fn failed() -> Event {
    Event::Failed(Failed {
        migration: "1_a".to_owned(),
        statement: Some(0),
        message: "relation \"a\" already exists\n![x](y)".to_owned(),
        sqlstate: Some("42P07".to_owned()),
    })
}

fn test() -> NotifierTest<Github> {
    testing::notifier::<Github>()
}

/// Method, path and body of every request.
fn requests(sent: &Sent) -> Vec<(String, Value)> {
    let body = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let requests = sent.requests.iter();
    requests
        .map(|request| {
            let path = request.path.as_deref().unwrap_or_default();
            (format!("{:?} {path}", request.method), body(&request.body))
        })
        .collect()
}

#[test]
fn a_run_becomes_a_deployment() {
    let sent = test()
        .answer(200, "[]")
        .answer(201, "{\"id\": 7}")
        .answer(201, "{}")
        .notify(&run(), &planned());
    assert_eq!(sent.result, Ok(()));
    let requests = requests(&sent);
    let expected = [
        (
            "Method::Get /deployments?sha=c0ffee&environment=production&task=migrations%3Adeploy&per_page=30",
            Value::Null,
        ),
        (
            "Method::Post /deployments",
            json!({
                "ref": "c0ffee",
                "task": "migrations:deploy",
                "auto_merge": false,
                "required_contexts": [],
                "environment": "production",
                "description": "Database migrations of db.example.com/app",
                "payload": { "run": "6f1c" },
            }),
        ),
        (
            "Method::Post /deployments/7/statuses",
            json!({
                "state": "in_progress",
                "description": "2 migrations",
                "auto_inactive": false,
                "log_url": "https://github.com/acme/shop/actions/runs/42",
            }),
        ),
    ];
    assert_eq!(requests, expected.map(|(request, body)| (request.to_owned(), body)));
    for request in &sent.requests {
        let header = request.headers.iter().find(|(name, _)| name == "authorization");
        let Some((_, HeaderValue::Secret(value))) = header else {
            panic!("{:?}", request.headers)
        };
        assert_eq!((value.prefix.as_str(), value.secret.as_str()), ("Bearer ", "token"));
    }
}

#[test]
fn the_deployment_of_the_run_is_found_again_among_others() {
    for payload in [json!({ "run": "6f1c" }), json!("{\"run\": \"6f1c\"}")] {
        let known = json!([{ "id": 1, "payload": { "run": "other" } }, { "id": 2, "payload": "" }, { "id": 3, "payload": payload }]);
        let sent = test()
            .settings(json!({ "comments": false }))
            .answer(200, &known.to_string())
            .answer(201, "{}")
            .notify(&run(), &finished(true));
        let requests = requests(&sent);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].0, "Method::Post /deployments/3/statuses");
        assert_eq!(requests[1].1["state"], "success");
    }
}

#[test]
fn the_pull_request_gets_one_comment_for_each_environment() {
    let pulls = json!([
        { "number": 4, "state": "closed", "merged_at": null },
        { "number": 5, "state": "closed", "merged_at": "2026-01-01T00:00:00Z" },
    ]);
    let only_comments = || {
        test()
            .settings(json!({ "deployments": false }))
            .answer(200, &pulls.to_string())
    };
    let sent = only_comments()
        .answer(200, "[]")
        .answer(201, "{}")
        .notify(&run(), &finished(true));
    let made = requests(&sent);
    assert_eq!(made[0].0, "Method::Get /commits/c0ffee/pulls");
    assert_eq!(made[1].0, "Method::Get /issues/5/comments?per_page=100&page=1");
    assert_eq!(made[2].0, "Method::Post /issues/5/comments");
    let body = made[2].1["body"].as_str().unwrap().replace('\u{200b}', "[nothing]");
    insta::assert_snapshot!(body, @r"
    <!-- tollgate deployment: production -->
    ### Migrations deployed to `production`

    - `1_a`

    **Findings**

    - medium `drop-index` in `1_a`: drops the index a\_b of &lt;b&gt; @[nothing]all

    [The job](https://github.com/acme/shop/actions/runs/42)
    ");

    let earlier = json!([
        { "id": 1, "body": body, "user": { "type": "User", "login": "mallory" } },
        { "id": 2, "body": "<!-- tollgate deployment: staging -->", "user": { "type": "Bot", "login": "b" } },
        { "id": 3, "body": "<!-- tollgate deployment: production -->\nold", "user": { "type": "Bot", "login": "b" } },
    ]);
    let sent = only_comments()
        .answer(200, &earlier.to_string())
        .answer(200, "{}")
        .notify(&run(), &failed());
    let made = requests(&sent);
    assert_eq!(made[2].0, "Method::Patch /issues/comments/3");
    insta::assert_snapshot!(made[2].1["body"].as_str().unwrap(), @r#"
    <!-- tollgate deployment: production -->
    ### Migrations could not be deployed to `production`

    `1_a` failed (SQLSTATE 42P07):

    > relation "a" already exists
    > \!\[x\](y)

    [The job](https://github.com/acme/shop/actions/runs/42)
    "#);
}

#[test]
fn a_deploy_that_stops_says_what_it_waits_for() {
    let high = Finding::new("drop-table", Severity::High, "drops users");
    let low = Finding::new("drop-default", Severity::Low, "drops a default");
    let event = Event::AwaitingApproval(Awaiting {
        findings: vec![("1_a".to_owned(), vec![low, high])],
        requirement: Some("has to be deployed to staging first".to_owned()),
        failures: vec!["safety could not judge 2_b: out of fuel".to_owned()],
    });
    assert_eq!(text::status(&event).unwrap().state, "failure");
    insta::assert_snapshot!(text::comment(&run(), &event).unwrap(), @r"
    ### Migrations were not deployed to `production`

    Nothing was applied.

    - has to be deployed to staging first

    **Awaits approval**

    - **high** `drop-table` in `1_a`: drops users
    - low `drop-default` in `1_a`: drops a default

    **Could not be judged**

    - safety could not judge 2\_b: out of fuel

    [The job](https://github.com/acme/shop/actions/runs/42)
    ");
}

#[test]
fn what_there_is_nobody_to_tell_is_not_sent() {
    let mut by_hand = run();
    by_hand.commit = None;
    assert!(test().notify(&by_hand, &finished(true)).requests.is_empty());
    let applied = Applied {
        migration: "1_a".to_owned(),
        duration_ms: 3,
    };
    for silent in [Event::Applied(applied), finished(false)] {
        assert!(test().notify(&run(), &silent).requests.is_empty());
    }
    // A commit that came by no pull request.
    let sent = test()
        .settings(json!({ "deployments": false }))
        .answer(200, "[]")
        .notify(&run(), &finished(true));
    assert_eq!((sent.requests.len(), sent.result), (1, Ok(())));
}

#[test]
fn what_may_succeed_later_is_retryable() {
    for (status, body, retryable) in [
        (502, "", true),
        (403, "{\"message\": \"You have exceeded a secondary rate limit\"}", true),
        (403, "{\"message\": \"Resource not accessible by integration\"}", false),
        (404, "{\"message\": \"Not Found\"}", false),
    ] {
        let failure = test()
            .answer(status, body)
            .notify(&run(), &planned())
            .result
            .unwrap_err();
        assert_eq!(failure.retryable, retryable, "{status} {body}");
        assert!(
            failure.message.starts_with("GitHub could not look for the deployment"),
            "{}",
            failure.message
        );
    }
}
