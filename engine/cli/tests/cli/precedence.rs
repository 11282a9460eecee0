//! Which of several sources of a setting wins, and what `config show` says about it.

use insta::assert_snapshot;

use crate::support::{Project, Run};

/// The value of a setting and where it is from.
fn setting(run: Run, key: &str) -> String {
    let ended = run.args(&["config", "show", "--format", "json"]).run();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let settings = document["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.map_or_else(
        || "not set".to_owned(),
        |setting| {
            let origin = &setting["origin"];
            let name = origin["name"].as_str().or(origin["file"].as_str()).unwrap_or_default();
            let name = std::path::Path::new(name)
                .file_name()
                .map_or("", |name| name.to_str().unwrap());
            format!("{} ({} {name})", setting["value"], origin["kind"].as_str().unwrap()).replace(" )", ")")
        },
    )
}

#[test]
fn later_sources_win() {
    let project = Project::new();
    let key = "deploy.lock_timeout_ms";
    let run = || project.command(&[]);
    assert_eq!(setting(run(), key), "30000 (default)");
    project.write(
        "rules/base.toml",
        "deploy.lock_timeout_ms = 1\n[environments.prod]\ndeploy.lock_timeout_ms = 3\n",
    );
    project.write("tollgate.toml", "extends = [\"rules/base.toml\"]\n");
    assert_eq!(setting(run(), key), "1 (file base.toml)");
    project.write(
        "tollgate.toml",
        "extends = [\"rules/base.toml\"]\ndeploy.lock_timeout_ms = 2\n",
    );
    assert_eq!(setting(run(), key), "2 (file tollgate.toml)");
    assert_eq!(setting(run().args(&["-e", "prod"]), key), "3 (file base.toml)");
    let toml = format!(
        "{}\n[environments.prod.deploy]\nlock_timeout_ms = 4\n",
        project.read("tollgate.toml")
    );
    project.write("tollgate.toml", &toml);
    let run = || project.command(&["-e", "prod"]);
    assert_eq!(setting(run(), key), "4 (file tollgate.toml)");
    project.write(".env", "LOCK_TIMEOUT_MS=5\n");
    assert_eq!(setting(run(), key), "5 (variable LOCK_TIMEOUT_MS)");
    let run = || project.command(&["-e", "prod"]).env("LOCK_TIMEOUT_MS", "6");
    assert_eq!(setting(run(), key), "6 (variable LOCK_TIMEOUT_MS)");
    let run = || {
        project
            .command(&["-e", "prod"])
            .env("LOCK_TIMEOUT_MS", "6")
            .env("TOLLGATE_DEPLOY_LOCK_TIMEOUT_MS", "7")
    };
    assert_eq!(setting(run(), key), "7 (variable TOLLGATE_DEPLOY_LOCK_TIMEOUT_MS)");
}

#[test]
fn the_database_is_that_of_the_flag_or_the_environment_or_the_file() {
    let project = Project::with(&[("tollgate.toml", "database.url = \"file:file.db\"\n")]);
    let key = "database.url";
    assert_eq!(
        setting(project.command(&[]), key),
        "\"file:file.db\" (file tollgate.toml)"
    );
    project.write(".env", "DATABASE_URL='file:dotenv.db'\n");
    assert_eq!(
        setting(project.command(&[]), key),
        "\"file:dotenv.db\" (variable DATABASE_URL)"
    );
    let run = || project.command(&[]).env("DATABASE_URL", "file:real.db");
    assert_eq!(setting(run(), key), "\"file:real.db\" (variable DATABASE_URL)");
    let run = || {
        project
            .command(&[])
            .env("DATABASE_URL", "file:real.db")
            .env("TOLLGATE_DATABASE_URL", "file:own.db")
    };
    assert_eq!(setting(run(), key), "\"file:own.db\" (variable TOLLGATE_DATABASE_URL)");
    assert_eq!(
        setting(run().args(&["--database-url", "file:flag.db"]), key),
        "\"file:flag.db\" (flag --database-url)"
    );
}

/// Production's variable must not be exchanged for the one that every tool of the project reads.
#[test]
fn a_file_that_names_another_variable_is_believed() {
    let project = Project::with(&[
        (
            "tollgate.toml",
            "[environments.production]\ndatabase.url = \"env:PRODUCTION_URL\"\n",
        ),
        (".env", "DATABASE_URL=file:own.db\nPRODUCTION_URL=file:production.db\n"),
    ]);
    assert_eq!(
        setting(project.command(&[]), "database.url"),
        "\"file:own.db\" (variable DATABASE_URL)"
    );
    let run = || project.command(&["-e", "production"]);
    assert_eq!(
        setting(run(), "database.url"),
        "\"env:PRODUCTION_URL\" (file tollgate.toml)"
    );
    let run = run().args(&["--database-url", "file:flag.db"]);
    assert_eq!(setting(run, "database.url"), "\"file:flag.db\" (flag --database-url)");
}

/// Prisma's places for `.env`; the first one that has the name wins.
#[test]
fn dotenv_files_are_found_where_prisma_finds_them() {
    let cases = [
        (&["package.json", "sub/.env"][..], "sub", "sub/.env"),
        (&["package.json", ".env", "sub/schema.prisma"], "sub", ".env"),
        (
            &["package.json", "prisma/.env", "prisma/schema.prisma"],
            "",
            "prisma/.env",
        ),
        (&[".env", "prisma/.env", "package.json"], "", ".env"),
        (&["db/.env", "db/schema.prisma", "tollgate.toml"], "", "db/.env"),
        (
            &[
                "packages/db/.env",
                "packages/db/package.json",
                "packages/db/prisma/migrations/x",
                "tollgate.toml",
            ],
            "",
            "packages/db/.env",
        ),
    ];
    for (files, inside, expected) in cases {
        let project = Project::new();
        for file in files {
            let text = match *file {
                "tollgate.toml" if files[0].starts_with("packages") => {
                    "migrations.dir = \"packages/db/prisma/migrations\"\n".to_owned()
                }
                "tollgate.toml" => "prisma.schema = \"db/schema.prisma\"\n".to_owned(),
                file if std::path::Path::new(file).ends_with(".env") => format!("DATABASE_URL=file:{file}\n"),
                _ => "{}".to_owned(),
            };
            project.write(file, &text);
        }
        let run = project.command(&[]).inside(inside);
        assert_eq!(
            setting(run, "database.url"),
            format!("\"file:{expected}\" (variable DATABASE_URL)"),
            "{files:?}"
        );
    }
}

#[test]
fn the_file_is_looked_for_upwards_and_paths_start_there() {
    let project = Project::with(&[("tollgate.toml", "migrations.dir = \"db/changes\"\n"), ("a/b/c", "")]);
    let ended = project.command(&["check"]).inside("a/b").run();
    assert_snapshot!(ended, @"
    exit status 2
    --- stderr
    config::no-migrations

      × the folder of migrations [project]/db/changes does not exist
      help: it is set by [project]/tollgate.toml; `tollgate new NAME` makes it, with a
            first migration
    ");
}

#[test]
fn everything_can_be_traced() {
    let project = Project::with(&[
        (
            "rules/base.toml",
            "[plugins.destructive.rules]\ndrop-index = \"off\"\ndrop-table = \"medium\"\n",
        ),
        (
            "tollgate.toml",
            r#"extends = ["rules/base.toml"]

[database]
url = "env:DIRECT_URL"

[migrations]
dir = "db"

[plugins.destructive]
rules = { drop-table = "high" }

[plugins.hook]
source = "hook.wasm"
settings = { level = 3, names = ["a", "b"] }
endpoints.main = { url = "https://example.com/path-secret", headers = { Authorization = "env:TOKEN" }, secrets.sign = "literal" }

[environments.production]
check.block_at = "medium"
"#,
        ),
        (".env", "DIRECT_URL=postgres://app:hidden@db/shop?schema=public\n"),
    ]);
    let run = project.command(&[
        "-e",
        "production",
        "--migrations",
        "other",
        "config",
        "show",
        "--origin",
    ]);
    assert_snapshot!(run.env("FORCE_RELEASE", "true").env("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/x/y").run(), @r#"
    exit status 0
    --- stdout
    [database]
    url = "env:DIRECT_URL"  # postgres://app:***@db/shop?schema=public, from tollgate.toml:4

    [migrations]
    dir = "other"  # from --migrations
    edited = "error"  # from default
    missing = "warn"  # from default
    out_of_order = "warn"  # from default

    [check]
    block_at = "medium"  # from tollgate.toml:18 [environments.production]

    [deploy]
    idle_timeout_ms = 60000  # from default
    lock_timeout_ms = 30000  # from default
    retries = 5  # from default
    statement_lock_timeout_ms = 5000  # from default
    synchronous_commit = "last"  # from default

    [lock]
    force_release = true  # from FORCE_RELEASE

    [plugins.conventions]
    grant = []  # from default
    source = "builtin:conventions"  # from default

    [plugins.destructive]
    grant = ["catalog.probe"]  # from default
    source = "builtin:destructive"  # from default

    [plugins.destructive.rules]
    drop-index = "off"  # from rules/base.toml:2
    drop-table = "high"  # from tollgate.toml:10

    [plugins.github]
    grant = ["http:api"]  # from default
    source = "builtin:github"  # from default

    [plugins.hook]
    source = "hook.wasm"  # from tollgate.toml:13

    [plugins.hook.endpoints.main]
    url = "https://example.com/***"  # from tollgate.toml:15

    [plugins.hook.endpoints.main.headers]
    Authorization = "env:TOKEN"  # not set, from tollgate.toml:15

    [plugins.hook.endpoints.main.secrets]
    sign = "***"  # from tollgate.toml:15

    [plugins.hook.settings]
    level = 3  # from tollgate.toml:14
    names = ["a","b"]  # from tollgate.toml:14

    [plugins.rollback]
    grant = []  # from default
    source = "builtin:rollback"  # from default

    [plugins.safety]
    grant = ["catalog.probe"]  # from default
    source = "builtin:safety"  # from default

    [plugins.slack]
    grant = ["http:webhook"]  # from default
    source = "builtin:slack"  # from default

    [plugins.slack.endpoints.webhook]
    url = "env:SLACK_WEBHOOK_URL"  # https://hooks.slack.com/***, from SLACK_WEBHOOK_URL

    [plugins.webhook]
    grant = ["http:webhook"]  # from default
    source = "builtin:webhook"  # from default
    "#);
}

#[test]
fn a_variable_that_leads_away_from_the_chosen_environment_is_mentioned() {
    let project = Project::with(&[
        (
            "tollgate.toml",
            "[environments.staging]\ndatabase.url = \"file:./staging.db\"\n",
        ),
        ("migrations/1_a/migration.sql", "CREATE TABLE a (id int);"),
        (".env", "DATABASE_URL=file:./dev.db\n"),
    ]);
    assert_snapshot!(project.run(&["-e", "staging", "status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    the database does not exist yet; `tollgate -e staging deploy` creates it
    pending     1_a
    1 migration: 0 applied, 1 pending; next: `tollgate -e staging deploy`
    --- stderr
    warning: the variable DATABASE_URL goes before the url of [environments.staging]; there, name a variable of its own: env:NAME
    ");
    assert_eq!(project.run(&["status"]).stderr, "");
}
