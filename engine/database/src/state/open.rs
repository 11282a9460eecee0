//! Opening the state of a connected database.

use crate::connection::Connection;
use crate::database::{Database, as_role};
use crate::error::DatabaseError;
use crate::postgres::connect::SessionOptions;
use crate::sqlite::connect::Access;
use crate::state::progress::{self, Direction, Progress};
use crate::state::setup::Tables;
use crate::state::{State, setup};
use crate::target::TargetKind;

/// The table of how far scripts came.
const PROGRESS: &str = "statement_progress";

impl Database {
    /// Tollgate's own tables. They are made when they are not there.
    pub fn state(&mut self) -> Result<State<'_>, DatabaseError> {
        self.prepare_state()?;
        self.open_state()
    }

    /// Tollgate's own tables, when they are there. Never creates them.
    pub fn read_state(&mut self) -> Result<Option<State<'_>>, DatabaseError> {
        if !self.state_ready {
            if let TargetKind::Sqlite(target) = &self.target.kind {
                let path = target.state_path();
                if !path.exists() {
                    return Ok(None);
                }
                let place = path.display().to_string();
                let file = crate::sqlite::connect::open_file(&path, Access::Read, target.busy_timeout, &place)?;
                self.sidecar = Some(Connection::Sqlite(file));
            }
            if !setup::has(self.state_connection(), setup::READABLE)? {
                self.sidecar = None;
                return Ok(None);
            }
        }
        self.open_state().map(Some)
    }

    fn open_state(&mut self) -> Result<State<'_>, DatabaseError> {
        self.known_tables()?;
        let ledger = self.ledger_name();
        Ok(State {
            ledger,
            tables: self.tables.get_or_insert_default(),
            connection: self.sidecar.as_mut().unwrap_or(&mut self.connection),
            inside: false,
        })
    }

    /// Tables of the state that are there.
    pub(super) fn known_tables(&mut self) -> Result<&Tables, DatabaseError> {
        if self.tables.is_none() {
            self.tables = Some(Tables::of(self.state_connection())?);
        }
        Ok(self.tables.get_or_insert_default())
    }

    /// Whether those on PostgreSQL are of an earlier version.
    fn has_older_tables(&mut self) -> Result<bool, DatabaseError> {
        if !self.connection.is_postgres() || !self.known_tables()?.has(setup::VERSIONS) {
            return Ok(false);
        }
        setup::is_older(&mut self.connection)
    }

    /// Makes tables of the state unless they are there.
    pub(crate) fn make_tables(&mut self, tables: &[&str]) -> Result<(), DatabaseError> {
        self.known_tables()?;
        let known = self.tables.get_or_insert_default();
        let connection = self.sidecar.as_mut().unwrap_or(&mut self.connection);
        known.make(connection, tables, false)
    }

    /// Whether progress may be on record.
    pub(crate) fn keeps_progress(&self) -> bool {
        self.tables.as_ref().is_some_and(|tables| tables.has(PROGRESS))
    }

    /// Statements that forget what is known of a row.
    pub(crate) fn forgetting(&self, row: &str) -> String {
        if self.keeps_progress() {
            progress::forget(self.connection.is_postgres(), row)
        } else {
            String::new()
        }
    }

    pub(crate) fn prepare_state(&mut self) -> Result<(), DatabaseError> {
        if self.state_ready {
            return Ok(());
        }
        let older = self.has_older_tables()?;
        match &self.target.kind {
            TargetKind::Postgres(target) => {
                if older {
                    let session = SessionOptions {
                        application_name: self.options.application_name.clone(),
                        read_only: self.options.read_only,
                    };
                    setup::set_up_postgres(target, &session)?;
                    self.tables = None;
                }
                self.make_tables(&["runs"])?;
            }
            TargetKind::Sqlite(target) => {
                let file = setup::open_sqlite(&target.state_path())?;
                self.sidecar = Some(Connection::Sqlite(file));
            }
        }
        self.state_ready = true;
        Ok(())
    }

    pub(crate) fn ledger_name(&self) -> String {
        self.place.schema.clone().unwrap_or_else(|| "main".to_owned())
    }

    pub(crate) fn has_sidecar(&self) -> bool {
        self.sidecar.is_some()
    }

    pub(crate) fn state_connection(&mut self) -> &mut Connection {
        self.sidecar.as_mut().unwrap_or(&mut self.connection)
    }

    /// What is known of a script that did not come through.
    pub(crate) fn progress(&mut self, row: &str, direction: Direction) -> Result<Option<Progress>, DatabaseError> {
        if !self.known_tables()?.has(PROGRESS) {
            return Ok(None);
        }
        progress::read(self.state_connection(), row, direction)
    }

    /// Records progress now, by itself.
    pub(crate) fn keep(&mut self, progress: &Progress) -> Result<(), DatabaseError> {
        self.make_tables(&[PROGRESS])?;
        let connection = self.sidecar.as_mut().unwrap_or(&mut self.connection);
        let sql = progress.save(connection.is_postgres());
        let sql = if connection.is_postgres() {
            as_role(self.role.as_deref(), &format!("BEGIN; {{}} {sql} COMMIT"))
        } else {
            sql
        };
        connection.run_own("record how far the migration came", &sql)
    }
}
