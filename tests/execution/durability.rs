//! When the server waits for its disk: for the last migration of a deploy, and for each where somebody is told of each.

use tollgate_testing::postgres::{Cluster, Setup, cluster};
use tollgate_tests::{Project, Receiver};

use crate::{ALONE, until};

/// Notes how the transaction that it is in will be committed.
fn note(name: &str) -> String {
    format!("INSERT INTO noted VALUES ('{name}', current_setting('synchronous_commit'));\n")
}

/// What five migrations note of themselves; the fourth commits its statements one by one.
fn noted(configuration: &str) -> String {
    let database = cluster().database();
    let mut project = Project::new();
    let url = format!("{}?options=-c%20synchronous_commit%3Don", database.url());
    project
        .set("DATABASE_URL", &url)
        .file("tollgate.toml", &format!("{ALONE}{configuration}"))
        .migration(
            "1_a",
            &format!("CREATE TABLE noted (name text, level text);\n{}", note("1_a")),
        )
        .migration("2_b", &note("2_b"))
        .migration("3_c", &format!("{}{}", note("3_c"), note("3_c")))
        .migration("4_d", &format!("-- tollgate:transaction off\n{0}{0}", note("4_d")))
        .migration("5_e", &note("5_e"))
        .migration("6_f", &note("6_f"));
    project.succeed(&["deploy", "--to", "5_e"]);
    project.succeed(&["deploy"]);
    database.psql("SELECT name, level FROM noted ORDER BY name")
}

#[test]
fn the_last_migration_of_a_deploy_takes_the_others_along() {
    assert_eq!(
        noted(""),
        "1_a|off\n2_b|off\n3_c|off\n3_c|off\n4_d|on\n4_d|on\n5_e|on\n6_f|on\n"
    );
}

#[test]
fn nobody_is_told_of_a_migration_that_a_crash_could_take_back() {
    let receiver = Receiver::start();
    let notifier = format!(
        "[plugins.webhook.endpoints.webhook]\nurl = \"{}\"\nallow_private = true\n",
        receiver.url()
    );
    assert_eq!(
        noted(&notifier),
        "1_a|on\n2_b|on\n3_c|on\n3_c|on\n4_d|on\n4_d|on\n5_e|on\n6_f|on\n"
    );
}

/// What was not on disk when the server crashed is not there any more, and not said to be.
#[test]
fn after_a_crash_only_what_was_kept_is_said_to_be_in() {
    let settings = [("synchronous_commit", "on"), ("wal_writer_delay", "10s")];
    let server = Cluster::start(&Setup {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..Setup::default()
    })
    .unwrap();
    let database = server.database();
    let mut project = Project::new();
    project
        .set("DATABASE_URL", &database.url())
        .file("tollgate.toml", ALONE)
        .migration("0_init", "CREATE TABLE t (id int);\n");
    project.succeed(&["deploy"]);
    project
        .migration("1_a", "INSERT INTO t VALUES (1);\n")
        .migration("2_b", "INSERT INTO t VALUES (2);\n")
        .migration("3_c", "SELECT pg_sleep(60);\n");
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let outcome = std::thread::scope(|scope| {
        let deploy = scope.spawn(|| project.run(&["deploy"]));
        until("it sleeps", || database.psql(sleeping).trim() == "1");
        server.stop_immediately().unwrap();
        server.start_again().unwrap();
        deploy.join().unwrap().to_string()
    });
    let kept = database.psql("SELECT migration_name FROM _prisma_migrations ORDER BY 1");
    let rows = database.psql("SELECT id FROM t ORDER BY 1");
    let said = outcome.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = match (kept.as_str(), rows.as_str()) {
        // The server came back too late to be asked: nothing is claimed then.
        _ if said.contains("cannot be known now") => "the database now: the connection was lost",
        ("0_init\n", "") => "the database now: nothing of it is in the database",
        ("0_init\n1_a\n", "1\n") => {
            "the database now: 1 migration of this run is in and recorded; nothing of it is in the database"
        }
        ("0_init\n1_a\n2_b\n", "1\n2\n") => {
            "the database now: 2 migrations of this run are in and recorded; nothing of it is in the database"
        }
        other => panic!("the rows and the ledger do not fit: {other:?}\n{outcome}"),
    };
    assert!(said.contains(expected), "{kept}\n{outcome}");
    project.migration("3_c", "INSERT INTO t VALUES (3);\n");
    project.succeed(&["deploy"]);
    assert_eq!(database.psql("SELECT id FROM t ORDER BY 1"), "1\n2\n3\n");
}
