//! Which rules a script can concern at all, by the operations that it holds.

use std::collections::BTreeSet;

use crate::bindings::script as wit;

/// The operations and changes of a script, by their names in the contract.
#[derive(Debug, Default)]
pub(crate) struct Occurring(BTreeSet<String>);

/// SQL that is made at run time.
const DYNAMIC: &str = "dynamic";

impl Occurring {
    /// What the statements do, one by one and together.
    pub(crate) fn of(statements: &[wit::Statement], changes: &[wit::Change]) -> Self {
        let effects = statements.iter().flat_map(|statement| &statement.effects);
        let together = changes.iter().map(|change| match change {
            wit::Change::TableRebuild(_) => "table-rebuild",
            wit::Change::EnumRebuild(_) => "enum-rebuild",
        });
        effects.map(|effect| name(&effect.operation)).chain(together).collect()
    }

    /// Their names, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// SQL is made at run time, so that operations may occur that nobody sees.
    pub(crate) fn anything(&self) -> bool {
        self.0.contains(DYNAMIC)
    }
}

impl<'a> FromIterator<&'a str> for Occurring {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut found = BTreeSet::new();
        for name in names {
            // Most come many times.
            if !found.contains(name) {
                found.insert(name.to_owned());
            }
        }
        Self(found)
    }
}

/// What an operation is called: its case in the contract, or its tag where it has no case of its own.
fn name(operation: &wit::Operation) -> &str {
    match operation {
        wit::Operation::CreateTable(_) => "create-table",
        wit::Operation::AddColumn(_) => "add-column",
        wit::Operation::DropColumn(_) => "drop-column",
        wit::Operation::RenameColumn(_) => "rename-column",
        wit::Operation::AlterColumnType(_) => "alter-column-type",
        wit::Operation::SetNotNull(_) => "set-not-null",
        wit::Operation::DropNotNull(_) => "drop-not-null",
        wit::Operation::SetDefault(_) => "set-default",
        wit::Operation::DropDefault(_) => "drop-default",
        wit::Operation::SetIdentity(_) => "set-identity",
        wit::Operation::AddConstraint(_) => "add-constraint",
        wit::Operation::ValidateConstraint(_) => "validate-constraint",
        wit::Operation::DropConstraint(_) => "drop-constraint",
        wit::Operation::CreateIndex(_) => "create-index",
        wit::Operation::CreateEnum(_) => "create-enum",
        wit::Operation::AddEnumValue(_) => "add-enum-value",
        wit::Operation::RenameEnumValue(_) => "rename-enum-value",
        wit::Operation::Create(_) => "create",
        wit::Operation::Drop(_) => "drop",
        wit::Operation::Rename(_) => "rename",
        wit::Operation::SetSchema(_) => "set-schema",
        wit::Operation::AttachPartition(_) => "attach-partition",
        wit::Operation::DetachPartition(_) => "detach-partition",
        wit::Operation::RowSecurity(_) => "row-security",
        wit::Operation::ForceRowSecurity(_) => "force-row-security",
        wit::Operation::EnableTrigger(_) => "enable-trigger",
        wit::Operation::Comment(_) => "comment",
        wit::Operation::Privileges(_) => "privileges",
        wit::Operation::Insert(_) => "insert",
        wit::Operation::Update(_) => "update",
        wit::Operation::Delete(_) => "delete",
        wit::Operation::Truncate(_) => "truncate",
        wit::Operation::TransactionControl(_) => "transaction-control",
        wit::Operation::SetParameter(_) => "set-parameter",
        wit::Operation::Dynamic(_) => DYNAMIC,
        wit::Operation::Other(other) => &other.tag,
    }
}
