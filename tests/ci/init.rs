//! What `ci init` writes.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::workflow::Workflow;

fn project() -> Project {
    let project = Project::new();
    project
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n")
        .file("migrations/migration_lock.toml", "provider = \"postgresql\"\n")
        .file("tollgate.toml", "# ours\n[check]\nblock_at = \"high\"");
    project
}

fn read(project: &Project, path: &str) -> String {
    std::fs::read_to_string(project.path().join(path)).unwrap()
}

const WORKFLOW: &str = ".github/workflows/db-migrations.yml";

#[test]
fn a_workflow_and_the_environments_are_written_once() {
    let project = project();
    assert_snapshot!(project.run(&["ci", "init"]), @"
    status: 0
    -- stdout
    wrote .github/workflows/db-migrations.yml
    added the environments staging and production to tollgate.toml
    - in the repository's settings, under Environments: make `staging` and `production`, and give `production` required reviewers
    - add the secrets STAGING_DATABASE_URL and PRODUCTION_DATABASE_URL to the environment of that name, and SLACK_WEBHOOK_URL to both
    - commit the workflow and tollgate.toml
    ");
    assert_snapshot!(read(&project, "tollgate.toml"), @r#"
    # ours
    [check]
    block_at = "high"

    [environments.staging.database]
    url = "env:STAGING_DATABASE_URL"

    [environments.production.database]
    url = "env:PRODUCTION_DATABASE_URL"
    "#);
    assert_snapshot!(project.run(&["ci", "init"]), @"
    status: 2
    -- stderr
    ci::exists

      × .github/workflows/db-migrations.yml is there already
      help: nothing was changed; --force writes over it
    ");
    project.succeed(&["ci", "init", "--force", "--branch", "trunk"]);
    // The environments are there already.
    assert_eq!(read(&project, "tollgate.toml").matches("[environments.").count(), 2);
    assert!(read(&project, WORKFLOW).contains("branches: [\"trunk\"]"));
    assert_snapshot!(project.run(&["config", "show", "-e", "staging", "--origin"]).stderr, @"");
}

#[test]
fn every_action_is_named_by_a_digest() {
    let project = project();
    project.succeed(&["ci", "init"]);
    let workflow = Workflow::read(&project.path().join(WORKFLOW));
    let actions = workflow.actions();
    assert!(actions.len() >= 4, "{actions:?}");
    for action in actions {
        let (_, digest) = action.split_once('@').unwrap();
        assert!(
            digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{action}"
        );
    }
    let permissions = |job: &str| workflow.job(job)["permissions"].to_string();
    assert_snapshot!(permissions("check"), @r#"{"contents":"read","pull-requests":"write"}"#);
    assert_snapshot!(permissions("staging"), @r#"{"contents":"read"}"#);
    assert_snapshot!(permissions("production"), @r#"{"contents":"read","actions":"read"}"#);
    assert_eq!(workflow.job("production")["needs"], "staging");
    assert_eq!(workflow.job("production")["environment"], "production");
}

#[test]
fn a_project_below_the_root_and_on_sqlite() {
    let project = Project::new();
    project
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file(
            "apps/shop/prisma/migrations/1_a/migration.sql",
            "CREATE TABLE a (id INTEGER PRIMARY KEY);\n",
        )
        .file(
            "apps/shop/prisma/migrations/migration_lock.toml",
            "provider = \"sqlite\"\n",
        )
        .file("apps/shop/tollgate.toml", "");
    let outcome = project.finish(
        project
            .command(&["ci", "init"])
            .current_dir(project.path().join("apps/shop")),
    );
    assert_eq!(outcome.status, Some(0), "{outcome}");
    let text = read(&project, WORKFLOW);
    assert!(
        text.contains("paths: [\"apps/shop/prisma/migrations/**\", \"apps/shop/tollgate.toml\", "),
        "{text}"
    );
    assert!(text.contains("working-directory: \"apps/shop\""));
    assert!(!text.contains("postgres:"));
}

#[test]
fn what_would_be_an_expression_is_refused() {
    let project = project();
    assert_snapshot!(project.run(&["ci", "init", "--branch", "${{ github.token }}"]), @"
    status: 2
    -- stderr
    ci::name

      × `${{ github.token }}` cannot stand in a workflow
      help: rename it
    ");
    assert!(!project.path().join(WORKFLOW).exists());
}
