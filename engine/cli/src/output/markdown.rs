//! Text from scripts and servers inside of Markdown: it must mean nothing there.

/// Code in a line: as many backticks around it as it cannot close.
pub fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{}{pad}{ticks}", text.replace(['\n', '\r'], " "))
}

/// The longest run of backticks: a fence has to be longer.
pub fn longest_run(text: &str) -> usize {
    let runs = text.split(|letter| letter != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// An `@` with a zero-width space after it: nobody is called.
const NOBODY: &str = "@\u{200b}";

/// Sentences of ours, in which code in backticks and stars stay what they are: no links, no HTML, no headings, no mentions.
pub fn prose(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '@' => escaped.push_str(NOBODY),
            '<' | '[' | ']' | '\\' | '#' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Text that Markdown, HTML and mentions mean nothing in. Names of tables come from a script that anybody may have written.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str(NOBODY),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A text as a quotation, line by line.
pub fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("> {}", escape(line))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{code, escape, prose};

    #[test]
    fn a_script_cannot_write_the_comment() {
        assert_eq!(
            escape("a <img src=x> @all [x](y)"),
            "a &lt;img src=x&gt; @\u{200b}all \\[x\\](y)"
        );
        assert_eq!(prose("run `x` <b> @all **now**"), "run `x` \\<b> @\u{200b}all **now**");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
    }
}
