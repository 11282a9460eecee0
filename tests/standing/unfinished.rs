//! Migrations that were started and not finished: which way that came about is told apart.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::outside::Database;
use crate::session::{applied_by_prisma, blog, both, checksum, insert_row, on, session};

/// A migration whose second statement runs outside a transaction and whose third fails.
const HALF: &str = "CREATE TABLE things (id integer);\n\
                    CREATE INDEX CONCURRENTLY things_id ON things (id);\n\n\
                    INSERT INTO nowhere VALUES (1);\n\
                    CREATE TABLE last (id integer);\n";

#[test]
fn anothers_row_says_nothing_about_how_it_ended() {
    let seen = both(|project, database| {
        blog(project);
        applied_by_prisma(project, database, "1_users");
        insert_row(database, "2_posts", &checksum("something"), false);
        let unfinished = session(project, &["status"]);
        database.run(
            "UPDATE _prisma_migrations SET logs = 'A migration failed to apply.\n\nDatabase error code: 42P01\n\nno table\n\n   \
             0: sql_schema_connector::apply_migration\n             at schema-engine' WHERE finished_at IS NULL;",
        );
        unfinished + &session(project, &["status"])
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

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    failed      2_posts
        Database error code: 42P01
        no table
    pending     3_views
    3 migrations: 1 applied, 1 pending, 1 failed; next: `tollgate resolve 2_posts` looks what of it is in the database
    ");
}

#[test]
fn ours_says_how_far_it_came() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.migration("4_half", HALF);
    project.run(&["deploy"]);
    let failed = session(&project, &["status", "resolve"]);
    // The same without a word about a failure: its process died.
    database.run("UPDATE _prisma_migrations SET logs = NULL WHERE finished_at IS NULL");
    let died = session(&project, &["status"]);
    database.run("UPDATE tollgate.statement_progress SET in_flight = 2, repeatable = 0");
    let in_doubt = session(&project, &["status", "resolve"]);
    let document = project.run(&["status", "--format", "json"]).json();
    let half = &document["migrations"][3];
    assert_eq!(half["unfinished"], "died");
    assert_eq!(half["progress"]["done"], 2);
    assert_eq!(half["progress"]["next_line"], 4);
    assert_snapshot!(failed + &died + &in_doubt, @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    failed      4_half  2 of 4 statements are in; line 4 comes next
        Database error code: 42P01
        Database error:
        ERROR: relation "nowhere" does not exist
        Statement 3 at line 4, column 13
    4 migrations: 3 applied, 1 failed; next: mend the cause and go on with `tollgate deploy --resume`

    $ tollgate resolve
    status: 5
    -- stdout
    4_half migrations/4_half/migration.sql
      in        line 1    CREATE TABLE things (id integer)
      in        line 2    CREATE INDEX CONCURRENTLY things_id ON things (id)
      not in    line 4    INSERT INTO nowhere VALUES (1)
      not in    line 5    CREATE TABLE last (id integer)
    its statements from line 1 to line 2 are in the database
    next: mend the cause and run `tollgate deploy --resume`, which goes on after what is in

    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    interrupted 4_half  its run ended in the middle; 2 of 4 statements are in; line 4 comes next
    4 migrations: 3 applied, 1 interrupted; next: `tollgate deploy`

    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    interrupted 4_half  its run ended in the middle; 2 of 4 statements are in; line 4 may be
    4 migrations: 3 applied, 1 interrupted; next: `tollgate resolve 4_half` looks what of it is in the database

    $ tollgate resolve
    status: 5
    -- stdout
    4_half migrations/4_half/migration.sql
      in        line 1    CREATE TABLE things (id integer)
      in        line 2    CREATE INDEX CONCURRENTLY things_id ON things (id)
      unclear   line 4    INSERT INTO nowhere VALUES (1)
      not in    line 5    CREATE TABLE last (id integer)
    its statements from line 1 to line 2 are in the database; one statement leaves no trace in the catalog
    next: undo what line 4 may have left, and run `tollgate deploy --resume`, which runs it again and goes on behind it
    "#);
}

#[test]
fn what_runs_now_is_no_failure() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    applied_by_prisma(&project, &database, "1_users");
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let mut other = server.session("another");
    other.run("SELECT pg_advisory_lock(72707369);");
    insert_row(&database, "2_posts", &checksum("something"), false);
    let outcome = project.run(&["status"]);
    assert!(outcome.stdout.contains("holds the lock"), "{outcome}");
    assert!(outcome.stdout.contains("running     2_posts"), "{outcome}");
    let document = project.run(&["status", "--format", "json"]).json();
    assert_eq!(document["migrations"][1]["unfinished"], "running");
    assert_eq!(document["lock"].as_array().unwrap().len(), 1);
    // What was started long before whoever holds the lock came is not theirs.
    database.run("UPDATE _prisma_migrations SET started_at = now() - interval '1 hour' WHERE finished_at IS NULL;");
    let document = project.run(&["status", "--format", "json"]).json();
    assert_eq!(document["migrations"][1]["unfinished"], "unknown");
}

#[test]
fn many_migrations_that_are_in_order_are_only_counted() {
    let database = Database::sqlite();
    let project = on(&database);
    for number in 1..=31 {
        project.migration(&format!("{number:02}_it"), "SELECT 1;\n");
    }
    project.succeed(&["deploy", "--to", "30_it"]);
    assert_snapshot!(session(&project, &["status"]).replace(&database.url(), ""), @"
    $ tollgate status
    status: 5
    -- stdout
    SQLite database [folder]/test.db
    pending     31_it
    31 migrations: 30 applied, 1 pending; next: `tollgate deploy`
    ");
    assert_eq!(project.run(&["status", "--all"]).stdout.lines().count(), 33);
}

#[test]
fn what_was_asked_to_stop_has_not_failed() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "1_users"]);
        let rolled_back = |name: &str, logs: &str| {
            insert_row(database, name, "x", false);
            database.run(&format!(
                "UPDATE _prisma_migrations SET logs = {logs}, rolled_back_at = started_at WHERE id = '{name}'"
            ));
        };
        rolled_back("0_gone", "'Database error code: 42P01\n\nno table'");
        rolled_back("2_posts", "'The migration was interrupted before it was complete.'");
        rolled_back("3_views", "NULL");
        session(project, &["status"])
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    rolled back 0_gone  not in the folder; failed when it was last tried
    applied     1_users
    rolled back 2_posts  interrupted when it was last tried
    rolled back 3_views  not finished when it was last tried
    4 migrations: 1 applied, 3 rolled back; next: `tollgate deploy`
    ");
}

#[test]
fn nothing_goes_on_with_what_is_half_in_when_its_folder_is_gone() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n");
    project.migration("2_half", HALF);
    project.run(&["deploy"]);
    database.run("UPDATE _prisma_migrations SET logs = NULL WHERE finished_at IS NULL");
    let here = session(&project, &["resolve 2_half"]);
    std::fs::remove_dir_all(project.path().join("migrations/2_half")).unwrap();
    let gone = session(
        &project,
        &["status", "deploy", "resolve", "resolve --rolled-back 2_half", "status"],
    );
    assert_snapshot!(here + &gone, @r#"
    $ tollgate resolve 2_half
    status: 5
    -- stdout
    2_half migrations/2_half/migration.sql
      in        line 1    CREATE TABLE things (id integer)
      in        line 2    CREATE INDEX CONCURRENTLY things_id ON things (id)
      not in    line 4    INSERT INTO nowhere VALUES (1)
      not in    line 5    CREATE TABLE last (id integer)
    its statements from line 1 to line 2 are in the database
    next: `tollgate deploy`, which goes on after what is in

    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    interrupted 2_half  not in the folder; its run ended in the middle; 2 statements are in
    2 migrations: 1 applied, 1 interrupted; next: `tollgate resolve 2_half` looks what of it is in the database

    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 2_half
      help: `tollgate resolve 2_half` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate resolve
    status: 5
    -- stdout
    2_half: its folder is gone, so there is nothing to look for; when it stopped, 2 of its statements were in
    next: bring its folder back to see what is in; or undo that by hand, then `tollgate resolve --rolled-back 2_half`

    $ tollgate resolve --rolled-back 2_half
    status: 0
    -- stdout
    2_half is recorded as rolled back

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    rolled back 2_half  not in the folder; not finished when it was last tried
    2 migrations: 1 applied, 1 rolled back; the database is up to date
    "#);
}

#[test]
fn a_role_that_may_only_read_the_ledger_sees_that_much() {
    let database = Database::postgres();
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let mut project = on(&database);
    project.migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n");
    project.migration("2_half", HALF);
    project.run(&["deploy"]);
    database.run("UPDATE _prisma_migrations SET logs = NULL WHERE finished_at IS NULL");
    let role = format!("{}_looks", server.name);
    database.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON _prisma_migrations TO {role};"
    ));
    project.set("DATABASE_URL", &server.url_as(&role, None));
    let nothing = session(&project, &["status"]);
    database.run(&format!("GRANT USAGE ON SCHEMA tollgate TO {role}"));
    let names = session(&project, &["status"]);
    database.run(&format!("DROP OWNED BY {role}"));
    cluster().admin(&format!("DROP ROLE {role}")).unwrap();
    assert_eq!(nothing, names);
    assert_snapshot!(nothing, @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    unfinished  2_half  how it ended is not shown to this role
    2 migrations: 1 applied, 1 unfinished; next: `tollgate resolve 2_half` looks what of it is in the database
    -- stderr
    warning: this role may not read Tollgate's own tables (schema tollgate): leases, and how far an unfinished migration came, are not shown
    "#);
}
