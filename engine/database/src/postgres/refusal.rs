//! Why no connection came about, and what to do about it.

use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use tokio_postgres::error::DbError;

use crate::error::{DatabaseError, redact};
use crate::postgres::client::OpenError;
use crate::postgres::errors::chain;
use crate::postgres::target::{Encryption, PostgresTarget};

/// Why [`crate::postgres::client::Client::open`] failed.
pub(crate) fn refusal(target: &PostgresTarget, error: &OpenError) -> DatabaseError {
    match error {
        OpenError::Refused(error) => refused(target, error),
        OpenError::Runtime(error) => unreachable(target, error.to_string(), "look at the limits of this machine"),
        OpenError::UnknownHost(error) => unreachable(
            target,
            format!("its name leads nowhere: {error}"),
            "check the host's name in the URL, and that this machine can look names up",
        ),
        OpenError::Silent(limit) => unreachable(
            target,
            format!("no answer within {}", seconds(*limit)),
            "check host and port, and that no firewall is in between; connect_timeout=SECONDS in the URL waits longer",
        ),
    }
}

fn seconds(limit: Duration) -> String {
    match limit.as_secs() {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// Why the driver has no connection.
pub(crate) fn refused(target: &PostgresTarget, error: &tokio_postgres::Error) -> DatabaseError {
    if let Some(answer) = error.as_db_error() {
        return by_server(target, answer);
    }
    if let Some(problem) = tls_error(error) {
        let (reason, help) = tls(target, problem);
        return DatabaseError::Tls {
            target: target.describe(),
            reason,
            help,
        };
    }
    let text = redact(&chain(error), &target.secrets());
    if text.contains("does not support TLS") {
        return DatabaseError::Tls {
            target: target.describe(),
            reason: "the server offers none".to_owned(),
            help: Some(
                "turn on `ssl` at the server; sslmode=prefer goes on without it, for a network that nobody listens in on"
                    .to_owned(),
            ),
        };
    }
    if text.contains("TLS") {
        return DatabaseError::Tls {
            target: target.describe(),
            reason: text,
            help: None,
        };
    }
    if text.contains("password missing") || text.contains("authentication error") {
        return DatabaseError::LoginRefused {
            target: target.describe(),
            reason: text,
            help: CREDENTIALS.to_owned(),
        };
    }
    unreachable(
        target,
        text,
        "check that the server runs and that host and port are right",
    )
}

fn unreachable(target: &PostgresTarget, reason: String, help: &str) -> DatabaseError {
    DatabaseError::Unreachable {
        target: target.describe(),
        reason,
        help: help.to_owned(),
    }
}

const CREDENTIALS: &str =
    "check user and password in the URL; characters such as @ : / ? # % have to be percent-encoded there";

/// The server answered, and let us not in. Its words may be in another language, so only its codes tell.
fn by_server(target: &PostgresTarget, answer: &DbError) -> DatabaseError {
    let code = answer.code().code();
    let mut said = answer.message().to_owned();
    if let Some(detail) = answer.detail() {
        said.extend([": ", detail]);
    }
    let reason = redact(&said, &target.secrets());
    let refused = |help: String| DatabaseError::LoginRefused {
        target: target.describe(),
        reason: reason.clone(),
        help,
    };
    let later = |help: String| DatabaseError::Unavailable {
        target: target.describe(),
        reason: reason.clone(),
        help,
    };
    match code {
        "3D000" => DatabaseError::Missing {
            target: target.describe(),
        },
        "28P01" => refused(CREDENTIALS.to_owned()),
        // The same code for a role that is not there or may not log in, and for what pg_hba.conf does not let in.
        "28000" if answer.routine() == Some("InitializeSessionUserId") => refused(
            "check the user in the URL, or let an administrator make the role: CREATE ROLE name LOGIN".to_owned(),
        ),
        "28000" => refused(not_let_in(target)),
        "42501" => refused("let an administrator run: GRANT CONNECT ON DATABASE the_database TO the_role".to_owned()),
        "53300" => later(CROWDED.to_owned()),
        "57P03" | "57P01" | "57P02" => later(
            "wait until the server accepts connections, and run the command again; a standby that lets nobody in never \
             will: give the URL of the primary server"
                .to_owned(),
        ),
        _ => DatabaseError::Unavailable {
            target: target.describe(),
            reason: format!("{reason} (SQLSTATE {code})"),
            help: answer
                .hint()
                .map_or_else(|| "the server's log may say more".to_owned(), |hint| redact(hint, &target.secrets())),
        },
    }
}

/// What to do about a server that has no connection left.
pub(crate) const CROWDED: &str = "a deploy takes three connections: end sessions that nobody needs, or raise the limit that \
    is reached (max_connections; CONNECTION LIMIT of the role or database)";

/// `pg_hba.conf` decides by user, database, address, encryption and certificate.
fn not_let_in(target: &PostgresTarget) -> String {
    let encrypted = match target.encryption {
        Encryption::Never => "without encryption (sslmode=disable): try sslmode=require",
        Encryption::IfOffered | Encryption::Always if target.identity.is_none() => {
            "from this address with encryption: a line may be missing there, take connections without it only \
             (sslmode=disable), or want a certificate of ours (sslidentity=/path/client.pem)"
        }
        Encryption::IfOffered | Encryption::Always => "from this address with this certificate",
    };
    format!("the server's pg_hba.conf does not let this user into this database {encrypted}")
}

/// What went wrong with the encryption, where that is the cause of `error`, and what to do.
pub(crate) fn tls_problem(
    target: &PostgresTarget,
    error: &(dyn std::error::Error + 'static),
) -> Option<(String, Option<String>)> {
    tls_error(error).map(|problem| tls(target, problem))
}

/// rustls' error at the bottom of the driver's.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error's source is not what it wraps, but the source of that.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        current = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// What is wrong with the encryption, and what to do.
fn tls(target: &PostgresTarget, error: &rustls::Error) -> (String, Option<String>) {
    match error {
        rustls::Error::InvalidCertificate(problem) => certificate(target, problem),
        rustls::Error::AlertReceived(alert) => alerted(target, *alert),
        rustls::Error::InvalidMessage(_) => (
            format!("what answers there speaks something else: {error}"),
            Some("check host and port".to_owned()),
        ),
        other => (other.to_string(), None),
    }
}

fn certificate(target: &PostgresTarget, problem: &CertificateError) -> (String, Option<String>) {
    let host = &target.host;
    match problem {
        CertificateError::UnknownIssuer => {
            let (reason, help) = match &target.roots {
                Some(roots) => (
                    format!("the server's certificate is not signed by one of {}", roots.display()),
                    "name the PEM file with the root certificate of whoever signed the server's: sslrootcert=/path/root.pem",
                ),
                None => (
                    "the server's certificate is signed by nobody whom this machine trusts".to_owned(),
                    "name a PEM file with the root certificate of whoever signed it: sslrootcert=/path/root.pem",
                ),
            };
            (reason, Some(help.to_owned()))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the server's certificate has expired".to_owned(),
            Some("give the server a new one; should it be valid, look at the clock of this machine".to_owned()),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet".to_owned(),
            Some("look at the clock of this machine".to_owned()),
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            format!("the server's certificate names no host, so it is not for {host}"),
            Some(
                "make one that has the host's name in its subjectAltName; sslmode=verify-ca checks only who signed it"
                    .to_owned(),
            ),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| named(name)).collect();
            (
                format!("the server's certificate is for {}, not for {host}", names.join(", ")),
                Some(
                    "write the host as the certificate names it, or check only who signed it: sslmode=verify-ca"
                        .to_owned(),
                ),
            )
        }
        other => (format!("the server's certificate is not accepted: {other}"), None),
    }
}

/// A name as rustls shows those of a certificate: `DnsName("db.example.com")`, `IpAddress(192.0.2.1)`.
fn named(shown: &str) -> String {
    let inside = shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(shown).trim_matches('"').to_owned()
}

/// The server broke off: it does not like what we have shown, or that we have shown nothing.
fn alerted(target: &PostgresTarget, alert: AlertDescription) -> (String, Option<String>) {
    let about_ours = matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
    );
    if !about_ours {
        return (format!("the server broke off ({alert:?})"), None);
    }
    let identity = target.identity.as_ref().map_or_else(
        || "a certificate of ours, and the URL names none".to_owned(),
        |path| format!("another certificate than the one in {}", path.display()),
    );
    (
        format!("the server wants {identity} ({alert:?})"),
        Some("name one that the server's ssl_ca_file has signed: sslidentity=/path/client.pem".to_owned()),
    )
}
