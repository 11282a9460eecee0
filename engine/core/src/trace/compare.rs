//! Prediction and reality side by side.

use std::fmt;

use tollgate_database::Observation;
use tollgate_schema::locks::{LockMode, TableLock};
use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{ObjectName, Statement};

/// Something that was not as predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Another lock than predicted; `None`: none at all.
    Lock {
        /// On what.
        relation: ObjectName,
        /// What was predicted.
        predicted: Option<LockMode>,
        /// What was seen.
        seen: Option<LockMode>,
    },
    /// Written anew though nobody said so, or the other way round.
    Rewrite {
        /// What.
        relation: ObjectName,
        /// What was predicted.
        predicted: bool,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock {
                relation,
                predicted,
                seen,
            } => {
                let word = |mode: Option<LockMode>| mode.map_or("no lock", LockMode::words);
                write!(
                    f,
                    "{relation}: {} was predicted, {} was seen",
                    word(*predicted),
                    word(*seen)
                )
            }
            Self::Rewrite {
                relation,
                predicted: true,
            } => write!(f, "{relation} was predicted to be written anew and was not"),
            Self::Rewrite { relation, .. } => write!(f, "{relation} was written anew, which nobody predicted"),
        }
    }
}

/// Where the two do not agree, and it matters:
///
/// - ACCESS SHARE and ROW SHARE are what reading takes, and keep nobody from reading or writing. Who reads what depends on
///   rows (a foreign key looks only when there are some), so these may be missing on either side.
/// - Indexes come with their tables; they count only where they were predicted by name.
/// - Behind a condition a statement may do less than predicted.
/// - TRUNCATE gives a table a new file, too, and has nothing to write into it.
/// - Outside of a transaction only the tables that were predicted can be looked at.
pub(super) fn differences(predicted: &[TableLock], seen: &Observation, statement: &Statement) -> Vec<Difference> {
    let mut found = Vec::new();
    let may_do_less = statement.effects.iter().any(|effect| effect.conditional);
    for lock in &seen.locks {
        let expected = predicted.iter().find(|known| known.relation == lock.relation);
        if expected.is_none() && (lock.kind == ObjectKind::Index || lock.mode <= LockMode::RowShare) {
            continue;
        }
        // What a default that takes a number of it needs.
        if expected.is_none() && lock.kind == ObjectKind::Sequence && lock.mode <= LockMode::RowExclusive {
            continue;
        }
        let expected = expected.map(|known| known.mode);
        let less = may_do_less && expected.is_some_and(|expected| expected > lock.mode);
        let both_weak =
            lock.mode <= LockMode::RowShare && expected.is_none_or(|expected| expected <= LockMode::RowShare);
        if expected != Some(lock.mode) && !less && !both_weak {
            found.push(Difference::Lock {
                relation: lock.relation.clone(),
                predicted: expected,
                seen: Some(lock.mode),
            });
        }
    }
    for lock in predicted {
        let known = seen.locks.iter().any(|seen| seen.relation == lock.relation);
        let visible = statement.transactional || lock.kind == ObjectKind::Table;
        if !known && !may_do_less && visible && lock.mode > LockMode::RowShare {
            found.push(Difference::Lock {
                relation: lock.relation.clone(),
                predicted: Some(lock.mode),
                seen: None,
            });
        }
    }
    found.extend(rewrites(predicted, seen, statement, may_do_less));
    found
}

fn rewrites(predicted: &[TableLock], seen: &Observation, statement: &Statement, may_do_less: bool) -> Vec<Difference> {
    let empties = |operation: &Operation| matches!(operation, Operation::Truncate { .. });
    if statement.effects.iter().any(|effect| empties(&effect.operation)) {
        return Vec::new();
    }
    let said = |relation: &ObjectName| predicted.iter().any(|lock| lock.relation == *relation && lock.rewrites);
    let listed = |relation: &ObjectName| predicted.iter().any(|lock| lock.relation == *relation);
    let surprising = seen.rewritten.iter().filter(|relation| !said(relation));
    let mut found: Vec<_> = surprising
        .filter(|relation| {
            listed(relation)
                || seen
                    .locks
                    .iter()
                    .any(|lock| lock.relation == **relation && lock.kind != ObjectKind::Index)
        })
        .map(|relation| Difference::Rewrite {
            relation: relation.clone(),
            predicted: false,
        })
        .collect();
    let missing = predicted
        .iter()
        .filter(|lock| lock.rewrites && !seen.rewritten.contains(&lock.relation));
    if !may_do_less {
        found.extend(missing.map(|lock| Difference::Rewrite {
            relation: lock.relation.clone(),
            predicted: true,
        }));
    }
    found
}
