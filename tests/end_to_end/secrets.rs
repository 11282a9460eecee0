//! A secret goes where it has to and nowhere else: every command, on the way that works and on ways that fail.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate_testing::postgres::{PASSWORD_ROLE, TestDatabase, cluster};
use tollgate_tests::{Outcome, Project, Receiver};

use crate::session::{DROP, blog};

/// A password as nobody would write one by chance, with characters that a URL has to encode.
const MARKER: &str = "mark/er@secret%9";
/// The same in a URL.
const ENCODED: &str = "mark%2Fer%40secret%259";
/// Parts that survive any way of encoding it.
const TRACES: [&str; 3] = ["mark/er", "mark%2Fer", "secret%"];

const COMMANDS: &[&str] = &[
    "check",
    "status",
    "deploy --dry-run",
    "deploy",
    "deploy",
    "rollback --dry-run",
    "rollback",
    "rollback --force",
    "resolve --applied 3_views",
    "resolve --rolled-back 9_nothing",
    "config show --origin",
    "plugin list",
    "new another",
    "init",
];

/// Each command as people and programs use it; what they say must not hold the secret.
fn run_everything(project: &Project, flags: &[&str]) -> Vec<Outcome> {
    let outputs = [&["--verbose"][..], &["--format", "json"]];
    let run = |(command, output): (&&str, &[&str])| {
        let arguments: Vec<&str> = command
            .split(' ')
            .chain(flags.iter().copied())
            .chain(output.iter().copied())
            .collect();
        let outcome = project.run(&arguments);
        assert_clean(&outcome.raw_stdout, &format!("stdout of {arguments:?}"));
        assert_clean(&outcome.raw_stderr, &format!("stderr of {arguments:?}"));
        outcome
    };
    COMMANDS
        .iter()
        .flat_map(|command| outputs.map(|output| (command, output)))
        .map(run)
        .collect()
}

#[track_caller]
fn assert_clean(text: &str, place: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{place} holds the secret ({trace}):\n{text}");
    }
}

/// Every file of a folder, but those in which the test itself has put the secret.
#[track_caller]
fn assert_no_file_holds_it(folder: &Path, but: &[&str]) {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !but.contains(&name.as_str()) {
                assert_clean(
                    &String::from_utf8_lossy(&fs::read(&path).unwrap()),
                    &path.display().to_string(),
                );
            }
        }
    }
}

/// A database whose owner has to give the secret.
struct Guarded {
    database: TestDatabase<'static>,
    role: String,
}

impl Guarded {
    fn new() -> Self {
        let database = cluster().database();
        let role = format!("{}_role", database.name);
        // Members of that role have to give their password.
        let sql = format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{MARKER}' IN ROLE {PASSWORD_ROLE}; ALTER DATABASE {} OWNER TO {role};",
            database.name
        );
        cluster().admin(&sql).unwrap();
        database.psql(&format!("ALTER SCHEMA public OWNER TO {role};"));
        Self { database, role }
    }

    fn url(&self) -> String {
        let url = self.database.url_as(&self.role, Some(MARKER));
        assert!(url.contains(ENCODED), "{url}");
        url
    }

    /// What the tables of this database say, Tollgate's own among them.
    fn contents(&self) -> String {
        let output = std::process::Command::new(cluster().program("pg_dump"))
            .args(["--data-only", "--dbname", &self.database.url()])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let sql = format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE); DROP ROLE IF EXISTS {};",
            self.database.name, self.role
        );
        let _ = cluster().admin(&sql);
    }
}

/// A project that tells a receiver, whose address, header and signing key hold the secret, too.
fn project(receiver: &Receiver) -> Project {
    let mut project = Project::new();
    blog(&project);
    project.file(
        "tollgate.toml",
        "[plugins.webhook.settings]\nsigning_secret = \"key\"\n\n\
         [plugins.webhook.endpoints.webhook]\nurl = \"env:HOOK_URL\"\nallow_private = true\n\n\
         [plugins.webhook.endpoints.webhook.headers]\nauthorization = \"env:HOOK_TOKEN\"\n\n\
         [plugins.webhook.endpoints.webhook.secrets]\nkey = \"env:HOOK_KEY\"\n",
    );
    project.set(
        "HOOK_URL",
        &format!("{}services/{ENCODED}?token={ENCODED}", receiver.url()),
    );
    project.set("HOOK_TOKEN", &format!("Bearer {MARKER}"));
    project.set("HOOK_KEY", MARKER);
    project
}

fn assert_receiver_is_clean(receiver: &Receiver, expected: bool) {
    let received = receiver.received();
    assert_eq!(!received.is_empty(), expected, "whether anything was received");
    for request in received {
        assert_clean(&request.body, "the body of a notification");
        let headers = request.headers.iter().filter(|(name, _)| *name != "authorization");
        headers.for_each(|(name, value)| assert_clean(value, name));
        assert_eq!(
            request.headers["authorization"],
            format!("Bearer {MARKER}"),
            "the secret has to go there"
        );
    }
}

#[test]
fn when_everything_works() {
    let receiver = Receiver::start();
    let database = Guarded::new();
    let mut project = project(&receiver);
    project.set("DATABASE_URL", &database.url());
    let outcomes = run_everything(&project, &[]);
    assert!(
        outcomes.iter().filter(|outcome| outcome.status == Some(0)).count() > 12,
        "most of it works"
    );
    assert_clean(&database.contents(), "the database");
    assert!(
        database.contents().contains("rollback_plans"),
        "the dump has Tollgate's own tables"
    );
    assert_no_file_holds_it(project.path(), &[]);
    assert_receiver_is_clean(&receiver, true);
}

#[test]
fn on_sqlite_whose_state_lies_beside_it() {
    let receiver = Receiver::start();
    let mut project = project(&receiver);
    project.set("DATABASE_URL", "file:./app.db");
    run_everything(&project, &[]);
    assert!(project.path().join("app.db.tollgate.db").exists());
    assert_no_file_holds_it(project.path(), &[]);
    assert_receiver_is_clean(&receiver, true);
}

#[test]
fn in_a_dot_env_file_and_as_a_flag() {
    let receiver = Receiver::start();
    let database = Guarded::new();
    let from_file = project(&receiver);
    from_file.file(".env", &format!("DATABASE_URL=\"{}\"\n", database.url()));
    run_everything(&from_file, &[]);
    assert_no_file_holds_it(from_file.path(), &[".env"]);
    let other = project(&receiver);
    run_everything(&other, &["--database-url", &database.url()]);
    run_everything(&other, &["--database-url", &database.url(), "--no-such-flag"]);
    run_everything(&other, &[&database.url()]);
    assert_no_file_holds_it(other.path(), &[]);
    assert_clean(&database.contents(), "the database");
    assert_receiver_is_clean(&receiver, true);
}

#[test]
fn when_the_database_cannot_be_used() {
    let receiver = Receiver::start();
    let database = Guarded::new();
    let url = database.url();
    let (before, place) = url.rsplit_once('@').unwrap();
    let name = &database.database.name;
    let broken = [
        format!("{before}@127.0.0.1:1/{name}"),
        format!("{before}@no-such-host.invalid/{name}"),
        format!("{before}X@{place}"),
        format!("{before}@{place}?sslmode=require"),
        format!("{before}@{place}?sslmood=require"),
        format!("{before}@{place}?sslpassword={ENCODED}&connect_timeout=x"),
        format!("{before}@{place}?options=-c%20nonsense%3D{ENCODED}"),
        format!("postgresql://{}:{MARKER}@{place}", database.role),
        format!("mysql://app:{ENCODED}@{place}"),
        format!("postgresql://app:{ENCODED}@[::1/{name}"),
        format!("postgresql://app:{ENCODED}@host:port/{name}"),
        format!("postgressql://app:{ENCODED}@{place}"),
        format!(" {url}"),
        format!("'{url}'"),
        format!("DATABASE_URL={url}"),
    ];
    for url in broken {
        let mut project = project(&receiver);
        project.set("DATABASE_URL", &url);
        for arguments in [
            &["status"][..],
            &["deploy", "--verbose"],
            &["deploy", "--format", "json"],
            &["config", "show"],
        ] {
            let outcome = project.run(arguments);
            assert_clean(
                &outcome.raw_stdout,
                &format!("stdout of {arguments:?} with a broken URL"),
            );
            assert_clean(
                &outcome.raw_stderr,
                &format!("stderr of {arguments:?} with a broken URL"),
            );
        }
        assert_no_file_holds_it(project.path(), &[]);
    }
}

#[test]
fn when_migrations_fail_or_are_blocked_and_nobody_can_be_told() {
    for status in [500, 404] {
        let receiver = Receiver::answering(status);
        let database = Guarded::new();
        let mut project = project(&receiver);
        project.set("DATABASE_URL", &database.url());
        project.succeed(&["deploy", "--to", "2_posts"]);
        for bad in ["INSERT INTO nowhere VALUES (1);\n", "SELEC 1;\n", DROP] {
            project.migration("4_bad", bad);
            run_everything(&project, &[]);
        }
        assert_clean(&database.contents(), "the database");
        assert_no_file_holds_it(project.path(), &[]);
        assert_receiver_is_clean(&receiver, true);
    }
}

#[test]
fn when_the_receiver_is_not_there_or_its_address_is_wrong() {
    let database = Guarded::new();
    let addresses = [
        format!("http://127.0.0.1:1/{ENCODED}"),
        format!("http://user:{ENCODED}@127.0.0.1:1/"),
        format!("https://no-such-host.invalid/{ENCODED}"),
        format!("https://10.0.0.1/{ENCODED}"),
        format!("ftp://127.0.0.1/{ENCODED}"),
        ENCODED.to_owned(),
    ];
    for required in [false, true] {
        for address in &addresses {
            let mut project = project(&Receiver::start());
            project.set("DATABASE_URL", &database.url()).set("HOOK_URL", address);
            let text = fs::read_to_string(project.path().join("tollgate.toml")).unwrap();
            project.file(
                "tollgate.toml",
                &format!("plugins.webhook.required = {required}\n{text}"),
            );
            for arguments in [
                &["deploy", "--verbose"][..],
                &["rollback", "--force", "--format", "json"],
            ] {
                let outcome = project.run(arguments);
                assert_clean(&outcome.raw_stdout, &format!("stdout of {arguments:?}"));
                assert_clean(&outcome.raw_stderr, &format!("stderr of {arguments:?}"));
            }
            assert_no_file_holds_it(project.path(), &[]);
        }
    }
}

#[test]
fn in_the_configuration_file_itself() {
    let receiver = Receiver::start();
    let database = Guarded::new();
    let project = Project::new();
    blog(&project);
    let settings = format!("[database]\nurl = \"{}\"\n", database.url());
    for extra in [
        String::new(),
        "unknown = 1\n".to_owned(),
        format!("[state]\nurl = \"{}\"\n", database.url()),
        format!(
            "[plugins.webhook.endpoints.webhook]\nurl = \"{}{ENCODED}\"\nallow_private = true\n",
            receiver.url()
        ),
        format!(
            "[plugins.webhook.endpoints.webhook]\nurl = \"{}{ENCODED}\"\nheaders = \"{MARKER}\"\n",
            receiver.url()
        ),
        "[plugins.webhook\n".to_owned(),
    ] {
        project.file("tollgate.toml", &format!("{settings}{extra}"));
        run_everything(&project, &[]);
    }
    for line in [
        format!("[database]\nurl = \"{}\nprovider = \"x\"\n", database.url()),
        format!("[database]\nurll = \"{}\"\n", database.url()),
        format!("[database]\nprovider = \"{}\"\n", database.url()),
        format!("[database\nurl = \"{}\"\n", database.url()),
    ] {
        project.file("tollgate.toml", &line);
        run_everything(&project, &[]);
    }
    assert_no_file_holds_it(project.path(), &["tollgate.toml"]);
}
