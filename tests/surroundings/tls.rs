//! Encrypted connections, as the URL asks for them and as the server demands them.

mod fixture;

use insta::{allow_duplicates, assert_snapshot};
use tollgate_testing::postgres::cluster;

use crate::session::{APPLIED, BLOG_APPLIED, blog, on, session};
use fixture::Fixture;

/// A host name and the parameters of a URL.
type Way = (&'static str, &'static str);

/// What the server shows, who connects, to which name and with which parameters.
const CASES: &[(&str, &str, &[Way])] = &[
    (
        "good",
        "must_encrypt",
        &[
            ("localhost", "sslmode=disable"),
            ("localhost", ""),
            ("localhost", "sslmode=prefer"),
            ("localhost", "sslmode=require"),
            ("localhost", "sslmode=require&sslrootcert=other.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-full&sslcert=root.pem"),
            ("localhost", "sslaccept=strict&sslcert=root.pem"),
            ("localhost", "sslmode=require&sslaccept=accept_invalid_certs"),
            ("localhost", "sslmode=verify-full&sslrootcert=good.pem"),
            ("127.0.0.1", "sslmode=verify-full&sslrootcert=root.pem"),
            ("127.0.0.1", "sslmode=verify-full&sslrootcert=good.pem"),
            ("127.0.0.1", "sslaccept=strict&sslcert=root.pem"),
            ("127.0.0.1", "sslmode=verify-ca&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=other.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=nowhere.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=empty.pem"),
        ],
    ),
    (
        "good",
        "must_not_encrypt",
        &[("localhost", "sslmode=disable"), ("localhost", "sslmode=require")],
    ),
    (
        "good",
        "must_identify",
        &[
            (
                "localhost",
                "sslmode=verify-full&sslrootcert=root.pem&sslidentity=somebody.pem",
            ),
            ("localhost", "sslmode=require"),
            ("localhost", "sslmode=require&sslidentity=foreign.pem"),
            ("localhost", "sslmode=require&sslidentity=keyless.pem"),
            ("localhost", "sslmode=require&sslidentity=nowhere.pem"),
            ("localhost", "sslmode=disable&sslidentity=client.pem"),
        ],
    ),
    (
        "good",
        "must_be_itself",
        &[
            ("localhost", "sslmode=require&sslidentity=client.pem"),
            ("localhost", "sslmode=require&sslidentity=somebody.pem"),
            (
                "localhost",
                "sslmode=verify-full&sslrootcert=root.pem&sslcert=certificate.pem&sslkey=key.pem",
            ),
            (
                "localhost",
                "sslmode=verify-full&sslrootcert=other.pem&sslcert=certificate.pem&sslkey=key.pem",
            ),
            (
                "localhost",
                "sslmode=require&sslcert=certificate.pem&sslkey=certificate.pem",
            ),
        ],
    ),
    (
        "address",
        "must_encrypt",
        &[
            ("127.0.0.1", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
        ],
    ),
    (
        "elsewhere",
        "must_encrypt",
        &[
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=root.pem"),
            ("localhost", "sslmode=require"),
        ],
    ),
    (
        "several",
        "must_encrypt",
        &[("localhost", "sslmode=verify-full&sslrootcert=root.pem")],
    ),
    (
        "expired",
        "must_encrypt",
        &[
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=expired.pem"),
            ("localhost", "sslmode=require"),
        ],
    ),
    (
        "stranger",
        "must_encrypt",
        &[
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=other.pem"),
            ("localhost", "sslmode=verify-full"),
            ("localhost", "sslaccept=strict&sslcert=root.pem"),
        ],
    ),
    (
        "chained",
        "must_encrypt",
        &[
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-full&sslrootcert=other.pem"),
        ],
    ),
    (
        "nameless",
        "must_encrypt",
        &[
            ("localhost", "sslmode=verify-full&sslrootcert=root.pem"),
            ("localhost", "sslmode=verify-ca&sslrootcert=root.pem"),
        ],
    ),
];

/// All of it in one test: there is one server, and it shows one certificate at a time.
#[test]
fn trust_is_what_the_url_asks_for() {
    let mut fixture = Fixture::new();
    // What stands for the roots that this machine trusts.
    let trusted = fixture.project.path().join("root.pem").display().to_string();
    fixture.project.set("SSL_CERT_FILE", &trusted);
    let mut seen = String::new();
    for (certificate, role, attempts) in CASES {
        fixture.show(certificate);
        seen += &format!("== {certificate}, {role}\n");
        for (host, parameters) in *attempts {
            let result = fixture.attempt(role, host, parameters);
            seen += &format!("{host} {parameters}\n    {result}\n");
        }
    }
    assert_snapshot!(seen, @r#"
    == good, must_encrypt
    localhost sslmode=disable
        THE SERVER refused the login: pg_hba.conf rejects connection for host "127.0.0.1", user "must_encrypt", database "shop", no encryption
        help: the server's pg_hba.conf does not let this user into this database without encryption (sslmode=disable): try sslmode=require
    localhost 
        connected
    localhost sslmode=prefer
        connected
    localhost sslmode=require
        connected
    localhost sslmode=require&sslrootcert=other.pem
        connected
    localhost sslmode=verify-ca&sslrootcert=root.pem
        connected
    localhost sslmode=verify-full&sslrootcert=root.pem
        connected
    localhost sslmode=verify-full&sslcert=root.pem
        connected
    localhost sslaccept=strict&sslcert=root.pem
        connected
    localhost sslmode=require&sslaccept=accept_invalid_certs
        connected
    localhost sslmode=verify-full&sslrootcert=good.pem
        connected
    127.0.0.1 sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is for localhost, not for 127.0.0.1
        help: write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    127.0.0.1 sslmode=verify-full&sslrootcert=good.pem
        no encrypted connection to THE SERVER: the server's certificate is for localhost, not for 127.0.0.1
        help: write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    127.0.0.1 sslaccept=strict&sslcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is for localhost, not for 127.0.0.1
        help: write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    127.0.0.1 sslmode=verify-ca&sslrootcert=root.pem
        connected
    localhost sslmode=verify-ca&sslrootcert=other.pem
        no encrypted connection to THE SERVER: the server's certificate is not signed by one of other.pem
        help: name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    localhost sslmode=verify-full&sslrootcert=nowhere.pem
        no encrypted connection to THE SERVER: cannot read the root certificates in nowhere.pem: No such file or directory (os error 2)
        help: name a PEM file with certificates that this user may read: sslrootcert=/path/root.pem
    localhost sslmode=verify-full&sslrootcert=empty.pem
        no encrypted connection to THE SERVER: cannot read the root certificates in empty.pem: there is none in it
        help: name a PEM file with certificates that this user may read: sslrootcert=/path/root.pem
    == good, must_not_encrypt
    localhost sslmode=disable
        connected
    localhost sslmode=require
        THE SERVER refused the login: pg_hba.conf rejects connection for host "127.0.0.1", user "must_not_encrypt", database "shop", SSL encryption
        help: the server's pg_hba.conf does not let this user into this database from this address with encryption: a line may be missing there, take connections without it only (sslmode=disable), or want a certificate of ours (sslidentity=/path/client.pem)
    == good, must_identify
    localhost sslmode=verify-full&sslrootcert=root.pem&sslidentity=somebody.pem
        connected
    localhost sslmode=require
        THE SERVER refused the login: connection requires a valid client certificate
        help: the server's pg_hba.conf does not let this user into this database from this address with encryption: a line may be missing there, take connections without it only (sslmode=disable), or want a certificate of ours (sslidentity=/path/client.pem)
    localhost sslmode=require&sslidentity=foreign.pem
        no encrypted connection to THE SERVER: the server wants another certificate than the one in foreign.pem (UnknownCA)
        help: name one that the server's ssl_ca_file has signed: sslidentity=/path/client.pem
    localhost sslmode=require&sslidentity=keyless.pem
        no encrypted connection to THE SERVER: cannot read our private key in keyless.pem: there is none in it
        help: it has to be there, and not be encrypted: in the file of sslidentity together with our certificate, or by itself in that of sslkey
    localhost sslmode=require&sslidentity=nowhere.pem
        no encrypted connection to THE SERVER: cannot read our certificate or key in nowhere.pem: No such file or directory (os error 2)
        help: name a PEM file that this user may read
    localhost sslmode=disable&sslidentity=client.pem
        THE SERVER refused the login: pg_hba.conf rejects connection for host "127.0.0.1", user "must_identify", database "shop", no encryption
        help: the server's pg_hba.conf does not let this user into this database without encryption (sslmode=disable): try sslmode=require
    == good, must_be_itself
    localhost sslmode=require&sslidentity=client.pem
        connected
    localhost sslmode=require&sslidentity=somebody.pem
        THE SERVER refused the login: certificate authentication failed for user "must_be_itself"
        help: the server's pg_hba.conf does not let this user into this database from this address with this certificate
    localhost sslmode=verify-full&sslrootcert=root.pem&sslcert=certificate.pem&sslkey=key.pem
        connected
    localhost sslmode=verify-full&sslrootcert=other.pem&sslcert=certificate.pem&sslkey=key.pem
        no encrypted connection to THE SERVER: the server's certificate is not signed by one of other.pem
        help: name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    localhost sslmode=require&sslcert=certificate.pem&sslkey=certificate.pem
        no encrypted connection to THE SERVER: cannot read our private key in certificate.pem: there is none in it
        help: it has to be there, and not be encrypted: in the file of sslidentity together with our certificate, or by itself in that of sslkey
    == address, must_encrypt
    127.0.0.1 sslmode=verify-full&sslrootcert=root.pem
        connected
    localhost sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is for 127.0.0.1, not for localhost
        help: write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    == elsewhere, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is for db.example.com, *.example.com, not for localhost
        help: write the host as the certificate names it, or check only who signed it: sslmode=verify-ca
    localhost sslmode=verify-ca&sslrootcert=root.pem
        connected
    localhost sslmode=require
        connected
    == several, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        connected
    == expired, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate has expired
        help: give the server a new one; should it be valid, look at the clock of this machine
    localhost sslmode=verify-ca&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate has expired
        help: give the server a new one; should it be valid, look at the clock of this machine
    localhost sslmode=verify-ca&sslrootcert=expired.pem
        no encrypted connection to THE SERVER: the server's certificate has expired
        help: give the server a new one; should it be valid, look at the clock of this machine
    localhost sslmode=require
        connected
    == stranger, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is not signed by one of root.pem
        help: name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    localhost sslmode=verify-full&sslrootcert=other.pem
        connected
    localhost sslmode=verify-full
        no encrypted connection to THE SERVER: the server's certificate is signed by nobody whom this machine trusts
        help: name a PEM file with the root certificate of whoever signed it: sslrootcert=/path/root.pem
    localhost sslaccept=strict&sslcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate is not signed by one of root.pem
        help: name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    == chained, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        connected
    localhost sslmode=verify-full&sslrootcert=other.pem
        no encrypted connection to THE SERVER: the server's certificate is not signed by one of other.pem
        help: name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem
    == nameless, must_encrypt
    localhost sslmode=verify-full&sslrootcert=root.pem
        no encrypted connection to THE SERVER: the server's certificate names no host, so it is not for localhost
        help: make one that has the host's name in its subjectAltName; sslmode=verify-ca checks only who signed it
    localhost sslmode=verify-ca&sslrootcert=root.pem
        connected
    "#);
}

/// Every connection of a deploy is made in the same way.
#[test]
fn a_deploy_is_encrypted_as_a_whole() {
    let mut fixture = Fixture::new();
    for (role, parameters) in [
        ("must_not_encrypt", "sslmode=disable"),
        (
            "must_be_itself",
            "sslmode=verify-full&sslrootcert=root.pem&sslidentity=client.pem",
        ),
    ] {
        fixture.cluster.admin("DROP DATABASE shop").unwrap();
        let url = fixture.url(role, "localhost", parameters);
        fixture.project.set("DATABASE_URL", &url);
        allow_duplicates! {
            assert_snapshot!(fixture.project.run(&["deploy"]), @"
            status: 0
            -- stdout
            applied 1_users [duration]
            applied 2_posts [duration]
            applied 3_views [duration]
            3 migrations checked: 3 notes
            3 migrations applied in [duration]
            ");
        }
    }
}

#[test]
fn a_server_without_encryption() {
    let database = cluster().database();
    for mode in ["require", "verify-ca", "verify-full"] {
        let project = on(&format!("{}?sslmode={mode}", database.url()));
        blog(&project);
        allow_duplicates! {
            assert_snapshot!(session(&project, &["deploy"]), @r#"
            $ tollgate deploy
            status: 1
            -- stderr
            database

              × no encrypted connection to PostgreSQL database "[database]", schema "public" at
              │ 127.0.0.1:[port]: the server offers none
              help: turn on `ssl` at the server; sslmode=prefer goes on without it, for a network that nobody
                    listens in on
              the database now: nothing was changed
            "#);
        }
    }
    let project = on(&format!("{}?sslmode=prefer", database.url()));
    blog(&project);
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

/// What would be misread is refused.
#[test]
fn parameters_that_cannot_be_honoured_are_refused() {
    let mut seen = String::new();
    for parameters in [
        "sslmode=verify-full&sslkey=client.key",
        "sslmode=verify-everything",
        "sslaccept=perhaps",
        "sslmode=verify-full&sslaccept=accept_invalid_certs",
    ] {
        let project = on(&format!("postgresql://app:hidden-marker@127.0.0.1/shop?{parameters}"));
        blog(&project);
        seen += &session(&project, &["status"]);
    }
    assert!(!seen.contains("marker"), "{seen}");
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 2
    -- stderr
    config::database-url

      × the database URL's parameter "sslkey" has no certificate
      help: name it, too: sslcert=client.crt; it is from DATABASE_URL


    $ tollgate status
    status: 2
    -- stderr
    config::database-url

      × the database URL's parameter "sslmode" is none of disable, prefer, require, verify-ca,
      │ verify-full
      help: it is from DATABASE_URL


    $ tollgate status
    status: 2
    -- stderr
    config::database-url

      × the database URL's parameter "sslaccept" is neither strict nor accept_invalid_certs
      help: it is from DATABASE_URL


    $ tollgate status
    status: 2
    -- stderr
    config::database-url

      × the database URL's parameter "sslaccept" says accept_invalid_certs, and sslmode says to verify
      │ them
      help: leave sslaccept out; it is from DATABASE_URL
    "#);
}
