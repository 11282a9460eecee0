//! Two people at one database, each with a home of their own.

use std::path::Path;
use std::process::{Command, Stdio};

use tollgate_tests::{Outcome, Project, program};

use crate::outside::Database;
use crate::session::blog;

/// Either database.
pub(crate) fn databases() -> [Database; 2] {
    [Database::postgres(), Database::sqlite()]
}

/// Without what is different on every machine and in every run of a test. Where a line is broken depends on that, too.
pub(crate) fn same_everywhere(text: &str) -> String {
    let text = text.replace("\n  │ ", " ");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = text
        .replace(&format!("on {host} "), "on [host] ")
        .replace(&format!("on {host}\n"), "on [host]\n")
        .replace(&format!("on {host},"), "on [host],");
    text.replace("SQLite database [folder]/test.db", "THE DATABASE")
        .replace(
            "PostgreSQL database \"[database]\", schema \"public\" at 127.0.0.1:[port]",
            "THE DATABASE",
        )
}

/// No plugin is asked: compiling them in every home takes longer than all else here.
const NO_PLUGINS: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n[plugins.rollback]\nenabled = false\n";

/// The project of a person, with the migrations of [`blog`].
pub(crate) fn person(name: &str, database: &Database) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url()).set("USER", name);
    blog(&project);
    project.file("tollgate.toml", NO_PLUGINS);
    project
}

/// Runs a script in a shell, in which `tollgate` is the program.
pub(crate) fn shell(project: &Project, script: &str) -> Outcome {
    let script = format!("tollgate() {{ '{}' \"$@\"; }}\n{script}", program().display());
    let like = project.command(&[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &script])
        .current_dir(project.path())
        .env_clear()
        .envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null());
    project.finish(&mut shell)
}

/// Every file below a folder, and the folders.
pub(crate) fn below(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            let inside = if path.is_dir() { below(&path) } else { Vec::new() };
            std::iter::once(path).chain(inside)
        })
        .collect()
}
