//! `check --fix`: its arguments, and which migrations they allow to change.

use std::collections::BTreeSet;

use clap::ValueEnum;
use tollgate_engine::fix::FixRequest;
use tollgate_engine::{CheckRequest, Scope, Standing, StatusReport, status};

use super::baseline::Baseline;
use super::targets::{Selected, Targets};
use crate::config::Config;
use crate::engine::fix::{self, Fixed};
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;

/// The arguments about fixes.
#[derive(Debug, clap::Args)]
pub struct Fix {
    /// Change migrations as the policies suggest, where that is safe without a review; =all also where somebody has to look
    /// at it. The fixed SQL is judged again and kept only if it is clean. What is applied is never changed: the configured
    /// database is asked; without one, say what is new with --since, by name, or with --assume-unapplied
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "automatic",
          hide_possible_values = true, conflicts_with = "write_baseline")]
    fix: Option<Which>,
    /// Take everything that the database does not know, or all where none can be asked, for not applied anywhere
    #[arg(long, requires = "fix")]
    assume_unapplied: bool,
}

/// Which suggestions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Those that are safe without a review
    Automatic,
    /// Those that need a person's decision, too
    All,
}

impl Fix {
    /// Fixes what may be fixed. `None`: nobody has asked for it.
    pub fn run(
        &self,
        config: &Config,
        (targets, baseline): (&Targets, &Baseline),
        selected: &Selected,
        request: CheckRequest<'_>,
        ui: &Ui,
    ) -> Result<Option<Fixed>, Failure> {
        let Some(which) = self.fix else { return Ok(None) };
        if !selected.loose.is_empty() {
            let report = Report::error("fix::file", "--fix is for the migrations of the folder");
            return Err(Failure::new(
                Exit::Usage,
                report.help("leave out the files outside of it, and standard input"),
            ));
        }
        let mut migrations = self.unapplied(config, targets, selected, ui)?;
        if !matches!(selected.scope, Scope::Only(_)) {
            let known = baseline.migrations(config)?;
            migrations.retain(|name| !known.contains(name));
        }
        let request = FixRequest {
            migrations,
            manual: which == Which::All,
            check: request,
        };
        fix::run(&request, ui).map(Some)
    }

    /// The migrations that are judged and not applied.
    fn unapplied(
        &self,
        config: &Config,
        targets: &Targets,
        selected: &Selected,
        ui: &Ui,
    ) -> Result<BTreeSet<String>, Failure> {
        let judged: BTreeSet<String> = match &selected.scope {
            Scope::All => selected
                .folder
                .migrations
                .iter()
                .map(|file| file.name.clone())
                .collect(),
            Scope::Only(names) | Scope::Added { names, .. } => names.clone(),
        };
        let said = self.assume_unapplied || !targets.is_everything();
        if config.settings.database.url.is_none() {
            return if said {
                Ok(judged)
            } else {
                Err(unknown("no database is configured"))
            };
        }
        let target = project::target(config, ui)?;
        match status(&selected.folder, &target) {
            Ok(stands) if knows(&stands) => {
                let applied: BTreeSet<&str> = applied(&stands).collect();
                if let (Scope::Only(_), Some(name)) = (
                    &selected.scope,
                    judged.iter().find(|name| applied.contains(name.as_str())),
                ) {
                    return Err(is_applied(name));
                }
                Ok(judged
                    .into_iter()
                    .filter(|name| !applied.contains(name.as_str()))
                    .collect())
            }
            Ok(_) if said => Ok(judged),
            Ok(_) => Err(unknown(
                "nothing is applied to the configured database, so it cannot tell",
            )),
            Err(error) if said => {
                ui.warn(format!("the database could not say what is applied: {error}"));
                Ok(judged)
            }
            Err(error) => Err(unknown(&format!("the configured database cannot be asked ({error})"))),
        }
    }
}

/// The database has a history: what is not in it is not applied there.
fn knows(stands: &StatusReport) -> bool {
    stands.ledger_exists && applied(stands).next().is_some()
}

/// What is in the database, or may be in part.
fn applied(stands: &StatusReport) -> impl Iterator<Item = &str> {
    let untouched = |standing: Standing| matches!(standing, Standing::Pending | Standing::RolledBack);
    let touched = stands.migrations.iter().filter(move |one| !untouched(one.standing));
    touched.map(|one| one.name.as_str())
}

fn unknown(why: &str) -> Failure {
    let report = Report::error(
        "fix::unknown",
        format!("it is not known which migrations may still be changed: {why}"),
    );
    Failure::new(
        Exit::Usage,
        report.help(
            "say what is new: `tollgate check --fix --since main`, the names of the migrations, or --assume-unapplied for all; \
             or configure the database that knows",
        ),
    )
}

fn is_applied(name: &str) -> Failure {
    let report = Report::error(
        "fix::applied",
        format!("{name} is applied, so it cannot be changed any more"),
    );
    let help = "make a new migration that mends it, with `tollgate new`; on a database of your own, `tollgate rollback` takes \
                it back first";
    Failure::new(Exit::Usage, report.help(help).database("not changed"))
}
