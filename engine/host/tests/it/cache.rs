//! The cache of compiled code, seen from outside.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tollgate_host::{Host, HostError, HostOptions};

use crate::support::{ask, logging_host, messages, request};

fn host_in(folder: &Path) -> Result<Host, HostError> {
    let mut options = HostOptions::default();
    options.cache = Some(folder.to_owned());
    Host::new(options)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn count(host: &Host) -> String {
    let plugin = host.load(&request("misbehave", json!({ "mode": "count" }))).unwrap();
    messages(&ask(&plugin).unwrap())
}

#[test]
fn a_second_host_finds_what_the_first_compiled() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("deep/cache");
    assert_eq!(count(&host_in(&folder).unwrap()), "2 statements");
    let [entry] = entries(&folder).try_into().unwrap();
    let written = fs::metadata(&entry).unwrap().modified().unwrap();
    assert_eq!(count(&host_in(&folder).unwrap()), "2 statements");
    assert_eq!(fs::metadata(&entry).unwrap().modified().unwrap(), written);
}

#[test]
fn a_broken_entry_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("cache");
    assert_eq!(count(&host_in(&folder).unwrap()), "2 statements");
    let [entry] = entries(&folder).try_into().unwrap();
    let sound = fs::read(&entry).unwrap();
    fs::write(&entry, &sound[..sound.len() / 2]).unwrap();
    assert_eq!(count(&host_in(&folder).unwrap()), "2 statements");
    assert_eq!(fs::read(&entry).unwrap().len(), sound.len());
}

#[cfg(unix)]
#[test]
fn a_folder_open_to_others_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("cache");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let error = host_in(&folder)
        .unwrap_err()
        .to_string()
        .replace(&folder.display().to_string(), "FOLDER");
    insta::assert_snapshot!(error, @"the cache folder FOLDER is not safe to run compiled code from: others have access to it (mode 777 instead of 700)");
}

#[test]
fn a_folder_that_cannot_be_made_is_logged() {
    let (_, lines) = logging_host();
    let mut options = HostOptions::default();
    options.cache = Some(PathBuf::from("/dev/null/cache"));
    let sink = std::sync::Arc::clone(&lines);
    options.log = std::sync::Arc::new(move |line| sink.lock().unwrap().push(line));
    assert_eq!(count(&Host::new(options).unwrap()), "2 statements");
    let lines = lines.lock().unwrap();
    assert_eq!(
        lines[0].message,
        "no cache for compiled plugins: cannot make the folder /dev/null/cache"
    );
}

#[test]
fn several_threads_load_at_once() {
    let home = tempfile::tempdir().unwrap();
    let host = host_in(&home.path().join("cache")).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| count(&host))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), "2 statements");
        }
    });
}
