//! Finds a compiler for WebAssembly and runs it so that its output depends on nothing but source and compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::BuildError;
use crate::guests::Guest;

const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler that can make WebAssembly.
#[derive(Debug)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    version: String,
    root: PathBuf,
    /// Debian's compiler: it has the standard library as source only, and no linker.
    from_source: Option<Linker>,
}

/// A linker for WebAssembly.
type Linker = PathBuf;

impl Toolchain {
    /// rustup's toolchain where the target is installed, Debian's packages otherwise.
    pub fn find(root: &Path) -> Result<Self, BuildError> {
        let root = root.to_owned();
        // `cargo run` sets both to the toolchain that built this program.
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        if has_target(&rustc) {
            let version = first_line(&rustc, &["-V"])?;
            return Ok(Self {
                cargo,
                rustc,
                version,
                root,
                from_source: None,
            });
        }
        let (Some(debian_rustc), Some(debian_cargo)) =
            (packaged("rustc-web", "/bin/rustc"), packaged("cargo-web", "/bin/cargo"))
        else {
            return Err(BuildError::NoToolchain);
        };
        let linker = linker(&rustc).ok_or(BuildError::Missing("a linker for WebAssembly (rust-lld or wasm-ld)"))?;
        let version = first_line(&debian_rustc, &["-V"])?;
        Ok(Self {
            cargo: debian_cargo,
            rustc: debian_rustc,
            version,
            root,
            from_source: Some(linker),
        })
    }

    /// What `rustc -V` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Compiles a guest and returns its core module.
    pub fn build(&self, guest: &Guest) -> Result<Vec<u8>, BuildError> {
        let target = self.root.join("target/guests");
        let mut command = Command::new(&self.cargo);
        command
            .args([
                "build",
                "--lib",
                "--quiet",
                "--profile",
                guest.origin.profile,
                "--target",
                TARGET,
                "--package",
                &guest.package,
            ])
            .arg("--manifest-path")
            .arg(&guest.manifest)
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags()?)
            .env_remove("RUSTUP_TOOLCHAIN");
        if let Some(linker) = &self.from_source {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        let status = command.status().map_err(|source| BuildError::Start {
            program: self.cargo.clone(),
            source,
        })?;
        if !status.success() {
            return Err(BuildError::Compile(guest.name.clone()));
        }
        let module = target
            .join(TARGET)
            .join(guest.origin.profile)
            .join(format!("{}.wasm", guest.package.replace('-', "_")));
        std::fs::read(&module).map_err(|source| BuildError::file(&module, source))
    }

    /// Panic locations hold paths: every folder of this machine gets the same name everywhere.
    fn flags(&self) -> Result<String, BuildError> {
        let sysroot = PathBuf::from(first_line(&self.rustc, &["--print", "sysroot"])?);
        let mut folders = vec![
            (self.root.clone(), "/tollgate"),
            (cargo_home(), "/cargo"),
            (sysroot.join("lib/rustlib/src/rust"), "/rust"),
            (sysroot, "/rust"),
        ];
        // Debian's source is reached through a link; the compiler writes down where that leads.
        let resolved: Vec<_> = folders
            .iter()
            .filter_map(|(from, to)| Some((std::fs::canonicalize(from).ok()?, *to)))
            .collect();
        folders.extend(resolved);
        // The last flag that fits wins, so the longest paths come last.
        folders.sort_by_key(|(from, _)| from.as_os_str().len());
        folders.dedup();
        let flags = folders
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        Ok(flags.collect::<Vec<_>>().join("\x1f"))
    }
}

/// The compiler has a standard library for the target.
fn has_target(rustc: &Path) -> bool {
    first_line(rustc, &["--print", "target-libdir", "--target", TARGET])
        .ok()
        .and_then(|folder| std::fs::read_dir(folder).ok())
        .is_some_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
        })
}

/// A file of an installed Debian package, by the end of its path. rustup's programs come first on most PATHs, so only
/// dpkg knows where Debian's are.
fn packaged(package: &str, ending: &str) -> Option<PathBuf> {
    let output = Command::new("dpkg")
        .args(["-L", package])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter(|line| line.ends_with(ending))
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

/// The rustup toolchain's own lld, or one from the PATH.
fn linker(rustc: &Path) -> Option<Linker> {
    let sysroot = first_line(rustc, &["--print", "sysroot"]).ok()?;
    let host = Command::new(rustc).arg("-vV").output().ok()?;
    let host = String::from_utf8_lossy(&host.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))?;
    let own = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    if own.is_file() {
        return Some(own);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = ["rust-lld", "wasm-ld"];
    std::env::split_paths(&path)
        .flat_map(|folder| programs.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

fn cargo_home() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .unwrap_or_else(|| PathBuf::from(".cargo"))
}

fn first_line(program: &Path, arguments: &[&str]) -> Result<String, BuildError> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start {
            program: program.to_owned(),
            source,
        })?;
    if !output.status.success() {
        return Err(BuildError::NoToolchain);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}
