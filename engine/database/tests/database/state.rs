//! Tollgate's own tables.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tollgate_database::state::{ApprovalRecord, FindingRecord, KeptPlan, NewMessage, NewRun};

use crate::support::{both, connect, postgres, sqlite};

#[test]
fn are_made_only_when_something_is_written() {
    for mut fixture in both() {
        assert!(fixture.database.read_state().unwrap().is_none());
        assert!(fixture.database.read_state().unwrap().is_none(), "asking makes nothing");
        fixture.database.state().unwrap();
        assert!(connect(&fixture.url()).read_state().unwrap().is_some());
    }
}

#[test]
fn runs_and_findings_come_back() {
    for mut fixture in both() {
        let mut state = fixture.database.state().unwrap();
        let run = NewRun {
            command: "deploy",
            actor: Some("anna"),
            environment: None,
        };
        let id = state.begin_run(&run).unwrap();
        let finding = |migration: &str, number: u32| FindingRecord {
            migration: Some(migration.to_owned()),
            document: json!({ "rule": "drop-table", "number": number }),
        };
        state
            .add_findings(&id, &[finding("1_a", 1), finding("2_b", 2)])
            .unwrap();
        state.add_findings(&id, &[finding("1_a", 3)]).unwrap();
        state.finish_run(&id, "succeeded").unwrap();
        assert_eq!(
            state.findings(&id, Some("1_a")).unwrap(),
            [finding("1_a", 1), finding("1_a", 3)]
        );
        assert_eq!(state.findings(&id, None).unwrap().len(), 3);
        let runs = state.runs(10).unwrap();
        assert_eq!(
            (runs[0].actor.as_deref(), runs[0].outcome.as_deref()),
            (Some("anna"), Some("succeeded"))
        );
        assert!(runs[0].finished_at.unwrap() >= runs[0].started_at);
    }
}

#[test]
fn plans_belong_to_one_version_of_a_file() {
    for mut fixture in both() {
        let mut state = fixture.database.state().unwrap();
        state.keep_plans(&[plan(json!({ "steps": [] }))]).unwrap();
        state.keep_plans(&[plan(json!({ "steps": ["DROP TABLE a"] }))]).unwrap();
        assert_eq!(
            state.plan("1_a", "sum").unwrap(),
            Some(json!({ "steps": ["DROP TABLE a"] }))
        );
        assert_eq!(state.plan("1_a", "other").unwrap(), None);
        state.forget_plans("1_a").unwrap();
        assert_eq!(state.plan("1_a", "sum").unwrap(), None);
    }
}

#[test]
fn messages_wait_until_they_are_delivered() {
    for mut fixture in both() {
        let mut state = fixture.database.state().unwrap();
        let document = json!({ "text": "it's done" });
        let push = |state: &mut tollgate_database::State<'_>, notifier: &str| {
            state
                .push(&NewMessage {
                    run: None,
                    notifier,
                    document: &document,
                })
                .unwrap()
        };
        let (first, second) = (push(&mut state, "slack"), push(&mut state, "webhook"));
        let now = Timestamp::now();
        assert_eq!(state.due(now).unwrap().len(), 2);
        let later = now + SignedDuration::from_mins(5);
        state.failed(&first, "503", Some(later)).unwrap();
        state.done(&second).unwrap();
        assert_eq!(state.due(now).unwrap(), []);
        let due = state.due(later + SignedDuration::from_secs(1)).unwrap();
        assert_eq!(
            (due[0].attempts, due[0].last_error.as_deref(), &due[0].document),
            (1, Some("503"), &document)
        );
        state.failed(&first, "410", None).unwrap();
        assert_eq!(state.due(later + SignedDuration::from_secs(1)).unwrap(), []);
    }
}

#[test]
fn ledgers_of_one_database_have_separate_states() {
    let fixture = postgres();
    let join = if fixture.url().contains('?') { "&" } else { "?" };
    let mut one = connect(&format!("{}{join}schema=one", fixture.url()));
    let mut two = connect(&format!("{}{join}schema=two", fixture.url()));
    one.state().unwrap().keep_plans(&[plan(json!(1))]).unwrap();
    assert_eq!(two.state().unwrap().plan("1_a", "sum").unwrap(), None);
}

#[test]
fn many_may_make_the_tables_at_once() {
    for fixture in both() {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let url = fixture.url();
                std::thread::spawn(move || connect(&url).state().map(drop))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }
}

#[test]
fn a_role_without_rights_is_told_what_to_do() {
    let fixture = postgres();
    let role = format!("weak_{}", std::process::id());
    fixture.ask(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN"));
    fixture.ask(
        "REVOKE CREATE ON DATABASE current FROM public"
            .replace("current", &fixture.ask("SELECT quote_ident(current_database())"))
            .as_str(),
    );
    let mut database = connect_as(&fixture.url(), &role);
    let error = database.state().err().unwrap();
    assert!(
        error
            .to_string()
            .contains("in schema \"tollgate\": permission denied for database"),
        "{error}"
    );
    insta::assert_snapshot!(error.help().unwrap(), @"let an administrator run: CREATE SCHEMA tollgate AUTHORIZATION the_role_that_deploys");
    fixture.ask(&format!("DROP ROLE {role}"));
}

/// The same server by another role, which the options of the session take.
fn connect_as(url: &str, role: &str) -> tollgate_database::Database {
    let join = if url.contains('?') { "&" } else { "?" };
    connect(&format!("{url}{join}options=-c%20role%3D{role}"))
}

#[test]
fn the_sidecar_lies_beside_the_file() {
    let mut fixture = sqlite();
    fixture.database.state().unwrap();
    let found = std::fs::read_dir(fixture.folder()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tollgate.db")
    });
    assert_eq!(found.count(), 1);
    assert_eq!(
        fixture.ask("SELECT count(*) FROM sqlite_master"),
        "0",
        "the database itself is untouched"
    );
}

fn plan(document: Value) -> KeptPlan<'static> {
    KeptPlan {
        migration: "1_a",
        checksum: "sum",
        document,
    }
}

fn approval(migration: &str, statement: Option<usize>) -> ApprovalRecord {
    ApprovalRecord {
        migration: migration.to_owned(),
        checksum: "sum".to_owned(),
        plugin: "destructive".to_owned(),
        rule: "drop-table".to_owned(),
        statement,
        digest: statement.map(|_| "digest".to_owned()),
        level: "high".to_owned(),
        source: "file".to_owned(),
        by: "o'hara@example.org".to_owned(),
        at: "2026-09-01T12:00:00Z".parse().unwrap(),
        reason: "it's \"meant\"; DROP TABLE runs; --".to_owned(),
    }
}

const RUN: NewRun<'_> = NewRun {
    command: "deploy",
    actor: None,
    environment: None,
};

#[test]
fn approvals_belong_to_the_run_that_used_them() {
    for mut fixture in both() {
        let mut state = fixture.database.state().unwrap();
        let (first, second) = (state.begin_run(&RUN).unwrap(), state.begin_run(&RUN).unwrap());
        let used = [
            approval("1_a", Some(2)),
            approval("1_a", None),
            approval("2_b", Some(1)),
        ];
        state.add_approvals(&first, &used).unwrap();
        state.add_approvals(&second, &used[..1]).unwrap();
        assert_eq!(state.approvals(&first).unwrap(), used);
        assert_eq!(state.approvals(&second).unwrap(), used[..1]);
        assert_eq!(state.approvals("none").unwrap(), []);
        let mut other = approval("1_a", None);
        other.source = "plugin".to_owned();
        assert!(state.add_approvals(&first, &[other]).is_err(), "nothing else approves");
    }
}

#[test]
fn tables_of_an_earlier_version_are_read_and_brought_up_to_date() {
    for mut fixture in both() {
        let mut state = fixture.database.state().unwrap();
        state.keep_plans(&[plan(json!(1))]).unwrap();
        let run = state.begin_run(&RUN).unwrap();
        state.add_approvals(&run, &[approval("1_a", None)]).unwrap();
        let postgres = fixture.is_postgres();
        let (backend, prefix) = if postgres {
            ("postgres", "tollgate.")
        } else {
            ("sqlite", "")
        };
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let down = root.join(backend).join("00000000000002_approvals/down.sql");
        let down = std::fs::read_to_string(down).unwrap();
        let back = format!("{down}\nDELETE FROM {prefix}__diesel_schema_migrations WHERE version = '00000000000002';");
        fixture.ask_state(&back);

        let mut again = connect(&fixture.url());
        let kept = again.read_state().unwrap().unwrap().plan("1_a", "sum").unwrap();
        assert_eq!(
            kept,
            Some(json!(1)),
            "a command that only reads does not wait for the new tables"
        );
        let mut state = again.state().unwrap();
        let run = state.begin_run(&RUN).unwrap();
        state.add_approvals(&run, &[approval("1_a", None)]).unwrap();
        assert_eq!(state.plan("1_a", "sum").unwrap(), Some(json!(1)));
    }
}

/// Tables and columns, indexes and constraints of the schema `tollgate`, but for its own bookkeeping.
const SHAPE: &str = "SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM (\
    SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line \
    FROM information_schema.columns WHERE table_schema = 'tollgate' \
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'tollgate' \
    UNION ALL SELECT format('%s: %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint \
    WHERE connamespace = 'tollgate'::regnamespace) q";

#[test]
fn tables_that_are_made_one_by_one_are_those_that_the_migrations_make() {
    let mut fixture = postgres();
    let mut state = fixture.database.state().unwrap();
    let run = state.begin_run(&RUN).unwrap();
    assert_eq!(
        fixture.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'tollgate'"),
        "2"
    );
    let mut state = fixture.database.state().unwrap();
    let failed = state.together(|state| {
        state.keep_plans(&[plan(json!(1))])?;
        state.add_findings(
            &run,
            &[FindingRecord {
                migration: None,
                document: json!(1),
            }],
        )?;
        // Nothing but a run can be written twice.
        state.add_approvals("none", &[approval("1_a", None)])
    });
    assert!(failed.is_err());
    assert_eq!(
        state.plan("1_a", "sum").unwrap(),
        None,
        "what was not kept is not there"
    );
    state.keep_plans(&[plan(json!(1))]).unwrap();
    state
        .add_findings(
            &run,
            &[FindingRecord {
                migration: None,
                document: json!(1),
            }],
        )
        .unwrap();
    state.add_approvals(&run, &[approval("1_a", None)]).unwrap();
    let message = NewMessage {
        run: None,
        notifier: "slack",
        document: &json!(1),
    };
    state.push(&message).unwrap();
    let token = tollgate_database::state::LockToken::random();
    let lease = tollgate_database::state::NewLease {
        owner: "anna",
        host: None,
        pid: None,
        reason: None,
        ttl: std::time::Duration::from_mins(1),
    };
    state.take_lease(&lease, &token).unwrap();
    fixture.apply("1_a", "VACUUM;").unwrap();
    let made = fixture.ask(SHAPE);

    let migrated = postgres();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let harness = "CREATE SCHEMA tollgate; CREATE TABLE tollgate.__diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY \
                   NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);";
    migrated.ask(harness);
    for migration in ["00000000000001_state", "00000000000002_approvals"] {
        migrated.ask(&std::fs::read_to_string(root.join(migration).join("up.sql")).unwrap());
    }
    assert_eq!(made, migrated.ask(SHAPE));
}
