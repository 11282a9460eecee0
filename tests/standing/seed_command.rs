//! Rows to work with, from a program of the project's.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use tollgate_tests::{Outcome, Project};

use crate::outside::Database;
use crate::session::{blog, on, session};

#[test]
fn a_program_gets_the_database_and_the_projects_own_programs() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project
        .file("tollgate.toml", "[seed]\ncommand = \"fill users\"\n")
        .file(".env", "FROM_FILE=yes\n")
        .file(
            "node_modules/.bin/fill",
            "#!/bin/sh\necho \"$1 $FROM_FILE $PWD\"\nsqlite3 \"${DATABASE_URL#file:}\" \"INSERT INTO $1 VALUES (1, 'a')\"\nexit 0\n",
        );
    let program = project.path().join("node_modules/.bin/fill");
    let mut rights = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    std::fs::set_permissions(&program, rights).unwrap();
    let seen = session(&project, &["seed", "seed --force"]);
    assert_eq!(database.run("SELECT count(*) FROM users"), "1\n");
    let document = project.run(&["seed", "--force", "--format", "json"]);
    assert_eq!(
        document.json()["seeded"]["command"],
        serde_json::json!(["fill", "users"])
    );
    assert!(document.stderr.contains("users yes"), "{document}");
    assert_snapshot!(seen, @"
    $ tollgate seed
    status: 2
    -- stderr
    seed::unconfirmed

      × this configuration is not marked as development, and there is nobody here to ask
      help: if this database is to be seeded all the same, run it with --force; or write `development
            = true` there
      the database now: nothing was changed


    $ tollgate seed --force
    status: 0
    -- stdout
    users yes [project]
    seeded fill users
    -- stderr
    running fill users
    ");
}

#[test]
fn prismas_own_seed_command_is_known() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project.file(
        "package.json",
        r#"{ "prisma": { "seed": "echo --options {\"module\":\"CommonJS\"} seed.ts" } }"#,
    );
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 0
    -- stdout
    --options {"module":"CommonJS"} seed.ts
    seeded echo --options {"module":"CommonJS"} seed.ts
    -- stderr
    running echo --options {"module":"CommonJS"} seed.ts
    "#);
    project.file("package.json", r#"{ "prisma": { "seed": "sh failing.sh" } }"#);
    project.file("failing.sh", "exit 3\n");
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 1
    -- stderr
    running sh failing.sh
    seed::command

      × the seed command sh failing.sh ended with status 3
      help: it runs in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: the seed command may have changed something
    "#);
    project.file("package.json", r#"{ "prisma": { "seed": "no-such-program" } }"#);
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 1
    -- stderr
    running no-such-program
    seed::command

      × the seed command no-such-program cannot be started: No such file or directory (os error 2)
      help: no-such-program is looked for in node_modules/.bin of [project] and above, then in
            PATH; it runs without a shell; for one, write it as a list: `command = ["sh", "-c", "…"]`
      the database now: nothing was changed
    "#);
    project.file("package.json", "{}");
    assert_snapshot!(session(&project, &["seed --force"]), @r#"
    $ tollgate seed --force
    status: 2
    -- stderr
    seed::nothing

      × there is nothing to seed with
      help: write `files = ["seed/*.sql"]` or `command = "npm run seed"` under [seed] in
            tollgate.toml, or `prisma.seed` into package.json
    "#);
}

/// A seed command that has begun, and the numbers of its processes: its own, and that of one which it has started.
struct Seeding {
    project: Project,
    seed: Child,
    processes: [Pid; 2],
}

impl Seeding {
    /// `script` comes before the command waits for what it has started.
    fn begin(script: &str) -> Self {
        let project = crate::session::sqlite();
        blog(&project);
        project.succeed(&["deploy"]);
        // A shell may say that what it waits for was terminated, or end before it does.
        let quiet = "exec 2> /dev/null;";
        let command = format!("{quiet} {script} sleep 600 & echo $$ $! > started; wait $!; wait $!");
        project.file("seed.sh", &command).file(
            "tollgate.toml",
            "development = true\n[seed]\ncommand = \"sh seed.sh\"\n",
        );
        let mut command = project.command(&["seed"]);
        let seed = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let started = project.path().join("started");
        let numbers = loop {
            let text = std::fs::read_to_string(&started).unwrap_or_default();
            if text.ends_with('\n') {
                break text;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap());
        let mut next = || Pid::from_raw(numbers.next().unwrap()).unwrap();
        Self {
            processes: [next(), next()],
            project,
            seed,
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.seed.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits until it says this.
    fn says(&mut self, words: &str) -> String {
        let mut said = String::new();
        let stderr = self.seed.stderr.as_mut().unwrap();
        while !said.contains(words) {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "it has ended: {said}");
            said.push(byte[0].into());
        }
        said
    }

    /// How it ends. None of its processes is left then, as somebody may still have to notice.
    fn end(self) -> Outcome {
        let output = self.seed.wait_with_output().unwrap();
        let runs = |pid: &Pid| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        assert!(!self.processes.iter().any(runs), "the command goes on");
        self.project.outcome(&output)
    }
}

#[test]
fn a_seed_command_ends_with_its_caller_and_takes_along_what_it_has_started() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let seeding = Seeding::begin("");
        seeding.send(signal);
        let outcome = seeding.end();
        assert_eq!(outcome.status, Some(status), "{outcome}");
    }
}

#[test]
fn a_seed_command_that_says_all_is_well_was_interrupted_all_the_same() {
    let seeding = Seeding::begin("trap 'exit 0' TERM;");
    seeding.send(Signal::TERM);
    assert_snapshot!(seeding.end(), @"
    status: 143
    -- stderr
    running sh seed.sh
    stopping: the command that runs is asked to end; once more kills it
    interrupted

      × interrupted while the seed command sh seed.sh ran
      the database now: the seed command may have changed something
    ");
}

#[test]
fn a_seed_command_that_does_not_want_to_end_is_killed_when_asked_again() {
    let mut seeding = Seeding::begin("trap '' TERM;");
    seeding.send(Signal::INT);
    let said = seeding.says("once more kills it\n");
    // Two that come at the same time are one.
    std::thread::sleep(Duration::from_millis(150));
    seeding.send(Signal::INT);
    let outcome = seeding.end();
    assert_snapshot!(format!("{said}{outcome}"), @"
    running sh seed.sh
    stopping: the command that runs is asked to end; once more kills it
    status: 130
    -- stderr
    killing the command that runs; once more ends the program at once
    interrupted

      × interrupted: the seed command sh seed.sh did not end when it was asked to, and was killed
      the database now: the seed command may have changed something
    ");
}

#[test]
fn a_program_that_fails_after_files() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project
        .file(
            "tollgate.toml",
            "development = true\n[seed]\nfiles = [\"1.sql\"]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n",
        )
        .file("1.sql", "INSERT INTO users VALUES (1, 'a');\n");
    assert_snapshot!(session(&project, &["seed"]), @r#"
    $ tollgate seed
    status: 1
    -- stdout
    seeded 1.sql [duration]
    -- stderr
    running sh -c exit 3
    seed::command

      × the seed command sh -c exit 3 ended with status 3
      help: it runs in [project]; it runs without a shell; for one, write it as a list: `command
            = ["sh", "-c", "…"]`
      the database now: the seed file is in; the seed command may have changed something
    "#);
}
