//! What is written.

use std::fmt::Write as _;

use tollgate_plugin::{Event, Finding, Run, Severity};

/// Migrations and findings that are listed; the rest is counted.
const LIST_LIMIT: usize = 50;

/// How a deployment stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// GitHub's word.
    pub(crate) state: &'static str,
    /// For people.
    pub(crate) description: String,
}

/// The environment's name; the database of a project without environments is one, too.
pub(crate) fn environment(run: &Run) -> &str {
    run.environment.as_deref().unwrap_or("database")
}

/// What an event says about the deployment. A run that failed was told of by `failed`: its `finished` adds nothing.
pub(crate) fn status(event: &Event) -> Option<Status> {
    let (state, description) = match event {
        Event::Planned(migrations) => ("in_progress", count(migrations.len())),
        Event::AwaitingApproval(awaiting) => match &awaiting.requirement {
            Some(requirement) => ("failure", requirement.clone()),
            None if awaiting.findings.is_empty() => ("error", "a policy could not judge".to_owned()),
            None => ("failure", "awaits approval".to_owned()),
        },
        Event::Failed(failed) => ("failure", format!("{} failed", failed.migration)),
        Event::Finished(finished) if finished.succeeded => ("success", count(finished.applied.len())),
        _ => return None,
    };
    Some(Status { state, description })
}

/// The first line of the comment; nobody sees it.
pub(crate) fn marker(run: &Run) -> String {
    let name: String = environment(run)
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    format!("<!-- tollgate deployment: {name} -->")
}

/// What an event is worth saying on the pull request.
pub(crate) fn comment(run: &Run, event: &Event) -> Option<String> {
    let place = code(environment(run));
    let rollback = run.command == "rollback";
    let mut text = String::new();
    match event {
        Event::AwaitingApproval(awaiting) => {
            let _ = writeln!(
                text,
                "### Migrations were not deployed to {place}\n\nNothing was applied."
            );
            if let Some(requirement) = &awaiting.requirement {
                let _ = writeln!(text, "\n- {}", escape(requirement));
            }
            list(&mut text, "Awaits approval", &findings(&awaiting.findings));
            let failures: Vec<String> = awaiting.failures.iter().map(|failure| escape(failure)).collect();
            list(&mut text, "Could not be judged", &failures);
        }
        Event::Failed(failed) => {
            let verb = if rollback { "taken back on" } else { "deployed to" };
            let code_of = failed
                .sqlstate
                .as_ref()
                .map(|code| format!(" (SQLSTATE {})", escape(code)));
            let _ = writeln!(
                text,
                "### Migrations could not be {verb} {place}\n\n{} failed{}:\n\n> {}",
                code(&failed.migration),
                code_of.unwrap_or_default(),
                escape(&failed.message).replace('\n', "\n> ")
            );
        }
        Event::Finished(finished) if finished.succeeded && !finished.applied.is_empty() => {
            let verb = if rollback { "taken back on" } else { "deployed to" };
            let _ = writeln!(text, "### Migrations {verb} {place}");
            let names: Vec<String> = finished.applied.iter().map(|name| code(name)).collect();
            list(&mut text, "", &names);
            list(&mut text, "Findings", &findings(&finished.findings));
        }
        _ => return None,
    }
    if let Some(link) = run.link.as_ref().filter(|link| link.starts_with("http")) {
        let _ = writeln!(text, "\n[The job]({})", link.replace([')', ' ', '\n'], ""));
    }
    Some(text)
}

fn findings(by_migration: &[(String, Vec<Finding>)]) -> Vec<String> {
    let all = by_migration
        .iter()
        .flat_map(|(migration, findings)| findings.iter().map(move |finding| (migration, finding)));
    let mut lines: Vec<(Severity, String)> = all
        .map(|(migration, finding)| {
            let level = match finding.severity {
                Severity::Low => "low",
                Severity::Medium => "medium",
                Severity::High => "**high**",
            };
            let (rule, migration) = (code(&finding.rule), code(migration));
            let line = format!("{level} {rule} in {migration}: {}", escape(&finding.message));
            (finding.severity, line)
        })
        .collect();
    // The gravest first: the list may be cut. Equal ones keep their order.
    lines.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity as u8));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// A list, as long as it may be; the rest is counted.
fn list(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = write!(text, "\n**{title}**\n");
    }
    text.push('\n');
    for line in lines.iter().take(LIST_LIMIT) {
        let _ = writeln!(text, "- {line}");
    }
    if lines.len() > LIST_LIMIT {
        let _ = writeln!(text, "- … and {} more", lines.len() - LIST_LIMIT);
    }
}

fn count(number: usize) -> String {
    format!("{number} {}", if number == 1 { "migration" } else { "migrations" })
}

/// Code in a line: as many backticks around it as it cannot close.
fn code(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{}{pad}{ticks}", text.replace(['\n', '\r'], " "))
}

/// Text in which Markdown, HTML and mentions mean nothing: names of tables come from a script, messages from a server.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A zero-width space after it: nobody is called.
            '@' => escaped.push_str("@\u{200b}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}
