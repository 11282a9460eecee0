//! Looks for the migrations of a project, also in the packages of a monorepo.

use std::path::{Path, PathBuf};

use crate::config::model::Provider;
use crate::config::project::{provider_of_schema, schema_folder};

/// How deep below the project folders are looked at: `packages/group/name/prisma/migrations`.
const DEPTH: usize = 5;

/// Folders that hold other people's files.
const SKIPPED: &[&str] = &["node_modules", "target", "dist", "build", "vendor", "coverage", "out"];

/// A folder of migrations and what is known about it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder, which may not be there yet.
    pub migrations: PathBuf,
    /// Prisma's schema.
    pub schema: Option<PathBuf>,
    /// How many migrations there are.
    pub count: usize,
    /// What they are written for.
    pub provider: Option<Provider>,
}

impl Project {
    /// What there is to know about a folder of migrations.
    pub fn at(migrations: &Path) -> Self {
        let migrations: PathBuf = migrations.components().collect();
        let beside = migrations.parent().map(|folder| folder.join("schema.prisma"));
        Self::with_schema(migrations, beside.filter(|schema| schema.is_file()))
    }

    fn with_schema(migrations: PathBuf, schema: Option<PathBuf>) -> Self {
        let lock = std::fs::read_to_string(migrations.join("migration_lock.toml")).ok();
        let lock = lock.and_then(|text| text.parse::<toml::Table>().ok());
        let locked = lock.and_then(|table| Provider::guess(table.get("provider")?.as_str()?));
        let provider = locked.or_else(|| provider_of_schema(schema.as_deref()?));
        Self {
            count: count(&migrations),
            provider,
            migrations,
            schema,
        }
    }
}

/// Every project below `root`, in order of their paths. What package.json says about Prisma's schema comes first.
pub fn find(root: &Path) -> Vec<Project> {
    if let Some(schema) = named_in_package_json(root) {
        let migrations = schema_folder(&schema).join("migrations");
        return vec![Project::with_schema(migrations, Some(schema))];
    }
    let mut found = Vec::new();
    search(root, DEPTH, &mut found);
    found.sort_by(|a, b| a.migrations.cmp(&b.migrations));
    found
}

/// `"prisma": { "schema": "…" }`
fn named_in_package_json(root: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(root.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    let schema = root.join(json.get("prisma")?.get("schema")?.as_str()?);
    schema.exists().then(|| schema.components().collect())
}

fn search(folder: &Path, depth: usize, found: &mut Vec<Project>) {
    let migrations = folder.join("migrations");
    if count(&migrations) > 0 || folder.join("schema.prisma").is_file() {
        found.push(Project::at(&migrations));
        return;
    }
    if depth == 0 {
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
            search(&entry.path(), depth - 1, found);
        }
    }
}

/// Folders with a `migration.sql`.
fn count(migrations: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(migrations) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("migration.sql").is_file())
        .count()
}
