//! What a component is, read from its bytes without running or compiling anything.

use wasmparser::{Parser, Payload};

use crate::error::{FailureKind, PluginError};
use crate::types::{Description, Kind};

/// Package of the contract.
const PACKAGE: &str = "tollgate:plugin/";

/// Version of the contract this engine speaks: the same as in `wit/types.wit`.
const VERSION: (u64, u64) = (0, 1);

/// Name of the custom section that answers `describe`.
const SECTION: &str = "tollgate:describe";

/// Interfaces of the contract that a plugin of each kind may import.
fn offered(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Policy | Kind::Rollback => &["types", "log", "script", "catalog"],
        Kind::Notifier => &["types", "log", "http"],
    }
}

/// What the bytes say.
pub(crate) struct Inspected {
    pub(crate) kind: Kind,
    /// From the custom section, where there is one.
    pub(crate) description: Option<Description>,
}

/// The outermost level of a component.
#[derive(Default)]
struct Outline<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    section: Option<&'a [u8]>,
}

/// Reads kind, version and description, and refuses what this engine cannot run.
pub(crate) fn inspect(plugin: &str, bytes: &[u8]) -> Result<Inspected, PluginError> {
    let incompatible = |message: String| PluginError::new(plugin, FailureKind::Incompatible, message);
    let outline = outline(bytes).map_err(|message| {
        incompatible(message)
            .with_help("A plugin is a WebAssembly component; `wasm-tools component new` makes one from a core module.")
    })?;
    let exports: Vec<_> = outline
        .exports
        .iter()
        .filter_map(|name| name.strip_prefix(PACKAGE))
        .collect();
    for name in outline
        .exports
        .iter()
        .chain(&outline.imports)
        .filter_map(|name| name.strip_prefix(PACKAGE))
    {
        speaks(name).map_err(|version| {
            incompatible(format!(
                "wants tollgate:plugin {version}, this engine speaks {}.{}",
                VERSION.0, VERSION.1
            ))
            .with_help(
                "Use a build of the plugin for this version of Tollgate, or the version of Tollgate it was built for.",
            )
        })?;
    }
    let has = |interface: &str| exports.iter().any(|name| bare(name) == interface);
    let kinds: Vec<Kind> = [
        ("policy", Kind::Policy),
        ("rollback", Kind::Rollback),
        ("notifier", Kind::Notifier),
    ]
    .into_iter()
    .filter(|(interface, _)| has(interface))
    .map(|(_, kind)| kind)
    .collect();
    let kind = match kinds.as_slice() {
        [kind] => *kind,
        [] => {
            return Err(incompatible(
                "exports neither policy, rollback nor notifier of tollgate:plugin".to_owned(),
            ));
        }
        _ => {
            return Err(incompatible(
                "exports more than one of policy, rollback and notifier".to_owned(),
            ));
        }
    };
    if !has("about") {
        return Err(incompatible("does not export tollgate:plugin/about".to_owned()));
    }
    imports_are_offered(plugin, kind, &outline.imports)?;
    Ok(Inspected {
        kind,
        description: outline
            .section
            .map(|section| read_section(plugin, section))
            .transpose()?,
    })
}

fn outline(bytes: &[u8]) -> Result<Outline<'_>, String> {
    if Parser::is_core_wasm(bytes) {
        return Err("is a core WebAssembly module, not a component".to_owned());
    }
    if !Parser::is_component(bytes) {
        return Err("is not a WebAssembly component".to_owned());
    }
    let broken = |error: wasmparser::BinaryReaderError| format!("is not a valid WebAssembly component: {error}");
    let mut outline = Outline::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    outline.imports.push(import.map_err(broken)?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    outline.exports.push(export.map_err(broken)?.name.name);
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                outline.section = Some(section.data());
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// `policy` of `policy@0.1.0`.
fn bare(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Whether an interface's version is compatible with ours; otherwise, the version it wants.
fn speaks(name: &str) -> Result<(), String> {
    let version = name.split_once('@').map_or("without a version", |(_, version)| version);
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if (major.parse(), minor.parse()) == (Ok(VERSION.0), Ok(VERSION.1)) {
        return Ok(());
    }
    Err(if minor.is_empty() {
        version.to_owned()
    } else {
        format!("{major}.{minor}")
    })
}

fn imports_are_offered(plugin: &str, kind: Kind, imports: &[&str]) -> Result<(), PluginError> {
    for import in imports {
        let refused = |message: String| PluginError::new(plugin, FailureKind::RefusedCapability, message);
        match import.strip_prefix(PACKAGE) {
            Some(name) if offered(kind).contains(&bare(name)) => {}
            Some(_) => {
                return Err(refused(format!(
                    "imports `{import}`, which {} does not get",
                    kind.with_article()
                )));
            }
            None if import.starts_with("wasi:") => {
                return Err(refused(format!("imports `{import}`, and plugins get no WASI"))
                    .with_help("Build it without WASI; for Rust that is the target wasm32-unknown-unknown."));
            }
            None => {
                return Err(refused(format!(
                    "imports `{import}`, which the contract does not offer"
                )));
            }
        }
    }
    Ok(())
}

fn read_section(plugin: &str, section: &[u8]) -> Result<Description, PluginError> {
    serde_json::from_slice(section).map_err(|error| {
        PluginError::new(
            plugin,
            FailureKind::InvalidOutput,
            format!("its section {SECTION} is no description: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::speaks;

    #[test]
    fn versions_of_the_contract() {
        let cases = [
            ("policy@0.1.0", Ok(())),
            ("policy@0.1.7", Ok(())),
            ("policy@0.2.0", Err("0.2")),
            ("policy@1.1.0", Err("1.1")),
            ("policy@7", Err("7")),
            ("policy", Err("without a version")),
        ];
        for (name, expected) in cases {
            assert_eq!(speaks(name), expected.map_err(str::to_owned), "{name}");
        }
    }
}
