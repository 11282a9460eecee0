//! A text to draw pieces of. miette's own reads a text from its start to find out on which line a piece is; of a long
//! script with many findings that is most of the work.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A named text.
#[derive(Debug)]
pub struct Source<'a> {
    /// The file's name, as shown.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
}

impl SourceCode for Source<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let start = self.start(span.offset(), lines_before);
        let skipped = self.text[..start].bytes().filter(|byte| *byte == b'\n').count();
        let inside = SourceSpan::from((span.offset() - start, span.len()));
        let found = self.text[start..].read_span(&inside, lines_before, lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            found.data(),
            SourceSpan::from((found.span().offset() + start, found.span().len())),
            found.line() + skipped,
            found.column(),
            found.line_count() + skipped,
        )))
    }
}

impl Source<'_> {
    /// The start of a line so far before `offset` that what stands before it does not matter.
    fn start(&self, offset: usize, lines_before: usize) -> usize {
        // A carriage return may end a line, too; such texts are rare.
        if self.text.contains('\r') {
            return 0;
        }
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let mut ends = before.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        ends.nth(lines_before + 1).map_or(0, |(end, _)| end + 1)
    }
}

#[cfg(test)]
mod tests {
    use miette::NamedSource;

    use super::*;

    #[test]
    fn it_is_what_reading_from_the_start_gives() {
        let texts = [
            "",
            "a",
            "\n",
            "a\nbb\n\nccc\nd\n\n\ne",
            "a\r\nb\rc\n\r\nd\n",
            "a\nb\nc\nd\ne\nf\ng\n",
        ];
        for text in texts {
            let source = Source { name: "n", text };
            let whole = NamedSource::new("n", text);
            let spans = (0..=text.len()).flat_map(|start| (0..=text.len() - start).map(move |length| (start, length)));
            for (start, length) in spans {
                for (before, after) in [(0, 0), (1, 1), (0, 2), (2, 0), (3, 3)] {
                    let span = SourceSpan::from((start, length));
                    let told = |source: &dyn SourceCode| {
                        let found = source.read_span(&span, before, after).ok()?;
                        let place = (*found.span(), found.line(), found.column(), found.line_count());
                        Some((found.data().to_owned(), place, found.name().map(str::to_owned)))
                    };
                    assert_eq!(told(&source), told(&whole), "{text:?} {span:?} {before} {after}");
                }
            }
        }
    }
}
