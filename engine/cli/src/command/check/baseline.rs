//! `check --baseline`: the file of findings that were known when it was written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tollgate_engine::known::{self, EnforcedRules, KnownFindings, Stale, StaleEntry, Subtraction};
use tollgate_engine::sql::Dialect;
use tollgate_engine::{CheckReport, Folder};

use super::targets::{Selected, Targets};
use crate::config::Config;
use crate::engine::findings::count;
use crate::engine::plugins::Loaded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::{Report, Snippet};

/// The arguments about known findings.
#[derive(Debug, clap::Args)]
pub struct Baseline {
    /// Report only what this file does not name [default: check.baseline of the configuration, or check-baseline.toml beside
    /// the folder of migrations]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "a flag that may have a value")]
    baseline: Option<Option<PathBuf>>,
    /// Write everything that is found now to that file, so that later runs do not report it
    #[arg(long)]
    write_baseline: bool,
}

/// What becomes of a report.
pub struct Filter<'a> {
    /// The project.
    pub config: &'a Config,
    /// What was judged.
    pub selected: &'a Selected,
    /// Every file that was judged.
    pub files: &'a Folder,
    /// The dialect of the files.
    pub dialect: Dialect,
    /// Who has judged.
    pub loaded: &'a Loaded,
}

impl Baseline {
    /// Refuses arguments that make no sense together.
    pub fn expect_sense(&self, targets: &Targets) -> Result<(), Failure> {
        if (self.write_baseline && self.baseline.is_none()) || matches!(self.baseline, Some(None)) {
            expect_file_behind_sign(targets, self.write_baseline)?;
        }
        if !self.write_baseline || targets.is_everything() {
            return Ok(());
        }
        let report = Report::error(
            "check::baseline",
            "--write-baseline names what is found in all migrations",
        );
        Err(Failure::new(
            Exit::Usage,
            report.help("leave out --since, and the names of migrations and files"),
        ))
    }

    /// Takes what is known out of the report, and says what of the file matches nothing any more. How many findings that
    /// were.
    pub fn apply(&self, filter: &Filter<'_>, report: &mut CheckReport, ui: &Ui) -> Result<usize, Failure> {
        let Some(path) = self.path(filter.config) else {
            return Ok(0);
        };
        if self.write_baseline {
            filter.write(&path, report, ui)?;
        }
        let known = read(&path)?;
        let done = filter.subtract(&known, report);
        for stale in reports(&done.stale, &path) {
            ui.report(&stale);
        }
        Ok(done.known)
    }

    /// Migrations whose findings are known: they are old, and what is known of them only counts while they stay as they
    /// are.
    pub fn migrations(&self, config: &Config) -> Result<BTreeSet<String>, Failure> {
        match self.path(config) {
            Some(path) => Ok(read(&path)?.migrations().map(str::to_owned).collect()),
            None => Ok(BTreeSet::new()),
        }
    }

    /// The file, where one is wanted.
    fn path(&self, config: &Config) -> Option<PathBuf> {
        let configured = || {
            let path = config.settings.check.baseline.as_deref()?;
            Some(config.path_from("check.baseline", path))
        };
        let usual = || {
            let dir = config.migrations_dir_to_be();
            dir.parent().unwrap_or(&config.root).join(known::FILE_NAME)
        };
        match &self.baseline {
            Some(Some(path)) => Some(config.cwd.join(path)),
            Some(None) => Some(configured().unwrap_or_else(usual)),
            None if self.write_baseline => Some(configured().unwrap_or_else(usual)),
            None => configured(),
        }
    }
}

/// Behind a space the file would be one to judge: the flags may stand in front of those.
fn expect_file_behind_sign(targets: &Targets, write: bool) -> Result<(), Failure> {
    let Some(file) = targets.toml() else { return Ok(()) };
    let report = Report::error(
        "check::baseline",
        format!("{file} is no migration, and no file with SQL"),
    );
    let flag = if write { "--write-baseline " } else { "" };
    let help = format!("the file of known findings stands behind an equals sign: `{flag}--baseline={file}`");
    Err(Failure::new(Exit::Usage, report.help(help)))
}

impl Filter<'_> {
    fn write(&self, path: &Path, report: &CheckReport, ui: &Ui) -> Result<(), Failure> {
        let file = |name: &str| self.files.find(name);
        let known = KnownFindings::of(report, self.dialect, &self.enforced(), file);
        std::fs::write(path, known.to_toml())
            .map_err(|error| Failure::file("check::baseline", "write", path, &error))?;
        ui.note(format!("wrote {} to {}", count(known.len(), "finding"), shown(path)));
        Ok(())
    }

    fn subtract(&self, known: &KnownFindings, report: &mut CheckReport) -> Subtraction {
        let complete = self.selected.is_whole_folder();
        let file = |name: &str| self.files.find(name);
        known.subtract(report, self.dialect, &self.enforced(), complete, file)
    }

    /// Rules that a bundle enforces: nothing of them passes as known.
    fn enforced(&self) -> EnforcedRules {
        let own = self.loaded.rules.enforced.keys();
        let own = own.map(|rule| (tollgate_engine::rules::NAME.to_owned(), rule.clone()));
        let of_policies = self.loaded.policies.iter().flat_map(|policy| {
            let name = policy.plugin.name();
            policy.enforced.keys().map(move |rule| (name.to_owned(), rule.clone()))
        });
        own.chain(of_policies).collect()
    }
}

/// Reads a file of known findings.
fn read(path: &Path) -> Result<KnownFindings, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    KnownFindings::parse(&text).map_err(|error| {
        let snippet = Snippet::new(shown(path), text.clone());
        let snippet = snippet.label(error.span.start..error.span.end, error.message);
        let report = Report::error(
            "check::baseline",
            format!("{} is no file of known findings", shown(path)),
        )
        .snippet(snippet)
        .help("`tollgate check --write-baseline` writes one");
        Failure::new(Exit::Usage, report)
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let report = Report::error("check::baseline", format!("cannot read {}: {error}", shown(path)));
    let help = "`tollgate check --write-baseline` writes it; commit it then";
    Failure::new(Exit::Usage, report.help(help))
}

/// A warning for each kind of entry that matches nothing.
fn reports(stale: &[StaleEntry], path: &Path) -> Vec<Report> {
    let kinds = [
        (Stale::NoMigration, "whose migration is gone"),
        (
            Stale::Edited,
            "whose migration has been edited since, so they do not count",
        ),
        (Stale::NotFound, "for what is not found any more"),
        (
            Stale::Enforced,
            "for rules that a bundle enforces, so they do not count",
        ),
    ];
    let report = |(why, text): (Stale, &str)| {
        let entries = stale.iter().filter(|entry| entry.why == why);
        let named: Vec<String> = entries
            .map(|entry| match &entry.rule {
                Some(rule) => format!("{} {rule}", entry.migration),
                None => entry.migration.clone(),
            })
            .collect();
        let first = named.first()?;
        let more = match named.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!("{} has entries {text}: {first}{more}", shown(path));
        let report = Report::warning("check::baseline", message);
        Some(report.help("`tollgate check --write-baseline` writes the file anew, with everything that is found now"))
    };
    kinds.into_iter().filter_map(report).collect()
}
