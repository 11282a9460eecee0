//! Scratch databases: made, filled, removed; and what is left by whom is removed by whom.

use std::path::Path;

use diesel::connection::SimpleConnection as _;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Scratch, ScratchOptions, Start, Target};
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase, cluster};
use tollgate_testing::sqlite_file;

fn options(start: Start) -> ScratchOptions {
    ScratchOptions {
        start,
        schema: None,
        folder: std::env::temp_dir(),
        application_name: "tollgate".to_owned(),
    }
}

fn target(url: &str) -> Target {
    Target::parse(url, Path::new(".")).unwrap()
}

fn databases(neighbour: &TestDatabase<'_>, like: &str) -> Vec<String> {
    let sql = format!("SELECT datname FROM pg_database WHERE datname LIKE '{like}' ORDER BY 1");
    neighbour.psql(&sql).lines().map(str::to_owned).collect()
}

fn is_there(neighbour: &TestDatabase<'_>, name: &str) -> bool {
    !databases(neighbour, name).is_empty()
}

fn dump(cluster_of: &TestDatabase<'_>, name: &str) -> String {
    let url = cluster_of.cluster().url_of(name);
    let program = cluster_of.cluster().program("pg_dump");
    let output = std::process::Command::new(program)
        .args(["--schema-only", "--no-owner", "--dbname", &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let noise = |line: &&str| !(line.is_empty() || line.starts_with("--") || line.starts_with('\\'));
    let lines: Vec<_> = text.lines().filter(noise).collect();
    let mut statements: Vec<_> = lines.join("\n").split(";\n").map(str::to_owned).collect();
    // Objects that nothing orders by name come in the order in which they were made.
    statements.sort();
    statements.join(";\n")
}

#[test]
fn a_scratch_database_lives_as_long_as_its_value() {
    let neighbour = cluster().database();
    let scratch = Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap();
    let name = scratch.name();
    assert!(is_there(&neighbour, &name));
    // Whoever is connected to it goes with it.
    let guest = Database::connect(scratch.target(), &ConnectOptions::default()).unwrap();
    scratch.remove().unwrap();
    assert!(!is_there(&neighbour, &name));
    drop(guest);
    let dropped = Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap();
    let name = dropped.name();
    drop(dropped);
    assert!(!is_there(&neighbour, &name));
}

#[test]
fn one_that_is_kept_stays_whoever_comes_next() {
    let neighbour = cluster().database();
    let kept = Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap();
    let name = kept.keep().unwrap();
    drop(Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap());
    assert!(is_there(&neighbour, &name));
    neighbour.psql(&format!("DROP DATABASE {name}"));
}

#[test]
fn leftovers_are_removed_and_nothing_else() {
    // Whoever makes a scratch database on the same server removes leftovers, too.
    let alone = Cluster::start(&Setup::default()).unwrap();
    let neighbour = alone.database();
    let limit = "CONNECTION LIMIT 7253";
    let [dead, unmarked, commented, named] = [
        "tollgate_preview_00000000000000a1",
        "tollgate_preview_00000000000000a2",
        "tollgate_preview_00000000000000a3",
        "tollgate_preview_mine",
    ];
    for (name, more) in [(dead, limit), (unmarked, ""), (commented, limit), (named, limit)] {
        neighbour.psql(&format!("CREATE DATABASE {name} TEMPLATE template0 {more}"));
    }
    neighbour.psql(&format!(
        "COMMENT ON DATABASE {commented} IS 'for the demonstration on Friday'"
    ));
    let living = Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap();
    assert!(!is_there(&neighbour, dead));
    assert!(living.removed_leftovers().contains(&dead.to_owned()));
    let other = Scratch::create(&target(&neighbour.url()), &options(Start::Empty)).unwrap();
    assert!(!other.removed_leftovers().contains(&living.name()));
    for name in [unmarked, commented, named, living.name().as_str()] {
        assert!(is_there(&neighbour, name), "{name}");
    }
}

#[test]
fn a_role_that_may_not_make_databases_hears_what_to_do() {
    let neighbour = cluster().database();
    let role = format!("nobody_{}", neighbour.name);
    neighbour.psql(&format!("CREATE ROLE {role} LOGIN"));
    let error = Scratch::create(&target(&neighbour.url_as(&role, None)), &options(Start::Empty))
        .err()
        .unwrap();
    neighbour.psql(&format!("DROP ROLE {role}"));
    insta::assert_snapshot!(format!("{error}\n{}", error.help().unwrap()), @"
    cannot create a scratch database: permission denied to create database
    give the role the right (ALTER ROLE … CREATEDB), or name a role or a server of its own for this: `[preview] url`
    ");
}

#[test]
fn a_template_brings_its_rows_along() {
    let neighbour = cluster().database();
    neighbour.psql("CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2)");
    let start = Start::Template(neighbour.name.clone());
    let scratch = Scratch::create(&target(&neighbour.url()), &options(start)).unwrap();
    let count = scratch_psql(&neighbour, &scratch, "SELECT count(*) FROM t");
    assert_eq!(count.trim(), "2");
}

fn scratch_psql(neighbour: &TestDatabase<'_>, scratch: &Scratch, sql: &str) -> String {
    let url = neighbour.cluster().url_of(&scratch.name());
    let output = std::process::Command::new(neighbour.cluster().program("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--dbname",
            &url,
            "--command",
            sql,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_copy_has_everything_but_the_rows() {
    let source = cluster().database();
    source.psql(include_str!("../catalog/everything.sql"));
    let start = Start::CopyOf(Box::new(target(&source.url())));
    let scratch = Scratch::create(&target(&source.url()), &options(start)).unwrap();
    insta::assert_snapshot!(scratch.not_copied().join("\n"), @"");
    let (original, copy) = (dump(&source, &source.name), dump(&source, &scratch.name()));
    let only = |one: &str, other: &str| {
        let there: Vec<&str> = other.split(";\n").collect();
        let only: Vec<&str> = one.split(";\n").filter(|text| !there.contains(text)).collect();
        only.join("\n---\n")
    };
    insta::assert_snapshot!(
        format!("{}{}", only(&original, &copy), only(&copy, &original)),
        @""
    );
}

#[test]
fn a_copied_ledger_says_what_is_applied() {
    let source = cluster().database();
    let mut database = Database::connect(&target(&source.url()), &ConnectOptions::default()).unwrap();
    database.mark_applied(&[("1_a", "aa"), ("2_b", "bb")]).unwrap();
    let start = Start::CopyOf(Box::new(target(&source.url())));
    let scratch = Scratch::create(&target(&source.url()), &options(start)).unwrap();
    let mut copy = Database::connect(scratch.target(), &ConnectOptions::default()).unwrap();
    let rows = copy.ledger().unwrap().unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.migration_name.as_str(), row.checksum.as_str()))
        .collect();
    assert_eq!(rows, [("1_a", "aa"), ("2_b", "bb")]);
}

#[test]
fn an_sqlite_file_is_copied_as_it_is_at_one_moment() {
    let source = sqlite_file();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = tollgate_database::connect_sqlite(
        &target(&source.url()),
        &ConnectOptions {
            create_missing: true,
            ..ConnectOptions::default()
        },
    )
    .unwrap();
    // What is committed is still in the write-ahead log, and what is not must not be seen.
    writer
        .batch_execute(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a INTEGER); \
             INSERT INTO t VALUES (1), (2); BEGIN; INSERT INTO t VALUES (3)",
        )
        .unwrap();
    let start = ScratchOptions {
        folder: folder.path().to_owned(),
        ..options(Start::CopyOf(Box::new(target(&source.url()))))
    };
    let scratch = Scratch::create(&target(&source.url()), &start).unwrap();
    let mut copy = Database::connect(scratch.target(), &ConnectOptions::default()).unwrap();
    let picture = copy.picture().unwrap();
    let digests = copy.row_digests(&picture).unwrap().unwrap();
    let lines: Vec<_> = digests
        .iter()
        .map(|(name, digest)| format!("{name} {digest}"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("t 2 "), "{lines:?}");
    drop(copy);
    scratch.remove().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn folders_of_dead_runs_are_removed_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let options = ScratchOptions {
        folder: folder.path().to_owned(),
        ..options(Start::Empty)
    };
    let place = target("file:./app.db");
    let dead = folder.path().join("tollgate-preview-dead");
    let mark = "made by tollgate, and removed by it when its run is over\n";
    for (name, text) in [
        ("tollgate-preview-dead", mark),
        ("tollgate-preview-mine", "something else"),
    ] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("owner.lock"), text).unwrap();
    }
    let living = Scratch::create(&place, &options).unwrap();
    assert_eq!(living.removed_leftovers(), [dead.display().to_string()]);
    let kept = Scratch::create(&place, &options).unwrap();
    assert!(kept.removed_leftovers().is_empty());
    let kept = kept.keep().unwrap();
    let third = Scratch::create(&place, &options).unwrap();
    assert!(third.removed_leftovers().is_empty());
    assert!(Path::new(&kept).parent().unwrap().is_dir());
    assert!(folder.path().join("tollgate-preview-mine").is_dir());
}

#[test]
fn equal_rows_have_equal_digests_whatever_their_order() {
    let (one, other) = (cluster().database(), cluster().database());
    one.psql("CREATE TABLE t (a integer, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL); CREATE TABLE e ()");
    other.psql("CREATE TABLE t (b text, a integer); INSERT INTO t VALUES (NULL, 2), ('x', 1); CREATE TABLE e ()");
    let digests = |url: &str| {
        let mut database = Database::connect(&target(url), &ConnectOptions::default()).unwrap();
        let picture = database.picture().unwrap();
        database.row_digests(&picture).unwrap().unwrap()
    };
    assert_eq!(digests(&one.url()), digests(&other.url()));
    one.psql("UPDATE t SET b = 'y' WHERE a = 1");
    assert_ne!(digests(&one.url()), digests(&other.url()));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = ScratchOptions {
        folder: folder.path().to_owned(),
        ..options(Start::Template("t".to_owned()))
    };
    let error = Scratch::create(&target("file:./app.db"), &options).err().unwrap();
    assert!(matches!(error, DatabaseError::Unsupported { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
