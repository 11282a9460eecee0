//! What seeds a database: files of the configuration, its command, or Prisma's own from package.json.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use tollgate_engine::{Project, SeedFile, check_seed, seed};

use crate::command::init::package_json;
use crate::config::Config;
use crate::config::model::CommandLine;
use crate::engine::events::Show;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::Report;
use crate::output::style::{GOOD, NAME, paint};
use crate::signal::{self, ProgramRuns};
use crate::started::Started;

/// Where rows come from.
pub struct Seeds {
    /// SQL files, in the order in which they run.
    pub files: Vec<SeedFile>,
    /// A program that runs after them.
    pub command: Option<SeedCommand>,
}

/// A program that seeds.
pub struct SeedCommand {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder it runs in.
    folder: PathBuf,
    /// Variables that it gets besides ours.
    variables: Vec<(String, String)>,
}

/// What was seeded.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeedDocument {
    /// Files that are in, in order.
    files: Vec<String>,
    /// The program that ran, and its arguments.
    command: Option<Vec<String>>,
}

impl Seeds {
    /// Those of the configuration; where it has none, the command that Prisma would run. `None`: there is nothing.
    pub fn find(config: &Config) -> Result<Option<Self>, Failure> {
        let configured = &config.settings.seed;
        let files = match &configured.files {
            Some(patterns) => files(config, patterns)?,
            None => Vec::new(),
        };
        let command = match &configured.command {
            Some(command) => Some((
                command.clone(),
                config.origin("seed.command").folder(&config.root, &config.cwd),
            )),
            None if configured.files.is_none() => of_package(config)?,
            None => None,
        };
        let command = match command {
            Some((CommandLine(words), folder)) if !words.is_empty() => Some(SeedCommand {
                words,
                folder,
                variables: variables(config)?,
            }),
            _ => None,
        };
        let seeds = Self { files, command };
        Ok((!seeds.files.is_empty() || seeds.command.is_some()).then_some(seeds))
    }

    /// Reads the files, so that nothing is begun that a mistake in one of them would stop.
    pub fn check(&self, project: &Project) -> Result<(), Failure> {
        Ok(check_seed(project, &self.files)?)
    }

    /// Runs everything.
    pub fn run(&self, project: &Project, ui: &Ui) -> Result<SeedDocument, Failure> {
        let mut show = Show::new(ui);
        seed(project, &self.files, &mut |event| show.event(event))?;
        drop(show);
        let done = match self.files.len() {
            0 => None,
            1 => Some("the seed file is in".to_owned()),
            number => Some(format!("the {number} seed files are in")),
        };
        let ended = match &self.command {
            Some(command) => command.run(ui),
            None if signal::interrupt().asked() > 0 => {
                let report = Report::error("interrupted", "interrupted when everything was done");
                Err(Failure::new(signal::exit(), report))
            }
            None => Ok(()),
        };
        ended.map_err(|failure| match &done {
            Some(done) => failure.after(done),
            None => failure,
        })?;
        Ok(SeedDocument {
            files: self.files.iter().map(|file| file.name.clone()).collect(),
            command: self.command.as_ref().map(|command| command.words.clone()),
        })
    }
}

/// The files that the patterns stand for, pattern by pattern, those of each in the order of their names' bytes.
fn files(config: &Config, patterns: &[String]) -> Result<Vec<SeedFile>, Failure> {
    let folder = config.origin("seed.files").folder(&config.root, &config.cwd);
    let wrong = |message: String| {
        let report =
            Report::error("config::seed-files", message).help(format!("it is from {}", config.origin("seed.files")));
        Failure::new(Exit::Usage, report)
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        // The folder's own name is no pattern, whatever characters it has.
        let whole = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(pattern);
        let paths = glob::glob(&whole.to_string_lossy())
            .map_err(|error| wrong(format!("seed.files: {pattern} is no pattern: {}", error.msg)))?;
        let mut files = Vec::new();
        for path in paths {
            // A folder that cannot be looked into may hold files that are wanted.
            let path = path.map_err(|error| unreadable(error.path(), error.error()))?;
            if !path.is_dir() {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(wrong(format!("seed.files: there is no file {pattern}")));
        }
        files.sort();
        let new: Vec<PathBuf> = files.into_iter().filter(|path| !found.contains(path)).collect();
        found.extend(new);
    }
    found.into_iter().map(read).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::file("seed::file", "read", path, error).in_state("nothing was changed")
}

fn read(path: PathBuf) -> Result<SeedFile, Failure> {
    let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    // What replaces a byte that is none of UTF-8 would be kept in the database for the letter that was meant.
    let text = String::from_utf8(bytes).map_err(|error| {
        let right = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = right.filter(|byte| **byte == b'\n').count() + 1;
        let report = Report::error("seed::file", format!("{} is not UTF-8 in line {line}", shown(&path)));
        Failure::new(
            Exit::Failed,
            report.help("save it as UTF-8").database("nothing was changed"),
        )
    })?;
    Ok(SeedFile {
        name: shown(&path),
        text,
        path,
    })
}

/// `prisma.seed` of the nearest package.json.
fn of_package(config: &Config) -> Result<Option<(CommandLine, PathBuf)>, Failure> {
    let folder = config
        .root
        .ancestors()
        .find(|folder| folder.join("package.json").is_file());
    let Some(folder) = folder else { return Ok(None) };
    let path = folder.join("package.json");
    let text =
        std::fs::read_to_string(&path).map_err(|error| Failure::file("seed::package-json", "read", &path, &error))?;
    let command = package_json::seed(&text).map_err(|reason| {
        let message = format!("{} cannot be understood: {reason}", shown(&path));
        Failure::new(Exit::Failed, Report::error("seed::package-json", message))
    })?;
    Ok(command.map(|command| (CommandLine::split(&command), folder.to_owned())))
}

/// What the program finds in its environment: the `.env` files' variables, as Prisma hands them on, and the database.
fn variables(config: &Config) -> Result<Vec<(String, String)>, Failure> {
    let mut variables: Vec<(String, String)> = config
        .variables_of_files()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let found = config.database_url()?;
    let url = absolute(found.url.expose(), &found.relative_to);
    variables.retain(|(name, _)| name != "DATABASE_URL");
    variables.push(("DATABASE_URL".to_owned(), url));
    Ok(variables)
}

/// A URL that means the same in every folder: the path of a `SQLite` file is made absolute.
fn absolute(url: &str, relative_to: &Path) -> String {
    let rest = url.strip_prefix("file:").or_else(|| url.strip_prefix("sqlite:"));
    let Some(rest) = rest else { return url.to_owned() };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let path: PathBuf = relative_to.join(path).components().collect();
    format!("file:{}{query}", path.display())
}

impl SeedCommand {
    fn run(&self, ui: &Ui) -> Result<(), Failure> {
        let line = self.words.join(" ");
        ui.note(format!("running {}", paint(NAME, &line)));
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .current_dir(&self.folder)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PATH", self.path());
        if ui.json() {
            // Standard output is the document's; what the program says there goes where messages go.
            command.stdout(Stdio::from(std::io::stderr()));
        }
        if signal::interrupt().asked() > 0 {
            let report = Report::error(
                "interrupted",
                format!("interrupted before the seed command {line} was started"),
            );
            return Err(Failure::new(signal::exit(), report.database("nothing was changed")));
        }
        let child = command.spawn().map_err(|error| self.not_started(&line, &error))?;
        let Ended { status, killed } = Waiting::begin(child).wait().map_err(|error| {
            let message = format!("how the seed command {line} ends cannot be seen: {error}");
            Failure::new(Exit::Failed, self.report(message))
        })?;
        // However it ended: whoever asks a program to end is not told by its status whether it had done everything.
        if signal::interrupt().asked() > 0 {
            let message = if killed {
                format!("interrupted: the seed command {line} did not end when it was asked to, and was killed")
            } else {
                format!("interrupted while the seed command {line} ran")
            };
            return Err(Failure::new(
                signal::exit(),
                Report::error("interrupted", message).database(LEFT),
            ));
        }
        if status.success() {
            ui.line(format!("{} {}", paint(GOOD, "seeded"), paint(NAME, &line)));
            return Ok(());
        }
        let message = format!("the seed command {line} {}", in_words(status));
        Err(Failure::new(Exit::Failed, self.report(message)))
    }

    fn not_started(&self, line: &str, error: &std::io::Error) -> Failure {
        let mut report = self.report(format!("the seed command {line} cannot be started: {error}"));
        if error.kind() == std::io::ErrorKind::NotFound {
            let folder = shown(&self.folder);
            let place = format!(
                "{} is looked for in node_modules/.bin of {folder} and above, then in PATH",
                self.words[0]
            );
            report = report.help(format!("{place}; {NO_SHELL}"));
        }
        Failure::new(Exit::Failed, report.database("nothing was changed"))
    }

    fn report(&self, message: String) -> Report {
        Report::error("seed::command", message)
            .help(format!("it runs in {}; {NO_SHELL}", shown(&self.folder)))
            .database(LEFT)
    }

    /// Programs of the project's own packages first, as npm and npx arrange it.
    fn path(&self) -> OsString {
        let own = self.folder.ancestors().map(|folder| folder.join("node_modules/.bin"));
        let own = own.filter(|folder| folder.is_dir());
        let others = std::env::var_os("PATH").unwrap_or_default();
        let all: Vec<PathBuf> = own.chain(std::env::split_paths(&others)).collect();
        std::env::join_paths(all).unwrap_or(others)
    }
}

/// What a program that did not come through has done to the database, as far as anybody can tell.
const LEFT: &str = "the seed command may have changed something";

/// What surprises those who write a line for a shell.
const NO_SHELL: &str = "it runs without a shell; for one, write it as a list: `command = [\"sh\", \"-c\", \"…\"]`";

/// How often is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long it gets to end by itself when this process is asked to: a terminal has told it, too.
const GRACE: Duration = Duration::from_secs(1);

/// A program that runs, and that this process waits for.
struct Waiting {
    child: Child,
    /// What it has started itself.
    started: Started,
    _runs: ProgramRuns,
}

/// How it ended.
struct Ended {
    status: ExitStatus,
    /// By force.
    killed: bool,
}

impl Waiting {
    fn begin(child: Child) -> Self {
        Self {
            child,
            started: Started::default(),
            _runs: ProgramRuns::begin(),
        }
    }

    /// Waits for its end. When this process is asked to end, the program is, too, with all that it has started; asked
    /// twice, they are killed.
    fn wait(mut self) -> std::io::Result<Ended> {
        let interrupt = signal::interrupt();
        while !interrupt.sleep(LOOK) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, killed: false });
            }
        }
        let asked = Instant::now();
        let mut told = false;
        self.started.look(Some(self.child.id()));
        loop {
            let status = self.child.try_wait()?;
            if let Some(status) = status.filter(|_| self.started.is_over()) {
                return Ok(Ended { status, killed: false });
            }
            let running = status.is_none().then(|| self.child.id());
            if interrupt.asked() > 1 {
                self.started.look(running);
                // The program first: it starts nothing more then.
                self.child.kill()?;
                self.started.kill();
                let status = self.child.wait()?;
                return Ok(Ended { status, killed: true });
            }
            if !told && asked.elapsed() >= GRACE {
                self.started.look(running);
                if running.is_some() {
                    end(&mut self.child);
                }
                self.started.terminate();
                told = true;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Asks it to end.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Only fails when it has ended meanwhile.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    #[cfg(not(unix))]
    let _ = child.kill();
}

fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("was ended by signal {signal}");
        }
    }
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "did not end well".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_means_the_same_in_every_folder() {
        let base = Path::new("/srv/prisma");
        for (url, expected) in [
            ("file:./dev.db", "file:/srv/prisma/dev.db"),
            (
                "file:dev.db?connection_limit=1",
                "file:/srv/prisma/dev.db?connection_limit=1",
            ),
            ("sqlite:///data/x.db", "file:/data/x.db"),
            ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
        ] {
            assert_eq!(absolute(url, base), expected);
        }
    }
}
