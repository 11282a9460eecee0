//! Markdown for a comment on a pull request.

use std::fmt::Write as _;

use super::sheet::{Entry, Item, Sheet, Trouble};
use crate::output::markdown::{code, escape, longest_run, quoted};

/// GitHub refuses comments of more than 65,536 characters; what comes around this text needs some of them.
const LIMIT: usize = 60_000;

/// The lines of a statement that are shown.
const STATEMENT_LINES: usize = 12;

/// The verdict, then every finding that may not pass, then those that may.
pub fn render(sheet: &Sheet) -> String {
    let mut text = verdict(sheet);
    let entries = sheet.entries.iter().filter(|entry| entry.has_open());
    let (mut left_out, mut full) = (0, false);
    for entry in entries {
        let section = section(entry);
        full = full || text.len() + section.len() > LIMIT;
        if full {
            left_out += 1;
        } else {
            text.push_str(&section);
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            text,
            "\n… and {left_out} more migrations with findings: run `tollgate check` to see them all."
        );
    }
    let excused = excused(sheet);
    if text.len() + excused.len() <= LIMIT {
        text.push_str(&excused);
    }
    text
}

impl Entry {
    fn has_open(&self) -> bool {
        !self.troubles.is_empty() || self.items.iter().any(|item| item.excuse.is_none())
    }
}

fn verdict(sheet: &Sheet) -> String {
    let counts = sheet.counts;
    let title = match (counts.blocking, counts.warnings + counts.notes) {
        (0, 0) => "Migrations: nothing found",
        (0, _) => "Migrations: nothing that blocks",
        _ => "Migrations: blocked",
    };
    format!(
        "### {title}\n\n| checked | blocking | warnings | notes | allowed | approved |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n| {} | {} | {} | {} | {} | {} |\n",
        counts.migrations, counts.blocking, counts.warnings, counts.notes, counts.allowed, counts.approved
    )
}

fn section(entry: &Entry) -> String {
    let mut text = format!("\n#### {}\n", code(&entry.migration));
    let mut items: Vec<&Item> = entry.items.iter().filter(|item| item.excuse.is_none()).collect();
    // What blocks first; otherwise in the order of the script.
    items.sort_by_key(|item| !item.blocking);
    for item in items {
        text.push_str(&finding(entry, item));
    }
    for trouble in &entry.troubles {
        text.push_str(&unjudged(trouble));
    }
    text
}

fn finding(entry: &Entry, item: &Item) -> String {
    let stops = if item.blocking { ", blocks" } else { "" };
    let mut text = format!(
        "\n**{}{stops}** {} {}  \n{}\n",
        item.severity,
        code(&item.name()),
        escape(&item.message),
        code(&format!("{}:{}", entry.file, item.region.start_line)),
    );
    if !item.statement.is_empty() {
        text.push('\n');
        text.push_str(&fenced(&item.statement));
    }
    if let Some(help) = &item.help {
        let _ = writeln!(text, "\n{}", quoted(help));
    }
    text
}

fn unjudged(trouble: &Trouble) -> String {
    let stops = if trouble.blocking { "blocks" } else { "warning" };
    format!(
        "\n**{stops}** {} could not judge this migration ({}): {}\n",
        code(&trouble.plugin),
        trouble.kind,
        escape(&trouble.message)
    )
}

fn excused(sheet: &Sheet) -> String {
    let mut lines = String::new();
    for entry in &sheet.entries {
        for item in &entry.items {
            if let Some(excuse) = &item.excuse {
                let _ = writeln!(
                    lines,
                    "- {} {} {}; {}",
                    code(&entry.migration),
                    code(&item.name()),
                    escape(&item.message),
                    escape(&excuse.to_string())
                );
            }
        }
    }
    if lines.is_empty() {
        return lines;
    }
    format!("\n<details><summary>Allowed in the scripts, or approved</summary>\n\n{lines}\n</details>\n")
}

/// A statement, shortened, in a fence that it cannot close.
fn fenced(statement: &str) -> String {
    let total = statement.lines().count();
    let shown: Vec<&str> = statement.lines().take(STATEMENT_LINES).collect();
    let fence = "`".repeat(longest_run(statement).max(2) + 1);
    let rest = if total > STATEMENT_LINES {
        format!("\n-- … {} more lines", total - STATEMENT_LINES)
    } else {
        String::new()
    };
    format!("{fence}sql\n{}{rest}\n{fence}\n", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::fenced;

    #[test]
    fn a_script_cannot_close_its_fence() {
        assert_eq!(fenced("SELECT '```\n# x';"), "````sql\nSELECT '```\n# x';\n````\n");
    }

    #[test]
    fn long_statements_are_shortened() {
        let shown = fenced(&"SELECT 1,\n".repeat(20));
        assert!(shown.ends_with("SELECT 1,\n-- … 8 more lines\n```\n"), "{shown}");
    }
}
