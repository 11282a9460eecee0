//! Rollback as a command. Whether what is taken back really is as before is tested in `rollback.rs`.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{ROWS, applied_by_prisma, blog, both, each, ledger, on, session, sqlite, tables};

#[test]
fn the_newest_go_first() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        let planned = session(project, &["rollback --dry-run --steps 2"]);
        assert_eq!(tables(database), "posts users");
        let done = session(project, &["rollback --steps 2 --force", "status"]);
        assert_eq!(tables(database), "users");
        project.succeed(&["deploy"]);
        let target = session(
            project,
            &["rollback --target 2_posts --force", "rollback --target 2_posts --force"],
        );
        assert_eq!(tables(database), "posts users");
        planned + &done + &target + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate rollback --dry-run --steps 2
    status: 0
    -- stdout
    3_views (planned when it was deployed) lossless
        DROP VIEW "titles";
    2_posts (planned when it was deployed) lossy: the rows written to posts since
        DROP TABLE "posts";
    2 migrations to take back; nothing was changed

    $ tollgate rollback --steps 2 --force
    status: 0
    -- stdout
    taken back 3_views [duration]
    taken back 2_posts [duration]
    2 migrations taken back

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    rolled back 2_posts
    rolled back 3_views
    3 migrations: 1 applied, 2 rolled back; next: `tollgate deploy`

    $ tollgate rollback --target 2_posts --force
    status: 0
    -- stdout
    taken back 3_views [duration]
    1 migration taken back

    $ tollgate rollback --target 2_posts --force
    status: 0
    -- stdout
    nothing to take back

    1_users applied 1
    2_posts rolled back 1
    3_views rolled back 1
    2_posts applied 1
    3_views rolled back 1
    "#);
}

#[test]
fn nobody_is_taken_by_surprise() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        let seen = session(
            project,
            &[
                "rollback",
                "rollback --steps 0",
                "rollback --target 9_nothing --force",
                "rollback --target 1_user",
            ],
        );
        assert_eq!(tables(database), "posts users");
        seen
    });
    assert_snapshot!(seen, @r#"
    $ tollgate rollback
    status: 2
    -- stdout
    3_views (planned when it was deployed) lossless
        DROP VIEW "titles";
    -- stderr
    rollback::unconfirmed

      × there is nobody here to ask whether to take it back
      help: look at the plan with --dry-run, then run it with --force
      the database now: nothing was changed


    $ tollgate rollback --steps 0
    status: 2
    -- stderr
    error: invalid value '0' for '--steps <N>': 0 is not in 1..=4294967295

    For more information, try '--help'.

    $ tollgate rollback --target 9_nothing --force
    status: 5
    -- stderr
    not-applied

      × 9_nothing is not applied: neither the folder nor the ledger knows it
      help: `tollgate status` lists the names; give the whole folder name
      the database now: nothing was changed


    $ tollgate rollback --target 1_user
    status: 5
    -- stderr
    not-applied

      × 1_user is not applied: neither the folder nor the ledger knows it
      help: did you mean 1_users? Give the whole folder name
      the database now: nothing was changed
    "#);
}

#[test]
fn with_nothing_applied_there_is_nothing_to_take_back() {
    let seen = both(|project, _| {
        blog(project);
        let before = session(project, &["rollback --force"]);
        project.succeed(&["deploy", "--to", "1_users"]);
        before + &session(project, &["rollback --force --steps 5", "rollback --force"])
    });
    assert_snapshot!(seen, @"
    $ tollgate rollback --force
    status: 0
    -- stdout
    nothing to take back

    $ tollgate rollback --force --steps 5
    status: 0
    -- stdout
    taken back 1_users [duration]
    1 migration taken back

    $ tollgate rollback --force
    status: 0
    -- stdout
    nothing to take back
    ");
}

#[test]
fn the_authors_own_way_back_is_preferred() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        let kept = session(project, &["rollback --dry-run"]);
        project.file(
            "migrations/2_posts/down.sql",
            "-- By hand.\nDROP INDEX posts_author;\nDROP TABLE posts;\n",
        );
        let own = session(project, &["rollback --dry-run", "rollback --force"]);
        assert_eq!(tables(database), "users");
        kept + &own
    });
    assert_snapshot!(seen, @r#"
    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    2_posts (planned when it was deployed) lossy: the rows written to posts since
        DROP TABLE "posts";
    1 migration to take back; nothing was changed

    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    2_posts (from its down.sql) as its author wrote it
        -- By hand.
        DROP INDEX posts_author;
        DROP TABLE posts;
    1 migration to take back; nothing was changed

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 2_posts [duration]
    1 migration taken back
    "#);
}

#[test]
fn a_down_file_that_cannot_be_read_or_fails_changes_nothing() {
    let [sqlite, postgres] = each(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        project.file("migrations/2_posts/down.sql", "DROP TABLE posts;\nDROP TABEL users;\n");
        let unreadable = session(project, &["rollback --force"]);
        project.file(
            "migrations/2_posts/down.sql",
            "DROP TABLE posts;\nDELETE FROM nowhere;\n",
        );
        let failing = session(project, &["rollback --force", "status"]);
        assert_eq!(tables(database), "posts users");
        unreadable + &failing
    });
    assert_snapshot!(sqlite, @"
    $ tollgate rollback --force
    status: 1
    -- stderr
    rollback-script

      × the rollback SQL of 2_posts cannot be read: syntax error near 'TABEL' (line 2, column 6)
       ╭─[migrations/2_posts/down.sql:2:6]
     1 │ DROP TABLE posts;
     2 │ DROP TABEL users;
       ·      ──┬──
       ·        ╰── syntax error near 'TABEL'
       ╰────
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 1
    -- stderr
    migration-failed

      × taking 2_posts back failed: no such table: nowhere
       ╭─[migrations/2_posts/down.sql:2:13]
     1 │ DROP TABLE posts;
     2 │ DELETE FROM nowhere;
       ·             ───┬───
       ·                ╰── no such table: nowhere
       ╰────
      help: mend the cause, then run the command again
      the database now: 2_posts is applied as it was; nothing of its rollback was kept


    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    pending     3_views
    3 migrations: 2 applied, 1 pending; next: `tollgate deploy`
    ");
    assert_snapshot!(postgres, @r#"
    $ tollgate rollback --force
    status: 1
    -- stderr
    rollback-script

      × the rollback SQL of 2_posts cannot be read: syntax error at or near "TABEL" (line 2, column 6)
       ╭─[migrations/2_posts/down.sql:2:6]
     1 │ DROP TABLE posts;
     2 │ DROP TABEL users;
       ·      ──┬──
       ·        ╰── syntax error at or near "TABEL"
       ╰────
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 1
    -- stderr
    migration-failed

      × taking 2_posts back failed: relation "nowhere" does not exist
       ╭─[migrations/2_posts/down.sql:2:13]
     1 │ DROP TABLE posts;
     2 │ DELETE FROM nowhere;
       ·             ───┬───
       ·                ╰── relation "nowhere" does not exist
       ╰────
      help: SQLSTATE: 42P01
            mend the cause, then run the command again
      the database now: 2_posts is applied as it was; nothing of its rollback was kept


    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    pending     3_views
    3 migrations: 2 applied, 1 pending; next: `tollgate deploy`
    "#);
}

#[test]
fn a_way_back_is_written_for_what_prisma_applied() {
    let seen = both(|project, database| {
        blog(project);
        applied_by_prisma(project, database, "1_users");
        applied_by_prisma(project, database, "2_posts");
        let seen = session(project, &["status", "rollback --dry-run", "rollback --force"]);
        assert_eq!(tables(database), "users");
        seen + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    pending     3_views
    3 migrations: 2 applied, 1 pending; next: `tollgate deploy`

    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    2_posts (generated now) lossy: the rows written to posts since
        DROP TABLE "posts";
    1 migration to take back; nothing was changed

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 2_posts [duration]
    1 migration taken back

    1_users applied 1
    2_posts rolled back 1
    "#);
}

#[test]
fn what_cannot_be_taken_back_is_left_and_said() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.migration(
        "4_hidden",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || 'hidden (id integer)'; END $$;\n",
    );
    project.succeed(&["deploy"]);
    assert_snapshot!(session(&project, &["rollback --dry-run", "rollback --force --steps 2"]), @"
    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    4_hidden (planned when it was deployed) irreversible: the statement changes something only under a condition
    1 migration to take back; nothing was changed

    $ tollgate rollback --force --steps 2
    status: 5
    -- stderr
    irreversible

      × 4_hidden cannot be taken back: the statement changes something only under a condition
      help: write a down.sql beside its migration.sql, or put back a backup
      the database now: nothing was changed
    ");
    assert_eq!(tables(&database), "hidden posts users");
    project.file("migrations/4_hidden/down.sql", "DROP TABLE hidden;\n");
    project.succeed(&["rollback", "--force", "--steps", "2"]);
    assert_eq!(tables(&database), "posts users");
}

#[test]
fn what_is_lost_is_said() {
    let [sqlite, postgres] = each(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        database.run(ROWS);
        project.migration(
            "4_drop",
            "-- tollgate:allow drop-table, drop-view -- a test\n\nDROP VIEW titles;\nDROP TABLE posts;\n",
        );
        project.succeed(&["deploy"]);
        let seen = session(project, &["rollback --dry-run", "rollback --force"]);
        assert_eq!(tables(database), "posts users");
        seen
    });
    assert_snapshot!(sqlite, @"
    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    4_drop (planned when it was deployed) lossy: the rows of posts
        CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);
        CREATE INDEX posts_author ON posts (author);
        CREATE VIEW titles AS SELECT title FROM posts;
    1 migration to take back; nothing was changed

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 4_drop [duration]
    1 migration taken back
    ");
    assert_snapshot!(postgres, @"
    $ tollgate rollback --dry-run
    status: 0
    -- stdout
    4_drop (planned when it was deployed) lossy: the rows of posts
        CREATE TABLE public.posts (
            id integer NOT NULL,
            author integer NOT NULL,
            title text,
            CONSTRAINT posts_pkey PRIMARY KEY (id)
        );
        CREATE INDEX posts_author ON public.posts USING btree (author);
        ALTER TABLE public.posts OWNER TO postgres;
        ALTER TABLE public.posts ADD CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES public.users (id);
        CREATE VIEW public.titles AS
        SELECT posts.title
           FROM public.posts;
        ALTER VIEW public.titles OWNER TO postgres;
    1 migration to take back; nothing was changed

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 4_drop [duration]
    1 migration taken back
    ");
}

#[test]
fn commands_need_not_be_run_in_the_projects_folder() {
    let project = sqlite();
    blog(&project);
    project
        .file("tollgate.toml", "[migrations]\ndir = \"migrations\"\n")
        .file("src/deep/notes.txt", "");
    let output = project
        .command(&["deploy"])
        .current_dir(project.path().join("src/deep"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        project.run(&["status"]).status,
        Some(0),
        "both commands found the same database"
    );
}
