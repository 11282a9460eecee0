//! Other sessions stand in the way.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::{ALONE, postgres, said, until};

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
    project.migration("2_b", "LOCK TABLE a;\nSELECT pg_sleep(0.5);\nLOCK TABLE b;\n");
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
