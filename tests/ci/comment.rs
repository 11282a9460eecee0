//! `ci comment` and `ci gate` by themselves.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::hub::{Hub, TOKEN};

fn project(hub: &Hub) -> Project {
    let mut project = Project::new();
    project
        .file("check.md", "### Migrations: nothing found\n")
        .file("preview.md", "### Preview\n")
        .file("event.json", "{\"pull_request\": {\"number\": 7}}");
    let event = project.path().join("event.json").display().to_string();
    project
        .set("GITHUB_API_URL", &hub.url)
        .set("GITHUB_REPOSITORY", "acme/shop")
        .set("GITHUB_TOKEN", TOKEN)
        .set("GITHUB_EVENT_PATH", &event);
    project
}

#[test]
fn there_is_one_comment_however_often_it_is_written() {
    let hub = Hub::start();
    let project = project(&hub);
    // Others talk, too; one of them as we do.
    hub.with(|state| {
        for number in 0..130 {
            state
                .comments
                .push(("mallory".to_owned(), "User".to_owned(), format!("comment {number}")));
        }
        state.comments[0].2 = "<!-- tollgate: migrations --> not ours".to_owned();
    });
    assert_snapshot!(project.run(&["ci", "comment", "check.md", "preview.md", "absent.md"]), @"
    status: 0
    -- stdout
    created the comment on #7 https://github.com/acme/shop/pull/7#issuecomment-131
    ");
    project.file("check.md", "### Migrations: blocked\n");
    assert_snapshot!(project.run(&["ci", "comment", "check.md"]), @"
    status: 0
    -- stdout
    updated the comment on #7 https://github.com/acme/shop/pull/7#issuecomment-131
    ");
    hub.with(|state| {
        assert_eq!(state.comments.len(), 131);
        assert_eq!(state.comments[0].2, "<!-- tollgate: migrations --> not ours");
        assert_snapshot!(state.comments[130].2, @"
        <!-- tollgate: migrations -->
        ### Migrations: blocked
        ");
    });
    // Another name is another comment.
    project.succeed(&["ci", "comment", "--id", "billing", "check.md"]);
    assert_eq!(hub.with(|state| state.comments.len()), 132);
}

#[test]
fn the_holder_of_a_personal_token_finds_their_own_comment() {
    let hub = Hub::start();
    let project = project(&hub);
    let comment = (
        "mona".to_owned(),
        "User".to_owned(),
        "<!-- tollgate: migrations -->\nold".to_owned(),
    );
    hub.with(|state| state.comments.push(comment));
    project.succeed(&["ci", "comment", "check.md"]);
    hub.with(|state| {
        assert_eq!(state.comments.len(), 1);
        assert!(state.comments[0].2.contains("nothing found"));
    });
}

#[test]
fn a_fork_gets_an_artifact() {
    let hub = Hub::start();
    hub.with(|state| state.read_only = true);
    let mut project = project(&hub);
    let summary = project.path().join("summary.md");
    project.set("GITHUB_STEP_SUMMARY", &summary.display().to_string());
    assert_snapshot!(project.run(&["ci", "comment", "check.md", "--artifact", "out/comment.md"]), @"
    status: 0
    -- stdout
    the comment is in out/comment.md instead
    -- stderr
    warning: the token may not write a comment: GitHub answered 403: Resource not accessible by integration
    ");
    let kept = std::fs::read_to_string(project.path().join("out/comment.md")).unwrap();
    assert_eq!(kept, "<!-- tollgate: migrations -->\n### Migrations: nothing found\n\n");
    assert_eq!(std::fs::read_to_string(summary).unwrap(), kept);
}

#[test]
fn a_busy_server_is_asked_again_and_a_broken_one_is_an_error() {
    let hub = Hub::start();
    let project = project(&hub);
    hub.with(|state| state.failing = 2);
    project.succeed(&["ci", "comment", "check.md"]);
    hub.with(|state| state.failing = 100);
    let outcome = project.run(&["ci", "comment", "check.md"]);
    assert_snapshot!(outcome, @"
    status: 1
    -- stderr
    github::failed

      × GitHub could not read the comments: it answered 502: Bad Gateway
      help: run the job again
    ");
}

#[test]
fn what_is_missing_is_named_and_the_token_is_never_shown() {
    let hub = Hub::start();
    let mut project = project(&hub);
    project.set("GITHUB_TOKEN", "");
    assert_snapshot!(project.run(&["ci", "comment", "check.md"]), @"
    status: 2
    -- stderr
    ci::variable

      × GITHUB_TOKEN is not set: it holds the token for GitHub's API
      help: GitHub Actions sets its own variables; `env:` of the step hands secrets on
    ");
    project
        .set("GITHUB_TOKEN", "another-secret")
        .file("check.md", "another-secret\n");
    let outcome = project.run(&["ci", "comment", "check.md", "-v"]);
    assert_snapshot!(outcome, @"
    status: 1
    -- stderr
    github::failed

      × GitHub could not read the comments: it answered 401: no reason
      help: run the job again
    ");
    assert!(!format!("{}{}", outcome.raw_stdout, outcome.raw_stderr).contains("another-secret"));
    project
        .set("GITHUB_TOKEN", TOKEN)
        .set("GITHUB_API_URL", "http://api.example.org");
    assert_snapshot!(project.run(&["ci", "comment", "check.md"]), @"
    status: 1
    -- stderr
    github::insecure

      × http://api.example.org is not an https address, and the token would be sent to it in the open
      help: set GITHUB_API_URL to an https address
    ");
    project.set("GITHUB_API_URL", &hub.url).set("GITHUB_EVENT_PATH", "");
    assert_snapshot!(project.run(&["ci", "comment", "check.md"]), @"
    status: 2
    -- stderr
    ci::no-pull-request

      × this run is for no pull request
      help: run it in a workflow for `pull_request`, or name one with --pull-request
    ");
}

#[test]
fn destructive_changes_need_an_environment_with_reviewers() {
    let hub = Hub::start();
    let mut project = project(&hub);
    project
        .set("DATABASE_URL", "file:./dev.db")
        .migration("1_a", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n")
        .file("migrations/migration_lock.toml", "provider = \"sqlite\"\n")
        .file("tollgate.toml", "[environments.production]\n");
    let gate = |project: &Project| project.run(&["ci", "gate", "-e", "production"]);
    project.succeed(&["deploy"]);
    project.migration("2_b", "CREATE TABLE b (id INTEGER PRIMARY KEY);\n");
    assert_snapshot!(gate(&project), @"
    status: 0
    -- stdout
    nothing destructive is pending
    ");
    assert!(hub.with(|state| state.requests.is_empty()), "nobody has to be asked");

    // Allowed in the script: destructive all the same.
    project.migration("3_c", "-- tollgate:allow drop-table -- it is empty\nDROP TABLE a;\n");
    assert_snapshot!(gate(&project), @"
    status: 0
    -- stdout
    nothing destructive is pending
    ");
    hub.with(|state| state.environments.insert("production".to_owned(), false));
    assert_snapshot!(gate(&project), @"
    status: 0
    -- stdout
    nothing destructive is pending
    ");
    hub.with(|state| state.environments.insert("production".to_owned(), true));
    assert_snapshot!(gate(&project), @"
    status: 0
    -- stdout
    nothing destructive is pending
    ");
    hub.with(|state| state.environments.insert("live/eu 1".to_owned(), true));
    assert_snapshot!(project.run(&["ci", "gate"]), @"
    status: 2
    -- stderr
    ci::environment

      × which environment the job has is not said
      help: name it with --env, or with --github-environment where GitHub has another name for it
    ");
}
