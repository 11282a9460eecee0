//! Test results as `JUnit` writes them: a migration is a suite, a finding a case.
//!
//! What blocks is a failure, what a comment allows or somebody has approved is skipped, a policy that could not judge is an error, and the rest has
//! passed with something to say; so the verdict of whoever reads it is that of the exit status.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::sheet::{Entry, Item, Sheet, Trouble};

/// The document.
pub fn render(sheet: &Sheet) -> String {
    let mut report = Report::new("tollgate check");
    report.add_test_suites(sheet.entries.iter().map(suite));
    // Only a writer that fails makes this fail, and a text does not.
    report.to_string().unwrap_or_default()
}

fn suite(entry: &Entry) -> TestSuite {
    let mut suite = TestSuite::new(entry.migration.as_str());
    suite.extra.insert("file".into(), entry.file.as_str().into());
    if entry.items.is_empty() && entry.troubles.is_empty() {
        let mut case = TestCase::new("nothing found", TestCaseStatus::success());
        case.set_classname(entry.migration.as_str());
        suite.add_test_case(case);
    }
    suite.add_test_cases(entry.items.iter().map(|item| finding(entry, item)));
    suite.add_test_cases(entry.troubles.iter().map(|trouble| unjudged(entry, trouble)));
    suite
}

fn finding(entry: &Entry, item: &Item) -> TestCase {
    let status = match (&item.excuse, item.blocking) {
        (Some(excuse), _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(excuse.to_string());
            status
        }
        (None, true) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(item.severity).set_message(item.message.as_str());
            status.set_description(text(entry, item));
            status
        }
        (None, false) => TestCaseStatus::success(),
    };
    let name = format!("{} at line {}", item.name(), item.region.start_line);
    let mut case = TestCase::new(name, status);
    case.set_classname(entry.migration.as_str());
    if item.excuse.is_none() && !item.blocking {
        case.set_system_out(format!("{}: {}", item.severity, text(entry, item)));
    }
    case
}

fn unjudged(entry: &Entry, trouble: &Trouble) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    if trouble.blocking {
        status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(trouble.kind.as_str());
    }
    status.set_message(format!("{} could not judge this: {}", trouble.plugin, trouble.message));
    let mut case = TestCase::new(format!("{} judges", trouble.plugin), status);
    case.set_classname(entry.migration.as_str());
    case
}

fn text(entry: &Entry, item: &Item) -> String {
    let place = format!("{}:{}:{}", entry.file, item.region.start_line, item.region.start_column);
    let help = item.help.iter().map(|help| format!("\n{help}"));
    let statement = Some(&item.statement).filter(|text| !text.is_empty());
    std::iter::once(format!("{}\n{place}", item.message))
        .chain(help)
        .chain(statement.map(|statement| format!("\n\n{statement}")))
        .collect()
}
