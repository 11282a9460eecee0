//! Fixed migrations: written to disk, shown as what has changed, and told to programs.

use std::path::Path;

use serde::Serialize;
use similar::TextDiff;
use tollgate_engine::fix::{self, AppliedFix, FixReport, FixRequest, FixedMigration, RefusedFix, WriteError};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, paint};

/// What `--fix` has done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fixed {
    /// Migrations that have changed.
    pub fixed: Vec<FixedDocument>,
    /// Migrations that stay as they are although there were suggestions.
    pub unfixed: Vec<UnfixedDocument>,
}

/// A migration that has changed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FixedDocument {
    /// The migration.
    pub name: String,
    /// Its script.
    file: String,
    /// What was done, in order.
    fixes: Vec<FixDocument>,
    /// What has changed in the script, as a unified diff.
    diff: String,
    /// Migrations that have been made to follow it, in order.
    pub following: Vec<FollowingDocument>,
    /// Approvals that were for the script as it was, and do not count any more.
    void_approvals: Vec<String>,
}

/// A migration that could not be fixed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnfixedDocument {
    /// The migration.
    name: String,
    /// What was tried.
    tried: Vec<FixDocument>,
    /// Why it stays as it is.
    why: String,
}

/// A suggestion that was followed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FixDocument {
    /// The policy.
    plugin: String,
    /// Its rule.
    rule: String,
    /// What was wrong.
    message: String,
    /// What was done about it.
    fix: String,
}

/// A migration that was made.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FollowingDocument {
    /// Its name.
    pub name: String,
    /// Its script.
    file: String,
    /// What the script says.
    sql: String,
}

impl Fixed {
    /// Something is on disk that was not there before.
    pub fn any(&self) -> bool {
        !self.fixed.is_empty()
    }

    /// The migrations that were made.
    pub fn made(&self) -> impl Iterator<Item = &str> {
        let following = self.fixed.iter().flat_map(|fixed| &fixed.following);
        following.map(|following| following.name.as_str())
    }

    /// Every suggestion that could be followed has been.
    pub fn complete(&self) -> bool {
        self.unfixed.is_empty()
    }
}

/// Follows the suggestions, writes the files and shows what has changed.
pub fn run(request: &FixRequest<'_>, ui: &Ui) -> Result<Fixed, Failure> {
    let FixReport { fixed, refused } = fix::fix(request)?;
    let mut done: Vec<FixedDocument> = Vec::with_capacity(fixed.len());
    for migration in &fixed {
        if let Err(error) = fix::write(migration) {
            let finished = done.into_iter().map(|done| done.name).collect();
            return Err(unwritten(&error).finished(finished));
        }
        show(migration, ui);
        done.push(document(migration));
    }
    for migration in &refused {
        ui.report(&unfixed(migration));
    }
    if fixed.is_empty() && refused.is_empty() {
        ui.line("nothing to fix");
    }
    let unfixed = refused.into_iter().map(|refused| UnfixedDocument {
        name: refused.migration,
        tried: refused.tried.iter().map(applied).collect(),
        why: refused.why,
    });
    Ok(Fixed {
        fixed: done,
        unfixed: unfixed.collect(),
    })
}

fn show(migration: &FixedMigration, ui: &Ui) {
    let fixes = count_fixes(migration.fixes.len());
    ui.line(format!("{fixes} in {}", paint(NAME, shown(&migration.path))));
    for (fix, times) in grouped(&migration.fixes) {
        let times = if times > 1 {
            format!(" ({times} times)")
        } else {
            String::new()
        };
        ui.line(format!("  {}::{}: {}{times}", fix.plugin, fix.rule, fix.title));
    }
    show_diff(&diff(&migration.path, &migration.before, &migration.after), ui);
    for following in &migration.following {
        ui.line(format!("made {}", paint(NAME, shown(&following.path))));
        show_diff(&prefixed(&following.text), ui);
    }
    if !migration.void_approvals.is_empty() {
        ui.report(&voided(migration));
    }
}

/// Somebody has looked at the script, and it is another one now.
fn voided(migration: &FixedMigration) -> Report {
    let approvals = &migration.void_approvals;
    let message = match approvals.len() {
        1 => format!(
            "an approval does not count any more: it was for {} as it was before",
            migration.name
        ),
        more => format!(
            "{more} approvals do not count any more: they were for {} as it was before",
            migration.name
        ),
    };
    let listed: Vec<String> = approvals.iter().map(ToString::to_string).collect();
    Report::warning("fix::approvals", message).help(format!(
        "have the script looked at again, then approve what is still meant:\n{}",
        listed.join("\n")
    ))
}

/// Each fix once, with how often it was made.
fn grouped(fixes: &[AppliedFix]) -> Vec<(&AppliedFix, usize)> {
    let mut groups: Vec<(&AppliedFix, usize)> = Vec::new();
    for fix in fixes {
        let same = |(known, _): &&mut (&AppliedFix, usize)| {
            (&known.plugin, &known.rule, &known.title) == (&fix.plugin, &fix.rule, &fix.title)
        };
        match groups.iter_mut().find(same) {
            Some((_, times)) => *times += 1,
            None => groups.push((fix, 1)),
        }
    }
    groups
}

fn count_fixes(number: usize) -> String {
    if number == 1 {
        "1 fix".to_owned()
    } else {
        format!("{number} fixes")
    }
}

/// A new file as lines that were added.
fn prefixed(text: &str) -> String {
    text.lines().map(|line| format!("+{line}\n")).collect()
}

fn show_diff(diff: &str, ui: &Ui) {
    for line in diff.lines().map(|line| line.trim_end_matches('\r')) {
        ui.line(match line.as_bytes().first() {
            Some(b'+') => paint(GOOD, line),
            Some(b'-') => paint(BAD, line),
            Some(b'@') => paint(DIM, line),
            _ => line.to_owned(),
        });
    }
}

/// What has changed, with two lines around it.
fn diff(path: &Path, before: &str, after: &str) -> String {
    let name = shown(path);
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(2)
        .header(&name, &name)
        .to_string()
}

fn document(migration: &FixedMigration) -> FixedDocument {
    let following = migration.following.iter().map(|following| FollowingDocument {
        name: following.name.clone(),
        file: shown(&following.path),
        sql: following.text.clone(),
    });
    FixedDocument {
        name: migration.name.clone(),
        file: shown(&migration.path),
        fixes: migration.fixes.iter().map(applied).collect(),
        diff: diff(&migration.path, &migration.before, &migration.after),
        following: following.collect(),
        void_approvals: migration.void_approvals.iter().map(ToString::to_string).collect(),
    }
}

fn applied(fix: &AppliedFix) -> FixDocument {
    FixDocument {
        plugin: fix.plugin.clone(),
        rule: fix.rule.clone(),
        message: fix.message.clone(),
        fix: fix.title.clone(),
    }
}

fn unfixed(migration: &RefusedFix) -> Report {
    let message = format!("{} stays as it is: {}", migration.migration, migration.why);
    let report = Report::error("fix::refused", message);
    if migration.tried.is_empty() {
        return report;
    }
    let tried = grouped(&migration.tried);
    let tried: Vec<String> = tried
        .iter()
        .map(|(fix, _)| format!("{}::{}: {}", fix.plugin, fix.rule, fix.title))
        .collect();
    report.help(format!("this was tried:\n{}", tried.join("\n")))
}

/// A file that could not be written.
fn unwritten(error: &WriteError) -> Failure {
    let help = match error {
        WriteError::Changed(_) => "run the command again",
        WriteError::Exists(_) => "rename that folder, or remove it",
        _ => "the migration is as it was; look at the permissions of the file and of its folder",
    };
    let message = crate::output::path::shortened(&error.to_string());
    Failure::new(Exit::Failed, Report::error("fix::write", message).help(help))
}
