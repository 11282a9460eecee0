//! A real project's migrations, where `TOLLGATE_REAL_POSTGRES` names a folder of them.

use std::path::PathBuf;

use tollgate_testing::postgres::cluster;
use tollgate_tests::Project;

#[test]
fn a_real_database_has_no_drift_and_then_exactly_what_was_changed() {
    let Some(folder) = std::env::var_os("TOLLGATE_REAL_POSTGRES").map(PathBuf::from) else {
        println!("skipped: TOLLGATE_REAL_POSTGRES names no folder of migrations");
        return;
    };
    let database = cluster().database();
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url());
    project.file(
        "tollgate.toml",
        &format!(
            "[migrations]\ndir = '{}'\n\n[plugins.destructive]\nenabled = false\n\n{}",
            folder.display(),
            super::QUIET
        ),
    );
    project.succeed(&["deploy"]);
    for arguments in [&["drift"][..], &["drift", "--on-scratch"]] {
        let outcome = project.run(arguments);
        assert_eq!(outcome.status, Some(0), "{outcome}");
    }
    let table = database.psql(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace \
         AND c.relname <> '_prisma_migrations' ORDER BY 1 LIMIT 1",
    );
    let table = table.trim();
    database.psql(&format!(
        "ALTER TABLE \"{table}\" ADD COLUMN added_by_hand text DEFAULT 'x'; CREATE TABLE made_by_hand (id integer); \
         CREATE INDEX indexed_by_hand ON \"{table}\" (added_by_hand); COMMENT ON TABLE \"{table}\" IS 'said by hand'"
    ));
    let expected = [
        format!("table public.{table} column added_by_hand unexpected"),
        format!("table public.{table} index indexed_by_hand unexpected"),
        format!("table public.{table} comment different"),
        "table public.made_by_hand unexpected".to_owned(),
    ];
    for arguments in [
        &["drift", "--format", "json"][..],
        &["drift", "--on-scratch", "--format", "json"],
    ] {
        let document = project.run(arguments).json();
        let mut found: Vec<String> = Vec::new();
        for object in document["drift"].as_array().unwrap() {
            for difference in object["differences"].as_array().unwrap() {
                let words = ["part", "property", "state"].map(|key| difference[key].as_str().unwrap_or_default());
                let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
                found.push(format!("{} {}", object["object"].as_str().unwrap(), words.join(" ")));
            }
        }
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected);
    }
    let sql = project.run(&["drift", "--sql", "database"]).raw_stdout;
    database.psql(&sql);
    let after = project.run(&["drift"]);
    assert_eq!(after.status, Some(0), "{after}");
}
