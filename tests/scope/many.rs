//! Thousands of files.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{ORDERS, empty, shop};

/// What a check of some thousand files may take, in MiB.
const MOST: usize = 100;

#[test]
fn of_thousands_of_files_only_the_findings_stay() {
    // The components are compiled once, which takes more than anything after it.
    let small = shop();
    small.succeed(&["check", ORDERS]);
    let project = empty();
    let mut columns = String::new();
    for column in 0..20 {
        write!(columns, ", column_{column} text NOT NULL DEFAULT ''").unwrap();
    }
    for number in 0..3_000 {
        let table = number / 10;
        let sql = if number % 10 == 0 {
            format!("CREATE TABLE t{table} (id integer PRIMARY KEY{columns});\n")
        } else {
            format!(
                "ALTER TABLE t{table} ADD COLUMN more_{number} text;\nCREATE INDEX i{number} ON t{table} (more_{number});\n"
            )
        };
        project.migration(&format!("2024{number:010}_update_shop"), &sql);
    }
    let mut child = project
        .command(&["check", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        // What the system remembers as the most so far; it is gone with the process.
        peak = most_so_far(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(status.code(), Some(0));
    assert!(peak > 0 && peak < MOST, "{peak} MiB");
}

/// The most memory that a process has held, in MiB.
fn most_so_far(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024)
}
