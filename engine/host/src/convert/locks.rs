//! What a statement locks, as the contract says it.

use tollgate_schema::locks::{LockMode, TableLock};

use super::{object_kind, object_name};
use crate::bindings::script as wit;

pub(in super::super) fn table_lock(lock: &TableLock) -> wit::TableLock {
    wit::TableLock {
        relation: object_name(&lock.relation),
        kind: object_kind(lock.kind),
        mode: mode(lock.mode),
        scans: lock.scans,
        rewrites: lock.rewrites,
    }
}

fn mode(mode: LockMode) -> wit::LockMode {
    match mode {
        LockMode::AccessShare => wit::LockMode::AccessShare,
        LockMode::RowShare => wit::LockMode::RowShare,
        LockMode::RowExclusive => wit::LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive => wit::LockMode::ShareUpdateExclusive,
        LockMode::Share => wit::LockMode::Share,
        LockMode::ShareRowExclusive => wit::LockMode::ShareRowExclusive,
        LockMode::Exclusive => wit::LockMode::Exclusive,
        LockMode::AccessExclusive => wit::LockMode::AccessExclusive,
    }
}
