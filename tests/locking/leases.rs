//! The lock for longer than a process lives.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use serde_json::Value;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::people::{below, databases, person, same_everywhere, shell};
use crate::session::tables;
use crate::support::until;

/// The only lease there is.
fn lease(project: &Project) -> Value {
    project.succeed(&["lock", "status", "--format", "json"]).json()["leases"][0].clone()
}

#[test]
fn from_one_shell_with_separate_processes() {
    let seen = databases().map(|database| {
        let anna = person("anna", &database);
        let script = "set -e\n\
                      tollgate lock acquire --reason 'moving the users' --ttl 30m\n\
                      tollgate deploy --to 1_users >/dev/null\n\
                      tollgate lock acquire\n\
                      tollgate deploy >/dev/null\n\
                      tollgate status\n\
                      tollgate lock release\n\
                      tollgate lock release\n";
        same_everywhere(&shell(&anna, script).to_string())
    });
    assert_eq!(seen[0], seen[1]);
    assert_snapshot!(seen[0], @"
    status: 0
    -- stdout
    leased to anna on [host] until [time] (30 min); `tollgate lock release` ends it
    still leased to anna on [host] until [time] (1 h); `tollgate lock release` ends it
    THE DATABASE
    leased: anna on [host] keeps the lock until [time]: moving the users
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date
    released: the lease of anna on [host]
    there is no lease to release
    ");
}

#[test]
fn keeps_somebody_else_out_until_it_ends() {
    let seen = databases().map(|database| {
        let (anna, bob) = (person("anna", &database), person("bob", &database));
        anna.succeed(&["deploy", "--to", "1_users"]);
        anna.succeed(&["lock", "acquire", "--reason", "moving the users", "--ttl", "1h"]);
        let mut seen = String::new();
        for command in [
            "deploy",
            "rollback --force",
            "resolve --applied 2_posts",
            "lock acquire",
            "lock release",
            "lock run -- true",
        ] {
            let outcome = bob.run(&command.split(' ').collect::<Vec<_>>());
            assert_eq!(outcome.status, Some(4), "{command}\n{outcome}");
            seen = outcome.to_string();
        }
        assert_eq!(tables(&database), "users");
        // What only reads may go on.
        assert_eq!(bob.run(&["status"]).status, Some(5));
        bob.succeed(&["deploy", "--dry-run"]);
        anna.succeed(&["deploy"]);
        anna.succeed(&["lock", "release"]);
        bob.succeed(&["lock", "acquire"]);
        assert_eq!(anna.run(&["deploy"]).status, Some(4));
        same_everywhere(&seen)
    });
    assert_eq!(seen[0], seen[1]);
    assert_snapshot!(seen[0], @"
    status: 4
    -- stderr
    lock

      × the lock is leased to anna on [host] since [time], until [time]: moving the users
      help: wait until it ends, or have its owner run `tollgate lock release`; whoever has its token
            goes on with that in TOLLGATE_LOCK_TOKEN; `tollgate lock release --force` takes it away
      the database now: nothing was changed
    ");
}

#[test]
fn does_not_count_when_it_is_over_and_that_is_said() {
    for database in databases() {
        let (anna, bob) = (person("anna", &database), person("bob", &database));
        anna.succeed(&["lock", "acquire", "--ttl", "1s"]);
        until("the lease is over", || lease(&bob)["valid"] == false);
        let status = bob.succeed(&["lock", "status"]);
        assert!(status.stdout.contains("over"), "{status}");
        let deploy = bob.succeed(&["deploy"]);
        assert!(
            same_everywhere(&deploy.stderr)
                .contains("warning: the lease of anna on [host] does not count: it was over at [time]"),
            "{deploy}"
        );
        assert_eq!(tables(&database), "posts users");
        // Replaced, and nothing is left for its owner.
        let acquired = bob.succeed(&["lock", "acquire"]);
        assert!(acquired.stderr.contains("the lease of anna"), "{acquired}");
        assert_eq!(lease(&anna)["owner"], "bob");
        assert_eq!(anna.run(&["deploy"]).status, Some(4));
        assert_eq!(anna.run(&["lock", "release"]).status, Some(4));
    }
}

#[test]
fn its_token_is_for_its_owner_and_whoever_is_given_it() {
    for database in databases() {
        let (anna, mut bob) = (person("anna", &database), person("bob", &database));
        let shown = anna.succeed(&["lock", "acquire", "--show-token"]);
        let token = shown.raw_stdout.trim().to_owned();
        assert_eq!(
            (token.len(), shown.raw_stdout.len()),
            (32, 33),
            "nothing but the token\n{shown}"
        );
        assert!(shown.stderr.starts_with("leased to anna on "), "{shown}");
        assert!(!shown.raw_stderr.contains(&token));
        let json = anna
            .succeed(&["lock", "acquire", "--show-token", "--format", "json"])
            .json();
        assert_eq!(
            (json["token"].as_str(), &json["renewed"]),
            (Some(token.as_str()), &Value::Bool(true))
        );

        assert_eq!(bob.run(&["deploy"]).status, Some(4));
        bob.set("TOLLGATE_LOCK_TOKEN", &token);
        bob.succeed(&["deploy"]);
        bob.set("TOLLGATE_LOCK_TOKEN", &"0".repeat(32));
        assert_eq!(bob.run(&["deploy"]).status, Some(4));
        bob.set("TOLLGATE_LOCK_TOKEN", "x");
        assert_eq!(bob.run(&["deploy"]).status, Some(2));

        bob.set("TOLLGATE_LOCK_TOKEN", "");
        let refused = bob.run(&["lock", "release", "--token", &"0".repeat(32)]);
        assert_eq!(refused.status, Some(4), "{refused}");
        let released = bob.succeed(&["lock", "release", "--token", &token, "-v"]);
        for outcome in [
            &released,
            &anna.succeed(&["lock", "acquire", "-v"]),
            &anna.succeed(&["lock", "status", "--format", "json"]),
            &anna.succeed(&["deploy", "-v"]),
        ] {
            let (_, kept) = kept(&anna);
            for secret in [&token, &kept] {
                assert!(!outcome.raw_stdout.contains(secret), "{outcome}");
                assert!(!outcome.raw_stderr.contains(secret), "{outcome}");
            }
        }
    }
}

/// The file in which a person's only token is kept, and the token.
fn kept(project: &Project) -> (std::path::PathBuf, String) {
    let files: Vec<_> = below(&project.path().join("home/.local/state/tollgate/leases"));
    assert_eq!(files.len(), 1, "{files:?}");
    (
        files[0].clone(),
        std::fs::read_to_string(&files[0]).unwrap().trim().to_owned(),
    )
}

#[test]
fn its_token_is_kept_where_nobody_else_can_read_it() {
    let database = Database::postgres();
    let mut anna = person("anna", &database);
    anna.succeed(&["lock", "acquire"]);
    let (file, token) = kept(&anna);
    assert_eq!(token.len(), 32);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert!(!file.display().to_string().contains("postgres"));
    // The table has what proves nothing.
    assert!(!database.run("SELECT l::text FROM tollgate.leases l").contains(&token));
    anna.succeed(&["lock", "release"]);
    assert!(!file.exists());

    // Another place, and none at all.
    let state = anna.path().join("state").display().to_string();
    anna.set("XDG_STATE_HOME", &state);
    anna.succeed(&["lock", "acquire"]);
    assert!(anna.path().join("state/tollgate/leases").is_dir());
    anna.succeed(&["deploy"]);
    anna.succeed(&["lock", "release"]);
    anna.set("XDG_STATE_HOME", "").set("HOME", "");
    assert_snapshot!(anna.run(&["lock", "acquire"]), @"
    status: 1
    -- stderr
    lock::token

      × the lease's token cannot be kept: neither XDG_STATE_HOME nor HOME says where
      help: set XDG_STATE_HOME to a folder of yours, or print the token with --show-token
      the database now: nothing was changed
    ");
    let status = anna.succeed(&["lock", "status", "--format", "json"]).json();
    assert_eq!(
        status["leases"],
        Value::Array(Vec::new()),
        "a lease without a token would be in the way"
    );
    anna.succeed(&["lock", "acquire", "--show-token"]);
}

#[test]
fn a_chosen_token_is_for_jobs_on_many_machines() {
    let database = Database::postgres();
    let (mut first, mut second) = (person("job", &database), person("job", &database));
    for job in [&mut first, &mut second] {
        job.set("TOLLGATE_LOCK_TOKEN", "00112233445566778899aabbccddeeff");
        job.set("HOME", "");
    }
    first.succeed(&["lock", "acquire"]);
    assert_eq!(person("bob", &database).run(&["deploy"]).status, Some(4));
    second.succeed(&["deploy"]);
    second.succeed(&["lock", "release"]);
    person("bob", &database).succeed(&["deploy"]);
}

#[test]
fn the_time_it_lasts_has_bounds() {
    let database = Database::sqlite();
    let anna = person("anna", &database);
    for (ttl, why) in [
        ("0s", "it has to be longer than nothing"),
        ("25h", "a lease lasts 24h at most"),
        ("99999999999999999999h", "a lease lasts 24h at most"),
        ("1d", "a whole number with s, m (minutes) or h"),
        ("30", "a whole number with s, m (minutes) or h"),
        ("soon", "a whole number with s, m (minutes) or h"),
    ] {
        let refused = anna.run(&["lock", "acquire", "--ttl", ttl]);
        assert_eq!(refused.status, Some(2), "{refused}");
        assert!(refused.stderr.contains(why), "{refused}");
    }
}

#[test]
fn a_token_with_a_slip_in_it_is_not_shown() {
    let anna = person("anna", &Database::sqlite());
    assert_snapshot!(anna.run(&["lock", "release", "--token", "00112233445566778899aabbccddeef"]), @"
    status: 2
    -- stderr
    lock::token

      × --token must be as `tollgate lock acquire --show-token` prints it: 32 hexadecimal digits
    ");
}

#[test]
fn a_folder_that_cannot_hold_it_is_named() {
    let mut anna = person("anna", &Database::sqlite());
    anna.file("state", "not a folder");
    let state = anna.path().join("state").display().to_string();
    anna.set("XDG_STATE_HOME", &state);
    assert_snapshot!(same_everywhere(&anna.run(&["lock", "acquire"]).to_string()), @"
    status: 1
    -- stderr
    lock::token

      × the lease's token cannot be kept: [project]/state/tollgate/leases: Not a directory (os error 20)
      help: set XDG_STATE_HOME to a folder of yours, or print the token with --show-token
      the database now: nothing was changed
    ");
    assert_eq!(lease(&anna), Value::Null);
    anna.succeed(&["lock", "acquire", "--show-token"]);
}

#[test]
fn what_is_no_token_is_refused_without_being_shown() {
    let mut anna = person("anna", &Database::sqlite());
    anna.set("TOLLGATE_LOCK_TOKEN", "s3cret");
    assert_snapshot!(anna.run(&["deploy"]), @"
    status: 2
    -- stderr
    config::variable

      × the variable TOLLGATE_LOCK_TOKEN must be as `tollgate lock acquire --show-token` prints it: 32
      │ hexadecimal digits
    ");
}
