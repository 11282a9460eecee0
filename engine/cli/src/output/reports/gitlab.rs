//! GitLab's code quality report.
//!
//! Source: "Code Quality report format" in GitLab's documentation: a subset of Code Climate's, without a byte order mark.

use serde::Serialize;

use super::sheet::{Entry, Item, Sheet};

#[derive(Debug, Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    fingerprint: &'a str,
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

/// One issue a finding that is not allowed.
pub fn render(sheet: &Sheet) -> String {
    let troubles: Vec<(&Entry, String)> = sheet
        .entries
        .iter()
        .flat_map(|entry| {
            entry.troubles.iter().map(move |trouble| {
                let key = format!("{}/{}/{}", entry.migration, trouble.plugin, trouble.kind);
                (entry, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(key)))
            })
        })
        .collect();
    let mut issues: Vec<Issue<'_>> = Vec::new();
    for entry in &sheet.entries {
        let items = entry.items.iter().filter(|item| item.excuse.is_none());
        issues.extend(items.map(|item| issue(entry, item)));
    }
    let all = sheet.entries.iter().flat_map(|entry| &entry.troubles);
    for (trouble, (entry, fingerprint)) in all.zip(&troubles) {
        issues.push(Issue {
            description: format!("{} could not judge this: {}", trouble.plugin, trouble.message),
            check_name: format!("{}/{}", trouble.plugin, trouble.kind),
            fingerprint,
            severity: if trouble.blocking { "blocker" } else { "major" },
            location: Location {
                path: &entry.file,
                lines: Lines { begin: 1, end: 1 },
            },
        });
    }
    // Texts and numbers can always be written.
    let mut text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    text.push('\n');
    text
}

fn issue<'a>(entry: &'a Entry, item: &'a Item) -> Issue<'a> {
    let help = item.help.iter().map(|help| format!("\n{help}"));
    Issue {
        description: std::iter::once(item.message.clone()).chain(help).collect(),
        check_name: item.name(),
        fingerprint: &item.fingerprint,
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
