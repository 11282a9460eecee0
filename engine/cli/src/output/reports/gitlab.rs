//! GitLab's code quality report.
//!
//! Source: "Code Quality report format" in GitLab's documentation: a subset of Code Climate's, without a byte order mark.

use std::borrow::Cow;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::sheet::{Entry, Item, Sheet, Trouble};

#[derive(Debug, Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    fingerprint: Cow<'a, str>,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Debug, Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// One issue a finding that is not allowed, then one for each policy that could not judge.
pub fn render(sheet: &Sheet) -> String {
    let findings = sheet.entries.iter().flat_map(|entry| {
        let items = entry.items.iter().filter(|item| item.excuse.is_none());
        items.map(move |item| issue(entry, item))
    });
    let unjudged = sheet
        .entries
        .iter()
        .flat_map(|entry| entry.troubles.iter().map(move |trouble| unjudged(entry, trouble)));
    let issues: Vec<Issue<'_>> = findings.chain(unjudged).collect();
    // Texts and numbers can always be written.
    let mut text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    text.push('\n');
    text
}

fn unjudged<'a>(entry: &'a Entry, trouble: &'a Trouble) -> Issue<'a> {
    let key = format!("{}/{}/{}", entry.migration, trouble.plugin, trouble.kind);
    Issue {
        description: format!("{} could not judge this: {}", trouble.plugin, trouble.message),
        check_name: format!("{}/{}", trouble.plugin, trouble.kind),
        fingerprint: hex::encode(Sha256::digest(key)).into(),
        severity: if trouble.blocking { "blocker" } else { "major" },
        location: Location {
            path: &entry.file,
            lines: Lines { begin: 1, end: 1 },
        },
    }
}

fn issue<'a>(entry: &'a Entry, item: &'a Item) -> Issue<'a> {
    let help = item.help.iter().map(|help| format!("\n{help}"));
    Issue {
        description: std::iter::once(item.message.clone()).chain(help).collect(),
        check_name: item.name(),
        fingerprint: Cow::Borrowed(&item.fingerprint),
        severity: match (item.blocking, item.severity) {
            (true, _) => "blocker",
            (_, "high") => "critical",
            (_, "medium") => "major",
            _ => "minor",
        },
        location: Location {
            path: &entry.file,
            lines: Lines {
                begin: item.region.start_line,
                end: item.region.end_line,
            },
        },
    }
}
