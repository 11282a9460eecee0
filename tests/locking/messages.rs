//! What people read, and the setting for how long to wait.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::people::{databases, person, same_everywhere};
use crate::support::{Session, Stage};

#[test]
fn who_has_it_and_what_to_do_about_it() {
    let stage = Stage::new();
    stage.project.file(
        "tollgate.toml",
        "[environments.production]\nmigrations.dir = \"migrations\"\n",
    );
    let holder = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    assert_snapshot!(same_everywhere(&stage.project.run(&["-e", "production", "deploy", "--lock-timeout", "100ms"]).to_string()), @"
    status: 4
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate -e production lock status` shows what it does
    lock

      × lock already held by PID [number] (user postgres, application somebody, since [time])
      help: `tollgate -e production lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for
            it longer; if it hangs, `tollgate -e production lock release --force` ends it
      the database now: nothing was changed
    ");
    holder.end();
    // A session without a name, as Prisma's are.
    let holder = Session::holding(
        &stage.database,
        "SET application_name = ''; SELECT pg_advisory_lock(72707369);",
    );
    assert_snapshot!(same_everywhere(&stage.project.run(&["deploy", "--lock-timeout", "0"]).to_string()), @"
    status: 4
    -- stderr
    lock

      × lock already held by PID [number] (user postgres, no application name, as Prisma's commands, since [time])
      help: `tollgate lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for it longer; if
            it hangs, `tollgate lock release --force` ends it
      the database now: nothing was changed
    ");
    holder.end();
}

/// It belongs to no session, so nothing that ends sessions ends it.
#[test]
fn a_prepared_transaction_holds_it() {
    let stage = Stage::new();
    if stage.database.cluster().port().is_none() {
        println!("skipped: another server may allow no prepared transactions");
        return;
    }
    stage
        .database
        .psql("BEGIN; SELECT pg_advisory_xact_lock(72707369); PREPARE TRANSACTION 'two phases'");
    let seen: Vec<String> = [
        &["deploy", "--lock-timeout", "0"][..],
        &["lock", "status"],
        &["lock", "release", "--force"],
    ]
    .iter()
    .map(|arguments| same_everywhere(&stage.project.run(arguments).to_string()))
    .collect();
    let document = |command: &[&str]| stage.project.run(&[command, &["--format", "json"]].concat()).json();
    let (held, standing) = (document(&["lock", "status"]), document(&["status"]));
    assert_eq!(held["holders"][0]["pid"], serde_json::Value::Null, "{held}");
    assert_eq!(held["holders"][0]["state"], "prepared as two phases", "{held}");
    assert_eq!(standing["lock"][0]["pid"], serde_json::Value::Null, "{standing}");
    stage.database.psql("ROLLBACK PREPARED 'two phases'");
    assert_snapshot!(seen.join("\n"), @r#"
    status: 4
    -- stderr
    lock

      × lock already held by the prepared transaction "two phases" (user postgres, since [time])
      help: `tollgate lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for it longer; if
            nobody ends it, COMMIT PREPARED 'two phases' or ROLLBACK PREPARED 'two phases' does
      the database now: nothing was changed


    status: 0
    -- stdout
    THE DATABASE
    the lock is held by
    ──────────────────────────────────────────────────────────
     user       state                    since
    ══════════════════════════════════════════════════════════
     postgres   prepared as two phases   [time]
    ──────────────────────────────────────────────────────────
    COMMIT PREPARED 'two phases' or ROLLBACK PREPARED 'two phases' ends it

    status: 1
    -- stderr
    lock

      × the prepared transaction "two phases" (user postgres, since [time]) could not be ended: it belongs to no session, and its changes are kept or lost as whoever prepared it decides
      help: in that database, COMMIT PREPARED 'two phases' or ROLLBACK PREPARED 'two phases'
      the database now: nothing was changed
    "#);
    stage.goes_on();
}

#[test]
fn who_has_a_lease() {
    let seen = databases().map(|database| {
        let (anna, mut bob) = (person("anna", &database), person("bob", &database));
        anna.succeed(&["lock", "acquire", "--reason", "moving the\nusers \u{1b}[31m"]);
        bob.file(
            "tollgate.toml",
            "[environments.production]\nmigrations.dir = \"migrations\"\n",
        );
        bob.set("COLUMNS", "100");
        same_everywhere(&bob.run(&["-e", "production", "deploy"]).to_string())
    });
    assert_eq!(seen[0], seen[1]);
    assert_snapshot!(seen[0], @"
    status: 4
    -- stderr
    lock

      × the lock is leased to anna on [host] since [time], until [time]: moving the users  [31m
      help: wait until it ends, or have its owner run `tollgate -e production lock release`; whoever
            has its token goes on with that in TOLLGATE_LOCK_TOKEN; `tollgate -e production lock
            release --force` takes it away
      the database now: nothing was changed
    ");
}

fn with_timeout(text: &str) -> Project {
    let mut anna = person("anna", &Database::sqlite());
    anna.set("LOCK_TIMEOUT_MS", text).set("DATABASE_URL", "file:./app.db");
    anna
}

#[test]
fn a_bad_time_to_wait_is_refused_by_name_and_value() {
    for text in ["-1", "soon", "30s", "1.5", "1e3", "99999999999999999999", "٣"] {
        let outcome = with_timeout(text).run(&["deploy"]);
        assert_eq!(outcome.status, Some(2), "{outcome}");
        assert!(outcome.raw_stderr.contains("LOCK_TIMEOUT_MS"), "{outcome}");
        assert!(outcome.raw_stderr.contains(&format!("{text:?}")), "{outcome}");
    }
    assert_snapshot!(with_timeout("30s").run(&["deploy"]), @r#"
    status: 2
    -- stderr
    config::variable

      × the variable LOCK_TIMEOUT_MS is "[duration]" and must be a whole number, 0 or more
    "#);
    for text in ["0", "30000", " 500 ", ""] {
        with_timeout(text).succeed(&["deploy"]);
    }
}
