//! The file that approvals stand in. What people write into it by hand, comments included, stays; its entries are kept in
//! the order of migration, rule and statement, so that two branches that add some seldom collide.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tollgate_host::types::Severity;
use toml_edit::{Array, ArrayOfTables, Datetime, Document, DocumentMut, Item, Table, Value, value};

use super::{Approval, ApprovalSource, ApprovedStatement, level_name};
use crate::nearest::nearest;

/// Its name. It lies beside the migrations' folders, where neither Prisma nor anything else looks at it.
pub const FILE_NAME: &str = "approvals.toml";

/// What a new one begins with.
const HEAD: &str = "\
# Findings that somebody has looked at and approved: `tollgate approve` writes them.
# A change of this file lets something into a database: have it reviewed by those who may approve.

";

/// The key of all entries.
const ENTRIES: &str = "approval";

/// The keys of an entry.
const KEYS: [&str; 12] = [
    "migration",
    "rule",
    "statement",
    "sql",
    "level",
    "reason",
    "by",
    "at",
    "until",
    "environments",
    "checksum",
    "digest",
];

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApprovalFileError {
    /// What is wrong with it.
    pub message: String,
    /// Where, in bytes of its text.
    pub span: Range<usize>,
}

/// The file, read.
#[derive(Debug, Clone)]
pub struct ApprovalFile {
    /// What stands above the first entry and is not about it.
    head: String,
    entries: Vec<Entry>,
    /// What stands below the last.
    tail: String,
}

#[derive(Debug, Clone)]
struct Entry {
    approval: Approval,
    /// The comment above it.
    comment: String,
    table: Table,
}

impl Default for ApprovalFile {
    /// A new one.
    fn default() -> Self {
        Self {
            head: HEAD.to_owned(),
            entries: Vec::new(),
            tail: String::new(),
        }
    }
}

impl ApprovalFile {
    /// Reads its text. An empty one has no approvals.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where. A file that is half understood approves nothing.
    pub fn parse(text: &str) -> Result<Self, ApprovalFileError> {
        let document = Document::parse(text.to_owned()).map_err(|error| ApprovalFileError {
            message: format!(
                "it is not valid TOML: {}",
                error.message().lines().next().unwrap_or_default()
            ),
            span: error.span().unwrap_or(0..0),
        })?;
        let approvals = read_all(document.as_table())?;
        let mut document = document.into_mut();
        let tail = document.trailing().as_str().unwrap_or_default().to_owned();
        let tables = match document.remove(ENTRIES) {
            Some(Item::ArrayOfTables(tables)) => tables.into_iter().collect(),
            _ => Vec::new(),
        };
        let mut file = Self {
            head: String::new(),
            ..Self::default()
        };
        for (approval, table) in approvals.into_iter().zip::<Vec<Table>>(tables) {
            let above = table
                .decor()
                .prefix()
                .and_then(|above| above.as_str())
                .unwrap_or_default();
            let comment = if file.entries.is_empty() {
                let (head, comment) = split_head(above);
                head.clone_into(&mut file.head);
                comment
            } else {
                above
            };
            let comment = comment.trim_start_matches(['\n', '\r']).to_owned();
            file.entries.push(Entry {
                approval,
                comment,
                table,
            });
        }
        match (file.entries.is_empty(), tail.trim().is_empty()) {
            (true, true) => return Ok(Self::default()),
            (true, false) => file.head = tail,
            (false, _) => file.tail = tail,
        }
        Ok(file)
    }

    /// The approvals, in the order of the file.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.entries.iter().map(|entry| &entry.approval)
    }

    /// Adds one, in the place of an earlier one for the same by the same person. Whether there was an earlier one.
    pub fn add(&mut self, approval: Approval) -> bool {
        let same = |entry: &Entry| {
            let other = &entry.approval;
            let number = |approval: &Approval| approval.statement.as_ref().map(|statement| statement.number);
            (
                &other.migration,
                &other.plugin,
                &other.rule,
                number(other),
                &other.by,
                &other.environments,
            ) == (
                &approval.migration,
                &approval.plugin,
                &approval.rule,
                number(&approval),
                &approval.by,
                &approval.environments,
            )
        };
        let table = write(&approval);
        let earlier = self.entries.iter().position(same);
        let comment = match earlier {
            Some(index) => self.entries.remove(index).comment,
            None => String::new(),
        };
        self.entries.push(Entry {
            approval,
            comment,
            table,
        });
        self.entries.sort_by(|a, b| order(&a.approval).cmp(&order(&b.approval)));
        earlier.is_some()
    }

    /// Takes out those that `goes` says, with their comments, and gives them back.
    pub fn remove(&mut self, mut goes: impl FnMut(&Approval) -> bool) -> Vec<Approval> {
        let (gone, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<Vec<Entry>, _>(|entry| goes(&entry.approval));
        self.entries = kept;
        gone.into_iter().map(|entry| entry.approval).collect()
    }

    /// Nothing is left of it that anybody has written by hand.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && (self.head.trim().is_empty() || self.head == HEAD) && self.tail.trim().is_empty()
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut document = DocumentMut::new();
        let mut head = self.head.clone();
        if self.entries.is_empty() {
            return head + &self.tail;
        }
        if !head.is_empty() && !head.ends_with("\n\n") {
            head.push_str(if head.ends_with('\n') { "\n" } else { "\n\n" });
        }
        let mut tables = ArrayOfTables::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let above = if index == 0 { head.as_str() } else { "\n" };
            let mut table = entry.table.clone();
            table.decor_mut().set_prefix(format!("{above}{}", entry.comment));
            table.set_position(isize::try_from(index).ok());
            tables.push(table);
        }
        document.insert(ENTRIES, Item::ArrayOfTables(tables));
        document.set_trailing(&self.tail);
        document.to_string()
    }
}

/// What stands above the first entry: what is parted from it by an empty line is about the file.
fn split_head(above: &str) -> (&str, &str) {
    match above.rfind("\n\n") {
        Some(at) => above.split_at(at + 2),
        None if above.trim().is_empty() => (above, ""),
        None => ("", above),
    }
}

fn order(approval: &Approval) -> impl Ord + '_ {
    let number = approval.statement.as_ref().map(|statement| statement.number);
    (
        approval.migration.as_bytes(),
        &approval.plugin,
        &approval.rule,
        number,
        &approval.by,
        &approval.environments,
    )
}

fn write(approval: &Approval) -> Table {
    let mut table = Table::new();
    table.insert("migration", value(&approval.migration));
    table.insert("rule", value(format!("{}/{}", approval.plugin, approval.rule)));
    if let Some(statement) = &approval.statement {
        table.insert("statement", value(i64::try_from(statement.number).unwrap_or(i64::MAX)));
        table.insert("sql", value(&statement.sql));
    }
    table.insert("level", value(level_name(approval.level)));
    table.insert("reason", value(&approval.reason));
    table.insert("by", value(&approval.by));
    table.insert("at", moment(approval.at));
    if let Some(until) = approval.until {
        table.insert("until", moment(until));
    }
    if !approval.environments.is_empty() {
        table.insert("environments", value(approval.environments.iter().collect::<Array>()));
    }
    table.insert("checksum", value(&approval.checksum));
    if let Some(statement) = &approval.statement {
        table.insert("digest", value(&statement.digest));
    }
    table
}

/// A time as TOML's own, to the second.
fn moment(time: Timestamp) -> Item {
    let text = format!("{time:.0}");
    match text.parse::<Datetime>() {
        Ok(time) => value(time),
        // Years that TOML does not know.
        Err(_) => value(text),
    }
}

/// Reads `2026-12-01T12:00:00Z`, or `2026-12-01` as the end of that day in UTC.
pub fn time(text: &str) -> Option<Timestamp> {
    let end_of_day = |date: Date| {
        date.tomorrow()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|end| end.timestamp())
    };
    // A time without a zone reads as a date, too.
    let is_date = text.len() == "2026-12-01".len();
    let date = || text.parse().ok().filter(|_| is_date).and_then(end_of_day);
    text.parse().ok().or_else(date)
}

fn read_all(document: &Table) -> Result<Vec<Approval>, ApprovalFileError> {
    if let Some((key, _)) = document.iter().find(|(key, _)| *key != ENTRIES) {
        let span = document.key(key).and_then(toml_edit::Key::span).unwrap_or(0..0);
        let message = format!("unknown key `{key}`: every approval is a table [[{ENTRIES}]]");
        return Err(ApprovalFileError { message, span });
    }
    match document.get(ENTRIES) {
        None => Ok(Vec::new()),
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| Reader { table }.approval()).collect(),
        Some(other) => Err(ApprovalFileError {
            message: format!("every approval is a table [[{ENTRIES}]]"),
            span: other.span().unwrap_or(0..0),
        }),
    }
}

/// Reads one entry.
struct Reader<'a> {
    table: &'a Table,
}

impl Reader<'_> {
    fn approval(&self) -> Result<Approval, ApprovalFileError> {
        self.known_keys()?;
        let (plugin, rule) = self.rule()?;
        Ok(Approval {
            migration: self.line("migration")?,
            checksum: self.sha256("checksum")?,
            plugin,
            rule,
            statement: self.statement()?,
            level: self.level()?,
            by: self.line("by")?,
            at: self.time("at")?.ok_or_else(|| self.missing("at"))?,
            reason: self.text("reason")?,
            environments: self.environments()?,
            until: self.time("until")?,
            source: ApprovalSource::File,
        })
    }

    fn known_keys(&self) -> Result<(), ApprovalFileError> {
        let Some((key, _)) = self.table.iter().find(|(key, _)| !KEYS.contains(key)) else {
            return Ok(());
        };
        let near = nearest(key, KEYS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(ApprovalFileError {
            message: format!("unknown key `{key}` of an approval{near}"),
            span: self.table.key(key).and_then(toml_edit::Key::span).unwrap_or(0..0),
        })
    }

    fn rule(&self) -> Result<(String, String), ApprovalFileError> {
        let rule = self.line("rule")?;
        match rule.split_once('/') {
            Some((plugin, rule)) if !plugin.is_empty() && !rule.is_empty() => Ok((plugin.to_owned(), rule.to_owned())),
            _ => Err(self.wrong("rule", "PLUGIN/RULE, for example \"destructive/drop-table\"")),
        }
    }

    fn statement(&self) -> Result<Option<ApprovedStatement>, ApprovalFileError> {
        let Some(number) = self.table.get("statement") else {
            let stray = ["sql", "digest"].into_iter().find(|key| self.table.contains_key(key));
            return match stray {
                Some(_) => Err(self.missing("statement")),
                None => Ok(None),
            };
        };
        let number = number.as_integer().and_then(|number| usize::try_from(number).ok());
        Ok(Some(ApprovedStatement {
            number: number
                .filter(|number| *number > 0)
                .ok_or_else(|| self.wrong("statement", "the number of a statement, counted from 1"))?,
            sql: self.line("sql")?,
            digest: self.sha256("digest")?,
        }))
    }

    fn level(&self) -> Result<Severity, ApprovalFileError> {
        match self.text("level")?.as_str() {
            "low" => Ok(Severity::Low),
            "medium" => Ok(Severity::Medium),
            "high" => Ok(Severity::High),
            _ => Err(self.wrong("level", "\"low\", \"medium\" or \"high\"")),
        }
    }

    fn environments(&self) -> Result<Vec<String>, ApprovalFileError> {
        let wrong = || self.wrong("environments", "a list with names of environments");
        let Some(item) = self.table.get("environments") else {
            return Ok(Vec::new());
        };
        let names = item.as_array().ok_or_else(wrong)?;
        let name = |name: &Value| {
            name.as_str()
                .filter(|name| !name.contains(char::is_control))
                .map(str::to_owned)
        };
        let read: Option<Vec<String>> = names.iter().map(name).collect();
        // An empty list must not mean all of them.
        read.filter(|names| !names.is_empty()).ok_or_else(wrong)
    }

    /// A text of any number of lines.
    fn text(&self, key: &'static str) -> Result<String, ApprovalFileError> {
        self.text_without(key, |c| c.is_control() && c != '\n' && c != '\t')
    }

    /// A text of one line: nothing in it does anything to a terminal.
    fn line(&self, key: &'static str) -> Result<String, ApprovalFileError> {
        self.text_without(key, char::is_control)
    }

    fn text_without(&self, key: &'static str, wrong: fn(char) -> bool) -> Result<String, ApprovalFileError> {
        let item = self.table.get(key).ok_or_else(|| self.missing(key))?;
        let text = item.as_str().map(str::trim);
        let text = text.filter(|text| !text.is_empty() && !text.contains(wrong));
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong(key, "a text that is not empty and has no control characters"))
    }

    fn sha256(&self, key: &'static str) -> Result<String, ApprovalFileError> {
        let text = self.text(key)?;
        let is_digest = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_digest
            .then_some(text)
            .ok_or_else(|| self.wrong(key, "a SHA-256: 64 hexadecimal digits in small letters"))
    }

    fn time(&self, key: &'static str) -> Result<Option<Timestamp>, ApprovalFileError> {
        let Some(item) = self.table.get(key) else {
            return Ok(None);
        };
        let text = match item.as_value() {
            Some(Value::Datetime(moment)) => moment.value().to_string(),
            Some(Value::String(text)) => text.value().clone(),
            _ => String::new(),
        };
        time(&text)
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a time with its zone, for example 2026-12-01T12:00:00Z"))
    }

    fn missing(&self, key: &str) -> ApprovalFileError {
        ApprovalFileError {
            message: format!("an approval needs `{key}`"),
            span: self.table.span().unwrap_or(0..0),
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> ApprovalFileError {
        ApprovalFileError {
            message: format!("`{key}` of an approval must be {expected}"),
            span: self.table.get(key).and_then(Item::span).unwrap_or(0..0),
        }
    }
}
