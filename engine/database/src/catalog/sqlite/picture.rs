//! The schema tables and pragmas of one moment, as SQLite gives them.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{Connection as _, QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use tollgate_sql::ObjectName;

use super::key;
use crate::catalog::is_own;

/// A row of `sqlite_master`.
#[derive(Debug, QueryableByName)]
pub(super) struct Object {
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub tbl_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub sql: Option<String>,
}

/// A row of `PRAGMA table_list`.
#[derive(Debug, QueryableByName)]
pub(super) struct Table {
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = BigInt)]
    pub wr: i64,
    #[diesel(sql_type = BigInt)]
    pub strict: i64,
}

/// A row of `PRAGMA table_xinfo`.
#[derive(Debug, QueryableByName)]
pub(super) struct ColumnRow {
    #[diesel(sql_type = Text)]
    pub relation: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub declared: String,
    #[diesel(sql_type = BigInt)]
    pub not_null: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub default_value: Option<String>,
    /// Place in the primary key, counted from 1.
    #[diesel(sql_type = BigInt)]
    pub pk: i64,
    /// 0: ordinary, 1: hidden column of a virtual table, 2: virtual generated, 3: stored generated.
    #[diesel(sql_type = BigInt)]
    pub hidden: i64,
}

/// A row of `PRAGMA index_list`.
#[derive(Debug, QueryableByName)]
pub(super) struct IndexRow {
    #[diesel(sql_type = Text)]
    pub relation: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = BigInt)]
    pub is_unique: i64,
    /// `c`: CREATE INDEX, `u`: UNIQUE, `pk`: PRIMARY KEY.
    #[diesel(sql_type = Text)]
    pub origin: String,
}

/// A row of `PRAGMA index_xinfo`, key columns only.
#[derive(Debug, QueryableByName)]
pub(super) struct KeyRow {
    #[diesel(sql_type = Text)]
    pub index_name: String,
    /// Absent for an expression.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub descending: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub coll: Option<String>,
}

/// A row of `PRAGMA foreign_key_list`.
#[derive(Debug, QueryableByName)]
pub(super) struct ForeignKeyRow {
    #[diesel(sql_type = Text)]
    pub relation: String,
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub referenced: String,
    #[diesel(sql_type = Text)]
    pub column_name: String,
    /// Absent when the primary key is meant.
    #[diesel(sql_type = Nullable<Text>)]
    pub referenced_column: Option<String>,
    #[diesel(sql_type = Text)]
    pub on_update: String,
    #[diesel(sql_type = Text)]
    pub on_delete: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Statistic {
    #[diesel(sql_type = Text)]
    tbl: String,
    #[diesel(sql_type = Nullable<Text>)]
    stat: Option<String>,
}

/// Everything, by [`key`] of the relation (or index) it belongs to.
pub(super) struct Picture {
    /// Changes with every change of the schema.
    pub schema_version: i64,
    pub objects: Vec<Object>,
    pub tables: HashMap<String, Table>,
    pub columns: HashMap<String, Vec<ColumnRow>>,
    pub indexes: HashMap<String, Vec<IndexRow>>,
    pub keys: HashMap<String, Vec<KeyRow>>,
    pub foreign_keys: HashMap<String, Vec<ForeignKeyRow>>,
    pub estimates: HashMap<String, u64>,
}

const OBJECTS: &str = "SELECT type AS kind, name, tbl_name, sql FROM main.sqlite_master ORDER BY rowid";

const TABLES: &str = "SELECT name, type AS kind, wr, strict FROM pragma_table_list WHERE schema = 'main'";

/// Joined with the table's or index's name, a pragma answers for all of them at once.
const COLUMNS: &str = "SELECT m.name AS relation, c.name, c.type AS declared, c.\"notnull\" AS not_null,
    c.dflt_value AS default_value, c.pk, c.hidden FROM main.sqlite_master m JOIN pragma_table_xinfo(m.name, 'main') c
    WHERE m.type = 'table' AND m.rootpage <> 0 ORDER BY m.rowid, c.cid";

const INDEXES: &str = "SELECT m.name AS relation, i.name, i.\"unique\" AS is_unique, i.origin
    FROM main.sqlite_master m JOIN pragma_index_list(m.name, 'main') i WHERE m.type = 'table' AND m.rootpage <> 0";

/// By way of the tables, because the primary key of a WITHOUT ROWID table is an index that `sqlite_master` does not list.
const KEYS: &str = "SELECT i.name AS index_name, k.name, k.\"desc\" AS descending, k.coll
    FROM main.sqlite_master m JOIN pragma_index_list(m.name, 'main') i JOIN pragma_index_xinfo(i.name, 'main') k
    WHERE m.type = 'table' AND m.rootpage <> 0 AND k.key = 1 ORDER BY m.rowid, i.seq, k.seqno";

const FOREIGN_KEYS: &str = "SELECT m.name AS relation, f.id, f.\"table\" AS referenced, f.\"from\" AS column_name,
    f.\"to\" AS referenced_column, f.on_update, f.on_delete
    FROM main.sqlite_master m JOIN pragma_foreign_key_list(m.name, 'main') f
    WHERE m.type = 'table' AND m.rootpage <> 0 ORDER BY m.rowid, f.id DESC, f.seq";

/// Views and virtual tables can be broken, and then their pragma is an error: each is asked alone.
const COLUMNS_OF_ONE: &str = "SELECT ? AS relation, c.name, c.type AS declared, c.\"notnull\" AS not_null,
    c.dflt_value AS default_value, c.pk, c.hidden FROM pragma_table_xinfo(?, 'main') c ORDER BY c.cid";

/// Reads everything in one transaction.
pub(super) fn read(connection: &mut SqliteConnection) -> QueryResult<Picture> {
    connection.transaction(|connection| {
        let version: Number =
            sql_query("SELECT schema_version AS value FROM pragma_schema_version").get_result(connection)?;
        let objects: Vec<Object> = sql_query(OBJECTS).load(connection)?;
        let tables: Vec<Table> = sql_query(TABLES).load(connection)?;
        let mut columns = grouped(sql_query(COLUMNS).load(connection)?, |row: &ColumnRow| &row.relation);
        let rootless = tables
            .iter()
            .filter(|table| matches!(table.kind.as_str(), "view" | "virtual"));
        for table in rootless {
            let query = sql_query(COLUMNS_OF_ONE)
                .bind::<Text, _>(&table.name)
                .bind::<Text, _>(&table.name);
            columns.insert(key(&table.name), query.load(connection).unwrap_or_default());
        }
        Ok(Picture {
            schema_version: version.value,
            columns,
            indexes: grouped(sql_query(INDEXES).load(connection)?, |row: &IndexRow| &row.relation),
            keys: grouped(sql_query(KEYS).load(connection)?, |row: &KeyRow| &row.index_name),
            foreign_keys: grouped(sql_query(FOREIGN_KEYS).load(connection)?, |row: &ForeignKeyRow| {
                &row.relation
            }),
            estimates: estimates(connection, &objects)?,
            tables: tables.into_iter().map(|table| (key(&table.name), table)).collect(),
            objects,
        })
    })
}

fn grouped<T>(rows: Vec<T>, by: impl Fn(&T) -> &String) -> HashMap<String, Vec<T>> {
    let mut groups: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(by(&row))).or_default().push(row);
    }
    groups
}

/// What ANALYZE left: the first number of a table's statistics is its number of rows.
fn estimates(connection: &mut SqliteConnection, objects: &[Object]) -> QueryResult<HashMap<String, u64>> {
    if !objects.iter().any(|object| object.name == "sqlite_stat1") {
        return Ok(HashMap::new());
    }
    let statistics: Vec<Statistic> = sql_query("SELECT tbl, stat FROM main.sqlite_stat1").load(connection)?;
    let mut estimates = HashMap::new();
    for Statistic { tbl, stat } in statistics {
        let rows: Option<u64> = stat
            .as_deref()
            .and_then(|stat| stat.split(' ').next())
            .and_then(|rows| rows.parse().ok());
        if let Some(rows) = rows {
            // A partial index counts only its own rows: the largest number is the table's.
            estimates
                .entry(key(&tbl))
                .and_modify(|known| *known = rows.max(*known))
                .or_insert(rows);
        }
    }
    Ok(estimates)
}

impl Picture {
    /// Names of these kinds of objects, ascending; SQLite's own and ours left out.
    pub fn names(&self, kinds: &[&str]) -> Vec<ObjectName> {
        let visible = self
            .objects
            .iter()
            .filter(|object| kinds.contains(&object.kind.as_str()) && self.is_visible(object));
        let mut names: Vec<_> = visible.map(|object| ObjectName::bare(&object.name)).collect();
        names.sort();
        names
    }

    /// The object of this kind and [`key`].
    pub fn object(&self, kind: &str, name: &str) -> Option<&Object> {
        self.objects
            .iter()
            .find(|object| object.kind == kind && key(&object.name) == name && self.is_visible(object))
    }

    fn is_visible(&self, object: &Object) -> bool {
        // A full-text index keeps its data in tables of its own; they come and go with it.
        let shadow = self
            .tables
            .get(&key(&object.tbl_name))
            .is_some_and(|table| table.kind == "shadow");
        let system = object.kind != "index" && object.name.to_ascii_lowercase().starts_with("sqlite_");
        !shadow && !system && !is_own(&ObjectName::bare(&object.tbl_name))
    }

    /// Tables with a foreign key to this one.
    pub fn referencing(&self, table: &str) -> Vec<ObjectName> {
        let points = |row: &ForeignKeyRow| key(&row.referenced) == table;
        self.names(&["table"])
            .into_iter()
            .filter(|name| {
                self.foreign_keys
                    .get(&key(&name.name))
                    .is_some_and(|rows| rows.iter().any(points))
            })
            .collect()
    }
}
