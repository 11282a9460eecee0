//! Which rules of a policy are asked about: those that are switched on and that the script can concern.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::convert::Occurring;
use crate::types::Rule;

/// The rules of one plugin, by their positions in its description.
pub(crate) struct Rules {
    positions: HashMap<String, u32>,
    /// Rules that may find something in any script.
    always: Vec<u32>,
    /// The others, by the operations that they need.
    triggered: HashMap<String, Vec<u32>>,
    /// The list that was asked for last; it seldom changes.
    last: Mutex<Option<Asked>>,
}

#[derive(Clone)]
struct Asked {
    names: Arc<[String]>,
    /// Ascending.
    positions: Arc<[u32]>,
}

impl Rules {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut positions = HashMap::new();
        let mut always = Vec::new();
        let mut triggered: HashMap<String, Vec<u32>> = HashMap::new();
        for (rule, at) in rules.iter().zip(0..) {
            positions.insert(rule.id.clone(), at);
            if rule.triggers.is_empty() {
                always.push(at);
            }
            for trigger in &rule.triggers {
                triggered.entry(trigger.clone()).or_default().push(at);
            }
        }
        Self {
            positions,
            always,
            triggered,
            last: Mutex::default(),
        }
    }

    /// Positions of the rules of that `names`, ascending; those that the plugin does not describe are left out.
    pub(crate) fn positions(&self, names: &Arc<[String]>) -> Arc<[u32]> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &*last
            && Arc::ptr_eq(&asked.names, names)
        {
            return Arc::clone(&asked.positions);
        }
        let mut positions: Vec<u32> = names
            .iter()
            .filter_map(|name| self.positions.get(name))
            .copied()
            .collect();
        positions.sort_unstable();
        positions.dedup();
        let asked = last.insert(Asked {
            names: Arc::clone(names),
            positions: positions.into(),
        });
        Arc::clone(&asked.positions)
    }

    /// Those of `asked` that may find something in a script with these operations.
    pub(crate) fn concerned(&self, asked: &[u32], occurring: &Occurring) -> Vec<u32> {
        if occurring.anything() {
            return asked.to_vec();
        }
        let triggered = occurring.names().filter_map(|name| self.triggered.get(name));
        let mut concerned: Vec<u32> = self.always.iter().chain(triggered.flatten()).copied().collect();
        concerned.sort_unstable();
        concerned.dedup();
        concerned.retain(|at| asked.binary_search(at).is_ok());
        concerned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Severity;

    fn rules() -> Rules {
        let rule = |id: &str, triggers: &[&str]| Rule {
            id: id.to_owned(),
            summary: String::new(),
            default_severity: Severity::Low,
            enabled_by_default: true,
            needs_database: false,
            triggers: triggers.iter().map(|&trigger| trigger.to_owned()).collect(),
            explanation: String::new(),
            bad_example: None,
            good_example: None,
        };
        Rules::new(&[
            rule("dropping", &["drop", "drop-column"]),
            rule("naming", &[]),
            rule("locking", &["lock-table"]),
            rule("dropping-columns", &["drop-column"]),
        ])
    }

    #[test]
    fn positions_are_the_description_s_whatever_the_order_of_the_names() {
        let rules = rules();
        let names: Arc<[String]> = ["locking", "unknown", "dropping", "locking"].map(str::to_owned).into();
        assert_eq!(*rules.positions(&names), [0, 2]);
        let again = rules.positions(&names);
        assert!(Arc::ptr_eq(&again, &rules.positions(&names)));
        assert_eq!(*rules.positions(&["naming".to_owned()].into()), [1]);
    }

    #[test]
    fn only_rules_that_a_script_can_concern_are_asked_about() {
        let rules = rules();
        let concerned = |asked: &[u32], names: &[&str]| rules.concerned(asked, &names.iter().copied().collect());
        assert_eq!(concerned(&[0, 1, 2, 3], &["drop-column"]), [0, 1, 3]);
        assert_eq!(concerned(&[0, 2], &["drop-column", "insert"]), [0]);
        assert!(concerned(&[0, 2, 3], &["insert"]).is_empty());
        assert_eq!(concerned(&[0, 1, 2, 3], &[]), [1]);
        assert_eq!(concerned(&[0, 2], &["dynamic"]), [0, 2]);
    }
}
