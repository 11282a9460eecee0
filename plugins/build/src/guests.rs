//! Which guests there are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::BuildError;

/// One crate that becomes a component.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Short name: the component's file is `NAME.wasm`.
    pub name: String,
    /// Cargo's name of the package.
    pub package: String,
    /// Its Cargo.toml.
    pub manifest: PathBuf,
    /// Where it comes from, and with that how it is built and kept.
    pub origin: &'static Origin,
}

#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
    lib: Option<Library>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "crate-type", default)]
    crate_type: Vec<String>,
}

/// A folder whose subfolders are guests.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// The folder, below the root.
    pub folder: &'static str,
    /// Cargo's profile; a workspace of its own has settings of its own.
    pub profile: &'static str,
    /// Where components are committed, if they are.
    pub bundle: Option<&'static str>,
    /// Components say who they are in a section of their own. The tests' guests do not: the engine has to ask them.
    pub described: bool,
}

const ORIGINS: [Origin; 3] = [
    Origin {
        folder: "plugins",
        profile: "guest",
        bundle: Some("plugins/bundle"),
        described: true,
    },
    Origin {
        folder: "tests/guests",
        profile: "release",
        bundle: Some("tests/guests/bundle"),
        described: false,
    },
    Origin {
        folder: "examples",
        profile: "release",
        bundle: None,
        described: true,
    },
];

/// All guests, or those named, in order of their names.
pub fn find(root: &Path, names: &[String]) -> Result<Vec<Guest>, BuildError> {
    let mut guests = Vec::new();
    for origin in &ORIGINS {
        let folder = root.join(origin.folder);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(BuildError::file(&folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| BuildError::file(&folder, source))?;
            guests.extend(read(&entry.path(), origin)?);
        }
    }
    guests.sort_by_key(|guest: &Guest| (guest.origin.folder, guest.name.clone()));
    if let Some(unknown) = names
        .iter()
        .find(|name| !guests.iter().any(|guest| guest.name == **name))
    {
        let known = guests
            .iter()
            .map(|guest| guest.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(BuildError::UnknownGuest {
            name: unknown.clone(),
            known,
        });
    }
    guests.retain(|guest| names.is_empty() || names.contains(&guest.name));
    Ok(guests)
}

/// The guest in a folder: a crate that is built as a `cdylib`.
fn read(folder: &Path, origin: &'static Origin) -> Result<Option<Guest>, BuildError> {
    let manifest = folder.join("Cargo.toml");
    let text = match std::fs::read_to_string(&manifest) {
        Ok(text) => text,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(BuildError::file(&manifest, error)),
    };
    let parsed: Manifest = toml::from_str(&text).map_err(|error| BuildError::Manifest {
        path: manifest.clone(),
        message: error.to_string(),
    })?;
    let is_guest = parsed
        .lib
        .is_some_and(|library| library.crate_type.iter().any(|kind| kind == "cdylib"));
    let Some(package) = parsed.package.filter(|_| is_guest) else {
        return Ok(None);
    };
    let folder_name = folder
        .file_name()
        .map_or_else(|| package.name.clone(), |name| name.to_string_lossy().into_owned());
    Ok(Some(Guest {
        name: folder_name,
        package: package.name,
        manifest,
        origin,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_crates_that_become_components_are_guests() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let guests = find(root, &[]).unwrap();
        let bundled: Vec<_> = guests
            .iter()
            .filter(|guest| guest.origin.folder == "plugins")
            .map(|guest| guest.name.as_str())
            .collect();
        assert_eq!(
            bundled,
            [
                "conventions",
                "destructive",
                "github",
                "rollback",
                "safety",
                "slack",
                "webhook"
            ]
        );
        let error = find(root, &["slak".to_owned()]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("there is no guest called slak; there are "),
            "{error}"
        );
    }
}
