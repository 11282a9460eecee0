//! Mistakes in variables of the environment and of `.env`.

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn a_variable_must_make_sense() {
    let project = Project::with(&[(".env", "TOLLGATE_CHECK_BLOCK_AT=severe\n")]);
    assert_snapshot!(project.command(&["status"]).env("LOCK_TIMEOUT_MS", "soon").run(), @r#"
    exit status 2
    --- stderr
    config::variable

      × the variable LOCK_TIMEOUT_MS is "soon" and must be a whole number, 0 or more
    "#);
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    config::variable

      × the variable TOLLGATE_CHECK_BLOCK_AT in .env is "severe" and must be "low", "medium" or "high"
    "#);
    let project = Project::new();
    assert_snapshot!(project.command(&["status"]).env("FORCE_RELEASE", "perhaps").run(), @r#"
    exit status 2
    --- stderr
    config::variable

      × the variable FORCE_RELEASE is "perhaps" and must be true or false
    "#);
}

#[test]
#[cfg(unix)]
fn a_variable_must_be_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = Project::with(&[
        ("tollgate.toml", "database.url = \"env:PLACE\"\n"),
        ("migrations/1_a/migration.sql", ""),
    ]);
    let wrong = std::ffi::OsStr::from_bytes(b"5\xff");
    let ended = |name: &str| project.command(&["status"]).env(name, wrong).run();
    for name in [
        "LOCK_TIMEOUT_MS",
        "FORCE_RELEASE",
        "TOLLGATE_LOCK_TOKEN",
        "DATABASE_URL",
    ] {
        let ended = ended(name).to_string();
        let said = format!("the variable {name} must be text in UTF-8");
        assert!(ended.starts_with("exit status 2\n") && ended.contains(&said), "{ended}");
    }
    assert_snapshot!(ended("PLACE"), @"
    exit status 2
    --- stderr
    config::variable

      × the variable PLACE must be text in UTF-8
    ");
}

#[test]
fn a_variable_that_sets_nothing_is_mentioned() {
    let project = Project::new();
    let ended = project
        .command(&["config", "show"])
        .env("TOLLGATE_DATABSE_URL", "file:x.db")
        .run();
    assert_snapshot!(ended.stderr, @"warning: the variable TOLLGATE_DATABSE_URL sets nothing; did you mean TOLLGATE_DATABASE_URL?");
}
