//! Statements that run outside a transaction: what they can leave behind, and how to find out after a crash.

use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Script, Statement};

use crate::error::ServerError;
use crate::execute::groups::may_commit;
use crate::execute::indexes::built_concurrently;

/// All or nothing, though they run outside a transaction block; and nothing is lost by running them twice. (What a
/// concurrent REINDEX leaves is dropped first.)
const HARMLESS: [&str; 6] = ["vacuum", "analyze", "reindex", "cluster", "alter-system", "checkpoint"];

/// All or nothing, though they run outside a transaction block.
const ALL_OR_NOTHING: [&str; 3] = ["create-database", "create-tablespace", "drop-tablespace"];

/// Whether the statement may be sent again when it is not known what became of it: it does no harm a second time, or the
/// server's answer (see [`was_done`]) or the catalog tells.
pub(crate) fn is_repeatable(statement: &Statement) -> bool {
    !statement.effects.is_empty()
        && statement.effects.iter().all(|effect| match &effect.operation {
            Operation::Other(other) => has_tag(&other.tag, &HARMLESS) || has_tag(&other.tag, &ALL_OR_NOTHING),
            // Without a name there is nothing to look for: it would be built once more.
            Operation::CreateIndex(index) => index.name.is_some(),
            Operation::AddEnumValue { .. } => true,
            Operation::Drop(drop) => matches!(drop.kind, ObjectKind::Index | ObjectKind::Database),
            // The catalog tells how far it came, and the rest is done from there.
            Operation::DetachPartition { concurrently, .. } => *concurrently,
            _ => false,
        })
}

/// Whether the statement leaves nothing when it fails.
pub(crate) fn leaves_nothing(statement: &Statement) -> bool {
    !statement.effects.is_empty()
        && statement.effects.iter().all(|effect| match &effect.operation {
            Operation::AddEnumValue { .. } => true,
            Operation::Other(other) => {
                // A concurrent REINDEX that fails leaves its half-built index.
                let concurrent = other.details.iter().any(|(name, _)| name == "concurrently");
                !concurrent && (has_tag(&other.tag, &HARMLESS) || has_tag(&other.tag, &ALL_OR_NOTHING))
            }
            Operation::Drop(drop) => drop.kind == ObjectKind::Database,
            _ => false,
        })
}

/// Whether others queue behind the statement while it waits for its lock. Those that are made for it (`CONCURRENTLY`, a
/// plain VACUUM) take locks that readers and writers get along with; what a procedure does is not known.
pub(crate) fn holds_up_others(script: &Script, index: usize) -> bool {
    let statement = &script.statements[index];
    if may_commit(script, statement) {
        return true;
    }
    statement.effects.iter().any(|effect| match &effect.operation {
        Operation::Other(other) => {
            let has = |detail: &str| other.details.iter().any(|(name, _)| name == detail);
            match other.tag.as_str() {
                "vacuum" => has("full"),
                "reindex" => !has("concurrently"),
                "cluster" => true,
                _ => false,
            }
        }
        _ => false,
    })
}

/// Whether the refusal of a statement that may have been run already says that it was: what it creates is there, what it
/// drops is gone.
pub(crate) fn was_done(statement: &Statement, error: &ServerError) -> bool {
    let Some(code) = error.sqlstate.as_deref() else {
        return false;
    };
    let drops = statement
        .effects
        .iter()
        .any(|effect| matches!(effect.operation, Operation::Drop(_)));
    if drops {
        // Undefined object, table, database.
        return matches!(code, "42704" | "42P01" | "3D000");
    }
    // Duplicate object, table, database. An index that is built concurrently has been looked at before.
    matches!(code, "42710" | "42P07" | "42P04") && built_concurrently(statement).is_none()
}

fn has_tag(tag: &str, tags: &[&str]) -> bool {
    tags.contains(&tag)
}
