//! Projects to check: the shop, whose third migration loses a table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tollgate_tests::Project;

pub(crate) const ORDERS: &str = "20240101000000_create_orders";
pub(crate) const ITEMS: &str = "20240102000000_create_items";
pub(crate) const DROP: &str = "20240103000000_drop_items";

/// A project without migrations.
pub(crate) fn empty() -> Project {
    let project = Project::new();
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    project
}

/// A project with two tables.
pub(crate) fn shop() -> Project {
    let project = empty();
    project
        .migration(ORDERS, "CREATE TABLE orders (id integer PRIMARY KEY, note text);\n")
        .migration(ITEMS, "CREATE TABLE items (id integer PRIMARY KEY, name text);\n");
    project
}

/// One of them is dropped by `sql`.
pub(crate) fn dropping(sql: &str) -> Project {
    let project = shop();
    project.migration(DROP, sql);
    project
}

/// `$ tollgate …` and what came of it, command by command.
pub(crate) fn session(project: &Project, commands: &[&str]) -> String {
    let mut seen = String::new();
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        writeln!(seen, "$ tollgate {command}\n{}", project.run(&arguments)).unwrap();
    }
    seen
}

/// The same with a text on standard input.
pub(crate) fn piped(project: &Project, command: &str, text: &str) -> String {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let mut child = project
        .command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    format!("$ … | tollgate {command}\n{}\n", project.outcome(&output))
}

/// Every finding of a run as `plugin/rule statement blocking`, statement by statement.
pub(crate) fn found(project: &Project, command: &str) -> Vec<String> {
    let mut arguments: Vec<&str> = command.split_whitespace().collect();
    arguments.push("--format=json");
    let outcome = project.run(&arguments);
    let document = outcome.json();
    let migrations = document["migrations"].as_array().unwrap();
    let findings = migrations
        .iter()
        .flat_map(|migration| migration["findings"].as_array().unwrap());
    findings
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{}/{} line {}{}{}",
                text("plugin"),
                text("rule"),
                finding["place"]["line"],
                if finding["blocking"] == true { " blocks" } else { "" },
                finding["allowed"]
                    .as_str()
                    .map_or_else(String::new, |reason| format!(" allowed: {reason}")),
            )
        })
        .collect()
}

/// Runs git in a project, with an author and a moment that never change.
#[track_caller]
pub(crate) fn git(project: &Project, arguments: &str) {
    let output = Command::new("git")
        .args(arguments.split_whitespace())
        .current_dir(project.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", project.path().join("home"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|who| {
            [
                (format!("GIT_{who}_NAME"), "Ada"),
                (format!("GIT_{who}_EMAIL"), "ada@example.com"),
                (format!("GIT_{who}_DATE"), "2024-01-01T00:00:00Z"),
            ]
        }))
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments}: {output:?}");
}

/// Makes a repository of a project, with everything that is there committed on `main`, and leaves for a branch.
pub(crate) fn branch_off(project: &Project) {
    project.file(".gitignore", "home\n");
    git(project, "init --quiet --initial-branch=main");
    commit(project);
    git(project, "checkout --quiet -b feature");
}

/// Commits everything.
pub(crate) fn commit(project: &Project) {
    git(project, "add --all");
    git(project, "commit --quiet --message work");
}
