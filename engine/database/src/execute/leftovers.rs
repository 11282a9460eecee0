//! What an attempt that neither finished nor was given up has left in the database.

use crate::ledger::LedgerRow;
use crate::state::progress::Progress;

/// What is known about an unfinished attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing of it is in the database: the next deploy applies it from the start by itself.
    Nothing,
    /// It was interrupted, and it is certain how far it came: the next deploy goes on from there by itself.
    Interrupted {
        /// Statements that are in.
        done: usize,
    },
    /// A statement failed after others had been committed: `resume` goes on from there.
    Partly {
        /// Statements that are in.
        done: usize,
        /// A statement after them that ran outside a transaction and may have left something.
        in_doubt: Option<usize>,
    },
    /// Another program ran it, or our record of it is gone: only a person can tell.
    Unknown,
}

impl Leftovers {
    /// What our record says about a row.
    pub(crate) fn of(row: &LedgerRow, progress: Option<&Progress>) -> Self {
        let Some(progress) = progress else {
            return Self::Unknown;
        };
        let failed = row.logs.as_deref().is_some_and(|logs| !logs.is_empty());
        // The ledger's own count is committed together with the statements, also where our state is another file.
        let done = progress.done.max(usize::try_from(row.applied_steps_count).unwrap_or(0));
        let in_doubt = progress.in_flight.filter(|index| *index >= done);
        match (done, in_doubt, failed) {
            (0, None, _) => Self::Nothing,
            (done, None, false) => Self::Interrupted { done },
            (done, Some(_), false) if progress.repeatable => Self::Interrupted { done },
            (done, in_doubt, _) => Self::Partly { done, in_doubt },
        }
    }

    /// How many of its statements are in, where that is on record.
    pub fn done(&self) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Interrupted { done } | Self::Partly { done, .. } => Some(*done),
            Self::Unknown => None,
        }
    }

    /// The statement that may have left something.
    pub fn in_doubt(&self) -> Option<usize> {
        match self {
            Self::Partly { in_doubt, .. } => *in_doubt,
            Self::Nothing | Self::Interrupted { .. } | Self::Unknown => None,
        }
    }

    /// Whether a deploy has to stop at it.
    pub fn blocks(&self, resume: bool) -> bool {
        match self {
            Self::Nothing | Self::Interrupted { .. } => false,
            Self::Partly { .. } => !resume,
            Self::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::progress::Direction;

    #[test]
    fn tell_a_crash_from_a_failure_and_both_from_a_stranger() {
        let row = |logs: Option<&str>, steps| LedgerRow {
            id: "r".to_owned(),
            checksum: String::new(),
            finished_at: None,
            migration_name: "m".to_owned(),
            logs: logs.map(str::to_owned),
            rolled_back_at: None,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            applied_steps_count: steps,
        };
        let progress = |done, in_flight, repeatable| {
            Some(Progress {
                done,
                in_flight,
                repeatable,
                ..Progress::start("r", Direction::Up)
            })
        };
        let failed = Some("P3018");
        for (logs, steps, progress, expected, blocks) in [
            (None, 0, None, Leftovers::Unknown, (true, true)),
            (None, 0, progress(0, None, false), Leftovers::Nothing, (false, false)),
            (failed, 0, progress(0, None, false), Leftovers::Nothing, (false, false)),
            (
                None,
                0,
                progress(2, None, false),
                Leftovers::Interrupted { done: 2 },
                (false, false),
            ),
            // The ledger was committed, the sidecar was not.
            (
                None,
                3,
                progress(2, Some(2), false),
                Leftovers::Interrupted { done: 3 },
                (false, false),
            ),
            (
                None,
                0,
                progress(0, Some(0), true),
                Leftovers::Interrupted { done: 0 },
                (false, false),
            ),
            (
                None,
                0,
                progress(0, Some(0), false),
                Leftovers::Partly {
                    done: 0,
                    in_doubt: Some(0),
                },
                (true, false),
            ),
            (
                failed,
                0,
                progress(2, None, false),
                Leftovers::Partly {
                    done: 2,
                    in_doubt: None,
                },
                (true, false),
            ),
            (
                failed,
                0,
                progress(2, Some(2), true),
                Leftovers::Partly {
                    done: 2,
                    in_doubt: Some(2),
                },
                (true, false),
            ),
        ] {
            let found = Leftovers::of(&row(logs, steps), progress.as_ref());
            assert_eq!(found, expected);
            assert_eq!((found.blocks(false), found.blocks(true)), blocks, "{expected:?}");
        }
    }
}
