//! Comments as the servers read them.

use crate::name::Dialect;

/// Length of the block comment that `text` begins with; all of it where the comment is never closed. PostgreSQL's may lie
/// in each other.
pub fn block_length(dialect: Dialect, text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") && (dialect == Dialect::Postgres || depth == 0) {
            depth += 1;
            at += 2;
        } else if depth > 0 && rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgres_has_comments_in_comments() {
        let text = "/* é /* b */ c */ d";
        let outer = "/* é /* b */ c */".len();
        let inner = "/* é /* b */".len();
        for (dialect, length) in [
            (Dialect::Postgres, outer),
            (Dialect::Sqlite, inner),
            (Dialect::Mysql, inner),
        ] {
            assert_eq!(block_length(dialect, text), length, "{dialect:?}");
            assert_eq!(block_length(dialect, "/*/ a */ b"), 8, "its own star does not close it");
            assert_eq!(block_length(dialect, "/* a"), 4, "it is never closed");
        }
    }
}
