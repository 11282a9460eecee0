//! A migration on its way to being fixed: its own script and the migrations that follow out of it.

use jiff::ToSpan;
use jiff::civil::DateTime;
use tollgate_sql::{Dialect, Operation};

use crate::folder::MigrationFile;

/// So many parts have names that sort one after the other even where the time cannot tell them apart.
const MOST: usize = 9;
/// Longest description in a name that we make up, in bytes.
const LONGEST: usize = 120;

/// The names of the migrations that follow out of `file`, in order: each one second later and called after what it does
/// where that leaves them before `next`, the name that comes next in the folder; otherwise the file's own name with a
/// number. `None`: no name sorts between the two.
pub(super) fn names(
    file: &MigrationFile,
    following: &[String],
    next: Option<&str>,
    dialect: Dialect,
) -> Option<Vec<String>> {
    if following.is_empty() {
        return Some(Vec::new());
    }
    let fits = |names: &Vec<String>| {
        let all = || {
            std::iter::once(file.name.as_str())
                .chain(names.iter().map(String::as_str))
                .chain(next)
        };
        all()
            .zip(all().skip(1))
            .all(|(earlier, later)| earlier.as_bytes() < later.as_bytes())
    };
    let by_time = || -> Option<Vec<String>> {
        let time = time_of(&file.name)?;
        let named = (1_i64..).zip(following).map(|(seconds, text)| {
            let time = time.checked_add(seconds.seconds()).ok()?.strftime("%Y%m%d%H%M%S");
            Some(format!("{time}_{}", description(file, text, dialect)))
        });
        named.collect()
    };
    let by_number = || {
        let named = (2..=MOST)
            .zip(following)
            .map(|(number, _)| format!("{}_{number}", file.name));
        (following.len() < MOST).then(|| named.collect())
    };
    by_time().filter(fits).or_else(|| by_number().filter(fits))
}

/// The moment that a name begins with.
fn time_of(name: &str) -> Option<DateTime> {
    let digits = name
        .get(..14)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    DateTime::strptime("%Y%m%d%H%M%S", digits).ok()
}

/// What a script does, in the words of a name.
fn description(file: &MigrationFile, text: &str, dialect: Dialect) -> String {
    let made_up = || {
        let script = tollgate_sql::parse(dialect, text).ok()?;
        let operation = &script.statements.first()?.effects.first()?.operation;
        let words = match operation {
            Operation::CreateIndex(index) => match &index.name {
                Some(name) => format!("create {name}"),
                None => format!("create index on {}", index.table.name),
            },
            Operation::ValidateConstraint { name, .. } => format!("validate {name}"),
            Operation::Drop(dropped) => format!("drop {}", dropped.name.name),
            _ => return None,
        };
        Some(snake_case(&words))
    };
    let description = made_up().unwrap_or_else(|| {
        let own = file.name.trim_start_matches(|c: char| c.is_ascii_digit());
        snake_case(&format!("{own} continued"))
    });
    description[..description.floor_char_boundary(LONGEST)]
        .trim_end_matches('_')
        .to_owned()
}

/// Letters and digits in lower case, everything else as underscores.
fn snake_case(words: &str) -> String {
    let mut out = String::new();
    for letter in words.chars() {
        if letter.is_alphanumeric() {
            out.extend(letter.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;

    fn file(name: &str) -> MigrationFile {
        MigrationFile {
            name: name.to_owned(),
            path: format!("migrations/{name}/migration.sql").into(),
            bytes: Vec::new(),
            text: String::new(),
            checksum: String::new(),
            down: None,
        }
    }

    fn named(name: &str, following: &[&str], next: Option<&str>) -> Option<Vec<String>> {
        let following: Vec<String> = following.iter().map(|&text| text.to_owned()).collect();
        names(&file(name), &following, next, Dialect::Postgres)
    }

    const INDEX: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS \"User_email_idx\" ON \"User\" (email);\n";

    #[test]
    fn a_second_later_and_called_after_what_it_does() {
        assert_eq!(
            named(
                "20261231235959_add_email",
                &[INDEX, "ALTER TABLE a VALIDATE CONSTRAINT b;"],
                None
            )
            .unwrap(),
            ["20270101000000_create_user_email_idx", "20270101000001_validate_b"]
        );
        assert_eq!(
            named(
                "20260901120000_a",
                &["UPDATE a SET b = 1;", "CREATE INDEX ON a (b);"],
                Some("20260901120003_b")
            )
            .unwrap(),
            ["20260901120001_a_continued", "20260901120002_create_index_on_a"]
        );
    }

    #[test]
    fn before_the_next_one() {
        for (name, next) in [
            ("20260901120000_a", Some("20260901120001_b")),
            ("20260901120000_a", Some("20260901120000_b")),
            ("20261399999999_a", None),
            ("0_init", Some("1_users")),
        ] {
            assert_eq!(
                named(name, &[INDEX, INDEX], next).unwrap(),
                [format!("{name}_2"), format!("{name}_3")]
            );
        }
    }

    #[test]
    fn sometimes_there_is_no_name() {
        assert_eq!(named("a", &[INDEX], Some("a_1")), None);
        assert_eq!(named("a", &[INDEX; 9], None), None);
        assert_eq!(named("a", &[], Some("a_1")), Some(Vec::new()));
    }

    #[test]
    fn long_names_are_cut() {
        let index = format!("CREATE INDEX \"{}\" ON a (b);", "ü".repeat(200));
        let names = named("20260901120000_a", &[&index], None).unwrap();
        assert!(names[0].len() <= 15 + LONGEST, "{}", names[0].len());
    }
}
