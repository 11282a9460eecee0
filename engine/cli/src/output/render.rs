//! A [`Report`] as text with the snippet drawn, through miette.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};

use super::report::{Level, Report};
use super::source::Source;
use super::style::{self, paint};

/// Lines shown above and below the place.
const CONTEXT: usize = 1;

/// Draws the report; in colour only where that can be seen, because taking the colours out again is work.
pub fn render(report: &Report, width: usize, coloured: bool) -> String {
    let drawn = Drawn {
        report,
        source: report
            .snippet
            .as_ref()
            .map(|snippet| Source::new(&snippet.name, &snippet.text)),
    };
    let theme = if coloured {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(width)
        // Only blanks end a line: a path or a flag that is broken in two can be copied by nobody.
        .with_word_separator(textwrap::WordSeparator::AsciiSpace)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
        .with_break_words(false)
        .with_context_lines(CONTEXT);
    let mut text = String::new();
    if handler.render_report(&mut text, &drawn).is_err() {
        text = format!("{}: {}\n", report.code, report.message);
    }
    if let Some(state) = &report.database {
        text.extend(["  ", &paint(style::NAME, "the database now:"), " ", state, "\n"]);
    }
    text.push('\n');
    text
}

/// What miette wants to know.
#[derive(Debug)]
struct Drawn<'a> {
    report: &'a Report,
    source: Option<Source<'a>>,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.report.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.report.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.report
            .help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let snippet = self.report.snippet.as_ref()?;
        let labels = snippet.labels.iter().enumerate().map(|(index, (span, text))| {
            let text = (!text.is_empty()).then(|| text.clone());
            if index == 0 {
                LabeledSpan::new_primary_with_span(text, span.clone())
            } else {
                LabeledSpan::new_with_span(text, span.clone())
            }
        });
        Some(Box::new(labels))
    }
}
