//! Encrypted connections: who is trusted.

use std::path::Path;
use std::sync::OnceLock;

use tollgate_database::{ConnectOptions, Database, DatabaseError, Target};
use tollgate_testing::postgres::{Cluster, TestDatabase};
use tollgate_testing::tls::{Authority, setup};

/// A server with a certificate for `localhost`, and the files a client may name.
struct Server {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (ours, theirs) = (Authority::new("tests"), Authority::new("somebody else"));
        let shown = ours.server(&["localhost"]);
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("root.pem", ours.certificate()),
            ("other.pem", theirs.certificate()),
            ("server.pem", shown.certificate.clone()),
            ("client.pem", ours.common_name("postgres").together()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let access = "hostssl with_certificate all 127.0.0.1/32 trust clientcert=verify-ca";
        Server {
            cluster: Cluster::start(&setup(&shown, &ours, &[access])).unwrap(),
            folder,
        }
    })
}

fn attempt(database: &TestDatabase<'_>, host: &str, parameters: &str) -> Result<bool, DatabaseError> {
    let url = database.url().replace("127.0.0.1", host);
    let separator = if url.contains('?') { "&" } else { "?" };
    let target = Target::parse(&format!("{url}{separator}{parameters}"), server().folder.path()).unwrap();
    let mut open = Database::connect(&target, &ConnectOptions::default())?;
    let script = "CREATE TABLE encrypted AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();";
    crate::support::apply(
        &mut open,
        "1",
        script,
        &tollgate_database::ExecuteOptions::default(),
        &mut |_| {},
    )
    .unwrap();
    let encrypted = database.psql("SELECT ssl FROM encrypted; DROP TABLE encrypted; DROP TABLE _prisma_migrations");
    Ok(encrypted.starts_with('t'))
}

#[test]
fn trust_is_what_the_url_asks_for() {
    let database = server().cluster.database();
    let ok = [
        ("localhost", "sslmode=disable", false),
        ("localhost", "sslmode=prefer", true),
        ("localhost", "sslmode=require", true),
        ("localhost", "sslmode=require&sslcert=other.pem", true),
        ("localhost", "sslmode=verify-full&sslcert=root.pem", true),
        ("localhost", "sslmode=require&sslaccept=strict&sslcert=root.pem", true),
        ("localhost", "sslmode=verify-full&sslcert=server.pem", true),
        ("127.0.0.1", "sslmode=verify-ca&sslcert=root.pem", true),
        ("localhost", "sslmode=require&channel_binding=prefer", true),
    ];
    for (host, parameters, encrypted) in ok {
        assert_eq!(
            attempt(&database, host, parameters),
            Ok(encrypted),
            "{host} {parameters}"
        );
    }
    let refused = [
        (
            "127.0.0.1",
            "sslmode=verify-full&sslcert=root.pem",
            "is for localhost, not for 127.0.0.1",
        ),
        (
            "127.0.0.1",
            "sslmode=verify-full&sslcert=server.pem",
            "is for localhost, not for 127.0.0.1",
        ),
        (
            "127.0.0.1",
            "sslmode=require&sslaccept=strict&sslcert=root.pem",
            "is for localhost, not for 127.0.0.1",
        ),
        (
            "localhost",
            "sslmode=verify-ca&sslcert=other.pem",
            "is not signed by one of",
        ),
        (
            "localhost",
            "sslmode=verify-full&sslcert=other.pem",
            "is not signed by one of",
        ),
        (
            "localhost",
            "sslaccept=strict&sslcert=other.pem",
            "is not signed by one of",
        ),
    ];
    for (host, parameters, reason) in refused {
        let error = attempt(&database, host, parameters).unwrap_err();
        assert!(
            matches!(&error, DatabaseError::Tls { .. }),
            "{host} {parameters}: {error:?}"
        );
        assert!(error.to_string().contains(reason), "{host} {parameters}: {error}");
    }
}

#[test]
fn a_name_that_does_not_fit_has_advice() {
    let database = server().cluster.database();
    let error = attempt(&database, "127.0.0.1", "sslmode=verify-full&sslcert=root.pem").unwrap_err();
    assert!(
        error.help().unwrap().contains("sslmode=verify-ca"),
        "{:?}",
        error.help()
    );
}

#[test]
fn an_identity_is_presented() {
    server().cluster.admin("CREATE DATABASE with_certificate").unwrap();
    let base = server().cluster.url_of("with_certificate");
    let separator = if base.contains('?') { "&" } else { "?" };
    let connect = |parameters: &str| {
        let target = Target::parse(
            &format!("{base}{separator}sslmode=require{parameters}"),
            server().folder.path(),
        )
        .unwrap();
        Database::connect(&target, &ConnectOptions::default()).map(drop)
    };
    assert_eq!(connect("&sslidentity=client.pem"), Ok(()));
    assert!(connect("").is_err());
    let missing = connect("&sslcert=nowhere.pem&sslaccept=strict").unwrap_err();
    assert!(
        missing.to_string().contains("cannot read the root certificates in"),
        "{missing}"
    );
    assert!(Path::new(server().folder.path()).exists());
}
