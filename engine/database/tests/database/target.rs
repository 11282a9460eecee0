//! What connection URLs mean.

use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;
use tollgate_database::{Target, UrlError};

fn parse(url: &str) -> Result<Target, UrlError> {
    Target::parse(url, Path::new("/project/prisma"))
}

/// Description, then everything but the secrets.
fn show(url: &str) -> String {
    let target = parse(url).unwrap();
    format!("{}\n{target:?}", target.describe())
}

fn refusal(url: &str) -> String {
    let error = parse(url).unwrap_err();
    format!("{error}\n  help: {}", error.help().unwrap_or_default())
}

#[test]
fn defaults_are_prismas() {
    assert_snapshot!(show("postgresql://anna@db.example.org/app"), @r#"
    PostgreSQL database "app", schema "public" at db.example.org:5432
    Target { kind: Postgres(PostgresTarget { user: Some("anna"), password: None, raw_password: None, host: "db.example.org", port: 5432, database: "app", schema: "public", encryption: IfOffered, trust: Anybody, roots: None, only_these_roots: false, identity: None, identity_key: None, identity_passwords: [], options: None, application_name: None, channel_binding: Prefer, connect_timeout: Some(5s), pooler: false }) }
    "#);
    assert_eq!(
        parse("postgres://anna@db.example.org:5433/app").unwrap().schema(),
        Some("public")
    );
    assert_snapshot!(parse("postgresql://anna@[::1]:5433/app").unwrap().describe(), @r#"PostgreSQL database "app", schema "public" at [::1]:5433"#);
    assert_snapshot!(parse("postgresql://anna@%2Fvar%2Frun/app").unwrap().describe(), @r#"PostgreSQL database "app", schema "public" at socket /var/run port 5432"#);
    assert_snapshot!(parse("postgresql://anna@localhost/app?host=/var/run/postgresql&schema=my%20own").unwrap().describe(), @r#"PostgreSQL database "app", schema "my own" at socket /var/run/postgresql port 5432"#);
    assert_snapshot!(parse("postgresql://anna@localhost").unwrap().describe(), @r#"PostgreSQL database "anna", schema "public" at localhost:5432"#);
}

#[test]
fn every_parameter_is_understood() {
    assert_snapshot!(
        show(
            "postgresql://an%40na:p%3Aw@h:1/d%20b?schema=s&connection_limit=5&pool_timeout=10&connect_timeout=0&sslmode=require\
             &sslcert=root.pem&sslidentity=/abs/id.pem&sslpassword=hidden&sslaccept=strict&pgbouncer=true&statement_cache_size=0\
             &socket_timeout=3&options=-c%20a%3D1+-c%20b%3D2&application_name=my+app&channel_binding=require\
             &max_connection_lifetime=1&max_idle_connection_lifetime=1&single_use_connections=true"
        ),
        @r#"
    PostgreSQL database "d b", schema "s" at h:1
    Target { kind: Postgres(PostgresTarget { user: Some("an@na"), password: Some(***), raw_password: Some(***), host: "h", port: 1, database: "d b", schema: "s", encryption: Always, trust: ChainAndName, roots: Some("/project/prisma/root.pem"), only_these_roots: false, identity: Some("/abs/id.pem"), identity_key: None, identity_passwords: [***, ***], options: Some("-c a=1 -c b=2"), application_name: Some("my app"), channel_binding: Require, connect_timeout: None, pooler: true }) }
    "#
    );
    for (parameters, expected) in [
        ("sslmode=disable", "encryption: Never, trust: Anybody"),
        ("sslmode=prefer", "encryption: IfOffered, trust: Anybody"),
        ("sslmode=require", "encryption: Always, trust: Anybody"),
        (
            "sslmode=require&sslaccept=accept_invalid_certs",
            "encryption: Always, trust: Anybody",
        ),
        (
            "sslmode=require&sslaccept=strict",
            "encryption: Always, trust: ChainAndName",
        ),
        ("sslmode=verify-ca", "encryption: Always, trust: Chain,"),
        ("sslmode=verify-full", "encryption: Always, trust: ChainAndName"),
        ("sslaccept=strict", "encryption: IfOffered, trust: ChainAndName"),
    ] {
        let shown = show(&format!("postgresql://anna@h/d?{parameters}"));
        assert!(shown.contains(expected), "{parameters}: {shown}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let cases = [
        "",
        "anna:marker@host/db",
        "mysql://root:marker@h/db",
        "sqlserver://h:1433;password=marker",
        "mongodb://h/db",
        "prisma+postgres://accelerate?api_key=marker",
        "postgresql:marker",
        "postgresql://localhost",
        "postgresql://anna:marker/x@h/db",
        "postgresql://anna:mark#er@h/db",
        "postgresql://anna:100%marker@h/db",
        "postgresql://anna:marker@h:port/db",
        "postgresql://anna:marker@[::1/db",
        "postgresql://anna:marker@h1,h2/db",
        "postgresql://anna:marker@h/db?shema=x",
        "postgresql://anna:marker@h/db?schema=",
        "postgresql://anna:marker@h/db?sslmode=always",
        "postgresql://anna:marker@h/db?sslmode=verify-full&sslaccept=accept_invalid_certs",
        "postgresql://anna:marker@h/db?sslaccept=maybe",
        "postgresql://anna:marker@h/db?connect_timeout=soon",
        "postgresql://anna:marker@h/db?connection_limit=many",
        "postgresql://anna:marker@h/db?pgbouncer=perhaps",
        "postgresql://anna:marker@h/db?channel_binding=always",
        "postgresql://anna:%FF@h/db",
        "postgresql://anna:%00@h/db",
        "file:",
        "sqlite::memory:",
        "file:dev.db?mode=ro",
    ];
    let text = cases.map(refusal).join("\n") + "\n";
    assert!(!text.contains("marker"), "{text}");
    assert_snapshot!(text, @r#"
    the database URL is empty
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db
    the database URL does not start with postgresql://, postgres://, file: or sqlite:
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db
    MySQL databases are not supported yet
      help: PostgreSQL and SQLite are
    SQL Server databases are not supported yet
      help: PostgreSQL and SQLite are
    MongoDB databases are not supported yet
      help: PostgreSQL and SQLite are
    Prisma Accelerate databases are not supported yet
      help: give the database's own URL
    the database URL does not start with postgresql://, postgres://, file: or sqlite:
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db
    the database URL names no database
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db
    the port of the database URL is not a number from 1 to 65535
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the password or another part of the database URL has a # in it, which has to be written %23
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the password of the database URL has a % that starts no percent-encoded character; write %25
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the port of the database URL is not a number from 1 to 65535
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the host of the database URL has a [ without its ]
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the host of the database URL lists several servers; migrations need one
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the database URL has an unknown parameter "shema"
      help: known are schema, sslmode, sslcert, sslkey, sslrootcert, sslidentity, sslpassword, sslaccept, host, options, application_name, channel_binding, connect_timeout, pgbouncer, and (without effect here) connection_limit, pool_timeout, socket_timeout, statement_cache_size, max_connection_lifetime, max_idle_connection_lifetime, single_use_connections
    the database URL's parameter "schema" is empty
      help: 
    the database URL's parameter "sslmode" is none of disable, prefer, require, verify-ca, verify-full
      help: 
    the database URL's parameter "sslaccept" says accept_invalid_certs, and sslmode says to verify them
      help: leave sslaccept out
    the database URL's parameter "sslaccept" is neither strict nor accept_invalid_certs
      help: 
    the database URL's parameter "connect_timeout" is not a whole number of seconds
      help: 
    the database URL's parameter "connection_limit" is not a whole number
      help: 
    the database URL's parameter "pgbouncer" is neither true nor false
      help: 
    the database URL's parameter "channel_binding" is none of disable, prefer, require
      help: 
    the password of the database URL is not UTF-8 after percent-decoding
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the password of the database URL has a zero byte in it
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the database URL names no file
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db
    the file of the database URL is :memory:, which is gone as soon as the run ends
      help: characters such as @ : / ? # % in a user name or password have to be percent-encoded
    the database URL has an unknown parameter "mode"
      help: known are socket_timeout (how long to wait for another process), and (without effect here) connection_limit, pool_timeout, connect_timeout, max_connection_lifetime, max_idle_connection_lifetime
    "#);
}

#[test]
fn sqlite_paths_are_relative_to_the_folder_given() {
    for (url, expected) in [
        ("file:./dev.db", "/project/prisma/dev.db"),
        ("file:dev.db", "/project/prisma/dev.db"),
        ("file:../data/dev.db", "/project/prisma/../data/dev.db"),
        ("file:/abs/dev.db", "/abs/dev.db"),
        ("file:///abs/dev.db", "/abs/dev.db"),
        ("sqlite:dev.db", "/project/prisma/dev.db"),
        ("sqlite://dev.db", "/project/prisma/dev.db"),
        (
            "file:./my%20file.db?connection_limit=1&socket_timeout=10",
            "/project/prisma/my%20file.db",
        ),
    ] {
        let target = parse(url).unwrap();
        assert_eq!(target.describe(), format!("SQLite database {expected}"), "{url}");
        assert_eq!(target.schema(), None);
    }
}

#[test]
fn secrets_are_listed_raw_and_decoded() {
    let target = parse("postgresql://anna:p%40ss%2Fword@h/db?sslpassword=key%20pass").unwrap();
    assert_eq!(
        target.secrets(),
        ["p%40ss%2Fword", "key%20pass", "p@ss/word", "key pass"]
    );
    assert_eq!(parse("file:dev.db").unwrap().secrets(), Vec::<String>::new());
}

proptest! {
    /// Whatever the password is, and however the URL is broken, it is never shown.
    #[test]
    fn a_password_is_never_shown(password in "[!-~]{1,12}", rest in "[a-z@:/?&=%]{0,16}") {
        let marked = format!("zq{password}qz");
        if let Ok(target) = parse(&format!("postgresql://anna:{marked}@h/db?{rest}")) {
            let shown = format!("{} {target:?}", target.describe());
            for secret in target.secrets() {
                prop_assert!(!shown.contains(&secret), "{shown}");
            }
        }
        if let Err(error) = parse(&format!("postgresql://anna:{marked}{rest}")) {
            // A mistyped URL may well make the password a parameter's name; the marker is in the credentials here.
            let named = matches!(error, UrlError::UnknownParameter { .. });
            let text = format!("{error} {error:?} {:?}", error.help());
            prop_assert!(named || !text.contains(&marked), "{}", text);
        }
    }
}
