//! What `check` found, in the forms that other programs read: SARIF, GitHub's annotations, GitLab's code quality, `JUnit`,
//! and Markdown for a pull request.
//!
//! Every form is made from the same [`Sheet`], by one module each. Files are named from the root of the repository, with
//! slashes, because that is where those programs look for them.

mod github;
mod gitlab;
mod junit;
mod lines;
mod markdown;
mod place;
mod sarif;
mod sheet;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;

pub use lines::Lines;
pub use place::Root;
pub use sheet::{Entry, Excuse, Fix, Item, Replacement, RuleInfo, Sheet, Trouble, fingerprints};

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// SARIF 2.1.0, which code hosts and editors read.
    Sarif,
    /// Workflow commands that GitHub Actions shows beside the changed lines.
    Github,
    /// The code quality report of GitLab.
    Gitlab,
    /// Test results as `JUnit` writes them: a migration is a suite, a finding a case.
    Junit,
    /// Markdown for a comment on a pull request.
    Markdown,
}

/// All forms with the names that the command line uses.
const FORMS: [(&str, Form); 5] = [
    ("sarif", Form::Sarif),
    ("github", Form::Github),
    ("gitlab", Form::Gitlab),
    ("junit", Form::Junit),
    ("markdown", Form::Markdown),
];

/// One report that is wanted: `FORM` for standard output, `FORM=FILE` for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    form: Form,
    destination: Destination,
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `None`: to standard output.
    file: Option<PathBuf>,
}

impl Destination {
    /// Takes `FORM` or `FORM=FILE` apart; `-` is standard output, too.
    ///
    /// # Errors
    /// No name follows the `=`.
    pub fn split(text: &str) -> Result<(&str, Self), String> {
        let (form, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a file's name is missing after `=`".to_owned()),
            Some((form, file)) => (form, Some(file)),
            None => (text, None),
        };
        let file = file.filter(|file| *file != "-").map(PathBuf::from);
        Ok((form, Self { file }))
    }

    /// It takes standard output for itself.
    pub fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Writes the report there, without secrets.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, ui: &Ui, text: &str) -> Result<(), Failure> {
        match &self.file {
            None => {
                ui.raw(text);
                Ok(())
            }
            Some(path) => save(path, &ui.redacted(text)),
        }
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, destination) = Destination::split(text)?;
        let known = || FORMS.map(|(name, _)| name).join(", ");
        let (_, form) = FORMS
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("there is no form `{name}`; there are {}", known()))?;
        Ok(Self { form, destination })
    }
}

/// Whether one of them takes standard output for itself.
///
/// # Errors
/// Two that want it; `--format json` wants it, too.
pub fn claims_stdout(wanted: &[Wanted], json: bool) -> Result<bool, Failure> {
    let claims = wanted.iter().filter(|wanted| wanted.destination.is_stdout()).count();
    if claims + usize::from(json) <= 1 {
        return Ok(claims == 1);
    }
    let message = "only one report can go to standard output";
    let report =
        Report::error("usage::reports", message).help("give the others a file: `--report sarif=findings.sarif`");
    Err(Failure::new(Exit::Usage, report))
}

/// Writes every report that is wanted.
///
/// # Errors
/// A file that cannot be written.
pub fn write(ui: &Ui, wanted: &[Wanted], sheet: &Sheet) -> Result<(), Failure> {
    wanted
        .iter()
        .try_for_each(|Wanted { form, destination }| destination.write(ui, &form.render(sheet)))
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::file("report::unwritable", "write the report", path, &error))
}

impl Form {
    /// The whole report.
    pub fn render(self, sheet: &Sheet) -> String {
        match self {
            Self::Sarif => sarif::render(sheet),
            Self::Github => github::render(sheet),
            Self::Gitlab => gitlab::render(sheet),
            Self::Junit => junit::render(sheet),
            Self::Markdown => markdown::render(sheet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Wanted};

    #[test]
    fn a_report_is_named_by_its_form_and_may_go_to_a_file() {
        let parse = |text: &str| {
            text.parse::<Wanted>()
                .map(|wanted| (wanted.form, wanted.destination.file))
        };
        assert_eq!(parse("sarif"), Ok((Form::Sarif, None)));
        assert_eq!(parse("junit=-"), Ok((Form::Junit, None)));
        assert_eq!(
            parse("gitlab=out/a=b.json"),
            Ok((Form::Gitlab, Some("out/a=b.json".into())))
        );
        assert_eq!(parse("junit="), Err("a file's name is missing after `=`".to_owned()));
        assert_eq!(
            parse("xml"),
            Err("there is no form `xml`; there are sarif, github, gitlab, junit, markdown".to_owned())
        );
    }
}
