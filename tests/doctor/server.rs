//! Servers and databases with something wrong about them.

use insta::assert_snapshot;
use tollgate_testing::pooler::{Mode, Pooler};
use tollgate_testing::postgres::{Cluster, Setup, cluster};
use tollgate_testing::standby::{self, Standby, primary};

use crate::diagnosis::{Diagnosis, on, without_numbers};

#[test]
fn a_database_that_is_read_only() {
    let database = cluster().database();
    let set = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on;",
        database.name
    );
    cluster().admin(&set).unwrap();
    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("writable").replace(&database.name, "DATABASE"), @"
    bad transactions are read-only by default for this database: nothing can be applied
      → find out who wanted that, then ALTER DATABASE DATABASE RESET default_transaction_read_only
    ");
}

#[test]
fn a_role_with_time_limits() {
    let database = cluster().database();
    let url = format!("{}?options=-c%20statement_timeout%3D30s", database.url());
    let diagnosis = Diagnosis::of(&on(&url));
    assert_eq!(diagnosis.status, Some(0));
    assert_snapshot!(diagnosis.says("time-limits"), @"
    note the server limits this role: statement_timeout = 30000 ms
      → a longer statement of a migration is cancelled: `-- tollgate:timeout 30min` in its file or deploy.statement_timeout_ms says otherwise
    ");
}

#[test]
fn an_invalid_index_and_a_constraint_that_nobody_checked() {
    let database = cluster().database();
    database.psql(
        "CREATE TABLE t (id integer, parent integer); CREATE TABLE p (id integer PRIMARY KEY); INSERT INTO t VALUES (1, 1), \
         (1, 1); ALTER TABLE t ADD CONSTRAINT t_parent FOREIGN KEY (parent) REFERENCES p NOT VALID;",
    );
    assert!(
        database
            .try_psql("CREATE UNIQUE INDEX CONCURRENTLY t_id ON t (id);")
            .is_err()
    );
    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_snapshot!(diagnosis.says("invalid-indexes"), @"
    warn 1 index invalid: public.t_id on t
      → it costs writes and helps no query: DROP INDEX CONCURRENTLY public.t_id, then build it again
    ");
    assert_snapshot!(diagnosis.says("unvalidated-constraints"), @"
    note 1 constraint not validated: t_parent on public.t
      → older rows may break it: ALTER TABLE public.t VALIDATE CONSTRAINT t_parent
    ");
}

#[test]
fn extensions_that_are_wanted() {
    let database = cluster().database();
    let role = format!("{}_ext", database.name);
    cluster().admin(&format!("CREATE ROLE {role} LOGIN;")).unwrap();
    let project = |url: &str| {
        let project = on(url);
        project.migration(
            "0_extensions",
            "CREATE EXTENSION no_such_extension;\nCREATE EXTENSION pageinspect;\nCREATE EXTENSION pgcrypto;\n",
        );
        project
    };
    let said = |url: &str| {
        let diagnosis = Diagnosis::of(&project(url));
        let findings = diagnosis.document["findings"].as_array().unwrap();
        let wanted = findings.iter().filter(|finding| finding["name"] == "wanted-extension");
        let lines: Vec<String> = wanted
            .map(|finding| {
                let help = finding["help"]
                    .as_str()
                    .map_or_else(String::new, |help| format!(" → {help}"));
                format!(
                    "{} {}{help}",
                    finding["status"].as_str().unwrap(),
                    finding["line"].as_str().unwrap()
                )
            })
            .collect();
        format!("{:?}\n{}\n", diagnosis.status, lines.join("\n"))
    };
    let all = said(&database.url()) + &said(&database.url_as(&role, None)).replace(&role, "ROLE");
    cluster().admin(&format!("DROP ROLE {role};")).unwrap();
    let all = all.replace(&database.name, "DATABASE");
    assert_snapshot!(all, @"
    Some(5)
    bad no_such_extension, which 0_extensions creates, is not available on the server → install it on the server
    ok pageinspect, which 0_extensions creates, is available
    ok pgcrypto, which 0_extensions creates, is available
    Some(5)
    bad no_such_extension, which 0_extensions creates, is not available on the server → install it on the server
    bad pageinspect, which 0_extensions creates, can only be created by a superuser → let an administrator run: CREATE EXTENSION pageinspect, and have the migration say CREATE EXTENSION IF NOT EXISTS
    bad pgcrypto, which 0_extensions creates, needs CREATE on the database → GRANT CREATE ON DATABASE DATABASE TO ROLE, or let an administrator run: CREATE EXTENSION pgcrypto
    ");
}

#[test]
fn an_extension_that_is_gone() {
    let database = cluster().database();
    let project = on(&database.url());
    project.migration("0_extension", "CREATE EXTENSION citext;\n");
    project.succeed(&["deploy"]);
    assert!(!Diagnosis::of(&project).has("wanted-extension"));
    database.psql("DROP EXTENSION citext");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0), "a deploy does not need it");
    assert_snapshot!(diagnosis.says("wanted-extension"), @"
    warn citext, which 0_extension has created, is not installed any more
      → no deploy creates it again: CREATE EXTENSION citext, unless it was dropped on purpose
    ");
}

#[test]
fn a_role_that_is_read_only() {
    let database = cluster().database();
    let (role, name) = (format!("{}_reads", database.name), &database.name);
    cluster()
        .admin(&format!(
            "CREATE ROLE {role} LOGIN VALID UNTIL '2020-01-01'; \
             ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = on;"
        ))
        .unwrap();
    let here = Diagnosis::of(&on(&database.url_as(&role, None)));
    cluster()
        .admin(&format!(
            "ALTER ROLE {role} IN DATABASE {name} RESET default_transaction_read_only; \
             ALTER ROLE {role} SET default_transaction_read_only = on;"
        ))
        .unwrap();
    let anywhere = Diagnosis::of(&on(&database.url_as(&role, None)));
    let options = "options=-c%20default_transaction_read_only%3Don";
    let session = Diagnosis::of(&on(&format!("{}?{options}", database.url())));
    cluster().admin(&format!("DROP ROLE {role};")).unwrap();
    let said = [&here, &anywhere, &session].map(|diagnosis| diagnosis.says("writable"));
    let said = said.join("\n").replace(&role, "ROLE").replace(name, "DATABASE");
    assert_snapshot!(said, @"
    bad transactions are read-only by default for this role in this database: nothing can be applied
      → find out who wanted that, then ALTER ROLE ROLE IN DATABASE DATABASE RESET default_transaction_read_only
    bad transactions are read-only by default for this role: nothing can be applied
      → find out who wanted that, then ALTER ROLE ROLE RESET default_transaction_read_only
    bad transactions are read-only by default for this connection: nothing can be applied
      → find out who wanted that, then take default_transaction_read_only out of `options` in the URL
    ");
    assert_snapshot!(anywhere.says("password-expiry").replace(&role, "ROLE"), @"
    note its password was good until 2020-01-01T00:00:00+00:00: it gets in without one only
      → ALTER ROLE ROLE VALID UNTIL 'infinity', or set a new one in time
    ");
}

#[test]
fn a_pooler() {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return;
    }
    let database = cluster().database();
    let pooler = Pooler::start(cluster(), Mode::Transaction).unwrap();
    let mut project = on(&pooler.url_of(&database.name));
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("pooler"), @"
    bad a pooler lends server processes out per transaction: no lock can be held, so deploys are refused
      → give a direct URL of the server for the lock (lock.url), or deploy with a direct URL
    ");
    assert!(diagnosis.details("pooler").contains("something stands in between"));
    let deployed = project.run(&["deploy"]);
    assert_ne!(deployed.status, Some(0), "doctor was right");

    project.set("TOLLGATE_LOCK_URL", &database.url());
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.finding("pooler")["status"], "note");
    assert_snapshot!(diagnosis.says("lock-url"), @"ok lock.url leads straight to the same server");
    let another = cluster().database();
    project.set("TOLLGATE_LOCK_URL", &another.url());
    assert_snapshot!(Diagnosis::of(&project).says("lock-url"), @"
    bad lock.url leads to another server or database
      → the lock has to be where the database is: write the same host, port and database
    ");
    project.set("TOLLGATE_LOCK_URL", &pooler.url_of(&database.name));
    assert_snapshot!(Diagnosis::of(&project).says("lock-url"), @"
    bad lock.url leads through a transaction pooler, too
      → give a direct URL of the server for the lock (lock.url), or deploy with a direct URL
    ");

    let pooler = Pooler::start(cluster(), Mode::Session).unwrap();
    let diagnosis = Diagnosis::of(&on(&pooler.url_of(&database.name)));
    assert_eq!(diagnosis.finding("pooler")["status"], "ok");
    let said = Diagnosis::of(&on(&format!("{}?pgbouncer=true", database.url())));
    assert_snapshot!(said.says("pooler"), @"
    bad the URL says pgbouncer=true, but each connection has a server process of its own; deploys are refused all the same
      → take pgbouncer=true out of the URL if no transaction pooler is there, or set lock.url
    ");
}

#[test]
fn a_pooler_that_allows_no_transactions() {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return;
    }
    let database = cluster().database();
    let pooler = Pooler::start(cluster(), Mode::Statement).unwrap();
    let diagnosis = Diagnosis::of(&on(&pooler.url_of(&database.name)));
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("questions"), @"
    bad connected, but nothing can be asked: transaction blocks not allowed in statement pooling mode
      → a pooler that lends server processes out per statement cannot be used: give a direct URL
    ");
}

#[test]
fn a_pooler_keeps_nothing_of_the_questions() {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return;
    }
    let database = cluster().database();
    let pooler = Pooler::start(cluster(), Mode::Transaction).unwrap();
    Diagnosis::of(&on(&pooler.url_of(&database.name)));
    let psql = std::process::Command::new(cluster().program("psql"))
        .args([
            "--no-psqlrc",
            "-At",
            "-c",
            "SHOW default_transaction_read_only",
            "-c",
            "SHOW search_path",
        ])
        .args(["-c", "SHOW statement_timeout", "-d", &pooler.url_of(&database.name)])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&psql.stdout), "off\n\"$user\", public\n0\n");
}

#[test]
fn a_standby_and_its_primary() {
    let primary = primary().unwrap();
    let database = primary.database();
    on(&database.url()).succeed(&["deploy"]);
    let standby = Standby::start(&primary, standby::Mode::Following).unwrap();
    standby.catch_up(&primary).unwrap();
    let diagnosis = Diagnosis::of(&on(&standby.url_of(&database.name)));
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("writable"), @"
    bad the server is a standby: it takes no writes
      → deploy to the primary: write its host into the URL
    ");
    assert_eq!(
        diagnosis.finding("ledger")["status"],
        "ok",
        "it can be read all the same"
    );

    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_eq!(diagnosis.status, Some(0), "{}", diagnosis.complaints());
    assert!(
        diagnosis.says("replicas").starts_with("ok 1 standby connected: "),
        "{}",
        diagnosis.says("replicas")
    );
}

#[test]
fn commits_that_wait_for_a_standby_that_is_not_there() {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let server = Cluster::start(&Setup {
        settings: vec![
            setting("wal_level", "replica"),
            setting("max_wal_senders", "2"),
            setting("max_replication_slots", "2"),
            setting("synchronous_standby_names", "second"),
        ],
        ..Setup::default()
    })
    .unwrap();
    let database = server.database();
    server
        .admin("SELECT pg_create_physical_replication_slot('nobody_reads', true);")
        .unwrap();
    let url = format!("{}?options=-c%20synchronous_commit%3Don", database.url());
    let diagnosis = Diagnosis::of(&on(&url));
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("synchronous-standbys"), @"
    bad commits wait for second, and none of them is connected: every commit hangs
      → bring the standby back, or change synchronous_standby_names and reload the server
    ");
    assert_snapshot!(without_numbers(&diagnosis.says("replication-slots")), @"
    note nobody reads from nobody_reads (physical): keeps N MB of the log
      → a slot without a reader fills the disk: start the reader, or SELECT pg_drop_replication_slot('NAME')
    ");
    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_eq!(
        diagnosis.says("synchronous-standbys"),
        "ok commits of this role do not wait for second"
    );
}
