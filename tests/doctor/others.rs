//! What other sessions do to a database.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::diagnosis::{Diagnosis, on, without_numbers};

/// Comes back when the session `waits` waits for a lock.
const WAIT_FOR_IT: &str = "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pg_stat_clear_snapshot(); \
     EXIT WHEN EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'waits' AND wait_event_type = 'Lock' \
     AND datname = current_database()); PERFORM pg_sleep(0.01); END LOOP; END $$;";

#[test]
fn a_session_that_idles_in_a_transaction_and_one_that_waits_for_it() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["deploy"]);
    let mut idle = database.session("worker");
    idle.run("BEGIN; UPDATE users SET email = 'a-secret-address' WHERE id = 12345;");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0), "it is no reason to fail");
    assert_snapshot!(without_numbers(&diagnosis.says("idle-in-transaction")), @"
    note N session idles in a transaction, the longest for N s
      → DDL on their tables waits for them: have the program end its transaction, or SELECT pg_terminate_backend(N)
    ");
    assert_snapshot!(without_numbers(&diagnosis.details("idle-in-transaction")), @r#"process N, user postgres, "worker" from N.N, idle in transaction, transaction open for N s: last SELECT ?;; has locks on users"#);

    idle.run("LOCK TABLE users IN ACCESS EXCLUSIVE MODE;");
    let mut waits = database.session("waits");
    waits.send("SELECT * FROM users WHERE email = 'a-secret-address';");
    database.psql(WAIT_FOR_IT);
    let diagnosis = Diagnosis::of(&project);
    idle.run("ROLLBACK;");
    waits.wait();
    assert_snapshot!(without_numbers(&diagnosis.says("blocked-sessions")), @"
    warn N session waits for a lock, held up by process N
      → see what that process does before deploying: a migration would wait in the same queue
    ");
    assert_snapshot!(without_numbers(&diagnosis.details("blocked-sessions")), @r#"process N, user postgres, "waits" from N.N, active, transaction open for N s: SELECT * FROM users WHERE email = ?;; waits for process N"#);
    assert_eq!(
        diagnosis.finding("largest-tables")["status"],
        "ok",
        "a locked table is left out"
    );
    assert!(!diagnosis.details("largest-tables").contains("public.users"));
    let text = diagnosis.document.to_string();
    assert!(!text.contains("a-secret-address") && !text.contains("12345"), "{text}");
}

#[test]
fn the_migration_lock_and_other_advisory_locks() {
    let database = cluster().database();
    let project = on(&database.url());
    let mut holder = database.session("another deploy");
    holder.run("SELECT pg_advisory_lock(72707369), pg_advisory_lock(42), pg_advisory_lock(1, 2);");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0));
    let time = regex::Regex::new(r"since .*").unwrap();
    let said = diagnosis.says("migration-lock");
    assert_snapshot!(time.replace(&without_numbers(&said), "since T"), @r#"
    note the migration lock (N) is held by process N, user postgres, "another deploy" from N.N, idle, connected since T
      → a deploy waits for it: let that run end; if it hangs, `tollgate lock release --terminate N`
    "#);
    assert_snapshot!(without_numbers(&diagnosis.says("advisory-locks")), @"ok N other advisory locks, not ours");
    assert!(
        diagnosis.details("advisory-locks").starts_with("1, 2 held by process "),
        "{}",
        diagnosis.details("advisory-locks")
    );
    assert_eq!(diagnosis.details("advisory-locks").lines().count(), 2);
}

#[test]
fn a_deploy_that_is_at_work() {
    let database = cluster().database();
    let project = on(&database.url());
    let mut holder = database.session("application");
    holder.run("SELECT pg_advisory_lock(4711);");
    project.migration("3_waits", "SELECT pg_advisory_xact_lock(4711);\n");
    let mut deploy = project
        .command(&["deploy"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    database.psql(
        "DO $$ BEGIN FOR i IN 1..6000 LOOP PERFORM pg_stat_clear_snapshot(); \
         EXIT WHEN EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'tollgate' AND wait_event_type = 'Lock' \
         AND datname = current_database()); PERFORM pg_sleep(0.01); END LOOP; END $$;",
    );
    let diagnosis = Diagnosis::of(&project);
    let lock = "SELECT pid FROM pg_locks WHERE classid = 72707369 AND objid <> 1 AND objsubid = 2 AND database = \
                (SELECT oid FROM pg_database WHERE datname = current_database())";
    let lock = database.psql(lock);
    holder.run("SELECT pg_advisory_unlock(4711);");
    assert!(deploy.wait().unwrap().success());
    // Ending that session ends the run; ending the one at work does not.
    let said = diagnosis.says("migration-lock");
    assert!(
        said.contains(&format!("is held by process {}, ", lock.trim())),
        "{said}"
    );
    assert!(said.ends_with(&format!("--terminate {}`", lock.trim())), "{said}");
    assert_eq!(diagnosis.details("migration-lock").lines().count(), 2);
    // The application's own, and the migration's that waits for it.
    assert_eq!(diagnosis.says("advisory-locks"), "ok 2 other advisory locks, not ours");
    assert!(!diagnosis.details("advisory-locks").contains("72707369"));
}

#[test]
fn only_the_first_of_many_are_shown_unasked() {
    let database = cluster().database();
    let project = on(&database.url());
    database.psql(
        "CREATE TABLE t (id integer); ALTER TABLE t ADD CHECK (id > 0) NOT VALID, ADD CHECK (id > 1) NOT VALID, \
         ADD CHECK (id > 2) NOT VALID, ADD CHECK (id > 3) NOT VALID, ADD CHECK (id > 4) NOT VALID, \
         ADD CHECK (id > 5) NOT VALID, ADD CHECK (id > 6) NOT VALID, ADD CHECK (id > 7) NOT VALID, \
         ADD CHECK (id > 8) NOT VALID, ADD CHECK (id > 9) NOT VALID, ADD CHECK (id > 10) NOT VALID, \
         ADD CHECK (id > 11) NOT VALID, ADD CHECK (id > 12) NOT VALID, ADD CHECK (id > 13) NOT VALID;",
    );
    let constraints = |arguments: &[&str]| {
        let shown = project.run(arguments).stdout;
        let alone = |line: &&str| line.trim_start().starts_with("t_id_check") && line.ends_with(" on public.t");
        let lines = shown.lines().filter(alone);
        (lines.count(), shown.contains("… and 1 more: --verbose shows all"))
    };
    assert_eq!(constraints(&["doctor"]), (10, true));
    assert_eq!(constraints(&["doctor", "--verbose"]), (11, false));
    assert_eq!(
        Diagnosis::of(&project)
            .details("unvalidated-constraints")
            .lines()
            .count(),
        14
    );
}

#[test]
fn a_lease() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["lock", "acquire", "--reason", "a long import", "--ttl", "1h"]);
    let diagnosis = Diagnosis::of(&project);
    project.succeed(&["lock", "release"]);
    assert_eq!(diagnosis.status, Some(0));
    let said = diagnosis.says("lease");
    assert!(
        said.starts_with("note ") && said.contains(": a long import\n"),
        "{said}"
    );
    assert_eq!(
        Diagnosis::of(&project).says("lease"),
        "ok nobody has leased the migration lock"
    );
}

#[test]
fn a_prepared_transaction() {
    let database = cluster().database();
    database.psql("CREATE TABLE t (id integer); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left-over';");
    let diagnosis = Diagnosis::of(&on(&database.url()));
    database.psql("ROLLBACK PREPARED 'left-over';");
    let said = diagnosis.says("prepared-transactions");
    assert_snapshot!(without_numbers(&said), @"
    note N prepared transaction left open: 'left-over' of postgres, prepared N s ago
      → they keep their locks for ever: COMMIT PREPARED or ROLLBACK PREPARED 'left-over'
    ");
}

#[test]
fn a_ledger_that_somebody_has_to_himself() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["deploy"]);
    let mut holder = database.session("holder");
    holder.run("BEGIN; LOCK TABLE _prisma_migrations IN ACCESS EXCLUSIVE MODE;");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0));
    assert_snapshot!(diagnosis.says("ledger"), @"
    skipped could not be looked at: canceling statement due to lock timeout
      → another session uses it: `tollgate doctor` shows who; run the command again when that is done
    ");
    assert_eq!(diagnosis.finding("size")["status"], "ok", "the rest is looked at");
    let quiet = project.run(&["doctor", "--quiet"]).stdout;
    holder.run("ROLLBACK;");
    assert!(quiet.contains("1 not looked at; "), "{quiet}");
    assert!(quiet.contains("could not be looked at: "), "{quiet}");
}

#[test]
fn a_role_that_owns_through_another() {
    let database = cluster().database();
    let (owner, member) = (format!("{}_owner", database.name), format!("{}_member", database.name));
    cluster()
        .admin(&format!(
            "CREATE ROLE {owner}; CREATE ROLE {member} LOGIN IN ROLE {owner};"
        ))
        .unwrap();
    database.psql(&format!(
        "CREATE TABLE ours (id integer); ALTER TABLE ours OWNER TO {owner}; CREATE TABLE theirs (id integer); \
         CREATE ROLE {member}_third; ALTER TABLE theirs OWNER TO {member}_third;"
    ));
    let diagnosis = Diagnosis::of(&on(&database.url_as(&member, None)));
    database.psql(&format!("DROP OWNED BY {owner}, {member}_third;"));
    cluster()
        .admin(&format!(
            "DROP ROLE {member}; DROP ROLE {owner}; DROP ROLE {member}_third;"
        ))
        .unwrap();
    assert_snapshot!(diagnosis.says("ownership").replace(&member, "MEMBER"), @"
    warn may not alter or drop 1 of 2 tables, views and sequences: theirs (owner MEMBER_third)
      → make the role a member of the owner: GRANT MEMBER_third TO MEMBER
    ");
}

#[test]
fn what_is_hidden_is_not_taken_for_nothing() {
    let database = cluster().database();
    let role = format!("{}_blind", database.name);
    cluster().admin(&format!("CREATE ROLE {role} LOGIN;")).unwrap();
    let mut idle = database.session("worker");
    idle.run("CREATE TABLE t (id integer); BEGIN; LOCK TABLE t;");
    let mut waits = database.session("waits");
    waits.send("SELECT * FROM t;");
    database.psql(WAIT_FOR_IT);
    let diagnosis = Diagnosis::of(&on(&database.url_as(&role, None)));
    idle.run("ROLLBACK;");
    waits.wait();
    cluster().admin(&format!("DROP ROLE {role};")).unwrap();
    let names = [
        "sessions",
        "long-transactions",
        "idle-in-transaction",
        "blocked-sessions",
    ];
    let said: Vec<String> = names.iter().map(|name| diagnosis.says(name)).collect();
    assert_snapshot!(without_numbers(&said.join("\n")), @"
    ok N other sessions in the database: N hidden
    note no transaction is older than a minute, as far as this role sees: N sessions hidden
    note no session idles in a transaction, as far as this role sees: N sessions hidden
    warn N session waits for a lock, held up by process N
      → see what that process does before deploying: a migration would wait in the same queue
    ");
    let connections = diagnosis.says("connections");
    assert!(!connections.contains(": 0 used"), "{connections}");
}
