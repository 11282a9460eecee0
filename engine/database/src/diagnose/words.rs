//! Numbers and lists as people read them.

use std::time::Duration;

use crate::sql_text::identifier;

/// `1 row`, `2 rows`.
pub(super) fn count(number: i64, what: &str) -> String {
    let ending = match (number, what) {
        (1, _) => "",
        (_, "index") => "es",
        _ => "s",
    };
    format!("{number} {what}{ending}")
}

/// `512 B`, `8.3 MB`: powers of 1024, as PostgreSQL counts them.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(number: i64) -> String {
    let mut value = number as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value.abs() < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// `5 s`, `3 min 20 s`, `2 h 5 min`, `4 days 3 h` of seconds.
pub(super) fn age(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).map_or(0, |duration| duration.as_secs());
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        (1, ..) => format!("1 day {hours} h"),
        _ => format!("{days} days {hours} h"),
    }
}

/// The first few of a list, and how many more there are.
pub(super) fn some<T: AsRef<str>>(names: &[T], shown: usize) -> String {
    let first: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(shown);
    if more == 0 {
        first.join(", ")
    } else {
        format!("{} and {more} more", first.join(", "))
    }
}

/// A name as it is written in SQL: in quotes only where it needs them.
pub(super) fn sql_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let simple = name.starts_with(plain) && name.chars().all(|c| plain(c) || c.is_ascii_digit());
    if simple { name.to_owned() } else { identifier(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_that_fits() {
        let sizes = [0, 1023, 1024, 8_519_680, 1_288_490_188_800].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 kB", "8.1 MB", "1.2 TB"]);
        let ages = [-1.0, 59.9, 61.0, 7500.0, 90_000.0, 400_000.0].map(age);
        assert_eq!(
            ages,
            ["0 s", "59 s", "1 min 1 s", "2 h 5 min", "1 day 1 h", "4 days 15 h"]
        );
        assert_eq!(
            ["app", "App", "a b", "7"].map(sql_name),
            ["app", "\"App\"", "\"a b\"", "\"7\""]
        );
        assert_eq!(some(&["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(some(&["a"], 2), "a");
        assert_eq!(
            [count(1, "index"), count(2, "index"), count(0, "row")],
            ["1 index", "2 indexes", "0 rows"]
        );
    }
}
