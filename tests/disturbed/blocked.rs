//! A migration that others hold up, and whom it holds up meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate_testing::postgres::{Session, TestDatabase, cluster};
use tollgate_tests::Project;

use crate::running::{Ended, Running, until};

/// How long a statement may wait for a lock, in these tests.
const LIMIT: Duration = Duration::from_millis(300);

/// What a busy machine may add to a query that waits for nothing else.
const MARGIN: Duration = Duration::from_millis(900);

/// How an application's queries fared.
#[derive(Debug, Default)]
struct Fared {
    queries: u32,
    /// How long those took that had to wait.
    waits: Vec<Duration>,
    /// Since when the present one runs.
    since: Option<Instant>,
}

impl Fared {
    /// The wait in the middle, of all. A machine that stands still for a second, with a full disk queue for example, makes
    /// one wait longer than the deploy did; a deploy that keeps others waiting for too long does so every time.
    fn median(&self) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        waits.get(waits.len() / 2).copied().unwrap_or_default()
    }
}

/// Runs short queries, one after another, and measures each.
fn shop(session: &mut Session, closed: &AtomicBool, fared: &Mutex<Fared>) {
    while !closed.load(Ordering::SeqCst) {
        let began = Instant::now();
        fared.lock().unwrap().since = Some(began);
        let total = session.run("SELECT total FROM orders WHERE id = 1;");
        assert_eq!(total.trim(), "10");
        let mut fared = fared.lock().unwrap();
        fared.since = None;
        fared.queries += 1;
        fared
            .waits
            .extend(Some(began.elapsed()).filter(|took| *took >= LIMIT / 4));
    }
}

/// Closes the shop, also when a test fails: else it would never come to its end.
struct Closing<'a>(&'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A deploy that changes a table which a report reads in a long transaction and an application all the time. The report
/// ends when `enough` is so.
fn held_up(limit: Duration, enough: impl Fn(&Running, &Mutex<Fared>) -> bool) -> (Ended, Fared) {
    let database = cluster().database();
    let project = orders(&database, limit);
    let mut report = database.session("nightly report");
    report.run("BEGIN; SELECT count(*) FROM orders;");
    let mut session = database.session("shop");
    let (closed, fared) = (AtomicBool::new(false), Mutex::new(Fared::default()));
    let ended = std::thread::scope(|scope| {
        let _closing = Closing(&closed);
        scope.spawn(|| shop(&mut session, &closed, &fared));
        let mut deploy = Running::start(&project, &["deploy"]);
        until("the deploy has been held up", || {
            assert!(deploy.is_running(), "{}", deploy.stderr());
            enough(&deploy, &fared)
        });
        report.run("COMMIT;");
        deploy.end()
    });
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let column =
        database.psql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'");
    assert_eq!(column.trim(), "1");
    (ended, fared.into_inner().unwrap())
}

fn orders(database: &TestDatabase<'_>, limit: Duration) -> Project {
    let mut project = Project::new();
    project
        .set("DATABASE_URL", &database.url())
        .file(
            "tollgate.toml",
            &format!(
                "[deploy]\nstatement_lock_timeout_ms = {}\nretries = 100\n[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n",
                limit.as_millis()
            ),
        )
        .migration(
            "1_orders",
            "CREATE TABLE orders (id integer PRIMARY KEY, total integer);\nINSERT INTO orders VALUES (1, 10);\n",
        );
    project.succeed(&["deploy"]);
    project.migration("2_note", "ALTER TABLE orders ADD COLUMN note text;\n");
    project
}

/// It is tried again and again, says who is in the way, and comes through when that one is done; meanwhile nobody waits in
/// line behind it for longer than the limit. An attempt that did not end at its limit would end the test here already: the
/// report holds its lock until three attempts were given up.
#[test]
fn a_limit_on_waiting_for_locks_is_a_limit_for_everybody_else_too() {
    let (deploy, shop) = held_up(LIMIT, |deploy, _| {
        deploy.stderr().matches("nightly report").count() >= 3
    });
    println!("with the limit: {shop:?}");
    assert!(shop.median() <= LIMIT + MARGIN, "{shop:?}\n{}", deploy.text());
    // It did meet the deploy, again and again.
    assert!(shop.waits.len() >= 3 && shop.queries > 3, "{shop:?}\n{}", deploy.text());
}

/// The same without a limit: one attempt, and everybody waits in line as long as it does.
#[test]
fn without_a_limit_everybody_waits_in_line() {
    let long = 2 * (LIMIT + MARGIN);
    let (deploy, shop) = held_up(Duration::ZERO, |_, fared| {
        fared.lock().unwrap().since.is_some_and(|since| since.elapsed() > long)
    });
    println!("without the limit: {shop:?}");
    assert!(shop.waits.iter().any(|wait| *wait > long), "{shop:?}");
    assert!(!deploy.stderr.contains("nightly report"), "{}", deploy.text());
}
