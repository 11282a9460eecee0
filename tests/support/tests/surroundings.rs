//! What stands around a database works, and goes with the process that made it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tollgate_testing::pooler::{Mode, Pooler};
use tollgate_testing::postgres::cluster;
use tollgate_testing::standby::{self, Standby, primary};
use tollgate_testing::tmpfs::SmallDisk;

#[test]
fn a_small_disk_is_full_when_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("disk");
    let Some(disk) = SmallDisk::mount_or_skip("the small disk itself", &place, 256) else {
        return;
    };
    disk.leave(2);
    let written = std::fs::write(disk.folder().join("two"), vec![0; 8192]);
    assert!(written.is_ok(), "{written:?}");
    let error = std::fs::write(disk.folder().join("more"), vec![0; 4096]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    disk.empty();
    std::fs::write(disk.folder().join("more"), vec![0; 4096]).unwrap();
    drop(disk);
    assert!(!is_mounted(&place));
}

#[test]
fn a_standby_follows_and_can_be_promoted() {
    let primary = primary().unwrap();
    let database = primary.database();
    let standby = Standby::start(&primary, standby::Mode::Following).unwrap();
    database.psql("CREATE TABLE t (a integer)");
    standby.catch_up(&primary).unwrap();
    standby.wait_for("SELECT pg_is_in_recovery()").unwrap();
    standby.promote().unwrap();
    standby.wait_for("SELECT NOT pg_is_in_recovery()").unwrap();
}

/// Started by [`a_killed_process_leaves_nothing`] as a process of its own.
#[test]
#[ignore = "only a part of another test"]
fn start_everything_and_hang() {
    let place = std::env::var("PLACE").unwrap();
    let disk = SmallDisk::mount(Path::new(&place), 256);
    let pooler = Pooler::start(cluster(), Mode::Session).unwrap();
    println!("started {} {}", disk.is_ok(), pooler.port());
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_killed_process_leaves_nothing() {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("disk");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "start_everything_and_hang", "--nocapture"])
        .env("PLACE", &place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = lines.find_map(|line| Some(line.unwrap().split_once("started ")?.1.to_owned()));
    let started = started.expect("the other process says what it has started");
    let (mounted, port) = started.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    assert_eq!(is_mounted(&place), mounted == "true");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while is_mounted(&place) || TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "the disk or the pooler is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_mounted(place: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let place = place.display().to_string();
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(&place))
}
