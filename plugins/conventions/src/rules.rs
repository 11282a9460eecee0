//! The table of rules, one file each.

use tollgate_plugin::rules::Rule;

/// Every rule.
pub const RULES: &[Rule] = &[];

#[cfg(test)]
mod tests {
    use super::RULES;
    use crate::Conventions;

    #[test]
    fn the_examples_are_judged_as_they_say() {
        tollgate_plugin::testing::assert_examples::<Conventions>(RULES);
    }
}
