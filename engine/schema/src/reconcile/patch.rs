//! A relation as it is, with what differs taken over from the wanted one, and nothing else.

use tollgate_sql::operation::ObjectKind;

use crate::context::Folding;
use crate::difference::{Difference, Member, label};
use crate::model::Relation;

/// `current` with everything from `wanted` that the differences name.
pub(super) fn patched(
    folding: Folding,
    wanted: &Relation,
    current: &Relation,
    differences: &[&Difference],
) -> Relation {
    let mut relation = current.clone();
    for difference in differences {
        match (&difference.member, &difference.property) {
            (Some(member), _) => take_member(folding, &mut relation, wanted, member),
            (None, Some(property)) => take_property(&mut relation, wanted, property),
            (None, None) => {}
        }
    }
    // A column that comes, comes last, and in the wanted order.
    let position = |name: &str| {
        wanted
            .columns
            .iter()
            .position(|column| folding.same(&column.name, name))
    };
    let kept = current.columns.len();
    let old = |name: &str| {
        current
            .columns
            .iter()
            .position(|column| folding.same(&column.name, name))
    };
    relation
        .columns
        .sort_by_key(|column| old(&column.name).unwrap_or_else(|| kept + position(&column.name).unwrap_or_default()));
    // The kept statement has to say the same.
    let as_wanted = relation.columns == wanted.columns && relation.constraints == wanted.constraints;
    relation.definition = wanted.definition.clone().filter(|_| as_wanted);
    relation.put_in_order(folding.0);
    relation
}

fn take_member(folding: Folding, relation: &mut Relation, wanted: &Relation, member: &Member) {
    let name = member.name.as_str();
    let same = |other: &str| folding.same(other, name);
    match member.kind {
        ObjectKind::Column => {
            let found = wanted.columns.iter().find(|column| same(&column.name));
            replace(&mut relation.columns, |column| same(&column.name), found);
        }
        ObjectKind::Constraint => {
            let found = wanted.constraints.iter().find(|constraint| label(constraint) == name);
            replace(&mut relation.constraints, |constraint| label(constraint) == name, found);
        }
        ObjectKind::Index => {
            let found = wanted.indexes.iter().find(|index| same(&index.name));
            replace(&mut relation.indexes, |index| same(&index.name), found);
        }
        ObjectKind::Trigger => {
            let found = wanted.triggers.iter().find(|trigger| same(&trigger.name));
            replace(&mut relation.triggers, |trigger| same(&trigger.name), found);
        }
        ObjectKind::Policy => {
            let found = wanted.policies.iter().find(|policy| policy.name == name);
            replace(&mut relation.policies, |policy| policy.name == name, found);
        }
        _ => {}
    }
}

/// Puts `found` in the place of what is picked, or at the end, or takes that away.
fn replace<T: Clone>(list: &mut Vec<T>, picked: impl Fn(&T) -> bool, found: Option<&T>) {
    match (list.iter().position(picked), found) {
        (Some(at), Some(found)) => list[at] = found.clone(),
        (Some(at), None) => {
            list.remove(at);
        }
        (None, Some(found)) => list.push(found.clone()),
        (None, None) => {}
    }
}

fn take_property(relation: &mut Relation, wanted: &Relation, property: &str) {
    match property {
        "comment" => relation.comment.clone_from(&wanted.comment),
        "privileges" => relation.grants.clone_from(&wanted.grants),
        "row-level security" => relation.row_security = wanted.row_security,
        "row-level security for the owner" => relation.force_row_security = wanted.force_row_security,
        "unlogged" => relation.unlogged = wanted.unlogged,
        "WITHOUT ROWID" => relation.without_rowid = wanted.without_rowid,
        "STRICT" => relation.strict = wanted.strict,
        "tablespace" => relation.tablespace.clone_from(&wanted.tablespace),
        "access method" => relation.access_method.clone_from(&wanted.access_method),
        "replica identity" => relation.replica_identity.clone_from(&wanted.replica_identity),
        "storage parameters" => relation.options.clone_from(&wanted.options),
        "rules" => relation.rules.clone_from(&wanted.rules),
        "parents" => {
            relation.inherits.clone_from(&wanted.inherits);
            relation.partition_of.clone_from(&wanted.partition_of);
        }
        _ => {}
    }
}
