//! Times as people write and read them.

use std::time::Duration;

/// The longest lease: one that nobody ends must not keep everybody out for days.
pub const LONGEST: Duration = Duration::from_hours(24);

/// `90s`, `30m`, `2h` as the time that a lease lasts.
pub fn ttl(text: &str) -> Result<Duration, String> {
    const HOW: &str = "a time is a whole number with s, m (minutes) or h: 90s, 30m, 2h";
    const TOO_LONG: &str = "a lease lasts 24h at most; acquire it again to make it longer";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err(HOW.to_owned()),
    };
    if number.is_empty() {
        return Err(HOW.to_owned());
    }
    // There are digits and nothing else: what does not fit is too much.
    let number: u64 = number.parse().map_err(|_| TOO_LONG.to_owned())?;
    let time = Duration::from_secs(number.saturating_mul(factor));
    if time.is_zero() {
        return Err("it has to be longer than nothing".to_owned());
    }
    if time > LONGEST {
        return Err(TOO_LONG.to_owned());
    }
    Ok(time)
}

/// The two largest units: `1 h 5 min`, `12 s`.
pub fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units
        .iter()
        .position(|(number, _)| *number > 0)
        .unwrap_or(units.len() - 1);
    let shown = units.iter().skip(first).take(2).enumerate();
    let shown = shown.filter(|(index, (number, _))| *index == 0 || *number > 0);
    shown
        .map(|(_, (number, unit))| format!("{number} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_with_their_units() {
        let cases = [
            ("1s", 1),
            ("90 s", 90),
            ("30m", 1_800),
            ("30min", 1_800),
            ("24h", 86_400),
        ];
        for (text, seconds) in cases {
            assert_eq!(ttl(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "0s",
            "-1s",
            "1d",
            "25h",
            "1.5h",
            "99999999999999999999s",
            "99999999999999999h",
        ] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_in_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_700, "1 h 1 min"),
            (7_200, "2 h"),
            (90_000, "1 d 1 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }
}
