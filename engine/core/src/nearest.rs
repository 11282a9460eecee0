//! What was most likely meant by a name that nothing has.

/// The name that was most likely meant: one that differs in a few letters.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let written = written.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(letters, name)| *letters <= 1 + name.chars().count() / 3)
        .min_by_key(|(letters, _)| *letters)
        .map(|(_, name)| name.to_owned())
}

/// The migration that was most likely meant: the [`nearest`], or else the only one whose name holds what was written or
/// stands in it. People leave the time out, or give a path.
pub fn nearest_migration<'a>(written: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    /// A shorter part says nothing.
    const PART: usize = 3;

    nearest(written, names.clone()).or_else(|| {
        let shares =
            |name: &&str| written.len().min(name.len()) >= PART && (name.contains(written) || written.contains(*name));
        let mut found = names.filter(shares);
        let first = found.next()?;
        found.next().is_none().then(|| first.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_migration};

    #[test]
    fn slips_are_told_from_other_names() {
        let names = ["lock_timeout_ms", "idle_timeout_ms", "a"];
        for (written, expected) in [
            ("lock_timout_ms", Some(names[0])),
            ("Idle_Timeout_MS", Some(names[1])),
            ("timeout", None),
            ("xay", None),
        ] {
            assert_eq!(nearest(written, names).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn migrations_are_known_by_a_part_of_their_names() {
        let names = [
            "20260901120000_add_email_to_users",
            "20260902120000_drop_posts",
            "20260903120000_drop_users_email_key",
        ];
        for (written, expected) in [
            ("20260901120000_add_emial_to_users", Some(names[0])),
            ("add_email_to_users", Some(names[0])),
            ("migrations/20260902120000_drop_posts/migration.sql", Some(names[1])),
            ("drop", None),
            ("s", None),
            ("something else", None),
        ] {
            let found = nearest_migration(written, names.into_iter());
            assert_eq!(found.as_deref(), expected, "{written}");
        }
    }
}
