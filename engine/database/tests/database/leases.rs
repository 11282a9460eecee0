//! The lock for longer than a process lives, and taking it away.

use std::time::{Duration, Instant};

use tollgate_database::{Database, Lease, LockError, LockEvent, LockOptions, LockPass, LockToken, NewLease};

use crate::support::{both, connect, postgres, sqlite};

fn with(token: Option<&LockToken>) -> LockOptions {
    LockOptions {
        timeout: Duration::from_millis(300),
        token: token.cloned(),
        ..LockOptions::default()
    }
}

fn lease(database: &mut Database, ttl: Duration) -> (Lease, LockToken) {
    let token = LockToken::random();
    let new = NewLease {
        owner: "anna",
        host: Some("laptop"),
        pid: Some(7),
        reason: Some("moving data"),
        ttl,
    };
    database.state().unwrap().take_lease(&new, &token).unwrap();
    (database.lease().unwrap().unwrap(), token)
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_lease_keeps_everybody_out_but_its_owner() {
    for mut fixture in both() {
        assert_eq!(fixture.database.lease().unwrap(), None, "asking makes nothing");
        let (lease, token) = lease(&mut fixture.database, HOUR);
        let left = lease.remaining.unwrap();
        assert!(left <= HOUR && left > Duration::from_mins(59), "{left:?}");
        assert_eq!(lease.holder(), "anna on laptop");

        let mut other = connect(&fixture.url());
        let stranger = LockToken::random();
        for proof in [None, Some(&stranger)] {
            let error = other.lock(&with(proof), &mut |_| {}).err().unwrap();
            assert!(
                matches!(&error, LockError::Leased(lease) if lease.is_of(&token)),
                "{error:?}"
            );
            assert!(error.is_held());
            assert!(
                error
                    .to_string()
                    .starts_with("the lock is leased to anna on laptop since 20"),
                "{error}"
            );
            assert!(error.to_string().ends_with(": moving data"), "{error}");
        }
        // Nothing is held by those who were refused.
        other.lock(&with(Some(&token)), &mut |_| {}).unwrap().check().unwrap();
    }
}

#[test]
fn the_table_has_no_token() {
    for mut fixture in both() {
        let (_, token) = lease(&mut fixture.database, HOUR);
        let table = if fixture.is_postgres() {
            fixture.ask("SELECT t::text FROM tollgate.leases t")
        } else {
            let path = fixture.folder().join("test.db.tollgate.db");
            assert!(path.exists(), "{}", path.display());
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
        };
        assert!(table.contains("moving data"));
        assert!(!table.contains(token.reveal()));
    }
}

#[test]
fn one_that_is_over_counts_no_more_and_that_is_said() {
    for mut fixture in both() {
        lease(&mut fixture.database, Duration::from_millis(1));
        let start = Instant::now();
        while fixture.database.lease().unwrap().unwrap().is_valid() {
            assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        }
        let mut events = Vec::new();
        let mut other = connect(&fixture.url());
        other.lock(&with(None), &mut |event| events.push(event)).unwrap();
        assert!(
            matches!(&events[..], [LockEvent::LeaseExpired(lease)] if lease.owner == "anna"),
            "{events:?}"
        );
    }
}

#[test]
fn acquired_again_it_lasts_longer_and_keeps_its_reason() {
    for mut fixture in both() {
        let (first, token) = lease(&mut fixture.database, HOUR);
        let again = NewLease {
            owner: "anna",
            host: None,
            pid: None,
            reason: None,
            ttl: HOUR * 2,
        };
        fixture.database.state().unwrap().take_lease(&again, &token).unwrap();
        let second = fixture.database.lease().unwrap().unwrap();
        assert_eq!(
            (second.acquired_at, second.reason.as_deref()),
            (first.acquired_at, Some("moving data"))
        );
        assert!(second.expires_at > first.expires_at);

        // By somebody else, when it is over: nothing of the old one is left.
        let other = NewLease { owner: "bob", ..again };
        let stranger = LockToken::random();
        fixture.database.state().unwrap().take_lease(&other, &stranger).unwrap();
        let third = fixture.database.lease().unwrap().unwrap();
        assert_eq!((third.owner.as_str(), third.reason.as_deref()), ("bob", None));
        assert!(third.acquired_at > first.acquired_at);
        assert!(third.is_of(&stranger) && !third.is_of(&token));
        assert!(
            !fixture.database.state().unwrap().end_lease(&second).unwrap(),
            "it is another one"
        );
        assert!(fixture.database.state().unwrap().end_lease(&third).unwrap());
        assert_eq!(fixture.database.lease().unwrap(), None);
    }
}

/// Jobs whose token is always the same.
#[test]
fn one_that_is_over_is_not_made_longer_by_its_own_token() {
    for mut fixture in both() {
        let (first, token) = lease(&mut fixture.database, Duration::from_millis(1));
        let start = Instant::now();
        while fixture.database.lease().unwrap().unwrap().is_valid() {
            assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        }
        let again = NewLease {
            owner: "anna",
            host: None,
            pid: None,
            reason: None,
            ttl: HOUR,
        };
        fixture.database.state().unwrap().take_lease(&again, &token).unwrap();
        let second = fixture.database.lease().unwrap().unwrap();
        assert!(second.acquired_at > first.acquired_at, "{second:?}");
        assert_eq!(second.reason, None);
    }
}

#[test]
fn the_servers_clock_counts_in_every_time_zone() {
    let mut fixture = postgres();
    let name = fixture.ask("SELECT current_database()");
    fixture.ask(&format!(
        "ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {name} SET datestyle = 'German';"
    ));
    let mut elsewhere = connect(&fixture.url());
    let (taken, token) = lease(&mut elsewhere, HOUR);
    let left = fixture
        .database
        .lease()
        .unwrap()
        .and_then(|lease| lease.remaining)
        .unwrap();
    assert!(left <= HOUR && left > Duration::from_mins(59), "{left:?}");
    let now: i64 = fixture
        .ask("SELECT extract(epoch FROM clock_timestamp())::int8")
        .parse()
        .unwrap();
    assert!(taken.expires_at.as_second().abs_diff(now + 3_600) < 60, "{taken:?}");
    assert!(fixture.database.lock(&with(None), &mut |_| {}).err().unwrap().is_held());
    fixture.database.lock(&with(Some(&token)), &mut |_| {}).unwrap();
}

#[test]
fn a_lease_is_for_one_ledger() {
    let mut fixture = postgres();
    lease(&mut fixture.database, HOUR);
    let url = fixture.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut neighbour = connect(&format!("{url}{separator}schema=neighbour"));
    neighbour.lock(&with(None), &mut |_| {}).unwrap().check().unwrap();
    assert_eq!(neighbour.lease().unwrap(), None);
    assert_eq!(neighbour.leases().unwrap().len(), 1);
    // What a run takes away is what stands in its way, its own ledger's.
    assert!(neighbour.release_locks(None, &mut |_| {}).unwrap().is_empty());
    assert!(fixture.database.lease().unwrap().is_some());
    // Unless all are meant.
    lease(&mut neighbour, HOUR);
    let mut named = Vec::new();
    let released = neighbour.release_everything(&mut |event| named.push(event)).unwrap();
    let ledgers: Vec<&str> = released.leases.iter().map(|lease| lease.ledger.as_str()).collect();
    assert_eq!(ledgers, ["neighbour", "public"]);
    assert!(matches!(&named[..], [LockEvent::Releasing { leases, .. }] if *leases == released.leases));
    assert!(fixture.database.leases().unwrap().is_empty());
}

#[test]
fn all_that_anybody_holds_is_taken_away_after_it_was_named() {
    let mut fixture = postgres();
    let (_, token) = lease(&mut fixture.database, HOUR);
    let mut lock = fixture.database.lock(&with(Some(&token)), &mut |_| {}).unwrap();
    let mut other = connect(&fixture.url());
    let mut named = Vec::new();
    let released = other.release_locks(None, &mut |event| named.push(event)).unwrap();
    let [LockEvent::Releasing { holders, leases }] = &named[..] else {
        panic!("{named:?}")
    };
    assert_eq!(holders.first().map(|holder| Some(holder.pid)), Some(lock.session()));
    assert_eq!(leases.first().map(|lease| lease.owner.as_str()), Some("anna"));
    assert_eq!((released.holders.len(), released.leases.len()), (1, 1));
    assert!(matches!(lock.check(), Err(LockError::Lost { .. })));
    assert!(other.release_locks(None, &mut |_| {}).unwrap().is_empty());

    // A run that does so first goes on by itself; its own lease stays.
    let (_, token) = self::lease(&mut other, HOUR);
    let mut lock = other.lock(&with(Some(&token)), &mut |_| {}).unwrap();
    let force = LockOptions {
        force_release: true,
        ..with(Some(&token))
    };
    fixture.database.lock(&force, &mut |_| {}).unwrap().check().unwrap();
    assert!(matches!(lock.check(), Err(LockError::Lost { .. })));
    assert!(fixture.database.lease().unwrap().is_some());
}

#[test]
fn exactly_one_session_is_ended_and_only_if_it_holds_the_lock() {
    let mut fixture = postgres();
    let mut lock = fixture.database.lock(&with(None), &mut |_| {}).unwrap();
    let mut other = connect(&fixture.url());
    let own: i32 = fixture
        .ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'tollgate' AND datname = current_database() AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory') LIMIT 1")
        .parse()
        .unwrap();
    for pid in [own, 1] {
        assert_eq!(other.terminate_holder(pid), Err(LockError::NotHolder { pid }));
    }
    lock.check().unwrap();
    let pid = lock.session().unwrap();
    assert_eq!(other.terminate_holder(pid).unwrap().pid, pid);
    assert!(matches!(lock.check(), Err(LockError::Lost { .. })));
    other.lock(&with(None), &mut |_| {}).unwrap();
}

#[test]
fn a_session_of_another_role_needs_the_right_to_end_it() {
    let mut fixture = postgres();
    fixture.ask("CREATE ROLE weak_one LOGIN; GRANT CREATE ON SCHEMA public TO weak_one;");
    let url = fixture.url();
    let host = &url[url.rfind('@').unwrap() + 1..];
    let mut weak = connect(&format!("postgresql://weak_one@{host}"));
    let mut lock = fixture.database.lock(&with(None), &mut |_| {}).unwrap();
    let error = weak.terminate_holder(lock.session().unwrap()).unwrap_err();
    assert!(matches!(&error, LockError::NotEnded { .. }), "{error:?}");
    assert!(error.help().unwrap().contains("pg_signal_backend"), "{error:?}");
    lock.check().unwrap();
    // Nor does a lease that it may not see count for nothing.
    drop(lock);
    lease(&mut fixture.database, HOUR);
    assert!(matches!(
        weak.lock(&with(None), &mut |_| {}).err(),
        Some(LockError::Database(_))
    ));
    drop(weak);
    fixture.ask("DROP OWNED BY weak_one; DROP ROLE weak_one;");
}

#[test]
fn the_lock_can_be_lent_to_another_process() {
    for mut fixture in both() {
        let mut lock = fixture.database.lock(&with(None), &mut |_| {}).unwrap();
        let pass = lock.pass().unwrap();
        let text = pass.reveal();
        let holder = fixture.database.lock_holders().unwrap().remove(0);
        assert!(!format!("{holder:?}").contains(text.split(':').nth(1).unwrap()));

        let mut child = connect(&fixture.url());
        assert!(child.lock(&with(None), &mut |_| {}).err().unwrap().is_held());
        let lent = LockOptions {
            pass: LockPass::parse(&text),
            ..with(None)
        };
        let mut events = Vec::new();
        let mut borrowed = child.lock(&lent, &mut |event| events.push(event)).unwrap();
        assert!(matches!(events[..], [LockEvent::Shared { .. }]));
        assert_eq!(borrowed.session(), lock.session());
        assert_eq!(borrowed.pass().unwrap(), pass);
        borrowed.check().unwrap();
        child.create_ledger().unwrap();

        // A number without the token is worth nothing.
        let (pid, _) = text.split_once(':').unwrap();
        let wrong = LockOptions {
            pass: LockPass::parse(&format!("{pid}:{}", "0".repeat(32))),
            ..with(None)
        };
        let mut thief = connect(&fixture.url());
        assert!(thief.lock(&wrong, &mut |_| {}).err().unwrap().is_held());

        drop(lock);
        assert!(matches!(borrowed.check(), Err(LockError::Lost { .. })));
        drop(borrowed);
        // When it is gone, the lock is taken as usual.
        child.lock(&lent, &mut |_| {}).unwrap().check().unwrap();
    }
}

#[test]
fn the_lock_can_be_taken_by_another_way_to_the_same_database_only() {
    let mut fixture = postgres();
    let target = |url: &str| tollgate_database::Target::parse(url, std::path::Path::new("/")).unwrap();
    let url = fixture.url();
    let pooled = format!("{url}{}pgbouncer=true", if url.contains('?') { "&" } else { "?" });
    let by = |direct: &str| LockOptions {
        direct: Some(target(direct)),
        ..with(None)
    };
    // Only the lock's own connection must not go through a pooler.
    let mut behind = connect(&pooled);
    assert_eq!(behind.lock(&with(None), &mut |_| {}).err(), Some(LockError::SaidPooler));
    behind.lock(&by(&url), &mut |_| {}).unwrap().check().unwrap();
    assert_eq!(
        behind.lock(&by(&pooled), &mut |_| {}).err(),
        Some(LockError::SaidPooler)
    );

    for elsewhere in [postgres().url(), sqlite().url()] {
        let error = fixture.database.lock(&by(&elsewhere), &mut |_| {}).err().unwrap();
        assert!(matches!(error, LockError::Elsewhere { .. }), "{error:?}");
    }
    fixture.database.lock(&with(None), &mut |_| {}).unwrap();
}
