//! Deploys disturbed at any moment: killed, cut off from their server, their server stopped as by a crash.

use std::cell::Cell;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase, cluster};
use tollgate_testing::proxy::Proxy;
use tollgate_testing::sqlite_file;

use crate::campaign::{Ground, Tally, Way, work};
use crate::database::Database;
use crate::running::Running;
use crate::steps::{self, Step};

/// So many deploys are disturbed at the same time.
const WORKERS: usize = 2;

fn kill(deploy: &mut Running, _: &mut StdRng) {
    deploy.kill();
}

/// The workers' disturbances, until there were enough.
fn together(what: &'static str, usual: u64, worker: impl Fn(&Tally) + Sync) {
    let tally = Tally::new(what, usual);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| worker(&tally));
        }
    });
    tally.report();
}

fn killed(what: &'static str, usual: u64, way: Way, steps: &[Step], fresh: fn() -> Database<'static>) {
    together(what, usual, |tally| {
        let ground = Ground {
            way,
            steps,
            fresh: &fresh,
            url: &|database| database.url(),
            strike: &kill,
            mend: &|| (),
        };
        work(&ground, tally);
    });
}

fn sqlite() -> Database<'static> {
    Database::Sqlite(sqlite_file())
}

fn postgres() -> Database<'static> {
    Database::Postgres(cluster().database())
}

#[test]
fn a_deploy_to_sqlite_is_killed() {
    killed("SIGKILL, SQLite", 200, Way::Up, &steps::for_sqlite(), sqlite);
}

#[test]
fn a_deploy_to_postgres_is_killed() {
    killed("SIGKILL, PostgreSQL", 200, Way::Up, &steps::for_postgres(), postgres);
}

#[test]
fn a_rollback_on_sqlite_is_killed() {
    let steps = steps::with_ways_back(steps::for_sqlite(), false);
    killed("SIGKILL of a rollback, SQLite", 60, Way::Down, &steps, sqlite);
}

#[test]
fn a_rollback_on_postgres_is_killed() {
    let steps = steps::with_ways_back(steps::for_postgres(), true);
    killed("SIGKILL of a rollback, PostgreSQL", 60, Way::Down, &steps, postgres);
}

/// Both ends learn of it; or only the client does, and the server works on for it; or for a while neither does; or only
/// one of the connections is cut, the run's own or its lock's.
fn cut(proxy: &Proxy, random: &mut StdRng) {
    let for_a_while = Duration::from_millis(random.random_range(1..200));
    match random.random_range(0..4) {
        0 => proxy.cut(),
        1 => proxy.cut_clients(for_a_while),
        2 => proxy.cut_one(random.random_range(0..6)),
        _ => {
            proxy.stall(true);
            std::thread::sleep(for_a_while);
            proxy.cut();
            proxy.stall(false);
        }
    }
}

fn cut_off(what: &'static str, usual: u64, way: Way, steps: &[Step]) {
    together(what, usual, |tally| {
        let proxy = Proxy::start(port(cluster().base_url())).unwrap();
        let ground = Ground {
            way,
            steps,
            fresh: &postgres,
            url: &|database| proxy.url(&database.url()),
            strike: &|_, random| cut(&proxy, random),
            mend: &|| (),
        };
        work(&ground, tally);
    });
}

#[test]
fn a_deploy_to_postgres_is_cut_off() {
    cut_off("connection cut", 200, Way::Up, &steps::for_postgres());
}

#[test]
fn a_rollback_on_postgres_is_cut_off() {
    let steps = steps::with_ways_back(steps::for_postgres(), true);
    cut_off("connection of a rollback cut", 60, Way::Down, &steps);
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// A server that waits for its disk, as real ones do: what is not on it when the server stops is lost.
fn durable() -> Cluster {
    let settings = [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
    ];
    let cluster = Cluster::start(&Setup {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..Setup::default()
    })
    .unwrap();
    // Otherwise it waits for each of its files when it starts after a crash, which takes seconds. Before 14 it has to.
    let _ = cluster.admin("ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'");
    cluster
}

/// The server stops, and comes back at once, or sometimes only when the deploy has given up waiting for it.
fn crash(cluster: &Cluster, down: &Cell<bool>, random: &mut StdRng) {
    cluster.stop_immediately().unwrap();
    down.set(random.random_ratio(1, 8));
    if !down.get() {
        cluster.start_again().unwrap();
    }
}

#[test]
fn the_server_of_a_deploy_is_stopped() {
    let steps = steps::for_postgres();
    together("pg_ctl stop -m immediate", 200, |tally| {
        let cluster = durable();
        let down = Cell::new(false);
        let ground = Ground {
            way: Way::Up,
            steps: &steps,
            fresh: &|| Database::Postgres(cluster.database()),
            url: &|database| database.url(),
            strike: &|_, random| crash(&cluster, &down, random),
            mend: &|| {
                if down.replace(false) {
                    cluster.start_again().unwrap();
                }
            },
        };
        work(&ground, tally);
    });
}

/// The row that says "started" does not wait for the disk; what it stands for does.
#[test]
fn the_server_is_stopped_right_after_a_deploy() {
    let cluster = durable();
    let steps = steps::for_postgres();
    let mut project = tollgate_tests::Project::new();
    steps::write(&project, &steps);
    for last in [1, 2, 3, 5, 6, 12, 60] {
        let database: TestDatabase<'_> = cluster.database();
        project.set("DATABASE_URL", &database.url());
        let database = Database::Postgres(database);
        let name = &steps[last - 1].name;
        let deploy = Running::start(&project, &["deploy", "--to", name]).end();
        cluster.stop_immediately().unwrap();
        assert_eq!(deploy.status, Some(0), "{}", deploy.text());
        cluster.start_again().unwrap();
        database.seen().assert_complete(&steps[..last], name);
    }
}
