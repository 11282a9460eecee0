//! Tables in which no word is broken: columns as wide as there is room for, or else a line for each value.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

/// What stands before and after the text of a column.
const PADDING: usize = 2;
/// What stands between two columns.
const GAP: usize = 1;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    head: &'static str,
    /// It may go on in the next line, between two words.
    breaks: bool,
}

/// A column whose text may go on in the next line.
pub const fn text(head: &'static str) -> Column {
    Column { head, breaks: true }
}

/// A column whose text stays in one line.
pub const fn whole(head: &'static str) -> Column {
    Column { head, breaks: false }
}

/// Rows below their heads, without the columns in which nothing stands. `None`: there is no room for that.
pub fn table<const N: usize>(columns: [Column; N], rows: &[[Option<String>; N]], width: usize) -> Option<String> {
    let filled: Vec<usize> = (0..N)
        .filter(|&column| rows.iter().any(|row| row[column].is_some()))
        .collect();
    let columns: Vec<Column> = filled.iter().map(|&column| columns[column]).collect();
    let cell = |text: &Option<String>| one_line(text.as_deref().unwrap_or("–"));
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| filled.iter().map(|&column| cell(&row[column])).collect())
        .collect();
    Some(drawn(&columns, &rows, &widths(&columns, &rows, width)?))
}

/// The values of each row, one below the other.
pub fn list<const N: usize>(columns: [Column; N], rows: &[[Option<String>; N]]) -> String {
    let width = columns.iter().map(|column| column.head.len()).max().unwrap_or(0);
    let row = |row: &[Option<String>; N]| {
        let lines = columns.iter().zip(row).filter_map(|(column, text)| {
            let text = one_line(text.as_deref()?);
            Some(format!("  {:width$}  {text}", column.head))
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n\n")
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// How wide each column's text can be. `None`: not even with every word in a line of its own there is room for all.
fn widths(columns: &[Column], rows: &[Vec<String>], width: usize) -> Option<Vec<usize>> {
    let room = (width + GAP).checked_sub(columns.len() * (PADDING + GAP))?;
    let longest = |index: usize, length: &dyn Fn(&str) -> usize| {
        let cells = rows.iter().map(|row| length(&row[index]));
        cells.chain([length(columns[index].head)]).max().unwrap_or(0)
    };
    let line = |text: &str| text.chars().count();
    let word = |text: &str| text.split(' ').map(line).max().unwrap_or(0);
    let narrowest: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| longest(index, if column.breaks { &word } else { &line }))
        .collect();
    let mut widths: Vec<usize> = (0..columns.len()).map(|index| longest(index, &line)).collect();
    while widths.iter().sum::<usize>() > room {
        // The widest of those that can give something.
        let index = (0..widths.len())
            .filter(|&index| widths[index] > narrowest[index])
            .max_by_key(|&index| widths[index])?;
        widths[index] -= 1;
    }
    Some(widths)
}

fn drawn(columns: &[Column], rows: &[Vec<String>], widths: &[usize]) -> String {
    let fixed = |width: &usize| {
        let width = u16::try_from(width + PADDING).unwrap_or(u16::MAX);
        ColumnConstraint::Absolute(Width::Fixed(width))
    };
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|column| column.head));
    for row in rows {
        table.add_row(row);
    }
    table.set_constraints(widths.iter().map(fixed));
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [whole("pid"), text("application"), text("since"), whole("left")];

    fn drawn(width: usize) -> String {
        let row = |pid: &str, since: &str| {
            [
                Some(pid.to_owned()),
                Some("a long name of something".to_owned()),
                Some(since.to_owned()),
                None,
            ]
        };
        let rows = [row("7", "2026-11-23 06:47:36Z"), row("12345", "2026-11-22 01:02:03Z")];
        table(COLUMNS, &rows, width).unwrap_or_else(|| list(COLUMNS, &rows))
    }

    #[test]
    fn every_width_keeps_words_whole() {
        for width in 0..100 {
            let drawn = drawn(width);
            for word in ["12345", "application", "something", "2026-11-23", "06:47:36Z"] {
                assert!(drawn.contains(word), "{word} at {width}\n{drawn}");
            }
            assert!(!drawn.contains("left"), "nothing stands in that column\n{drawn}");
            let is_table = drawn.contains('═');
            assert_eq!(is_table, width >= 34, "{width}\n{drawn}");
            let widest = drawn.lines().map(|line| line.chars().count()).max();
            assert!(!is_table || widest <= Some(width), "{width}\n{drawn}");
        }
    }

    #[test]
    fn wide_narrow_and_narrower() {
        let seen = [80, 40, 20].map(drawn).join("\n");
        insta::assert_snapshot!(seen, @"
        ─────────────────────────────────────────────────────────
         pid     application                since
        ═════════════════════════════════════════════════════════
         7       a long name of something   2026-11-23 06:47:36Z
        ─────────────────────────────────────────────────────────
         12345   a long name of something   2026-11-22 01:02:03Z
        ─────────────────────────────────────────────────────────
        ────────────────────────────────────────
         pid     application      since
        ════════════════════════════════════════
         7       a long name of   2026-11-23
                 something        06:47:36Z
        ────────────────────────────────────────
         12345   a long name of   2026-11-22
                 something        01:02:03Z
        ────────────────────────────────────────
          pid          7
          application  a long name of something
          since        2026-11-23 06:47:36Z

          pid          12345
          application  a long name of something
          since        2026-11-22 01:02:03Z
        ");
    }
}
