//! The folders of a project: where the migrations and Prisma's schema are.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::model::Provider;
use super::origin::Origin;
use super::resolved::Config;

/// The folder that a schema, a file or itself a folder of files, is in. Prisma starts relative paths there.
pub fn schema_folder(schema: &Path) -> PathBuf {
    match schema.parent() {
        Some(parent) if !schema.is_dir() => parent.to_owned(),
        _ => schema.to_owned(),
    }
}

impl Config {
    /// The folder of migrations, which exists.
    pub fn migrations_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = self.configured_migrations_dir() {
            return if dir.is_dir() {
                Ok(dir)
            } else {
                let origin = self.origin("migrations.dir");
                Err(ConfigError::MissingMigrations {
                    path: dir,
                    named_by: origin.to_string(),
                    by_file: matches!(origin, Origin::File { .. }),
                })
            };
        }
        let looked_at = self.usual_migrations_dirs();
        match looked_at.iter().find(|dir| dir.is_dir()) {
            Some(dir) => Ok(dir.clone()),
            None => Err(ConfigError::NoMigrations { looked_at }),
        }
    }

    /// The same for who may make it: the folder may not be there yet.
    pub fn migrations_dir_to_be(&self) -> PathBuf {
        if let Some(dir) = self.configured_migrations_dir() {
            return dir;
        }
        let usual = self.usual_migrations_dirs();
        let there = usual.iter().find(|dir| dir.is_dir());
        let near = || {
            usual.iter().find(|dir| {
                dir.parent()
                    .is_some_and(|parent| parent != self.root && parent.is_dir())
            })
        };
        there
            .or_else(near)
            .cloned()
            .unwrap_or_else(|| self.root.join("migrations"))
    }

    fn configured_migrations_dir(&self) -> Option<PathBuf> {
        let dir = self.settings.migrations.dir.as_deref()?;
        Some(self.path_from("migrations.dir", dir))
    }

    fn usual_migrations_dirs(&self) -> Vec<PathBuf> {
        let configured = self.settings.prisma.schema.as_deref();
        let beside = configured.map(|schema| schema_folder(&self.path_from("prisma.schema", schema)));
        let folders = beside.into_iter().chain([self.root.join("prisma"), self.root.clone()]);
        folders.map(|folder| folder.join("migrations")).collect()
    }

    /// The folder of Prisma's schema: as configured, or beside the migrations, or in the usual places.
    pub fn prisma_folder(&self) -> Option<PathBuf> {
        if let Some(schema) = self.settings.prisma.schema.as_deref() {
            return Some(schema_folder(&self.path_from("prisma.schema", schema)));
        }
        let beside = self
            .migrations_dir()
            .ok()
            .and_then(|dir| dir.parent().map(Path::to_owned));
        let candidates = beside.into_iter().chain([self.root.join("prisma"), self.root.clone()]);
        candidates
            .into_iter()
            .find(|folder| folder.join("schema.prisma").is_file())
    }

    /// What the migrations are written for, as far as configuration, `migration_lock.toml` and Prisma's schema say.
    pub fn provider(&self) -> Option<Provider> {
        let url = || {
            self.database_url()
                .ok()
                .and_then(|found| Provider::guess(found.url.expose()))
        };
        let lock = || {
            let text = std::fs::read_to_string(self.migrations_dir().ok()?.join("migration_lock.toml")).ok()?;
            let table: toml::Table = text.parse().ok()?;
            Provider::guess(table.get("provider")?.as_str()?)
        };
        let schema = || provider_of_schema(&self.prisma_folder()?.join("schema.prisma"));
        self.settings
            .database
            .provider
            .or_else(lock)
            .or_else(url)
            .or_else(schema)
    }
}

/// The provider of the `datasource` block of a Prisma schema.
pub fn provider_of_schema(schema: &Path) -> Option<Provider> {
    let text = std::fs::read_to_string(schema).ok()?;
    let block = text.split_once("datasource ")?.1.split('}').next()?;
    let line = block.lines().find(|line| line.trim_start().starts_with("provider"))?;
    Provider::guess(line.split('"').nth(1)?)
}
