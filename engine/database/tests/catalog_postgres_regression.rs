//! Whatever a server can hold can be read: PostgreSQL's own test scripts are run, errors and all, and then everything in
//! the database is read. Opt-in: `TOLLGATE_POSTGRES_SCRIPTS` names the folder of the scripts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use postgres::{Config, NoTls};
use tollgate_database::catalog::postgres::{CatalogOptions, PostgresCatalog};
use tollgate_schema::model::{Index, Relation};
use tollgate_schema::{Base, BaseError};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};
use tollgate_testing::postgres::{Cluster, Setup};

/// Scripts that change roles or settings of the whole server, or that stop it.
const UNSUITABLE: &[&str] = &["tablespace.sql", "password.sql"];

#[test]
fn everything_can_be_read() {
    let Some(folder) = std::env::var_os("TOLLGATE_POSTGRES_SCRIPTS").map(PathBuf::from) else {
        println!("skipped: TOLLGATE_POSTGRES_SCRIPTS names no folder of scripts");
        return;
    };
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scripts.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".sql") && !UNSUITABLE.contains(&&*name)
    });
    scripts.sort();
    let server = Cluster::start(&Setup::default()).unwrap();
    let common = std::fs::read_to_string(folder.join("test_setup.sql")).unwrap_or_default();
    let mut objects = 0;
    let mut problems = Vec::new();
    for script in &scripts {
        objects += read_after(&server, &common, script, &mut problems);
    }
    println!("{} scripts, {objects} objects read", scripts.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn read_after(server: &Cluster, common: &str, script: &Path, problems: &mut Vec<String>) -> usize {
    let database = server.database();
    let bytes = std::fs::read(script).unwrap();
    let start = "\\set ON_ERROR_STOP 0\nSET statement_timeout = '5s';\n";
    for text in [common, &String::from_utf8_lossy(&bytes)] {
        // Errors are part of these scripts; a script may even end its own connection.
        let _ = database.try_psql(&format!("{start}{text}"));
    }
    let config: Config = database.url().parse().unwrap();
    let connect = move || {
        config.connect(NoTls).map_err(|error| BaseError {
            message: error.to_string(),
            help: None,
        })
    };
    let catalog = PostgresCatalog::new(connect, CatalogOptions::default());
    let mut report = |what: &str, problem: String| problems.push(format!("{}: {what}: {problem}", script.display()));
    match everything(&catalog, &mut report) {
        Ok(objects) => objects,
        Err(error) => {
            report("stopped", error.message);
            0
        }
    }
}

fn everything(catalog: &PostgresCatalog, report: &mut dyn FnMut(&str, String)) -> Result<usize, BaseError> {
    let relations = catalog.relation_names()?;
    catalog.prefetch(&relations)?;
    let mut objects = relations.len();
    for name in &relations {
        match catalog.relation(name)? {
            Some(relation) => examine(&relation, report),
            None => report("listed but not found", name.to_string()),
        }
    }
    let kinds = [
        ObjectKind::Table,
        ObjectKind::View,
        ObjectKind::MaterializedView,
        ObjectKind::ForeignTable,
        ObjectKind::Index,
        ObjectKind::Sequence,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Function,
        ObjectKind::Procedure,
        ObjectKind::Aggregate,
        ObjectKind::Schema,
        ObjectKind::Extension,
    ];
    for kind in kinds {
        for name in catalog.names(kind)? {
            objects += 1;
            one(catalog, kind, &name, report)?;
            catalog.dependents(kind, &name)?;
        }
    }
    Ok(objects)
}

fn one(
    catalog: &PostgresCatalog,
    kind: ObjectKind,
    name: &ObjectName,
    report: &mut dyn FnMut(&str, String),
) -> Result<(), BaseError> {
    let found = match kind {
        ObjectKind::Index => catalog.index_owner(name)?.is_some(),
        ObjectKind::Sequence => catalog.sequence(name)?.is_some(),
        ObjectKind::Type | ObjectKind::Domain => catalog.user_type(name)?.is_some(),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            let functions = catalog.functions(name)?;
            for function in &functions {
                parses("function", &function.definition, report);
            }
            functions.iter().any(|function| function.kind == kind)
        }
        _ => true,
    };
    if !found {
        report("listed but not found", format!("{kind:?} {name}"));
    }
    Ok(())
}

/// What the server prints is what a restore would run, so our own parser has to understand it.
fn examine(relation: &Relation, report: &mut dyn FnMut(&str, String)) {
    let indexes = relation
        .indexes
        .iter()
        .filter_map(|index: &Index| index.definition.as_deref());
    let triggers = relation.triggers.iter().map(|trigger| trigger.definition.as_str());
    let rules = relation.rules.iter().map(|(_, definition)| definition.as_str());
    for definition in indexes
        .chain(triggers)
        .chain(rules)
        .chain(relation.definition.as_deref())
    {
        parses("definition", definition, report);
    }
    for index in relation.indexes.iter().filter(|index| index.parts.is_empty()) {
        report("index without keys", index.name.clone());
    }
    for part in relation.indexes.iter().flat_map(|index| &index.parts) {
        if part.column.is_none() && part.expression.is_none() {
            report("key without column and expression", relation.name.to_string());
        }
    }
}

fn parses(what: &str, definition: &str, report: &mut dyn FnMut(&str, String)) {
    match tollgate_sql::parse(Dialect::Postgres, definition) {
        Ok(script) if script.statements.len() == 1 => {}
        Ok(script) => report(what, format!("{} statements in {definition}", script.statements.len())),
        Err(error) => report(what, format!("{error} in {definition}")),
    }
}
