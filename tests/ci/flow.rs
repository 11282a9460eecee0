//! The whole way of a change: pull request, staging, production.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tollgate_testing::postgres::{self, TestDatabase};
use tollgate_tests::{Receiver, program};

use crate::hub::{Hub, TOKEN};
use crate::workflow::{Job, Run, Workflow};

/// A repository with a workflow, a host for it, two databases, and a channel.
struct Company {
    folder: TempDir,
    hub: Hub,
    slack: Receiver,
    staging: TestDatabase<'static>,
    production: TestDatabase<'static>,
    runs: std::cell::Cell<usize>,
}

const CONFIG: &str = "\
[plugins.conventions]
enabled = false
[plugins.slack.endpoints.webhook]
url = \"env:SLACK_WEBHOOK_URL\"
allow_private = true
";

impl Company {
    /// With one migration on the main branch.
    fn new() -> Self {
        let hub = Hub::start();
        hub.with(|state| {
            let version = env!("CARGO_PKG_VERSION");
            let name = format!("tollgate-{version}-x86_64-unknown-linux-gnu.tar.gz");
            let archive = archive();
            let sums = format!("{}  {name}\n", hex::encode(Sha256::digest(&archive)));
            state.files.insert(format!("v{version}/{name}"), archive);
            state.files.insert(format!("v{version}/SHA256SUMS"), sums.into_bytes());
            state.environments.insert("production".to_owned(), true);
        });
        let company = Self {
            folder: tempfile::tempdir().unwrap(),
            hub,
            slack: Receiver::start(),
            staging: postgres::cluster().database(),
            production: postgres::cluster().database(),
            runs: std::cell::Cell::new(0),
        };
        std::fs::create_dir_all(company.workspace()).unwrap();
        company.git(&["init", "-q", "-b", "main"]);
        company.write("db/migrations/migration_lock.toml", "provider = \"postgresql\"\n");
        company.write("db/tollgate.toml", CONFIG);
        company.write(
            "db/migrations/1_users/migration.sql",
            "CREATE TABLE users (id int PRIMARY KEY, email text);\nINSERT INTO users VALUES (1, 'a');\n",
        );
        let made = Command::new(program())
            .args(["ci", "init"])
            .current_dir(company.workspace().join("db"))
            .env_clear()
            .env("HOME", company.folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        company.commit("begin");
        company
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.workspace().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args([
                "-c",
                "user.name=Mona",
                "-c",
                "user.email=mona@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .current_dir(self.workspace())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// What is there is on the main branch, also as the checkout of a pull request knows it.
    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// From here on it is a branch.
    fn branch(&self) {
        self.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        self.git(&["checkout", "-q", "-B", "change"]);
    }

    /// Runs a job on a runner of its own.
    fn job(&self, name: &str) -> Job {
        self.runs.set(self.runs.get() + 1);
        let temp = self.folder.path().join(format!("runner-{}", self.runs.get()));
        let event = self.folder.path().join("event.json");
        std::fs::write(&event, "{\"pull_request\": {\"number\": 7}}").unwrap();
        let workflow = Workflow::read(&self.workspace().join(".github/workflows/db-migrations.yml"));
        let run = Run {
            workspace: &self.workspace(),
            temp,
            values: BTreeMap::from([
                ("github.base_ref", "main".to_owned()),
                ("github.token", TOKEN.to_owned()),
                ("github.repository", "acme/shop".to_owned()),
                ("github.server_url", "https://github.com".to_owned()),
                ("github.run_id", "42".to_owned()),
                ("secrets.STAGING_DATABASE_URL", self.staging.url()),
                ("secrets.PRODUCTION_DATABASE_URL", self.production.url()),
                ("secrets.SLACK_WEBHOOK_URL", self.slack.url().to_owned()),
            ]),
            variables: BTreeMap::from([
                ("GITHUB_API_URL", self.hub.url.clone()),
                ("GITHUB_REPOSITORY", "acme/shop".to_owned()),
                ("GITHUB_EVENT_PATH", event.display().to_string()),
                ("GITHUB_ACTOR", "mona".to_owned()),
            ]),
            replaced: BTreeMap::from([
                ("TOLLGATE_RELEASES", format!("{}/releases", self.hub.url)),
                // The service container's.
                ("DATABASE_URL", postgres::cluster().url_of("postgres")),
            ]),
        };
        workflow.run(name, &run)
    }

    /// Titles of what the channel got.
    fn said(&self) -> Vec<String> {
        let requests = self.slack.received();
        requests
            .iter()
            .map(|request| request.json()["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A release: the program in an archive; a link to it, which is quicker to pack and unpack.
fn archive() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(program(), folder.path().join("tollgate")).unwrap();
    let packed = Command::new("tar")
        .args(["--create", "--gzip", "--file", "-", "--directory"])
        .arg(folder.path())
        .arg("tollgate")
        .output()
        .unwrap();
    assert!(packed.status.success());
    packed.stdout
}

#[test]
fn a_harmless_change_goes_all_the_way() {
    let company = Company::new();
    company.branch();
    company.write(
        "db/migrations/2_posts/migration.sql",
        "CREATE TABLE posts (id int PRIMARY KEY);\n",
    );
    company.commit("add posts");

    let checked = company.job("check");
    assert_snapshot!(checked.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Check the migrations: 0
    Try them on a preview database: 0
    Comment on the pull request: 0
    Keep the report: skipped
    ");
    let comments = company.hub.with(|state| state.comments.clone());
    assert_eq!(comments.len(), 1);
    assert!(comments[0].2.contains("Migrations: nothing found"), "{}", comments[0].2);
    // A second push: the same comment.
    assert!(company.job("check").succeeded());
    assert_eq!(company.hub.with(|state| state.comments.len()), 1);

    let staging = company.job("staging");
    assert_snapshot!(staging.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Deploy: 0
    Tell Slack when not even the deployment began: skipped
    ");
    let production = company.job("production");
    assert_snapshot!(production.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Make sure that somebody approves destructive changes: 0
    Deploy: 0
    Tell Slack when not even the deployment began: skipped
    ");
    for database in [&company.staging, &company.production] {
        let tables = "SELECT string_agg(migration_name, ' ' ORDER BY migration_name) FROM _prisma_migrations WHERE finished_at IS NOT NULL";
        assert_eq!(database.psql(tables).trim(), "1_users 2_posts");
    }
    assert_snapshot!(company.said().join("\n"), @"
    ✅ 2 migrations deployed to staging
    ✅ 2 migrations deployed to production
    ");
}

#[test]
fn a_destructive_change_is_blocked_until_it_is_approved_and_somebody_guards_production() {
    let company = Company::new();
    assert!(company.job("staging").succeeded());
    assert!(company.job("production").succeeded());
    company.branch();
    company.write(
        "db/migrations/2_drop/migration.sql",
        "ALTER TABLE users DROP COLUMN email;\n",
    );
    company.commit("drop the addresses");
    let checked = company.job("check");
    assert_snapshot!(checked.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Check the migrations: 3
    Try them on a preview database: 3
    Comment on the pull request: 0
    Keep the report: skipped
    ");
    assert!(
        checked
            .step("Check the migrations")
            .output
            .contains("::error file=db/migrations/2_drop/migration.sql,line=1")
    );
    let comment = company.hub.with(|state| state.comments[0].2.clone());
    assert!(
        comment.contains("### Migrations: blocked") && comment.contains("destructive/drop-column"),
        "{comment}"
    );

    // Merged all the same: staging refuses.
    assert_eq!(company.job("staging").step("Deploy").status, Some(3));
    let approved = Command::new(program())
        .args([
            "approve",
            "2_drop",
            "--rule",
            "drop-column",
            "--reason",
            "nobody reads it",
            "--by",
            "mona@example.org",
        ])
        .current_dir(company.workspace().join("db"))
        .env_clear()
        .env("HOME", company.folder.path())
        .output()
        .unwrap();
    assert!(
        approved.status.success(),
        "{}",
        String::from_utf8_lossy(&approved.stderr)
    );
    company.commit("approve it");
    assert!(company.job("staging").succeeded());

    company
        .hub
        .with(|state| state.environments.insert("production".to_owned(), false));
    let refused = company.job("production");
    assert_snapshot!(refused.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Make sure that somebody approves destructive changes: 3
    Deploy: skipped
    Tell Slack when not even the deployment began: 0
    ");
    assert_eq!(
        company
            .production
            .psql("SELECT count(*) FROM _prisma_migrations")
            .trim(),
        "1"
    );
    company
        .hub
        .with(|state| state.environments.insert("production".to_owned(), true));
    assert!(company.job("production").succeeded());
    assert_eq!(
        company
            .production
            .psql("SELECT count(*) FROM _prisma_migrations")
            .trim(),
        "2"
    );
    assert_snapshot!(company.said().join("\n"), @"
    ✅ 1 migration deployed to staging
    ✅ 1 migration deployed to production
    ⛔ Deploy to staging awaits approval
    ✅ 1 migration deployed to staging
    Migrations of acme/shop were not deployed to production: https://github.com/acme/shop/actions/runs/42
    ✅ 1 migration deployed to production
    ");
}

#[test]
fn a_release_that_is_not_what_its_sums_say_is_not_run() {
    let company = Company::new();
    company.hub.with(|state| {
        let (_, archive) = state
            .files
            .iter_mut()
            .find(|(name, _)| name.ends_with(".tar.gz"))
            .unwrap();
        archive[0] ^= 1;
    });
    let staging = company.job("staging");
    assert_snapshot!(staging.summary(), @"
    check out: skipped
    Install Tollgate: 1
    Deploy: skipped
    Tell Slack when not even the deployment began: 0
    ");
    assert_eq!(
        company.said(),
        ["Migrations of acme/shop were not deployed to staging: https://github.com/acme/shop/actions/runs/42"]
    );
}

#[test]
fn a_failing_deployment_is_told_once_and_production_waits() {
    let company = Company::new();
    company.write("db/migrations/2_bad/migration.sql", "INSERT INTO nowhere VALUES (1);\n");
    let staging = company.job("staging");
    assert_snapshot!(staging.summary(), @"
    check out: skipped
    Install Tollgate: 0
    Deploy: 1
    Tell Slack when not even the deployment began: skipped
    ");
    assert_snapshot!(company.said().join("\n"), @"❌ Deploy on staging failed");
}

/// `examples/github-actions/setup-tollgate` installs the same way, by a digest if it is given one.
#[test]
fn the_action_installs_what_it_was_told_to() {
    let company = Company::new();
    let path = tollgate_tests::repository().join("examples/github-actions/setup-tollgate/action.yml");
    let action: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let script = action["runs"]["steps"][0]["run"].as_str().unwrap();
    let right = company.hub.with(|state| {
        let (_, archive) = state.files.iter().find(|(name, _)| name.ends_with(".tar.gz")).unwrap();
        hex::encode(Sha256::digest(archive))
    });
    let wrong = "0".repeat(64);
    for (digest, succeeds) in [("", true), (right.as_str(), true), (wrong.as_str(), false)] {
        let runner = tempfile::tempdir().unwrap();
        let done = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("RUNNER_TEMP", runner.path())
            .env("GITHUB_PATH", runner.path().join("path"))
            .env("GITHUB_OUTPUT", runner.path().join("output"))
            .env("VERSION", env!("CARGO_PKG_VERSION"))
            .env("SHA256", digest)
            .env("RELEASES", format!("{}/releases", company.hub.url))
            .output()
            .unwrap();
        assert_eq!(
            done.status.success(),
            succeeds,
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert_eq!(runner.path().join("path").exists(), succeeds);
        assert_eq!(runner.path().join("tollgate/tollgate").exists(), succeeds);
    }
}
