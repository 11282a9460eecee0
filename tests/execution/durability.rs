//! When the server waits for its disk: for the last migration of a deploy, and for each where somebody is told of each or
//! the configuration says so.

use insta::assert_snapshot;
use tollgate_testing::postgres::{Cluster, Setup, cluster};
use tollgate_tests::{Project, Receiver};

use crate::{ALONE, run, sqlite, until};

/// Notes how the transaction that it is in will be committed.
fn note(name: &str) -> String {
    format!("INSERT INTO noted VALUES ('{name}', current_setting('synchronous_commit'));\n")
}

/// What six migrations note of themselves; the fourth commits its statements one by one.
fn noted(configuration: &str) -> String {
    noted_with(configuration, &[])
}

fn noted_with(configuration: &str, flags: &[&str]) -> String {
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
    project.succeed(&[&["deploy", "--to", "5_e"], flags].concat());
    project.succeed(&[&["deploy"], flags].concat());
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
fn the_record_of_a_run_that_begins_goes_to_the_disk_with_what_the_run_does() {
    let database = cluster().database();
    let mut project = Project::new();
    let url = format!("{}?options=-c%20synchronous_commit%3Don", database.url());
    project
        .set("DATABASE_URL", &url)
        .file("tollgate.toml", ALONE)
        .migration("1_a", "CREATE TABLE noted (name text, level text);\n");
    project.succeed(&["deploy"]);
    database.psql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO public.noted VALUES (TG_OP, current_setting('synchronous_commit')); RETURN NEW; END $$; \
         CREATE TRIGGER note BEFORE INSERT OR UPDATE ON tollgate.runs FOR EACH ROW EXECUTE FUNCTION note()",
    );
    project.migration("2_b", &note("2_b")).succeed(&["deploy"]);
    assert_eq!(
        database.psql("SELECT name, level FROM noted ORDER BY name"),
        "2_b|on\nINSERT|off\nUPDATE|on\n"
    );
}

#[test]
fn nobody_is_told_of_a_migration_that_a_crash_could_take_back() {
    let receiver = Receiver::start();
    let notifier = format!(
        "[plugins.webhook.endpoints.webhook]\nurl = \"{}\"\nallow_private = true\n",
        receiver.url()
    );
    assert_eq!(noted(&notifier), EACH);
}

const EACH: &str = "1_a|on\n2_b|on\n3_c|on\n3_c|on\n4_d|on\n4_d|on\n5_e|on\n6_f|on\n";

#[test]
fn each_migration_waits_where_the_configuration_says_so() {
    let each = "[deploy]\nsynchronous_commit = \"each\"\n";
    assert_eq!(noted(each), EACH);
    assert_eq!(noted(&each.replace("each", "last")), noted(""));
    let production = "[environments.production.deploy]\nsynchronous_commit = \"each\"\n";
    assert_eq!(noted_with(production, &["--env", "production"]), EACH);
}

#[test]
fn which_migrations_wait_is_one_of_two_words() {
    let (mut project, _file) = sqlite();
    project.file("tollgate.toml", "[deploy]\nretries = 1\nsynchronous_commit = \"off\"\n");
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 2
    -- stderr
    config::wrong-type

      × deploy.synchronous_commit must be "each" or "last"
       ╭─[tollgate.toml:3:22]
     2 │ retries = 1
     3 │ synchronous_commit = "off"
       ·                      ──┬──
       ·                        ╰── expected "each" or "last"
       ╰────
    "#);
    project.file(
        "tollgate.toml",
        "[environments.production]\ndeploy.synchronous_commit = true\n",
    );
    assert_snapshot!(run(&project, &["-e", "production", "deploy"]), @"
    status: 2
    -- stderr
    config::wrong-type

      × environments.production.deploy.synchronous_commit must be one of the known words
       ╭─[tollgate.toml:2:29]
     1 │ [environments.production]
     2 │ deploy.synchronous_commit = true
       ·                             ──┬─
       ·                               ╰── this is true or false
       ╰────
    ");
    project.file("tollgate.toml", "");
    project.set("TOLLGATE_DEPLOY_SYNCHRONOUS_COMMIT", "always");
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 2
    -- stderr
    config::variable

      × the variable TOLLGATE_DEPLOY_SYNCHRONOUS_COMMIT is "always" and must be "each" or "last"
    "#);
}

/// SQLite waits for its disk with each, whatever is configured.
#[test]
fn on_sqlite_it_means_nothing() {
    for which in ["each", "last"] {
        let (project, _file) = sqlite();
        project
            .file(
                "tollgate.toml",
                &format!("[deploy]\nsynchronous_commit = \"{which}\"\n{ALONE}"),
            )
            .migration("1_a", "CREATE TABLE a (id int);\n")
            .migration("2_b", "CREATE TABLE b (id int);\n");
        let outcome = project.succeed(&["deploy"]);
        assert_eq!(outcome.stderr, "", "{outcome}");
    }
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
