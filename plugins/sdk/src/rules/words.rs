//! Lists, counts and objects in the words of a message.

use super::{Context, Step};
use crate::contract::{Dependent, ObjectKind, ObjectName};

/// How many of a list are named before the rest is only counted.
const NAMED: usize = 5;

/// `a`, `a and b`, `a, b and c`, `a, b, c, d, e and 7 more`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    let named: Vec<&str> = items.iter().take(NAMED).map(AsRef::as_ref).collect();
    match (named.as_slice(), items.len().saturating_sub(NAMED)) {
        ([], _) => String::new(),
        ([only], 0) => (*only).to_owned(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (all, more) => format!("{} and {more} more", all.join(", ")),
    }
}

/// An expression of the script on one line, cut where it is long: for a message.
pub fn expression(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `its 12 rows`, or `all its rows` when nobody knows how many there are.
pub fn its_rows(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> String {
    context
        .original(step, ObjectKind::Table, table)
        .and_then(|original| context.rows_in_words(&original))
        .map_or_else(|| "all its rows".to_owned(), |rows| format!("its {rows}"))
}

/// `the view reports`, `the column orders.status`, `the foreign key of orders`.
pub fn dependent(dependent: &Dependent) -> String {
    let of = dependent.name.short();
    match (&dependent.member, dependent.kind) {
        // SQLite's constraints may have no name.
        (Some(member), kind) if member.is_empty() => format!("a {kind} of {of}"),
        (Some(member), ObjectKind::Column) => format!("the column {of}.{member}"),
        (Some(member), kind) => format!("the {kind} {member} of {of}"),
        (None, kind) => format!("the {kind} {of}"),
    }
}

/// All of them, each once.
pub fn dependents(dependents: &[Dependent]) -> String {
    let mut words: Vec<String> = dependents.iter().map(dependent).collect();
    words.sort();
    words.dedup();
    list(&words)
}

/// `, which the view reports needs`: what a message adds when something needs the object, nothing otherwise.
pub fn needed_by(needed: &[Dependent]) -> String {
    match needed {
        [] => String::new(),
        [one] => format!(", which {} needs", dependent(one)),
        several => format!(", which {} need", dependents(several)),
    }
}

#[cfg(test)]
mod tests {
    use super::{expression, list};

    #[test]
    fn expressions_fit_a_message() {
        assert_eq!(expression("now()\n   AT TIME ZONE 'UTC'"), "now() AT TIME ZONE 'UTC'");
        let long = expression(&"ä".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with('…')), (61, true));
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c", "d", "e"]), "a, b, c, d and e");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
