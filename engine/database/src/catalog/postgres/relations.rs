//! Many relations with all that belongs to them, in a constant number of queries.

use std::collections::HashMap;

use ::postgres::types::Type;
use ::postgres::{Client, Error, Row};
use tollgate_schema::List;
use tollgate_schema::model::{Column, PolicyModel, Relation, RelationKind, Trigger};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::Identity;

use super::rows::{
    self, ACL_COLUMNS, Acl, TYPE_COLUMNS, VISIBLE_SCHEMA, ask, ask_of, data_type, expression, foreign_name, name,
    type_of,
};
use super::{constraints, indexes};
use crate::catalog::text;

/// Relations while they are put together, by object id.
pub(super) struct Reading {
    pub oids: Vec<u32>,
    pub relations: HashMap<u32, Relation>,
}

impl Reading {
    /// The relation whose object id stands in the row's column `relation`.
    pub fn of(&mut self, row: &Row) -> Result<Option<&mut Relation>, Error> {
        Ok(self.relations.get_mut(&row.try_get("relation")?))
    }
}

/// Those of `names` that exist.
pub(super) fn read(
    client: &mut Client,
    version: u32,
    names: &[ObjectName],
) -> Result<HashMap<ObjectName, Relation>, Error> {
    let mut reading = headers(client, names)?;
    if !reading.oids.is_empty() {
        parents(client, &mut reading)?;
        columns(client, version, &mut reading)?;
        constraints::read(client, version, &mut reading)?;
        indexes::read(client, version, &mut reading)?;
        triggers(client, version, &mut reading)?;
        policies(client, &mut reading)?;
        rules(client, &mut reading)?;
        views(client, &mut reading)?;
        grants(client, &mut reading)?;
    }
    Ok(reading
        .relations
        .into_values()
        .map(|relation| (relation.name.clone(), relation))
        .collect())
}

fn headers(client: &mut Client, names: &[ObjectName]) -> Result<Reading, Error> {
    let schemas: Vec<&str> = names
        .iter()
        .map(|name| name.schema.as_deref().unwrap_or("public"))
        .collect();
    let plain: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    let sql = format!(
        "SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
                pg_get_userbyid(c.relowner)::text AS owner, obj_description(c.oid, 'pg_class') AS comment,
                c.relrowsecurity, c.relforcerowsecurity, c.relpersistence::text AS persistence, c.reloptions,
                (SELECT array_agg('toast.' || option) FROM pg_class x, unnest(x.reloptions) AS option
                 WHERE x.oid = c.reltoastrelid) AS toast_options,
                CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
                ts.spcname::text AS tablespace, nullif(am.amname::text, 'heap') AS access_method,
                c.relreplident::text AS identity,
                (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = c.oid AND i.indisreplident) AS identity_index,
                CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS query,
                c.reltuples::float8 AS rows, c.relpages AS pages,
                CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END AS bytes
         FROM unnest($1, $2) AS wanted (schema, name)
         JOIN pg_namespace n ON n.nspname = wanted.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
         LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
         LEFT JOIN pg_am am ON am.oid = c.relam
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {VISIBLE_SCHEMA}"
    );
    let parameters: [rows::Parameter<'_>; 2] = [(&schemas, Type::TEXT_ARRAY), (&plain, Type::TEXT_ARRAY)];
    let mut reading = Reading {
        oids: Vec::new(),
        relations: HashMap::new(),
    };
    for row in ask(client, &sql, &parameters)? {
        let oid = row.try_get("oid")?;
        reading.oids.push(oid);
        reading.relations.insert(oid, header(&row)?);
    }
    Ok(reading)
}

fn header(row: &Row) -> Result<Relation, Error> {
    let kind = match row.try_get("kind")? {
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => RelationKind::Table,
    };
    let has_rows = matches!(
        kind,
        RelationKind::Table | RelationKind::MaterializedView | RelationKind::PartitionedTable
    );
    let query: Option<String> = row.try_get("query")?;
    let query = query.map(|query| query.trim().trim_end_matches(';').to_owned());
    let persistence: &str = row.try_get("persistence")?;
    let bytes: Option<i64> = row.try_get("bytes")?;
    let mut relation = Relation {
        name: name(row, "schema", "name")?,
        kind,
        columns: List::default(),
        constraints: List::default(),
        indexes: List::default(),
        triggers: Vec::new(),
        policies: Vec::new(),
        rules: Vec::new(),
        grants: Vec::new(),
        owner: row.try_get("owner")?,
        comment: row.try_get("comment")?,
        row_security: row.try_get("relrowsecurity")?,
        force_row_security: row.try_get("relforcerowsecurity")?,
        unlogged: persistence == "u",
        temporary: persistence == "t",
        partition_key: row.try_get("partition_key")?,
        partition_of: None,
        inherits: Vec::new(),
        options: text::options(Some(
            [rows::list(row, "reloptions")?, rows::list(row, "toast_options")?].concat(),
        )),
        tablespace: row.try_get("tablespace")?,
        access_method: row.try_get("access_method")?,
        replica_identity: replica_identity(row, kind)?,
        without_rowid: false,
        strict: false,
        query,
        reads: Vec::new(),
        definition: None,
        estimated_rows: if has_rows { estimate(row)? } else { None },
        bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        uncertain: false,
    };
    relation.definition = view_definition(&relation);
    Ok(relation)
}

fn replica_identity(row: &Row, kind: RelationKind) -> Result<String, Error> {
    if !matches!(kind, RelationKind::Table | RelationKind::PartitionedTable) {
        return Ok("default".to_owned());
    }
    Ok(match row.try_get("identity")? {
        "f" => "full".to_owned(),
        "n" => "nothing".to_owned(),
        "i" => match row.try_get::<_, Option<&str>>("identity_index")? {
            Some(index) => format!("index:{index}"),
            // The index was dropped: the server then treats it as nothing.
            None => "nothing".to_owned(),
        },
        _ => "default".to_owned(),
    })
}

/// Never analysed: -1 since version 14; before that a table without pages and rows may be either.
fn estimate(row: &Row) -> Result<Option<u64>, Error> {
    let (rows, pages): (f64, i32) = (row.try_get("rows")?, row.try_get("pages")?);
    let known = rows > 0.0 || (rows == 0.0 && pages > 0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of at most 2^24 exact rows"
    )]
    Ok(known.then_some(rows as u64))
}

/// What recreates a view.
fn view_definition(relation: &Relation) -> Option<String> {
    let word = match relation.kind {
        RelationKind::View => "VIEW",
        RelationKind::MaterializedView => "MATERIALIZED VIEW",
        _ => return None,
    };
    let options: Vec<_> = relation
        .options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let with = if options.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", options.join(", "))
    };
    let name = relation.name.sql(tollgate_sql::Dialect::Postgres);
    relation
        .query
        .as_ref()
        .map(|query| format!("CREATE {word} {name}{with} AS\n{query}"))
}

fn parents(client: &mut Client, reading: &mut Reading) -> Result<(), Error> {
    let sql = "SELECT i.inhrelid AS relation, n.nspname::text AS schema, p.relname::text AS name,
                      CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bound
               FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
               JOIN pg_namespace n ON n.oid = p.relnamespace
               WHERE i.inhrelid = ANY ($1) ORDER BY i.inhrelid, i.inhseqno";
    for row in ask_of(client, sql, &reading.oids)? {
        if let Some(relation) = reading.of(&row)? {
            let parent = name(&row, "schema", "name")?;
            match row.try_get::<_, Option<String>>("bound")? {
                Some(bound) => relation.partition_of = Some((parent, bound)),
                None => relation.inherits.push(parent),
            }
        }
    }
    Ok(())
}

fn columns(client: &mut Client, version: u32, reading: &mut Reading) -> Result<(), Error> {
    let generated = if version >= 120_000 {
        "a.attgenerated::text"
    } else {
        "''"
    };
    let compression = if version >= 140_000 {
        "a.attcompression::text"
    } else {
        "''"
    };
    let type_of = type_of("a.atttypid", "a.atttypmod");
    let sql = format!(
        "SELECT a.attrelid AS relation, a.attname::text AS name, a.attnotnull, a.attndims::int4 AS dimensions,
                {TYPE_COLUMNS}, {generated} AS generated, a.attidentity::text AS identity,
                pg_get_expr(d.adbin, d.adrelid) AS expression,
                cn.nspname::text AS collation_schema, co.collname::text AS collation_name,
                col_description(a.attrelid, a.attnum) AS comment,
                CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
                {compression} AS compression, coalesce(a.attstattarget::int4, -1) AS statistics, a.attoptions,
                s.schema AS sequence_schema, s.name AS sequence_name
         FROM pg_attribute a
         JOIN pg_type t ON t.oid = a.atttypid
         {type_of}
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         LEFT JOIN pg_collation co ON co.oid = a.attcollation AND a.attcollation <> t.typcollation
         LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
         LEFT JOIN LATERAL (
           SELECT sn.nspname::text AS schema, s.relname::text AS name FROM pg_depend p
           JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
           WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
             AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype IN ('a', 'i')
           ORDER BY p.deptype DESC, s.relname LIMIT 1) s ON true
         WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum"
    );
    for row in ask_of(client, &sql, &reading.oids)? {
        let column = column(&row)?;
        if let Some(relation) = reading.of(&row)? {
            relation.columns.push(column);
        }
    }
    Ok(())
}

fn column(row: &Row) -> Result<Column, Error> {
    let generated: &str = row.try_get("generated")?;
    let text = expression(row, "expression")?;
    let (default, generated) = match generated {
        "" => (text, None),
        kind => (None, text.map(|text| (text, kind == "s"))),
    };
    Ok(Column {
        name: row.try_get("name")?,
        data_type: data_type(row, row.try_get("dimensions")?)?,
        not_null: row.try_get("attnotnull")?,
        default,
        generated,
        identity: match row.try_get("identity")? {
            "a" => Some(Identity::Always),
            "d" => Some(Identity::ByDefault),
            _ => None,
        },
        sequence: foreign_name(row, "sequence_schema", "sequence_name")?,
        collation: foreign_name(row, "collation_schema", "collation_name")?,
        comment: row.try_get("comment")?,
        grants: Vec::new(),
        options: column_options(row)?,
    })
}

fn column_options(row: &Row) -> Result<Vec<(String, String)>, Error> {
    let mut options = text::options(row.try_get("attoptions")?);
    let mut add = |name: &str, value: &str| options.push((name.to_owned(), value.to_owned()));
    match row.try_get::<_, Option<&str>>("storage")? {
        Some("p") => add("storage", "plain"),
        Some("e") => add("storage", "external"),
        Some("m") => add("storage", "main"),
        Some("x") => add("storage", "extended"),
        _ => {}
    }
    match row.try_get("compression")? {
        "p" => add("compression", "pglz"),
        "l" => add("compression", "lz4"),
        _ => {}
    }
    let statistics: i32 = row.try_get("statistics")?;
    if statistics >= 0 {
        add("statistics", &statistics.to_string());
    }
    options.sort();
    Ok(options)
}

/// A partition's copies of its parent's triggers belong to the parent: they are internal before version 13.
fn triggers(client: &mut Client, version: u32, reading: &mut Reading) -> Result<(), Error> {
    let inherited = if version >= 130_000 {
        "t.tgparentid <> 0"
    } else {
        "false"
    };
    let sql = format!(
        "SELECT t.tgrelid AS relation, t.tgname::text AS name, pg_get_triggerdef(t.oid) AS definition,
                      t.tgenabled <> 'D' AS enabled, n.nspname::text AS function_schema,
                      p.proname::text AS function_name, obj_description(t.oid, 'pg_trigger') AS comment
               FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE t.tgrelid = ANY ($1) AND NOT t.tgisinternal AND NOT ({inherited}) ORDER BY t.tgname::text COLLATE \"C\""
    );
    for row in ask_of(client, &sql, &reading.oids)? {
        let trigger = Trigger {
            name: row.try_get("name")?,
            function: foreign_name(&row, "function_schema", "function_name")?,
            definition: row.try_get("definition")?,
            enabled: row.try_get("enabled")?,
            comment: row.try_get("comment")?,
        };
        if let Some(relation) = reading.of(&row)? {
            relation.triggers.push(trigger);
        }
    }
    Ok(())
}

fn policies(client: &mut Client, reading: &mut Reading) -> Result<(), Error> {
    let sql = "SELECT p.polrelid AS relation, p.polname::text AS name, p.polpermissive, p.polcmd::text AS command,
                      (SELECT array_agg(r.role ORDER BY r.role COLLATE \"C\") FROM (
                         SELECT CASE WHEN o = 0 THEN 'public' ELSE pg_get_userbyid(o)::text END AS role
                         FROM unnest(p.polroles) AS o) r) AS roles,
                      pg_get_expr(p.polqual, p.polrelid) AS qualification,
                      pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
                      obj_description(p.oid, 'pg_policy') AS comment
               FROM pg_policy p WHERE p.polrelid = ANY ($1) ORDER BY p.polname::text COLLATE \"C\"";
    for row in ask_of(client, sql, &reading.oids)? {
        let command = match row.try_get("command")? {
            "r" => "select",
            "a" => "insert",
            "w" => "update",
            "d" => "delete",
            _ => "all",
        };
        let policy = PolicyModel {
            name: row.try_get("name")?,
            permissive: row.try_get("polpermissive")?,
            command: command.to_owned(),
            roles: rows::list(&row, "roles")?,
            using: expression(&row, "qualification")?,
            check: expression(&row, "with_check")?,
            comment: row.try_get("comment")?,
        };
        if let Some(relation) = reading.of(&row)? {
            relation.policies.push(policy);
        }
    }
    Ok(())
}

fn rules(client: &mut Client, reading: &mut Reading) -> Result<(), Error> {
    let sql = "SELECT r.ev_class AS relation, r.rulename::text AS name, pg_get_ruledef(r.oid) AS definition
               FROM pg_rewrite r WHERE r.ev_class = ANY ($1) AND r.rulename <> '_RETURN'
               ORDER BY r.rulename::text COLLATE \"C\"";
    for row in ask_of(client, sql, &reading.oids)? {
        let definition: String = row.try_get("definition")?;
        let rule = (row.try_get("name")?, definition.trim_end_matches(';').to_owned());
        if let Some(relation) = reading.of(&row)? {
            relation.rules.push(rule);
        }
    }
    Ok(())
}

/// What views read.
fn views(client: &mut Client, reading: &mut Reading) -> Result<(), Error> {
    let sql = "SELECT DISTINCT r.ev_class AS relation, n.nspname::text AS schema, c.relname::text AS name
               FROM pg_rewrite r
               JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class AND d.deptype = 'n'
               JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE r.ev_class = ANY ($1) AND r.rulename = '_RETURN'";
    for row in ask_of(client, sql, &reading.oids)? {
        let read = name(&row, "schema", "name")?;
        if let Some(relation) = reading.of(&row)? {
            relation.reads.push(read);
        }
    }
    for relation in reading.relations.values_mut() {
        relation.reads.sort();
    }
    Ok(())
}

fn grants(client: &mut Client, reading: &mut Reading) -> Result<(), Error> {
    let sql = format!(
        "SELECT c.oid AS relation, NULL::text AS member, {ACL_COLUMNS}
         FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
         WHERE c.oid = ANY ($1) AND acl.grantee <> c.relowner
         UNION ALL
         SELECT c.oid, a.attname::text, {ACL_COLUMNS}
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
         WHERE c.oid = ANY ($1) AND acl.grantee <> c.relowner AND NOT a.attisdropped"
    );
    let mut collected: HashMap<(u32, Option<String>), Acl> = HashMap::new();
    for row in ask_of(client, &sql, &reading.oids)? {
        collected
            .entry((row.try_get("relation")?, row.try_get("member")?))
            .or_default()
            .add(&row)?;
    }
    for ((oid, member), acl) in collected {
        let Some(relation) = reading.relations.get_mut(&oid) else {
            continue;
        };
        match member {
            None => relation.grants = acl.into_privileges(),
            Some(member) => {
                if let Some(column) = relation.columns.iter_mut().find(|column| column.name == member) {
                    column.grants = acl.into_privileges();
                }
            }
        }
    }
    Ok(())
}
