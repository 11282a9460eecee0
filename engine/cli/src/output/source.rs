//! A text to draw pieces of. miette's own reads a text from its start to find out on which line a piece is; of a long
//! script with many findings that is most of the work. And it counts columns in bytes, which no editor does.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A named text.
#[derive(Debug)]
pub struct Source<'a> {
    /// The file's name, as shown.
    name: &'a str,
    /// All of it.
    text: &'a str,
    /// Where lines end; `None` where a carriage return may end one, too. Such texts are rare, and read from the start.
    ends: Option<Vec<usize>>,
}

impl<'a> Source<'a> {
    /// A text that is shown under a name.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        let ends = || text.match_indices('\n').map(|(at, _)| at).collect();
        Self {
            name,
            text,
            ends: (!text.contains('\r')).then(ends),
        }
    }

    /// The start of a line so far before `offset` that what stands before it does not matter, and how many lines do.
    fn start(&self, offset: usize, lines_before: usize) -> (usize, usize) {
        let ends = self.ends.as_deref().unwrap_or_default();
        let before = ends.partition_point(|end| *end < offset);
        match before.checked_sub(lines_before + 2) {
            Some(last) => (ends[last] + 1, last + 1),
            None => (0, 0),
        }
    }

    /// How many characters so many bytes before `offset` are.
    fn characters(&self, offset: usize, bytes: usize) -> usize {
        let before = &self.text.as_bytes()[offset - bytes..offset];
        // Of a character only the first byte does not begin with the bits 10.
        before.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
    }
}

impl SourceCode for Source<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let (start, skipped) = self.start(span.offset(), lines_before);
        let inside = SourceSpan::from((span.offset() - start, span.len()));
        let found = self.text[start..].read_span(&inside, lines_before, lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            found.data(),
            SourceSpan::from((found.span().offset() + start, found.span().len())),
            found.line() + skipped,
            self.characters(span.offset(), found.column()),
            found.line_count() + skipped,
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use miette::NamedSource;

    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        for (text, place) in [("é日本x", (0, 3)), ("日\r\n  'é' x", (1, 6)), ("x", (0, 0))] {
            let source = Source::new("n", text);
            let span = SourceSpan::from((text.find('x').unwrap_or_default(), 1));
            let found = source.read_span(&span, 0, 0).unwrap();
            assert_eq!((found.line(), found.column()), place, "{text}");
        }
    }

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
            let source = Source::new("n", text);
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
