//! `SQLite`: what a script's own text says beyond its operations: the statements that `sqlite_master` keeps, and the
//! rows that a rebuild carries over.

use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Effect, ObjectName, Script, Statement, TableRebuild};

use crate::base::BaseError;
use crate::schema::{ColumnOrigin, Schema};
use crate::text::{Token, tokens};

impl Schema {
    /// Keeps the text that `sqlite_master` would hold after `effect`.
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
                let definition = if table.as_query.is_some() {
                    None
                } else {
                    stored_text(text, "TABLE", &table.name.name)
                };
                let module = table.access_method.is_some();
                self.edit(&name, |relation| {
                    if relation.definition.is_none() {
                        relation.definition = if module { Some(text.to_owned()) } else { definition };
                    }
                })?;
            }
            Operation::CreateView(view) => {
                let name = self.find(ObjectKind::Table, &view.name)?;
                let definition = stored_text(text, "VIEW", &view.name.name);
                self.edit(&name, |relation| relation.definition = definition)?;
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
        if self.base.relation(&base)?.is_none() {
            return Ok(());
        }
        let origin = self.origin_mut(&table);
        origin.base = Some(base);
        origin.rows_changed = false;
        origin.values_changed = false;
        for column in &relation.columns {
            let source = rebuild
                .copied
                .iter()
                .find(|(new, _)| new.eq_ignore_ascii_case(&column.name))
                .map(|(_, old)| old);
            let from = match source {
                Some(old) if old.eq_ignore_ascii_case(&column.name) => continue,
                Some(_) => ColumnOrigin::Unknown,
                None if column.default.is_none() && column.generated.is_none() => ColumnOrigin::AddedNull,
                None => ColumnOrigin::Unknown,
            };
            origin.columns.insert(column.name.clone(), from);
        }
        Ok(())
    }
}

/// What `sqlite_master` holds of a CREATE statement: `CREATE word` and everything from the object's own name on, whatever
/// stood between.
fn stored_text(text: &str, word: &str, name: &str) -> Option<String> {
    let found = tokens(tollgate_sql::Dialect::Sqlite, text);
    let named = |token: &&Token| token.name().is_some_and(|found| found.eq_ignore_ascii_case(name));
    // CREATE and TABLE may be names too, but only behind the keywords.
    let at = found.iter().skip(2).find(named)?;
    Some(format!(
        "CREATE {word} {}",
        text[at.start..].trim_end().trim_end_matches(';').trim_end()
    ))
}
