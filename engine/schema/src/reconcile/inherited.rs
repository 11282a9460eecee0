//! What a partition, or a child by INHERITS, gets from its parent: a change of the parent changes it, too.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::difference::{Difference, Member, Sides, label};
use crate::model::{ConstraintRule, Index, Relation};
use crate::schema::Schema;

use super::{Wanted, Work};

impl Work<'_> {
    /// The differences of a relation that do not go away with those of a parent which it has before and after.
    pub(super) fn own<'d>(
        &self,
        wanted: &Relation,
        current: &Relation,
        differences: &[&'d Difference],
    ) -> Result<Vec<&'d Difference>, BaseError> {
        let parents: Vec<&ObjectName> = parents(current).filter(|parent| parents_has(wanted, parent)).collect();
        if parents.is_empty() {
            return Ok(differences.to_vec());
        }
        let mut own = Vec::new();
        for difference in differences {
            let mut inherited = false;
            for parent in &parents {
                inherited |= self.comes_from(parent, wanted, current, difference)?;
            }
            if !inherited {
                own.push(*difference);
            }
        }
        Ok(own)
    }

    fn comes_from(
        &self,
        parent: &ObjectName,
        wanted: &Relation,
        current: &Relation,
        difference: &Difference,
    ) -> Result<bool, BaseError> {
        let Some(member) = &difference.member else {
            return Ok(false);
        };
        let of_parent = self
            .differences
            .iter()
            .filter(|other| other.subject.name == *parent && same_direction(&other.sides, &difference.sides));
        for other in of_parent {
            let Some(of_parent) = other.member.as_ref().filter(|other| other.kind == member.kind) else {
                continue;
            };
            if member.kind == ObjectKind::Column && of_parent.name == member.name {
                return Ok(true);
            }
            let on_current = matches!(
                (&difference.sides, self.side),
                (Sides::OnlyLeft, Wanted::Right) | (Sides::OnlyRight, Wanted::Left)
            );
            let (schema, relation): (&Schema, &Relation) = if on_current {
                (self.current, current)
            } else {
                (self.wanted, wanted)
            };
            let Some(parent) = schema.relation(parent)? else {
                continue;
            };
            if same_member(relation, member, &parent, of_parent) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn same_direction(one: &Sides, other: &Sides) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn parents(relation: &Relation) -> impl Iterator<Item = &ObjectName> {
    let partition = relation.partition_of.iter().map(|(parent, _)| parent);
    partition.chain(&relation.inherits)
}

fn parents_has(relation: &Relation, parent: &ObjectName) -> bool {
    parents(relation).any(|other| other == parent)
}

/// Whether a constraint or an index of a child is that of its parent, whatever it is called.
fn same_member(child: &Relation, member: &Member, parent: &Relation, of_parent: &Member) -> bool {
    match member.kind {
        ObjectKind::Constraint => {
            let find = |relation: &Relation, name: &str| -> Option<ConstraintRule> {
                let mut found = relation
                    .constraints
                    .iter()
                    .filter(|constraint| label(constraint) == name);
                found.next().map(|constraint| constraint.rule.clone())
            };
            let (one, other) = (find(child, &member.name), find(parent, &of_parent.name));
            one.is_some() && one == other
        }
        ObjectKind::Index => {
            let find = |relation: &Relation, name: &str| -> Option<Index> {
                relation.indexes.iter().find(|index| index.name == name).cloned()
            };
            match (find(child, &member.name), find(parent, &of_parent.name)) {
                (Some(one), Some(other)) => one.parts == other.parts && one.unique == other.unique,
                _ => false,
            }
        }
        _ => false,
    }
}
