//! What breaks with a table or view. SQLite records nothing of it: views tell by what they read, foreign keys by what
//! they name, triggers by the words of their text.

use std::sync::Arc;

use tollgate_schema::model::{Constraint, ConstraintRule, Dependent, Relation, RelationKind};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use super::key;

pub(super) fn of(name: &str, relations: &[Arc<Relation>]) -> Vec<Dependent> {
    let mut dependents = Vec::new();
    for relation in relations {
        if key(&relation.name.name) == name {
            continue;
        }
        if relation.kind == RelationKind::View && relation.reads.iter().any(|read| key(&read.name) == name) {
            dependents.push(dependent(ObjectKind::View, &relation.name, None, None));
        }
        for constraint in &relation.constraints {
            foreign_key(name, &relation.name, constraint, &mut dependents);
        }
        for trigger in relation
            .triggers
            .iter()
            .filter(|trigger| mentions(&trigger.definition, name))
        {
            dependents.push(dependent(
                ObjectKind::Trigger,
                &relation.name,
                Some(&trigger.name),
                None,
            ));
        }
    }
    dependents.sort();
    dependents.dedup();
    dependents
}

/// One dependent for each referenced column that is named.
fn foreign_key(name: &str, holder: &ObjectName, constraint: &Constraint, dependents: &mut Vec<Dependent>) {
    let ConstraintRule::ForeignKey {
        references,
        referenced_columns,
        ..
    } = &constraint.rule
    else {
        return;
    };
    if key(&references.name) != name {
        return;
    }
    let member = Some(&constraint.name);
    if referenced_columns.is_empty() {
        dependents.push(dependent(ObjectKind::Constraint, holder, member, None));
    }
    for column in referenced_columns {
        dependents.push(dependent(ObjectKind::Constraint, holder, member, Some(column)));
    }
}

fn dependent(kind: ObjectKind, name: &ObjectName, member: Option<&String>, column: Option<&String>) -> Dependent {
    Dependent {
        name: name.clone(),
        member: member.cloned(),
        kind,
        column: column.cloned(),
    }
}

/// Whether `name` stands in the text as a word of its own. A word in a string counts: too much is safer than too little.
fn mentions(text: &str, name: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(name).any(|(at, found)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + found.len()..].chars().next().is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn only_whole_words_count() {
        for (text, expected) in [
            ("INSERT INTO log VALUES (1)", true),
            ("insert into \"LOG\" values (1)", true),
            ("INSERT INTO logs VALUES (1)", false),
            ("INSERT INTO blog VALUES (1)", false),
            ("SELECT log.a", true),
        ] {
            assert_eq!(mentions(text, "log"), expected, "{text}");
        }
    }
}
