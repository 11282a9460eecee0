//! Databases that cannot be reached: where the way ends is said, and what comes after it is left out.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;
use tollgate_testing::tls::{Authority, setup};

use crate::diagnosis::{Diagnosis, on};

#[test]
fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let project = on(&format!("postgresql://app:secret-word@127.0.0.1:{port}/shop"));
    let outcome = project.run(&["doctor"]);
    assert_snapshot!(outcome, @r#"
    status: 1
    -- stdout
    PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]

    Connection
      ok dns                     127.0.0.1 is an address: there is no name to look up
      x  tcp                     nothing answers at 127.0.0.1:[port]: Connection refused (os error 111)
                                 ([duration])
                                 → check that the server runs, that host and port are right, that it
                                   listens there (listen_addresses), and that no firewall is in between

    Server
      -  not-connected           whatever needs a connection was left out

    Migrations
      ok folder                  all 2 migrations of the folder can be read

    1 problem, 1 not looked at; 2 in order; nothing was changed
    "#);
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(1));
    assert_eq!(diagnosis.document["connected"], false);
    assert!(!diagnosis.has("version") && !diagnosis.has("authentication"));
    assert_eq!(diagnosis.finding("not-connected")["status"], "skipped");
    assert!(!diagnosis.document.to_string().contains("secret-word"));
}

#[test]
fn a_name_that_leads_nowhere() {
    let project = on("postgresql://app@nowhere.invalid/shop");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(1));
    assert_eq!(diagnosis.finding("dns")["status"], "bad");
    assert!(!diagnosis.has("tcp"));
}

#[test]
fn something_else_that_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 8]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let diagnosis = Diagnosis::of(&on(&format!("postgresql://app@127.0.0.1:{port}/shop")));
    server.join().unwrap();
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("tls"), @"
    bad what answers is no PostgreSQL server
      → check the port in the URL; a server that is overloaded or stopped in the middle answers nothing either
    ");
}

#[test]
fn something_that_listens_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let diagnosis = Diagnosis::of(&on(&format!(
        "postgresql://app@127.0.0.1:{port}/shop?connect_timeout=1"
    )));
    assert_eq!(diagnosis.status, Some(1));
    assert_eq!(diagnosis.finding("tcp")["status"], "ok");
    assert_eq!(diagnosis.finding("tls")["status"], "bad");
}

#[test]
fn a_server_that_agrees_to_encrypt_and_then_does_nothing() {
    let mut said = String::new();
    for closes in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(b"S").unwrap();
            if closes {
                // What was sent has to be read for the end to be a plain one.
                let _ = stream.read(&mut [0; 4096]);
            } else {
                let _ = ended.recv();
            }
        });
        let url = format!("postgresql://app@127.0.0.1:{port}/shop?connect_timeout=1");
        let diagnosis = Diagnosis::of(&on(&url));
        drop(end);
        server.join().unwrap();
        assert_eq!(diagnosis.status, Some(1));
        said += &format!("{}\n", diagnosis.says("tls"));
    }
    assert_snapshot!(said, @"
    bad the server agreed to TLS, and then nothing came back within 1 s
      → the server's log may say why; a server that is overloaded or stopped in the middle answers nothing, and something in between may let no TLS through
    bad the server agreed to TLS, and then broke off: unexpected end of file
      → the server's log may say why; a server that is overloaded or stopped in the middle answers nothing, and something in between may let no TLS through
    ");
}

#[test]
fn a_socket_that_is_not_there() {
    let project = on("postgresql://app@localhost/shop?host=/nowhere/at/all");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("tcp"), @"
    bad the socket /nowhere/at/all/.s.PGSQL.5432 cannot be opened: No such file or directory (os error 2)
      → check that the server runs on this machine, and its unix_socket_directories and port
    ");
}

#[test]
fn a_unix_socket() {
    let Some(folder) = cluster().socket_folder() else {
        println!("skipped: the server is somebody else's");
        return;
    };
    let database = cluster().database();
    let port = cluster().port().unwrap();
    let url = format!(
        "postgresql://postgres@localhost:{port}/{}?host={}",
        database.name,
        folder.display()
    );
    let diagnosis = Diagnosis::of(&on(&url));
    assert_eq!(diagnosis.status, Some(0));
    assert_eq!(diagnosis.says("dns"), "ok a Unix socket: there is no name to look up");
    assert_eq!(diagnosis.says("tls"), "ok not used on a Unix socket");
}

#[test]
fn a_wrong_password() {
    let database = cluster().database();
    let url = database.url_as(tollgate_testing::postgres::PASSWORD_ROLE, Some("wrong-and-secret"));
    let diagnosis = Diagnosis::of(&on(&url));
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("authentication"), @r#"
    bad tollgate_password may not log in (SCRAM-SHA-256): password authentication failed for user "tollgate_password"
      → check user and password in the URL; characters such as @ : / ? # % have to be percent-encoded there
    "#);
    assert!(!diagnosis.document.to_string().contains("wrong-and-secret"));
    let right = Diagnosis::of(&on(&database.url_with_password()));
    assert!(
        right
            .says("authentication")
            .starts_with("ok tollgate_password may log in (SCRAM-SHA-256)")
    );
}

#[test]
fn a_database_that_is_not_there_yet() {
    let database = cluster().database();
    let role = format!("{}_plain", database.name);
    cluster().admin(&format!("CREATE ROLE {role} LOGIN;")).unwrap();
    let missing = |url: String| on(&url.replace(&database.name, "not_there_yet"));
    let may = Diagnosis::of(&missing(database.url()));
    assert_eq!(may.status, Some(0));
    assert_snapshot!(may.says("database-exists"), @r#"
    note the database "not_there_yet" does not exist yet
      → `tollgate deploy` creates it
    "#);
    assert_eq!(
        may.finding("writable")["status"],
        "ok",
        "the server itself is looked at"
    );
    assert!(!may.has("ledger"));
    let url = database.url_as(&role, None);
    let at = url.rfind('/').unwrap();
    let may_not = Diagnosis::of(&on(&format!("{}/not_there_yet", &url[..at])));
    assert_eq!(may_not.status, Some(5));
    let said = may_not.says("database-exists").replace(&role, "ROLE");
    cluster().admin(&format!("DROP ROLE {role};")).unwrap();
    assert_snapshot!(said, @r#"
    bad the database "not_there_yet" does not exist, and this role may not create it
      → check its name in the URL, create it, or ALTER ROLE ROLE CREATEDB
    "#);
}

#[test]
fn encryption_as_the_url_asks_for_it() {
    let authority = Authority::new("our root");
    let identity = authority.server(&["localhost"]);
    let server = tollgate_testing::postgres::Cluster::start(&setup(&identity, &authority, &[])).unwrap();
    let database = server.database();
    let port = server.port().unwrap();
    let project = on("");
    project.file("root.pem", &authority.certificate());
    project.file("other.pem", &Authority::new("another root").certificate());
    let mut seen = String::new();
    for (host, parameters) in [
        ("localhost", "sslmode=require"),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT/root.pem"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT/root.pem"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ROOT/root.pem"),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT/other.pem"),
        ("localhost", "sslmode=disable"),
    ] {
        let folder = project.path().display().to_string();
        let url = format!(
            "postgresql://postgres@{host}:{port}/{}?{}",
            database.name,
            parameters.replace("ROOT", &folder)
        );
        let mut project = on(&url);
        project.set("DATABASE_URL", &url);
        let diagnosis = Diagnosis::of(&project);
        let said = diagnosis.says("tls").replace(&folder, "");
        seen.push_str(&format!("{host} {parameters}: {:?}\n{said}\n", diagnosis.status));
    }
    assert_snapshot!(seen, @"
    localhost sslmode=require: Some(0)
    ok TLS 1.3; the certificate was not checked
    localhost sslmode=verify-full&sslrootcert=ROOT/root.pem: Some(0)
    ok TLS 1.3; the certificate was checked
    127.0.0.1 sslmode=verify-full&sslrootcert=ROOT/root.pem: Some(1)
    bad the server's certificate is for localhost, not for 127.0.0.1
      → write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    127.0.0.1 sslmode=verify-ca&sslrootcert=ROOT/root.pem: Some(0)
    ok TLS 1.3; the certificate's signer was checked, its name was not
    localhost sslmode=verify-full&sslrootcert=ROOT/other.pem: Some(1)
    bad the server's certificate is not signed by one of /other.pem
      → name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    localhost sslmode=disable: Some(0)
    ok switched off by sslmode=disable; the connection stays on this machine
    ");
    let plain = cluster().database();
    let diagnosis = Diagnosis::of(&on(&format!("{}?sslmode=require", plain.url())));
    assert_eq!(diagnosis.status, Some(1));
    assert_snapshot!(diagnosis.says("tls"), @"
    bad the URL demands TLS, and the server offers none
      → switch TLS on at the server (ssl = on), or write sslmode=prefer
    ");
}
