//! At a terminal: Ctrl-C as the terminal sends it, and a window that is closed.

use std::io::{Read as _, Write as _};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{APART, Printed, Stage, WAIT, until};

/// A command at a terminal of its own.
struct Window {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Printed,
}

impl Window {
    /// What it says on standard error goes to the file `said` when `apart`.
    fn open(stage: &Stage, arguments: &[&str], apart: bool) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let direct = stage.project.command(arguments);
        let mut command = CommandBuilder::new("sh");
        let script = if apart {
            "exec \"$0\" \"$@\" 2> said"
        } else {
            "exec \"$0\" \"$@\""
        };
        command.args(["-c", script]);
        command.arg(direct.get_program());
        command.args(direct.get_args());
        command.cwd(stage.project.path());
        command.env_clear();
        for (name, value) in direct.get_envs() {
            command.env(name, value.unwrap());
        }
        let child = pair.slave.spawn_command(command).unwrap();
        Self {
            master: pair.master,
            child,
            shown: Printed::default(),
        }
    }

    /// Looks at it from now on; it cannot be closed then.
    fn watch(&self) {
        drop(self.shown.collect(self.master.try_clone_reader().unwrap()));
    }

    fn shows(&self, words: &str) {
        until(words, || self.shown.holds(words));
    }

    fn status(mut self) -> u32 {
        self.child.wait().unwrap().exit_code()
    }
}

fn stage() -> Stage {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", &format!("{WAIT}CREATE TABLE c (id integer);\n"));
    stage
}

#[test]
fn the_window_is_closed() {
    let stage = stage();
    let [first, second] = stage.hold();
    let Window { master, mut child, .. } = Window::open(&stage, &["deploy"], true);
    stage.waits();
    drop(master);
    let said = stage.project.path().join("said");
    until("it heard that", || {
        std::fs::read_to_string(&said).unwrap().contains("stopping")
    });
    stage.waits();
    first.end();
    assert_eq!(child.wait().unwrap().exit_code(), 129);
    assert_eq!(stage.tables(), "a");
    second.end();
    stage.goes_on();
    assert_eq!(stage.tables(), "a b c");
}

/// Nothing can be said any more: to write there is an error.
#[test]
fn the_window_with_everything_in_it_is_closed() {
    let stage = stage();
    let [first, second] = stage.hold();
    let Window { master, mut child, .. } = Window::open(&stage, &["deploy"], false);
    stage.waits();
    let pid = child
        .process_id()
        .and_then(|pid| Pid::from_raw(pid.try_into().unwrap()));
    drop(master);
    // Whoever ends a session asks a second time.
    std::thread::sleep(APART);
    kill_process(pid.unwrap(), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().exit_code(), 129);
    assert_eq!(stage.tables(), "a");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: rolled back, steps 0, logs: The migration was interrupted before it was complete.  Migration name: 2_b  interrupted: statement 1 was cancelled
    deploy: interrupted
    ");
    first.end();
    second.end();
    stage.goes_on();
}

#[test]
fn ctrl_c_once_and_again() {
    let stage = stage();
    let [first, second] = stage.hold();
    let window = Window::open(&stage, &["deploy"], false);
    window.watch();
    stage.waits();
    let mut keys = window.master.take_writer().unwrap();
    keys.write_all(b"\x03").unwrap();
    window.shows("stopping after the statement that runs; once more cancels it");
    std::thread::sleep(crate::support::APART);
    keys.write_all(b"\x03").unwrap();
    window.shows("cancelling the statement that runs");
    assert_eq!(window.status(), 130);
    first.end();
    second.end();
    assert_eq!(stage.tables(), "a");
    stage.goes_on();
}

#[test]
fn ctrl_c_is_an_answer_too() {
    let stage = Stage::new();
    stage.project.succeed(&["deploy"]);
    let window = Window::open(&stage, &["rollback"], false);
    window.watch();
    window.shows("[y/N]");
    let mut keys = window.master.take_writer().unwrap();
    keys.write_all(b"\x03").unwrap();
    window.shows("interrupted before anything was done");
    assert_eq!(window.status(), 130);
    assert_eq!(stage.tables(), "a");
    stage.goes_on();
}

#[test]
fn ctrl_c_is_an_answer_to_every_question() {
    let stage = Stage::new();
    stage.project.file("seed.sql", "INSERT INTO a VALUES (1);\n");
    let seeds = "[seed]\nfiles = [\"seed.sql\"]\n";
    stage.project.succeed(&["deploy"]);
    for (command, configuration) in [
        ("reset", format!("development = true\n{seeds}")),
        ("seed", seeds.to_owned()),
        ("resolve", String::new()),
        ("baseline", String::new()),
    ] {
        stage.project.file("tollgate.toml", &configuration);
        if command == "resolve" {
            stage.database.psql("UPDATE _prisma_migrations SET finished_at = NULL");
        }
        if command == "baseline" {
            stage.database.psql("DROP TABLE _prisma_migrations");
        }
        let window = Window::open(&stage, &[command], false);
        window.watch();
        window.shows("[y/N]");
        let mut keys = window.master.take_writer().unwrap();
        keys.write_all(b"\x03").unwrap();
        window.shows("interrupted before ");
        window.shows("nothing was changed");
        assert_eq!(window.status(), 130, "{command}");
        assert_eq!(stage.database.psql("SELECT count(*) FROM a"), "0\n", "{command}");
    }
    stage.project.succeed(&["baseline", "--yes"]);
    stage.goes_on();
}

/// What is read then is the end of the terminal, which is no answer.
#[test]
fn a_window_that_is_closed_answers_nothing() {
    let stage = Stage::new();
    stage.project.file("seed.sql", "INSERT INTO a VALUES (1);\n");
    stage.project.succeed(&["deploy"]);
    for (command, configuration) in [
        ("rollback", ""),
        ("reset", "development = true\n"),
        ("seed", "[seed]\nfiles = [\"seed.sql\"]\n"),
        ("resolve", ""),
        ("baseline", ""),
    ] {
        stage.project.file("tollgate.toml", configuration);
        match command {
            "resolve" => drop(stage.database.psql("UPDATE _prisma_migrations SET finished_at = NULL")),
            "baseline" => drop(stage.database.psql("DROP TABLE _prisma_migrations")),
            _ => {}
        }
        let Window { master, mut child, .. } = Window::open(&stage, &[command], false);
        let mut shown = master.try_clone_reader().unwrap();
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("[y/N]") {
            let mut bytes = [0; 256];
            let count = shown.read(&mut bytes).unwrap();
            said.extend_from_slice(&bytes[..count]);
        }
        drop(shown);
        drop(master);
        assert_eq!(child.wait().unwrap().exit_code(), 129, "{command}");
        assert_eq!(stage.database.psql("SELECT count(*) FROM a"), "0\n", "{command}");
    }
    stage.project.succeed(&["baseline", "--yes"]);
    stage.goes_on();
}

#[test]
fn nothing_but_yes_is_one() {
    let stage = Stage::new();
    stage.project.file("tollgate.toml", "development = true\n");
    stage.project.succeed(&["deploy"]);
    stage.database.psql("INSERT INTO a VALUES (1);");
    for (answer, status, rows) in [
        ("\n", 1, "1"),
        ("n\n", 1, "1"),
        ("maybe\n", 1, "1"),
        ("\x04", 1, "1"),
        ("Yes\n", 0, "0"),
    ] {
        let window = Window::open(&stage, &["reset"], false);
        window.watch();
        window.shows("Drop everything? [y/N]");
        let mut keys = window.master.take_writer().unwrap();
        keys.write_all(answer.as_bytes()).unwrap();
        assert_eq!(window.status(), status, "{answer:?}");
        assert_eq!(
            stage.database.psql("SELECT count(*) FROM a"),
            format!("{rows}\n"),
            "{answer:?}"
        );
    }
    stage.goes_on();
}
