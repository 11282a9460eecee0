//! The throwaway databases work, and leave nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tollgate_testing::postgres::{self, Cluster, Setup};
use tollgate_testing::sqlite_file;

#[test]
fn databases_are_separate_and_dropped() {
    let cluster = postgres::cluster();
    let first = cluster.database();
    let second = cluster.database();
    first.psql("CREATE TABLE t (a integer PRIMARY KEY, b text); INSERT INTO t VALUES (1, NULL), (2, 'x|y');");
    assert_eq!(first.psql("SELECT * FROM t ORDER BY a"), "1|\n2|x|y\n");
    assert!(
        second
            .try_psql("SELECT * FROM t")
            .unwrap_err()
            .to_string()
            .contains("does not exist")
    );
    let name = first.name.clone();
    drop(first);
    assert_eq!(
        cluster
            .admin(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"))
            .unwrap(),
        "0\n"
    );
}

#[test]
fn schemas_can_be_compared() {
    let cluster = postgres::cluster();
    let (first, second) = (cluster.database(), cluster.database());
    for database in [&first, &second] {
        database.psql("CREATE TABLE t (a serial PRIMARY KEY); COMMENT ON TABLE t IS 'x';");
    }
    assert_eq!(first.schema(), second.schema());
    assert!(first.schema().contains("COMMENT ON TABLE public.t IS 'x';"));
    second.psql("ALTER TABLE t ADD b text");
    assert_ne!(first.schema(), second.schema());
}

#[test]
fn the_password_role_needs_its_password() {
    if std::env::var_os(postgres::SERVER_VARIABLE).is_some() {
        println!("skipped: the server is not ours");
        return;
    }
    let cluster = postgres::cluster();
    let database = cluster.database();
    let psql = |url: &str| {
        let output = Command::new(cluster.program("psql"))
            .args(["-w", "-Atc", "SELECT current_user", url])
            .output();
        let output = output.unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    assert_eq!(
        psql(&database.url_with_password()),
        (true, postgres::PASSWORD_ROLE.to_owned())
    );
    assert!(!psql(&database.url_as(postgres::PASSWORD_ROLE, Some("wrong"))).0);
    assert!(!psql(&database.url_as(postgres::PASSWORD_ROLE, None)).0);
}

#[test]
fn a_special_cluster_has_its_settings_and_goes_when_dropped() {
    let setup = Setup {
        settings: vec![("work_mem".into(), "7MB".into())],
        files: vec![("extra.txt".into(), "x".into())],
        ..Setup::default()
    };
    let cluster = Cluster::start(&setup).unwrap();
    assert_eq!(cluster.admin("SHOW work_mem").unwrap(), "7MB\n");
    let folder = cluster.socket_folder().unwrap().to_owned();
    assert!(folder.exists());
    drop(cluster);
    assert!(!folder.exists());
}

/// Started by [`a_killed_process_leaves_nothing`] as a process of its own.
#[test]
#[ignore = "only a part of another test"]
fn start_a_cluster_and_hang() {
    let cluster = Cluster::start(&Setup::default()).unwrap();
    println!("folder={}", cluster.socket_folder().unwrap().display());
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_killed_process_leaves_nothing() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "start_a_cluster_and_hang", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut seen = String::new();
    let folder = loop {
        let mut buffer = [0; 256];
        let length = output.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "the other process ended early: {seen}");
        seen += &String::from_utf8_lossy(&buffer[..length]);
        if let Some((_, rest)) = seen.split_once("folder=")
            && let Some((folder, _)) = rest.split_once('\n')
        {
            break std::path::PathBuf::from(folder);
        }
    };
    assert!(folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while folder.exists() {
        assert!(Instant::now() < deadline, "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn sqlite_files_are_empty_and_go() {
    let file = sqlite_file();
    assert!(!file.path().exists());
    assert_eq!(
        file.sqlite3("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, NULL); SELECT * FROM t;"),
        "1|\n"
    );
    assert_eq!(file.schema(), "table|t|t|CREATE TABLE t (a, b)\n");
    assert!(file.try_sqlite3("SELECT * FROM u").is_err());
    let folder = file.folder().to_owned();
    drop(file);
    assert!(!folder.exists());
}
