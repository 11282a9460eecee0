//! What a deploy has prepared in its session, and scripts that take it away or prepare something themselves.

use tollgate_testing::postgres::{Cluster, Setup};
use tollgate_tests::Project;

use crate::{ALONE, postgres};

/// Forgets every prepared statement, in the middle of a transaction and where no parser sees it.
const FORGETS: &str = "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$;\n";

/// Ends the session that holds the lock.
const ENDS_THE_LOCK: &str = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                             WHERE d.datname = current_database() AND l.locktype = 'advisory' \
                             AND l.objid = 72707369 AND l.granted AND l.pid <> pg_backend_pid();\n\
                             DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                             WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.pid <> \
                             pg_backend_pid()) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;\n";

#[test]
fn scripts_that_forget_prepared_statements_are_applied_once() {
    let (project, database) = postgres();
    project
        .migration("1_a", "CREATE TABLE t (id serial, name text);\n")
        .migration("2_b", "INSERT INTO t (name) VALUES ('2_b');\n")
        .migration(
            "3_c",
            "INSERT INTO t (name) SELECT count(*)::text FROM pg_prepared_statements;\n",
        )
        .migration("4_d", "DEALLOCATE ALL;\nINSERT INTO t (name) VALUES ('4_d');\n")
        .migration("5_e", "INSERT INTO t (name) VALUES ('5_e');\n")
        .migration(
            "6_f",
            "INSERT INTO t (name) SELECT count(*)::text FROM pg_prepared_statements;\n",
        );
    project.succeed(&["deploy"]);
    project
        .migration("7_g", "INSERT INTO t (name) VALUES ('7_g');\n")
        .migration(
            "8_h",
            &format!("CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DEALLOCATE ALL';\n{FORGETS}"),
        )
        .migration("9_i", "SELECT forget();\nINSERT INTO t (name) VALUES ('9_i');\n");
    project.succeed(&["deploy"]);
    assert_eq!(
        database.psql("SELECT name FROM t ORDER BY id"),
        "2_b\n2\n4_d\n5_e\n0\n7_g\n9_i\n"
    );
    let rows = "SELECT count(*), count(DISTINCT migration_name), count(finished_at) FROM _prisma_migrations";
    assert_eq!(database.psql(rows), "9|9|9\n");
}

/// No rollback takes them back, neither that of another attempt nor the end of a file.
#[test]
fn what_a_script_prepares_is_its_own() {
    let (project, database) = postgres();
    let prepares = "PREPARE p AS INSERT INTO t VALUES ($1);\n";
    project
        .migration("1_a", "CREATE TABLE t (id int);\n")
        .migration("2_b", &format!("{prepares}EXECUTE p(2);\n"))
        .migration(
            "3_c",
            &format!("{prepares}DO $$ BEGIN COMMIT; END $$;\nEXECUTE p(3);\n"),
        )
        .migration("4_d", &format!("{prepares}EXECUTE p(4);\n"))
        .migration(
            "5_e",
            "INSERT INTO t SELECT count(*) * 10 FROM pg_prepared_statements WHERE name = 'p';\n",
        )
        .migration("6_f", &format!("{prepares}EXECUTE p(6);\nSELECT nope;\n"));
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    project.migration("6_f", &format!("{prepares}EXECUTE p(6);\n"));
    project.succeed(&["deploy"]);
    assert_eq!(database.psql("SELECT id FROM t"), "2\n3\n4\n0\n6\n");
}

/// In two phases, whatever the session holds.
#[test]
fn a_transaction_that_a_file_prepares_and_commits() {
    let server = Cluster::start(&Setup {
        settings: vec![("max_prepared_transactions".to_owned(), "2".to_owned())],
        ..Setup::default()
    })
    .unwrap();
    let database = server.database();
    let mut project = Project::new();
    project
        .set("DATABASE_URL", &database.url())
        .file("tollgate.toml", ALONE);
    let phases = "BEGIN;\nINSERT INTO a VALUES (1);\nPREPARE TRANSACTION 'one';\nCOMMIT PREPARED 'one';\n";
    project
        .migration("1_a", &format!("CREATE TABLE a (id int);\n{phases}"))
        .migration("2_b", &format!("VACUUM a;\n{phases}INSERT INTO a VALUES (2);\n"));
    project.succeed(&["deploy"]);
    assert_eq!(database.psql("SELECT id FROM a ORDER BY id"), "1\n1\n2\n");
}

/// In a transaction whose isolation level is to be set, nothing may be asked before that.
#[test]
fn transactions_that_begin_with_their_isolation_level_are_guarded_too() {
    let level = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n";
    for (begin, end) in [("", ""), ("BEGIN;\n", "COMMIT;\n")] {
        let (project, database) = postgres();
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 72707369 \
                    AND pid = pg_backend_pid() AND granted AND mode = 'ShareLock'";
        project
            .migration("1_a", "CREATE TABLE t (id int, shares int);\n")
            .migration(
                "2_b",
                &format!("{begin}{level}INSERT INTO t SELECT 2, ({held});\n{end}"),
            )
            .migration("3_c", &format!("INSERT INTO t VALUES (3);\n{ENDS_THE_LOCK}"))
            .migration("4_d", &format!("{begin}{level}INSERT INTO t VALUES (4);\n{end}"));
        let outcome = project.run(&["deploy"]);
        assert!(outcome.stderr.contains("the migration lock was lost"), "{outcome}");
        let rows = database.psql("SELECT id, shares FROM t ORDER BY id");
        assert_eq!(rows, "2|1\n3|\n", "{outcome}");
        project.succeed(&["deploy"]);
        assert_eq!(database.psql("SELECT id FROM t ORDER BY id"), "2\n3\n4\n");
    }
}

#[test]
fn a_prepared_guard_guards() {
    for before in ["", "DEALLOCATE ALL;\n"] {
        let (project, database) = postgres();
        project
            .migration("1_a", "CREATE TABLE t (id int);\n")
            .migration("2_b", "INSERT INTO t VALUES (2);\n")
            .migration("3_c", &format!("INSERT INTO t VALUES (3);\n{before}"))
            .migration("4_d", &format!("INSERT INTO t VALUES (4);\n{ENDS_THE_LOCK}"))
            .migration("5_e", "INSERT INTO t VALUES (5);\n");
        let outcome = project.run(&["deploy"]);
        assert!(outcome.stderr.contains("the migration lock was lost"), "{outcome}");
        assert_eq!(database.psql("SELECT id FROM t ORDER BY id"), "2\n3\n4\n", "{outcome}");
        project.succeed(&["deploy"]);
        assert_eq!(database.psql("SELECT id FROM t ORDER BY id"), "2\n3\n4\n5\n");
    }
}
