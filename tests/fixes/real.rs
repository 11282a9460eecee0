//! A real project's migrations. Opt-in: `TOLLGATE_REAL_POSTGRES` names a folder of them.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate_testing::postgres::cluster;

use crate::support::{SCHEMA, empty, fix, scripts};

/// Whatever is fixed, the database is the same in the end, and a second run finds nothing to do in what was fixed.
#[test]
fn the_fixed_project_makes_the_same_schema() {
    let Some(folder) = std::env::var_os("TOLLGATE_REAL_POSTGRES") else {
        println!("skipped: TOLLGATE_REAL_POSTGRES names no folder of migrations");
        return;
    };
    let schema = |fixing: bool| {
        let mut project = empty();
        copy(&PathBuf::from(&folder), project.path());
        if fixing {
            fix(&project, &["check", "--fix", "--assume-unapplied"]);
            let once = scripts(&project);
            assert!(
                once.len() > fs::read_dir(&folder).unwrap().count(),
                "something was split"
            );
            fix(&project, &["check", "--fix", "--assume-unapplied"]);
            assert_eq!(scripts(&project), once);
        }
        let database = cluster().database();
        project.set("DATABASE_URL", &database.url());
        let config = project.path().join("tollgate.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace(".wasm\"\n", ".wasm\"\nenabled = false\n")).unwrap();
        project.succeed(&["deploy"]);
        database.psql(SCHEMA)
    };
    let (original, fixed) = (schema(false), schema(true));
    assert!(original == fixed, "{original}\n\n{fixed}");
}

fn copy(from: &Path, project: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let script = path.join("migration.sql");
        if script.is_file() {
            let to = project.join("migrations").join(path.file_name().unwrap());
            fs::create_dir_all(&to).unwrap();
            fs::copy(script, to.join("migration.sql")).unwrap();
        }
    }
}
