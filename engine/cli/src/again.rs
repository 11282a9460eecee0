//! The commands that messages tell people to run next: with the flags of this run, so that they hit the same database.

use std::path::Path;

pub use tollgate_engine::quoted;

use crate::args::Global;

/// How every command begins in a message.
const CALL: &str = "`tollgate ";

/// The flags that choose configuration and database, each with a space before it. A URL may hold a password; its place
/// is kept.
pub fn flags(global: &Global) -> String {
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let flags = [
        ("-e", global.env.as_deref().map(quoted)),
        ("--config", global.config.as_deref().map(path)),
        ("--migrations", global.migrations.as_deref().map(path)),
        ("--database-url", global.database_url.as_ref().map(|_| "…".to_owned())),
    ];
    flags
        .into_iter()
        .filter_map(|(flag, value)| Some(format!(" {flag} {}", value?)))
        .collect()
}

/// The text with these flags in every command that does not have them.
pub fn with_flags(text: &str, flags: &str) -> String {
    let mut parts = text.split(CALL);
    let mut with = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        with.push_str("`tollgate");
        if !flags.is_empty() && !part.starts_with(flags.trim_start()) {
            with.push_str(flags);
        }
        with.push(' ');
        with.push_str(part);
    }
    with
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn commands_get_the_flags_of_this_run() {
        let of = |arguments: &[&str]| flags(&Cli::try_parse_from(arguments).unwrap().global);
        assert_eq!(of(&["tollgate", "deploy"]), "");
        let flags = of(&[
            "tollgate",
            "-e",
            "production",
            "deploy",
            "--migrations",
            "my migrations",
            "--database-url",
            "postgres://u:secret@h/d",
        ]);
        assert_eq!(flags, " -e production --migrations 'my migrations' --database-url …");
        assert_eq!(
            with_flags(
                "run `tollgate deploy` or `tollgate resolve --applied x`; see `tollgate.toml`",
                " -e p"
            ),
            "run `tollgate -e p deploy` or `tollgate -e p resolve --applied x`; see `tollgate.toml`"
        );
        assert_eq!(with_flags("`tollgate -e p deploy`", " -e p"), "`tollgate -e p deploy`");
        assert_eq!(with_flags("`tollgate deploy`", ""), "`tollgate deploy`");
    }
}
