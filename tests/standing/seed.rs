//! Rows to work with: SQL files and a program of the project's.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, each, ledger, on, session};

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
      help: mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING
      the database now: nothing of the file was kept


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
            mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING
      the database now: nothing of the file was kept


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
      help: mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING
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
            mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING
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
      help: it ran in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: whatever the command has done
    "#);
    project.file("package.json", r#"{ "prisma": { "seed": "no-such-program" } }"#);
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 1
    -- stderr
    running no-such-program
    seed::command

      × the seed command no-such-program cannot be started: No such file or directory (os error 2)
      help: it ran in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: whatever the command has done
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
