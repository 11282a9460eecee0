//! `tollgate deploy`

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Check pending migrations, apply them, tell people
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the plan and change nothing: order, findings, what runs outside a transaction, how each is taken back
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for another deploy to finish: 500ms, 30s, 2min; a plain number is milliseconds [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub lock_timeout: Option<u64>,
}

/// Runs the command.
pub fn run(args: &Args, mut context: Context<'_>) -> Result<Exit, Failure> {
    context
        .flags
        .number("--lock-timeout", "deploy.lock_timeout_ms", args.lock_timeout);
    let config = context.config()?;
    config.migrations_dir()?;
    config.database_url()?;
    Ok(Exit::Done)
}

/// `500`, `500ms`, `30s`, `2min` as milliseconds.
fn milliseconds(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return Err("a time is a number with ms, s or min".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a time is a number with ms, s or min".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, expected) in [
            ("500", 500),
            ("0", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("2min", 120_000),
            ("1 s", 1_000),
        ] {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "1h",
            "1.5s",
            "99999999999999999999",
            "99999999999999999min",
        ] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
