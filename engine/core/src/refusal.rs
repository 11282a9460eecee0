//! Why `deploy`, `resolve`, `baseline` and `reset` do not do what they were asked to: the database or the configuration
//! says otherwise. Nothing was changed when one of these is returned.

use tollgate_schema::difference::Difference;

use crate::error::{ErrorKind, count};
use crate::shell::quoted;

/// A request that is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The catalog shows that what is to be recorded is not so.
    #[error("{migration} is not {recorded}: {}", .evidence.join("; "))]
    Contradicted {
        /// Migration.
        migration: String,
        /// `applied` or `rolled back`.
        recorded: &'static str,
        /// What is there, or is not, statement by statement.
        evidence: Vec<String>,
    },
    /// A baseline is for databases that no migration was recorded in.
    #[error("the ledger records {} already", count(*.rows, "attempt"))]
    LedgerInUse {
        /// How many rows it has.
        rows: usize,
    },
    /// Nothing that the migrations make is in the database.
    #[error("nothing that the migrations make is in the database")]
    NothingThere,
    /// The database is not what the migrations make.
    #[error("the database is not what the migrations up to {to} make: {}", count(.differences.len(), "difference"))]
    Differs {
        /// The last migration that was to be recorded.
        to: String,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// Findings cannot be approved with a deploy to this environment.
    #[error("{} does not let a deploy approve findings", .environment.as_deref().unwrap_or("the configuration"))]
    NoApprovalsHere {
        /// Name of the environment, when one was chosen.
        environment: Option<String>,
    },
    /// An approval has to be somebody's.
    #[error("nobody knows who approves this")]
    NobodyApproves,
    /// What is to be approved is no finding.
    #[error("--approve {request} {why}")]
    NothingToApprove {
        /// What was asked for.
        request: String,
        /// Why it cannot be done, as the rest of the sentence.
        why: String,
        /// The findings that there are, or the name that was probably meant.
        findings: Vec<String>,
    },
    /// The environment is not marked as one whose data may go.
    #[error("{} is not marked as a development environment, and its data is not thrown away", .environment.as_deref().unwrap_or("the configuration"))]
    NotDevelopment {
        /// Name of the environment, when one was chosen.
        environment: Option<String>,
    },
}

/// Differences that are shown before it says how many more there are.
const SHOWN: usize = 20;

impl Refusal {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NotDevelopment { .. }
            | Self::NoApprovalsHere { .. }
            | Self::NobodyApproves
            | Self::NothingToApprove { .. } => ErrorKind::Usage,
            _ => ErrorKind::Unexpected,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Contradicted { .. } => "contradicted",
            Self::LedgerInUse { .. } => "ledger-in-use",
            Self::NothingThere => "nothing-to-baseline",
            Self::Differs { .. } => "database-differs",
            Self::NotDevelopment { .. } => "not-development",
            Self::NoApprovalsHere { .. } | Self::NobodyApproves => "approval-refused",
            Self::NothingToApprove { .. } => "nothing-to-approve",
        }
    }

    pub(crate) fn help(&self) -> String {
        match self {
            Self::Contradicted {
                migration, recorded, ..
            } => format!(
                "`tollgate resolve {}` shows statement by statement what is in; --force records it as {recorded} all the same",
                quoted(migration)
            ),
            Self::LedgerInUse { .. } => {
                "`tollgate status` shows what is recorded; `tollgate resolve --applied NAME` adds a \
                                         migration that is in the database and not recorded"
                    .to_owned()
            }
            Self::NothingThere => {
                "`tollgate deploy` applies the migrations to an empty database; otherwise see that this is \
                                   the right database, and the right schema of it"
                    .to_owned()
            }
            Self::Differs { to, differences } => {
                let mut lines: Vec<String> = differences.iter().take(SHOWN).map(ToString::to_string).collect();
                if differences.len() > SHOWN {
                    lines.push(format!("… and {} more", differences.len() - SHOWN));
                }
                lines.push(format!(
                    "bring the database to what the migrations make, or write a first migration that makes what is there; \
                     `tollgate baseline --to {} --force` records them as they are",
                    quoted(to)
                ));
                lines.join("\n")
            }
            Self::NoApprovalsHere { environment } => {
                let place = match environment {
                    Some(name) => format!("[environments.{name}.approvals]"),
                    None => "[approvals], which holds where no environment is chosen".to_owned(),
                };
                format!(
                    "`tollgate approve` writes an approval into approvals.toml, to be reviewed with the migration; \
                     `command_line = true` under {place} lets a deploy approve"
                )
            }
            Self::NobodyApproves => "set USER, or GITHUB_ACTOR as GitHub does, to whoever approves".to_owned(),
            Self::NothingToApprove { findings, .. } => {
                if findings.is_empty() {
                    "there is nothing to approve in this migration".to_owned()
                } else {
                    findings.join("\n")
                }
            }
            Self::NotDevelopment { environment } => {
                let place = match environment {
                    Some(name) => format!("under [environments.{name}] in tollgate.toml"),
                    None => "at the top of tollgate.toml, or in an environment of it that --env chooses".to_owned(),
                };
                format!("where everything may be dropped at any time, write `development = true` {place}")
            }
        }
    }
}
