//! Builds the guests of this repository (the bundled plugins, the examples and the tests' guests) to components.
//!
//! `cargo run -p tollgate-build` rebuilds everything and writes the bundled ones to `plugins/bundle`; with `--check` it
//! only compares. Same source and same compiler give the same bytes, on any machine and in any folder.

mod bundle;
mod component;
mod error;
mod guests;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::bundle::{Bundle, Comparison};
use crate::error::BuildError;
use crate::guests::Guest;
use crate::toolchain::Toolchain;

/// Builds plugins to WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "tollgate-build")]
struct Args {
    /// Compares the bundled components with freshly built ones and changes nothing.
    #[arg(long)]
    check: bool,
    /// Builds only these guests, for example `destructive` or `custom-policy`.
    names: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(help) = error.help() {
                eprintln!("  help: {help}");
            }
            ExitCode::from(2)
        }
    }
}

/// Returns whether everything is as it should be.
fn run(args: &Args) -> Result<bool, BuildError> {
    let root = workspace_root();
    let guests = guests::find(&root, &args.names)?;
    let toolchain = Toolchain::find(&root)?;
    println!("compiler: {}", toolchain.version());
    let fresh = root.join("target/guests/components");
    std::fs::create_dir_all(&fresh).map_err(|source| BuildError::file(&fresh, source))?;

    let mut built = Vec::new();
    for guest in guests {
        println!("building {}", guest.name);
        let bytes = component::from_module(&guest, &toolchain.build(&guest)?)?;
        let path = fresh.join(format!("{}.wasm", guest.name));
        std::fs::write(&path, &bytes).map_err(|source| BuildError::file(&path, source))?;
        println!("  {} ({} bytes)", shown(&root, &path), bytes.len());
        built.push((guest, bytes));
    }

    let mut good = true;
    for folder in bundle_folders(&built) {
        let bundled = || built.iter().filter(|(guest, _)| guest.origin.bundle == Some(folder));
        let mut bundle = Bundle::open(&root.join(folder))?;
        if args.check {
            good &= compare(&bundle, toolchain.version(), bundled(), &fresh);
            continue;
        }
        for (guest, bytes) in bundled() {
            bundle.put(&guest.name, bytes, toolchain.version())?;
        }
        bundle.save()?;
    }
    Ok(good)
}

/// The folders that hold components of these guests, each once.
fn bundle_folders(built: &[(Guest, Vec<u8>)]) -> Vec<&'static str> {
    let mut folders: Vec<_> = built.iter().filter_map(|(guest, _)| guest.origin.bundle).collect();
    folders.dedup();
    folders
}

/// Says for each component whether the bundled bytes are the fresh ones. Another compiler makes other bytes: that is no
/// fault of the bundle, and the tests can take the fresh ones instead.
fn compare<'a>(
    bundle: &Bundle,
    compiler: &str,
    built: impl Iterator<Item = &'a (Guest, Vec<u8>)>,
    fresh: &Path,
) -> bool {
    let mut good = true;
    let mut other_compiler = false;
    for (guest, bytes) in built {
        match bundle.compare(&guest.name, bytes, compiler) {
            Comparison::Equal => println!("{}: equal to the byte", guest.name),
            Comparison::OtherCompiler(bundled_with) => {
                other_compiler = true;
                println!(
                    "{}: bundled by another compiler ({bundled_with}), so the bytes differ",
                    guest.name
                );
            }
            Comparison::Differs => {
                good = false;
                println!("{}: the bundled component is not what the source builds to", guest.name);
            }
            Comparison::Missing => {
                good = false;
                println!("{}: not in the bundle", guest.name);
            }
        }
    }
    if other_compiler {
        println!("the fresh components must pass the same tests: set TOLLGATE_BUNDLE_DIR and TOLLGATE_GUESTS_DIR to");
        println!("{}", fresh.display());
    }
    if !good {
        println!("rebuild with `cargo run -p tollgate-build` and commit what it writes");
    }
    good
}

/// The workspace this program was built in; `cargo run` sets the manifest's folder at run time too.
fn workspace_root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .ancestors()
        .nth(2)
        .map_or_else(|| manifest.clone(), Path::to_path_buf)
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
