//! Which of the session's pragmas hold when a statement runs.

use tollgate_plugin::Operation;
use tollgate_plugin::rules::{Context, Step};

/// What holds at one moment of a script. A deploy begins with foreign keys on, as Prisma does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pragmas {
    /// `foreign_keys`.
    pub(super) foreign_keys: bool,
    /// `legacy_alter_table`.
    pub(super) legacy_alter: bool,
    /// Between the file's own BEGIN and COMMIT.
    pub(super) in_transaction: bool,
    /// The statement that switched `foreign_keys` off inside a transaction, where that does nothing.
    pub(super) ignored: Option<u32>,
}

impl Pragmas {
    /// What holds when the step runs.
    pub(super) fn at(context: &Context<'_>, step: &Step<'_>) -> Self {
        let mut state = Self {
            foreign_keys: true,
            legacy_alter: false,
            in_transaction: false,
            ignored: None,
        };
        for earlier in context.steps_before(step) {
            match &earlier.effect.operation {
                Operation::TransactionControl(word) => match word.as_str() {
                    "begin" => state.in_transaction = true,
                    "commit" | "rollback" => state.in_transaction = false,
                    _ => {}
                },
                Operation::SetParameter(parameter) => {
                    let on = parameter.value.as_deref().is_none_or(is_on);
                    match parameter.name.as_str() {
                        "foreign_keys" if state.in_transaction => {
                            state.ignored = (!on).then_some(earlier.statement.index);
                        }
                        "foreign_keys" => state.foreign_keys = on,
                        "legacy_alter_table" => state.legacy_alter = on,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        state
    }
}

/// As SQLite reads a boolean.
fn is_on(value: &str) -> bool {
    let value = value.trim_matches(['\'', '"']).to_ascii_lowercase();
    !matches!(value.as_str(), "off" | "0" | "false" | "no")
}
