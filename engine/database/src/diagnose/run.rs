//! What is looked at, in which order.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::reach::{self, Reached};
use crate::diagnose::session::Session;
use crate::diagnose::{ledger, load, locks, pooler, privileges, replication, server, settings, sqlite, storage};
use crate::error::DatabaseError;
use crate::postgres::connect::SessionOptions;
use crate::postgres::target::PostgresTarget;
use crate::target::{Target, TargetKind};

/// What is asked about a database.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// What the server shows as our name, unless the URL says otherwise.
    pub application_name: String,
    /// Names of the migrations that there are, when that is known.
    pub migrations: Option<Vec<String>>,
    /// Extensions that the migrations create.
    pub extensions: Vec<WantedExtension>,
    /// The URL of the lock, where it has one of its own.
    pub lock: Option<Target>,
}

/// An extension that a migration creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedExtension {
    /// Its name.
    pub name: String,
    /// The migration.
    pub migration: String,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The server could be reached, or the file opened.
    pub connected: bool,
    /// What was looked at, in order.
    pub findings: Vec<Finding>,
}

/// Where findings go: kept, and told at once.
pub(super) struct Sink<'a> {
    findings: Vec<Finding>,
    found: &'a mut dyn FnMut(&Finding),
}

impl Sink<'_> {
    pub(super) fn add(&mut self, finding: Finding) {
        (self.found)(&finding);
        self.findings.push(finding);
    }
}

/// Looks at everything about `target`, and tells each finding as soon as there is one.
///
/// It never fails: what cannot be looked at is a finding, too.
pub fn diagnose(target: &Target, request: &Request, found: &mut dyn FnMut(&Finding)) -> Diagnosis {
    let mut sink = Sink {
        findings: Vec::new(),
        found,
    };
    let connected = match &target.kind {
        TargetKind::Postgres(target) => postgres(target, request, &mut sink),
        TargetKind::Sqlite(target) => sqlite::look(target, request, &mut sink),
    };
    if !connected {
        let line = "whatever needs a connection was left out";
        sink.add(Finding::new(Group::Server, "not-connected", Status::Skipped, line));
    }
    Diagnosis {
        connected,
        findings: sink.findings,
    }
}

/// Something to look at.
struct Probe {
    group: Group,
    /// Of what is reported when it cannot be looked at.
    name: &'static str,
    look: Look,
}

type Look = fn(&mut Session<'_>, &Request) -> Result<Vec<Finding>, DatabaseError>;

const fn probe(group: Group, name: &'static str, look: Look) -> Probe {
    Probe { group, name, look }
}

/// What belongs to the whole server.
const SERVER: &[Probe] = &[
    probe(Group::Server, "version", server::version),
    probe(Group::Server, "writable", server::writable),
    probe(Group::Server, "connections", server::connections),
    probe(Group::Server, "clock", server::clock),
];

/// What holds in the database, and what the role may do there.
const RULES: &[Probe] = &[
    probe(Group::Server, "settings", settings::settings),
    probe(Group::Server, "time-limits", settings::time_limits),
    probe(Group::Privileges, "role", privileges::role),
    probe(Group::Privileges, "schema", privileges::schema),
    probe(Group::Privileges, "ledger-access", privileges::ledger),
    probe(Group::Privileges, "state-access", privileges::state),
    probe(Group::Privileges, "ownership", privileges::ownership),
    probe(Group::Privileges, "monitoring", privileges::monitoring),
];

/// What hangs on the server.
const REPLICATION: &[Probe] = &[
    probe(Group::Replication, "pooler", pooler::pooler),
    probe(Group::Replication, "replicas", replication::replicas),
    probe(Group::Replication, "synchronous-standbys", replication::synchronous),
    probe(Group::Replication, "replication-slots", replication::slots),
];

/// What is in the database, and what others do there.
const CONTENT: &[Probe] = &[
    probe(Group::Load, "sessions", load::sessions),
    probe(Group::Load, "long-transactions", load::long_transactions),
    probe(Group::Load, "idle-in-transaction", load::idle_in_transaction),
    probe(Group::Load, "blocked-sessions", load::blocked),
    probe(Group::Load, "prepared-transactions", load::prepared),
    probe(Group::Load, "wraparound", load::wraparound),
    probe(Group::Locks, "migration-lock", locks::migration_lock),
    probe(Group::Locks, "lease", locks::lease),
    probe(Group::Locks, "advisory-locks", locks::others),
    probe(Group::Ledger, "ledger", ledger::postgres),
    probe(Group::Ledger, "state", ledger::postgres_state),
    probe(Group::Ledger, "outbox", ledger::postgres_outbox),
    probe(Group::Database, "size", storage::size),
    probe(Group::Database, "largest-tables", storage::largest),
    probe(Group::Database, "invalid-indexes", storage::invalid_indexes),
    probe(Group::Database, "unvalidated-constraints", storage::unvalidated),
    probe(Group::Database, "extensions", storage::extensions),
];

fn postgres(target: &PostgresTarget, request: &Request, sink: &mut Sink<'_>) -> bool {
    let options = SessionOptions {
        application_name: request.application_name.clone(),
        read_only: true,
    };
    match reach::reach(target, &options, sink) {
        Reached::Connected(connection) => {
            let groups = [SERVER, RULES, REPLICATION, CONTENT];
            let session = Session::new(target, target, options, connection);
            ask(session, &groups, request, sink)
        }
        Reached::NoDatabase => without_database(target, options, request, sink),
        Reached::Nowhere => false,
    }
}

/// The server is there and the database is not: another one of the same server tells whether a deploy can make it.
fn without_database(target: &PostgresTarget, options: SessionOptions, request: &Request, sink: &mut Sink<'_>) -> bool {
    let elsewhere = target.elsewhere("postgres", "public");
    let Ok(connection) = reach::open(&elsewhere, &options) else {
        let line = format!("the database \"{}\" does not exist", target.database);
        let finding = Finding::new(Group::Connection, "database-exists", Status::Bad, line);
        sink.add(finding.help("create it, or check its name in the URL"));
        return false;
    };
    let missing = &[probe(
        Group::Connection,
        "database-exists",
        privileges::missing_database,
    )];
    let groups: [&[Probe]; 3] = [missing, SERVER, REPLICATION];
    let session = Session::new(target, &elsewhere, options, connection);
    ask(session, &groups, request, sink)
}

/// What to do where not even a transaction can be begun.
const NO_TRANSACTIONS: &str =
    "a pooler that lends server processes out per statement cannot be used: give a direct URL";

fn ask(mut session: Session<'_>, groups: &[&[Probe]], request: &Request, sink: &mut Sink<'_>) -> bool {
    let round_trip = reach::round_trip(session.connection());
    let ready = round_trip.and_then(|finding| {
        sink.add(finding);
        session.learn()
    });
    if let Err(error) = ready {
        let line = format!("connected, but nothing can be asked: {}", told(&error));
        let finding = Finding::new(Group::Connection, "questions", Status::Bad, line);
        sink.add(finding.help(error.help().unwrap_or_else(|| NO_TRANSACTIONS.to_owned())));
        return false;
    }
    for probe in groups.iter().copied().flatten() {
        match (probe.look)(&mut session, request) {
            Ok(findings) => findings.into_iter().for_each(|finding| sink.add(finding)),
            Err(error) => sink.add(unseen(probe.group, probe.name, &error)),
        }
    }
    true
}

/// What is said of something that could not be looked at.
pub(super) fn unseen(group: Group, name: &'static str, error: &DatabaseError) -> Finding {
    let line = format!("could not be looked at: {}", told(error));
    let finding = Finding::new(group, name, Status::Skipped, line);
    match error.help() {
        // What gives the right stands with the privileges.
        Some(help) if error.sqlstate() != Some("42501") => finding.help(help),
        _ => finding,
    }
}

/// The server's own words where there are any.
pub(super) fn told(error: &DatabaseError) -> String {
    match error {
        DatabaseError::Server { error, .. } => error.message.clone(),
        other => other.to_string(),
    }
}
