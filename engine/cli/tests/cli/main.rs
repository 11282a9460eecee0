//! The program as its users see it: what it prints and how it ends. One test binary, so that it is linked once.
//!
//! Every test has a project folder, home and environment of its own; nothing of the machine's shows through.

#![allow(clippy::unwrap_used, clippy::panic)]

mod checking;
mod completions;
mod configuration;
mod deploying;
mod init;
mod irregular;
mod new;
mod output;
mod plugins;
mod precedence;
mod report_forms;
mod reports;
mod secrets;
mod support;
mod variables;

/// A test file that is not listed above would not be run, and nobody would notice.
#[test]
fn every_file_here_is_a_module() {
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(
                listed.contains(&format!("\nmod {module};\n")),
                "{name} is not a module of main.rs"
            );
        }
    }
}
