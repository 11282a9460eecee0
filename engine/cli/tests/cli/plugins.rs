//! Which plugins there are, and what is said of their settings and endpoints.

use insta::assert_snapshot;

use crate::support::{project, timeless};

#[test]
fn plugins_are_listed() {
    let project = project();
    project.write("tollgate.toml", "[plugins.own]\nsource = \"own.wasm\"\n");
    let ended = project
        .command(&["plugin", "list"])
        .env("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/x")
        .run();
    assert_snapshot!(timeless(&ended), @"
    exit status 1
    --- stdout
    tollgate 0.1.0 (the engine's own rules): on
      policy: What only the engine can tell: suppressions, ways back, edited files
      4 of 4 rules on (--rules lists them)
    conventions 0.1.0 (builtin:conventions): on
      policy: Naming, types and house style
      3 of 18 rules on (--rules lists them)
    destructive 0.1.0 (builtin:destructive): on
      policy: Reports what loses data or objects
      may use catalog.probe
      27 of 27 rules on (--rules lists them)
    github 0.1.0 (builtin:github): off, it has no endpoint
      notifier: Writes deployment statuses and a comment on the pull request on GitHub
      may use http:api
    own (own.wasm): on
      cannot be used: cannot read the plugin own from own.wasm: No such file or directory (os error 2)
    rollback 0.1.0 (builtin:rollback): on
      rollback: Writes the inverse of every statement, from the catalog as it was before
    safety 0.1.0 (builtin:safety): on
      policy: Reports what is dangerous to run on a live system
      may use catalog.probe
      74 of 74 rules on (--rules lists them)
    slack 0.1.0 (builtin:slack): on
      notifier: Tells a Slack channel how a run ended
      may use http:webhook
    webhook 0.1.0 (builtin:webhook): off, it has no endpoint
      notifier: Posts every event as JSON, signed with HMAC-SHA256
      may use http:webhook
    ");
    project.write("own.wasm", "not a component");
    assert_snapshot!(timeless(&project.run(&["plugin", "list"])), @"
    exit status 1
    --- stdout
    tollgate 0.1.0 (the engine's own rules): on
      policy: What only the engine can tell: suppressions, ways back, edited files
      4 of 4 rules on (--rules lists them)
    conventions 0.1.0 (builtin:conventions): on
      policy: Naming, types and house style
      3 of 18 rules on (--rules lists them)
    destructive 0.1.0 (builtin:destructive): on
      policy: Reports what loses data or objects
      may use catalog.probe
      27 of 27 rules on (--rules lists them)
    github 0.1.0 (builtin:github): off, it has no endpoint
      notifier: Writes deployment statuses and a comment on the pull request on GitHub
      may use http:api
    own (own.wasm): on
      cannot be used: plugin `own` failed (incompatible): is not a WebAssembly component
    rollback 0.1.0 (builtin:rollback): on
      rollback: Writes the inverse of every statement, from the catalog as it was before
    safety 0.1.0 (builtin:safety): on
      policy: Reports what is dangerous to run on a live system
      may use catalog.probe
      74 of 74 rules on (--rules lists them)
    slack 0.1.0 (builtin:slack): off, SLACK_WEBHOOK_URL is not set
      notifier: Tells a Slack channel how a run ended
      may use http:webhook
    webhook 0.1.0 (builtin:webhook): off, it has no endpoint
      notifier: Posts every event as JSON, signed with HMAC-SHA256
      may use http:webhook
    ");
}

#[test]
fn a_rule_that_does_not_exist_is_found_before_a_run_needs_it() {
    let project = project();
    project.write("tollgate.toml", "[plugins.destructive.rules]\ndrop-colum = \"off\"\n");
    let ended = project.run(&["plugin", "list"]);
    assert_eq!(ended.status, 1);
    let line = ended
        .stdout
        .lines()
        .find(|line| line.contains("cannot"))
        .unwrap_or_default();
    assert_snapshot!(line, @"  cannot be used: the plugin destructive has no rule drop-colum; did you mean drop-column?");
}

#[test]
fn settings_that_a_plugin_refuses_are_shown_where_they_stand() {
    let project = project();
    project.write(
        "tollgate.toml",
        "[plugins.webhook.settings]\nevents = [\"finished\", \"finnished\"]\n\n[plugins.webhook]\nrequired = true\n\n\
         [plugins.webhook.endpoints.webhook]\nurl = \"https://example.com\"\n",
    );
    assert_snapshot!(project.run(&["deploy"]), @r#"
    exit status 2
    --- stderr
    plugin::bad-settings

      × plugin `webhook` failed (bad-settings): /events/1: there is no event "finnished"; the events
      │ are waiting-for-lock, planned, checked, awaiting-approval, applied, failed, rolled-back,
      │ finished
       ╭─[tollgate.toml:2:10]
     1 │ [plugins.webhook.settings]
     2 │ events = ["finished", "finnished"]
       ·          ────────────┬────────────
       ·                      ╰── here
     3 │
       ╰────
      help: its settings are in [plugins.webhook.settings]
    "#);
}

#[test]
fn a_receiver_that_does_not_answer_is_mentioned_once() {
    let project = project();
    project.write(
        "tollgate.toml",
        "[plugins.webhook.endpoints.webhook]\nurl = \"http://127.0.0.1:1/\"\nallow_private = true\n",
    );
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    --- stderr
    warning: webhook could not be told (planned): cannot reach the receiver: the connection failed: connection refused; the next run tries again
    ");
    // What it has missed waits for the next run, and so does what comes then.
    assert_snapshot!(timeless(&project.run(&["rollback", "--force"])), @"
    exit status 0
    --- stdout
    taken back 2_index [n] ms
    1 migration taken back
    --- stderr
    warning: webhook could not be told (planned): cannot reach the receiver: the connection failed: connection refused; the next run tries again
    ");
}

#[test]
fn an_unset_address_stops_only_a_required_notifier() {
    let project = project();
    let hook = "[plugins.webhook.endpoints.webhook]\nurl = \"env:WEBHOOK_URL\"\n";
    project.write("tollgate.toml", hook);
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    --- stderr
    warning: webhook tells nobody: WEBHOOK_URL is not set
    ");
    project.write("tollgate.toml", &format!("plugins.webhook.required = true\n{hook}"));
    assert_eq!(project.run(&["deploy"]).status, 0, "there is nothing to tell");
    project.write("migrations/3_posts/migration.sql", "CREATE TABLE posts (id integer);\n");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @r#"
    exit status 2
    --- stderr
    config::unset

      × plugins.webhook.endpoints.webhook.url is to be read from the variable WEBHOOK_URL, which is
      │ not set
       ╭─[tollgate.toml:3:7]
     2 │ [plugins.webhook.endpoints.webhook]
     3 │ url = "env:WEBHOOK_URL"
       ·       ────────┬────────
       ·               ╰── named here
       ╰────
      help: set WEBHOOK_URL in the environment or in a .env file (.env does not have it)
    "#);
    assert_eq!(project.run(&["check"]).status, 0, "a check tells nobody");
}
