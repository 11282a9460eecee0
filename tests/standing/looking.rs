//! `resolve` that looks before it says anything, and refuses what the database contradicts.

use std::io::{Read, Write};

use insta::assert_snapshot;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tollgate_tests::{Project, program};

use crate::outside::Database;
use crate::session::{applied_by_prisma, blog, both, checksum, each, insert_row, ledger, session};

/// The blog with its first migration applied and the second one failed, as Prisma leaves it.
fn failed(project: &Project, database: &Database) {
    blog(project);
    applied_by_prisma(project, database, "1_users");
    insert_row(database, "2_posts", &checksum("something"), false);
}

const POSTS: &str =
    "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);";
const INDEX: &str = "CREATE INDEX posts_author ON posts (author);";

#[test]
fn it_says_what_is_in_and_what_to_do() {
    let seen = both(|project, database| {
        failed(project, database);
        let none = session(project, &["status", "resolve"]);
        database.run(POSTS);
        let partly = session(project, &["resolve 2_posts"]);
        database.run(INDEX);
        let all = session(
            project,
            &["resolve", "resolve 1_users", "resolve 3_views", "resolve 4_unknown"],
        );
        none + &partly + &all + &session(project, &["resolve --applied 2_posts", "resolve"])
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    unfinished  2_posts  another program started it and did not say how it ended
    pending     3_views
    3 migrations: 1 applied, 1 unfinished, 1 pending; next: `tollgate resolve 2_posts` looks what of it is in the database

    $ tollgate resolve
    status: 5
    -- stdout
    2_posts migrations/2_posts/migration.sql
      not in    line 1    CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …
      not in    line 2    CREATE INDEX posts_author ON posts (author)
      but the file was changed since it was started
    nothing of it is in the database
    next: `tollgate resolve --rolled-back 2_posts`, then `tollgate deploy`

    $ tollgate resolve 2_posts
    status: 5
    -- stdout
    2_posts migrations/2_posts/migration.sql
      in        line 1    CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …
      not in    line 2    CREATE INDEX posts_author ON posts (author)
      but the file was changed since it was started
    of its statements only the one in line 1 is in the database
    next: run the rest by hand, then `tollgate resolve --applied 2_posts`; or undo by hand what is in, then `tollgate resolve --rolled-back 2_posts` and `tollgate deploy`

    $ tollgate resolve
    status: 5
    -- stdout
    2_posts migrations/2_posts/migration.sql
      in        line 1    CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …
      in        line 2    CREATE INDEX posts_author ON posts (author)
      but the file was changed since it was started
    all of it is in the database
    next: `tollgate resolve --applied 2_posts`

    $ tollgate resolve 1_users
    status: 0
    -- stdout
    1_users migrations/1_users/migration.sql
      in        line 1    CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL)
    all of it is in the database
    it is recorded as applied: nothing to resolve

    $ tollgate resolve 3_views
    status: 5
    -- stdout
    3_views migrations/3_views/migration.sql
      not in    line 1    CREATE VIEW titles AS SELECT title FROM posts
    nothing of it is in the database
    next: `tollgate deploy`

    $ tollgate resolve 4_unknown
    status: 2
    -- stderr
    not-found

      × there is no migration 4_unknown in the folder
      help: `tollgate status` lists the names; give the whole folder name
      the database now: nothing was changed


    $ tollgate resolve --applied 2_posts
    status: 0
    -- stdout
    2_posts is recorded as applied

    $ tollgate resolve
    status: 0
    -- stdout
    nothing to resolve: no migration failed
    ");
}

#[test]
fn what_the_database_contradicts_is_recorded_only_by_force() {
    let seen = both(|project, database| {
        failed(project, database);
        database.run(POSTS);
        let seen = session(
            project,
            &[
                "resolve --applied 2_posts",
                "resolve --rolled-back 2_posts",
                "resolve --rolled-back 2_posts --force",
                "resolve --applied 2_posts 3_views",
            ],
        );
        database.run(INDEX);
        database.run("CREATE VIEW titles AS SELECT title FROM posts;");
        seen + &session(project, &["resolve --applied 2_posts 3_views", "status"]) + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate resolve --applied 2_posts
    status: 5
    -- stderr
    contradicted

      × 2_posts is not applied: line 2 is not in (CREATE INDEX posts_author ON posts (author))
      help: `tollgate resolve 2_posts` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 2_posts
    status: 5
    -- stderr
    contradicted

      × 2_posts is not rolled back: line 1 is in (CREATE TABLE posts (id integer PRIMARY KEY, author
      │ integer NOT NULL REFERENCES …)
      help: `tollgate resolve 2_posts` shows statement by statement what is in; --force records it as
            rolled back all the same
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 2_posts --force
    status: 0
    -- stdout
    2_posts is recorded as rolled back
    -- stderr
    warning: 2_posts is not rolled back: line 1 is in (CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …)

    $ tollgate resolve --applied 2_posts 3_views
    status: 5
    -- stderr
    contradicted

      × 2_posts is not applied: line 2 is not in (CREATE INDEX posts_author ON posts (author))
      help: `tollgate resolve 2_posts` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed


    $ tollgate resolve --applied 2_posts 3_views
    status: 0
    -- stdout
    2_posts is recorded as applied
    3_views is recorded as applied

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    1_users applied 1
    2_posts rolled back 0
    2_posts applied 0
    3_views applied 0
    ");
}

#[test]
fn what_was_made_by_hand_in_another_form_is_told() {
    let seen = each(|project, database| {
        failed(project, database);
        database.run("CREATE TABLE posts (id integer PRIMARY KEY, author integer);");
        session(project, &["resolve"])
    });
    assert_snapshot!(seen.join("\n"), @"
    $ tollgate resolve
    status: 5
    -- stdout
    2_posts migrations/2_posts/migration.sql
      unclear   line 1    CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …
      not in    line 2    CREATE INDEX posts_author ON posts (author)
      but column posts.title is not there
      but FOREIGN KEY (author) REFERENCES users (id) of posts is not there
      but NOT NULL of column posts.author is not there
      but the file was changed since it was started
    some of it is in the database, but not as running the file leaves it
    next: run the rest by hand, then `tollgate resolve --applied 2_posts`; or undo by hand what is in, then `tollgate resolve --rolled-back 2_posts` and `tollgate deploy`


    $ tollgate resolve
    status: 5
    -- stdout
    2_posts migrations/2_posts/migration.sql
      unclear   line 1    CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …
      not in    line 2    CREATE INDEX posts_author ON posts (author)
      but NOT NULL of column public.posts.author is not there
      but column public.posts.title is not there
      but constraint posts_author_fkey of public.posts is not there
      but the file was changed since it was started
    some of it is in the database, but not as running the file leaves it
    next: run the rest by hand, then `tollgate resolve --applied 2_posts`; or undo by hand what is in, then `tollgate resolve --rolled-back 2_posts` and `tollgate deploy`
    ");
}

#[test]
fn what_may_be_run_twice_is_no_contradiction() {
    let seen = each(|project, database| {
        project
            .migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n")
            .migration(
                "2_more",
                "CREATE TABLE IF NOT EXISTS more (id integer);\nCREATE TABLE IF NOT EXISTS most (id integer);\n",
            );
        applied_by_prisma(project, database, "1_users");
        insert_row(database, "2_more", &checksum("something"), false);
        database.run("CREATE TABLE more (id integer);");
        session(project, &["resolve --rolled-back 2_more", "deploy"])
    });
    assert_snapshot!(seen.join("\n"), @r#"
    $ tollgate resolve --rolled-back 2_more
    status: 0
    -- stdout
    2_more is recorded as rolled back

    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_more [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]


    $ tollgate resolve --rolled-back 2_more
    status: 0
    -- stdout
    2_more is recorded as rolled back

    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_more [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]
    -- stderr
    2_more: NOTICE: relation "more" already exists, skipping
    "#);
}

#[test]
fn the_document_tells_each_statement() {
    let database = Database::sqlite();
    let project = crate::session::on(&database);
    failed(&project, &database);
    database.run(POSTS);
    let document = project.run(&["resolve", "--format", "json"]).json();
    assert_snapshot!(serde_json::to_string_pretty(&document["inspected"]).unwrap(), @r#"
    [
      {
        "migration": "2_posts",
        "standing": "failed",
        "extent": "partly",
        "proposal": "by-hand",
        "statements": [
          {
            "line": 1,
            "excerpt": "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES …",
            "presence": "in"
          },
          {
            "line": 2,
            "excerpt": "CREATE INDEX posts_author ON posts (author)",
            "presence": "out"
          }
        ],
        "surprises": [],
        "edited": true,
        "applied_before": false,
        "done": null,
        "in_doubt": null,
        "missing": false
      }
    ]
    "#);
}

/// What a person at a terminal sees who answers so.
fn at_a_terminal(project: &Project, arguments: &[&str], answer: &str) -> (String, u32) {
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(program());
    command.args(arguments);
    command.cwd(project.path());
    command.env("DATABASE_URL", "file:./app.db");
    command.env("NO_COLOR", "1");
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    pty.master
        .take_writer()
        .unwrap()
        .write_all(format!("{answer}\n").as_bytes())
        .unwrap();
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut output = Vec::new();
    // The system reports the end of a terminal as an error.
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        output.extend_from_slice(&buffer[..read]);
    }
    let status = child.wait().unwrap();
    (String::from_utf8_lossy(&output).into_owned(), status.exit_code())
}

#[test]
fn a_person_is_asked_and_may_say_no() {
    let project = crate::session::sqlite();
    project.migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n");
    project.succeed(&["deploy"]);
    project.migration("2_posts", "CREATE TABLE posts (id integer PRIMARY KEY);\n");
    let ledger = |sql: &str| {
        let path = project.path().join("app.db");
        let run = std::process::Command::new("sqlite3")
            .arg(path)
            .arg(sql)
            .output()
            .unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stdout).unwrap()
    };
    ledger("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'y', '2_posts')");
    let (no, status) = at_a_terminal(&project, &["resolve"], "n");
    assert!(no.contains("Record 2_posts as rolled back? [y/N]"), "{no}");
    assert_eq!(status, 5);
    let count = "SELECT count(*) FROM _prisma_migrations WHERE rolled_back_at IS NOT NULL";
    assert_eq!(ledger(count), "0\n");
    let (yes, status) = at_a_terminal(&project, &["resolve"], "y");
    assert!(yes.contains("2_posts is recorded as rolled back"), "{yes}");
    assert_eq!(status, 0);
    assert_eq!(ledger(count), "1\n");
}

#[test]
fn of_what_was_not_started_there_is_no_attempt_to_give_up() {
    let seen = both(|project, database| {
        blog(project);
        project.migration("2_words", "INSERT INTO users (id, email) VALUES (1, 'a');\n");
        project.migration(
            "3_more",
            "CREATE TABLE more (id integer);\nCREATE TABLE most (id integer);\n",
        );
        project.succeed(&["deploy", "--to", "1_users"]);
        database.run("CREATE TABLE more (id integer);");
        session(project, &["resolve 2_words 3_more"])
    });
    assert_snapshot!(seen, @"
    $ tollgate resolve 2_words 3_more
    status: 5
    -- stdout
    2_words migrations/2_words/migration.sql
      unclear   line 1    INSERT INTO users (id, email) VALUES (1, 'a')
    the catalog does not show whether it is in the database
    next: look at what it changes, then `tollgate resolve --applied 2_words` when that is as it leaves it, or `tollgate deploy` when nothing was done
    3_more migrations/3_more/migration.sql
      in        line 1    CREATE TABLE more (id integer)
      not in    line 2    CREATE TABLE most (id integer)
    of its statements only the one in line 1 is in the database
    next: run the rest by hand, then `tollgate resolve --applied 3_more`; or undo by hand what is in, then `tollgate deploy`
    ");
}

#[test]
fn a_connection_that_is_lost_meanwhile_leaves_open_what_is_recorded() {
    let database = Database::postgres();
    let project = crate::session::on(&database);
    failed(&project, &database);
    database.run(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'; \
         CREATE TRIGGER cut AFTER UPDATE ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION cut();",
    );
    assert_snapshot!(session(&project, &["resolve --rolled-back 2_posts"]), @"
    $ tollgate resolve --rolled-back 2_posts
    status: 1
    -- stderr
    database

      × the connection was lost: failed to record the migrations as rolled back: terminating
      │ connection due to administrator command
      help: `tollgate status` shows whether it is recorded; where it is not, run the command again
      the database now: whether it is recorded cannot be known now
    ");
    assert_eq!(ledger(&database), "1_users applied 1\n2_posts unfinished 0\n");
}
