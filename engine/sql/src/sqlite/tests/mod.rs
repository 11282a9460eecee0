//! What the parser must hold on to, in tables of cases.
#![allow(clippy::unwrap_used, clippy::panic)]

mod acceptance;
mod names;
mod operations;
mod rebuilds;
mod scripts;

use crate::operation::Operation;
use crate::script::Script;

fn script(text: &str) -> Script {
    super::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The operations of the only statement of `text`.
fn operations(text: &str) -> Vec<Operation> {
    let script = script(text);
    assert_eq!(script.statements.len(), 1, "{text}");
    script.statements[0]
        .effects
        .iter()
        .map(|effect| effect.operation.clone())
        .collect()
}

fn operation(text: &str) -> Operation {
    let mut operations = operations(text);
    assert_eq!(operations.len(), 1, "{text}: {operations:?}");
    operations.remove(0)
}
