//! Names as a shell reads them back: what is printed as a command can be copied.

/// The text as one word of a command.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_stays_one_word() {
        for (text, word) in [
            ("20260101_init", "20260101_init"),
            ("0 init", "'0 init'"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
            ("umläut", "umläut"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
