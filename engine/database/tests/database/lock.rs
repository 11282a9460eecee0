//! One run at a time.

use std::time::Duration;

use tollgate_database::{LockError, LockEvent, LockOptions, Target};
use tollgate_testing::pooler::{Mode, Pooler};
use tollgate_testing::postgres::cluster;

use crate::support::{both, connect, postgres, sqlite};

fn short() -> LockOptions {
    LockOptions {
        timeout: Duration::from_millis(300),
        ..LockOptions::default()
    }
}

#[test]
fn excludes_another_run_and_names_it() {
    for mut fixture in both() {
        let mut first = fixture.database.lock(&short(), &mut |_| {}).unwrap();
        first.check().unwrap();
        let mut other = connect(&fixture.url());
        let mut events = Vec::new();
        let error = other.lock(&short(), &mut |event| events.push(event)).err().unwrap();
        let LockError::Held {
            holder: Some(holder), ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(holder.application.as_deref(), Some("tollgate"));
        assert!(holder.since.is_some());
        assert!(error.to_string().starts_with("lock already held by PID "), "{error}");
        assert!(matches!(&events[0], LockEvent::Waiting { holder: Some(_), .. }));

        // State and ledger stay usable under the lock.
        fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
        drop(first);
        other.lock(&short(), &mut |_| {}).unwrap().check().unwrap();
    }
}

#[test]
fn waits_until_it_is_free() {
    for mut fixture in both() {
        let first = fixture.database.lock(&short(), &mut |_| {}).unwrap();
        let url = fixture.url();
        let other = std::thread::spawn(move || {
            let mut other = connect(&url);
            other
                .lock(&LockOptions::default(), &mut |_| {})
                .map(|mut lock| lock.check().is_ok())
        });
        std::thread::sleep(Duration::from_millis(200));
        drop(first);
        assert!(other.join().unwrap().unwrap());
    }
}

#[test]
fn is_prismas_lock_on_postgres() {
    let mut fixture = postgres();
    let _lock = fixture.database.lock(&short(), &mut |_| {}).unwrap();
    assert_eq!(fixture.ask("SELECT pg_try_advisory_lock(72707369)"), "f");
    assert_eq!(
        fixture.ask("SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"),
        "0|72707369|1"
    );
}

#[test]
fn a_lost_session_is_noticed() {
    let mut fixture = postgres();
    let mut lock = fixture.database.lock(&short(), &mut |_| {}).unwrap();
    fixture.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    assert!(matches!(lock.check(), Err(LockError::Lost { .. })));
}

#[test]
fn a_pooler_is_refused() {
    let fixture = postgres();
    let url = format!(
        "{}{}pgbouncer=true",
        fixture.url(),
        if fixture.url().contains('?') { "&" } else { "?" }
    );
    let mut database = connect(&url);
    let error = database.lock(&short(), &mut |_| {}).err().unwrap();
    assert_eq!(error, LockError::SaidPooler);
    assert!(error.help().unwrap().contains("lock.url"));
    assert!(Target::parse(&url, std::path::Path::new("/")).is_ok());
}

#[test]
fn the_lock_file_goes_with_the_lock() {
    let mut fixture = sqlite();
    let lock = fixture.database.lock(&short(), &mut |_| {}).unwrap();
    let files = || {
        let names = std::fs::read_dir(fixture.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".tollgate.lock")).count()
    };
    assert_eq!(files(), 1);
    drop(lock);
    assert_eq!(files(), 0);
}

/// Behind a pooler that lends sessions out by the transaction, and that nobody has mentioned.
#[test]
fn a_pooler_that_nobody_mentioned_is_found_out() {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return;
    }
    let outside = cluster().database();
    let url = |pooler: &Pooler| pooler.url_of(&outside.name);
    let pooler = Pooler::start(cluster(), Mode::Transaction).unwrap();
    let mut database = connect(&url(&pooler));
    assert_eq!(database.lock(&short(), &mut |_| {}).err(), Some(LockError::Pooler));
    let pooler = Pooler::start(cluster(), Mode::Session).unwrap();
    let mut database = connect(&url(&pooler));
    database.lock(&short(), &mut |_| {}).unwrap().check().unwrap();
}
