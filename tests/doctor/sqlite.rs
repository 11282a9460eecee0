//! `SQLite` files with something wrong about them.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use tollgate_testing::sqlite_file;
use tollgate_testing::users::somebody;

use crate::diagnosis::{Diagnosis, on};

#[test]
fn a_file_that_is_not_there_yet() {
    let file = sqlite_file();
    let diagnosis = Diagnosis::of(&on(&file.url()));
    assert_eq!(diagnosis.status, Some(0));
    assert_eq!(diagnosis.document["findings"][0]["status"], "note");
    let diagnosis = Diagnosis::of(&on("file:./migrations/1_users/migration.sql/app.db"));
    assert_eq!(diagnosis.status, Some(1));
    assert!(diagnosis.says("file").contains("does not let it be made"));
}

#[test]
fn a_file_that_holds_something_else() {
    let file = sqlite_file();
    fs::write(
        file.path(),
        "this is no database, though it is long enough to be taken for one",
    )
    .unwrap();
    let diagnosis = Diagnosis::of(&on(&file.url()));
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("open"), @"
    bad cannot be opened: file is not a database
      → the file holds something else: name another one in the URL
    ");
}

#[test]
fn a_damaged_file() {
    let file = sqlite_file();
    let project = on(&file.url());
    project.succeed(&["deploy"]);
    file.sqlite3(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO users SELECT i, \
         'somebody' || i FROM n;",
    );
    let page = 4096;
    let pages = fs::metadata(file.path()).unwrap().len() / page;
    let mut raw = fs::OpenOptions::new().write(true).open(file.path()).unwrap();
    for number in pages - 4..pages {
        raw.seek(SeekFrom::Start(number * page)).unwrap();
        raw.write_all(&[0xA5; 64]).unwrap();
    }
    drop(raw);
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(5), "{:#}", diagnosis.document);
    let said = diagnosis.says("integrity");
    assert!(said.starts_with("bad the file is damaged: "), "{said}");
}

#[test]
fn foreign_keys_that_lead_nowhere() {
    let file = sqlite_file();
    file.sqlite3(
        "CREATE TABLE parents (id integer PRIMARY KEY); CREATE TABLE children (parent integer REFERENCES parents (id)); \
         INSERT INTO children VALUES (1), (2); CREATE TABLE _prisma_migrations (id);",
    );
    let diagnosis = Diagnosis::of(&on(&file.url()));
    assert_eq!(diagnosis.status, Some(5), "the ledger is none");
    assert_snapshot!(diagnosis.says("foreign-keys"), @"
    warn foreign keys that lead nowhere: 2 rows of children without one in parents
      → a migration that rebuilds such a table may be refused: mend the rows first (PRAGMA foreign_key_check)
    ");
    assert_snapshot!(diagnosis.says("ledger"), @r#"
    bad the migration ledger _prisma_migrations has no column "checksum"
      → compare the table with the one that Prisma Migrate or Tollgate creates, and put it right by hand
    "#);
}

#[test]
fn a_folder_that_may_not_be_written() {
    let somebody = match somebody() {
        Ok(somebody) => somebody,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let project = on("file:./data/app.db");
    project.succeed(&["deploy"]);
    somebody.give(project.path()).unwrap();
    let data = project.path().join("data");
    let run = || {
        let ours = project.command(&["doctor", "--format", "json"]);
        let program = project.program_for_everybody();
        let mut theirs = somebody.command(program.as_os_str());
        theirs.args(ours.get_args()).current_dir(project.path()).env_clear();
        theirs.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Diagnosis::from(&project.finish(theirs.stdin(Stdio::null())))
    };
    let folder = project.path().display().to_string();
    let mode = |path: &std::path::Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(run().status, Some(0));
    mode(&data, 0o555);
    let diagnosis = run();
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("access").replace(&folder, "[project]"), @"
    bad the folder [project]/data may not be written: neither the journal nor the lock can be made there
      → give the user that deploys the right to write the folder, too
    ");
    mode(&data, 0o755);
    mode(&data.join("app.db.tollgate.db"), 0o444);
    assert_snapshot!(run().says("access").replace(&folder, "[project]"), @"
    bad [project]/data/app.db.tollgate.db may not be written
      → give the user that deploys the right to write the file and its folder, or look whether the disk is read-only
    ");
    mode(&data.join("app.db.tollgate.db"), 0o644);
    mode(&data.join("app.db"), 0o444);
    assert_snapshot!(run().says("access").replace(&folder, "[project]"), @"
    bad [project]/data/app.db may not be written
      → give the user that deploys the right to write the file and its folder, or look whether the disk is read-only
    ");
}

#[test]
fn a_lock_that_somebody_holds() {
    let file = sqlite_file();
    let project = on(&file.url());
    project.succeed(&["deploy"]);
    let path = file.path().with_extension("db.tollgate.lock");
    let mut lock = fs::File::create(&path).unwrap();
    lock.write_all(b"4711\t2026-01-01T00:00:00Z\tanother deploy\t\t\n")
        .unwrap();
    lock.lock().unwrap();
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0));
    assert_snapshot!(diagnosis.says("migration-lock"), @"
    note the migration lock is held by PID 4711 (application another deploy, since 2026-01-01T00:00:00Z)
      → a deploy waits for it: let that run end; if it hangs, `tollgate lock release --force`
    ");
    lock.unlock().unwrap();
    assert_eq!(
        Diagnosis::of(&project).says("migration-lock"),
        "ok nobody holds the migration lock"
    );
}

#[test]
fn another_file_in_the_place_of_tollgates_own() {
    let file = sqlite_file();
    let project = on(&file.url());
    project.succeed(&["deploy"]);
    let state = file.path().with_extension("db.tollgate.db");
    fs::write(
        &state,
        "this is no database, though it is long enough to be taken for one",
    )
    .unwrap();
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(5), "a deploy fails");
    let folder = file.folder().display().to_string();
    assert_snapshot!(diagnosis.says("state").replace(&folder, "[folder]"), @"
    bad cannot open [folder]/test.db.tollgate.db: file is not a database
      → Tollgate keeps its own tables there, and the file holds something else: move it away, or put back a backup; the next deploy makes a new one, without the rollback plans and leases that were in it
    ");
    fs::remove_file(&state).unwrap();
    fs::create_dir(&state).unwrap();
    assert_snapshot!(Diagnosis::of(&project).says("state").replace(&folder, "[folder]"), @"
    bad [folder]/test.db.tollgate.db cannot be used: it is a folder
      → Tollgate keeps its own tables there: move it away
    ");
}

#[test]
fn a_transaction_that_a_crash_has_cut_off() {
    let file = sqlite_file();
    file.sqlite3("CREATE TABLE t (a); INSERT INTO t VALUES (1);");
    let journal = file.path().with_extension("db-journal");
    // A program in the middle of a transaction: its copy is what a crash leaves.
    let crashed = sqlite_file();
    let copy =
        |from: &std::path::Path, to: &std::path::Path| format!(".shell cp {} {}\n", from.display(), to.display());
    let session = format!(
        "PRAGMA cache_size = 1;\nBEGIN;\nINSERT INTO t SELECT randomblob(2000) FROM generate_series(1, 500);\n{}{}ROLLBACK;\n",
        copy(&file.path(), &crashed.path()),
        copy(&journal, &crashed.path().with_extension("db-journal"))
    );
    file.sqlite3(&session);
    let project = on(&crashed.url());
    let journal = crashed.path().with_extension("db-journal");
    let files = || [crashed.path(), journal.clone()].map(|path| fs::read(path).unwrap());
    let before = files();
    let diagnosis = Diagnosis::of(&project);
    let folder = crashed.folder().display().to_string();
    assert_snapshot!(diagnosis.says("journal-file").replace(&folder, "[folder]"), @"
    warn a transaction in [folder]/test.db was cut off: its program has ended in the middle
      → nothing else was looked at: SQLite puts the file back as it was before as soon as anybody opens it, and nothing is changed here; `tollgate status` opens it, then look again
    ");
    assert_eq!((diagnosis.status, diagnosis.has("integrity")), (Some(0), false));
    assert!(files() == before, "nothing is changed");
    project.run(&["status"]);
    let diagnosis = Diagnosis::of(&project);
    assert!(!diagnosis.has("journal-file"));
    assert_eq!(diagnosis.finding("integrity")["status"], "ok");
    assert_eq!(crashed.sqlite3("SELECT a FROM t"), "1\n");
}

#[test]
fn a_transaction_that_somebody_is_at() {
    let file = sqlite_file();
    file.sqlite3("CREATE TABLE t (a);");
    let mut shell = Command::new("sqlite3")
        .arg(file.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What is written to the disk before the end has its journal there, too.
    let sql = b"PRAGMA cache_size = 1; BEGIN; INSERT INTO t SELECT randomblob(2000) FROM generate_series(1, 500); \
                DELETE FROM t; SELECT 'wrote';\n";
    shell.stdin.as_mut().unwrap().write_all(sql).unwrap();
    shell.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let mut project = on(&file.url());
    project.set("DATABASE_URL", &format!("{}?socket_timeout=1", file.url()));
    let diagnosis = Diagnosis::of(&project);
    let folder = file.folder().display().to_string();
    assert_snapshot!(diagnosis.says("journal-file").replace(&folder, "[folder]"), @"
    note a transaction in [folder]/test.db is not finished: its program is at work
    ");
    shell.kill().unwrap();
    shell.wait().unwrap();
}
