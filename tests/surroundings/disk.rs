//! A disk that is full.

use std::fs;

use insta::assert_snapshot;
use tollgate_testing::postgres::{Cluster, TestDatabase, cluster};
use tollgate_testing::tmpfs::SmallDisk;
use tollgate_tests::Project;

use crate::session::{APPLIED, BLOG_APPLIED, LEDGER, blog, on, session, sqlite3, words};

/// A project whose database is the file `disk/app.db` on a small disk.
fn on_disk(test: &str, kilobytes: u64) -> Option<(Project, SmallDisk)> {
    let project = on("file:./disk/app.db");
    blog(&project);
    let disk = SmallDisk::mount_or_skip(test, &project.path().join("disk"), kilobytes)?;
    Some((project, disk))
}

#[test]
fn sqlite_says_so_and_goes_on_once_there_is_room() {
    let Some((project, disk)) = on_disk("a full disk under SQLite", 2048) else {
        return;
    };
    project.migration(
        "2_posts",
        "CREATE TABLE posts (id integer PRIMARY KEY, title text);\n\n-- More than there is room for.\n\
         INSERT INTO posts (title) VALUES (hex(zeroblob(1000000)));\n",
    );
    disk.leave(200);
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 1_users [duration]
    -- stderr
    migration-failed

      × migration "2_posts" failed: the transaction could not be committed: database or disk is full
      help: make room on the disk of the database, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    SQLite database disk/app.db
    applied     1_users
    rolled back 2_posts  failed when it was last tried
        Database error:
        ERROR: the transaction could not be committed: database or disk is full
        COMMIT
    pending     3_views
    3 migrations: 1 applied, 1 pending, 1 rolled back; next: `tollgate deploy`
    "#);
    let database = disk.folder().join("app.db");
    assert_eq!(sqlite3(&database, "PRAGMA integrity_check"), "ok\n");
    project.migration("2_posts", "CREATE TABLE posts (id integer PRIMARY KEY, title text);\n");
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    2 migrations applied in [duration]
    ");
    assert_eq!(sqlite3(&database, APPLIED), BLOG_APPLIED);
}

#[test]
fn a_full_disk_makes_no_sqlite_file() {
    let Some((project, disk)) = on_disk("a full disk under SQLite", 1024) else {
        return;
    };
    disk.leave(0);
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to create the migration ledger: database or disk is full
      help: make room on the disk of the database
      the database now: nothing was changed
    ");
    disk.empty();
    project.succeed(&["deploy"]);
    assert_eq!(sqlite3(&disk.folder().join("app.db"), APPLIED), BLOG_APPLIED);
}

/// Wherever in a deploy the space runs out: the error is one, nothing is half done, and the next deploy completes.
#[test]
fn sqlite_at_every_page() {
    let Some((project, disk)) = on_disk("full disks under SQLite", 1024) else {
        return;
    };
    let database = disk.folder().join("app.db");
    let mut complete = 0;
    // A deploy takes fewer than 60 pages, those of its own tables included.
    for pages in (0..80).step_by(4) {
        disk.leave(pages);
        let first = project.run(&["deploy"]);
        match first.status {
            Some(0) => complete += 1,
            Some(1) => {
                assert!(first.stderr.contains("help: "), "{pages} pages\n{first}");
                let full = ["disk is full", "No space left", "disk I/O error"];
                let said = words(&first.stderr);
                let says = full.iter().any(|reason| said.contains(reason));
                assert!(says, "{pages} pages\n{first}");
            }
            _ => panic!("{pages} pages\n{first}"),
        }
        disk.empty();
        let second = project.run(&["deploy"]);
        assert_eq!(second.status, Some(0), "{pages} pages\n{first}\n{second}");
        assert_eq!(
            sqlite3(&database, APPLIED),
            BLOG_APPLIED,
            "{pages} pages\n{first}\n{second}"
        );
        assert_eq!(sqlite3(&database, "PRAGMA integrity_check"), "ok\n");
        for entry in fs::read_dir(disk.folder()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    assert!(complete > 0 && complete < 19, "{complete} deploys had room enough");
}

/// A tablespace on a small disk.
struct Tablespace<'a> {
    cluster: &'a Cluster,
    name: &'static str,
    disk: SmallDisk,
    _folder: tempfile::TempDir,
}

impl<'a> Tablespace<'a> {
    fn new(cluster: &'a Cluster, name: &'static str, kilobytes: u64) -> Option<Self> {
        if cluster.port().is_none() {
            println!("skipped: {name} needs a server that is ours");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("tollgate-disk-").tempdir().unwrap();
        allow_passage(folder.path());
        let disk = SmallDisk::mount_or_skip("a full tablespace", &folder.path().join("disk"), kilobytes)?;
        let place = disk.folder_of_server().unwrap();
        cluster
            .admin(&format!("CREATE TABLESPACE {name} LOCATION '{}'", place.display()))
            .unwrap();
        Some(Self {
            cluster,
            name,
            disk,
            _folder: folder,
        })
    }

    /// A database that lies in it.
    fn database(&self) -> TestDatabase<'a> {
        let database = self.cluster.database();
        let (name, tablespace) = (&database.name, self.name);
        self.cluster
            .admin(&format!("ALTER DATABASE {name} SET TABLESPACE {tablespace}"))
            .unwrap();
        database
    }
}

impl Drop for Tablespace<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.admin(&format!("DROP TABLESPACE IF EXISTS {}", self.name));
    }
}

/// The server's user has to get through.
fn allow_passage(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn postgres_says_so_and_goes_on_once_there_is_room() {
    let Some(small) = Tablespace::new(cluster(), "small_for_rows", 1024) else {
        return;
    };
    let database = cluster().database();
    let project = on(&database.url());
    blog(&project);
    project.migration(
        "2_posts",
        "CREATE TABLE posts (id integer PRIMARY KEY, title text) TABLESPACE small_for_rows;\n\n\
         INSERT INTO posts SELECT n, repeat('title', 20) FROM generate_series(1, 50000) AS n;\n",
    );
    assert_snapshot!(steady(&session(&project, &["deploy", "status"])), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 1_users [duration]
    -- stderr
    migration-failed

      × migration "2_posts" failed: could not extend file
      │ "pg_tblspc/[file]": No space left on device
       ╭─[migrations/2_posts/migration.sql:3:1]
     2 │ 
     3 │ INSERT INTO posts SELECT n, repeat('title', 20) FROM generate_series(1, 50000) AS n;
       · ─────────────────────────────────────────┬─────────────────────────────────────────
       ·                                          ╰── could not extend file "pg_tblspc/[file]": No space left on device
       ╰────
      help: SQLSTATE: 53100
            hint: Check free disk space.
            make room on the server's disk, or on that of the tablespace, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    rolled back 2_posts  failed when it was last tried
        Database error code: 53100
        Database error:
        ERROR: could not extend file "pg_tblspc/[file]": No space left on device
        HINT: Check free disk space.
        Statement 2 at line 3, column 1
    pending     3_views
    3 migrations: 1 applied, 1 pending, 1 rolled back; next: `tollgate deploy`
    "#);
    assert_snapshot!(database.psql(LEDGER), @"
    1_users applied
    2_posts rolled back
    ");
    small.disk.empty();
    project.migration(
        "2_posts",
        "CREATE TABLE posts (id integer PRIMARY KEY, title text) TABLESPACE small_for_rows;\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    2 migrations applied in [duration]
    ");
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
    database.psql("DROP TABLE posts CASCADE");
}

/// An index that is built outside a transaction is left half built when the disk is full.
#[test]
fn an_index_that_finds_no_room_is_built_again() {
    let Some(small) = Tablespace::new(cluster(), "small_for_index", 1024) else {
        return;
    };
    let database = cluster().database();
    let project = on(&database.url());
    project.migration(
        "1_rows",
        "CREATE TABLE rows (id integer PRIMARY KEY, title text);\n\
         INSERT INTO rows SELECT n, repeat('title', 20) || n FROM generate_series(1, 20000) AS n;\n",
    );
    project.migration(
        "2_index",
        "CREATE INDEX CONCURRENTLY rows_title ON rows (title) TABLESPACE small_for_index;\nANALYZE rows;\n",
    );
    let seen = session(&project, &["deploy", "status"]);
    assert_snapshot!(steady(&seen), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 1_rows [duration]
    -- stderr
    2_index: dropped the invalid index public.rows_title that a failed attempt left
    migration-failed

      × migration "2_index" failed: could not extend file
      │ "pg_tblspc/[file]": No space left on device
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE INDEX CONCURRENTLY rows_title ON rows (title) TABLESPACE small_for_index;
       · ───────────────────────────────────────┬───────────────────────────────────────
       ·                                        ╰── could not extend file "pg_tblspc/[file]": No space left on device
     2 │ ANALYZE rows;
       ╰────
      help: SQLSTATE: 53100
            hint: Check free disk space.
            make room on the server's disk, or on that of the tablespace, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_rows
    rolled back 2_index  failed when it was last tried
        Database error code: 53100
        Database error:
        ERROR: could not extend file "pg_tblspc/[file]": No space left on device
        HINT: Check free disk space.
        Statement 1 at line 1, column 1
    2 migrations: 1 applied, 1 rolled back; next: `tollgate deploy`
    "#);
    let standing = "SELECT count(*) FROM pg_class WHERE relname = 'rows_title'";
    assert_eq!(database.psql(standing), "0\n", "nothing half built is left");
    assert_snapshot!(database.psql(LEDGER), @"
    1_rows applied
    2_index rolled back
    ");
    // There is room on another disk.
    project.migration(
        "2_index",
        "CREATE INDEX CONCURRENTLY rows_title ON rows (title);\nANALYZE rows;\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_index [duration]
    1 migration checked: 3 notes
    1 migration applied in [duration]
    ");
    assert_eq!(database.psql(APPLIED), "1_rows 1 0\n2_index 1 0\n");
    drop(small);
}

/// Numbers of a tablespace's files, which depend on what the server has made before.
fn steady(text: &str) -> String {
    let file = regex::Regex::new(r"pg_tblspc/\d+/PG_\w+/\d+/\d+").unwrap();
    file.replace_all(text, "pg_tblspc/[file]").into_owned()
}

/// Wherever in a deploy the space runs out under the whole database, ledger and Tollgate's own tables included.
#[test]
fn postgres_with_everything_on_a_disk_that_is_full() {
    let Some(small) = Tablespace::new(cluster(), "small_for_all", 24 * 1024) else {
        return;
    };
    let mut complete = 0;
    for pages in [0, 6, 24, 96, 192] {
        let database = small.database();
        let project = on(&database.url());
        blog(&project);
        small.disk.leave(pages);
        let first = project.run(&["deploy"]);
        match first.status {
            Some(0) => complete += 1,
            Some(1) => {
                // Without any room not even a session can begin.
                let full = ["No space left on device", "could not write init file"];
                let said = words(&first.stderr);
                let says = full.iter().any(|reason| said.contains(reason));
                assert!(says, "{pages} pages\n{first}");
                assert!(first.stderr.contains("help: "), "{pages} pages\n{first}");
            }
            _ => panic!("{pages} pages\n{first}"),
        }
        small.disk.empty();
        let second = project.run(&["deploy"]);
        assert_eq!(second.status, Some(0), "{pages} pages\n{first}\n{second}");
        assert_eq!(database.psql(APPLIED), BLOG_APPLIED, "{pages} pages\n{first}\n{second}");
        assert_eq!(database.psql("SELECT count(*) FROM titles"), "0\n");
    }
    assert!(complete > 0 && complete < 5, "{complete} deploys had room enough");
}
