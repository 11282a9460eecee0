//! Transaction control and session parameters.

use pg_query::NodeEnum;
use pg_query::protobuf::{Token, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt};

use super::names::{inner, literal};
use super::reader::Reader;
use crate::name::Dialect;
use crate::operation::{Operation, TransactionControl};

impl Reader<'_> {
    pub(super) fn transaction(&mut self, it: &TransactionStmt) {
        use TransactionStmtKind as K;
        let name = it.savepoint_name.clone();
        let control = match TransactionStmtKind::try_from(it.kind).unwrap_or(K::Undefined) {
            K::TransStmtBegin | K::TransStmtStart | K::Undefined => TransactionControl::Begin,
            K::TransStmtCommit => TransactionControl::Commit,
            K::TransStmtRollback => TransactionControl::Rollback,
            K::TransStmtSavepoint => TransactionControl::Savepoint(name),
            K::TransStmtRelease => TransactionControl::Release(name),
            K::TransStmtRollbackTo => TransactionControl::RollbackTo(name),
            K::TransStmtPrepare | K::TransStmtCommitPrepared | K::TransStmtRollbackPrepared => {
                TransactionControl::Prepared
            }
        };
        self.push(Operation::Transaction(control));
    }

    pub(super) fn set_parameter(&mut self, it: &VariableSetStmt) {
        use VariableSetKind as K;
        let kind = VariableSetKind::try_from(it.kind).unwrap_or(K::Undefined);
        let name = match kind {
            K::VarResetAll => "all".to_owned(),
            _ => it.name.to_ascii_lowercase(),
        };
        let value = match kind {
            K::VarSetValue => Some(self.parameter_value(it)),
            K::VarSetMulti => Some(self.after_name(&name)),
            K::VarSetCurrent => Some("current".to_owned()),
            _ => None,
        };
        self.push(Operation::SetParameter {
            name,
            value,
            local: it.is_local,
            pragma: false,
        });
    }

    /// The values as the server keeps them: a list of names is quoted where names need it, anything else is plain.
    fn parameter_value(&self, it: &VariableSetStmt) -> String {
        let is_name_list = matches!(
            it.name.as_str(),
            "search_path" | "temp_tablespaces" | "session_preload_libraries"
        );
        let values = it.args.iter().filter_map(inner).map(|node| {
            let text = match node {
                // An interval for TIME ZONE: nothing plainer than what is written.
                NodeEnum::TypeCast(_) => return self.after_name("zone"),
                other => literal(other),
            };
            match text.as_str() {
                "" if is_name_list => "\"\"".to_owned(),
                _ if is_name_list => Dialect::Postgres.quote_if_needed(&text),
                _ => text,
            }
        });
        values.collect::<Vec<_>>().join(", ")
    }

    /// What stands after the words of a SET that has no values in the tree.
    fn after_name(&self, name: &str) -> String {
        let last_word = name.rsplit(' ').next().unwrap_or(name);
        let found = (self.range.0..self.range.1)
            .find(|&index| self.source.slice((index, index + 1)).eq_ignore_ascii_case(last_word));
        let mut start = found.map_or(self.range.0, |index| index + 1);
        if self.source.is(start, Token::As) {
            start += 1;
        }
        self.source.slice((start, self.range.1)).to_owned()
    }
}
