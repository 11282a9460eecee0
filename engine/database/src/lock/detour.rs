//! Leaving a transaction pooler: settings, roles and what a script says of its session mean nothing behind one, and what is
//! set there stays behind for others. So a run whose lock has a direct URL goes by way of that as a whole.

use crate::connection::Connection;
use crate::database::Database;
use crate::diagnose::is_pooled;
use crate::error::DatabaseError;
use crate::guard;
use crate::lock::LockError;
use crate::postgres::connect::{SessionOptions, open_untouched};
use crate::postgres::target::PostgresTarget;
use crate::target::{Target, TargetKind};

impl Database {
    /// When a transaction pooler lies between, goes on by the direct way, which is known to lead to the same database.
    pub(crate) fn leave_pooler(&mut self, direct: &Target) -> Result<(), LockError> {
        let (TargetKind::Postgres(own), TargetKind::Postgres(way)) = (&self.target.kind, &direct.kind) else {
            return Ok(());
        };
        let own = own.clone();
        if !own.pooler && !self.goes_through_pooler(&own)? {
            return Ok(());
        }
        if own.user != way.user {
            let name = |user: &Option<String>| user.clone().unwrap_or_default();
            return Err(LockError::OtherRole {
                lock: name(&way.user),
                database: name(&own.user),
            });
        }
        let target = way.elsewhere(&way.database, &own.schema);
        self.target = Target {
            kind: TargetKind::Postgres(Box::new(target)),
        };
        self.connection = Connection::open(&self.target, &self.options)?;
        self.session = guard::session(&mut self.connection);
        Ok(())
    }

    fn goes_through_pooler(&mut self, target: &PostgresTarget) -> Result<bool, DatabaseError> {
        let session = SessionOptions {
            application_name: self.options.application_name.clone(),
            read_only: true,
        };
        let mut other = Connection::Postgres(Box::new(open_untouched(target, &session)?));
        match is_pooled(&mut self.connection, &mut other) {
            // A pooler that lends sessions out by the statement knows no transactions.
            Err(DatabaseError::Server { error, .. }) if error.is("08P01") => Ok(true),
            answer => answer,
        }
    }

    /// Makes the session ours, now that it is certain that it is.
    pub(crate) fn settle(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            Connection::Postgres(connection) => connection
                .settle()
                .map_err(|error| DatabaseError::server("set up the session", error)),
            // It still works, but not as a script expects to find it.
            Connection::Sqlite(_) if self.spoilt => self.reconnect().map(drop),
            Connection::Sqlite(_) => Ok(()),
        }
    }
}
