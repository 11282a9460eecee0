//! Nothing that a plugin does approves anything, and nobody approves what a plugin could not judge.

use insta::assert_snapshot;
use tollgate_tests::{Project, repository};

use crate::session::{blog, sqlite};
use crate::support::{configure, edit_file, talk};

/// A project whose two policies are the same component, which reports whatever its mode says.
fn asking(mode: &str) -> Project {
    let project = sqlite();
    blog(&project);
    let component = repository().join("tests/guests/bundle/misbehave.wasm");
    std::fs::copy(component, project.path().join("misbehave.wasm")).unwrap();
    ask(&project, mode);
    project
}

fn ask(project: &Project, mode: &str) {
    let policy = |name: &str, mode: &str| {
        format!(
            "[plugins.{name}]\nsource = \"misbehave.wasm\"\nsettings.mode = \"{mode}\"\nrules.seen = \"high\"\n\
             rules.other = \"off\"\n\n"
        )
    };
    configure(project, &(policy("team", mode) + &policy("twin", "nothing")));
}

#[test]
fn one_policys_rule_is_not_anothers() {
    let project = asking("count");
    let stopped = talk(&project, &["deploy --to 1_users"]);
    project.succeed(&[
        "approve",
        "1_users",
        "--rule",
        "team/seen",
        "--by",
        "alice",
        "--reason",
        "counted",
    ]);
    edit_file(&project, "team/seen", "twin/seen");
    let others = talk(&project, &["deploy --to 1_users"]);
    edit_file(&project, "twin/seen", "team/seen");
    assert_snapshot!(stopped + &others + &talk(&project, &["deploy --to 1_users"]), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 1_users --rule team/seen --statement file --reason "…"
    blocked; nothing was applied
    -- stderr
    team::seen

      × migrations/1_users/migration.sql: 1 statements (blocks a deploy)


    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 1_users --rule team/seen --statement file --reason "…"
    blocked; nothing was applied
    -- stderr
    team::seen

      × migrations/1_users/migration.sql: 1 statements (blocks a deploy)


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    approved team/seen in 1_users: 1 statements (alice: counted)
    applied 1_users [duration]
    1 migration checked: 1 approved
    1 migration applied in [duration]
    "#);
}

#[test]
fn a_policy_that_fails_is_approved_by_nobody() {
    let project = asking("count");
    project.succeed(&[
        "approve",
        "1_users",
        "--rule",
        "team/seen",
        "--by",
        "alice",
        "--reason",
        "counted",
    ]);
    ask(&project, "refuse");
    assert_snapshot!(talk(&project, &["deploy --to 1_users"]), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    blocked; nothing was applied
    -- stderr
    plugin::failed

      × team could not judge 1_users: no mood for it
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn what_a_plugin_prints_is_not_an_approval() {
    // Its message means to say that all is well, and to rub out what was printed before.
    let project = asking("escape-codes");
    let stopped = talk(&project, &["deploy --to 1_users"]);
    let raw = project.run(&["deploy", "--to", "1_users"]).raw_stderr;
    assert!(!raw.contains("\u{1b}[2J"), "{raw:?}");
    assert_snapshot!(stopped, @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 1_users --rule team/seen --statement file --reason "…"
    blocked; nothing was applied
    -- stderr
    team::seen

      × migrations/1_users/migration.sql: [2Jall is well (blocks a deploy)
    "#);
}
