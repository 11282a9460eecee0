//! Tests of rollback generators.

use super::{SchemaCatalog, Test, configured};
use crate::catalog::Catalog;
use crate::contract::{Outcome, RollbackRequest, RollbackStep};
use crate::plugin::Rollback;

impl<P: Rollback> Test<P> {
    /// The steps that take a script back. Nothing is kept: see [`Test::generate_keeping`].
    #[track_caller]
    pub fn generate(&self, text: &str) -> Vec<RollbackStep> {
        self.generate_with(text, false, None)
    }

    /// The steps when the data that the script would lose is to be kept in `preserve_in`.
    #[track_caller]
    pub fn generate_keeping(&self, text: &str, preserve_in: &str) -> Vec<RollbackStep> {
        self.generate_with(text, true, Some(preserve_in.to_owned()))
    }

    #[track_caller]
    fn generate_with(&self, text: &str, preserve_data: bool, preserve_in: Option<String>) -> Vec<RollbackStep> {
        let script = self.parse(text);
        let (before, after) = self.schemas(&script);
        let request = RollbackRequest {
            server: self.server(),
            preserve_data,
            preserve_in,
        };
        let plugin = configured(&self.settings, P::configure);
        let migration = self.migration(text, &script, &before);
        let (before, after) = (SchemaCatalog::new(before.clone()), SchemaCatalog::new(after));
        let steps = plugin
            .generate(&request, &migration, &before as &dyn Catalog, &after as &dyn Catalog)
            .unwrap_or_else(|failure| panic!("the generator failed: {}", failure.message));
        self.assert_plan(&steps, script.statements.len(), preserve_data);
        steps
    }

    /// What the engine demands of every plan: each statement once, SQL that parses, none where nothing can be undone.
    #[track_caller]
    fn assert_plan(&self, steps: &[RollbackStep], statements: usize, preserve_data: bool) {
        let mut covered: Vec<usize> = steps.iter().map(|step| step.undoes as usize).collect();
        covered.sort_unstable();
        assert_eq!(
            covered,
            (0..statements).collect::<Vec<_>>(),
            "each statement needs exactly one step"
        );
        for step in steps {
            for sql in step.sql.iter().chain(&step.preserve) {
                self.parse(sql);
            }
            assert!(
                preserve_data || step.preserve.is_empty(),
                "nothing is to be kept: {step:?}"
            );
            let undoes = matches!(step.outcome, Outcome::Lossless | Outcome::Lossy(_));
            assert!(
                undoes || step.sql.is_empty(),
                "only a lossless or lossy step has SQL: {step:?}"
            );
        }
    }
}
