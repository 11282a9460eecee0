//! `tollgate completions`

use std::io::Write;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = Project::new().run(&["completions", shell]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{shell}");
        for word in ["rollback", "--dry-run", "--database-url", "completions"] {
            let word = if shell == "fish" {
                word.trim_start_matches("--")
            } else {
                word
            };
            assert!(ended.stdout.contains(word), "{shell} does not know {word}");
        }
    }
}

/// Shells that are not on the machine are skipped; bash always is.
#[test]
fn the_shells_can_read_them() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Project::new().run(&["completions", shell]).stdout;
        let child = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no {shell} here");
            continue;
        };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{shell}");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    assert_snapshot!(Project::new().run(&["completions", "tcsh"]), @"
    exit status 2
    --- stderr
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    ");
}
