//! The table of rules, one folder a theme and one file a rule.

mod compatibility;
mod constraint;
mod index;
mod mysql;
mod rewrite;
mod robustness;
mod sqlite;
mod transaction;

use std::sync::LazyLock;

use tollgate_plugin::rules::Rule;

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        index::RULES,
        constraint::RULES,
        rewrite::RULES,
        transaction::RULES,
        compatibility::RULES,
        robustness::RULES,
        mysql::RULES,
        sqlite::RULES,
    ]
    .concat()
});

/// Every rule, theme by theme.
pub fn all() -> &'static [Rule] {
    &ALL
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::Safety;

    #[test]
    fn the_examples_are_judged_as_they_say() {
        tollgate_plugin::testing::assert_examples::<Safety>(all());
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = all().iter().map(|rule| rule.id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }
}
