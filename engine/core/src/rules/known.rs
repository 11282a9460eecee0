//! Which rules there are, for the names that comments use.

use std::collections::BTreeMap;

use super::{EDITED_MIGRATION, EngineRules, NAME, RULES, UNUSED_SUPPRESSION};
use crate::nearest::nearest;
use crate::policy::Policy;
use crate::suppress::AllowedRule;

/// Every rule of a run, by policy; with each whether what it says of a migration is known when that was judged.
pub(crate) struct Known<'a> {
    policies: BTreeMap<&'a str, BTreeMap<&'a str, bool>>,
}

/// What a name in a comment is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A rule that was asked: a comment that allows nothing of it is of no use.
    Asked,
    /// A rule that is off here, or that only sometimes is asked.
    NotAsked,
    /// None, with the name that was probably meant.
    Unknown(Option<String>),
}

impl<'a> Known<'a> {
    /// The rules of these policies, and the engine's own. Those of `failed` policies have said nothing.
    pub(crate) fn new(policies: &'a [Policy], own: &'a EngineRules, failed: &[String]) -> Self {
        let mut known = BTreeMap::new();
        for (plugin, rules) in own.switched_off.rules() {
            known.insert(
                plugin.as_str(),
                rules.iter().map(|rule| (rule.as_str(), false)).collect(),
            );
        }
        for policy in policies {
            let judged = !failed.iter().any(|failed| failed == policy.plugin.name());
            let rules = policy.plugin.description().rules.iter();
            // Without a database nothing is ever found by a rule that needs one.
            let rules = rules.map(|rule| (rule.id.as_str(), judged && policy.is_on(rule) && !rule.needs_database));
            known.insert(policy.plugin.name(), rules.collect());
        }
        let asked =
            |rule: &str| ![EDITED_MIGRATION, UNUSED_SUPPRESSION].contains(&rule) && own.severity(rule).is_some();
        known.insert(NAME, RULES.iter().map(|rule| (rule.id, asked(rule.id))).collect());
        Self { policies: known }
    }

    /// What a name in a comment is.
    pub(crate) fn named(&self, name: &AllowedRule) -> Named {
        let rule = name.rule.as_str();
        let found: Vec<bool> = match &name.plugin {
            Some(plugin) => match self.policies.get(plugin.as_str()) {
                Some(rules) => rules.get(rule).copied().into_iter().collect(),
                None => Vec::new(),
            },
            None => self
                .policies
                .values()
                .filter_map(|rules| rules.get(rule).copied())
                .collect(),
        };
        match (found.is_empty(), found.contains(&true)) {
            (true, _) => Named::Unknown(self.nearest(name)),
            (false, true) => Named::Asked,
            (false, false) => Named::NotAsked,
        }
    }

    /// The name that was probably meant, written as the wrong one was.
    fn nearest(&self, name: &AllowedRule) -> Option<String> {
        let Some(plugin) = &name.plugin else {
            return nearest(
                &name.rule,
                self.policies.values().flat_map(|rules| rules.keys().copied()),
            );
        };
        if let Some(rules) = self.policies.get(plugin.as_str()) {
            let rule = nearest(&name.rule, rules.keys().copied())?;
            return Some(format!("{plugin}/{rule}"));
        }
        let owner = self
            .policies
            .iter()
            .find(|(_, rules)| rules.contains_key(name.rule.as_str()))
            .map(|(owner, _)| (*owner).to_owned());
        let owner = owner.or_else(|| nearest(plugin, self.policies.keys().copied()))?;
        Some(format!("{owner}/{}", name.rule))
    }
}

#[cfg(test)]
mod tests {
    use tollgate_sql::Span;

    use super::*;
    use crate::policy::Level;
    use crate::rules::SwitchedOff;

    #[test]
    fn names_are_found_with_and_without_their_policy() {
        let own = EngineRules {
            levels: [("rollback-procedure".to_owned(), Level::Off)].into(),
            switched_off: SwitchedOff::new(|| [("style".to_owned(), vec!["no-tabs".to_owned()])].into()),
            ..EngineRules::default()
        };
        let known = Known::new(&[], &own, &[]);
        let near = |name: &str| Named::Unknown(Some(name.to_owned()));
        for (plugin, rule, expected) in [
            (None, "unknown-suppression", Named::Asked),
            (Some("tollgate"), "unknown-suppression", Named::Asked),
            (None, "rollback-procedure", Named::NotAsked),
            (None, "edited-migration", Named::NotAsked),
            (None, "no-tabs", Named::NotAsked),
            (Some("style"), "no-tabs", Named::NotAsked),
            (None, "rollback-procedur", near("rollback-procedure")),
            (None, "xyz", Named::Unknown(None)),
            (Some("style"), "no-tab", near("style/no-tabs")),
            (Some("stile"), "no-tabs", near("style/no-tabs")),
            (Some("tollgat"), "q", near("tollgate/q")),
        ] {
            let name = AllowedRule {
                plugin: plugin.map(str::to_owned),
                rule: rule.to_owned(),
                span: Span::new(0, 0),
            };
            assert_eq!(known.named(&name), expected, "{name}");
        }
    }
}
