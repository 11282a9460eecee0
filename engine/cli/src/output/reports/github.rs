//! Workflow commands of GitHub Actions, which shows them beside the changed lines.
//!
//! Source: "Workflow commands for GitHub Actions" in GitHub's documentation. GitHub shows ten errors and ten warnings a
//! step, so what blocks comes first.

use std::fmt::Write as _;

use super::sheet::{Entry, Item, Sheet};

/// One line a finding.
pub fn render(sheet: &Sheet) -> String {
    let mut commands: Vec<(Level, String)> = Vec::new();
    for entry in &sheet.entries {
        let items = entry.items.iter().filter(|item| item.excuse.is_none());
        commands.extend(items.map(|item| command(entry, item)));
        for trouble in &entry.troubles {
            let level = if trouble.blocking { Level::Error } else { Level::Warning };
            let message = format!("{} could not judge this: {}", trouble.plugin, trouble.message);
            let title = format!("{}: {}", trouble.plugin, trouble.kind);
            let place = format!("file={},title={}", property(&entry.file), property(&title));
            commands.push((level, format!("::{} {place}::{}", level.word(), data(&message))));
        }
    }
    commands.sort_by_key(|(level, _)| *level);
    commands.into_iter().fold(String::new(), |mut text, (_, command)| {
        let _ = writeln!(text, "{command}");
        text
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn of(item: &Item) -> Self {
        match (item.blocking, item.severity) {
            (true, _) => Self::Error,
            (_, "low") => Self::Notice,
            _ => Self::Warning,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

fn command(entry: &Entry, item: &Item) -> (Level, String) {
    let level = Level::of(item);
    let region = item.region;
    let mut place = format!(
        "file={},line={},endLine={}",
        property(&entry.file),
        region.start_line,
        region.end_line
    );
    // GitHub wants columns only within one line.
    if region.start_line == region.end_line {
        let _ = write!(place, ",col={},endColumn={}", region.start_column, region.end_column);
    }
    let _ = write!(
        place,
        ",title={}",
        property(&format!("{} ({})", item.name(), item.severity))
    );
    let help = item.help.iter().map(|help| format!("\n{help}"));
    let message: String = std::iter::once(item.message.clone()).chain(help).collect();
    (level, format!("::{} {place}::{}", level.word(), data(&message)))
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_means_something_to_github_is_escaped() {
        assert_eq!(data("50 %\r\nof: a, b"), "50 %25%0D%0Aof: a, b");
        assert_eq!(property("a,b:c%d"), "a%2Cb%3Ac%25d");
        // A message cannot begin a command of its own.
        assert_eq!(data("x\n::set-env name=A::b"), "x%0A::set-env name=A::b");
    }
}
