//! A command that runs under the lock.

use std::io::Write as _;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::Signal;
use tollgate_testing::proxy::Proxy;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::people::{databases, person, same_everywhere};
use crate::session::tables;
use crate::support::{Running, Session, Stage, until};

fn run(project: &Project, script: &str) -> Option<i32> {
    project.run(&["lock", "run", "--", "sh", "-c", script]).status
}

#[test]
fn its_exit_status_is_the_commands() {
    let anna = person("anna", &Database::sqlite());
    for (script, status) in [
        ("true", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        assert_eq!(run(&anna, script), Some(status), "{script}");
    }
    anna.file("no-program", "text");
    let seen: String = ["./nowhere", "./no-program"]
        .map(|name| anna.run(&["lock", "run", "--", name]).to_string())
        .concat();
    assert_snapshot!(seen, @"
    status: 127
    -- stderr
    lock::command

      × cannot run ./nowhere: No such file or directory (os error 2)

    status: 126
    -- stderr
    lock::command

      × cannot run ./no-program: Permission denied (os error 13)
    ");
    assert_eq!(anna.run(&["lock", "run"]).status, Some(2));
}

#[test]
fn its_streams_are_the_commands() {
    let anna = person("anna", &Database::sqlite());
    let mut command = anna.command(&["lock", "run", "--", "sh", "-c", "cat; echo said >&2"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"in and out\n").unwrap();
    let outcome = anna.outcome(&child.wait_with_output().unwrap());
    assert_snapshot!(outcome, @"
    status: 0
    -- stdout
    in and out
    -- stderr
    said
    ");
}

/// A command under the lock that says when it is ready.
fn ready(project: &Project, script: &str, options: &[&str]) -> Running {
    let flag = project.path().join("ready");
    let _ = std::fs::remove_file(&flag);
    let script = format!("{script}\ntouch '{}'; while :; do sleep 0.02; done", flag.display());
    let running = Running::start(
        project,
        &[&["lock", "run"], options, &["--", "sh", "-c", &script]].concat(),
    );
    until("the command runs", || flag.exists());
    running
}

#[test]
fn signals_are_passed_on() {
    let anna = person("anna", &Database::sqlite());
    let script = "trap 'exit 11' HUP; trap 'exit 12' INT; trap 'exit 13' QUIT; trap 'exit 14' TERM; trap 'exit 15' USR1; \
                  trap 'exit 16' USR2";
    for (signal, status) in [
        (Signal::HUP, 11),
        (Signal::INT, 12),
        (Signal::QUIT, 13),
        (Signal::TERM, 14),
        (Signal::USR1, 15),
        (Signal::USR2, 16),
    ] {
        let running = ready(&anna, script, &[]);
        running.send(signal);
        assert_eq!(running.end(&anna).status, Some(status), "{signal:?}");
    }
    // A command that does not care goes on, and with it the lock.
    let running = ready(&anna, "trap '' TERM; trap 'exit 3' USR1", &[]);
    running.send(Signal::TERM);
    running.send(Signal::TERM);
    running.send(Signal::TERM);
    assert_eq!(anna.run(&["deploy", "--lock-timeout", "0"]).status, Some(4));
    running.send(Signal::USR1);
    assert_eq!(running.end(&anna).status, Some(3));
    // And one that knows nothing of them is ended as without Tollgate.
    let running = ready(&anna, "", &[]);
    running.send(Signal::INT);
    assert_eq!(running.end(&anna).status, Some(130));
}

#[test]
fn nothing_begins_when_it_is_interrupted_while_it_waits() {
    let stage = Stage::new();
    let holder = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    let running = Running::start(&stage.project, &["lock", "run", "--", "touch", "begun"]);
    running.says("lock already held");
    running.send(Signal::TERM);
    assert_eq!(running.end(&stage.project).status, Some(143));
    let refused = stage
        .project
        .run(&["lock", "run", "--timeout", "0", "--", "touch", "begun"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    assert!(!stage.project.path().join("begun").exists());
    holder.end();
}

#[test]
fn the_command_is_ended_when_the_lock_is_lost() {
    let stage = Stage::new();
    let holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369 AND database = \
                  (SELECT oid FROM pg_database WHERE datname = current_database())";
    let lose = || {
        let pid = stage.database.psql(holder);
        stage.project.succeed(&["lock", "release", "--terminate", pid.trim()]);
    };
    let running = ready(&stage.project, "trap 'echo ended; exit 0' TERM", &[]);
    lose();
    let outcome = running.end(&stage.project);
    let reason = same_everywhere(&outcome.to_string());
    let reason = reason.replace("terminating connection due to administrator command", "[reason]");
    // What the shell says of what it was waiting for.
    let reason = reason.replace("Terminated\n", "");
    assert_snapshot!(reason.replace("connection closed", "[reason]"), @"
    status: 1
    -- stdout
    ended
    -- stderr
    lock::lost

      × the migration lock was lost: [reason]; the command that runs under it is ended
      help: another deploy may have begun: look at what the command has done, and whether something
            that it started still runs, before you run it again
    ");
    // Whoever reads documents hears of it, too.
    let running = ready(&stage.project, "trap 'exit 0' TERM", &["--format", "json"]);
    lose();
    let document = running.end(&stage.project).json();
    assert_eq!(document["errors"][0]["code"], "lock::lost");
    // One that does not want to end.
    let running = ready(&stage.project, "trap '' TERM", &["--kill-after", "100ms"]);
    lose();
    assert_eq!(running.end(&stage.project).status, Some(1));
    stage.lock_is_free();
}

/// Whether a process is at work, and not just still known.
#[cfg(target_os = "linux")]
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// As far as the system tells who has started whom.
#[test]
#[cfg(target_os = "linux")]
fn what_the_command_has_started_ends_with_it_when_the_lock_is_lost() {
    let stage = Stage::new();
    let holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369 AND database = \
                  (SELECT oid FROM pg_database WHERE datname = current_database())";
    // Both, and then one that has to be ended by force, when the command itself has ended long before.
    for ignoring in ["", "trap '' TERM; "] {
        let started = format!("sh -c \"{ignoring}echo \\$\\$ > started; while :; do sleep 0.02; done\" &");
        let wait = "while ! [ -s started ]; do sleep 0.02; done; trap 'exit 0' TERM";
        let running = ready(
            &stage.project,
            &format!("rm -f started; {started} {wait}"),
            &["--kill-after", "300ms"],
        );
        let pid = std::fs::read_to_string(stage.project.path().join("started")).unwrap();
        assert!(runs(&pid));
        stage
            .project
            .succeed(&["lock", "release", "--terminate", stage.database.psql(holder).trim()]);
        let outcome = running.end(&stage.project);
        assert_eq!(outcome.status, Some(1), "{outcome}");
        until("what it has started has ended", || !runs(&pid));
    }
}

/// Nobody holds the lock for it any more.
#[test]
#[cfg(target_os = "linux")]
fn the_command_is_told_to_end_when_tollgate_is_killed() {
    let anna = person("anna", &Database::sqlite());
    let running = ready(&anna, "trap 'touch ended; exit 0' TERM", &[]);
    running.send(Signal::KILL);
    assert_eq!(running.end(&anna).status, None);
    until("the command has heard of it", || anna.path().join("ended").exists());
}

#[test]
fn that_the_lock_is_lost_just_before_its_end_is_said() {
    let stage = Stage::new();
    let script = format!("'{}' lock release --force", tollgate_tests::program().display());
    let outcome = stage.project.run(&["lock", "run", "--", "sh", "-c", &script]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("lock::lost"), "{outcome}");
}

#[test]
fn tollgate_in_it_goes_on_under_its_lock() {
    for database in databases() {
        let (anna, bob) = (person("anna", &database), person("bob", &database));
        let tollgate = tollgate_tests::program().display().to_string();
        let script = format!(
            "'{tollgate}' deploy --to 1_users --lock-timeout 0 && \
             '{tollgate}' lock run --timeout 0 -- '{tollgate}' deploy --lock-timeout 0"
        );
        let outcome = anna.run(&["lock", "run", "--", "sh", "-c", &script]);
        assert_eq!(outcome.status, Some(0), "{outcome}");
        assert_eq!(tables(&database), "posts users");
        // The variable is worth nothing without the lock, and what it holds is not printed.
        let pass = anna
            .run(&["lock", "run", "--", "sh", "-c", "printf %s \"$TOLLGATE_LOCK_HELD\""])
            .raw_stdout;
        let holder = ready(&bob, "", &[]);
        let mut thief = person("thief", &database);
        thief.set("TOLLGATE_LOCK_HELD", &pass);
        let refused = thief.run(&["deploy", "--lock-timeout", "0", "-v"]);
        assert_eq!(refused.status, Some(4), "{refused}");
        assert!(
            !refused.raw_stderr.contains(pass.split(':').nth(1).unwrap()),
            "{refused}"
        );
        holder.send(Signal::TERM);
        holder.end(&bob);
        thief.succeed(&["deploy"]);
        thief.set("TOLLGATE_LOCK_HELD", "7");
        assert_eq!(thief.run(&["deploy"]).status, Some(2));
    }
}

#[test]
fn another_persons_lease_counts_in_it_too() {
    let database = Database::postgres();
    let (anna, bob) = (person("anna", &database), person("bob", &database));
    let tollgate = tollgate_tests::program().display().to_string();
    anna.succeed(&["lock", "acquire"]);
    assert_eq!(bob.run(&["lock", "run", "--", "true"]).status, Some(4));
    let script = format!("'{tollgate}' deploy");
    anna.succeed(&["lock", "run", "--", "sh", "-c", &script]);
}

/// A command at a terminal, under the lock, that has begun. It is the first process of the terminal's session.
fn at_a_terminal(
    project: &Project,
    command: &[&str],
    script: &str,
) -> (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>) {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let direct = project.command(&[]);
    let script = format!("{script}; touch ready; while :; do sleep 0.02; done");
    let mut program = CommandBuilder::new(tollgate_tests::program());
    program.args(["lock", "run", "--"]);
    program.args(command);
    program.args(["sh", "-c", &script]);
    program.cwd(project.path());
    program.env_clear();
    for (name, value) in direct.get_envs() {
        program.env(name, value.unwrap());
    }
    let child = pair.slave.spawn_command(program).unwrap();
    until("the command runs", || project.path().join("ready").exists());
    (pair.master, child)
}

/// The terminal sends it to all processes of its foreground itself.
#[test]
fn a_ctrl_c_reaches_the_command_once() {
    let anna = person("anna", &Database::sqlite());
    let script = "trap 'echo int >> heard; [ -e more ] && exit 5' INT";
    let (terminal, mut child) = at_a_terminal(&anna, &[], script);
    let file = |name: &str| anna.path().join(name);
    let mut keyboard = terminal.take_writer().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    until("it heard that", || file("heard").exists());
    std::fs::write(file("more"), "").unwrap();
    keyboard.write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().exit_code(), 5);
    assert_eq!(std::fs::read_to_string(file("heard")).unwrap(), "int\nint\n");
}

#[test]
fn a_ctrl_c_also_reaches_a_command_that_has_left_the_terminal() {
    let anna = person("anna", &Database::sqlite());
    let (terminal, mut child) = at_a_terminal(&anna, &["setsid"], "trap 'exit 5' INT");
    terminal.take_writer().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().exit_code(), 5);
}

/// The system tells that to the first process of the session alone.
#[test]
fn that_its_terminal_is_closed_reaches_the_command() {
    let anna = person("anna", &Database::sqlite());
    let (terminal, mut child) = at_a_terminal(&anna, &[], "trap 'exit 6' HUP");
    drop(terminal);
    assert_eq!(child.wait().unwrap().exit_code(), 6);
    anna.succeed(&["deploy", "--lock-timeout", "0"]);
}

/// Whoever ignores the end of its children is not told how they end; that is inherited.
#[test]
fn its_end_is_noticed_where_nobody_wants_to_hear_of_it() {
    let anna = person("anna", &Database::sqlite());
    let tollgate = tollgate_tests::program().display().to_string();
    let command = anna.command(&[
        "--ignore-signal=CHLD",
        &tollgate,
        "lock",
        "run",
        "--",
        "sh",
        "-c",
        "exit 7",
    ]);
    let mut ignoring = Command::new("env");
    ignoring.args(command.get_args()).current_dir(anna.path()).env_clear();
    ignoring.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(anna.finish(&mut ignoring).status, Some(7));
}

/// A command under the lock that cannot get at its server, and has been told to end.
fn cut_off() -> Option<(Stage, Proxy, Running)> {
    let mut stage = Stage::new();
    // A server that is reached by a socket alone has no port to listen on for it.
    let proxy = Proxy::start(stage.database.cluster().port()?).unwrap();
    proxy.stall(true);
    let url = proxy.url(&stage.database.url());
    stage.project.set("DATABASE_URL", &url);
    let running = Running::start(&stage.project, &["lock", "run", "--", "touch", "begun"]);
    until("it connects", || proxy.connections() > 0);
    running.send(Signal::INT);
    Some((stage, proxy, running))
}

#[test]
fn nothing_begins_when_it_is_interrupted_while_it_connects() {
    let Some((stage, proxy, running)) = cut_off() else {
        return;
    };
    proxy.stall(false);
    let outcome = running.end(&stage.project);
    assert_eq!(outcome.status, Some(130), "{outcome}");
    assert!(!stage.project.path().join("begun").exists());
    stage.lock_is_free();
}

#[test]
fn asked_twice_it_waits_for_no_server() {
    let Some((stage, _proxy, running)) = cut_off() else {
        return;
    };
    running.send_again();
    assert_eq!(running.end(&stage.project).status, Some(130));
    assert!(!stage.project.path().join("begun").exists());
}
