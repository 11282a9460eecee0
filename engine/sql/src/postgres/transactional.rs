//! Which statements the server refuses inside a transaction block.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterSubscriptionType, AlterTableType, DiscardMode, ReindexObjectType, TransactionStmtKind};

use super::names::{self, inner};

/// Whether the server runs the statement inside a transaction block.
pub(super) fn transactional(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::IndexStmt(it) => !it.concurrent,
        NodeEnum::DropStmt(it) => !it.concurrent,
        NodeEnum::ReindexStmt(it) => {
            !names::flag(&it.params, "concurrently")
                && !matches!(
                    ReindexObjectType::try_from(it.kind),
                    Ok(ReindexObjectType::ReindexObjectSchema
                        | ReindexObjectType::ReindexObjectSystem
                        | ReindexObjectType::ReindexObjectDatabase)
                )
        }
        NodeEnum::VacuumStmt(it) => !it.is_vacuumcmd,
        NodeEnum::ClusterStmt(it) => it.relation.is_some(),
        NodeEnum::DiscardStmt(it) => it.target != DiscardMode::DiscardAll as i32,
        NodeEnum::AlterTableStmt(it) => !it.cmds.iter().filter_map(inner).any(detaches_concurrently),
        NodeEnum::AlterDatabaseStmt(it) => names::element(&it.options, "tablespace").is_none(),
        NodeEnum::CreateSubscriptionStmt(it) => !switched(&it.options, &["connect", "create_slot"]),
        NodeEnum::AlterSubscriptionStmt(it) => match AlterSubscriptionType::try_from(it.kind) {
            Ok(AlterSubscriptionType::AlterSubscriptionRefresh) => false,
            Ok(
                AlterSubscriptionType::AlterSubscriptionSetPublication
                | AlterSubscriptionType::AlterSubscriptionAddPublication
                | AlterSubscriptionType::AlterSubscriptionDropPublication,
            ) => !switched(&it.options, &["refresh"]),
            _ => {
                names::element(&it.options, "failover").is_none() && names::element(&it.options, "two_phase").is_none()
            }
        },
        NodeEnum::TransactionStmt(it) => !matches!(
            TransactionStmtKind::try_from(it.kind),
            Ok(TransactionStmtKind::TransStmtCommitPrepared | TransactionStmtKind::TransStmtRollbackPrepared)
        ),
        NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::DropSubscriptionStmt(_) => false,
        _ => true,
    }
}

fn detaches_concurrently(command: &NodeEnum) -> bool {
    let NodeEnum::AlterTableCmd(command) = command else {
        return false;
    };
    match AlterTableType::try_from(command.subtype) {
        Ok(AlterTableType::AtDetachPartition) => {
            matches!(names::boxed(command.def.as_deref()), Some(NodeEnum::PartitionCmd(partition)) if partition.concurrent)
        }
        _ => false,
    }
}

/// All of these options, which are on where nothing is written, are on.
fn switched(options: &[pg_query::protobuf::Node], names: &[&str]) -> bool {
    names
        .iter()
        .all(|name| names::element(options, name).is_none() || names::flag(options, name))
}
