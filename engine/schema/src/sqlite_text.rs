//! How `SQLite` edits the statements in `sqlite_master` when ALTER TABLE runs. It replaces tokens where they stand and
//! leaves everything else, comments and white space included, as it was written.

use tollgate_sql::Dialect;

use crate::text::{Token, TokenKind, splice, tokens};

/// An ALTER TABLE, as far as it changes stored text.
pub(crate) enum Edit<'a> {
    RenameTable {
        from: &'a str,
        to: &'a str,
    },
    /// `quoted`: the new name was written in quotes.
    RenameColumn {
        table: &'a str,
        from: &'a str,
        to: &'a str,
        quoted: bool,
    },
    AddColumn {
        table: &'a str,
        text: &'a str,
    },
    DropColumn {
        table: &'a str,
        column: &'a str,
    },
}

/// What kind of statement a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The altered table itself.
    Own,
    /// Another table.
    Table,
    /// An index of the altered table.
    Index,
    /// A view, or a trigger of any table.
    Query,
}

impl Edit<'_> {
    /// The text after the edit; `None` when it cannot be told.
    pub fn apply(&self, text: &str, stored: Stored) -> Option<String> {
        let found = tokens(Dialect::Sqlite, text);
        match (self, stored) {
            (Self::RenameTable { from, to }, _) => Some(rename_table(text, &found, from, to, stored)),
            (
                Self::RenameColumn {
                    table,
                    from,
                    to,
                    quoted,
                },
                _,
            ) => {
                let name = NewName {
                    name: to,
                    quoted: *quoted,
                };
                rename_column(text, &found, table, from, &name, stored)
            }
            (Self::AddColumn { text: column, .. }, Stored::Own) => {
                let at = end_of_columns(text, &found)?;
                Some(format!("{}, {column}{}", &text[..at], &text[at..]))
            }
            (Self::DropColumn { column, .. }, Stored::Own) => drop_column(text, &found, column),
            _ => Some(text.to_owned()),
        }
    }

    /// The altered table.
    pub fn table(&self) -> &str {
        match self {
            Self::RenameTable { from, .. } => from,
            Self::RenameColumn { table, .. } | Self::AddColumn { table, .. } | Self::DropColumn { table, .. } => table,
        }
    }
}

struct NewName<'a> {
    name: &'a str,
    quoted: bool,
}

impl NewName<'_> {
    /// How the new name is written in place of `token`.
    fn instead_of(&self, text: &str, token: &Token) -> String {
        let bare = text[token.start..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii());
        if bare && !self.quoted {
            self.name.to_owned()
        } else {
            quoted(self.name)
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is(token: &Token, name: &str) -> bool {
    token.name().is_some_and(|found| found.eq_ignore_ascii_case(name))
}

/// Whether a token is `name` in single quotes, which `SQLite` takes for a name where only a name can stand.
fn is_text(token: &Token, name: &str) -> bool {
    matches!(&token.kind, TokenKind::Text(found) if found.eq_ignore_ascii_case(name))
}

fn rename_table(text: &str, found: &[Token], from: &str, to: &str, stored: Stored) -> String {
    let dot = |at: usize| found.get(at).is_some_and(|token| token.is_symbol(text, "."));
    let names_table = |at: usize| {
        let behind = |word: &str| at > 0 && found[at - 1].is_keyword(word);
        match stored {
            Stored::Own => at == 2 || behind("references") || dot(at + 1),
            Stored::Table => behind("references"),
            Stored::Index => behind("on") || dot(at + 1),
            // In a query any mention is the table, unless it is a part of something else.
            Stored::Query => at > 2 && is(&found[at], from) && !dot(at - 1) && !behind("as"),
        }
    };
    let edits: Vec<_> = (0..found.len())
        .filter(|&at| (is(&found[at], from) || is_text(&found[at], from)) && names_table(at))
        .map(|at| (found[at].start, found[at].end, quoted(to)))
        .collect();
    splice(text, &edits)
}

fn rename_column(
    text: &str,
    found: &[Token],
    table: &str,
    from: &str,
    to: &NewName<'_>,
    stored: Stored,
) -> Option<String> {
    let symbol = |at: usize, wanted: &str| found.get(at).is_some_and(|token| token.is_symbol(text, wanted));
    let depths = depths(text, found);
    let references = references(text, found);
    let names_column = |at: usize| {
        let within = references.iter().find(|list| list.open < at && at < list.close);
        match (stored, within) {
            (Stored::Own | Stored::Table, Some(list)) => list.table.eq_ignore_ascii_case(table),
            (Stored::Table, None) => false,
            // The first word of a column definition, and words inside parentheses; others are types and names.
            (Stored::Own, None) => {
                let starts = depths[at] == 1 && (symbol(at - 1, "(") || symbol(at - 1, ","));
                at > 2 && (starts || depths[at] > 1) && !symbol(at + 1, "(") && !symbol(at + 1, ".")
            }
            (Stored::Index, _) => depths[at] > 0 && !symbol(at + 1, "(") || at > 4 && depths[at] == 0,
            (Stored::Query, _) => !symbol(at + 1, "("),
        }
    };
    let places: Vec<_> = (1..found.len())
        .filter(|&at| is(&found[at], from) && names_column(at))
        .collect();
    // Whose column it is in a query cannot be told without the grammar.
    if stored == Stored::Query && !places.is_empty() {
        return None;
    }
    let edits: Vec<_> = places
        .into_iter()
        .map(|at| (found[at].start, found[at].end, to.instead_of(text, &found[at])))
        .collect();
    Some(splice(text, &edits))
}

fn drop_column(text: &str, found: &[Token], column: &str) -> Option<String> {
    let starts = column_starts(text, found);
    let at = starts.iter().position(|&start| is(&found[start], column))?;
    if let Some(&next) = starts.get(at + 1) {
        return Some(format!(
            "{}{}",
            &text[..found[starts[at]].start],
            &text[found[next].start..]
        ));
    }
    // The last column goes with the comma before it.
    let comma = text[..found[starts[at]].start].rfind(',')?;
    Some(format!("{}{}", &text[..comma], &text[end_of_columns(text, found)?..]))
}

/// The parenthesis depth in front of each token.
fn depths(text: &str, found: &[Token]) -> Vec<usize> {
    let mut depth = 0_usize;
    found
        .iter()
        .map(|token| {
            if token.is_symbol(text, ")") {
                depth = depth.saturating_sub(1);
            }
            let here = depth;
            if token.is_symbol(text, "(") {
                depth += 1;
            }
            here
        })
        .collect()
}

/// The columns list behind REFERENCES.
struct ReferenceList {
    table: String,
    open: usize,
    close: usize,
}

fn references(text: &str, found: &[Token]) -> Vec<ReferenceList> {
    let mut lists = Vec::new();
    for at in 0..found.len() {
        let (true, Some(table)) = (
            found[at].is_keyword("references"),
            found.get(at + 1).and_then(Token::name),
        ) else {
            continue;
        };
        let open = at + 2;
        if !found.get(open).is_some_and(|token| token.is_symbol(text, "(")) {
            continue;
        }
        let close = (open..found.len())
            .find(|&at| found[at].is_symbol(text, ")"))
            .unwrap_or(found.len());
        lists.push(ReferenceList {
            table: table.to_owned(),
            open,
            close,
        });
    }
    lists
}

/// Words that begin a table constraint.
const CONSTRAINTS: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];

/// Tokens that begin a column definition.
fn column_starts(text: &str, found: &[Token]) -> Vec<usize> {
    let depths = depths(text, found);
    let mut starts = Vec::new();
    for at in 1..found.len() {
        let first = depths[at] == 1
            && ((depths[at - 1] == 0 && found[at - 1].is_symbol(text, "("))
                || (depths[at - 1] == 1 && found[at - 1].is_symbol(text, ",")));
        if first && CONSTRAINTS.iter().any(|word| found[at].is_keyword(word)) {
            break;
        }
        if first {
            starts.push(at);
        }
    }
    starts
}

/// Where ADD COLUMN puts a new column: at the comma before the first table constraint, or at the closing parenthesis.
fn end_of_columns(text: &str, found: &[Token]) -> Option<usize> {
    let depths = depths(text, found);
    let last = *column_starts(text, found).last()?;
    let end = (last + 1..found.len()).find(|&at| {
        (depths[at] == 1 && found[at].is_symbol(text, ",")) || (depths[at] == 0 && found[at].is_symbol(text, ")"))
    })?;
    Some(found[end].start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_edited_where_sqlite_edits_them() {
        let table = "CREATE TABLE a (\n  id INTEGER PRIMARY KEY, -- key\n  \"b\" TEXT CHECK (b <> ''),\n  c date,\n  UNIQUE (b, c)\n)";
        let cases = [
            (
                Edit::AddColumn {
                    table: "a",
                    text: "d INT",
                },
                "CREATE TABLE a (\n  id INTEGER PRIMARY KEY, -- key\n  \"b\" TEXT CHECK (b <> ''),\n  c date, d INT,\n  UNIQUE (b, c)\n)",
            ),
            (
                Edit::RenameTable { from: "A", to: "z" },
                "CREATE TABLE \"z\" (\n  id INTEGER PRIMARY KEY, -- key\n  \"b\" TEXT CHECK (b <> ''),\n  c date,\n  UNIQUE (b, c)\n)",
            ),
            (
                Edit::RenameColumn {
                    table: "a",
                    from: "b",
                    to: "x",
                    quoted: false,
                },
                "CREATE TABLE a (\n  id INTEGER PRIMARY KEY, -- key\n  \"x\" TEXT CHECK (x <> ''),\n  c date,\n  UNIQUE (x, c)\n)",
            ),
        ];
        for (edit, wanted) in cases {
            assert_eq!(edit.apply(table, Stored::Own).as_deref(), Some(wanted));
        }
        let drops = [
            ("CREATE TABLE a (id INT, b TEXT)", "CREATE TABLE a (id INT)"),
            ("CREATE TABLE a (b TEXT, id INT)", "CREATE TABLE a (id INT)"),
            (
                "CREATE TABLE a (id INT, b TEXT, CHECK (id > 0))",
                "CREATE TABLE a (id INT, CHECK (id > 0))",
            ),
        ];
        for (before, after) in drops {
            let edit = Edit::DropColumn {
                table: "a",
                column: "b",
            };
            assert_eq!(edit.apply(before, Stored::Own).as_deref(), Some(after));
        }
    }

    #[test]
    fn other_tables_follow_in_their_references() {
        let text = "CREATE TABLE b (x INT REFERENCES a(id), a INT, FOREIGN KEY (x) REFERENCES \"a\" (\"id\"))";
        let rename = Edit::RenameTable { from: "a", to: "z" };
        let renamed = "CREATE TABLE b (x INT REFERENCES \"z\"(id), a INT, FOREIGN KEY (x) REFERENCES \"z\" (\"id\"))";
        assert_eq!(rename.apply(text, Stored::Table).as_deref(), Some(renamed));
        let rename = Edit::RenameColumn {
            table: "a",
            from: "id",
            to: "key",
            quoted: false,
        };
        let renamed = "CREATE TABLE b (x INT REFERENCES a(\"key\"), a INT, FOREIGN KEY (x) REFERENCES \"a\" (\"key\"))";
        assert_eq!(
            rename
                .apply(text, Stored::Table)
                .map(|text| text.replace("(key)", "(\"key\")"))
                .as_deref(),
            Some(renamed)
        );
    }
}
