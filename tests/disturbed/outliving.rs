//! Server sessions that outlive the deploy they belong to, and connections that end at the worst moment: nothing is done
//! twice.

use std::time::{Duration, Instant};

use tollgate_testing::postgres::{Cluster, Session, Setup, TestDatabase, cluster};
use tollgate_testing::proxy::Proxy;
use tollgate_tests::Project;

use crate::database::Database;
use crate::running::{Ended, Running, until};
use crate::steps::{self, Builder, Step};

/// Sessions that wait for a lock.
fn waiting(database: &TestDatabase<'_>) -> usize {
    let waiting = database
        .psql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
    waiting.trim().parse().unwrap()
}

/// A project on a database, through a line that can be cut.
struct Scene<'a> {
    project: Project,
    database: &'a TestDatabase<'static>,
    proxy: Proxy,
    steps: Vec<Step>,
}

impl<'a> Scene<'a> {
    /// The first migration is in.
    fn begin(database: &'a TestDatabase<'static>, first: Builder) -> Self {
        let base = cluster().base_url();
        let port = base.rsplit(':').next().unwrap().parse().unwrap();
        let mut scene = Self {
            project: Project::new(),
            database,
            proxy: Proxy::start(port).unwrap(),
            steps: Vec::new(),
        };
        scene.project.set("DATABASE_URL", &scene.proxy.url(&database.url()));
        scene.add(first);
        scene.succeed();
        scene
    }

    fn add(&mut self, step: Builder) {
        self.steps.push(step.build());
        steps::write(&self.project, &self.steps);
    }

    fn deploy(&self) -> Running {
        Running::start(&self.project, &["deploy"])
    }

    #[track_caller]
    fn succeed(&self) -> Ended {
        let ended = self.deploy().end();
        assert_eq!(ended.status, Some(0), "{}", ended.text());
        ended
    }

    /// Everything is there once; `told` is how it came about.
    #[track_caller]
    fn assert_once(&self, told: &str) {
        let sum: usize = self
            .steps
            .iter()
            .map(|step| step.sql.matches("SET n = n + 1").count())
            .sum();
        assert_eq!(
            self.database.psql("SELECT n FROM counter").trim(),
            sum.to_string(),
            "{told}"
        );
        let invalid = self
            .database
            .psql("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid");
        assert_eq!(invalid, "", "{told}");
        Database::seen_of(self.database).assert_complete(&self.steps, told);
    }
}

fn new(kind: &str) -> Builder {
    Builder::new(format!("01_{kind}"))
}

/// A table that others only read as long as the session's transaction lasts.
fn locked(database: &TestDatabase<'_>) -> Session {
    let mut session = database.session("somebody");
    session.run("BEGIN; LOCK TABLE base IN SHARE ROW EXCLUSIVE MODE;");
    session
}

/// What a killed deploy has sent is still waiting for a lock when the next one begins, and gets the lock first.
fn outlived(step: Builder) {
    let database = cluster().database();
    let mut scene = Scene::begin(&database, steps::first());
    scene.add(step);
    let mut somebody = locked(&database);
    let mut killed = scene.deploy();
    until("the deploy waits for the table", || waiting(&database) == 1);
    killed.kill();
    let next = scene.deploy();
    // Before the server notices that nobody listens to the first one any more.
    let began = Instant::now();
    until("both wait", || {
        waiting(&database) == 2 || began.elapsed() > Duration::from_millis(500)
    });
    somebody.run("COMMIT;");
    let (killed, next) = (killed.end(), next.end());
    let told = format!("{}{}", killed.text(), next.text());
    assert_eq!(next.status, Some(0), "{told}");
    scene.assert_once(&told);
}

#[test]
fn a_transaction_that_outlives_its_deploy_is_not_applied_twice() {
    outlived(new("plain").count().row().say("ALTER TABLE base ADD COLUMN c integer"));
}

#[test]
fn a_first_statement_that_outlives_its_deploy_is_not_applied_twice() {
    outlived(new("update").say("UPDATE base SET a = a + 1").count().row());
}

#[test]
fn a_transaction_of_the_file_that_outlives_its_deploy_is_not_applied_twice() {
    let step = new("own").say("BEGIN").count().row();
    outlived(step.say("ALTER TABLE base ADD COLUMN c integer").say("COMMIT"));
}

#[test]
fn an_index_build_that_outlives_its_deploy_is_not_begun_twice() {
    outlived(new("index").row().count().index("i1", "a").row().count());
}

#[test]
fn a_later_group_that_outlives_its_deploy_is_not_applied_twice() {
    let step = new("group").row().say("VACUUM counter").count().row();
    outlived(step.say("ALTER TABLE base ADD COLUMN c integer"));
}

#[test]
fn a_vacuum_that_outlives_its_deploy_does_no_harm() {
    outlived(new("vacuum").row().count().say("VACUUM base").row().count());
}

#[test]
fn a_rebuild_that_outlives_its_deploy_leaves_nothing() {
    let step = new("rebuilt").row().count().say("REINDEX TABLE CONCURRENTLY base");
    outlived(step.row().count());
}

/// Neither in its table nor out of it, a partition is only good for being detached to the end.
#[test]
fn a_partition_that_is_half_detached_is_detached_to_the_end() {
    let database = cluster().database();
    let first = steps::first()
        .say("CREATE TABLE parts (id integer) PARTITION BY LIST (id)")
        .say("CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)");
    let mut scene = Scene::begin(&database, first);
    let step = new("detached").row().count();
    scene.add(
        step.say("ALTER TABLE parts DETACH PARTITION part CONCURRENTLY")
            .count()
            .row(),
    );
    let mut somebody = database.session("somebody");
    somebody.run("BEGIN; SELECT * FROM parts;");
    let mut killed = scene.deploy();
    until("the deploy waits for those who read the table", || {
        waiting(&database) == 1
    });
    killed.kill();
    killed.end();
    until("the server has noticed", || waiting(&database) == 0);
    let attached = "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'part'::regclass";
    assert_eq!(database.psql(attached), "t\n");
    let next = scene.deploy();
    until("the next one waits for them", || waiting(&database) == 1);
    somebody.run("COMMIT;");
    let next = next.end();
    assert_eq!(next.status, Some(0), "{}", next.text());
    assert_eq!(database.psql(attached), "");
    scene.assert_once(&next.text());
}

/// Nobody can tell what became of it: the server has chosen its name.
#[test]
fn an_index_without_a_name_is_left_to_a_person() {
    let database = cluster().database();
    let mut scene = Scene::begin(&database, steps::first());
    scene.add(
        new("unnamed")
            .row()
            .say("CREATE INDEX CONCURRENTLY ON base (a)")
            .count(),
    );
    let mut somebody = locked(&database);
    let mut killed = scene.deploy();
    until("the deploy waits for the table", || waiting(&database) == 1);
    killed.kill();
    killed.end();
    somebody.run("COMMIT;");
    let next = scene.deploy().end();
    assert_eq!(next.status, Some(5), "{}", next.text());
    let indexes = database.psql("SELECT count(*) FROM pg_index WHERE indrelid = 'base'::regclass AND NOT indisprimary");
    assert!(matches!(indexes.trim(), "0" | "1"), "{indexes}");
    assert_eq!(Database::seen_of(&database).contradictions(&scene.steps), [""; 0]);
}

/// Makes every COMMIT after an insert into `slow` wait for a lock.
fn slow_to_commit() -> Builder {
    steps::first()
        .say("CREATE TABLE slow (id integer)")
        .say(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$",
        )
        .say(
            "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION wait()",
        )
}

/// When the server goes on with a COMMIT whose client is gone.
#[derive(Debug, Clone, Copy)]
enum Goes {
    /// Before the deploy can ask what became of it.
    AtOnce,
    /// Long after the deploy has ended.
    Later,
}

/// The connection is cut while the server works at a COMMIT.
fn cut_at_commit(step: impl Fn() -> Builder) {
    for goes in [Goes::AtOnce, Goes::Later] {
        let database = cluster().database();
        let mut scene = Scene::begin(&database, slow_to_commit());
        scene.add(step());
        scene.add(Builder::new("02_next".to_owned()).count().row());
        let mut somebody = database.session("somebody");
        somebody.run("SELECT pg_advisory_lock(42);");
        let deploy = scene.deploy();
        until("the deploy commits", || waiting(&database) == 1);
        scene.proxy.cut_clients(Duration::from_millis(500));
        let cut = match goes {
            Goes::AtOnce => {
                somebody.run("SELECT pg_advisory_unlock(42);");
                deploy.end()
            }
            Goes::Later => {
                let ended = deploy.end();
                somebody.run("SELECT pg_advisory_unlock(42);");
                ended
            }
        };
        drop(somebody);
        let next = scene.deploy().end();
        let told = format!("{goes:?}\n{}{}", cut.text(), next.text());
        assert_ne!(cut.status, Some(101), "{told}");
        assert_eq!(next.status, Some(0), "{told}");
        scene.assert_once(&told);
    }
}

#[test]
fn a_connection_lost_at_the_commit_of_a_migration() {
    cut_at_commit(|| new("plain").count().row().say("INSERT INTO slow VALUES (1)"));
}

#[test]
fn a_connection_lost_at_the_commit_of_a_files_own_transaction() {
    cut_at_commit(|| {
        let step = new("own").say("BEGIN").count().row();
        step.say("INSERT INTO slow VALUES (1)").say("COMMIT")
    });
}

#[test]
fn a_connection_lost_at_the_commit_of_a_part() {
    cut_at_commit(|| {
        let step = new("mixed").count().row().say("INSERT INTO slow VALUES (1)");
        step.index("i1", "a").count().row()
    });
}

/// Makes the COMMIT of a reset wait for the lock 42: what is known of the ledger is forgotten in the same transaction.
const SLOW_TO_FORGET: &str = "CREATE SCHEMA elsewhere; \
    CREATE FUNCTION elsewhere.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$; \
    CREATE CONSTRAINT TRIGGER wait AFTER DELETE ON tollgate.runs DEFERRABLE INITIALLY DEFERRED \
    FOR EACH ROW EXECUTE FUNCTION elsewhere.wait();";

/// What becomes of the COMMIT of a reset whose connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Committed {
    /// It had got through before.
    Yes,
    /// It had not, and the reset ends it.
    No,
    /// It gets through while the reset cannot ask.
    Unknown,
}

#[test]
fn a_connection_lost_at_the_commit_of_a_reset() {
    for committed in [Committed::Yes, Committed::No, Committed::Unknown] {
        let database = cluster().database();
        let scene = Scene::begin(&database, steps::first());
        scene.project.file("tollgate.toml", "development = true\n");
        database.psql(&format!("{SLOW_TO_FORGET} CREATE TABLE left_over (id integer);"));
        let is_dropped = || database.psql("SELECT to_regclass('left_over') IS NULL") == "t\n";
        let mut somebody = database.session("somebody");
        somebody.run("SELECT pg_advisory_lock(42);");
        let reset = Running::start(&scene.project, &["reset", "--force"]);
        until("the reset commits", || waiting(&database) == 1);
        if committed == Committed::Yes {
            let port = database.psql("SELECT client_port FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
            // Nothing that the server says gets through any more.
            scene.proxy.stall(true);
            somebody.run("SELECT pg_advisory_unlock(42);");
            until("it is committed", is_dropped);
            assert!(scene.proxy.cut_port(port.trim().parse().unwrap()));
            scene.proxy.stall(false);
        } else {
            scene.proxy.refuse(committed == Committed::Unknown);
            scene.proxy.cut_clients(Duration::from_millis(500));
        }
        let ended = reset.end();
        scene.proxy.refuse(false);
        let told = format!("{committed:?}\n{}", ended.text());
        let state = match committed {
            // It has gone on.
            Committed::Yes => "",
            Committed::No => "the database now: nothing was changed\n",
            Committed::Unknown => {
                "the database now: everything that was there was dropped, or nothing: the connection was lost, and which \
                 of the two cannot be known now\n"
            }
        };
        assert_eq!(ended.status, Some((committed != Committed::Yes).into()), "{told}");
        assert!(ended.stderr.contains(state), "{told}");
        somebody.run("SELECT pg_advisory_unlock_all();");
        if committed != Committed::Unknown {
            assert_eq!(is_dropped(), committed == Committed::Yes, "{told}");
        }
        database.psql("DROP SCHEMA elsewhere CASCADE;");
        let next = Running::start(&scene.project, &["reset", "--force"]).end();
        assert_eq!(next.status, Some(0), "{told}{}", next.text());
        assert!(is_dropped(), "{told}");
        scene.assert_once(&told);
    }
}

/// The session that holds the run lock: not the one that takes part in it while it waits for a table.
const HOLDER: &str = "pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' \
    AND l.objid = 72707369 AND l.granted AND a.datname = current_database() AND a.state = 'idle'";

#[test]
fn a_deploy_whose_lock_is_lost_stops_before_the_next_migration() {
    let database = cluster().database();
    let mut scene = Scene::begin(&database, steps::first());
    scene.add(new("plain").count().row().say("ALTER TABLE base ADD COLUMN c integer"));
    let mut somebody = locked(&database);
    scene.add(Builder::new("02_next".to_owned()).count().row());
    let deploy = scene.deploy();
    until("the deploy waits for the table", || waiting(&database) == 1);
    let port = database.psql(&format!("SELECT a.client_port FROM {HOLDER}"));
    assert!(scene.proxy.cut_port(port.trim().parse().unwrap()));
    until("its session is over", || {
        database.psql(&format!("SELECT count(*) FROM {HOLDER}")).trim() == "0"
    });
    somebody.run("COMMIT;");
    let stopped = deploy.end();
    assert!(!matches!(stopped.status, Some(0 | 101)), "{}", stopped.text());
    assert!(stopped.stderr.contains("lock"), "{}", stopped.text());
    let seen = Database::seen_of(&database);
    assert_eq!(seen.contradictions(&scene.steps), [""; 0], "{}", stopped.text());
    assert_eq!(seen.applied(), 2, "{}", stopped.text());
    scene.succeed();
    scene.assert_once(&stopped.text());
}

/// The first one lives and works on, though it has lost the lock; the second one has it.
#[test]
fn of_two_deploys_at_work_at_the_same_time_one_applies() {
    let database = cluster().database();
    let mut scene = Scene::begin(&database, steps::first());
    scene.add(new("plain").count().row().say("ALTER TABLE base ADD COLUMN c integer"));
    scene.add(Builder::new("02_next".to_owned()).count().row());
    let mut somebody = locked(&database);
    let first = scene.deploy();
    until("the first waits for the table", || waiting(&database) == 1);
    database.psql(&format!("SELECT pg_terminate_backend(a.pid) FROM {HOLDER}"));
    let second = scene.deploy();
    let began = Instant::now();
    until("the second waits for the lock or the table", || {
        waiting(&database) == 2 || second.stderr().contains("lock") || began.elapsed() > Duration::from_secs(1)
    });
    somebody.run("COMMIT;");
    let (first, second) = (first.end(), second.end());
    let told = format!("{}{}", first.text(), second.text());
    assert_ne!(first.status, Some(0), "{told}");
    assert_eq!(
        Database::seen_of(&database).contradictions(&scene.steps),
        [""; 0],
        "{told}"
    );
    scene.succeed();
    scene.assert_once(&told);
}

#[test]
fn a_server_that_restarts_while_a_deploy_waits_for_the_lock() {
    let cluster = Cluster::start(&Setup::default()).unwrap();
    let database = cluster.database();
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url());
    let steps = [steps::first().build()];
    steps::write(&project, &steps);
    let mut somebody = database.session("somebody");
    somebody.run("SELECT pg_advisory_lock(72707369);");
    let mut deploy = Running::start(&project, &["deploy"]);
    until("the deploy waits", || {
        deploy.stderr().contains("lock") || !deploy.is_running()
    });
    cluster.stop_immediately().unwrap();
    let stopped = deploy.end();
    assert!(!matches!(stopped.status, None | Some(0 | 101)), "{}", stopped.text());
    drop(somebody);
    cluster.start_again().unwrap();
    let next = Running::start(&project, &["deploy"]).end();
    assert_eq!(next.status, Some(0), "{}", next.text());
    Database::seen_of(&database).assert_complete(&steps, "after the restart");
}

/// What a deploy that was killed right at its beginning may have left.
#[test]
fn half_made_tables_of_our_own_are_made_complete() {
    let harness = "CREATE TABLE tollgate.__diesel_schema_migrations (version varchar(50) PRIMARY KEY NOT NULL, \
                   run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    let mut project = Project::new();
    let steps = [steps::first().build()];
    steps::write(&project, &steps);
    for left in ["CREATE SCHEMA tollgate", &format!("CREATE SCHEMA tollgate; {harness}")] {
        let database = cluster().database();
        database.psql(left);
        project.set("DATABASE_URL", &database.url());
        let deploy = Running::start(&project, &["deploy"]).end();
        assert_eq!(deploy.status, Some(0), "{}", deploy.text());
        Database::seen_of(&database).assert_complete(&steps, left);
    }
    let whole = cluster().database();
    project.set("DATABASE_URL", &whole.url());
    project.succeed(&["deploy"]);
    // The ledger and Tollgate's own tables, and nothing else.
    whole.psql("DELETE FROM _prisma_migrations; DROP TABLE witness, counter, base; DELETE FROM tollgate.runs");
    let deploy = Running::start(&project, &["deploy"]).end();
    assert_eq!(deploy.status, Some(0), "{}", deploy.text());
    Database::seen_of(&whole).assert_complete(&steps, "an empty ledger");
}

#[test]
fn half_made_files_of_sqlite_are_made_complete() {
    let mut project = Project::new();
    let steps = [steps::for_sqlite().swap_remove(0)];
    steps::write(&project, &steps);
    for left in [
        &["test.db"][..],
        &["test.db.tollgate.db"],
        &["test.db", "test.db.tollgate.db", "test.db.tollgate.lock"],
    ] {
        let file = tollgate_testing::sqlite_file();
        for name in left {
            std::fs::write(file.folder().join(name), "").unwrap();
        }
        project.set("DATABASE_URL", &file.url());
        let deploy = Running::start(&project, &["deploy"]).end();
        assert_eq!(deploy.status, Some(0), "{left:?} {}", deploy.text());
        Database::Sqlite(file).seen().assert_complete(&steps, "half made");
    }
}
