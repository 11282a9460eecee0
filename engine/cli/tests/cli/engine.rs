//! The commands that work on a database, on `SQLite`, with the bundled plugins.

use insta::assert_snapshot;

use crate::output::valid;
use crate::support::{Ended, Project};

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n";
const INDEX: &str = "CREATE UNIQUE INDEX users_email ON users (email);\n";
const DROP: &str = "DROP TABLE users;\n";

/// Two harmless migrations and a database that is not there yet.
fn project() -> Project {
    Project::with(&[
        ("migrations/1_users/migration.sql", USERS),
        ("migrations/2_index/migration.sql", INDEX),
        ("migrations/migration_lock.toml", "provider = \"sqlite\"\n"),
        (".env", "DATABASE_URL=file:./dev.db\n"),
    ])
}

/// How long things took is different every time.
fn timeless(ended: &Ended) -> String {
    let words = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            let number = words[at - 1].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            // The first deploy may have to compile the plugins, which takes seconds on a busy machine.
            if matches!(words[at], "ms" | "s") && number {
                words[at - 1] = "[n]";
                words[at] = "ms";
            }
        }
        words.join(" ")
    };
    ended.to_string().lines().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn migrations_are_deployed_and_taken_back() {
    let project = project();
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    the database does not exist yet; `tollgate deploy` creates it
    pending     1_users
    pending     2_index
    2 migrations: 0 applied, 2 pending; next: `tollgate deploy`
    ");
    assert_snapshot!(timeless(&project.run(&["deploy", "--dry-run"])), @"
    exit status 0
    --- stdout
    1. 1_users 1 statement
       taken back: lossy: the rows written to users since
    2. 2_index 1 statement
       taken back: lossless
    2 migrations checked: 2 notes
    2 migrations to deploy; nothing was changed
    --- stderr
    warning: the database does not exist yet; a deploy creates it
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    assert!(!project.root().join("dev.db").exists(), "a dry run makes no database");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    ");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    nothing to deploy: the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 0
    --- stdout
    SQLite database dev.db
    applied     1_users
    applied     2_index
    2 migrations: 2 applied; the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["status", "--all"])), @"
    exit status 0
    --- stdout
    SQLite database dev.db
    applied     1_users
    applied     2_index
    2 migrations: 2 applied; the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["rollback", "--dry-run", "--steps", "2"])), @r#"
    exit status 0
    --- stdout
    2_index (planned when it was deployed) lossless
        DROP INDEX "users_email";
    1_users (planned when it was deployed) lossy: the rows written to users since
        DROP TABLE "users";
    2 migrations to take back; nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["rollback"])), @r#"
    exit status 2
    --- stdout
    2_index (planned when it was deployed) lossless
        DROP INDEX "users_email";
    --- stderr
    rollback::unconfirmed

      × there is nobody here to ask whether to take it back
      help: look at the plan with --dry-run, then run it with --force
      the database now: nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["rollback", "--force"])), @"
    exit status 0
    --- stdout
    taken back 2_index [n] ms
    1 migration taken back
    ");
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    applied     1_users
    rolled back 2_index
    2 migrations: 1 applied, 1 rolled back; next: `tollgate deploy`
    ");
    assert_snapshot!(timeless(&project.run(&["rollback", "--target", "1_user"])), @"
    exit status 5
    --- stderr
    not-applied

      × 1_user is not applied: neither the folder nor the ledger knows it
      help: did you mean 1_users? Give the whole folder name
      the database now: nothing was changed
    ");
}

#[test]
fn what_loses_data_is_blocked() {
    let project = project();
    project.write("migrations/3_drop/migration.sql", DROP);
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 3
    --- stdout
    3 migrations checked: 1 blocking, 2 warnings, 3 notes
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::drop-table

      × drops the table users with all its rows
       ╭─[migrations/3_drop/migration.sql:1:1]
     1 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of users
       ╭─[migrations/3_drop/migration.sql:1:1]
     1 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
    assert_snapshot!(timeless(&project.run(&["check", "1_users"])), @"
    exit status 0
    --- stdout
    1 migration checked: 1 note
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    applied 3_drop [n] ms
    3 migrations checked: 3 notes
    3 migrations applied in [n] ms
    ");
    project.write(
        "migrations/3_drop/migration.sql",
        &format!("-- tollgate:allow drop-table -- nobody uses it\n{DROP}"),
    );
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 0
    --- stdout
    3 migrations checked: 2 warnings, 3 notes, 1 allowed by comments
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of users
       ╭─[migrations/3_drop/migration.sql:2:1]
     1 │ -- tollgate:allow drop-table -- nobody uses it
     2 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}

#[test]
fn rules_get_their_levels_from_the_configuration() {
    let project = project();
    project.write("migrations/3_drop/migration.sql", DROP);
    project.write("tollgate.toml", "[plugins.destructive.rules]\ndrop-table = \"off\"\n");
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 0
    --- stdout
    3 migrations checked: 1 warning, 3 notes
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    project.write("tollgate.toml", "[plugins.destructive.rules]\ndrop-tabel = \"off\"\n");
    assert_snapshot!(timeless(&project.run(&["check"])), @r#"
    exit status 2
    --- stderr
    config::plugin

      × the plugin destructive has no rule drop-tabel; did you mean drop-table?
       ╭─[tollgate.toml:2:14]
     1 │ [plugins.destructive.rules]
     2 │ drop-tabel = "off"
       ·              ──┬──
       ·                ╰── here
       ╰────
      help: `tollgate plugin list --rules` names the rules
    "#);
}

#[test]
fn a_failing_migration_is_shown_where_it_fails() {
    let project = project();
    project.write(
        "migrations/3_bad/migration.sql",
        "CREATE TABLE a (id int);\nINSERT INTO nowhere VALUES (1);\n",
    );
    assert_snapshot!(timeless(&project.run(&["deploy"])), @r#"
    exit status 1
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    --- stderr
    migration-failed

      × migration "3_bad" failed: no such table: nowhere
       ╭─[migrations/3_bad/migration.sql:2:13]
     1 │ CREATE TABLE a (id int);
     2 │ INSERT INTO nowhere VALUES (1);
       ·             ───┬───
       ·                ╰── no such table: nowhere
       ╰────
      help: mend the file, then run `tollgate deploy`
      the database now: 2 migrations of this run are in and recorded; nothing of it is in the database
    "#);
    project.write("migrations/3_bad/migration.sql", "CREATE TABLE a (id int;\n");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 1
    --- stderr
    script::syntax

      × 3_bad cannot be read
       ╭─[migrations/3_bad/migration.sql:1:23]
     1 │ CREATE TABLE a (id int;
       ·                       ┬
       ·                       ╰── syntax error near ';'
       ╰────
      the database now: nothing was changed
    ");
}

#[test]
fn a_migration_can_be_recorded() {
    let project = project();
    assert_eq!(project.run(&["deploy"]).status, 0);
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "1_users"])), @r#"
    exit status 5
    --- stderr
    resolve

      × migration "1_users" is already recorded as applied
      the database now: nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["resolve", "--rolled-back", "9_never"])), @r#"
    exit status 5
    --- stderr
    resolve

      × migration "9_never" cannot be rolled back because it was never applied
      help: give the whole name of the migration's folder
      the database now: nothing was changed
    "#);
    project.write("migrations/3_done/migration.sql", "CREATE TABLE done (id int);\n");
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "3_done"])), @"
    exit status 5
    --- stderr
    contradicted

      × 3_done is not applied: line 1 is not in (CREATE TABLE done (id int))
      help: `tollgate resolve 3_done` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed
    ");
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "3_done", "--force"])), @"
    exit status 0
    --- stdout
    3_done is recorded as applied
    --- stderr
    warning: 3_done is not applied: line 1 is not in (CREATE TABLE done (id int))
    ");
}

#[test]
fn what_to_do_next_is_for_the_same_environment() {
    let project = project();
    project.write(
        "tollgate.toml",
        "[environments.staging]\ndatabase.url = \"env:STAGING_URL\"\n",
    );
    project.write(".env", "STAGING_URL=file:./staging.db\n");
    assert_snapshot!(project.run(&["-e", "staging", "status"]), @"
    exit status 5
    --- stdout
    SQLite database staging.db
    the database does not exist yet; `tollgate -e staging deploy` creates it
    pending     1_users
    pending     2_index
    2 migrations: 0 applied, 2 pending; next: `tollgate -e staging deploy`
    ");
}

#[test]
fn a_migration_that_failed_and_left_nothing_was_not_taken_back_by_anybody() {
    let project = project();
    project.write("migrations/2_index/migration.sql", "CREATE INDEX i ON elsewhere (a);");
    project.run(&["deploy"]);
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    applied     1_users
    rolled back 2_index  failed when it was last tried
    2 migrations: 1 applied, 1 rolled back; next: `tollgate deploy`
    ");
}

#[test]
fn a_rollback_that_fails_says_that_the_migration_is_still_applied() {
    let project = project();
    project.write("migrations/1_users/down.sql", "DROP TABLE elsewhere;");
    project.run(&["deploy"]);
    assert_snapshot!(timeless(&project.run(&["rollback", "--force", "--steps", "2"])), @"
    exit status 1
    --- stdout
    taken back 2_index [n] ms
    --- stderr
    migration-failed

      × taking 1_users back failed: no such table: elsewhere
       ╭─[migrations/1_users/down.sql:1:12]
     1 │ DROP TABLE elsewhere;
       ·            ────┬────
       ·                ╰── no such table: elsewhere
       ╰────
      help: mend the cause, then run the command again
      the database now: 1 migration was taken back before; 1_users is applied as it was; nothing of its rollback was kept
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
fn documents_of_runs_follow_their_schemas() {
    let project = project();
    let cases: &[(&[&str], &str)] = &[
        (&["check"], "check"),
        (&["status"], "status"),
        (&["deploy", "--dry-run"], "deploy"),
        (&["deploy"], "deploy"),
        (&["status"], "status"),
        (&["rollback", "--dry-run"], "rollback"),
        (&["rollback"], "error"),
        (&["rollback", "--force"], "rollback"),
        (&["resolve", "1_users", "2_index"], "resolve"),
        (&["resolve", "--applied", "2_index"], "error"),
        (&["resolve", "--applied", "2_index", "--force"], "resolve"),
        (&["baseline", "--yes"], "error"),
        (&["reset", "--force"], "error"),
        (&["seed", "--force"], "error"),
        (&["resolve", "--applied", "9_never"], "error"),
        (&["plugin", "list"], "plugin-list"),
    ];
    for (args, schema) in cases {
        valid(&project.json(args), schema);
    }
}

#[test]
fn settings_without_effect_are_mentioned() {
    let project = project();
    let ended = project.command(&["deploy"]).env("FORCE_RELEASE", "true").run();
    assert_snapshot!(ended.stderr, @"");
}

#[test]
fn documents_of_beginning_follow_their_schemas() {
    let project = project();
    project.write(
        "tollgate.toml",
        "development = true\n[seed]\nfiles = [\"rows.sql\"]\ncommand = [\"/bin/sh\", \"-c\", \"exit 0\"]\n",
    );
    project.write("rows.sql", "SELECT 1;\n");
    let cases: &[(&[&str], &str)] = &[
        (&["reset", "--dry-run"], "reset"),
        (&["reset", "--force"], "reset"),
        (&["seed"], "seed"),
        (&["baseline", "--dry-run"], "error"),
    ];
    for (args, schema) in cases {
        valid(&project.json(args), schema);
    }
}

#[test]
fn a_bad_url_is_explained() {
    let project = project();
    let run = |url: &str| project.run(&["status", "--database-url", url]);
    assert_snapshot!(run("mysql://root:hidden@db/shop"), @"
    exit status 2
    --- stderr
    config::database-url

      × MySQL databases are not supported yet
      help: PostgreSQL and SQLite are; it is from --database-url
    ");
    assert_snapshot!(run("postgres://app:hidden@db/shop?sslmood=require"), @r#"
    exit status 2
    --- stderr
    config::database-url

      × the database URL has an unknown parameter "sslmood"
      help: known are schema, sslmode, sslcert, sslkey, sslrootcert, sslidentity, sslpassword,
            sslaccept, host, options, application_name, channel_binding, connect_timeout, pgbouncer,
            and (without effect here) connection_limit, pool_timeout, socket_timeout,
            statement_cache_size, max_connection_lifetime, max_idle_connection_lifetime,
            single_use_connections; it is from --database-url
    "#);
    assert_snapshot!(run("shop"), @"
    exit status 2
    --- stderr
    config::database-url

      × the database URL does not start with postgresql://, postgres://, file: or sqlite:
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db; it is from
            --database-url
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

#[test]
fn an_unreachable_server_is_named_without_its_password() {
    let project = Project::with(&[("migrations/1_users/migration.sql", USERS)]);
    let url = "postgres://app:hidden-password@127.0.0.1:1/shop";
    assert_snapshot!(project.run(&["status", "--database-url", url]), @r#"
    exit status 1
    --- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:1: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed
    "#);
    assert_snapshot!(project.run(&["deploy", "--database-url", url]), @r#"
    exit status 1
    --- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:1: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed
    "#);
}

#[test]
fn a_folder_for_the_database_must_be_there() {
    let project = project();
    let run = |url: &str| project.run(&["deploy", "--database-url", url]);
    assert_snapshot!(timeless(&run("file:./nowhere/dev.db")), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    ");
    project.write("in-the-way", "");
    assert_snapshot!(run("file:./in-the-way/dev.db"), @"
    exit status 1
    --- stderr
    database

      × cannot open SQLite database in-the-way/dev.db: cannot make the folder in-the-way: File exists
      │ (os error 17)
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
    assert_snapshot!(run("file:./migrations"), @"
    exit status 1
    --- stderr
    database

      × SQLite database migrations cannot be used: it is a folder
      the database now: nothing was changed
    ");
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let project = project();
    project.write(
        "dev.db",
        "this is a text and not a database, and long enough to be sure of it\n",
    );
    assert_snapshot!(project.run(&["deploy"]), @"
    exit status 1
    --- stderr
    database

      × cannot open SQLite database dev.db: file is not a database
      help: the file holds something else: name another one in the URL
      the database now: nothing was changed
    ");
    assert!(project.read("dev.db").starts_with("this is a text"));
}

#[test]
fn irregular_folders_are_explained() {
    let project = project();
    project.write("migrations/3_empty/notes.txt", "");
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    folder

      × no migration.sql in migrations/3_empty
      help: add the file, or remove the folder if the migration was given up
      the database now: nothing was changed
    ");
    let project = self::project();
    project.write("migrations/1_Users/migration.sql", USERS);
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    folder

      × the folders 1_Users and 1_users differ only in case
      help: rename one of them: on macOS and Windows they would be one folder
      the database now: nothing was changed
    ");
    let project = self::project();
    project.write("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    assert_snapshot!(project.run(&["status"]), @"
    exit status 2
    --- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed
    ");
    project.write("migrations/migration_lock.toml", "provider = postgresql");
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    folder

      × migrations/migration_lock.toml: string values must be quoted, expected literal string
      help: it should hold one line such as `provider = "postgresql"`
      the database now: nothing was changed
    "#);
}

#[test]
fn irregular_histories_are_explained() {
    let project = project();
    assert_eq!(project.run(&["deploy"]).status, 0);
    project.write("migrations/2_index/migration.sql", "-- changed\n");
    project.write("migrations/0_late/migration.sql", "");
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    pending     0_late  later ones are applied
    applied     1_users
    applied     2_index  edited since it was applied
    3 migrations: 2 applied, 1 pending, 1 edited; next: put 2_index back as it was applied
    ");
    assert_snapshot!(project.run(&["deploy"]), @r#"
    exit status 5
    --- stderr
    edited-migration

      × 1 migration was edited after being applied: 2_index
      help: put the files back as they were applied and write a new migration for the change;
            `migrations.edited = "warn"` lets a deploy go on
      the database now: nothing was changed
    "#);
    std::fs::remove_dir_all(project.root().join("migrations/2_index")).unwrap();
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    pending     0_late  later ones are applied
    applied     1_users
    applied     2_index  not in the folder
    the last one in both folder and database is 1_users
    3 migrations: 2 applied, 1 pending, 1 missing; next: `tollgate deploy`
    ");
}
