//! What the tests share.

use std::path::Path;

use tollgate_database::{
    Applied, ConnectOptions, Database, ExecuteError, ExecuteEvent, ExecuteOptions, LedgerRow, Migration, Target, ledger,
};
use tollgate_testing::SqliteFile;
use tollgate_testing::postgres::{TestDatabase, cluster};

/// Either backend, empty, with a connection and a way to look at it from outside.
pub struct Fixture {
    pub database: Database,
    outside: Outside,
}

enum Outside {
    Postgres(TestDatabase<'static>),
    Sqlite(SqliteFile),
}

pub fn connect(url: &str) -> Database {
    let options = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    Database::connect(&Target::parse(url, Path::new("/")).unwrap(), &options).unwrap()
}

pub fn postgres() -> Fixture {
    let outside = cluster().database();
    Fixture {
        database: connect(&outside.url()),
        outside: Outside::Postgres(outside),
    }
}

pub fn sqlite() -> Fixture {
    let outside = tollgate_testing::sqlite_file();
    Fixture {
        database: connect(&outside.url()),
        outside: Outside::Sqlite(outside),
    }
}

/// Both backends, for what has to be the same on both.
pub fn both() -> [Fixture; 2] {
    [postgres(), sqlite()]
}

impl Fixture {
    /// Asks with psql or sqlite3.
    pub fn ask(&self, sql: &str) -> String {
        match &self.outside {
            Outside::Postgres(database) => database.psql(sql).trim_end().to_owned(),
            Outside::Sqlite(file) => file.sqlite3(sql).trim_end().to_owned(),
        }
    }

    /// The same of Tollgate's own tables.
    pub fn ask_state(&self, sql: &str) -> String {
        match &self.outside {
            Outside::Postgres(database) => database.psql(sql).trim_end().to_owned(),
            Outside::Sqlite(file) => {
                let state = file.path().with_extension("db.tollgate.db");
                let output = std::process::Command::new("sqlite3")
                    .arg(state)
                    .arg(sql)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            }
        }
    }

    pub fn url(&self) -> String {
        match &self.outside {
            Outside::Postgres(database) => database.url(),
            Outside::Sqlite(file) => file.url(),
        }
    }

    pub fn folder(&self) -> &Path {
        match &self.outside {
            Outside::Postgres(_) => panic!("a server has no folder"),
            Outside::Sqlite(file) => file.folder(),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.outside, Outside::Postgres(_))
    }

    pub fn apply(&mut self, name: &str, sql: &str) -> Result<Applied, ExecuteError> {
        self.apply_with(name, sql, &ExecuteOptions::default()).0
    }

    pub fn apply_with(
        &mut self,
        name: &str,
        sql: &str,
        options: &ExecuteOptions,
    ) -> (Result<Applied, ExecuteError>, Vec<ExecuteEvent>) {
        let mut events = Vec::new();
        let result = apply(&mut self.database, name, sql, options, &mut |event| events.push(event));
        (result, events)
    }

    /// The ledger in a form that is the same every time.
    pub fn ledger(&mut self) -> String {
        let rows = self.database.ledger().unwrap().unwrap_or_default();
        rows.iter().map(describe).collect::<Vec<_>>().join("\n")
    }
}

pub fn apply(
    database: &mut Database,
    name: &str,
    sql: &str,
    options: &ExecuteOptions,
    events: &mut dyn FnMut(ExecuteEvent),
) -> Result<Applied, ExecuteError> {
    let script = tollgate_sql::parse(database.server().dialect, sql).unwrap();
    let checksum = ledger::checksum(sql.as_bytes());
    database.apply(
        &Migration {
            name,
            checksum: &checksum,
            script: &script,
            text: sql,
            pragmas: tollgate_database::Pragmas::default(),
            durability: tollgate_database::Durability::Now,
        },
        options,
        events,
    )
}

fn describe(row: &LedgerRow) -> String {
    let set = |set: bool| if set { "yes" } else { "no" };
    format!(
        "{} finished={} rolled_back={} steps={} logs={}",
        row.migration_name,
        set(row.finished_at.is_some()),
        set(row.rolled_back_at.is_some()),
        row.applied_steps_count,
        set(row.logs.is_some())
    )
}

/// An error as a person gets to see it, with everything that can be asked of it.
pub fn explain(error: &ExecuteError) -> String {
    let place = error.span().map(|span| format!("{}..{}", span.start, span.end));
    format!(
        "{error}\nstatement: {:?}, span: {place:?}, sqlstate: {:?}\ndetail: {:?}\nhint: {:?}\nstate: {:?}\nhelp: {}",
        error.statement(),
        error.sqlstate(),
        error.detail(),
        error.hint(),
        error.state,
        error.help()
    )
}
