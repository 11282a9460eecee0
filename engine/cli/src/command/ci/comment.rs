//! `tollgate ci comment`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::Context;
use super::surroundings::{failure, pull_request, repository, variable};
use crate::engine::github::{GithubError, Written};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::report::Report;

/// Write the one comment of this workflow on the pull request: create it, or take the place of the last one
///
/// The text is that of the files, one after the other; a file that is not there is left out. Where the token may not write, as
/// in a run for a pull request from a fork, the text goes to a file instead, for the workflow to keep as an artifact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of Markdown, as `check --report markdown=FILE` writes them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Which comment it is, where a repository has several
    #[arg(long, value_name = "NAME", default_value = "migrations")]
    id: String,
    /// The pull request [default: that of the event the workflow runs for]
    #[arg(long, value_name = "NUMBER")]
    pull_request: Option<u64>,
    /// Where the text goes when the token may not write
    #[arg(long, value_name = "FILE", default_value = "tollgate-report/comment.md")]
    artifact: PathBuf,
}

/// The document of `ci comment`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Commented {
    /// `created`, `updated`, or `kept` in a file.
    outcome: &'static str,
    /// Where the comment is.
    url: Option<String>,
    /// The file that it was written to instead.
    artifact: Option<PathBuf>,
}

impl Body for Commented {}

/// Characters that a comment may have. Source: GitHub refuses more ("body is too long (maximum is 65536 characters)").
const LIMIT: usize = 65_536;

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let marker = marker(&args.id)?;
    let text = ui.redacted(&text(&marker, &args.files)?);
    summarize(&text)?;
    let Some(number) = args.pull_request.or_else(pull_request) else {
        let help = "run it in a workflow for `pull_request`, or name one with --pull-request";
        let report = Report::error("ci::no-pull-request", "this run is for no pull request").help(help);
        return Err(Failure::new(Exit::Usage, report));
    };
    let written = match repository(ui)?.comment(number, &marker, &text) {
        Ok(written) => written,
        Err(error @ GithubError::Forbidden { .. }) => return keep(args, context, &text, &error),
        Err(error) => return Err(failure(&error)),
    };
    let (outcome, url) = match written {
        Written::Created(url) => ("created", url),
        Written::Updated(url) => ("updated", url),
    };
    ui.line(format!("{outcome} the comment on #{number} {url}").trim_end());
    ui.document(&Commented {
        outcome,
        url: Some(url),
        artifact: None,
    });
    Ok(Exit::Done)
}

/// The token may not write: nothing is wrong with the migrations because of that.
fn keep(args: &Args, context: &Context<'_>, text: &str, error: &GithubError) -> Result<Exit, Failure> {
    let path = &args.artifact;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::file("ci::artifact", "write", path, &error))?;
    context.ui.warn(error.to_string());
    context.ui.line(format!("the comment is in {} instead", path.display()));
    context.ui.document(&Commented {
        outcome: "kept",
        url: None,
        artifact: Some(path.clone()),
    });
    Ok(Exit::Done)
}

/// What a comment of ours begins with; nobody sees it.
fn marker(id: &str) -> Result<String, Failure> {
    if id.is_empty()
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        let message = format!("`{id}` cannot name a comment");
        let help = "letters, digits, dots, dashes and underscores can";
        return Err(Failure::new(Exit::Usage, Report::error("ci::id", message).help(help)));
    }
    Ok(format!("<!-- tollgate: {id} -->"))
}

/// The files, as many as fit whole.
fn text(marker: &str, files: &[PathBuf]) -> Result<String, Failure> {
    let mut text = format!("{marker}\n");
    let mut length = text.chars().count();
    for path in files {
        let part = match std::fs::read_to_string(path) {
            Ok(part) => part,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::file("ci::file", "read", path, &error)),
        };
        let instead = format!(
            "\n{} is too long for a comment; the artifacts of the run have it.\n",
            name(path)
        );
        let fits = length + part.chars().count() + instead.chars().count() < LIMIT;
        let part = if fits { part } else { instead };
        text.push_str(&part);
        text.push('\n');
        length += part.chars().count() + 1;
    }
    Ok(text)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The same on the page of the run.
fn summarize(text: &str) -> Result<(), Failure> {
    let Some(path) = variable("GITHUB_STEP_SUMMARY").map(PathBuf::from) else {
        return Ok(());
    };
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| Failure::file("ci::summary", "write", &path, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::{LIMIT, marker, text};

    #[test]
    fn files_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (long, short) = (file("long.md", &"é".repeat(LIMIT)), file("short.md", "short"));
        let absent = folder.path().join("absent.md");
        let text = text("<!-- x -->", &[long, absent, short]).unwrap();
        assert_eq!(
            text,
            "<!-- x -->\n\nlong.md is too long for a comment; the artifacts of the run have it.\n\nshort\n"
        );
    }

    #[test]
    fn the_marker_cannot_be_left() {
        assert_eq!(marker("db_1.a-b").unwrap(), "<!-- tollgate: db_1.a-b -->");
        assert!(marker("x --> <b>").is_err());
        assert!(marker("").is_err());
    }
}
