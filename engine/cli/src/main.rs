//! `tollgate`, the program: arguments, configuration, output. What migrations do is the engine's business; only this
//! crate prints, reads the environment, or ends the process.

mod again;
mod args;
mod command;
mod config;
mod engine;
mod exit;
mod failure;
mod git;
mod output;
mod run;
mod signal;
mod started;

/// Reading and replaying thousands of scripts makes and drops millions of short strings, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    run::run(std::env::args_os()).into()
}
