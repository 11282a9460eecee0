//! What notifiers are told of a run, from its start to its end, and that they can be tried.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use insta::assert_snapshot;
use tollgate_testing::postgres;
use tollgate_tests::{Project, Receiver, Request, repository};

use crate::hub::{Hub, TOKEN};

const WEBHOOK: &str = "\
[plugins.safety]
enabled = false
[plugins.conventions]
enabled = false
[plugins.webhook.endpoints.webhook]
url = \"env:HOOK\"
allow_private = true
";

/// A project on SQLite with one migration, whose events go to a receiver.
fn project(receiver: &Receiver) -> Project {
    let mut project = Project::new();
    project
        .migration(
            "1_users",
            "CREATE TABLE users (id INTEGER PRIMARY KEY);\nINSERT INTO users VALUES (1);\n",
        )
        .file("migrations/migration_lock.toml", "provider = \"sqlite\"\n")
        .file("tollgate.toml", WEBHOOK);
    project
        .set("DATABASE_URL", "file:./dev.db")
        .set("HOOK", receiver.url())
        .set("GITHUB_SHA", "c0ffee");
    project
}

/// Every payload is what its schema says. The events, with what tells them apart.
fn story(requests: &[Request]) -> String {
    let schema = repository().join("plugins/webhook/payload.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let lines = requests.iter().map(|request| {
        let payload = request.json();
        let problems: Vec<String> = validator
            .iter_errors(&payload)
            .map(|problem| problem.to_string())
            .collect();
        assert!(problems.is_empty(), "{problems:#?} in {payload:#}");
        assert_eq!(payload["run"]["commit"], "c0ffee");
        let data = &payload["data"];
        let about = match payload["event"].as_str().unwrap() {
            "planned" => data["migrations"].to_string(),
            "checked" => data["verdict"].to_string(),
            "applied" | "rolled-back" | "failed" => data["migration"].to_string(),
            "finished" => format!("{} {}", data["succeeded"], data["migrations"]),
            "awaiting-approval" => data["findings"][0]["findings"][0]["rule"].to_string(),
            _ => String::new(),
        };
        format!(
            "{} {} {about}",
            payload["run"]["command"].as_str().unwrap(),
            payload["event"].as_str().unwrap()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_whole_life_is_told() {
    let receiver = Receiver::start();
    let project = project(&receiver);
    project.succeed(&["deploy"]);
    project.migration("2_drop", "DROP TABLE users;\n");
    assert_eq!(project.run(&["deploy"]).status, Some(3));
    project.migration("2_drop", "INSERT INTO nowhere VALUES (1);\n");
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    project.succeed(&["rollback", "--force"]);
    assert_snapshot!(story(&receiver.received()), @r#"
    deploy planned ["1_users"]
    deploy checked "pass"
    deploy applied "1_users"
    deploy finished true ["1_users"]
    deploy planned ["2_drop"]
    deploy checked "blocked"
    deploy awaiting-approval "drop-table"
    deploy planned ["2_drop"]
    deploy checked "pass"
    deploy failed "2_drop"
    deploy finished false []
    rollback planned ["1_users"]
    rollback rolled-back "1_users"
    rollback finished true ["1_users"]
    "#);
}

#[test]
fn who_waits_for_the_lock_says_so_once() {
    let receiver = Receiver::start();
    let mut project = project(&receiver);
    let database = postgres::cluster().database();
    project.set("DATABASE_URL", &database.url());
    project.file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    let mut holder = database.session("somebody else");
    holder.run("SELECT pg_advisory_lock(72707369);");
    let mut deploy = project
        .command(&["deploy"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says on the terminal that it waits, and to the receiver beside that.
    let mut lines = BufReader::new(deploy.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting")), "it waits");
    let began = std::time::Instant::now();
    while receiver.received().is_empty() {
        assert!(began.elapsed().as_secs() < 60, "nobody was told");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(holder);
    assert!(deploy.wait().unwrap().success());
    let told = receiver.received();
    assert_snapshot!(story(&told), @r#"
    deploy waiting-for-lock 
    deploy planned ["1_users"]
    deploy checked "pass"
    deploy applied "1_users"
    deploy finished true ["1_users"]
    "#);
    let holder = told[0].json()["data"]["holder"].as_str().unwrap().to_owned();
    assert!(holder.contains("application somebody else"), "{holder}");
}

#[test]
fn notifiers_can_be_tried() {
    let receiver = Receiver::start();
    let project = project(&receiver);
    assert_snapshot!(project.run(&["notify", "test"]), @"
    status: 0
    -- stdout
    webhook (127.0.0.1:[port]): told finished
    ");
    for event in [
        "waiting-for-lock",
        "planned",
        "checked",
        "awaiting-approval",
        "applied",
        "failed",
        "rolled-back",
    ] {
        project.succeed(&["notify", "test", "webhook", "--event", event]);
    }
    assert_snapshot!(story(&receiver.received()), @r#"
    deploy finished true ["20260101000000_this_is_a_test"]
    deploy waiting-for-lock 
    deploy planned ["20260101000000_this_is_a_test"]
    deploy checked "pass-with-warnings"
    deploy awaiting-approval "drop-table"
    deploy applied "20260101000000_this_is_a_test"
    deploy failed "20260101000000_this_is_a_test"
    deploy rolled-back "20260101000000_this_is_a_test"
    "#);
    assert!(
        receiver
            .received()
            .iter()
            .all(|request| request.json()["run"]["dry_run"] == true)
    );
    assert_snapshot!(project.run(&["notify", "test", "pager"]), @"
    status: 2
    -- stderr
    notify::unknown

      × no notifier `pager` is on
      help: `tollgate plugin list` says which there are, and why one is off
    ");
}

#[test]
fn what_did_not_arrive_is_sent_when_somebody_says_so() {
    let (broken, whole) = (Receiver::answering(503), Receiver::start());
    let mut project = project(&broken);
    assert_snapshot!(project.run(&["notify", "test"]), @"
    status: 1
    -- stdout
    webhook (127.0.0.1:[port]): not told: the receiver answered 503
    ");
    project.succeed(&["deploy"]);
    project.set("HOOK", whole.url());
    assert_snapshot!(project.run(&["notify", "retry"]), @"
    status: 1
    -- stderr
    database

      × failed to record a delivery: attempt to write a readonly database
      help: let this user write the database's file and the .tollgate.db file beside it, or use a user
            who may
      the database now: nothing was changed
    ");
    assert_snapshot!(story(&whole.received()), @r#"deploy planned ["1_users"]"#);
    assert_snapshot!(project.run(&["notify", "retry"]), @"
    status: 1
    -- stderr
    database

      × failed to record a delivery: attempt to write a readonly database
      help: let this user write the database's file and the .tollgate.db file beside it, or use a user
            who may
      the database now: nothing was changed
    ");
}

#[test]
fn github_is_told_how_a_deployment_stands() {
    let hub = Hub::start();
    let mut project = project(&Receiver::start());
    project
        .file(
            "tollgate.toml",
            &format!(
                "[environments.production]\n[plugins.conventions]\nenabled = false\n[plugins.github.endpoints.api]\nurl = \"{}/repos/acme/shop\"\nallow_private = true\n\
                 allow_path = true\nsecrets = {{ token = \"env:GITHUB_TOKEN\" }}\n",
                hub.url
            ),
        );
    project
        .set("GITHUB_TOKEN", TOKEN)
        .set("GITHUB_SERVER_URL", "https://github.com")
        .set("GITHUB_REPOSITORY", "acme/shop")
        .set("GITHUB_RUN_ID", "42");
    assert_snapshot!(project.succeed(&["deploy", "-e", "production"]), @"
    status: 0
    -- stdout
    applied 1_users [duration]
    told github (127.0.0.1:[port])
    1 migration applied in [duration]
    ");
    project.migration("2_drop", "DROP TABLE users;\n");
    assert_eq!(project.run(&["deploy", "-e", "production"]).status, Some(3));
    hub.with(|state| {
        assert_snapshot!(state.deployments.join("\n"), @"
        made production migrations:deploy of c0ffee
        /1/statuses in_progress: 1 migration (https://github.com/acme/shop/actions/runs/42)
        /1/statuses success: 1 migration (https://github.com/acme/shop/actions/runs/42)
        made production migrations:deploy of c0ffee
        /2/statuses in_progress: 1 migration (https://github.com/acme/shop/actions/runs/42)
        /2/statuses failure: awaits approval (https://github.com/acme/shop/actions/runs/42)
        ");
        // One comment, which says what was last.
        assert_eq!(state.comments.len(), 1);
        assert_snapshot!(state.comments[0].2, @"
        <!-- tollgate deployment: production -->
        ### Migrations were not deployed to `production`

        Nothing was applied.

        **Awaits approval**

        - **high** `drop-table` in `2_drop`: drops the table users with its 1 row

        [The job](https://github.com/acme/shop/actions/runs/42)
        ");
    });
}
