//! Rows to work with: SQL files.

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
