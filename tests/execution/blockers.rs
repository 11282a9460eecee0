//! Other sessions stand in the way.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::{ALONE, postgres, said, sqlite, until};

/// What a run said, on one line: where lines break depends on how long numbers are.
pub(crate) fn in_a_line(said: &str) -> String {
    let text = said.replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn impatient(project: &Project, retries: u32) {
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 100\nretries = {retries}\n{ALONE}");
    project.file("tollgate.toml", &settings);
}

#[test]
fn who_stands_in_the_way_is_named_and_waited_for() {
    let (project, database) = postgres();
    impatient(&project, 1000);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "ALTER TABLE a ADD COLUMN note text;\n");
    let mut other = database.session("reports");
    other.run("BEGIN; SELECT 'a secret' FROM a;");
    let outcome = std::thread::scope(|scope| {
        let deploy = scope.spawn(|| project.run(&["deploy"]));
        let failed = "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted";
        until("the deploy waits", || database.psql(failed).trim() == "1");
        until("the deploy waits no longer", || database.psql(failed).trim() == "0");
        until("the deploy waits again", || database.psql(failed).trim() == "1");
        other.run("COMMIT;");
        deploy.join().unwrap()
    });
    assert_eq!(outcome.status, Some(0), "{outcome}");
    let said = said(&outcome);
    assert_snapshot!(said.lines().find(|line| line.contains("waits for")).unwrap_or_default(), @r#"2_b: waits for session [number] (user postgres, application reports, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;"); attempt 2 in [duration]"#);
}

#[test]
fn after_the_last_attempt_the_help_names_who_to_end() {
    let (project, database) = postgres();
    impatient(&project, 1);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "CREATE TABLE b (id int);\nALTER TABLE a ADD COLUMN note text;\n");
    let mut other = database.session("reports");
    other.run("BEGIN; INSERT INTO a VALUES (7); SELECT $$password$$;");
    // As a document: a person's terminal breaks lines where the numbers let it.
    let outcome = project.run(&["deploy", "--format", "json"]);
    assert_eq!(outcome.status, Some(1));
    let said = said(&outcome);
    let help = said.lines().find(|line| line.contains("\"help\"")).unwrap_or_default();
    assert_snapshot!(help.trim(), @r#""help": "SQLSTATE: 55P03\nwait until session [number] (user postgres, application reports, idle in transaction, open for [duration], last query [duration] ago: \"SELECT ?;\") is done, or end it with SELECT pg_terminate_backend([number]), then run `tollgate deploy`; this was attempt 2: deploy.statement_lock_timeout_ms and deploy.retries say how long it tries","#);
    assert_eq!(database.psql("SELECT to_regclass('b') IS NULL").trim(), "t");
    other.run("ROLLBACK;");
    project.succeed(&["deploy"]);
}

/// Who changes rows does not stand in the way of who changes others; who has locked the table does.
#[test]
fn only_those_in_conflict_are_named() {
    let (project, database) = postgres();
    impatient(&project, 0);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "CREATE INDEX a_id ON a (id);\n");
    let mut reader = database.session("reader");
    reader.run("BEGIN; SELECT * FROM a;");
    let mut writer = database.session("writer");
    writer.run("BEGIN; INSERT INTO a VALUES (1);");
    let outcome = project.run(&["deploy"]);
    assert!(outcome.stderr.contains("application writer"), "{outcome}");
    assert!(!outcome.stderr.contains("application reader"), "{outcome}");
    drop((reader, writer));
}

#[test]
fn a_deadlock_is_tried_again_and_names_the_other() {
    let (project, database) = postgres();
    project.file(
        "tollgate.toml",
        &format!("[deploy]\nstatement_lock_timeout_ms = 0\n{ALONE}"),
    );
    project.migration("1_a", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n");
    project.succeed(&["deploy"]);
    // It asks for the second table once the other waits for the first: the server looks for a deadlock once in each wait.
    project.migration(
        "2_b",
        "LOCK TABLE a;\n\
         DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_locks WHERE relation = 'b'::regclass AND granted) AND NOT EXISTS \
         (SELECT FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted) LOOP PERFORM pg_sleep(0.01); END LOOP; END \
         $$;\n\
         LOCK TABLE b;\n",
    );
    let mut other = database.session("other");
    other.run("SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE b;");
    let outcome = std::thread::scope(|scope| {
        let deploy = scope.spawn(|| project.run(&["deploy"]));
        let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND granted";
        until("the deploy has the first table", || database.psql(locked).trim() == "1");
        other.send("LOCK TABLE a;");
        let told = "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND granted AND pid = (SELECT pid FROM \
                    pg_stat_activity WHERE application_name = 'other')";
        until("the other has both", || database.psql(told).trim() == "1");
        other.wait();
        other.run("COMMIT;");
        deploy.join().unwrap()
    });
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert!(outcome.stderr.contains("2_b: waits for session "), "{outcome}");
    assert!(outcome.stderr.contains("application other"), "{outcome}");
}

/// What a block does is not seen in its text; whom it waits for is seen while it waits.
#[test]
fn who_stands_in_the_way_of_what_nobody_can_read_is_named_at_the_second_attempt() {
    let (project, database) = postgres();
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 1500\nretries = 1\n{ALONE}");
    project.file("tollgate.toml", &settings);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration(
        "2_b",
        "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN note text', (SELECT relname FROM pg_class WHERE \
         oid::regclass::text = chr(97))); END $$;\n",
    );
    let mut other = database.session("reports");
    other.run("BEGIN; SELECT * FROM a;");
    let outcome = project.run(&["deploy"]);
    assert!(
        outcome
            .stderr
            .contains("2_b: canceling statement due to lock timeout; attempt 2 in "),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("application reports"), "{outcome}");
    drop(other);
}

#[test]
fn who_reads_a_partition_stands_in_the_way_of_its_table() {
    let (project, database) = postgres();
    impatient(&project, 0);
    project.migration(
        "1_a",
        "CREATE TABLE a (id int) PARTITION BY RANGE (id);\nCREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (10);\n",
    );
    project.succeed(&["deploy"]);
    project.migration("2_b", "ALTER TABLE a ADD COLUMN note text;\n");
    let mut other = database.session("reports");
    other.run("BEGIN; SELECT * FROM a1;");
    let outcome = project.run(&["deploy"]);
    assert!(outcome.stderr.contains("application reports"), "{outcome}");
    drop(other);
}

/// Both have changed rows of the table, and only one of them the row that is wanted.
#[test]
fn who_changes_other_rows_is_not_accused() {
    let (project, database) = postgres();
    impatient(&project, 1);
    project.migration(
        "1_a",
        "CREATE TABLE a (id int PRIMARY KEY, v int);\nINSERT INTO a VALUES (1, 1), (2, 2);\n",
    );
    project.succeed(&["deploy"]);
    project.migration("2_b", "UPDATE a SET v = 7 WHERE id = 1;\n");
    let mut innocent = database.session("innocent");
    innocent.run("BEGIN; UPDATE a SET v = 3 WHERE id = 2;");
    let mut guilty = database.session("guilty");
    guilty.run("BEGIN; SELECT v FROM a WHERE id = 1 FOR UPDATE;");
    let outcome = project.run(&["deploy"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(!outcome.stderr.contains("innocent"), "{outcome}");
    assert!(outcome.stderr.contains("application guilty"), "{outcome}");
    // Where there is no other, one look is enough.
    innocent.run("ROLLBACK;");
    impatient(&project, 0);
    let outcome = project.run(&["deploy"]);
    assert!(outcome.stderr.contains("application guilty"), "{outcome}");
    guilty.run("ROLLBACK;");
    project.succeed(&["deploy"]);
}

#[test]
fn all_who_stand_in_the_way_are_to_be_ended() {
    let (project, database) = postgres();
    impatient(&project, 0);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "ALTER TABLE a ADD COLUMN note text;\n");
    let mut others = ["first", "second"].map(|name| database.session(name));
    let pids = others.each_mut().map(|other| {
        other.run("BEGIN; SELECT * FROM a;");
        other.run("SELECT pg_backend_pid();").trim().to_owned()
    });
    let outcome = project.run(&["deploy", "--format", "json"]);
    let said = said(&outcome);
    let help = said.lines().find(|line| line.contains("\"help\"")).unwrap_or_default();
    assert_snapshot!(help.trim(), @r#""help": "SQLSTATE: 55P03\nwait until session [number] (user postgres, application first, idle in transaction, open for [duration], last query [duration] ago: \"SELECT ?;\") and one more are done, or end them with SELECT pg_terminate_backend([number]); SELECT pg_terminate_backend([number]), then run `tollgate deploy`; this was attempt 1: deploy.statement_lock_timeout_ms and deploy.retries say how long it tries","#);
    for pid in &pids {
        let ending = format!("SELECT pg_terminate_backend({pid})");
        assert!(
            outcome.raw_stdout.contains(&ending) || outcome.raw_stderr.contains(&ending),
            "{outcome}"
        );
    }
}

/// What somebody does with the ledger's table keeps the record waiting, and with it the migration.
#[test]
fn who_keeps_the_record_waiting_is_named_at_the_second_attempt() {
    let (project, database) = postgres();
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 1000\nretries = 1\n{ALONE}");
    project.file("tollgate.toml", &settings);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "CREATE TABLE b (id int);\n");
    let mut other = database.session("reports");
    other.run("BEGIN; LOCK TABLE _prisma_migrations IN SHARE MODE;");
    assert_snapshot!(in_a_line(&said(&project.run(&["deploy"]))), @r#"status: 1 -- stderr 2_b: the transaction could not be committed: canceling statement due to lock timeout; attempt 2 in [duration] migration-failed × migration "2_b" failed: the transaction could not be committed: canceling statement due to lock timeout help: SQLSTATE: 55P03 wait until session [number] (user postgres, application reports, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;") is done, or end it with SELECT pg_terminate_backend([number]), then run `tollgate deploy` the database now: nothing of it is in the database"#);
    other.run("ROLLBACK;");
    project.succeed(&["deploy"]);
}

/// It belongs to no session, and nobody waits long enough for it to end by itself.
#[test]
fn a_prepared_transaction_is_named() {
    let (project, database) = postgres();
    if database.cluster().port().is_none() {
        println!("skipped: another server may allow no prepared transactions");
        return;
    }
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 1000\nretries = 1\n{ALONE}");
    project.file("tollgate.toml", &settings);
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    database.psql("BEGIN; SELECT * FROM a; PREPARE TRANSACTION 'two phases'");
    // One whose text says what it wants, and one whose text does not.
    project.migration("2_b", "ALTER TABLE a ADD COLUMN note text;\n");
    let seen = said(&project.run(&["deploy"]));
    project.migration(
        "2_b",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || (SELECT relname FROM pg_class WHERE oid::regclass::text = chr(97)) || \
         ' ADD COLUMN note text'; END $$;\n",
    );
    let dynamic = project.run(&["deploy"]);
    database.psql("ROLLBACK PREPARED 'two phases'");
    assert_snapshot!(in_a_line(&seen), @r#"status: 1 -- stderr 2_b: waits for the prepared transaction "two phases" (user postgres, since [time]); attempt 2 in [duration] migration-failed × migration "2_b" failed: canceling statement due to lock timeout ╭─[migrations/2_b/migration.sql:1:1] 1 ALTER TABLE a ADD COLUMN note text; · ─────────────────┬──────────────── · ╰── canceling statement due to lock timeout ╰──── help: SQLSTATE: 55P03 wait until the prepared transaction "two phases" (user postgres, since [time]) is done, or end it with COMMIT PREPARED 'two phases' or ROLLBACK PREPARED 'two phases', then run `tollgate deploy`; this was attempt 2: deploy.statement_lock_timeout_ms and deploy.retries say how long it tries the database now: nothing of it is in the database"#);
    let dynamic = in_a_line(&dynamic.stderr);
    assert!(dynamic.contains("ROLLBACK PREPARED 'two phases'"), "{dynamic}");
    project.succeed(&["deploy"]);
}

#[test]
fn a_serialization_failure_is_tried_again() {
    let (project, database) = postgres();
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 0\n{ALONE}");
    project.file("tollgate.toml", &settings);
    project.migration(
        "1_a",
        "CREATE TABLE a (id int PRIMARY KEY, v int);\nINSERT INTO a VALUES (1, 1);\n",
    );
    project.succeed(&["deploy"]);
    let body = "SELECT count(*) FROM a;\nSELECT pg_advisory_xact_lock(4711);\nUPDATE a SET v = v + 1 WHERE id = 1;\n";
    for (number, (name, sql)) in [
        (
            "2_own",
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ;\n{body}COMMIT;\n"),
        ),
        (
            "3_ours",
            format!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n{body}"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        project.migration(name, &sql);
        let mut other = database.session("other");
        other.run("SELECT pg_advisory_lock(4711);");
        let outcome = std::thread::scope(|scope| {
            let deploy = scope.spawn(|| project.run(&["deploy"]));
            let waits =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
            until("it has read", || database.psql(waits).trim() == "1");
            other.run("UPDATE a SET v = v + 10 WHERE id = 1;");
            other.run("SELECT pg_advisory_unlock(4711);");
            deploy.join().unwrap()
        });
        assert_eq!(outcome.status, Some(0), "{outcome}");
        let retried = format!("{name}: could not serialize access due to concurrent update; attempt 2 in ");
        assert!(outcome.stderr.contains(&retried), "{outcome}");
        let expected = 1 + 11 * (number + 1);
        assert_eq!(database.psql("SELECT v FROM a").trim(), expected.to_string());
    }
}

/// Only the library's own words say that a file is busy.
#[test]
fn what_a_trigger_says_is_no_reason_to_try_again() {
    let (project, _file) = sqlite();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\nCREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ABORT, 'this account is locked'); END;\n",
    );
    project.migration("2_b", "INSERT INTO a VALUES (1);\n");
    let outcome = project.run(&["deploy"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("this account is locked"), "{outcome}");
    assert!(!outcome.stderr.contains("attempt 2"), "{outcome}");
}
