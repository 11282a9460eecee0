//! What `check` judges: all migrations, some of them, files, standard input, or what a branch adds.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use tollgate_engine::folder::{DOWN_FILE, SCRIPT_FILE};
use tollgate_engine::rules::Edit;
use tollgate_engine::{Folder, FolderError, LooseFile, MigrationFile, Scope};

use crate::config::model::Reaction;
use crate::config::{Config, ConfigError};
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::git;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::Report;

/// Standard input, among the files.
pub const STDIN: &str = "-";

/// The arguments that say what is judged.
#[derive(Debug, clap::Args)]
pub struct Targets {
    /// Migrations or files to judge; - is standard input. A file outside of the folder is judged after all migrations
    /// [default: all migrations]
    #[arg(value_name = "MIGRATION|FILE")]
    named: Vec<String>,
    /// Judge only what the branch adds since it left this branch, tag or commit, as the one deploy that it will be
    #[arg(long, value_name = "REF", conflicts_with = "named")]
    since: Option<String>,
    /// Judge files as if nothing were known of the schema, without the migrations
    #[arg(long, requires = "named")]
    no_history: bool,
    /// Name of the migration that the one file, or standard input, is to become
    #[arg(long, value_name = "NAME", requires = "named")]
    name: Option<String>,
}

/// What is judged.
pub struct Selected {
    /// The migrations.
    pub folder: Folder,
    /// Files outside of the folder.
    pub loose: Vec<LooseFile>,
    /// Which of the folder.
    pub scope: Scope,
    /// The schema before a loose file is known.
    pub history: bool,
}

impl Selected {
    /// Every file that something may be said of, as one folder. Of a migration that is gone there is its path.
    pub fn files(&self) -> Cow<'_, Folder> {
        let has_removed = |edited: &[(String, Edit)]| edited.iter().any(|(_, edit)| *edit == Edit::Removed);
        let more = match &self.scope {
            Scope::Added { edited, .. } => has_removed(edited),
            Scope::All | Scope::Only(_) => !self.loose.is_empty(),
        };
        if !more {
            return Cow::Borrowed(&self.folder);
        }
        let mut files = self.folder.clone();
        files
            .migrations
            .extend(self.loose.iter().map(|loose| loose.file.clone()));
        if let Scope::Added { edited, .. } = &self.scope {
            let removed = edited.iter().filter(|(_, edit)| *edit == Edit::Removed);
            files.migrations.extend(removed.map(|(name, _)| {
                let path = self.folder.dir.join(name).join(SCRIPT_FILE);
                MigrationFile::of_bytes(name.clone(), path, Vec::new())
            }));
        }
        Cow::Owned(files)
    }

    /// Judges these as well.
    pub fn add<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        match &mut self.scope {
            Scope::All => {}
            Scope::Only(judged) | Scope::Added { names: judged, .. } => judged.extend(names.map(str::to_owned)),
        }
    }

    /// Every migration of the folder is judged.
    pub fn is_whole_folder(&self) -> bool {
        matches!(self.scope, Scope::All)
    }
}

impl Targets {
    /// Nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.named.is_empty() && self.since.is_none()
    }

    /// What was named in the form of a settings file, not of a migration or of SQL.
    pub fn toml(&self) -> Option<&str> {
        let is_toml = |named: &&str| Path::new(named).extension().is_some_and(|end| end == "toml");
        self.named.iter().map(String::as_str).find(is_toml)
    }

    /// Finds what the arguments mean.
    pub fn select(&self, config: &Config, ui: &Ui) -> Result<Selected, Failure> {
        let folder = self.folder(config, ui)?;
        let mut selected = Selected {
            folder,
            loose: Vec::new(),
            scope: Scope::All,
            history: !self.no_history,
        };
        if let Some(since) = &self.since {
            selected.scope = since_scope(&selected.folder, since, config, ui)?;
        } else if !self.named.is_empty() {
            self.some(config, &mut selected)?;
        }
        Ok(selected)
    }

    /// The folder of migrations. Without history there need not be one.
    fn folder(&self, config: &Config, ui: &Ui) -> Result<Folder, Failure> {
        let missing = || Folder {
            dir: config.migrations_dir_to_be(),
            provider: None,
            migrations: Vec::new(),
            warnings: Vec::new(),
        };
        if self.no_history {
            match config.migrations_dir() {
                Err(ConfigError::NoMigrations { .. }) => return Ok(missing()),
                Ok(dir) if matches!(Folder::read(&dir), Err(FolderError::NoScript(_))) => return Ok(missing()),
                _ => {}
            }
        }
        project::folder(config, ui)
    }

    fn some(&self, config: &Config, selected: &mut Selected) -> Result<(), Failure> {
        let mut names = BTreeSet::new();
        for target in &self.named {
            match find(&selected.folder, &config.cwd, target)? {
                Found::Migration(name) => drop(names.insert(name)),
                Found::Loose(loose) => selected.loose.push(loose),
            }
        }
        selected.scope = Scope::Only(names);
        if let Some(name) = &self.name {
            let ([loose], Scope::Only(names)) = (selected.loose.as_mut_slice(), &selected.scope) else {
                return Err(name_of_one());
            };
            if !names.is_empty() {
                return Err(name_of_one());
            }
            loose.file.name.clone_from(name);
            loose.named = true;
        }
        tell_apart(selected);
        Ok(())
    }
}

fn name_of_one() -> Failure {
    let report = Report::error(
        "check::name",
        "--name is for one file outside of the folder of migrations",
    );
    Failure::new(Exit::Usage, report.help("give one file, or - for standard input"))
}

/// A file with the name of another one goes by its path.
fn tell_apart(selected: &mut Selected) {
    let mut taken: BTreeSet<String> = selected
        .folder
        .migrations
        .iter()
        .map(|file| file.name.clone())
        .collect();
    for loose in &mut selected.loose {
        if !taken.insert(loose.file.name.clone()) {
            loose.file.name = shown(&loose.file.path);
            taken.insert(loose.file.name.clone());
        }
    }
}

/// What an argument means.
pub enum Found {
    /// One of the folder.
    Migration(String),
    /// A file outside of it, or standard input.
    Loose(LooseFile),
}

/// Finds what an argument means.
pub fn find(folder: &Folder, cwd: &Path, target: &str) -> Result<Found, Failure> {
    if target == STDIN {
        let mut bytes = Vec::new();
        let path = Path::new("standard input");
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::file("check::stdin", "read", path, &error))?;
        return Ok(Found::Loose(LooseFile {
            file: MigrationFile::of_bytes("stdin".to_owned(), PathBuf::from("stdin"), bytes),
            named: false,
        }));
    }
    if folder.find(target).is_some() {
        return Ok(Found::Migration(target.to_owned()));
    }
    let path: PathBuf = cwd.join(target).components().collect();
    let script = if path.is_dir() { path.join(SCRIPT_FILE) } else { path };
    if let Some(name) = inside(folder, &script) {
        return Ok(Found::Migration(name));
    }
    let is_path = target.contains(['/', '\\']) || script.extension().is_some_and(|extension| extension == "sql");
    if !is_path && !script.is_file() {
        // The engine says which names there are.
        return Ok(Found::Migration(target.to_owned()));
    }
    loose(script).map(Found::Loose)
}

/// The migration of the folder that a file belongs to: its script, or its way back.
fn inside(folder: &Folder, script: &Path) -> Option<String> {
    let file_name = script.file_name()?;
    if file_name != SCRIPT_FILE && file_name != DOWN_FILE {
        return None;
    }
    let own = std::fs::canonicalize(script.parent()?).ok()?;
    let name = own.file_name()?.to_str()?;
    let is_here = std::fs::canonicalize(&folder.dir).is_ok_and(|dir| own.parent() == Some(dir.as_path()));
    (is_here && folder.find(name).is_some()).then(|| name.to_owned())
}

/// A file outside of the folder. One that is called as a script of a migration has its folder's name.
fn loose(path: PathBuf) -> Result<LooseFile, Failure> {
    let bytes = std::fs::read(&path).map_err(|error| {
        let report = Report::error("check::file", format!("cannot read {}: {error}", shown(&path)));
        Failure::new(
            Exit::Usage,
            report.help("name a migration, or the path of a file with SQL"),
        )
    })?;
    let text = |name: Option<&std::ffi::OsStr>| name.map(|name| name.to_string_lossy().into_owned());
    let is_script = path.file_name().is_some_and(|name| name == SCRIPT_FILE);
    let of_folder = path
        .parent()
        .and_then(|folder| text(folder.file_name()))
        .filter(|_| is_script);
    let named = of_folder.is_some();
    let name = of_folder.or_else(|| text(path.file_stem())).unwrap_or_default();
    let down = is_script
        .then(|| path.with_file_name(DOWN_FILE))
        .filter(|down| down.is_file());
    let mut file = MigrationFile::of_bytes(name, path, bytes);
    if let Some(down) = down {
        let text =
            std::fs::read_to_string(&down).map_err(|error| Failure::file("check::file", "read", &down, &error))?;
        file.down = Some(tollgate_engine::folder::DownFile { path: down, text });
    }
    Ok(LooseFile { file, named })
}

/// What a branch adds to the folder.
fn since_scope(folder: &Folder, since: &str, config: &Config, ui: &Ui) -> Result<Scope, Failure> {
    let changes = git::changes(&folder.dir, since)?;
    let script = |name: &str| format!("{name}/{SCRIPT_FILE}");
    let names: BTreeSet<String> = folder
        .migrations
        .iter()
        .map(|file| file.name.clone())
        .filter(|name| !changes.before.contains(&script(name)))
        .collect();
    let of_script = |path: &String| {
        let (name, file) = path.split_once('/')?;
        (file == SCRIPT_FILE).then(|| name.to_owned())
    };
    let edits = |paths: &BTreeSet<String>, edit: Edit| -> Vec<(String, Edit)> {
        paths.iter().filter_map(of_script).map(|name| (name, edit)).collect()
    };
    let mut edited = edits(&changes.changed, Edit::Changed);
    edited.extend(edits(&changes.removed, Edit::Removed));
    if config.settings.migrations.out_of_order != Some(Reaction::Allow) {
        warn_of_order(&changes.before, &names, since, ui);
    }
    Ok(Scope::Added {
        names,
        edited,
        since: since.to_owned(),
    })
}

/// Databases that are up to date with `since` get these after migrations that sort behind them; new databases do not.
fn warn_of_order(before: &BTreeSet<String>, added: &BTreeSet<String>, since: &str, ui: &Ui) {
    let newest = before
        .iter()
        .filter_map(|path| path.strip_suffix(SCRIPT_FILE)?.strip_suffix('/'))
        .next_back();
    let Some(newest) = newest else { return };
    let early: Vec<&str> = added.iter().map(String::as_str).filter(|name| *name < newest).collect();
    if !early.is_empty() {
        ui.warn(format!(
            "{} sorts before {newest}, which {since} has: give it a later name, or databases get them in another order than \
             new ones do",
            early.join(", ")
        ));
    }
}
