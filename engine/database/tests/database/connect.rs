//! Getting in, and what is said when that fails.

use std::path::Path;

use insta::assert_snapshot;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Target};
use tollgate_testing::postgres::{PASSWORD, PASSWORD_ROLE, cluster};

use crate::support::{connect, postgres, sqlite};

fn attempt(url: &str, options: &ConnectOptions) -> Result<Database, DatabaseError> {
    Database::connect(&Target::parse(url, Path::new("/")).unwrap(), options)
}

fn refused(url: &str) -> DatabaseError {
    attempt(url, &ConnectOptions::default()).err().unwrap()
}

#[test]
fn a_password_is_decoded_and_never_shown() {
    let database = cluster().database();
    let mut open = connect(&database.url_with_password());
    assert!(!open.has_tables().unwrap());
    for secret in open.target().secrets() {
        assert!(!format!("{:?} {}", open.target(), open.target().describe()).contains(&secret));
    }
    let error = refused(&database.url_as(PASSWORD_ROLE, Some("wrong-marker-password")));
    assert!(matches!(error, DatabaseError::LoginRefused { .. }), "{error:?}");
    assert!(!format!("{error} {error:?} {:?}", error.help()).contains("marker"));
    assert!(!format!("{error:?}").contains(PASSWORD));
}

#[test]
fn a_missing_database_is_said_or_made() {
    let database = cluster().database();
    let url = database
        .url()
        .replace(&database.name, &format!("{} new ü", database.name).replace(' ', "%20"));
    let error = refused(&url);
    assert!(matches!(error, DatabaseError::Missing { .. }), "{error:?}");
    let options = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let separator = if url.contains('?') { "&" } else { "?" };
    let mut open = attempt(&format!("{url}{separator}schema=my%20own"), &options).unwrap();
    open.create_ledger().unwrap();
    assert_eq!(open.context().search_path, ["my own"]);
    drop(open);
    cluster()
        .admin(&format!("DROP DATABASE \"{} new ü\"", database.name))
        .unwrap();
}

#[test]
fn an_unreachable_server_is_named() {
    let error = refused("postgresql://anna:marker@127.0.0.1:1/db?connect_timeout=2");
    assert_snapshot!(error.to_string(), @r#"cannot reach PostgreSQL database "db", schema "public" at 127.0.0.1:1: error connecting to server: Connection refused (os error 111)"#);
    assert_snapshot!(error.help().unwrap(), @"check that the server runs and that host and port are right");
    let error = refused("postgresql://anna:marker@nowhere.invalid/db");
    assert!(matches!(&error, DatabaseError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("marker"));
    let error = refused("postgresql://anna:marker@localhost/db?host=/nowhere");
    assert_snapshot!(error.to_string(), @r#"cannot reach PostgreSQL database "db", schema "public" at socket /nowhere port 5432: error connecting to server: No such file or directory (os error 2)"#);
}

#[test]
fn encryption_that_the_server_does_not_offer_is_an_error() {
    let fixture = postgres();
    let separator = if fixture.url().contains('?') { "&" } else { "?" };
    let error = refused(&format!("{}{separator}sslmode=require", fixture.url()));
    assert!(matches!(error, DatabaseError::Tls { .. }), "{error:?}");
    let error = refused(&format!("{}{separator}sslidentity=/nowhere/id.p12", fixture.url()));
    assert!(
        error
            .to_string()
            .contains("cannot read our certificate or key in /nowhere/id.p12"),
        "{error}"
    );
}

#[test]
fn a_pkcs12_identity_is_refused_with_the_way_out() {
    let fixture = postgres();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id.p12");
    std::fs::write(&path, [0x30, 0x82, 0x01, 0x02]).unwrap();
    let separator = if fixture.url().contains('?') { "&" } else { "?" };
    let error = refused(&format!(
        "{}{separator}sslidentity={}&sslpassword=marker",
        fixture.url(),
        path.display()
    ));
    assert!(error.to_string().contains("PKCS#12 files are not supported"), "{error}");
    assert!(error.help().unwrap().starts_with("convert it: openssl pkcs12"));
    assert!(!format!("{error:?}").contains("marker"));
}

#[test]
fn options_with_several_words_reach_the_server() {
    let fixture = postgres();
    let separator = if fixture.url().contains('?') { "&" } else { "?" };
    let url = format!(
        "{}{separator}options=-c%20statement_timeout%3D1234%20-c+work_mem%3D5MB&application_name=mine",
        fixture.url()
    );
    let mut database = connect(&url);
    crate::support::apply(
        &mut database,
        "1_a",
        "CREATE TABLE s AS SELECT current_setting('statement_timeout') AS t, current_setting('work_mem') AS m, current_setting('application_name') AS n;",
        &tollgate_database::ExecuteOptions::default(),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(fixture.ask("SELECT * FROM s"), "1234ms|5MB|mine");
}

#[test]
fn read_only_writes_nothing() {
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let fixture = postgres();
    let error = attempt(&fixture.url(), &options).unwrap().create_ledger().unwrap_err();
    assert_snapshot!(error.to_string(), @"failed to create the migration ledger: cannot execute CREATE TABLE in a read-only transaction");
    let fixture = sqlite();
    let error = attempt(&fixture.url(), &options).unwrap().create_ledger().unwrap_err();
    assert_snapshot!(error.to_string(), @"failed to create the migration ledger: attempt to write a readonly database");
}

#[test]
fn sqlite_files_are_named_when_they_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let hide = |error: DatabaseError| {
        error
            .to_string()
            .replace(&folder.path().display().to_string(), "FOLDER")
    };
    let url = |name: &str| format!("file:{}/{name}", folder.path().display());
    assert_snapshot!(hide(refused(&url("missing.db"))), @"SQLite database FOLDER/missing.db does not exist");
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database, and it is long enough to be sure of that",
    )
    .unwrap();
    assert_snapshot!(hide(refused(&url("text.db"))), @"cannot open SQLite database FOLDER/text.db: file is not a database");
    assert_snapshot!(hide(refused(&url(""))), @"SQLite database FOLDER cannot be used: it is a folder");
    let options = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = attempt(&url("a/b c/ü%20?.db").replace("?.db", ".db"), &options).unwrap();
    database.create_ledger().unwrap();
    assert!(
        folder.path().join("a/b c/ü%20.db").exists(),
        "the path is taken as it is, as Prisma does"
    );
}

#[test]
fn damaged_files_are_said_to_be() {
    let mut fixture = sqlite();
    fixture.apply("1_a", "CREATE TABLE a (id INTEGER);").unwrap();
    let damage = |name: &str| {
        let path = fixture.folder().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
    };
    let say = |error: DatabaseError| {
        let said = format!("{error}\nhelp: {}\n", error.help().unwrap_or_default());
        said.replace(&fixture.folder().display().to_string(), "FOLDER")
    };
    damage("test.db.tollgate.db");
    let state = connect(&fixture.url()).state().map(drop).unwrap_err();
    damage("test.db");
    let ledger = connect(&fixture.url()).ledger().unwrap_err();
    assert_snapshot!(say(state) + &say(ledger), @"
    cannot prepare Tollgate's own tables in FOLDER/test.db.tollgate.db: database disk image is malformed
    help: the file is damaged: put back a backup; where it is the .tollgate.db file beside the database, move it away, and the next deploy makes a new one, without the rollback plans and leases that were in it
    failed to read the migration ledger: database disk image is malformed
    help: the file is damaged: put back a backup; where it is the .tollgate.db file beside the database, move it away, and the next deploy makes a new one, without the rollback plans and leases that were in it
    ");
}
