//! `.env` files, read as Prisma reads them: dotenv's grammar, then `${NAME}` (and only with braces) expanded.
//!
//! The syntax is forgiving: what is no assignment is skipped, a value may be bare, or in `'`, `"` or `` ` `` and then
//! run over several lines; only `"` knows `\n` and `\r`.

use std::collections::BTreeMap;

/// How deep `${A}` may lead to `${B}`; a file whose values refer to each other in a circle ends here.
const MAX_DEPTH: usize = 16;

/// The assignments of a file in which nothing is expanded yet. A later one of the same name wins.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut values = BTreeMap::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        rest = match assignment(rest) {
            Some((name, value, after)) => {
                values.insert(name.to_owned(), value);
                after
            }
            None => next_line(rest),
        };
    }
    values
}

/// Expands `${NAME}` in every value. `outer` is the real environment, which wins over the file.
pub fn expand(values: &BTreeMap<String, String>, outer: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), interpolate(value, values, outer, 0)))
        .collect()
}

fn interpolate(
    text: &str,
    values: &BTreeMap<String, String>,
    outer: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(length) = rest[at + 2..].find('}') else { break };
        let name = &rest[at + 2..at + 2 + length];
        let after = &rest[at + 2 + length + 1..];
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        }
        if let Some(before) = rest[..at].strip_suffix('\\') {
            out.push_str(before);
            out.push_str(&rest[at..=at + 2 + length]);
        } else {
            out.push_str(&rest[..at]);
            let value = outer(name).or_else(|| values.get(name).cloned()).unwrap_or_default();
            if depth < MAX_DEPTH {
                out.push_str(&interpolate(&value, values, outer, depth + 1));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_line(text: &str) -> &str {
    text.find('\n').map_or("", |at| &text[at + 1..])
}

/// One assignment at the start of `text`: name, value, and what follows. `None` where the line is none.
fn assignment(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start();
    let exported = text
        .strip_prefix("export")
        .filter(|after| after.starts_with(char::is_whitespace));
    // A variable may be called `export`, too.
    exported
        .and_then(|after| plain_assignment(after.trim_start()))
        .or_else(|| plain_assignment(text))
}

fn plain_assignment(text: &str) -> Option<(&str, String, &str)> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let (name, rest) = text.split_at(text.find(|c| !in_name(c)).unwrap_or(text.len()));
    if name.is_empty() {
        return None;
    }
    let rest = after_separator(rest)?;
    for quote in QUOTES {
        // Only a quoted value may begin on a later line.
        if let Some((inner, after)) = quoted(rest.trim_start(), quote) {
            return Some((name, unescape(inner, quote), after));
        }
    }
    let value = rest.trim_start_matches([' ', '\t']);
    let line_end = value.find('\n').unwrap_or(value.len());
    let bare = value[..line_end].split('#').next().unwrap_or_default().trim();
    Some((name, without_quotes(bare), next_line(value)))
}

/// Quotes around a value that has more of them inside, or only at its beginning: dotenv takes the outer pair away all
/// the same, and expands what begins like a `"`.
fn without_quotes(bare: &str) -> String {
    let Some(quote) = QUOTES.into_iter().find(|quote| bare.starts_with(*quote)) else {
        return bare.to_owned();
    };
    let inner = bare.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    unescape(inner.unwrap_or(bare), quote)
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

fn unescape(inner: &str, quote: char) -> String {
    if quote == '"' {
        inner.replace("\\n", "\n").replace("\\r", "\r")
    } else {
        inner.to_owned()
    }
}

/// What follows `=`, with white space before it, or YAML's `: `.
fn after_separator(text: &str) -> Option<&str> {
    if let Some(after) = text.trim_start().strip_prefix('=') {
        return Some(after);
    }
    let after = text.strip_prefix(':')?;
    after
        .starts_with(char::is_whitespace)
        .then(|| &after[after.chars().next().map_or(0, char::len_utf8)..])
}

/// A quoted value at the start of `text`, if nothing but a comment follows it on its last line. A quote after a
/// backslash does not end it (and the backslash stays, as in dotenv).
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(quote)?;
    let mut from = 0;
    loop {
        let at = from + inner[from..].find(quote)?;
        if inner[..at].ends_with('\\') {
            from = at + 1;
            continue;
        }
        let after = &inner[at + 1..];
        let tail = after.split('\n').next().unwrap_or_default().trim();
        return (tail.is_empty() || tail.starts_with('#')).then(|| (&inner[..at], next_line(after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> BTreeMap<String, String> {
        expand(&parse(text), &|name| (name == "OUTER").then(|| "outer".to_owned()))
    }

    #[test]
    fn values_are_those_that_dotenv_reads() {
        let cases = [
            ("A=1", "1"),
            ("  export A = one two  # comment", "one two"),
            ("A=", ""),
            ("A=\nB=2", ""),
            ("A=\n\"later\"", "later"),
            ("A\n= next", "next"),
            ("export =1\nA=2", "2"),
            ("A=\"open\\n", "\"open\n"),
            ("A: yaml", "yaml"),
            ("A='single ${OUTER}\\n' # comment", "single outer\\n"),
            ("A=\"two\\nlines\"", "two\nlines"),
            ("A=\"over\nlines\"\nB=2", "over\nlines"),
            ("A=`back 'and' \"tick\"`", "back 'and' \"tick\""),
            ("A=\"hash # inside\"", "hash # inside"),
            ("A=bare#comment", "bare"),
            ("A=\"quote \\\" inside\"", "quote \\\" inside"),
            ("A='it'is'", "it'is"),
            ("A=1\r\nB=2\rC=3", "1"),
            ("\u{feff}A=bom", "bom"),
            ("A=first\nA=second", "second"),
            ("nonsense\n# A=no\nA=yes", "yes"),
            ("A=${OUTER}/${B}\nB=file", "outer/file"),
            ("A=\\${B} $B ${MISSING}\nB=file", "${B} $B "),
            ("A=${B}\nB=${C}\nC=deep", "deep"),
            ("A=${not a name}${B}\nB=b", "${not a name}b"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).get("A").map(String::as_str), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(read("A=${B}\nB=${A}").get("A").map(String::as_str), Some(""));
    }

    #[test]
    fn several_assignments_are_all_read() {
        let names: Vec<_> = read("A=1\n\nB='x\ny'\n# c\nC.D-E=3\n").into_keys().collect();
        assert_eq!(names, ["A", "B", "C.D-E"]);
    }
}
