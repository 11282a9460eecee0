//! Who holds what, and taking it away.

use insta::assert_snapshot;
use serde_json::Value;
use tollgate_tests::{Outcome, repository};

use crate::outside::Database;
use crate::people::{databases, person, same_everywhere};
use crate::session::tables;
use crate::support::{Running, Session, Stage};

/// Validates a document against `engine/cli/schemas/NAME.json`.
#[track_caller]
fn follows(outcome: &Outcome, name: &str) -> Value {
    let path = repository().join(format!("engine/cli/schemas/{name}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = outcome.json();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "against {name}.json: {errors:#?}\n{outcome}");
    document
}

#[test]
fn one_sees_who_holds_the_lock() {
    let stage = Stage::new();
    assert_snapshot!(same_everywhere(&stage.project.succeed(&["lock", "status"]).to_string()), @"
    status: 0
    -- stdout
    THE DATABASE
    nobody holds the lock or has a lease
    ");
    let other = Session::holding(
        &stage.database,
        "SELECT pg_advisory_lock(72707369) WHERE 'password s3cret' <> '';",
    );
    let status = stage.project.succeed(&["lock", "status"]);
    for words in [
        "the lock is held by",
        "somebody",
        "127.0.0.1",
        "idle",
        "pid",
        "query start",
        "duration",
    ] {
        assert!(status.stdout.contains(words), "{words}\n{status}");
    }
    let json = stage.project.succeed(&["lock", "status", "--format", "json"]);
    let document = follows(&json, "lock-status");
    assert_eq!(document["locked"], true);
    let holder = &document["holders"][0];
    assert_eq!(
        (&holder["application"], &holder["user"], &holder["state"]),
        (&"somebody".into(), &"postgres".into(), &"idle".into())
    );
    assert!(
        holder["query_seconds"].is_u64() && holder["query_start"].is_string(),
        "{holder}"
    );
    assert!(!json.raw_stdout.contains("s3cret") && !status.raw_stdout.contains("s3cret"));
    other.end();
}

#[test]
fn one_sees_whose_lease_it_is() {
    for database in databases() {
        let anna = person("anna", &database);
        let acquired = anna.succeed(&["lock", "acquire", "--reason", "moving", "--format", "json"]);
        let document = follows(&acquired, "lock-acquire");
        assert_eq!(
            (&document["token"], &document["renewed"]),
            (&Value::Null, &Value::Bool(false))
        );
        let status = follows(&anna.succeed(&["lock", "status", "--format", "json"]), "lock-status");
        let lease = &status["leases"][0];
        assert_eq!((&lease["owner"], &lease["reason"]), (&"anna".into(), &"moving".into()));
        assert_eq!(
            (&status["locked"], &lease["valid"]),
            (&Value::Bool(true), &Value::Bool(true))
        );
        let text = anna.succeed(&["lock", "status"]).stdout;
        assert!(text.contains("anna") && text.contains("moving"), "{text}");
        let released = follows(&anna.succeed(&["lock", "release", "--format", "json"]), "lock-release");
        assert_eq!(released["lease"]["owner"], "anna");
        let nothing = follows(&anna.succeed(&["lock", "release", "--format", "json"]), "lock-release");
        assert_eq!(nothing["lease"], Value::Null);
    }
}

#[test]
fn by_force_everything_after_it_was_named() {
    let database = Database::postgres();
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let (anna, bob) = (person("anna", &database), person("bob", &database));
    anna.succeed(&["lock", "acquire", "--reason", "moving the users"]);
    let holder = Session::holding(server, "SELECT pg_advisory_lock(72707369);");
    let forced = bob.run(&["lock", "release", "--force"]);
    assert_snapshot!(same_everywhere(&forced.to_string()), @"
    status: 0
    -- stdout
    the lock is free
    -- stderr
    warning: ending PID [number] (user postgres, application somebody, since [time]), which holds the lock
    warning: ending the lease of anna on [host] for the schema public, until [time] (moving the users)
    ");
    holder.end();
    assert_snapshot!(bob.run(&["lock", "release", "--force"]), @"
    status: 0
    -- stdout
    nobody holds the lock or has a lease
    ");
    bob.succeed(&["deploy"]);
}

#[test]
fn by_force_the_leases_of_other_ledgers_too() {
    let database = Database::postgres();
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    server.psql("CREATE SCHEMA other");
    let (mut anna, mut bob) = (person("anna", &database), person("bob", &database));
    anna.set("DATABASE_URL", &with_schema(&server.url(), "other"));
    anna.succeed(&["lock", "acquire", "--reason", ""]);
    // It keeps nobody from the other ledger, and a deploy there leaves it alone.
    assert_snapshot!(bob.succeed(&["lock", "status"]).stdout.lines().last().unwrap_or_default(), @"nobody holds the lock, and no lease counts for the ledger public");
    bob.set("FORCE_RELEASE", "true");
    bob.succeed(&["deploy"]);
    assert_eq!(
        anna.succeed(&["lock", "status", "--format", "json"]).json()["locked"],
        true
    );
    let forced = bob.run(&["lock", "release", "--format", "json"]);
    let document = follows(&forced, "lock-release");
    assert_eq!(
        (&document["lease"], &document["other_leases"][0]["owner"]),
        (&Value::Null, &"anna".into())
    );
    anna.succeed(&["lock", "acquire"]);
    assert_snapshot!(same_everywhere(&bob.run(&["lock", "release"]).to_string()), @"
    status: 0
    -- stdout
    the lock is free
    -- stderr
    warning: ending the lease of anna on [host] for the schema other, until [time]
    ");
    let status = anna.succeed(&["lock", "status", "--format", "json"]).json();
    assert_eq!(status["leases"], Value::Array(Vec::new()));
}

fn with_schema(url: &str, schema: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}schema={schema}")
}

#[test]
fn a_deploy_does_so_itself_when_it_is_told() {
    for database in databases() {
        let (anna, mut bob) = (person("anna", &database), person("bob", &database));
        anna.succeed(&["lock", "acquire", "--reason", "moving the users"]);
        let holder = match &database {
            Database::Postgres(server) => Some(Session::holding(server, "SELECT pg_advisory_lock(72707369);")),
            Database::Sqlite(_) => None,
        };
        bob.set("FORCE_RELEASE", "true");
        let deploy = bob.succeed(&["deploy", "--lock-timeout", "0"]);
        assert!(deploy.stderr.contains("ending the lease of anna"), "{deploy}");
        if let Some(holder) = holder {
            assert!(deploy.stderr.contains("ending PID "), "{deploy}");
            holder.end();
        }
        assert_eq!(tables(&database), "posts users");
        // And so does the command that is there for it. One's own lease does not stand in one's own way.
        anna.succeed(&["lock", "acquire"]);
        bob.succeed(&["lock", "release"]);
        bob.succeed(&["lock", "acquire"]);
        let again = bob.succeed(&["deploy"]);
        assert_eq!(again.raw_stderr, "");
        assert_eq!(anna.run(&["deploy"]).status, Some(4));
    }
}

#[test]
fn exactly_one_session() {
    let stage = Stage::new();
    let bystander = Session::holding(&stage.database, "SELECT pg_advisory_lock(1);");
    let holder = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    let pid_of = |key: u32| {
        let query = format!(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {key} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        );
        stage.database.psql(&query).trim().to_owned()
    };
    let (wrong, right) = (pid_of(1), pid_of(72_707_369));
    assert_snapshot!(same_everywhere(&stage.project.run(&["lock", "release", "--terminate", &wrong]).to_string()), @"
    status: 1
    -- stderr
    lock

      × process [number] does not hold the migration lock
      help: `tollgate lock status` lists those that do
      the database now: nothing was changed
    ");
    assert_eq!(pid_of(1), wrong);
    let ended = stage.project.run(&["lock", "release", "--terminate", &right]);
    assert_snapshot!(same_everywhere(&ended.to_string()), @"
    status: 0
    -- stdout
    ended: PID [number] (user postgres, application somebody, since [time])
    ");
    assert_eq!((pid_of(1), pid_of(72_707_369)), (wrong, String::new()));
    bystander.end();
    holder.end();
}

#[test]
fn a_session_that_one_may_not_end() {
    let database = Database::postgres();
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    server.psql("CREATE ROLE locking_weak LOGIN");
    let (anna, mut weak) = (person("anna", &database), person("weak", &database));
    weak.set("DATABASE_URL", &server.url_as("locking_weak", None));
    anna.succeed(&["lock", "acquire"]);
    server.psql(
        "GRANT USAGE ON SCHEMA tollgate TO locking_weak; \
         GRANT ALL ON ALL TABLES IN SCHEMA tollgate TO locking_weak;",
    );
    let holder = Session::holding(server, "SELECT pg_advisory_lock(72707369);");
    assert_snapshot!(same_everywhere(&weak.run(&["lock", "release", "--force"]).to_string()), @"
    status: 1
    -- stderr
    warning: ending PID [number] (user postgres, application somebody), which holds the lock
    warning: ending the lease of anna on [host] for the schema public, until [time]
    lock

      × PID [number] (user postgres, application somebody) could not be ended: must be a superuser to terminate superuser process
      help: connect as the role postgres, as a member of it or of pg_signal_backend, or as a superuser
      the database now: 1 of 2 sessions and leases ended
    ");
    holder.end();
    // What it may end is ended all the same.
    let status = anna.succeed(&["lock", "status", "--format", "json"]).json();
    assert_eq!(status["leases"], Value::Array(Vec::new()));
    drop(database);
    let _ = tollgate_testing::postgres::cluster().admin("DROP ROLE locking_weak");
}

#[test]
fn the_process_that_has_locked_an_sqlite_file() {
    let database = Database::sqlite();
    let (anna, bob) = (person("anna", &database), person("bob", &database));
    let ready = anna.path().join("ready");
    let script = format!("touch '{}'; exec sleep 60", ready.display());
    let running = Running::start(&anna, &["lock", "run", "--reason", "moving", "--", "sh", "-c", &script]);
    crate::support::until("the command runs", || ready.exists());
    let status = follows(&bob.succeed(&["lock", "status", "--format", "json"]), "lock-status");
    assert_eq!(status["holders"][0]["application"], "tollgate lock run: moving");
    let forced = bob.succeed(&["lock", "release", "--force"]);
    assert!(forced.stderr.contains("ending PID "), "{forced}");
    assert_eq!(running.end(&anna).status, Some(143));
    bob.succeed(&["deploy"]);
}
