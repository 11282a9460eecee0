//! What a migration touches, in the words that its name can be made of.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_plugin::rules::Context;
use tollgate_plugin::{Change, ObjectKind, ObjectName, Operation};

/// What a migration touches, by the words of its names.
pub(crate) struct Touched {
    /// By their names in lower case: the schema makes no difference to what a migration can be called.
    tables: BTreeMap<String, ObjectName>,
    /// Something else than rows changes.
    schema: bool,
    /// Words, stemmed, of tables and of all that belongs to them.
    words: BTreeSet<String>,
    /// Names of everything but the tables, without underscores and capitals.
    members: BTreeSet<String>,
}

impl Touched {
    /// What the whole script touches.
    pub(crate) fn by(context: &Context<'_>) -> Self {
        let mut touched = Self {
            tables: BTreeMap::new(),
            schema: false,
            words: BTreeSet::new(),
            members: BTreeSet::new(),
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
        for (change, _) in context.changes() {
            if let Change::TableRebuild(rebuild) = change {
                touched.tables.remove(&rebuild.temporary.name.to_lowercase());
                touched.table(&rebuild.table);
            }
        }
        touched
    }

    fn table(&mut self, name: &ObjectName) {
        self.words.extend(words(&name.name).iter().map(|word| stem(word)));
        self.tables
            .entry(name.name.to_lowercase())
            .or_insert_with(|| name.clone());
    }

    fn member(&mut self, name: &str) {
        self.words.extend(words(name).iter().map(|word| stem(word)));
        self.members.insert(folded(name));
    }

    fn operation(&mut self, context: &Context<'_>, operation: &Operation) {
        match operation {
            Operation::CreateTable(created) => {
                if !created.temporary {
                    self.table(&created.name);
                    self.words.extend(
                        created
                            .columns
                            .iter()
                            .flat_map(|column| words(&column.name))
                            .map(|word| stem(&word)),
                    );
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

    fn other(&mut self, context: &Context<'_>, operation: &Operation) {
        match operation {
            Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) => {
                self.table(&change.table);
                for column in &change.columns {
                    self.words.extend(words(column).iter().map(|word| stem(word)));
                }
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

    fn object(&mut self, context: &Context<'_>, kind: ObjectKind, name: &ObjectName, on: Option<&ObjectName>) {
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
            self.table(&table);
        }
    }

    /// The one table that is changed. Rows are better named by what they are.
    pub(crate) fn only_table(&self) -> Option<ObjectName> {
        if !self.schema {
            return None;
        }
        let mut tables = self.tables.values();
        tables.next().filter(|_| tables.next().is_none()).cloned()
    }

    /// The word is part of a name, or of the words that stand for any object.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        const OF_ANY: [&str; 12] = [
            "table", "tables", "view", "views", "enum", "type", "config", "column", "data", "index", "model", "db",
        ];
        OF_ANY.contains(&word) || self.words.contains(&stem(word))
    }

    /// A word of the name is one of the table's, or the name of something that belongs to it stands in full.
    pub(crate) fn names_something(&self, words: &[String]) -> bool {
        let joined: String = words.concat();
        let of_table = self.tables.values().any(|table| {
            let table = table.name.as_str();
            let of_table: Vec<String> = self::words(table).iter().map(|word| stem(word)).collect();
            joined.contains(&folded(table)) || words.iter().any(|word| of_table.contains(&stem(word)))
        });
        of_table
            || self
                .members
                .iter()
                .any(|member| member.len() > 3 && joined.contains(member))
    }
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
