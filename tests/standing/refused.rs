//! What keeps a reset from dropping anything.

use insta::assert_snapshot;

use crate::session::{blog, both, session, tables};

const DEVELOPMENT: &str = "development = true\n";

#[test]
fn only_a_development_environment_is_reset() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        let unmarked = session(project, &["reset --force"]);
        // A mark at the top says nothing about an environment that is chosen.
        project.file("tollgate.toml", "development = true\n\n[environments.production]\n");
        let production = session(project, &["reset --force -e production"]);
        project.file("tollgate.toml", "[environments.play]\ndevelopment = true\n");
        let unchosen = session(project, &["reset --force"]);
        let unasked = session(
            project,
            &["reset -e play", "reset -e play --dry-run", "reset -e play --force"],
        );
        unmarked + &production + &unchosen + &unasked + &tables(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate reset --force
    status: 2
    -- stderr
    not-development

      × the configuration is not marked as a development environment, and its data is not thrown away
      help: where everything may be dropped at any time, write `development = true` at the top of
            tollgate.toml, or in an environment of it that --env chooses
      the database now: nothing was changed


    $ tollgate reset --force -e production
    status: 2
    -- stderr
    not-development

      × production is not marked as a development environment, and its data is not thrown away
      help: where everything may be dropped at any time, write `development = true` under
            [environments.production] in tollgate.toml
      the database now: nothing was changed


    $ tollgate reset --force
    status: 2
    -- stderr
    not-development

      × the configuration is not marked as a development environment, and its data is not thrown away
      help: where everything may be dropped at any time, write `development = true` at the top of
            tollgate.toml, or in an environment of it that --env chooses
      the database now: nothing was changed


    $ tollgate reset -e play
    status: 2
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations
    -- stderr
    reset::unconfirmed

      × there is nobody here to ask whether to drop everything
      help: look at what would go with --dry-run, then run `tollgate -e play reset --force`
      the database now: nothing was changed


    $ tollgate reset -e play --dry-run
    status: 0
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations
    nothing was changed

    $ tollgate reset -e play --force
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

    posts users
    ");
}

#[test]
fn the_database_of_another_environment_is_not_reset_by_a_variable() {
    let mut project = crate::session::sqlite();
    blog(&project);
    project.file(
        "tollgate.toml",
        "[environments.play]\ndevelopment = true\ndatabase.url = \"file:play.db\"\n",
    );
    project.set("DATABASE_URL", "file:./production.db");
    assert_snapshot!(session(&project, &["reset --force -e play"]), @r#"
    $ tollgate reset --force -e play
    status: 2
    -- stderr
    warning: the variable DATABASE_URL goes before the url of [environments.play]; there, name a variable of its own: env:NAME
    reset::another-database

      × the variable DATABASE_URL leads to another database than the one that the environment names
      help: unset it, or have the environment name a variable of its own: `database.url = "env:NAME"`
      the database now: nothing was changed
    "#);
    assert!(!project.path().join("production.db").exists());
}

#[test]
fn a_lease_of_somebody_else_keeps_everything_and_stays() {
    let seen = both(|project, database| {
        blog(project);
        project.file(
            "tollgate.toml",
            "development = true\n[seed]\nfiles = [\"a.sql\"]\n[deploy]\nlock_timeout_ms = 0\n",
        );
        project.file("a.sql", "INSERT INTO users VALUES (1, 'a');\n");
        project.succeed(&["deploy"]);
        project.succeed(&["lock", "acquire", "--reason", "a long backfill"]);
        // Another shell does not have the token that the first one keeps.
        let home = project.path().join("home");
        std::fs::rename(&home, project.path().join("elsewhere")).unwrap();
        std::fs::create_dir(&home).unwrap();
        let others = session(
            project,
            &["status", "reset --force", "seed", "resolve --applied 1_users"],
        );
        std::fs::remove_dir_all(&home).unwrap();
        std::fs::rename(project.path().join("elsewhere"), &home).unwrap();
        others + &session(project, &["reset --force", "status"]) + &tables(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    leased: somebody on vm keeps the lock until [time]: a long backfill
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    $ tollgate reset --force
    status: 4
    -- stdout
    THE DATABASE
    drops everything: 3 tables and views (posts, titles, users)
    applies 3 migrations, then seeds
    -- stderr
    lock

      × the lock is leased to somebody on vm since [time], until [time]: a
      │ long backfill
      help: wait until it ends, or have its owner run `tollgate lock release`; whoever has its token
            goes on with that in TOLLGATE_LOCK_TOKEN; `tollgate lock release --force` takes it away
      the database now: nothing was changed


    $ tollgate seed
    status: 4
    -- stderr
    lock

      × the lock is leased to somebody on vm since [time], until [time]: a
      │ long backfill
      help: wait until it ends, or have its owner run `tollgate lock release`; whoever has its token
            goes on with that in TOLLGATE_LOCK_TOKEN; `tollgate lock release --force` takes it away
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 4
    -- stderr
    lock

      × the lock is leased to somebody on vm since [time], until [time]: a
      │ long backfill
      help: wait until it ends, or have its owner run `tollgate lock release`; whoever has its token
            goes on with that in TOLLGATE_LOCK_TOKEN; `tollgate lock release --force` takes it away
      the database now: nothing was changed


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
    seeded a.sql [duration]

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    leased: somebody on vm keeps the lock until [time]: a long backfill
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    posts users
    ");
}

#[test]
fn nothing_is_dropped_when_a_script_or_a_policy_stands_in_the_way() {
    let seen = both(|project, database| {
        blog(project);
        project.file("tollgate.toml", DEVELOPMENT);
        project.succeed(&["deploy"]);
        project.migration("4_wrong", "CREATE TABEL x (id integer);\n");
        // Each parser has words of its own.
        let wrong = session(project, &["reset --force"]).replace("at or near \"TABEL\"", "near 'TABEL'");
        project.migration("4_wrong", "DROP INDEX posts_author;\n");
        project.file(
            "tollgate.toml",
            "development = true\n[check]\nblock_at = \"low\"\n[plugins.conventions]\nenabled = false\n",
        );
        let blocked = session(project, &["reset --force"]);
        std::fs::remove_dir_all(project.path().join("migrations/4_wrong")).unwrap();
        project.file(
            "tollgate.toml",
            "development = true\n[seed]\nfiles = [\"seed/*.sql\"]\n",
        );
        let no_seed = session(project, &["reset --force"]);
        project.file("seed/a.sql", "INSERT INTO users VALUES (1, 'a');\nVACUUM;\n");
        let bad_seed = session(project, &["reset --force"]);
        wrong + &blocked + &no_seed + &bad_seed + &tables(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate reset --force
    status: 1
    -- stderr
    script::syntax

      × 4_wrong cannot be read
       ╭─[migrations/4_wrong/migration.sql:1:8]
     1 │ CREATE TABEL x (id integer);
       ·        ──┬──
       ·          ╰── syntax error near 'TABEL'
       ╰────
      the database now: nothing was changed


    $ tollgate reset --force
    status: 3
    -- stdout
    4 migrations checked: 1 blocking
    blocked; nothing was dropped
    -- stderr
    destructive::drop-index

      × drops the index posts_author of posts
       ╭─[migrations/4_wrong/migration.sql:1:1]
     1 │ DROP INDEX posts_author;
       · ───────────┬───────────
       ·            ╰── medium: blocks a deploy
       ╰────
      help: make the index that takes its place first, and check that no query needs this one


    $ tollgate reset --force
    status: 2
    -- stderr
    config::seed-files

      × seed.files: there is no file seed/*.sql
      help: it is from tollgate.toml


    $ tollgate reset --force
    status: 1
    -- stderr
    seed-failed

      × seed/a.sql: a seed file runs in one transaction, and this statement cannot be part of it
       ╭─[seed/a.sql:2:1]
     1 │ INSERT INTO users VALUES (1, 'a');
     2 │ VACUUM;
       · ───┬──
       ·    ╰── a seed file runs in one transaction, and this statement cannot be part of it
       ╰────
      help: leave it out, or run the file by a command of your own: `[seed] command`
      the database now: nothing was changed


    posts users
    "#);
}
