//! Taking over a database that is older than its ledger.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, both, each, ledger, on, session};

const USERS: &str = "CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);";
const POSTS: &str =
    "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);";
const INDEX: &str = "CREATE INDEX posts_author ON posts (author);";
const VIEW: &str = "CREATE VIEW titles AS SELECT title FROM posts;";

#[test]
fn what_is_there_is_recorded_and_the_rest_deployed() {
    let seen = both(|project, database| {
        blog(project);
        database.run(&format!(
            "{USERS} {POSTS} {INDEX} CREATE TABLE of_another_app (id integer);"
        ));
        let seen = session(
            project,
            &[
                "deploy",
                "baseline",
                "baseline --dry-run",
                "baseline --yes",
                "baseline --yes",
                "deploy",
                "status",
            ],
        );
        seen + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy
    status: 5
    -- stderr
    database-not-empty

      × the database is not empty and has no migrations ledger
      help: if it was made by the folder's first migrations, or is what they make, `tollgate baseline`
            records them; otherwise use an empty database
      the database now: nothing was changed


    $ tollgate baseline
    status: 2
    -- stdout
    THE DATABASE
    is there    1_users
    is there    2_posts
    to deploy   3_views
    in no migration, left alone:
      table of_another_app
    -- stderr
    baseline::unconfirmed

      × there is nobody here to ask whether to record this
      help: when it is right, run `tollgate baseline --yes`
      the database now: nothing was changed


    $ tollgate baseline --dry-run
    status: 0
    -- stdout
    THE DATABASE
    is there    1_users
    is there    2_posts
    to deploy   3_views
    in no migration, left alone:
      table of_another_app
    2 migrations to record; nothing was changed

    $ tollgate baseline --yes
    status: 0
    -- stdout
    THE DATABASE
    is there    1_users
    is there    2_posts
    to deploy   3_views
    in no migration, left alone:
      table of_another_app
    2 migrations recorded as applied; next: `tollgate deploy`

    $ tollgate baseline --yes
    status: 5
    -- stderr
    ledger-in-use

      × the ledger records 2 attempts already
      help: `tollgate status` shows what is recorded; `tollgate resolve --applied NAME` adds a
            migration that is in the database and not recorded
      the database now: nothing was changed


    $ tollgate deploy
    status: 0
    -- stdout
    applied 3_views [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    1_users applied 0
    2_posts applied 0
    3_views applied 1
    ");
}

#[test]
fn what_is_missing_or_different_is_an_error() {
    let seen = each(|project, database| {
        blog(project);
        database.run(&format!("{USERS} {VIEW_ONLY} {INDEXLESS}"));
        let seen = session(
            project,
            &[
                "baseline --yes",
                "baseline --to 3_views --yes",
                "baseline --to 2_post --yes",
                "baseline --to 3_views --force",
            ],
        );
        seen + &ledger(database)
    });
    assert_snapshot!(seen.join("\n"), @r#"
    $ tollgate baseline --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 1_users make: 2 differences
      help: table posts: there already, though only a later migration makes it
            view titles: there already, though only a later migration makes it
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 1_users --force` records them as they are
      the database now: nothing was changed


    $ tollgate baseline --to 3_views --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 3_views make: 4 differences
      help: table posts: column author: not null: yes in the migrations, no in the database
            table posts: column extra: only in the database
            table posts: constraint "FOREIGN KEY (author) REFERENCES users (id) ON UPDATE NO ACTION ON
            DELETE NO ACTION": only in the migrations
            table posts: index posts_author: only in the migrations
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 3_views --force` records them as they are
      the database now: nothing was changed


    $ tollgate baseline --to 2_post --yes
    status: 2
    -- stderr
    not-found

      × there is no migration 2_post in the folder
      help: did you mean 2_posts? Give the whole folder name
      the database now: nothing was changed


    $ tollgate baseline --to 3_views --force
    status: 0
    -- stdout
    THE DATABASE
    to record   1_users
    to record   2_posts
    to record   3_views
    3 migrations recorded as applied
    -- stderr
    warning: recorded although it differs: table posts: column author: not null: yes in the migrations, no in the database
    warning: recorded although it differs: table posts: column extra: only in the database
    warning: recorded although it differs: table posts: constraint "FOREIGN KEY (author) REFERENCES users (id) ON UPDATE NO ACTION ON DELETE NO ACTION": only in the migrations
    warning: recorded although it differs: table posts: index posts_author: only in the migrations

    1_users applied 0
    2_posts applied 0
    3_views applied 0

    $ tollgate baseline --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 1_users make: 2 differences
      help: table public.posts: there already, though only a later migration makes it
            view public.titles: there already, though only a later migration makes it
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 1_users --force` records them as they are
      the database now: nothing was changed


    $ tollgate baseline --to 3_views --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 3_views make: 4 differences
      help: table public.posts: column author: not null: yes in the migrations, no in the database
            table public.posts: column extra: only in the database
            table public.posts: constraint posts_author_fkey: only in the migrations
            table public.posts: index posts_author: only in the migrations
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 3_views --force` records them as they are
      the database now: nothing was changed


    $ tollgate baseline --to 2_post --yes
    status: 2
    -- stderr
    not-found

      × there is no migration 2_post in the folder
      help: did you mean 2_posts? Give the whole folder name
      the database now: nothing was changed


    $ tollgate baseline --to 3_views --force
    status: 0
    -- stdout
    THE DATABASE
    to record   1_users
    to record   2_posts
    to record   3_views
    3 migrations recorded as applied
    -- stderr
    warning: recorded although it differs: table public.posts: column author: not null: yes in the migrations, no in the database
    warning: recorded although it differs: table public.posts: column extra: only in the database
    warning: recorded although it differs: table public.posts: constraint posts_author_fkey: only in the migrations
    warning: recorded although it differs: table public.posts: index posts_author: only in the migrations

    1_users applied 0
    2_posts applied 0
    3_views applied 0
    "#);
}

/// `posts` without its foreign key and index, and with a column that no migration knows.
const VIEW_ONLY: &str = "CREATE TABLE posts (id integer PRIMARY KEY, author integer, title text, extra text);";
const INDEXLESS: &str = "CREATE VIEW titles AS SELECT title FROM posts;";

#[test]
fn a_database_in_the_middle_of_a_migration_is_told() {
    let seen = both(|project, database| {
        blog(project);
        database.run(&format!("{USERS} {POSTS}"));
        session(project, &["baseline --yes", "baseline --to 1_users --yes", "status"])
    });
    assert_snapshot!(seen, @"
    $ tollgate baseline --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 2_posts make: 1 difference
      help: table posts: index posts_author: only in the migrations
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 2_posts --force` records them as they are
      the database now: nothing was changed


    $ tollgate baseline --to 1_users --yes
    status: 5
    -- stderr
    database-differs

      × the database is not what the migrations up to 1_users make: 1 difference
      help: table posts: there already, though only a later migration makes it
            bring the database to what the migrations make, or write a first migration that makes what
            is there; `tollgate baseline --to 1_users --force` records them as they are
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: the database has tables and no ledger: `tollgate baseline` records what is in it
    ");
}

#[test]
fn another_database_is_refused() {
    let seen = both(|project, database| {
        blog(project);
        let empty = session(project, &["baseline --yes"]);
        database.run("CREATE TABLE of_another_app (id integer);");
        empty + &session(project, &["baseline --yes"])
    });
    assert_snapshot!(seen, @"
    $ tollgate baseline --yes
    status: 5
    -- stderr
    nothing-to-baseline

      × nothing that the migrations make is in the database
      help: `tollgate deploy` applies the migrations to an empty database; otherwise see that this is
            the right database, and the right schema of it
      the database now: nothing was changed


    $ tollgate baseline --yes
    status: 5
    -- stderr
    nothing-to-baseline

      × nothing that the migrations make is in the database
      help: `tollgate deploy` applies the migrations to an empty database; otherwise see that this is
            the right database, and the right schema of it
      the database now: nothing was changed
    ");
}

#[test]
fn expressions_in_other_words_are_no_difference() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration(
        "1_things",
        "CREATE TYPE mood AS ENUM ('ok', 'sad');\n\
         CREATE TABLE things (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), kind varchar(10) DEFAULT 'x',\n\
         mood mood NOT NULL DEFAULT 'ok', price numeric(10, 2) CHECK (price > 0 AND price < 100), tags text[] DEFAULT '{}');\n\
         CREATE INDEX cheap ON things (lower(kind)) WHERE price < 10;\n",
    );
    let script = std::fs::read_to_string(project.path().join("migrations/1_things/migration.sql")).unwrap();
    database.run(&script);
    assert_snapshot!(session(&project, &["baseline --yes"]), @r#"
    $ tollgate baseline --yes
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    is there    1_things
    1 migration recorded as applied
    "#);
}

#[test]
fn a_database_that_prisma_would_have_pushed_is_taken_over() {
    let database = Database::sqlite();
    let project = on(&database);
    project.migration(
        "1_users",
        "CREATE TABLE \"User\" (\n    \"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,\n    \"email\" TEXT NOT NULL\n);\n\
         CREATE UNIQUE INDEX \"User_email_key\" ON \"User\"(\"email\");\n",
    );
    // The same in other words: what SQLite keeps of both differs.
    database.run(
        "CREATE TABLE User (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, email TEXT NOT NULL); \
         CREATE UNIQUE INDEX User_email_key ON User (email);",
    );
    assert_snapshot!(session(&project, &["baseline --yes", "status"]), @"
    $ tollgate baseline --yes
    status: 0
    -- stdout
    SQLite database [folder]/test.db
    is there    1_users
    1 migration recorded as applied

    $ tollgate status
    status: 0
    -- stdout
    SQLite database [folder]/test.db
    applied     1_users
    1 migration: 1 applied; the database is up to date
    ");
}

#[test]
fn the_document_has_everything() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    database.run(&format!(
        "{USERS} {POSTS} {INDEX} {VIEW} CREATE TABLE other (id integer);"
    ));
    let document = project.run(&["baseline", "--yes", "--format", "json"]).json();
    assert_eq!(document["recorded"], true);
    assert_eq!(
        document["migrations"],
        serde_json::json!(["1_users", "2_posts", "3_views"])
    );
    assert_eq!(document["pending"], serde_json::json!([]));
    assert_eq!(document["unknown"], serde_json::json!(["table other"]));
}

#[test]
fn what_only_texts_show_is_not_taken_to_be_there() {
    let database = Database::postgres();
    let project = on(&database);
    let scripts = [
        (
            "1_things",
            "CREATE TABLE things (id integer, kind text DEFAULT 'a');\n\
             CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n",
        ),
        ("2_default", "ALTER TABLE things ALTER COLUMN kind SET DEFAULT 'b';\n"),
        (
            "3_function",
            "CREATE OR REPLACE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 2';\n",
        ),
        ("4_rows", "INSERT INTO things VALUES (1);\n"),
    ];
    for (name, script) in scripts {
        project.migration(name, script);
    }
    let found = |done: usize| {
        database.run(scripts[done - 1].1);
        let document = project.run(&["baseline", "--dry-run", "--format", "json"]).json();
        assert_eq!(document["wording"], serde_json::json!([]));
        (
            document["migrations"].as_array().unwrap().len(),
            document["unclear"].clone(),
        )
    };
    assert_eq!(found(1), (1, serde_json::json!([])));
    assert_eq!(found(2), (2, serde_json::json!([])));
    // Whether the rows are in nobody can see.
    assert_eq!(found(3), (4, serde_json::json!(["4_rows"])));
    assert_eq!(found(4), (4, serde_json::json!(["4_rows"])));
    database.run("CREATE OR REPLACE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 3';");
    let commands = ["baseline --dry-run", "baseline --to 3_function --yes", "deploy"];
    assert_snapshot!(session(&project, &commands), @r#"
    $ tollgate baseline --dry-run
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    is there    1_things
    is there    2_default
    is there    3_function
    unclear     4_rows
    unclear: the catalog does not show what they change; --to NAME records only those up to a migration
    written in other words, may mean the same:
      function public.one(): body: not the same in the migrations and in the database
    4 migrations to record; nothing was changed

    $ tollgate baseline --to 3_function --yes
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    is there    1_things
    is there    2_default
    is there    3_function
    to deploy   4_rows
    written in other words, may mean the same:
      function public.one(): body: not the same in the migrations and in the database
    3 migrations recorded as applied; next: `tollgate deploy`

    $ tollgate deploy
    status: 0
    -- stdout
    applied 4_rows [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]
    "#);
}

/// Opt-in: `TOLLGATE_PRISMA` names a program that runs Prisma's command line for the project in the folder given first.
#[test]
fn prisma_finds_what_a_baseline_recorded_up_to_date() {
    let Some(prisma) = std::env::var_os("TOLLGATE_PRISMA") else {
        println!("skipped: TOLLGATE_PRISMA names no program that runs Prisma");
        return;
    };
    for database in [Database::sqlite(), Database::postgres()] {
        let project = on(&database);
        blog(&project);
        database.run(&format!("{USERS} {POSTS} {INDEX} {VIEW}"));
        project.succeed(&["baseline", "--yes"]);
        let output = std::process::Command::new(&prisma)
            .arg(project.path())
            .args(["migrate", "status"])
            .env("DATABASE_URL", database.url())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Database schema is up to date!"), "{said}");
    }
}
