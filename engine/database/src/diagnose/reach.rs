//! The way to a PostgreSQL server, step by step and each timed: name, TCP, TLS, login, round trip.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::connection::Connection;
use crate::diagnose::bounded::within;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Sink;
use crate::diagnose::wire::{self, Method, Offer, Stream};
use crate::error::DatabaseError;
use crate::postgres::connect::{SessionOptions, open_untouched};
use crate::postgres::refusal::tls_problem;
use crate::postgres::target::{Encryption, PostgresTarget, Trust};
use crate::postgres::tls;

/// How long to wait for a server when the URL sets no limit.
const PATIENCE: Duration = Duration::from_secs(30);

/// A round trip that makes many small statements slow.
const FAR: Duration = Duration::from_millis(50);

/// What came of the way.
pub(super) enum Reached {
    /// There is a connection to the database.
    Connected(Connection),
    /// The server let us in and has no such database.
    NoDatabase,
    /// It ended somewhere; the findings say where.
    Nowhere,
}

/// How a server is addressed.
enum Address {
    Socket(String),
    Internet(Vec<SocketAddr>),
}

/// A connection before anybody logged in, and how far it can be trusted.
struct Line {
    stream: Box<dyn Stream>,
    encrypted: bool,
    /// It does not leave the machine.
    local: bool,
}

/// Goes the whole way.
pub(super) fn reach(target: &PostgresTarget, session: &SessionOptions, sink: &mut Sink<'_>) -> Reached {
    let Some(address) = look_up(target, sink) else {
        return Reached::Nowhere;
    };
    let Some(line) = call(target, &address, sink) else {
        return Reached::Nowhere;
    };
    let Some(mut line) = encrypt(target, line, sink) else {
        return Reached::Nowhere;
    };
    let method = ask_method(target, session, &mut line);
    let open = (line.encrypted, line.local);
    drop(line);
    log_in(target, session, method.as_ref(), open, sink)
}

fn connection(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Connection, name, status, line)
}

fn patience(target: &PostgresTarget) -> Duration {
    target.connect_timeout.unwrap_or(PATIENCE)
}

fn look_up(target: &PostgresTarget, sink: &mut Sink<'_>) -> Option<Address> {
    let host = &target.host;
    if host.starts_with('/') {
        let path = format!("{host}/.s.PGSQL.{}", target.port);
        sink.add(connection(
            "dns",
            Status::Ok,
            "a Unix socket: there is no name to look up",
        ));
        return Some(Address::Socket(path));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let line = format!("{address} is an address: there is no name to look up");
        sink.add(connection("dns", Status::Ok, line));
        return Some(Address::Internet(vec![SocketAddr::new(address, target.port)]));
    }
    let begin = Instant::now();
    let name = (host.clone(), target.port);
    let answer = within(patience(target), move || {
        name.to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let took = begin.elapsed();
    let problem = match answer {
        Some(Ok(addresses)) if !addresses.is_empty() => {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let line = format!("{host} is {}", shown.join(", "));
            sink.add(connection("dns", Status::Ok, line).took(took));
            return Some(Address::Internet(addresses));
        }
        Some(Ok(_)) => "it has no address".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => format!("no answer within {} s", patience(target).as_secs()),
    };
    let finding = connection(
        "dns",
        Status::Bad,
        format!("the name {host} cannot be looked up: {problem}"),
    );
    sink.add(
        finding
            .took(took)
            .help("check the host in the URL, and that this machine can look up names (VPN, resolv.conf)"),
    );
    None
}

fn call(target: &PostgresTarget, address: &Address, sink: &mut Sink<'_>) -> Option<Line> {
    match address {
        Address::Socket(path) => call_socket(target, path, sink),
        Address::Internet(addresses) => call_addresses(target, addresses, sink),
    }
}

#[cfg(unix)]
fn call_socket(target: &PostgresTarget, path: &str, sink: &mut Sink<'_>) -> Option<Line> {
    let begin = Instant::now();
    let limit = Some(patience(target));
    let opened = std::os::unix::net::UnixStream::connect(path).and_then(|stream| {
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        Ok(stream)
    });
    let took = begin.elapsed();
    match opened {
        Ok(stream) => {
            sink.add(connection("tcp", Status::Ok, format!("the socket {path} answers")).took(took));
            Some(Line {
                stream: Box::new(stream),
                encrypted: false,
                local: true,
            })
        }
        Err(error) => {
            let finding = connection(
                "tcp",
                Status::Bad,
                format!("the socket {path} cannot be opened: {error}"),
            );
            sink.add(
                finding
                    .took(took)
                    .help("check that the server runs on this machine, and its unix_socket_directories and port"),
            );
            None
        }
    }
}

#[cfg(not(unix))]
fn call_socket(_: &PostgresTarget, path: &str, sink: &mut Sink<'_>) -> Option<Line> {
    let line = format!("the socket {path} cannot be opened: this system has none");
    sink.add(connection("tcp", Status::Bad, line).help("write the server's host name into the URL"));
    None
}

/// The driver takes the first address that answers; the others are tried to know whether they do.
fn call_addresses(target: &PostgresTarget, addresses: &[SocketAddr], sink: &mut Sink<'_>) -> Option<Line> {
    let limit = patience(target);
    let begin = Instant::now();
    let (mut first, mut details, mut silent) = (None, Vec::new(), Vec::new());
    let mut harmless = true;
    for address in addresses {
        let tried = Instant::now();
        let opened = TcpStream::connect_timeout(address, limit).and_then(|stream| {
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok(stream)
        });
        let took = tried.elapsed();
        let milliseconds = took.as_secs_f64() * 1e3;
        match opened {
            Ok(stream) => {
                details.push(format!("{address} answers after {milliseconds:.1} ms"));
                first.get_or_insert((stream, *address, took));
            }
            Err(error) => {
                let reason = format!("{address}: {error}");
                details.push(format!("{reason} (after {milliseconds:.1} ms)"));
                // `localhost` means two addresses, and few servers listen at both: being refused there costs no time.
                harmless &= address.ip().is_loopback();
                silent.push(reason);
            }
        }
    }
    // Of one address the line says all.
    let details = if addresses.len() > 1 { details } else { Vec::new() };
    let Some((stream, address, took)) = first else {
        let finding = connection("tcp", Status::Bad, format!("nothing answers at {}", silent.join("; ")));
        sink.add(finding.took(begin.elapsed()).details(details).help(
            "check that the server runs, that host and port are right, that it listens there (listen_addresses), and that no \
             firewall is in between",
        ));
        return None;
    };
    let finding = if harmless {
        connection("tcp", Status::Ok, format!("{address} answers"))
    } else {
        let line = format!("{address} answers, but not {}", silent.join("; "));
        connection("tcp", Status::Warn, line)
            .help("every connection may wait for the address that does not answer: take it out of the name, or mend it")
    };
    sink.add(finding.took(took).details(details));
    Some(Line {
        stream: Box::new(stream),
        encrypted: false,
        local: address.ip().is_loopback(),
    })
}

/// What to do about a line that others can read.
const IN_THE_CLEAR: &str = "whoever is in between can read along: switch TLS on at the server (ssl = on) and write \
                            sslmode=verify-full into the URL";

fn encrypt(target: &PostgresTarget, mut line: Line, sink: &mut Sink<'_>) -> Option<Line> {
    if target.host.starts_with('/') {
        sink.add(connection("tls", Status::Ok, "not used on a Unix socket"));
        return Some(line);
    }
    if target.encryption == Encryption::Never {
        sink.add(unencrypted("switched off by sslmode=disable", line.local));
        return Some(line);
    }
    let begin = Instant::now();
    let offer = match wire::ask_for_tls(line.stream.as_mut()) {
        Ok(Offer::Nonsense) => Err("what answers is no PostgreSQL server".to_owned()),
        Ok(offer) => Ok(offer),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(format!(
            "connected, but nothing came back within {} s",
            patience(target).as_secs()
        )),
        Err(error) => Err(format!("connected, but nothing came back: {error}")),
    };
    match offer {
        Err(problem) => {
            sink.add(
                connection("tls", Status::Bad, problem)
                    .took(begin.elapsed())
                    .help("check the port in the URL; a server that is overloaded or stopped in the middle answers nothing either"),
            );
            None
        }
        Ok(Offer::Tls) => handshake(target, line, begin, sink),
        Ok(_) if target.encryption == Encryption::Always => {
            let line = "the URL demands TLS, and the server offers none";
            sink.add(
                connection("tls", Status::Bad, line)
                    .took(begin.elapsed())
                    .help("switch TLS on at the server (ssl = on), or write sslmode=prefer"),
            );
            None
        }
        Ok(_) => {
            sink.add(unencrypted("not offered by the server, and not demanded", line.local).took(begin.elapsed()));
            Some(line)
        }
    }
}

fn unencrypted(why: &str, local: bool) -> Finding {
    if local {
        connection(
            "tls",
            Status::Ok,
            format!("{why}; the connection stays on this machine"),
        )
    } else {
        connection("tls", Status::Note, format!("{why}: the connection is not encrypted")).help(IN_THE_CLEAR)
    }
}

/// Shakes hands on a connection of its own, as the driver does it later.
fn handshake(target: &PostgresTarget, line: Line, begin: Instant, sink: &mut Sink<'_>) -> Option<Line> {
    let local = line.local;
    let shaken = shake(target, line.stream);
    let took = begin.elapsed();
    let (stream, version) = match shaken {
        Ok(done) => done,
        Err((problem, help)) => {
            let help = help.unwrap_or_else(|| {
                "check sslmode, sslrootcert and the host name against the server's certificate".to_owned()
            });
            sink.add(connection("tls", Status::Bad, problem).took(took).help(help));
            return None;
        }
    };
    let (trust, checked) = match target.trust {
        Trust::Anybody => ("the certificate was not checked", false),
        Trust::Chain => ("the certificate's signer was checked, its name was not", true),
        Trust::ChainAndName => ("the certificate was checked", true),
    };
    let finding = if checked || local {
        connection("tls", Status::Ok, format!("{version}; {trust}"))
    } else {
        connection("tls", Status::Note, format!("{version}; {trust}")).help(
            "whoever is in between can pretend to be the server: write sslmode=verify-full, and sslrootcert for a root of \
             your own",
        )
    };
    sink.add(finding.took(took));
    Some(Line {
        stream,
        encrypted: true,
        local,
    })
}

/// What to do when a server takes part in no handshake.
const NOT_SHAKEN: &str = "the server's log may say why; a server that is overloaded or stopped in the middle answers \
                          nothing, and something in between may let no TLS through";

/// The server agreed to encrypt, and then broke off or said nothing.
fn not_shaken(target: &PostgresTarget, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
            "the server agreed to TLS, and then nothing came back within {} s",
            patience(target).as_secs()
        ),
        _ => format!("the server agreed to TLS, and then broke off: {error}"),
    }
}

/// A stream that is encrypted, and by what; or what went wrong and what to do.
type Shaken = Result<(Box<dyn Stream>, String), (String, Option<String>)>;

fn shake(target: &PostgresTarget, stream: Box<dyn Stream>) -> Shaken {
    let ours = |error: DatabaseError| match error {
        DatabaseError::Tls { reason, help, .. } => (reason, help),
        other => (other.to_string(), other.help()),
    };
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tls_problem(target, error).unwrap_or_else(|| (format!("no encrypted connection: {error}"), None))
    };
    let broken = |error: &std::io::Error| {
        tls_problem(target, error).unwrap_or_else(|| (not_shaken(target, error), Some(NOT_SHAKEN.to_owned())))
    };
    let config = tls::client_config(target).map_err(ours)?;
    let name = ServerName::try_from(target.host.clone()).map_err(|error| failed(&error))?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))?;
    let mut stream = StreamOwned::new(client, stream);
    while stream.conn.is_handshaking() {
        stream
            .conn
            .complete_io(&mut stream.sock)
            .map_err(|error| broken(&error))?;
    }
    let version = match stream.conn.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        other => format!("{other:?}"),
    };
    Ok((Box::new(stream), version))
}

/// How the server wants the role to prove who it is. Nothing that goes wrong here is reported: the login tells it better.
fn ask_method(target: &PostgresTarget, session: &SessionOptions, line: &mut Line) -> Option<Method> {
    let user = target.user.as_deref()?;
    let application = target.application_name.as_ref().unwrap_or(&session.application_name);
    let words = [
        ("user", user),
        ("database", target.database.as_str()),
        ("application_name", application.as_str()),
    ];
    wire::ask_for_method(line.stream.as_mut(), &words).ok()
}

fn log_in(
    target: &PostgresTarget,
    session: &SessionOptions,
    method: Option<&Method>,
    (encrypted, local): (bool, bool),
    sink: &mut Sink<'_>,
) -> Reached {
    let begin = Instant::now();
    let answer = open(target, session);
    let took = begin.elapsed();
    let role = target.user.as_deref().unwrap_or("the system's user");
    let by = method
        .and_then(Method::describe)
        .map_or_else(String::new, |method| format!(" ({method})"));
    let welcome = || {
        let line = format!("{role} may log in{by}; a new connection all in all");
        if method == Some(&Method::Cleartext) && !encrypted && !local {
            connection("authentication", Status::Warn, line).help(
                "the password crosses the network as it is: use TLS, or scram-sha-256 in the server's pg_hba.conf",
            )
        } else {
            connection("authentication", Status::Ok, line)
        }
    };
    match answer {
        Ok(connection) => {
            sink.add(welcome().took(took));
            Reached::Connected(connection)
        }
        Err(DatabaseError::Missing { .. }) => {
            sink.add(welcome().took(took));
            Reached::NoDatabase
        }
        Err(error) => {
            sink.add(refused(role, &by, &error).took(took));
            Reached::Nowhere
        }
    }
}

fn refused(role: &str, by: &str, error: &DatabaseError) -> Finding {
    let line = match error {
        DatabaseError::LoginRefused { reason, .. } => format!("{role} may not log in{by}: {reason}"),
        DatabaseError::Unavailable { reason, .. }
        | DatabaseError::Unreachable { reason, .. }
        | DatabaseError::Tls { reason, .. } => format!("{role} could not log in{by}: {reason}"),
        other => format!("{role} could not log in{by}: {other}"),
    };
    let finding = connection("authentication", Status::Bad, line);
    match error.help() {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Opens a connection whose session is left as the server gives it.
pub(super) fn open(target: &PostgresTarget, session: &SessionOptions) -> Result<Connection, DatabaseError> {
    Ok(Connection::Postgres(Box::new(open_untouched(target, session)?)))
}

/// The median of five questions for nothing.
pub(super) fn round_trip(connection: &mut Connection) -> Result<Finding, DatabaseError> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        connection.run_own("ask for nothing", "SELECT 1")?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    let median = times[2];
    let line = "an empty question and its answer";
    let finding = if median > FAR {
        self::connection("round-trip", Status::Note, line)
            .help("every statement of a migration takes at least as long: run deploys nearer to the database")
    } else {
        self::connection("round-trip", Status::Ok, line)
    };
    Ok(finding.took(median))
}
