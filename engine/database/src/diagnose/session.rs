//! A connection to PostgreSQL that asks and never changes, and what the answers look like.

use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use serde_json::Value;

use crate::connection::Connection;
use crate::diagnose::reach;
use crate::error::{DatabaseError, ServerError};
use crate::postgres::connect::SessionOptions;
use crate::postgres::target::PostgresTarget;

/// What every question begins with. Nothing is set for longer than its transaction: behind a pooler it would stay for
/// others. Five seconds are long for a catalog, and short for somebody who waits; a lock is waited for one second, as
/// whoever queues for one keeps others waiting behind it.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'; \
                     SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL standard_conforming_strings = on";

/// The same questions, and the connection they are asked on.
pub(super) struct Session<'a> {
    /// What the URL says.
    pub target: &'a PostgresTarget,
    /// Where it leads: to a neighbour, when there is no such database.
    place: &'a PostgresTarget,
    options: SessionOptions,
    pub facts: Facts,
    connection: Connection,
    /// Why nothing can be asked any more.
    lost: Option<ServerError>,
}

/// What many of the questions depend on.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Major and minor.
    pub version: (i64, i64),
    /// The server's own words.
    pub version_text: String,
    /// The role that statements run as.
    pub role: String,
    pub superuser: bool,
    /// It takes no writes: a standby.
    pub in_recovery: bool,
    /// It sees what others do.
    pub sees_others: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        target: &'a PostgresTarget,
        place: &'a PostgresTarget,
        options: SessionOptions,
        connection: Connection,
    ) -> Self {
        Self {
            target,
            place,
            options,
            facts: Facts::default(),
            connection,
            lost: None,
        }
    }

    /// Asks what many of the questions depend on.
    pub(super) fn learn(&mut self) -> Result<(), DatabaseError> {
        self.facts = self.ask_facts()?;
        Ok(())
    }

    fn ask_facts(&mut self) -> Result<Facts, DatabaseError> {
        let row = self.row(
            "SELECT current_setting('server_version_num')::int8 AS number, version() AS text, current_user::text AS role, \
             (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser, pg_is_in_recovery() AS standby, \
             pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees",
        )?;
        let number = row.int("number");
        Ok(Facts {
            version: (number / 10_000, number % 10_000),
            version_text: row.text("text"),
            role: row.text("role"),
            superuser: row.flag("superuser"),
            in_recovery: row.flag("standby"),
            sees_others: row.flag("sees"),
        })
    }

    /// The rows of a query.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        let sql = format!("SELECT row_to_json(q)::text AS line FROM ({sql}) q");
        self.bounded(|connection| {
            let result: Result<Vec<Line>, _> = match &mut *connection {
                Connection::Postgres(inner) => sql_query(sql).load(&mut **inner),
                Connection::Sqlite(inner) => sql_query(sql).load(&mut **inner),
            };
            let lines = result.map_err(|error| connection.explain("look", &error))?;
            Ok(lines.iter().map(|line| Row::parse(&line.line)).collect())
        })
    }

    /// The first row of a query; an empty one when there is none.
    pub(super) fn row(&mut self, sql: &str) -> Result<Row, DatabaseError> {
        Ok(self.rows(sql)?.into_iter().next().unwrap_or_default())
    }

    /// Work in a transaction that writes nothing and waits for little.
    pub(super) fn bounded<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        if let Some(lost) = &self.lost {
            return Err(DatabaseError::server("look", lost.clone()));
        }
        let result = self.begin().and_then(|()| work(&mut self.connection));
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.run_own("end looking", end);
        let result = result.and_then(|value| ended.map(|()| value));
        self.notice_loss(&result);
        result
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.connection.run_own("begin to look", BEGIN)
    }

    /// A session that a question has cost is opened again, once for each.
    fn notice_loss<T>(&mut self, result: &Result<T, DatabaseError>) {
        let Err(DatabaseError::Server { error, .. }) = result else {
            return;
        };
        if !error.connection_lost {
            return;
        }
        match self.another() {
            Ok(connection) => self.connection = connection,
            Err(_) => self.lost = Some(error.clone()),
        }
    }

    /// Another connection to the same place.
    pub(super) fn another(&self) -> Result<Connection, DatabaseError> {
        self.to(self.place)
    }

    /// The same questions somewhere else.
    pub(super) fn at<'b>(&self, target: &'b PostgresTarget) -> Result<Session<'b>, DatabaseError> {
        Ok(Session::new(target, target, self.options.clone(), self.to(target)?))
    }

    /// A connection to somewhere else.
    pub(super) fn to(&self, target: &PostgresTarget) -> Result<Connection, DatabaseError> {
        reach::open(target, &self.options)
    }

    /// The connection itself, for measuring.
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// A row as the server's JSON. What is missing reads as nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Row(Value);

impl Row {
    pub(super) fn parse(line: &str) -> Self {
        Self(serde_json::from_str(line).unwrap_or_default())
    }

    /// A text, empty for NULL.
    pub(super) fn text(&self, name: &str) -> String {
        match &self.0[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// A text that is there and not empty.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A whole number, 0 for NULL.
    pub(super) fn int(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or_default()
    }

    /// A number that is there.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.0[name].as_f64()
    }

    /// Seconds, 0 for NULL.
    pub(super) fn seconds(&self, name: &str) -> f64 {
        self.number(name).unwrap_or_default()
    }

    /// A truth that is there and true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_default()
    }
}

/// The condition for a client's session in `pg_stat_activity`. What kind of session it is is hidden from a role without the
/// right to know; that it has a role and a database is not.
pub(super) const CLIENT: &str = "(backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL AND \
                                 datid IS NOT NULL))";

/// From a minute on a transaction is worth a word.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// From five minutes on it is worth a warning.
pub(super) const VERY_LONG: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use tollgate_testing::postgres::cluster;

    use super::*;
    use crate::target::{Target, TargetKind};

    #[test]
    fn a_question_that_costs_the_connection_costs_no_other_question() {
        let database = cluster().database();
        database.psql("CREATE SEQUENCE numbers;");
        let target = Target::parse(&database.url(), Path::new("/")).unwrap();
        let TargetKind::Postgres(target) = &target.kind else {
            unreachable!("the URL is one of PostgreSQL");
        };
        let options = SessionOptions {
            application_name: "doctor's test".to_owned(),
            read_only: true,
        };
        let connection = reach::open(target, &options).unwrap();
        let mut session = Session::new(target, target, options, connection);
        session.learn().unwrap();
        let refused = session.row("SELECT nothing FROM nowhere");
        assert!(refused.is_err());
        let ended = session.row("SELECT pg_terminate_backend(pg_backend_pid()) AS ended");
        assert!(ended.is_err());
        assert_eq!(session.row("SELECT 7 AS number").unwrap().int("number"), 7);
        let written = session.row("SELECT nextval('public.numbers') AS number");
        assert!(written.is_err(), "nothing can be written");
    }
}
