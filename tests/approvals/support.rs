//! A project with a migration that somebody has to approve, and what is recorded when it was applied.

use regex::Regex;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::session::{DROP, ROWS, blog};

/// `$ tollgate …` and what came of it, command by command. A word with spaces stands in single quotes.
pub(crate) fn talk(project: &Project, commands: &[&str]) -> String {
    talk_with(project, &[], commands)
}

/// The same with more variables.
pub(crate) fn talk_with(project: &Project, variables: &[(&str, &str)], commands: &[&str]) -> String {
    let run = |command: &&str| {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut program = project.command(&words);
        program.envs(variables.iter().copied());
        format!("$ tollgate {command}\n{}\n", project.finish(&mut program))
    };
    commands.iter().map(run).collect()
}

fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = |(index, part): (usize, &str)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    parts.flat_map(words).collect()
}

/// Only `destructive` is asked: what others have to say about the same scripts is none of these tests' business.
const ONE_POLICY: &str = "\n[plugins]\ntollgate.enabled = false\nsafety.enabled = false\nconventions.enabled = false\n";

/// Writes the configuration.
pub(crate) fn configure(project: &Project, text: &str) {
    project.file("tollgate.toml", &format!("{text}{ONE_POLICY}"));
}

/// An application in use, about to lose its posts.
pub(crate) fn about_to_drop(project: &Project, database: &Database) {
    configure(project, "");
    blog(project);
    project.succeed(&["deploy"]);
    database.run(ROWS);
    project.migration("4_drop", DROP);
}

/// The approvals that runs made use of, as the state tables have them.
pub(crate) fn recorded(database: &Database) -> String {
    let query = |prefix: &str| {
        format!(
            "SELECT r.command || ' ' || r.outcome || ': ' || a.migration || ' ' || a.plugin || '/' || a.rule || ' ' || \
             COALESCE(CAST(a.statement AS text), 'file') || ' ' || a.level || ' ' || a.source || ' ' || a.approved_by || \
             ' ' || a.reason || ' ' || length(a.checksum) || ' ' || length(a.digest) FROM {prefix}approvals a \
             JOIN {prefix}runs r ON r.id = a.run_id ORDER BY r.started_at, a.number;"
        )
    };
    match database {
        Database::Postgres(database) => database.psql(&query("tollgate.")),
        Database::Sqlite(file) => {
            let state = file.path().with_extension("db.tollgate.db");
            file.sqlite3(&format!("ATTACH '{}' AS state; {}", state.display(), query("state.")))
        }
    }
}

/// The file of approvals, with what differs from run to run replaced.
pub(crate) fn file(project: &Project) -> String {
    let text = std::fs::read_to_string(project.path().join("migrations/approvals.toml")).unwrap();
    Regex::new(r"\d{4}-\d\d-\d\dT[\d:]+Z")
        .unwrap()
        .replace_all(&text, "[time]")
        .into_owned()
}

/// Changes the file of approvals by hand.
pub(crate) fn edit_file(project: &Project, from: &str, to: &str) {
    let path = project.path().join("migrations/approvals.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}\n{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

/// The last lines of what a deploy says that stops, without the drawn findings.
pub(crate) fn without_drawings(text: &str) -> String {
    let drawn =
        Regex::new(r"(?m)^(destructive|tollgate|safety|conventions)::[a-z-]+\n(\n|  .*\n| *\d+ │.*\n)+").unwrap();
    drawn.replace_all(text, "").into_owned()
}
