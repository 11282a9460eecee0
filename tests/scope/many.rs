//! Thousands of files.

use std::fmt::Write as _;

use crate::support::empty;

#[test]
fn the_schemas_of_all_migrations_are_not_kept() {
    let project = empty();
    let mut columns = String::new();
    for column in 0..20 {
        write!(columns, ", column_{column} text NOT NULL DEFAULT ''").unwrap();
    }
    for number in 0..3_000 {
        let sql = format!(
            "CREATE TABLE t{number} (id integer PRIMARY KEY{columns});\nCREATE INDEX i{number} ON t{number} (column_1);\n"
        );
        project.migration(&format!("2024{number:010}_create_t{number}"), &sql);
    }
    let outcome = project.succeed(&["check", "--format=json"]);
    assert_eq!(outcome.json()["counts"]["migrations"], 3_000);
}
