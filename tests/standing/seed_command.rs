//! Rows to work with, from a program of the project's.

use insta::assert_snapshot;

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

#[test]
fn a_seed_command_ends_with_its_caller() {
    let project = crate::session::sqlite();
    blog(&project);
    project.succeed(&["deploy"]);
    project.file(
        "tollgate.toml",
        "development = true\n[seed]\ncommand = [\"sh\", \"-c\", \"echo $$ > started; exec sleep 600\"]\n",
    );
    let mut seeding = project.command(&["seed", "--quiet"]).spawn().unwrap();
    let started = project.path().join("started");
    let child = loop {
        let text = std::fs::read_to_string(&started).unwrap_or_default();
        if text.ends_with('\n') {
            break rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let pid = rustix::process::Pid::from_raw(i32::try_from(seeding.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(seeding.wait().unwrap().code(), Some(143));
    assert!(
        rustix::process::test_kill_process(child).is_err(),
        "the command goes on"
    );
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
