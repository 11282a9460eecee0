//! A statement fails in the middle: what is said, what is in the database, and that the command that is named goes on.

use insta::assert_snapshot;

use crate::{postgres, run, sqlite, until};

const WITH_ENVIRONMENT: &str = "[environments.production]\n[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n[plugins.rollback]\nenabled = false\n";

#[test]
fn on_postgres_nothing_is_left_and_the_mended_file_is_deployed() {
    let (project, database) = postgres();
    project.file("tollgate.toml", WITH_ENVIRONMENT);
    let good = "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n\n";
    let bad = "DO $$ BEGIN\n  RAISE EXCEPTION 'no room' USING ERRCODE = 'P0042', DETAIL = 'Row 7.', HINT = 'Make room.';\nEND $$;\n";
    project.migration("1_a", &format!("{good}{bad}CREATE TABLE b (id int);\n"));
    assert_snapshot!(run(&project, &["-e", "production", "deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: no room
       ╭─[migrations/1_a/migration.sql:4:1]
     3 │     
     4 │ ╭─▶ DO $$ BEGIN
     5 │ │     RAISE EXCEPTION 'no room' USING ERRCODE = 'P0042', DETAIL = 'Row 7.', HINT = 'Make room.';
     6 │ ├─▶ END $$;
       · ╰──── no room
     7 │     CREATE TABLE b (id int);
       ╰────
      help: SQLSTATE: P0042
            detail: Row 7.
            hint: Make room.
            context: PL/pgSQL function inline_code_block line 2 at RAISE
            mend the file, then run `tollgate -e production deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(database.psql("SELECT to_regclass('a') IS NULL").trim(), "t");
    project.migration("1_a", good);
    assert_snapshot!(run(&project, &["-e", "production", "deploy"]), @"
    status: 0
    -- stdout
    applied 1_a [duration]
    1 migration applied in [duration]
    ");
    let rows = "SELECT finished_at IS NULL, rolled_back_at IS NULL FROM _prisma_migrations ORDER BY started_at";
    assert_eq!(database.psql(rows), "t|f\nf|t\n");
}

#[test]
fn on_sqlite_nothing_is_left_and_the_mended_file_is_deployed() {
    let (project, database) = sqlite();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: no such table: b
       ╭─[migrations/1_a/migration.sql:3:13]
     2 │ INSERT INTO a VALUES (1);
     3 │ INSERT INTO b VALUES (1);
       ·             ┬
       ·             ╰── no such table: b
       ╰────
      help: mend the file, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(
        database
            .sqlite3("SELECT count(*) FROM sqlite_master WHERE name = 'a'")
            .trim(),
        "0"
    );
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
}

#[test]
fn on_postgres_what_was_committed_stays_and_resume_goes_on() {
    let (project, database) = postgres();
    project.file("tollgate.toml", WITH_ENVIRONMENT);
    let first = "CREATE TABLE a (id int, n int);\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n";
    project.migration(
        "1_a",
        &format!("{first}INSERT INTO a\n  SELECT 1, nope;\nINSERT INTO a VALUES (2, 2);\n"),
    );
    let deploy = ["deploy", "-e", "production"];
    let resume = ["deploy", "-e", "production", "--resume"];
    assert_snapshot!(run(&project, &deploy), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: column "nope" does not exist
       ╭─[migrations/1_a/migration.sql:5:13]
     4 │ INSERT INTO a
     5 │   SELECT 1, nope;
       ·             ──┬─
       ·               ╰── column "nope" does not exist
     6 │ INSERT INTO a VALUES (2, 2);
       ╰────
      help: SQLSTATE: 42703
            mend the file (what stands up to line 3 must stay as it is) and go on with `tollgate -e
            production deploy --resume`; or finish or undo it by hand and record that with `tollgate
            -e production resolve --applied 1_a` or `tollgate -e production resolve --rolled-back 1_a`
      the database now: the first 2 of 4 statements are in, up to line 3
    "#);
    // Nobody goes on by accident.
    assert_snapshot!(run(&project, &deploy), @"
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 1_a
      help: `tollgate -e production resolve 1_a` looks what of it is in the database and says what to
            record; where a deploy stopped in the middle of it, `tollgate -e production deploy
            --resume` goes on
      the database now: nothing was changed
    ");
    // What is in must not be changed.
    let changed = first.replace("n int", "n bigint");
    project.migration("1_a", &format!("{changed}INSERT INTO a VALUES (2, 2);\n"));
    assert_snapshot!(run(&project, &resume), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: its first 2 statements are in the database and changed in the file
      │ since
       ╭─[migrations/1_a/migration.sql:1:1]
     1 │ CREATE TABLE a (id int, n bigint);
       · ────────────────┬────────────────
       ·                 ╰── this was something else when it was run
     2 │ 
       ╰────
      help: put that part of the file back as it was and go on with `tollgate -e production deploy
            --resume`; or finish or undo it by hand and record that with `tollgate -e production
            resolve --applied 1_a` or `tollgate -e production resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 3
    "#);
    project.migration("1_a", &format!("{first}INSERT INTO a VALUES (2, 2);\n"));
    assert_snapshot!(run(&project, &resume), @"
    status: 0
    -- stdout
    applied 1_a [duration]
    1 migration applied in [duration]
    -- stderr
    1_a: goes on after 2 statements of an earlier attempt
    ");
    assert_eq!(database.psql("SELECT * FROM a").trim(), "2|2");
}

#[test]
fn on_sqlite_what_was_committed_stays_and_resume_goes_on() {
    let (project, database) = sqlite();
    let first = "CREATE TABLE a (id int);\nVACUUM;\n";
    project.migration("1_a", &format!("{first}INSERT INTO a VALUES (1, 2);\n"));
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: table a has 1 columns but 2 values were supplied
       ╭─[migrations/1_a/migration.sql:3:1]
     2 │ VACUUM;
     3 │ INSERT INTO a VALUES (1, 2);
       · ─────────────┬─────────────
       ·              ╰── table a has 1 columns but 2 values were supplied
       ╰────
      help: mend the file (what stands up to line 2 must stay as it is) and go on with `tollgate
            deploy --resume`; or finish or undo it by hand and record that with `tollgate resolve
            --applied 1_a` or `tollgate resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 2
    "#);
    project.migration("1_a", "CREATE  TABLE a (id int);\nVACUUM;\nINSERT INTO a VALUES (1);\n");
    assert_snapshot!(run(&project, &["deploy", "--resume"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: its first 2 statements are in the database and changed in the file
      │ since
       ╭─[migrations/1_a/migration.sql:1:1]
     1 │ CREATE  TABLE a (id int);
       · ────────────┬───────────
       ·             ╰── this was something else when it was run
     2 │ VACUUM;
       ╰────
      help: put that part of the file back as it was and go on with `tollgate deploy --resume`; or
            finish or undo it by hand and record that with `tollgate resolve --applied 1_a` or
            `tollgate resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 2
    "#);
    project.migration("1_a", &format!("{first}INSERT INTO a VALUES (1);\n"));
    project.succeed(&["deploy", "--resume"]);
    assert_eq!(database.sqlite3("SELECT * FROM a").trim(), "1");
}

#[test]
fn a_failed_migration_that_was_undone_by_hand_begins_anew() {
    let (project, database) = postgres();
    project.migration("1_a", "CREATE TABLE a (id int);\nVACUUM;\nSELECT nope;\n");
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    database.psql("DROP TABLE a");
    project.migration("1_a", "CREATE TABLE a (id bigint);\n");
    project.succeed(&["resolve", "--rolled-back", "1_a"]);
    project.succeed(&["deploy"]);
}

#[test]
fn a_commit_that_is_refused_leaves_nothing() {
    let (project, _database) = postgres();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1, 2);\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: the transaction could not be committed: insert or update on table "a"
      │ violates foreign key constraint "a_up_fkey"
      help: SQLSTATE: 23503
            detail: Key (up)=(2) is not present in table "a".
            mend the cause, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
}

#[test]
fn a_commit_of_the_files_own_that_is_refused_is_pointed_at() {
    let (project, _database) = postgres();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n\
         BEGIN;\nINSERT INTO a VALUES (1, 1);\nCOMMIT;\nBEGIN;\nINSERT INTO a VALUES (2, 3);\nCOMMIT;\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: the transaction could not be committed: insert or update on table "a"
      │ violates foreign key constraint "a_up_fkey"
       ╭─[migrations/1_a/migration.sql:7:1]
     6 │ INSERT INTO a VALUES (2, 3);
     7 │ COMMIT;
       · ───┬──
       ·    ╰── the transaction could not be committed: insert or update on table "a" violates foreign key constraint "a_up_fkey"
       ╰────
      help: SQLSTATE: 23503
            detail: Key (up)=(3) is not present in table "a".
            mend the cause (what stands up to line 4 must stay as it is) and go on with `tollgate
            deploy --resume`; or finish or undo it by hand and record that with `tollgate resolve
            --applied 1_a` or `tollgate resolve --rolled-back 1_a`
      the database now: the first 4 of 7 statements are in, up to line 4
    "#);
}

/// A procedure that had committed something before it failed.
#[test]
fn what_a_statement_may_have_left_is_said() {
    let (project, database) = postgres();
    project.migration(
        "1_fill",
        "-- tollgate:transaction off\n\
         CREATE TABLE a (id int);\n\
         CREATE PROCEDURE fill(good boolean) LANGUAGE plpgsql AS $$ BEGIN\n  INSERT INTO a VALUES (1);\n  COMMIT;\n  \
         IF NOT good THEN RAISE 'bad'; END IF;\nEND $$;\n\
         CALL fill(false);\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_fill" failed: bad
       ╭─[migrations/1_fill/migration.sql:8:1]
     7 │ END $$;
     8 │ CALL fill(false);
       · ────────┬───────
       ·         ╰── bad
       ╰────
      help: SQLSTATE: P0001
            context: PL/pgSQL function fill(boolean) line 4 at RAISE
            mend the file (what stands up to line 3 must stay as it is; line 8 runs again, so undo
            first what it has left) and go on with `tollgate deploy --resume`; or finish or undo it by
            hand and record that with `tollgate resolve --applied 1_fill` or `tollgate resolve
            --rolled-back 1_fill`
      the database now: the first 2 of 3 statements are in, up to line 3; the one on line 8 may have left something
    "#);
    assert_eq!(database.psql("SELECT count(*) FROM a").trim(), "1");
    let path = project.path().join("migrations/1_fill/migration.sql");
    let mended = std::fs::read_to_string(&path)
        .unwrap()
        .replace("fill(false)", "fill(true)");
    project.migration("1_fill", &mended);
    assert_eq!(
        project.run(&["deploy"]).status,
        Some(5),
        "nobody knows whether it may run again"
    );
    project.succeed(&["deploy", "--resume"]);
    assert_eq!(database.psql("SELECT count(*) FROM a").trim(), "2");
}

/// It was in doubt, ran again, and is in: what fails behind it says nothing of it.
#[test]
fn a_statement_that_came_through_is_not_in_doubt_any_more() {
    let (project, _database) = postgres();
    let file = |good: bool| {
        format!(
            "-- tollgate:transaction off\n\
             CREATE TABLE a (id int);\n\
             DO $$ BEGIN COMMIT; IF NOT {good} THEN RAISE 'bad'; END IF; END $$;\n\
             INSERT INTO nope VALUES (1);\n"
        )
    };
    project.migration("1_a", &file(false));
    let outcome = project.run(&["deploy"]);
    assert!(
        outcome.stderr.contains("the one on line 3 may have left something"),
        "{outcome}"
    );
    project.migration("1_a", &file(true));
    assert_snapshot!(run(&project, &["deploy", "--resume"]), @r#"
    status: 1
    -- stderr
    1_a: goes on after 1 statement of an earlier attempt
    migration-failed

      × migration "1_a" failed: relation "nope" does not exist
       ╭─[migrations/1_a/migration.sql:4:13]
     3 │ DO $$ BEGIN COMMIT; IF NOT true THEN RAISE 'bad'; END IF; END $$;
     4 │ INSERT INTO nope VALUES (1);
       ·             ──┬─
       ·               ╰── relation "nope" does not exist
       ╰────
      help: SQLSTATE: 42P01
            mend the file (what stands up to line 3 must stay as it is) and go on with `tollgate
            deploy --resume`; or finish or undo it by hand and record that with `tollgate resolve
            --applied 1_a` or `tollgate resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 3
    "#);
}

/// The part before the failure is committed, by the file's own word.
#[test]
fn a_transaction_that_commits_in_its_middle_may_have_left_something() {
    let (project, database) = postgres();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\nBEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT AND CHAIN;\nSELECT 1 / 0;\nCOMMIT;\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: division by zero
       ╭─[migrations/1_a/migration.sql:5:1]
     4 │ COMMIT AND CHAIN;
     5 │ SELECT 1 / 0;
       · ──────┬─────
       ·       ╰── division by zero
     6 │ COMMIT;
       ╰────
      help: SQLSTATE: 22012
            mend the file (what stands up to line 1 must stay as it is; line 2 runs again, so undo
            first what it has left) and go on with `tollgate deploy --resume`; or finish or undo it by
            hand and record that with `tollgate resolve --applied 1_a` or `tollgate resolve
            --rolled-back 1_a`
      the database now: the first of 6 statements is in, up to line 1; the one on line 2 may have left something
    "#);
    assert_eq!(database.psql("SELECT id FROM a"), "1\n");
}

/// A server sends the rows of COPY to whoever runs it.
#[test]
fn rows_for_a_client_program_are_thrown_away() {
    let (project, database) = postgres();
    let copies = "COPY a TO STDOUT;\nINSERT INTO a VALUES (2);\nCOPY (SELECT * FROM a) TO STDOUT;\n";
    project
        .migration(
            "1_a",
            &format!("CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n{copies}"),
        )
        .migration("2_b", &format!("BEGIN;\n{copies}COMMIT;\nVACUUM a;\n"))
        .migration("3_c", &format!("-- tollgate:transaction off\n{copies}"))
        .migration("4_d", &format!("{copies}SELECT nope;\n"));
    let outcome = project.run(&["deploy"]);
    assert!(outcome.stderr.contains("column \"nope\" does not exist"), "{outcome}");
    assert_eq!(database.psql("SELECT id FROM a ORDER BY id"), "1\n2\n2\n2\n");
    let rows =
        "SELECT migration_name, finished_at IS NOT NULL, rolled_back_at IS NOT NULL FROM _prisma_migrations ORDER BY 1";
    assert_eq!(database.psql(rows), "1_a|t|f\n2_b|t|f\n3_c|t|f\n4_d|f|t\n");
}

/// IF NOT EXISTS is content with an index that is of no use to anybody.
#[test]
fn an_invalid_index_of_somebody_else_does_not_pass_for_the_one_that_is_wanted() {
    let (project, database) = postgres();
    project.migration("1_a", "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1), (1);\n");
    project.succeed(&["deploy"]);
    let mut by_hand = database.session("by hand");
    by_hand.send("CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);");
    until("it has failed", || {
        let invalid = "SELECT count(*) FROM pg_index i WHERE NOT indisvalid AND NOT EXISTS \
                       (SELECT 1 FROM pg_stat_progress_create_index)";
        database.psql(invalid).trim() == "1"
    });
    project.migration("2_b", "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);\n");
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 0
    -- stdout
    applied 2_b [duration]
    1 migration applied in [duration]
    -- stderr
    2_b: dropped the invalid index public.a_id that a failed attempt left
    ");
    let valid = "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = 'a_id'::regclass";
    assert_eq!(database.psql(valid), "t|f\n");
}

/// What the file tells the server of its own encoding is not about the ledger.
#[test]
fn a_migration_is_recorded_under_its_name_whatever_encoding_its_file_declares() {
    let (project, database) = postgres();
    project.migration("1_été", "CREATE TABLE a (id int);\n");
    project.migration("2_naïve", "SET client_encoding = 'LATIN1';\nCREATE TABLE b (id int);\n");
    project.succeed(&["deploy"]);
    let names = database.psql("SELECT migration_name FROM _prisma_migrations ORDER BY started_at");
    assert_eq!(names, "1_été\n2_naïve\n");
    assert!(project.succeed(&["deploy"]).stdout.contains("nothing to deploy"));
}

/// Not even the ledger is made for a script that the parser refuses.
#[test]
fn a_script_that_cannot_be_read_leaves_nothing() {
    let (project, database) = postgres();
    project.migration("1_a", "CREATE TABEL a (id int);\n");
    let outcome = project.run(&["deploy"]);
    assert!(
        outcome.stderr.contains("the database now: nothing was changed"),
        "{outcome}"
    );
    let made = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname IN ('public', 'tollgate')";
    assert_eq!(database.psql(made).trim(), "0");

    let (project, file) = sqlite();
    project.migration("1_a", "CREATE TABEL a (id int);\n");
    let outcome = project.run(&["deploy"]);
    assert!(
        outcome.stderr.contains("the database now: nothing was changed"),
        "{outcome}"
    );
    assert_eq!(file.sqlite3("SELECT count(*) FROM sqlite_master").trim(), "0");
    let state = |name: &str| name.ends_with(".tollgate.db");
    let files = std::fs::read_dir(file.folder()).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| state(name)).count(), 0);
}
