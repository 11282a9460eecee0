//! Prisma's ledger table `_prisma_migrations`, byte for byte. Nothing else writes it.

mod checksum;
mod row;
mod shape;
pub(crate) mod store;

pub use checksum::{checksum, matches};
pub(crate) use row::INTERRUPTED;
pub use row::{LedgerError, LedgerRow};

/// Name of the table.
pub const TABLE: &str = "_prisma_migrations";
