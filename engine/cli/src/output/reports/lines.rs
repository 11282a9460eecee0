//! Lines and columns of a text.

use std::ops::Range;

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

/// A part of a text. Lines and columns are counted from 1, columns in characters; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    /// Line of the first character.
    pub start_line: usize,
    /// Its column.
    pub start_column: usize,
    /// Line of the first character after it.
    pub end_line: usize,
    /// Its column.
    pub end_column: usize,
}

impl<'a> Lines<'a> {
    /// Reads the text once.
    pub fn new(text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// Where a range of bytes stands; what lies outside the text is moved to its end.
    pub fn region(&self, span: Range<usize>) -> Region {
        let (start_line, start_column) = self.position(span.start);
        let (end_line, end_column) = self.position(span.end.max(span.start));
        Region {
            start_line,
            start_column,
            end_line,
            end_column,
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Region};

    #[test]
    fn columns_count_characters_and_the_end_is_exclusive() {
        let region = |text: &str, span| {
            let Region {
                start_line,
                start_column,
                end_line,
                end_column,
            } = Lines::new(text).region(span);
            (start_line, start_column, end_line, end_column)
        };
        assert_eq!(region("", 0..0), (1, 1, 1, 1));
        assert_eq!(region("ab\ncd", 1..4), (1, 2, 2, 2));
        assert_eq!(region("é ü\r\nx", 3..5), (1, 3, 1, 4));
        assert_eq!(region("a\n", 2..2), (2, 1, 2, 1));
        assert_eq!(region("abc", 2..99), (1, 3, 1, 4));
        // Inside a character: its beginning.
        assert_eq!(region("éa", 1..2), (1, 1, 1, 2));
    }
}
