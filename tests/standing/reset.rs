//! Beginning anew: everything goes where that is allowed, and what was there before is made again.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::session::{blog, both, each, insert_row, ledger, session, tables};

const DEVELOPMENT: &str = "development = true\n";

#[test]
fn a_failed_migration_does_not_stand_in_the_way() {
    let seen = both(|project, database| {
        blog(project);
        project.file("tollgate.toml", DEVELOPMENT);
        project.succeed(&["deploy", "--to", "2_posts"]);
        insert_row(database, "3_views", "x", false);
        database.run("CREATE TABLE left_over (id integer);");
        session(project, &["deploy", "reset --force"]) + &tables(database) + "\n" + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 3_views
      help: `tollgate resolve 3_views` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate reset --force
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (left_over, posts, users)
    applies 3 migrations
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied

    posts users
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    ");
}

#[test]
fn a_database_that_is_not_there_is_made() {
    let project = crate::session::sqlite();
    blog(&project);
    project.file("tollgate.toml", DEVELOPMENT);
    assert_snapshot!(session(&project, &["reset --force", "status"]), @"
    $ tollgate reset --force
    status: 0
    -- stdout
    SQLite database app.db
    the database does not exist yet: nothing to drop
    applies 3 migrations
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations applied

    $ tollgate status
    status: 0
    -- stdout
    SQLite database app.db
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date
    ");
}

#[test]
fn a_migration_that_fails_afterwards_is_told_with_the_truth_about_the_database() {
    let seen = each(|project, database| {
        blog(project);
        project.file("tollgate.toml", DEVELOPMENT);
        project.succeed(&["deploy"]);
        project.migration("4_rows", "INSERT INTO users (id) VALUES (1);\n");
        session(project, &["reset --force"]) + &tables(database)
    });
    assert_snapshot!(seen.join("\n"), @r#"
    $ tollgate reset --force
    status: 1
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 4 migrations
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    -- stderr
    migration-failed

      × migration "4_rows" failed: NOT NULL constraint failed: users.email
       ╭─[migrations/4_rows/migration.sql:1:1]
     1 │ INSERT INTO users (id) VALUES (1);
       · ────────────────┬────────────────
       ·                 ╰── NOT NULL constraint failed: users.email
       ╰────
      help: mend the data or the file, then run `tollgate deploy`
      the database now: everything that was there was dropped; 3 migrations of this run are in and recorded; nothing of it is in the database


    posts users
    $ tollgate reset --force
    status: 1
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (public.posts, public.titles, public.users)
    applies 4 migrations
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    -- stderr
    migration-failed

      × migration "4_rows" failed: null value in column "email" of relation "users" violates not-null
      │ constraint
       ╭─[migrations/4_rows/migration.sql:1:1]
     1 │ INSERT INTO users (id) VALUES (1);
       · ────────────────┬────────────────
       ·                 ╰── null value in column "email" of relation "users" violates not-null constraint
       ╰────
      help: SQLSTATE: 23502
            detail: Failing row contains (1, null).
            mend the data or the file, then run `tollgate deploy`
      the database now: everything that was there was dropped; 3 migrations of this run are in and recorded; nothing of it is in the database


    posts users
    "#);
}

/// Two seed files, the second of which says this, and a command.
fn seeds(project: &Project, second: &str, command: &str) {
    let seed = format!("[seed]\nfiles = [\"1.sql\", \"2.sql\"]\ncommand = {command}\n");
    project
        .file("tollgate.toml", &format!("{DEVELOPMENT}{seed}"))
        .file("1.sql", "INSERT INTO users VALUES (1, 'a');\n")
        .file("2.sql", second);
}

#[test]
fn a_seed_that_fails_afterwards_is_told_with_what_was_done_before() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        seeds(project, "INSERT INTO users VALUES (2);\n", "\"true\"");
        let file = project.run(&["reset", "--force", "--format", "json"]);
        let document = file.json();
        let error = &document["errors"][0];
        let in_file = format!(
            "{} {} {} {}\n",
            file.status.unwrap(),
            error["code"],
            error["database"],
            document["finished"]
        );
        seeds(project, "", "[\"sh\", \"-c\", \"exit 7\"]");
        let by_command = session(project, &["reset --force"]);
        seeds(project, "", "\"no-such-program\"");
        let not_started = session(project, &["reset --force"]);
        in_file + &by_command + &not_started + &database.run("SELECT email FROM users") + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    1 "seed-failed" "everything that was there was dropped; 3 migrations are applied; the file before it is in; nothing of this file was kept" ["1_users","2_posts","3_views"]
    $ tollgate reset --force
    status: 1
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations, then seeds
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    running sh -c exit 7
    seed::command

      × the seed command sh -c exit 7 ended with status 7
      help: it runs in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: everything that was there was dropped; 3 migrations are applied; the 2 seed files are in; the seed command may have changed something


    $ tollgate reset --force
    status: 1
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations, then seeds
    dropped everything
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 3 migrations applied
    seeded 1.sql [duration]
    seeded 2.sql [duration]
    -- stderr
    running no-such-program
    seed::command

      × the seed command no-such-program cannot be started: No such file or directory (os error 2)
      help: no-such-program is looked for in node_modules/.bin of [project] and above, then in
            PATH; it runs without a shell; for one, write it as a list: `command = ["sh", "-c", "…"]`
      the database now: everything that was there was dropped; 3 migrations are applied; the 2 seed files are in


    a
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    "#);
}
