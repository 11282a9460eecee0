//! An `SQLite` database: its file, whether it is sound, what is recorded in it.

use std::path::Path;

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::ledger;
use crate::diagnose::locks::judge_lease;
use crate::diagnose::run::{Request, Sink, told, unseen};
use crate::diagnose::session::Row;
use crate::diagnose::sqlite_file;
use crate::diagnose::storage::{Table, largest_of};
use crate::diagnose::words::{bytes, count, some};
use crate::error::DatabaseError;
use crate::ledger::TABLE;
use crate::ledger::store::Place;
use crate::sqlite::connect::{Access, open, open_file};
use crate::sqlite::target::SqliteTarget;
use crate::state::leases;

/// A larger file is not read from end to end.
const READ_WHOLE: i64 = 1 << 30;

/// What to do about something else in the place of the file with Tollgate's own tables.
const SIDECAR_IN_THE_WAY: &str = "Tollgate keeps its own tables there: move it away";

/// How many defects are listed.
const DEFECTS: usize = 20;

/// What is looked at in an open file.
const PROBES: &[Probe] = &[
    (Group::Server, "version", version),
    (Group::Server, "journal", journal),
    (Group::Server, "integrity", integrity),
    (Group::Server, "foreign-keys", foreign_keys),
    (Group::Locks, "migration-lock", sqlite_file::lock),
    (Group::Locks, "lease", lease),
    (Group::Ledger, "ledger", rows_of_ledger),
    (Group::Ledger, "state", state),
    (Group::Ledger, "outbox", outbox),
    (Group::Database, "size", size),
    (Group::Database, "largest-tables", largest),
];

type Probe = (Group, &'static str, Look);
type Look = fn(&mut Connection, &SqliteTarget, &Request) -> Result<Vec<Finding>, DatabaseError>;

/// Looks at everything; whether the file could be opened, or can be made.
pub(super) fn look(target: &SqliteTarget, request: &Request, sink: &mut Sink<'_>) -> bool {
    if !target.path.exists() {
        let missing = sqlite_file::missing(target);
        let may_be_made = missing.status != Status::Bad;
        sink.add(missing);
        return may_be_made;
    }
    for finding in sqlite_file::look(target) {
        sink.add(finding);
    }
    if let Some((finding, cut_off)) = sqlite_file::left_over(target) {
        sink.add(finding);
        if cut_off {
            return true;
        }
    }
    let mut connection = match open(target, Access::Read) {
        Ok(connection) => Connection::Sqlite(connection),
        Err(error) => {
            let reason = match &error {
                DatabaseError::NotOpened { reason, .. } | DatabaseError::Unsupported { reason, .. } => reason.clone(),
                other => told(other),
            };
            let finding = Finding::new(
                Group::Connection,
                "open",
                Status::Bad,
                format!("cannot be opened: {reason}"),
            );
            let help = error
                .help()
                .unwrap_or_else(|| "name another file in the URL".to_owned());
            sink.add(finding.help(help));
            return false;
        }
    };
    let line = "the file opens as an SQLite database";
    sink.add(Finding::new(Group::Connection, "open", Status::Ok, line));
    for (group, name, look) in PROBES {
        match look(&mut connection, target, request) {
            Ok(findings) => findings.into_iter().for_each(|finding| sink.add(finding)),
            Err(error) => sink.add(unseen(*group, name, &error)),
        }
    }
    true
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The rows of a query with one column `line` that holds JSON.
fn rows(connection: &mut Connection, sql: &str) -> Result<Vec<Row>, DatabaseError> {
    let result: Result<Vec<Line>, _> = match &mut *connection {
        Connection::Sqlite(inner) => sql_query(sql).load(&mut **inner),
        Connection::Postgres(inner) => sql_query(sql).load(&mut **inner),
    };
    let lines = result.map_err(|error| connection.explain("look", &error))?;
    Ok(lines.iter().map(|line| Row::parse(&line.line)).collect())
}

fn row(connection: &mut Connection, sql: &str) -> Result<Row, DatabaseError> {
    Ok(rows(connection, sql)?.into_iter().next().unwrap_or_default())
}

fn server(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Server, name, status, line)
}

fn version(connection: &mut Connection, _: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = row(connection, "SELECT json_object('version', sqlite_version()) AS line")?;
    let line = format!("SQLite {}, part of this program", row.text("version"));
    Ok(vec![server("version", Status::Ok, line)])
}

fn journal(connection: &mut Connection, _: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = row(
        connection,
        "SELECT json_object('mode', journal_mode, 'encoding', encoding) AS line FROM pragma_journal_mode, pragma_encoding",
    )?;
    let line = format!("journal mode {}, encoding {}", row.text("mode"), row.text("encoding"));
    Ok(vec![match row.text("mode").as_str() {
        "off" | "memory" => server(
            "journal",
            Status::Warn,
            format!("{line}: a crash in a migration damages the file"),
        )
        .help("PRAGMA journal_mode = WAL, or DELETE"),
        _ => server("journal", Status::Ok, line),
    }])
}

/// Size of the database as its pages say.
fn file_size(connection: &mut Connection) -> Result<(i64, i64), DatabaseError> {
    let row = row(
        connection,
        "SELECT json_object('size', page_count * page_size, 'free', freelist_count * page_size) AS line FROM \
         pragma_page_count, pragma_page_size, pragma_freelist_count",
    )?;
    Ok((row.int("size"), row.int("free")))
}

fn too_large(group: Group, name: &'static str, size: i64, command: &str) -> Finding {
    let line = format!("left out: reading {} takes its time", bytes(size));
    Finding::new(group, name, Status::Skipped, line).help(format!("when there is time: {command}"))
}

fn integrity(connection: &mut Connection, target: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let (size, _) = file_size(connection)?;
    if size > READ_WHOLE {
        let command = format!("sqlite3 {} 'PRAGMA quick_check'", target.path.display());
        return Ok(vec![too_large(Group::Server, "integrity", size, &command)]);
    }
    let sql = format!("SELECT json_object('defect', quick_check) AS line FROM pragma_quick_check LIMIT {DEFECTS}");
    // A file that is badly damaged ends the question instead of answering it.
    let defects: Vec<String> = match rows(connection, &sql) {
        Ok(rows) => rows
            .iter()
            .map(|row| row.text("defect"))
            .filter(|text| text != "ok")
            .collect(),
        Err(error) => vec![told(&error)],
    };
    Ok(vec![match defects.first() {
        None => server("integrity", Status::Ok, "the file is sound (quick_check)"),
        Some(first) => {
            let first = first.lines().next().unwrap_or_default().to_owned();
            server("integrity", Status::Bad, format!("the file is damaged: {first}"))
                .help("keep a copy of the file, then put back a backup or save what can be read: sqlite3 FILE .recover")
                .details(defects)
        }
    }])
}

fn foreign_keys(connection: &mut Connection, _: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let (size, _) = file_size(connection)?;
    if size > READ_WHOLE {
        return Ok(vec![too_large(
            Group::Server,
            "foreign-keys",
            size,
            "PRAGMA foreign_key_check",
        )]);
    }
    let rows = rows(
        connection,
        "SELECT json_object('child', \"table\", 'parent', parent, 'number', count(*)) AS line FROM \
         pragma_foreign_key_check GROUP BY \"table\", parent ORDER BY 1",
    )?;
    if rows.is_empty() {
        return Ok(vec![server(
            "foreign-keys",
            Status::Ok,
            "every foreign key leads to a row",
        )]);
    }
    let details: Vec<String> = rows
        .iter()
        .map(|row| {
            let number = count(row.int("number"), "row");
            format!(
                "{number} of {} without one in {}",
                row.text("child"),
                row.text("parent")
            )
        })
        .collect();
    let line = format!("foreign keys that lead nowhere: {}", some(&details, 3));
    Ok(vec![
        server("foreign-keys", Status::Warn, line)
            .help(
                "a migration that rebuilds such a table may be refused: mend the rows first (PRAGMA foreign_key_check)",
            )
            .details(details),
    ])
}

fn rows_of_ledger(
    connection: &mut Connection,
    _: &SqliteTarget,
    request: &Request,
) -> Result<Vec<Finding>, DatabaseError> {
    let tables = row(
        connection,
        &format!(
            "SELECT json_object('number', count(*)) AS line FROM sqlite_master WHERE type = 'table' AND name NOT LIKE \
             'sqlite\\_%' ESCAPE '\\' AND name <> '{TABLE}'"
        ),
    )?;
    ledger::read(connection, &Place { schema: None }, tables.int("number"), request)
}

/// The file with Tollgate's own tables, when it is there and has this table.
fn sidecar(target: &SqliteTarget, table: &str) -> Result<Option<Connection>, DatabaseError> {
    let path = target.state_path();
    if !path.exists() {
        return Ok(None);
    }
    let shown = path.display().to_string();
    let file = open_file(&path, Access::Read, target.busy_timeout, &shown)?;
    let mut connection = Connection::Sqlite(file);
    let found = row(
        &mut connection,
        &format!("SELECT json_object('number', count(*)) AS line FROM sqlite_master WHERE name = '{table}'"),
    )?;
    Ok((found.int("number") > 0).then_some(connection))
}

fn state(_: &mut Connection, target: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let table = "__diesel_schema_migrations";
    let mut sidecar = match sidecar(target, table) {
        Ok(Some(sidecar)) => sidecar,
        Ok(None) => return Ok(vec![ledger::no_state()]),
        Err(error @ (DatabaseError::NotOpened { .. } | DatabaseError::Unsupported { .. })) => {
            let help = error.help();
            let broken = ledger::finding("state", Status::Bad, error.to_string());
            return Ok(vec![broken.help(help.unwrap_or_else(|| SIDECAR_IN_THE_WAY.to_owned()))]);
        }
        Err(error) => return Err(error),
    };
    let row = row(
        &mut sidecar,
        &format!("SELECT json_object('number', count(*)) AS line FROM {table}"),
    )?;
    let finding = ledger::judge_state(row.int("number"));
    Ok(vec![finding.details(vec![shown(&target.state_path())])])
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn outbox(_: &mut Connection, target: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let Some(mut sidecar) = sidecar(target, "outbox")? else {
        return Ok(Vec::new());
    };
    let question = ledger::MESSAGES.replace("{}", "");
    let rows = rows(
        &mut sidecar,
        &format!(
            "SELECT json_object('notifier', notifier, 'status', status, 'number', number, 'oldest', oldest, 'attempts', \
             attempts) AS line FROM ({question}'main' GROUP BY notifier, status ORDER BY notifier, status)"
        ),
    )?;
    Ok(vec![ledger::judge_outbox(&rows)])
}

fn lease(_: &mut Connection, target: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let leases = leases::in_file(&target.state_path(), target.busy_timeout)?;
    Ok(vec![judge_lease(leases.iter().find(|lease| lease.ledger == "main"))])
}

fn size(connection: &mut Connection, _: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let (size, free) = file_size(connection)?;
    let empty = if free > 0 {
        format!(", {} of them empty", bytes(free))
    } else {
        String::new()
    };
    let line = format!("the database has {}{empty}", bytes(size));
    Ok(vec![Finding::new(Group::Database, "size", Status::Ok, line)])
}

fn largest(connection: &mut Connection, _: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let (size, _) = file_size(connection)?;
    if size > READ_WHOLE {
        let command = "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY 2 DESC LIMIT 10";
        return Ok(vec![too_large(Group::Database, "largest-tables", size, command)]);
    }
    // Indexes count for their tables.
    let rows = rows(
        connection,
        "SELECT json_object('name', t, 'size', s) AS line FROM (SELECT m.tbl_name AS t, sum(d.pgsize) AS s FROM dbstat d \
         JOIN sqlite_master m ON m.name = d.name WHERE d.aggregate = TRUE AND m.tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10)",
    )?;
    let tables: Vec<Table> = rows
        .iter()
        .map(|row| Table {
            name: row.text("name"),
            size: row.int("size"),
            rows: None,
        })
        .collect();
    Ok(vec![largest_of(&tables)])
}
