//! Rows to work with: SQL files and a program of the project's.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, both, each, ledger, on, session};

const FILES: &str = "development = true\n[seed]\nfiles = [\"seed/*.sql\", \"more/**/*.sql\"]\n";

#[test]
fn files_run_in_order_and_no_ledger_knows_of_them() {
    let seen = each(|project, database| {
        blog(project);
        project
            .file("tollgate.toml", FILES)
            .file("seed/1.sql", "INSERT INTO users VALUES (1, 'a');\n")
            .file("seed/2.sql", "INSERT INTO posts VALUES (1, 1, 'x');\n")
            .file(
                "more/deep/3.sql",
                "BEGIN;\nINSERT INTO posts VALUES (2, 1, 'y');\nCOMMIT;\n",
            );
        let seen = session(
            project,
            &["deploy", "seed", "seed", "reset --force", "reset --force --skip-seed"],
        );
        seen + &database.run("SELECT count(*) FROM posts") + &ledger(database)
    });
    assert_snapshot!(seen.join("\n"), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations checked: 3 notes
    3 migrations applied in [duration]

    $ tollgate seed
    status: 0
    -- stdout
    seeded seed/1.sql [duration]
    seeded seed/2.sql [duration]
    seeded more/deep/3.sql [duration]

    $ tollgate seed
    status: 1
    -- stderr
    seed-failed

      × seed/1.sql: UNIQUE constraint failed: users.id
       ╭─[seed/1.sql:1:1]
     1 │ INSERT INTO users VALUES (1, 'a');
       · ────────────────┬────────────────
       ·                 ╰── UNIQUE constraint failed: users.id
       ╰────
      help: mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING;
            `tollgate seed` runs all files again
      the database now: nothing of this file was kept


    $ tollgate reset --force
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations, then seeds
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied
    seeded seed/1.sql [duration]
    seeded seed/2.sql [duration]
    seeded more/deep/3.sql [duration]

    $ tollgate reset --force --skip-seed
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied

    0
    1_users applied 1
    2_posts applied 1
    3_views applied 1

    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations checked: 3 notes
    3 migrations applied in [duration]

    $ tollgate seed
    status: 0
    -- stdout
    seeded seed/1.sql [duration]
    seeded seed/2.sql [duration]
    seeded more/deep/3.sql [duration]

    $ tollgate seed
    status: 1
    -- stderr
    seed-failed

      × seed/1.sql: duplicate key value violates unique constraint "users_pkey"
       ╭─[seed/1.sql:1:1]
     1 │ INSERT INTO users VALUES (1, 'a');
       · ────────────────┬────────────────
       ·                 ╰── duplicate key value violates unique constraint "users_pkey"
       ╰────
      help: SQLSTATE: 23505
            detail: Key (id)=(1) already exists.
            mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING;
            `tollgate seed` runs all files again
      the database now: nothing of this file was kept


    $ tollgate reset --force
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (public.posts, public.titles, public.users)
    applies 3 migrations, then seeds
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied
    seeded seed/1.sql [duration]
    seeded seed/2.sql [duration]
    seeded more/deep/3.sql [duration]

    $ tollgate reset --force --skip-seed
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (public.posts, public.titles, public.users)
    applies 3 migrations
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied

    0
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    "#);
}

#[test]
fn a_file_is_in_whole_or_not_at_all() {
    let seen = each(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        project
            .file("tollgate.toml", FILES)
            .file("more/z.sql", "INSERT INTO users VALUES (5, 'e');\n")
            .file("seed/1.sql", "INSERT INTO users VALUES (1, 'a');\n")
            .file(
                "seed/2.sql",
                "INSERT INTO users VALUES (2, 'b');\n-- the next one\nINSERT INTO users VALUES (3, 'c'), (1, 'again');\n",
            );
        let failed = session(project, &["seed"]);
        let rows = database.run("SELECT id FROM users ORDER BY id");
        project.file("seed/2.sql", "INSERT INTO users VALUES (2, 'b';\n");
        let wrong = session(project, &["seed"]);
        failed + &rows + &wrong
    });
    assert_snapshot!(seen.join("\n"), @r#"
    $ tollgate seed
    status: 1
    -- stdout
    seeded seed/1.sql [duration]
    -- stderr
    seed-failed

      × seed/2.sql: UNIQUE constraint failed: users.id
       ╭─[seed/2.sql:3:1]
     2 │ -- the next one
     3 │ INSERT INTO users VALUES (3, 'c'), (1, 'again');
       · ───────────────────────┬───────────────────────
       ·                        ╰── UNIQUE constraint failed: users.id
       ╰────
      help: mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING;
            `tollgate seed` runs all files again
      the database now: the file before it is in; nothing of this file was kept


    1
    $ tollgate seed
    status: 1
    -- stderr
    seed-failed

      × seed/2.sql: syntax error near ';'
       ╭─[seed/2.sql:1:33]
     1 │ INSERT INTO users VALUES (2, 'b';
       ·                                 ┬
       ·                                 ╰── syntax error near ';'
       ╰────
      the database now: nothing was changed



    $ tollgate seed
    status: 1
    -- stdout
    seeded seed/1.sql [duration]
    -- stderr
    seed-failed

      × seed/2.sql: duplicate key value violates unique constraint "users_pkey"
       ╭─[seed/2.sql:3:1]
     2 │ -- the next one
     3 │ INSERT INTO users VALUES (3, 'c'), (1, 'again');
       · ───────────────────────┬───────────────────────
       ·                        ╰── duplicate key value violates unique constraint "users_pkey"
       ╰────
      help: SQLSTATE: 23505
            detail: Key (id)=(1) already exists.
            mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING;
            `tollgate seed` runs all files again
      the database now: the file before it is in; nothing of this file was kept


    1
    $ tollgate seed
    status: 1
    -- stderr
    seed-failed

      × seed/2.sql: syntax error at or near ";"
       ╭─[seed/2.sql:1:33]
     1 │ INSERT INTO users VALUES (2, 'b';
       ·                                 ┬
       ·                                 ╰── syntax error at or near ";"
       ╰────
      the database now: nothing was changed
    "#);
}

#[test]
fn a_program_gets_the_database_and_the_projects_own_programs() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project
        .file("tollgate.toml", "[seed]\ncommand = \"fill users\"\n")
        .file(".env", "FROM_FILE=yes\n")
        .file(
            "node_modules/.bin/fill",
            "#!/bin/sh\necho \"$1 $FROM_FILE $PWD\"\nsqlite3 \"${DATABASE_URL#file:}\" \"INSERT INTO $1 VALUES (1, 'a')\"\nexit 0\n",
        );
    let program = project.path().join("node_modules/.bin/fill");
    let mut rights = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    std::fs::set_permissions(&program, rights).unwrap();
    let seen = session(&project, &["seed", "seed --force"]);
    assert_eq!(database.run("SELECT count(*) FROM users"), "1\n");
    let document = project.run(&["seed", "--force", "--format", "json"]);
    assert_eq!(
        document.json()["seeded"]["command"],
        serde_json::json!(["fill", "users"])
    );
    assert!(document.stderr.contains("users yes"), "{document}");
    assert_snapshot!(seen, @"
    $ tollgate seed
    status: 2
    -- stderr
    seed::unconfirmed

      × this configuration is not marked as development, and there is nobody here to ask
      help: if this database is to be seeded all the same, run it with --force; or write `development
            = true` there
      the database now: nothing was changed


    $ tollgate seed --force
    status: 0
    -- stdout
    users yes [project]
    seeded fill users
    -- stderr
    running fill users
    ");
}

#[test]
fn prismas_own_seed_command_is_known() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project.file(
        "package.json",
        r#"{ "prisma": { "seed": "echo --options {\"module\":\"CommonJS\"} seed.ts" } }"#,
    );
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 0
    -- stdout
    --options {"module":"CommonJS"} seed.ts
    seeded echo --options {"module":"CommonJS"} seed.ts
    -- stderr
    running echo --options {"module":"CommonJS"} seed.ts
    "#);
    project.file("package.json", r#"{ "prisma": { "seed": "sh failing.sh" } }"#);
    project.file("failing.sh", "exit 3\n");
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 1
    -- stderr
    running sh failing.sh
    seed::command

      × the seed command sh failing.sh ended with status 3
      help: it runs in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: the seed command may have changed something
    "#);
    project.file("package.json", r#"{ "prisma": { "seed": "no-such-program" } }"#);
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 1
    -- stderr
    running no-such-program
    seed::command

      × the seed command no-such-program cannot be started: No such file or directory (os error 2)
      help: no-such-program is looked for in node_modules/.bin of [project] and above, then in
            PATH; it runs without a shell; for one, write it as a list: `command = ["sh", "-c", "…"]`
      the database now: nothing was changed
    "#);
    project.file("package.json", "{}");
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 2
    -- stderr
    seed::nothing

      × there is nothing to seed with
      help: write `files = ["seed/*.sql"]` or `command = "npm run seed"` under [seed] in
            tollgate.toml, or `prisma.seed` into package.json
    "#);
}

#[test]
fn a_seed_command_ends_with_its_caller() {
    let project = crate::session::sqlite();
    blog(&project);
    project.succeed(&["deploy"]);
    project.file(
        "tollgate.toml",
        "development = true\n[seed]\ncommand = [\"sh\", \"-c\", \"echo $$ > started; exec sleep 600\"]\n",
    );
    let mut seeding = project.command(&["seed", "--quiet"]).spawn().unwrap();
    let started = project.path().join("started");
    let child = loop {
        let text = std::fs::read_to_string(&started).unwrap_or_default();
        if text.ends_with('\n') {
            break rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let pid = rustix::process::Pid::from_raw(i32::try_from(seeding.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(seeding.wait().unwrap().code(), Some(143));
    assert!(
        rustix::process::test_kill_process(child).is_err(),
        "the command goes on"
    );
}

#[test]
fn files_of_every_kind() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        project
            .file("tollgate.toml", FILES)
            .file("more/a.sql", "")
            .file("more/b.sql", "-- nothing but a comment\n")
            .file("seed/1.sql", "\u{feff}INSERT INTO users VALUES (1, 'é');\n");
        let taken = session(project, &["seed"]);
        let odd = project.path().join("more/c.sql");
        std::fs::write(&odd, b"-- one\nINSERT INTO users VALUES (2, '\xe9');\n").unwrap();
        let foreign = session(project, &["seed"]);
        std::fs::remove_file(&odd).unwrap();
        std::os::unix::fs::symlink("nowhere.sql", &odd).unwrap();
        let lost = session(project, &["seed"]);
        std::fs::remove_file(&odd).unwrap();
        std::fs::create_dir(&odd).unwrap();
        project.file("seed/1.sql", "INSERT INTO users VALUES (3, 'c');\n");
        let folder = session(project, &["seed"]);
        taken + &foreign + &lost + &folder + &database.run("SELECT id, email FROM users ORDER BY id")
    });
    assert_snapshot!(seen, @"
    $ tollgate seed
    status: 0
    -- stdout
    seeded seed/1.sql [duration]
    seeded more/a.sql [duration]
    seeded more/b.sql [duration]

    $ tollgate seed
    status: 1
    -- stderr
    seed::file

      × more/c.sql is not UTF-8 in line 2
      help: save it as UTF-8
      the database now: nothing was changed


    $ tollgate seed
    status: 1
    -- stderr
    seed::file

      × cannot read more/c.sql: No such file or directory (os error 2)
      the database now: nothing was changed


    $ tollgate seed
    status: 0
    -- stdout
    seeded seed/1.sql [duration]
    seeded more/a.sql [duration]
    seeded more/b.sql [duration]

    1|é
    3|c
    ");
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let project = crate::session::sqlite();
    blog(&project);
    project
        .file("tollgate.toml", "development = true\n[seed]\nfiles = [\"1.sql\"]\n")
        .file("1.sql", "INSERT INTO users VALUES (1, 'a');\n");
    assert_snapshot!(session(&project, &["seed"]), @"
    $ tollgate seed
    status: 1
    -- stderr
    database

      × SQLite database app.db does not exist
      help: deploy creates it, or create it yourself
      the database now: nothing was changed
    ");
    assert!(!project.path().join("app.db").exists());
}

#[test]
fn what_has_another_reason_is_not_said_of_the_file() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project
        .file(
            "tollgate.toml",
            "development = true\n[seed]\nfiles = [\"1.sql\", \"2.sql\", \"3.sql\"]\n",
        )
        .file("1.sql", "INSERT INTO users VALUES (1, 'a') ON CONFLICT DO NOTHING;\n")
        .file("2.sql", "INSERT INTO users VALUES (2, 'b') ON CONFLICT DO NOTHING;\n");
    let mut seen = String::new();
    for third in [
        "SET TRANSACTION READ ONLY;\nDELETE FROM users;\n",
        "SET LOCAL statement_timeout = 1;\nSELECT pg_sleep(60);\n",
        "SELECT pg_terminate_backend(pg_backend_pid());\n",
        "DELETE FROM nowhere;\n",
    ] {
        project.file("3.sql", third);
        seen += &session(&project, &["seed"]);
    }
    assert_eq!(database.run("SELECT id FROM users ORDER BY id"), "1\n2\n");
    assert_snapshot!(seen, @r#"
    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    seed-failed

      × 3.sql: cannot execute DELETE in a read-only transaction
       ╭─[3.sql:2:1]
     1 │ SET TRANSACTION READ ONLY;
     2 │ DELETE FROM users;
       · ────────┬────────
       ·         ╰── cannot execute DELETE in a read-only transaction
       ╰────
      help: SQLSTATE: 25006
            give the URL of the primary server, which takes writes; where this is one, look at
            default_transaction_read_only of the role and the database; `tollgate seed` runs all files
            again
      the database now: the 2 files before it are in; nothing of this file was kept


    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    seed-failed

      × 3.sql: canceling statement due to statement timeout
       ╭─[3.sql:2:1]
     1 │ SET LOCAL statement_timeout = 1;
     2 │ SELECT pg_sleep(60);
       · ─────────┬─────────
       ·          ╰── canceling statement due to statement timeout
       ╰────
      help: SQLSTATE: 57014
            give it more time: SET LOCAL statement_timeout = '30min' at the top of the file; `tollgate
            seed` runs all files again
      the database now: the 2 files before it are in; nothing of this file was kept


    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    seed-failed

      × 3.sql: the connection was lost: terminating connection due to administrator command
       ╭─[3.sql:1:1]
     1 │ SELECT pg_terminate_backend(pg_backend_pid());
       · ──────────────────────┬──────────────────────
       ·                       ╰── the connection was lost: terminating connection due to administrator command
       ╰────
      help: SQLSTATE: 57P01
            wait until the server answers; `tollgate seed` runs all files again
      the database now: the 2 files before it are in; nothing of this file was kept


    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    seed-failed

      × 3.sql: relation "nowhere" does not exist
       ╭─[3.sql:1:13]
     1 │ DELETE FROM nowhere;
       ·             ───┬───
       ·                ╰── relation "nowhere" does not exist
       ╰────
      help: SQLSTATE: 42P01
            mend the file; `tollgate seed` runs all files again
      the database now: the 2 files before it are in; nothing of this file was kept
    "#);
}

#[test]
fn a_program_that_fails_after_files() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project
        .file(
            "tollgate.toml",
            "development = true\n[seed]\nfiles = [\"1.sql\"]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n",
        )
        .file("1.sql", "INSERT INTO users VALUES (1, 'a');\n");
    assert_snapshot!(session(&project, &["seed"]), @r#"
    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    -- stderr
    running sh -c exit 3
    seed::command

      × the seed command sh -c exit 3 ended with status 3
      help: it runs in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: the seed file is in; the seed command may have changed something
    "#);
}
