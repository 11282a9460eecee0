//! Runs a command with one throwaway PostgreSQL cluster for all its processes:
//! `cargo run -p tollgate-testing -- cargo nextest run`.

use std::process::{Command, ExitCode};

use tollgate_testing::postgres;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: tollgate-testing COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let cluster = match postgres::try_cluster() {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let status = Command::new(&program)
        .args(arguments)
        .env(postgres::SERVER_VARIABLE, cluster.base_url())
        .status();
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
