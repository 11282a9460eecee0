//! Statements that a server accepts: none may be refused, and none may be cut in two. Each was run on MariaDB 10.11 in
//! this order, but for those of the second list, which only `MySQL` 8 reads.

use super::script;

const MARIADB: &str = include_str!("accepted.sql");
const MYSQL: &str = include_str!("accepted_by_mysql.sql");

/// Statements of a file, as its own marks between them cut it.
fn marked(text: &str) -> Vec<&str> {
    text.split("\n-- next\n")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[test]
fn what_a_server_accepts_is_one_statement_each() {
    for statement in marked(MARIADB).into_iter().chain(marked(MYSQL)) {
        let read = script(&format!("{statement}\n;\nCOMMIT"));
        assert_eq!(read.statements.len(), 2, "{statement}");
        assert!(
            read.statements[0].span.of(&read.text).len() + 40 > statement.len(),
            "{statement}"
        );
    }
}

#[test]
fn all_of_them_are_cut_where_the_marks_are() {
    for file in [MARIADB, MYSQL] {
        let marked = marked(file);
        let joined = marked
            .iter()
            .map(|statement| format!("{statement}\n;\n"))
            .collect::<String>();
        let read = script(&joined);
        assert_eq!(read.statements.len(), marked.len());
        for (statement, text) in read.statements.iter().zip(marked) {
            assert!(text.contains(statement.span.of(&joined)), "{text}");
        }
    }
}
