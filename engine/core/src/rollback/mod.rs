//! Taking migrations back: where the SQL comes from, what it costs, and running it.

mod execute;
mod generate;
mod plan;
mod select;

pub use execute::{RollbackReport, TakenBack, rollback};
pub use generate::generate;
pub use plan::{PlannedStep, RollbackPlan, Source};
pub use select::Selection;
