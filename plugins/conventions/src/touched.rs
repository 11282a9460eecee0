//! What a migration touches, in the words that its name can be made of.

use std::borrow::Cow;

use tollgate_plugin::rules::Context;
use tollgate_plugin::{Change, ObjectKind, ObjectName, Operation};

/// What a migration touches. Names are kept as the script has them: most migrations' names say at once what is done to
/// which table, and then nobody looks at the words.
pub(crate) struct Touched<'a> {
    /// Each once: the schema and capitals make no difference to what a migration can be called.
    tables: Vec<Cow<'a, ObjectName>>,
    /// So many tables are told apart.
    enough: usize,
    /// Something else than rows changes.
    schema: bool,
    /// Names of tables and of all that belongs to them.
    names: Vec<Cow<'a, str>>,
    /// Names of everything but the tables.
    members: Vec<&'a str>,
}

impl<'a> Touched<'a> {
    /// What the whole script touches.
    pub(crate) fn by(context: &Context<'a>) -> Self {
        let rebuilds = || {
            context.changes().filter_map(|(change, _)| match change {
                Change::TableRebuild(rebuild) => Some(rebuild),
                Change::EnumRebuild(_) => None,
            })
        };
        let mut touched = Self {
            tables: Vec::new(),
            // Who changes two need not name any; but what a rebuild makes for a while is no table.
            enough: if rebuilds().next().is_some() { usize::MAX } else { 2 },
            schema: false,
            names: Vec::new(),
            members: Vec::new(),
        };
        for step in context.all_steps() {
            let operation = &step.effect.operation;
            touched.schema |= !matches!(
                operation,
                Operation::Insert(_)
                    | Operation::Update(_)
                    | Operation::Delete(_)
                    | Operation::TransactionControl(_)
                    | Operation::SetParameter(_)
                    | Operation::Dynamic(_)
            );
            touched.operation(context, operation);
        }
        for rebuild in rebuilds() {
            touched
                .tables
                .retain(|table| !is_same(&table.name, &rebuild.temporary.name));
            touched.table(&rebuild.table);
        }
        touched
    }

    fn table(&mut self, name: &'a ObjectName) {
        self.names.push(Cow::Borrowed(&name.name));
        self.distinct(Cow::Borrowed(name));
    }

    fn distinct(&mut self, table: Cow<'a, ObjectName>) {
        if self.tables.len() < self.enough && !self.tables.iter().any(|known| is_same(&known.name, &table.name)) {
            self.tables.push(table);
        }
    }

    fn member(&mut self, name: &'a str) {
        self.names.push(Cow::Borrowed(name));
        self.members.push(name);
    }

    fn operation(&mut self, context: &Context<'_>, operation: &'a Operation) {
        match operation {
            Operation::CreateTable(created) => {
                if !created.temporary {
                    self.table(&created.name);
                    self.names
                        .extend(created.columns.iter().map(|column| Cow::Borrowed(column.name.as_str())));
                }
            }
            Operation::AddColumn(added) => {
                self.table(&added.table);
                self.member(&added.column.name);
            }
            Operation::DropColumn(dropped) => {
                self.table(&dropped.column.table);
                self.member(&dropped.column.column);
            }
            Operation::RenameColumn(rename) => {
                self.table(&rename.from.table);
                self.member(&rename.from.column);
                self.member(&rename.to);
            }
            Operation::AlterColumnType(change) => {
                self.table(&change.column.table);
                self.member(&change.column.column);
            }
            Operation::SetNotNull(column) | Operation::DropNotNull(column) | Operation::DropDefault(column) => {
                self.table(&column.table);
                self.member(&column.column);
            }
            Operation::SetDefault(set) => {
                self.table(&set.column.table);
                self.member(&set.column.column);
            }
            Operation::SetIdentity(set) => {
                self.table(&set.column.table);
                self.member(&set.column.column);
            }
            Operation::AddConstraint(added) => {
                self.table(&added.table);
                for name in added.constraint.name.iter().chain(&added.constraint.columns) {
                    self.member(name);
                }
            }
            Operation::ValidateConstraint(named) | Operation::DropConstraint(named) => {
                self.table(&named.table);
                self.member(&named.name);
            }
            Operation::CreateIndex(index) => {
                self.table(&index.table);
                for name in index
                    .name
                    .iter()
                    .map(String::as_str)
                    .chain(index.key_columns().into_iter().flatten())
                {
                    self.member(name);
                }
            }
            _ => self.other(context, operation),
        }
    }

    fn other(&mut self, context: &Context<'_>, operation: &'a Operation) {
        match operation {
            Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) => {
                self.table(&change.table);
                self.names
                    .extend(change.columns.iter().map(|column| Cow::Borrowed(column.as_str())));
            }
            Operation::Truncate(truncation) => self.table(&truncation.table),
            Operation::RowSecurity(toggle) | Operation::ForceRowSecurity(toggle) | Operation::EnableTrigger(toggle) => {
                self.table(&toggle.table);
            }
            Operation::AttachPartition(partition) | Operation::DetachPartition(partition) => {
                self.table(&partition.table);
                self.member(&partition.partition.name);
            }
            Operation::Drop(dropped) => self.object(context, dropped.kind, &dropped.name, dropped.on.as_ref()),
            Operation::Create(created) => self.object(context, created.kind, &created.name, created.on.as_ref()),
            Operation::Comment(comment) => self.object(context, comment.kind, &comment.name, None),
            Operation::Rename(rename) => {
                self.object(context, rename.kind, &rename.from, rename.on.as_ref());
                self.member(&rename.to);
            }
            Operation::CreateEnum(created) => self.object(context, ObjectKind::Type, &created.name, None),
            Operation::AddEnumValue(added) => {
                self.object(context, ObjectKind::Type, &added.name, None);
                self.member(&added.value);
            }
            Operation::RenameEnumValue(rename) => self.object(context, ObjectKind::Type, &rename.name, None),
            _ => {}
        }
    }

    fn object(&mut self, context: &Context<'_>, kind: ObjectKind, name: &'a ObjectName, on: Option<&'a ObjectName>) {
        if kind == ObjectKind::Table {
            self.table(name);
        } else {
            self.member(&name.name);
        }
        if let Some(on) = on {
            self.table(on);
        }
        if kind == ObjectKind::Index
            && let Some(table) = context.before.index_owner(name)
        {
            self.names.push(Cow::Owned(table.name.clone()));
            self.distinct(Cow::Owned(table));
        }
    }

    /// The one table that is changed. Rows are better named by what they are.
    pub(crate) fn only_table(&self) -> Option<ObjectName> {
        if !self.schema {
            return None;
        }
        match self.tables.as_slice() {
            [only] => Some(only.clone().into_owned()),
            _ => None,
        }
    }

    /// The word is part of a name, or of the words that stand for any object.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        const OF_ANY: [&str; 12] = [
            "table", "tables", "view", "views", "enum", "type", "config", "column", "data", "index", "model", "db",
        ];
        let wanted = stem(word);
        let has = |name: &str| words(name).iter().any(|word| stem(word) == wanted);
        OF_ANY.contains(&word) || self.names.iter().any(|name| has(name))
    }

    /// A word of the name is one of the table's, or the name of something that belongs to it stands in full.
    pub(crate) fn names_something(&self, words: &[String]) -> bool {
        let joined: String = words.concat();
        let of_table = self.tables.iter().any(|table| {
            let table = table.name.as_str();
            let of_table: Vec<String> = self::words(table).iter().map(|word| stem(word)).collect();
            joined.contains(&folded(table)) || words.iter().any(|word| of_table.contains(&stem(word)))
        });
        of_table
            || self
                .members
                .iter()
                .map(|member| folded(member))
                .any(|member| member.len() > 3 && joined.contains(&member))
    }
}

/// The same but for capitals.
fn is_same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || (!(left.is_ascii() && right.is_ascii()) && left.to_lowercase() == right.to_lowercase())
}

/// The words of a name: split at underscores and the like, and where capitals begin; in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut before_is_small = false;
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before_is_small;
        if (begins || !letter.is_alphanumeric()) && found.last().is_some_and(|word| !word.is_empty()) {
            found.push(String::new());
        }
        before_is_small = letter.is_lowercase() || letter.is_ascii_digit();
        if let (Some(word), true) = (found.last_mut(), letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

/// Singular and plural alike.
fn stem(word: &str) -> String {
    let without = |suffix: &str| word.strip_suffix(suffix).filter(|stem| stem.len() > 1);
    if let Some(stem) = without("ies") {
        return format!("{stem}y");
    }
    without("s").unwrap_or(word).to_owned()
}

/// Without underscores and capitals.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{stem, words};

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("dataset_run_items"), ["dataset", "run", "items"]);
        assert_eq!(words("VerificationToken"), ["verification", "token"]);
        assert_eq!(words("a-b c.sql"), ["a", "b", "c", "sql"]);
        assert!(words("__").is_empty());
    }

    #[test]
    fn one_is_as_good_as_many() {
        assert_eq!(stem("companies"), stem("company"));
        assert_eq!(stem("users"), stem("user"));
        assert_eq!(stem("s"), "s");
    }
}
