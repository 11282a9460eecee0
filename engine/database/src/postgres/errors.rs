//! The driver's errors as ours and as diesel's.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use postgres::error::{DbError, ErrorPosition, Severity};

use crate::error::{ServerDetails, ServerError};

/// What the driver reported about `sent`.
pub(crate) fn server_error(error: &postgres::Error, sent: &str) -> ServerError {
    match error.as_db_error() {
        Some(error) => from_server(error, sent),
        // What is no answer of the server leaves it open what became of what was sent: it may have gone on, and committed.
        None => ServerError {
            connection_lost: true,
            ..ServerError::text(chain(error))
        },
    }
}

fn from_server(error: &DbError, sent: &str) -> ServerError {
    let position = match error.position() {
        // The server counts characters from 1.
        Some(ErrorPosition::Original(position)) => {
            let index = usize::try_from(*position).unwrap_or(1).saturating_sub(1);
            sent.char_indices()
                .nth(index)
                .map(|(byte, _)| byte)
                .or(Some(sent.len()))
        }
        _ => None,
    };
    ServerError {
        sqlstate: Some(error.code().code().to_owned()),
        message: error.message().to_owned(),
        position,
        more: Box::new(ServerDetails {
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            context: error.where_().map(str::to_owned),
            routine: error.routine().map(str::to_owned),
        }),
        connection_lost: ends_session(error),
    }
}

/// The server closes the connection after it: an administrator's command, a crash, a transaction that was idle for too
/// long. An error of class 08 that is not fatal is about a connection of the statement's own (`dblink`).
fn ends_session(error: &DbError) -> bool {
    if let Some(severity) = error.parsed_severity() {
        return matches!(severity, Severity::Fatal | Severity::Panic);
    }
    let code = error.code().code();
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
}

/// An error and what caused it, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// For diesel's own code, which looks at the kind.
pub(crate) fn diesel_error(error: &ServerError) -> DieselError {
    let kind = match error.sqlstate.as_deref() {
        Some("23505") => DatabaseErrorKind::UniqueViolation,
        Some("23503") => DatabaseErrorKind::ForeignKeyViolation,
        Some("23502") => DatabaseErrorKind::NotNullViolation,
        Some("23514") => DatabaseErrorKind::CheckViolation,
        Some("40001") => DatabaseErrorKind::SerializationFailure,
        Some("25006") => DatabaseErrorKind::ReadOnlyTransaction,
        None if error.connection_lost => DatabaseErrorKind::ClosedConnection,
        None => DatabaseErrorKind::UnableToSendCommand,
        Some(_) => return unknown(error),
    };
    DieselError::DatabaseError(kind, Box::new(Information(error.clone())))
}

fn unknown(error: &ServerError) -> DieselError {
    // `DatabaseErrorKind::Unknown` is hidden by diesel; a boxed error carries as much and stays stable.
    DieselError::QueryBuilderError(Box::new(error.clone()))
}

struct Information(ServerError);

impl DatabaseErrorInformation for Information {
    fn message(&self) -> &str {
        &self.0.message
    }

    fn details(&self) -> Option<&str> {
        self.0.more.detail.as_deref()
    }

    fn hint(&self) -> Option<&str> {
        self.0.more.hint.as_deref()
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        None
    }

    fn statement_position(&self) -> Option<i32> {
        self.0.position.and_then(|position| i32::try_from(position).ok())
    }
}
