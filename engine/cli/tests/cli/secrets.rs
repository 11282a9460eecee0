//! Secrets never show, whatever is asked and whatever goes wrong.

use crate::support::Project;

const MARKER: &str = "m4rker-passw0rd";

/// Every place a secret can be in, with files that are right and files that are wrong.
fn projects() -> Vec<Project> {
    let url = format!("postgres://app:{MARKER}@127.0.0.1:1/shop");
    let endpoint = format!(
        "[plugins.hook]\nsource = \"hook.wasm\"\nendpoints.main = {{ url = \"https://example.com/{MARKER}\", headers.Authorization = \"Bearer {MARKER}\", secrets.sign = \"{MARKER}\" }}\n"
    );
    let files = [
        (format!("database.url = \"{url}\"\n{endpoint}"), String::new()),
        (
            format!("database.url = \"env:DIRECT_URL\"\n{endpoint}"),
            format!("DIRECT_URL={url}\nDATABASE_URL={url}\n"),
        ),
        (
            String::new(),
            format!("DATABASE_URL=\"{url}\"\nSLACK_WEBHOOK_URL=https://hooks.slack.com/services/{MARKER}\n"),
        ),
        (format!("database.url = \"{url}\"\nwrong = 1\n"), String::new()),
        (format!("wrong = 1\ndatabase.url = [\"{url}\"]\n"), String::new()),
        (
            format!("[plugins.hook.endpoints.main]\nsecrets = \"{MARKER}\"\nheaders = [\"{MARKER}\"]\n"),
            String::new(),
        ),
        (format!("database.url = \"{url}\nlock.url = '{MARKER}\n"), String::new()),
        (
            String::new(),
            format!("LOCK_TIMEOUT_MS={url}\nTOLLGATE_CHECK_BLOCK_AT={url}\n"),
        ),
        (
            format!("state.url = \"{url}\"\nlock.url = \"{url}\"\nprisma.schema = 1\n"),
            String::new(),
        ),
    ];
    let make = |(toml, env): &(String, String)| {
        let project = Project::with(&[
            ("tollgate.toml", toml),
            (".env", env),
            ("migrations/0_init/migration.sql", "SELECT 1;"),
        ]);
        project.write("package.json", "{}");
        project
    };
    files.iter().map(make).collect()
}

#[test]
fn no_command_shows_a_secret() {
    let commands: &[&[&str]] = &[
        &["init"],
        &["init", "--write-scripts"],
        &["new", "add users"],
        &["check"],
        &["deploy"],
        &["deploy", "--dry-run"],
        &["status"],
        &["rollback"],
        &["rollback", "--dry-run"],
        &["resolve", "--applied", "0_init"],
        &["resolve", "--rolled-back", "0_init"],
        &["plugin", "list"],
        &["config", "show"],
        &["config", "show", "--origin"],
        &["completions", "bash"],
        &["--version"],
        &["--help"],
    ];
    for project in projects() {
        for command in commands {
            for extra in [&[][..], &["--format", "json"], &["-v"], &["--color", "always"]] {
                let args: Vec<&str> = command.iter().chain(extra).copied().collect();
                let ended = project.run(&args);
                let shown = ended.stdout.contains(MARKER) || ended.stderr.contains(MARKER);
                assert!(!shown, "{args:?} with\n{}\n{ended}", project.read("tollgate.toml"));
            }
        }
    }
}

#[test]
fn flags_do_not_show_theirs() {
    let project = Project::with(&[("migrations/0_init/migration.sql", "")]);
    let url = format!("postgres://app:{MARKER}@127.0.0.1:1/shop");
    let cases: &[&[&str]] = &[
        &["status", "--database-url", &url],
        &["deploy", "--database-url", &url],
        &["config", "show", "--database-url", &url],
        &["status", &url],
        &[&url],
        &["--databse-url", &url, "status"],
        &["--config", &url, "status"],
        &["--format", &url, "status"],
        &["-e", &url, "status"],
    ];
    for args in cases {
        let ended = project.run(args);
        assert!(
            !ended.stdout.contains(MARKER) && !ended.stderr.contains(MARKER),
            "{args:?}\n{ended}"
        );
    }
}
