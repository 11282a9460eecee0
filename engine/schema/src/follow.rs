//! `SQLite`: what a script's own text says beyond its operations: the statements that `sqlite_master` keeps, and the
//! rows that a rebuild carries over.

use std::collections::BTreeMap;

use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Dialect, Effect, ObjectName, Script, Statement, TableRebuild};

use crate::base::BaseError;
use crate::model::{Relation, RelationKind};
use crate::schema::{ColumnOrigin, Schema};
use crate::sqlite_text::{Edit, Stored};
use crate::text::tokens;

/// Stored statements of one relation after an ALTER TABLE.
pub(crate) struct Texts {
    /// The relation's name afterwards.
    name: ObjectName,
    definition: Option<String>,
    /// By name.
    indexes: BTreeMap<String, String>,
    /// By name.
    triggers: BTreeMap<String, String>,
}

impl Schema {
    /// The stored statements that an ALTER TABLE leaves, told before it is applied.
    pub(crate) fn edited_texts(
        &self,
        script: &Script,
        statement: &Statement,
        effect: &Effect,
    ) -> Result<Vec<Texts>, BaseError> {
        let text = statement.span.of(&script.text);
        let found = tokens(Dialect::Sqlite, text);
        let added;
        let edit = match &effect.operation {
            Operation::Rename {
                kind: ObjectKind::Table,
                from,
                to,
                ..
            } => Edit::RenameTable { from: &from.name, to },
            Operation::RenameColumn { table, from, to } => {
                let quoted = found
                    .last()
                    .is_some_and(|token| text[token.start..].starts_with(['"', '`', '[', '\'']));
                Edit::RenameColumn {
                    table: &table.name,
                    from,
                    to,
                    quoted,
                }
            }
            Operation::AddColumn(add) => {
                let keyword = found.iter().position(|token| token.is_keyword("add"));
                let skip = keyword
                    .map(|at| at + 1 + usize::from(found.get(at + 1).is_some_and(|token| token.is_keyword("column"))));
                let Some(start) = skip.and_then(|at| found.get(at)) else {
                    return Ok(Vec::new());
                };
                added = text[start.start..].trim_end_matches(|c: char| c == ';' || c.is_whitespace());
                Edit::AddColumn {
                    table: &add.table.name,
                    text: added,
                }
            }
            Operation::DropColumn { table, column, .. } => Edit::DropColumn {
                table: &table.name,
                column,
            },
            _ => return Ok(Vec::new()),
        };
        let table = self.find(ObjectKind::Table, &ObjectName::bare(edit.table()))?;
        let mut edited = Vec::new();
        let mut names = self.candidates(ObjectKind::Table, &table)?;
        // Stored statements are not among what is known of a relation's words.
        names.extend(self.overlay_names());
        for name in names.into_iter().chain([table.clone()]) {
            let follows = !self.overlay.legacy_alter || self.folding().same_object(&name, &table);
            if let Some(relation) = self.get(&name)?.filter(|_| follows) {
                edited.push(self.edited(&edit, &table, &relation));
            }
        }
        Ok(edited)
    }

    fn edited(&self, edit: &Edit<'_>, table: &ObjectName, relation: &Relation) -> Texts {
        let own = self.folding().same_object(&relation.name, table);
        let stored = match relation.kind {
            RelationKind::View => Stored::Query,
            _ if own => Stored::Own,
            _ => Stored::Table,
        };
        let index = |text: &String| {
            if own {
                edit.apply(text, Stored::Index)
            } else {
                Some(text.clone())
            }
        };
        let name = match edit {
            Edit::RenameTable { to, .. } if own => ObjectName {
                schema: table.schema.clone(),
                name: (*to).to_owned(),
            },
            _ => relation.name.clone(),
        };
        Texts {
            name,
            definition: relation.definition.as_ref().and_then(|text| edit.apply(text, stored)),
            indexes: relation
                .indexes
                .iter()
                .filter_map(|known| Some((known.name.clone(), index(known.definition.as_ref()?)?)))
                .collect(),
            triggers: relation
                .triggers
                .iter()
                .filter_map(|trigger| Some((trigger.name.clone(), edit.apply(&trigger.definition, Stored::Query)?)))
                .collect(),
        }
    }

    /// Puts the statements told by [`Schema::edited_texts`] after the ALTER TABLE was applied.
    pub(crate) fn put_texts(&mut self, edited: Vec<Texts>) -> Result<(), BaseError> {
        for texts in edited {
            let Some(relation) = self.get(&texts.name)? else {
                continue;
            };
            let unchanged = relation.definition == texts.definition
                && relation
                    .indexes
                    .iter()
                    .all(|index| texts.indexes.get(&index.name) == index.definition.as_ref())
                && relation
                    .triggers
                    .iter()
                    .all(|trigger| texts.triggers.get(&trigger.name) == Some(&trigger.definition));
            if unchanged {
                continue;
            }
            self.edit(&texts.name, |relation| {
                relation.definition = texts.definition;
                for index in &mut relation.indexes {
                    index.definition = texts.indexes.get(&index.name).cloned();
                }
                for trigger in &mut relation.triggers {
                    if let Some(definition) = texts.triggers.get(&trigger.name) {
                        trigger.definition.clone_from(definition);
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Keeps the text that `sqlite_master` holds after a CREATE.
    pub(crate) fn follow_text(
        &mut self,
        script: &Script,
        statement: &Statement,
        effect: &Effect,
    ) -> Result<(), BaseError> {
        let text = statement.span.of(&script.text);
        match &effect.operation {
            Operation::CreateTable(table) => {
                let name = self.find(ObjectKind::Table, &table.name)?;
                let definition = match (&table.as_query, &table.access_method) {
                    // SQLite writes a statement of its own for these.
                    (Some(_), _) => None,
                    (None, Some(_)) => stored_text(text, "VIRTUAL TABLE", &table.name.name),
                    (None, None) => stored_text(text, "TABLE", &table.name.name),
                };
                self.edit(&name, |relation| {
                    if relation.definition.is_none() {
                        relation.definition = definition;
                    }
                })?;
            }
            Operation::CreateView(view) => {
                let name = self.find(ObjectKind::Table, &view.name)?;
                let definition = stored_text(text, "VIEW", &view.name.name);
                self.edit(&name, |relation| {
                    if relation.definition.as_ref() == Some(&view.definition) {
                        relation.definition = definition;
                    }
                })?;
            }
            Operation::CreateIndex(index) => {
                let Some(name) = &index.name else { return Ok(()) };
                let word = if index.unique { "UNIQUE INDEX" } else { "INDEX" };
                let definition = stored_text(text, word, name);
                self.alter_index(&ObjectName::bare(name), |index| {
                    if index.definition.is_none() {
                        index.definition = definition;
                    }
                })?;
            }
            Operation::CreateTrigger(trigger) => {
                let Some(definition) = stored_text(text, "TRIGGER", &trigger.name) else {
                    return Ok(());
                };
                self.alter(&trigger.table, |relation| {
                    for known in relation
                        .triggers
                        .iter_mut()
                        .filter(|known| known.definition == trigger.definition)
                    {
                        known.definition.clone_from(&definition);
                    }
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// After the last step of a rebuild that copied every row, the table's rows are those of the old one.
    pub(crate) fn follow_rebuild(&mut self, statement: usize, rebuild: &TableRebuild) -> Result<(), BaseError> {
        if !rebuild.all_rows || rebuild.statements.last() != Some(&statement) {
            return Ok(());
        }
        let table = self.find(ObjectKind::Table, &rebuild.table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let Some(base) = self.base_spelling(&self.key(&table))? else {
            return Ok(());
        };
        let Some(old) = self.base.relation(&base)? else {
            return Ok(());
        };
        let origin = self.origin_mut(&table);
        origin.base = Some(base);
        origin.rows_changed = false;
        origin.values_changed = false;
        for (at, column) in relation.columns.iter().enumerate() {
            let same = |name: &str| name.trim_matches(['"', '`']).eq_ignore_ascii_case(&column.name);
            let star = rebuild.copied.iter().any(|(new, _)| new == "*");
            let source = rebuild
                .copied
                .iter()
                .find(|(new, _)| same(new))
                .map(|(_, old)| old.as_str());
            // `SELECT *` goes by position.
            let source = if star {
                old.columns.get(at).map(|old| old.name.as_str())
            } else {
                source
            };
            let constant = column.default.is_some() || column.generated.is_some();
            let from = match source {
                Some(old) if same(old) => continue,
                None if !constant => ColumnOrigin::AddedNull,
                _ => ColumnOrigin::Unknown,
            };
            origin.columns.insert(column.name.clone(), from);
        }
        Ok(())
    }
}

/// What `sqlite_master` holds of a CREATE statement: `CREATE word` and everything from the object's own name on, whatever
/// stood between.
fn stored_text(text: &str, word: &str, name: &str) -> Option<String> {
    let found = tokens(Dialect::Sqlite, text);
    // CREATE and TABLE may be names too, but only behind the keywords.
    let at = found
        .iter()
        .skip(2)
        .find(|token| token.name().is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
    Some(format!(
        "CREATE {word} {}",
        text[at.start..].trim_end().trim_end_matches(';').trim_end()
    ))
}
