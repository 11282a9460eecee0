//! What a change of type does to values on MySQL and MariaDB, in strict mode: what does not fit makes it fail.

use tollgate_plugin::Severity;

use super::Verdict;

const WIDENS: Verdict = (Severity::Low, "it only widens");
const OVERFLOWS: Verdict = (Severity::High, "values outside of its range make it fail");
const TOO_LONG: Verdict = (Severity::High, "longer values make it fail");
const UNCONVERTIBLE: Verdict = (Severity::High, "values that cannot be converted make it fail");
const LOSES_DIGITS: Verdict = (Severity::High, "values lose digits");

/// Judges a change between two types as the replay has them: `int unsigned`, `enum('a','b')`. `None`: no value changes.
pub(super) fn judge(from: &str, to: &str) -> Option<Verdict> {
    let (from, to) = (Type::read(from), Type::read(to));
    if let (Some(old), Some(new)) = (&from.values, &to.values) {
        return judge_values(old, new);
    }
    Some(
        judge_numbers(&from, &to)
            .or_else(|| judge_times(&from, &to))
            .or_else(|| judge_texts(&from, &to))
            .unwrap_or_else(|| judge_others(&from, &to)),
    )
}

/// A type taken apart.
struct Type {
    base: String,
    modifiers: Vec<u64>,
    unsigned: bool,
    /// Of an ENUM or SET.
    values: Option<Vec<String>>,
}

impl Type {
    fn read(text: &str) -> Self {
        let head = text.find(['(', ' ']).unwrap_or(text.len());
        let base = text[..head].to_ascii_lowercase();
        let inside = match (text.find('('), text.rfind(')')) {
            (Some(open), Some(close)) if open < close => &text[open + 1..close],
            _ => "",
        };
        let listed = matches!(base.as_str(), "enum" | "set");
        Self {
            modifiers: inside.split(',').filter_map(|part| part.trim().parse().ok()).collect(),
            unsigned: text.ends_with(" unsigned") || text.ends_with(" zerofill"),
            values: listed.then(|| values(inside)),
            base,
        }
    }

    fn modifier(&self, at: usize) -> Option<u64> {
        self.modifiers.get(at).copied()
    }

    /// Smallest and largest value of an integer type.
    fn integers(&self) -> Option<(i128, i128)> {
        let bits = match self.base.as_str() {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            "bigint" => 64,
            "year" => return Some((1901, 2155)),
            "bit" => return Some((0, (1 << self.modifier(0).unwrap_or(1).min(64)) - 1)),
            _ => return None,
        };
        Some(if self.unsigned {
            (0, (1 << bits) - 1)
        } else {
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        })
    }

    /// Digits before and behind the point.
    fn decimal(&self) -> Option<(u64, u64)> {
        let scale = self.modifier(1).unwrap_or(0);
        let precision = self.modifier(0).unwrap_or(10);
        (self.base == "decimal").then(|| (precision.saturating_sub(scale), scale))
    }

    fn is_float(&self) -> bool {
        matches!(self.base.as_str(), "float" | "double")
    }

    /// Longest value in characters, and in bytes where the server counts these. Binary strings are told apart.
    fn length(&self) -> Option<(u64, bool)> {
        Some(match self.base.as_str() {
            "char" | "varchar" => (self.modifier(0).unwrap_or(1), false),
            // Bytes: a character takes four at most.
            "tinytext" => (255 / 4, false),
            "text" => (65_535 / 4, false),
            "mediumtext" => (16_777_215 / 4, false),
            "longtext" => (u64::from(u32::MAX), false),
            "binary" | "varbinary" => (self.modifier(0).unwrap_or(1), true),
            "tinyblob" => (255, true),
            "blob" => (65_535, true),
            "mediumblob" => (16_777_215, true),
            "longblob" => (u64::from(u32::MAX), true),
            _ => return None,
        })
    }

    /// Fractions of a second that a moment keeps.
    fn precision(&self) -> Option<u64> {
        matches!(self.base.as_str(), "datetime" | "timestamp" | "time").then(|| self.modifier(0).unwrap_or(0))
    }
}

/// The values of a list as written: `'a','it''s'`.
fn values(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut letters = list.chars().peekable();
    while let Some(quote) = letters.find(|letter| matches!(letter, '\'' | '"')) {
        let mut value = String::new();
        while let Some(letter) = letters.next() {
            if letter == '\\' {
                value.extend(letters.next());
            } else if letter != quote {
                value.push(letter);
            } else if letters.peek() == Some(&quote) {
                letters.next();
                value.push(quote);
            } else {
                break;
            }
        }
        found.push(value);
    }
    found
}

fn judge_values(old: &[String], new: &[String]) -> Option<Verdict> {
    if old.iter().any(|value| !new.contains(value)) {
        return Some((
            Severity::High,
            "rows that hold a value which is taken away make it fail",
        ));
    }
    // The same values in another order: a rule of its own says what that does.
    (old.len() != new.len()).then_some((Severity::Low, "the new list has every value of the old one"))
}

fn judge_numbers(from: &Type, to: &Type) -> Option<Verdict> {
    if let (Some((least, most)), Some((low, high))) = (from.integers(), to.integers()) {
        return Some(if low <= least && most <= high {
            WIDENS
        } else {
            OVERFLOWS
        });
    }
    let whole = |of: &Type| match (of.integers(), of.decimal()) {
        (Some((least, most)), _) => Some((most.max(-least).to_string().len() as u64, 0)),
        (_, decimal) => decimal,
    };
    match (whole(from), whole(to)) {
        (Some((old_whole, old_scale)), Some((new_whole, new_scale))) => Some(if old_scale > new_scale {
            LOSES_DIGITS
        } else if old_whole > new_whole || (to.unsigned && !from.unsigned) {
            OVERFLOWS
        } else {
            WIDENS
        }),
        (Some((digits, scale)), None) if to.is_float() => {
            // A double holds whole numbers exactly up to 2^53, a float up to 2^24.
            let exact = if to.base == "double" { 15 } else { 7 };
            Some(if scale == 0 && digits <= exact {
                WIDENS
            } else {
                LOSES_DIGITS
            })
        }
        (None, Some(_)) if from.is_float() => Some(LOSES_DIGITS),
        (None, None) if from.is_float() && to.is_float() => {
            Some(if to.base == "double" { WIDENS } else { LOSES_DIGITS })
        }
        _ => None,
    }
}

fn judge_times(from: &Type, to: &Type) -> Option<Verdict> {
    let zones = (Severity::Medium, "values are converted in the session's time zone");
    match (from.base.as_str(), to.base.as_str()) {
        ("date", "datetime") => Some(WIDENS),
        ("datetime" | "timestamp", "date" | "time" | "year") => {
            Some((Severity::High, "the other part of date and time is lost"))
        }
        ("timestamp", "datetime") => Some(zones),
        ("datetime", "timestamp") => Some((Severity::High, "moments before 1970 or after 2038 make it fail")),
        (old, new) if old == new => match (from.precision(), to.precision()) {
            (Some(old), Some(new)) if old <= new => Some(WIDENS),
            (Some(_), Some(_)) => Some((Severity::Medium, "fractions of a second are rounded")),
            _ => None,
        },
        _ => None,
    }
}

fn judge_texts(from: &Type, to: &Type) -> Option<Verdict> {
    let (room, binary) = to.length()?;
    if let Some(values) = &from.values {
        let longest = values.iter().map(|value| value.chars().count() as u64);
        // A SET's values stand behind one another, with commas.
        let longest = if from.base == "set" {
            longest.map(|length| length + 1).sum()
        } else {
            longest.max().unwrap_or(0)
        };
        return Some(if longest <= room { WIDENS } else { TOO_LONG });
    }
    match from.length() {
        // Text becomes bytes and the other way round.
        Some((_, was_binary)) if binary != was_binary => Some((Severity::Medium, "the bytes get another meaning")),
        Some((length, _)) => Some(if length <= room { WIDENS } else { TOO_LONG }),
        None if from.base == "json" => Some(if room > u64::from(u16::MAX) { WIDENS } else { TOO_LONG }),
        None if from.integers().is_some() || from.decimal().is_some() || from.precision().is_some() => {
            Some(if room >= 70 {
                WIDENS
            } else {
                (Severity::High, "values whose text is longer make it fail")
            })
        }
        None => None,
    }
}

fn judge_others(from: &Type, to: &Type) -> Verdict {
    match (from.base.as_str(), to.base.as_str()) {
        (_, "enum" | "set") => (Severity::High, "values that are not in the list make it fail"),
        (_, "json") => (Severity::High, "values that are no JSON make it fail"),
        (old, new) if old == new => (Severity::Medium, "values may have to be cut"),
        _ => UNCONVERTIBLE,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::judge;

    #[test]
    fn every_pair_has_its_verdict() {
        for (from, to, expected) in [
            ("int", "bigint", Some(Low)),
            ("bigint", "int", Some(High)),
            ("int", "int unsigned", Some(High)),
            ("int unsigned", "bigint", Some(Low)),
            ("tinyint(1)", "int", Some(Low)),
            ("int", "decimal(10,0)", Some(Low)),
            ("bigint", "decimal(10,2)", Some(High)),
            ("decimal(10,2)", "decimal(12,2)", Some(Low)),
            ("decimal(10,2)", "decimal(10,0)", Some(High)),
            ("decimal(10,2)", "int", Some(High)),
            ("double", "decimal(10,2)", Some(High)),
            ("float", "double", Some(Low)),
            ("int", "double", Some(Low)),
            ("bigint", "double", Some(High)),
            ("varchar(191)", "varchar(255)", Some(Low)),
            ("varchar(191)", "varchar(50)", Some(High)),
            ("varchar(191)", "text", Some(Low)),
            ("text", "varchar(191)", Some(High)),
            ("text", "mediumtext", Some(Low)),
            ("longtext", "text", Some(High)),
            ("text", "json", Some(High)),
            ("json", "longtext", Some(Low)),
            ("varbinary(16)", "varchar(16)", Some(Medium)),
            ("int", "varchar(191)", Some(Low)),
            ("int", "varchar(5)", Some(High)),
            ("enum('a','b')", "enum('a','b','c')", Some(Low)),
            ("enum('a','b')", "enum('b','a')", None),
            ("enum('a','b')", "enum('a')", Some(High)),
            ("enum('a','it''s')", "enum('a','it\\'s')", None),
            ("enum('a','long one')", "varchar(20)", Some(Low)),
            ("set('long','longer')", "varchar(8)", Some(High)),
            ("varchar(20)", "enum('a')", Some(High)),
            ("datetime(3)", "datetime(6)", Some(Low)),
            ("datetime(3)", "datetime", Some(Medium)),
            ("datetime(3)", "date", Some(High)),
            ("date", "datetime", Some(Low)),
            ("timestamp", "datetime", Some(Medium)),
            ("datetime", "timestamp", Some(High)),
            ("varchar(20)", "int", Some(High)),
            ("point", "geometry", Some(High)),
        ] {
            assert_eq!(
                judge(from, to).map(|(severity, _)| severity),
                expected,
                "{from} to {to}"
            );
        }
    }
}
