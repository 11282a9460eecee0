//! Notifications as whoever is told gets them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tollgate_tests::{Project, Receiver, Request};

use crate::session::{DROP, ROWS, blog, both, session, sqlite};

fn telling(project: &Project, receiver: &Receiver, more: &str) {
    project.file(
        "tollgate.toml",
        &format!(
            "{more}\n[plugins.webhook.endpoints.webhook]\nurl = \"{}deploys\"\nallow_private = true\n",
            receiver.url()
        ),
    );
}

/// A body without what differs from run to run.
fn steady(request: &Request) -> String {
    let mut body = request.json();
    body["run"]["id"] = json!("[id]");
    body["run"]["started_at"] = json!("[time]");
    body["run"]["target"] = json!("THE DATABASE");
    if let Some(duration) = body["data"].get_mut("duration_ms") {
        *duration = json!(0);
    }
    // In the server's words.
    for name in ["message", "sqlstate"] {
        if let Some(text) = body["data"].get_mut(name) {
            *text = json!("…");
        }
    }
    body.to_string()
}

/// What has come since, one body a line.
fn news(receiver: &Receiver, seen: &mut usize) -> String {
    let received = receiver.received();
    let lines: Vec<String> = received[*seen..].iter().map(steady).collect();
    *seen = received.len();
    lines.join("\n") + "\n"
}

#[test]
fn every_end_of_a_run_is_told() {
    let seen = both(|project, database| {
        let (receiver, mut seen) = (Receiver::start(), 0);
        blog(project);
        telling(project, &receiver, "");
        let mut told = String::new();
        let mut run = |title: &str, arguments: &[&str], status: i32| {
            let outcome = project.run(arguments);
            assert_eq!(outcome.status, Some(status), "{outcome}");
            told.push_str(&format!("== {title}\n{}", news(&receiver, &mut seen)));
        };
        run("deployed", &["deploy"], 0);
        run("nothing to do", &["deploy"], 0);
        run("a dry run", &["rollback", "--dry-run"], 0);
        database.run(ROWS);
        project.migration("4_drop", DROP);
        run("blocked", &["deploy"], 3);
        project.migration("4_drop", "INSERT INTO users (id) VALUES (7);\n");
        run("failed", &["deploy"], 1);
        run("taken back", &["rollback", "--force"], 0);
        run("a status", &["status"], 5);
        told
    });
    assert_snapshot!(seen, @r#"
    == deployed
    {"version":1,"event":"planned","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migrations":["1_users","2_posts","3_views"]}}
    {"version":1,"event":"checked","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"verdict":"pass-with-warnings","findings":[{"migration":"1_users","findings":[{"rule":"migration-name","severity":"low","message":"the name 1_users could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]},{"migration":"2_posts","findings":[{"rule":"migration-name","severity":"low","message":"the name 2_posts could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]},{"migration":"3_views","findings":[{"rule":"migration-name","severity":"low","message":"the name 3_views could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]}]}}
    {"version":1,"event":"applied","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migration":"1_users","duration_ms":0}}
    {"version":1,"event":"applied","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migration":"2_posts","duration_ms":0}}
    {"version":1,"event":"applied","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migration":"3_views","duration_ms":0}}
    {"version":1,"event":"finished","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"succeeded":true,"migrations":["1_users","2_posts","3_views"],"duration_ms":0,"findings":[{"migration":"1_users","findings":[{"rule":"migration-name","severity":"low","message":"the name 1_users could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]},{"migration":"2_posts","findings":[{"rule":"migration-name","severity":"low","message":"the name 2_posts could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]},{"migration":"3_views","findings":[{"rule":"migration-name","severity":"low","message":"the name 3_views could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]}]}}
    == nothing to do

    == a dry run

    == blocked
    {"version":1,"event":"planned","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migrations":["4_drop"]}}
    {"version":1,"event":"checked","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"verdict":"blocked","findings":[{"migration":"4_drop","findings":[{"rule":"migration-name","severity":"low","message":"the name 4_drop could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"},{"rule":"drop-view","severity":"medium","message":"drops the view titles","statement":0,"help":"change it with CREATE OR REPLACE VIEW, or stop reading it first"},{"rule":"drop-table","severity":"high","message":"drops the table posts with its 1 row","statement":1,"help":"rename the table first and drop it later, or keep a copy of its rows"},{"rule":"rollback-procedure","severity":"medium","message":"has no way back from what destructive/drop-table reports: there is no down.sql, and the generated rollback does not bring back the rows of posts","statement":1,"help":"write a down.sql, or say in the file how it is taken back: `-- rollback: …`"}]}]}}
    {"version":1,"event":"awaiting-approval","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"findings":[{"migration":"4_drop","findings":[{"rule":"drop-table","severity":"high","message":"drops the table posts with its 1 row","statement":1,"help":"rename the table first and drop it later, or keep a copy of its rows"}]}],"requirement":null,"failures":[]}}
    == failed
    {"version":1,"event":"planned","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migrations":["4_drop"]}}
    {"version":1,"event":"checked","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"verdict":"pass-with-warnings","findings":[{"migration":"4_drop","findings":[{"rule":"migration-name","severity":"low","message":"the name 4_drop could say more: it does not begin with the time as YYYYMMDDHHMMSS_","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]}]}}
    {"version":1,"event":"failed","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migration":"4_drop","statement":0,"message":"…","sqlstate":"…"}}
    {"version":1,"event":"finished","run":{"id":"[id]","command":"deploy","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"succeeded":false,"migrations":[],"duration_ms":0,"findings":[{"migration":"4_drop","findings":[{"rule":"migration-name","severity":"low","message":"the name 4_drop could say more: it does not begin with the time as YYYYMMDDHHMMSS_","statement":null,"help":"rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users"}]}]}}
    == taken back
    {"version":1,"event":"planned","run":{"id":"[id]","command":"rollback","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migrations":["3_views"]}}
    {"version":1,"event":"rolled-back","run":{"id":"[id]","command":"rollback","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"migration":"3_views","duration_ms":0}}
    {"version":1,"event":"finished","run":{"id":"[id]","command":"rollback","environment":null,"target":"THE DATABASE","actor":null,"dry_run":false,"started_at":"[time]","commit":null,"link":null},"data":{"succeeded":true,"migrations":["3_views"],"duration_ms":0,"findings":[]}}
    == a status
    "#);
}

#[test]
fn every_request_is_signed_and_can_be_verified() {
    let receiver = Receiver::start();
    let mut project = sqlite();
    blog(&project);
    telling(
        &project,
        &receiver,
        "[plugins.webhook.settings]\nsigning_secret = \"key\"\nevents = [\"finished\", \"applied\"]\n",
    );
    let text = std::fs::read_to_string(project.path().join("tollgate.toml")).unwrap();
    project.file(
        "tollgate.toml",
        &format!("{text}headers.authorization = \"env:TOKEN\"\nsecrets.key = \"env:KEY\"\n"),
    );
    project
        .set("KEY", "the signing key")
        .set("TOKEN", "Bearer of-the-receiver");
    project.succeed(&["deploy"]);
    let received = receiver.received();
    let events: Vec<&str> = received
        .iter()
        .map(|request| request.headers["x-tollgate-event"].as_str())
        .collect();
    assert_eq!(events, ["applied", "applied", "applied", "finished"]);
    for request in received {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"the signing key").unwrap();
        mac.update(request.body.as_bytes());
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(request.headers["x-tollgate-signature"], expected);
        assert_eq!(request.headers["authorization"], "Bearer of-the-receiver");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(
            request.json()["run"]["id"],
            Value::from(request.headers["x-tollgate-run"].as_str())
        );
    }
}

#[test]
fn slack_is_told_where_its_variable_says() {
    let receiver = Receiver::start();
    let mut project = sqlite();
    blog(&project);
    project.file(
        "tollgate.toml",
        "[plugins.slack.endpoints.webhook]\nurl = \"env:SLACK_WEBHOOK_URL\"\nallow_private = true\n\n\
         [environments.production.check]\nblock_at = \"high\"\n",
    );
    project
        .set("SLACK_WEBHOOK_URL", &format!("{}services/T0/B0/x", receiver.url()))
        .set("USER", "ada");
    project.succeed(&["deploy", "-e", "production"]);
    let received = receiver.received();
    assert_eq!(received.len(), 1, "one message a run");
    let steady = regex::Regex::new(r"\d+ ms|\d+(\.\d+)? s\b|started [^ ]+ · run [0-9a-f-]+").unwrap();
    let path = project.path().canonicalize().unwrap();
    let body = serde_json::to_string_pretty(&received[0].json())
        .unwrap()
        .replace(&path.display().to_string(), "[project]");
    let body = body.replace(&project.path().display().to_string(), "[project]");
    assert_snapshot!(steady.replace_all(&body, "[…]"), @r#"
    {
      "text": "✅ 3 migrations deployed to production",
      "blocks": [
        {
          "type": "header",
          "text": {
            "type": "plain_text",
            "text": "✅ 3 migrations deployed to production"
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
              "text": "*Database*\nSQLite database [project]/app.db"
            },
            {
              "type": "mrkdwn",
              "text": "*By*\nada"
            },
            {
              "type": "mrkdwn",
              "text": "*Duration*\n[…]"
            }
          ]
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*Migrations*\n• `1_users`\n• `2_posts`\n• `3_views`"
          }
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*Findings*\n• low `migration-name` in `1_users`: the name 1_users could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)\n• low `migration-name` in `2_posts`: the name 2_posts could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)\n• low `migration-name` in `3_views`: the name 3_views could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)"
          }
        },
        {
          "type": "context",
          "elements": [
            {
              "type": "mrkdwn",
              "text": "Tollgate · […]"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn slack_needs_nothing_but_its_variable() {
    let mut project = sqlite();
    blog(&project);
    project.set("SLACK_WEBHOOK_URL", "http://127.0.0.1:1/services/secret-of-slack");
    let outcome = project.run(&["deploy"]);
    assert!(!outcome.raw_stderr.contains("secret-of-slack"), "{outcome}");
    assert_snapshot!(outcome, @"
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations checked: 3 notes
    3 migrations applied in [duration]
    -- stderr
    warning: slack could not be told (finished): the endpoint's host has no public address, and `allow_private` is not set
    ");
}

#[test]
fn a_receiver_that_fails_holds_nothing_up_unless_it_is_required() {
    let receiver = Receiver::answering(500);
    let project = sqlite();
    blog(&project);
    telling(
        &project,
        &receiver,
        "[plugins.webhook]\nsettings.events = [\"finished\"]\n",
    );
    let optional = session(&project, &["deploy --to 1_users"]);
    telling(
        &project,
        &receiver,
        "[plugins.webhook]\nsettings.events = [\"finished\"]\nrequired = true\n",
    );
    let required = session(&project, &["deploy", "status"]);
    assert_snapshot!(optional + &required, @"
    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]
    -- stderr
    warning: webhook could not be told (finished): the receiver answered 500; the next run tries again

    $ tollgate deploy
    status: 1
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    -- stderr
    warning: webhook could not be told (finished): the receiver answered 500; the next run tries again
    not-notified

      × a required notification did not arrive: webhook to 127.0.0.1:[port]: the receiver answered 500
      help: mend the notifier, or set `required = false` for it
      the database now: everything else was done and recorded


    $ tollgate status
    status: 0
    -- stdout
    SQLite database app.db
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date
    ");
    // The first message was tried again in the second run.
    assert_eq!(receiver.received().len(), 3);
}

#[test]
fn a_private_address_is_refused_unless_it_is_allowed() {
    let receiver = Receiver::start();
    let project = sqlite();
    blog(&project);
    project.file(
        "tollgate.toml",
        &format!("[plugins.webhook.endpoints.webhook]\nurl = \"{}\"\n", receiver.url()),
    );
    project.file("migrations/only.txt", "");
    assert_snapshot!(session(&project, &["deploy --to 1_users"]), @"
    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]
    -- stderr
    warning: webhook could not be told (planned): the endpoint's host has no public address, and `allow_private` is not set
    ");
    assert!(receiver.received().is_empty());
}
