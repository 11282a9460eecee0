//! Shared bundles: files of settings that a project, or another bundle, builds on.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};
use super::source::{self, Parsed};

/// The file and all bundles below it, the lowest first. One that is reached on several ways counts where it is met
/// first, so that what is built on it stays above it. Texts that must not be printed are handed to `hide`.
pub fn read(path: &Path, hide: &mut dyn FnMut(&str)) -> Result<Vec<Parsed>, ConfigError> {
    let mut reader = Reader {
        above: Vec::new(),
        done: Vec::new(),
        files: Vec::new(),
        hide,
    };
    reader.read(path, None)?;
    Ok(reader.files)
}

struct Reader<'a> {
    /// The way to the file that is being read: what extends it, what extends that.
    above: Vec<(PathBuf, PathBuf)>,
    done: Vec<PathBuf>,
    files: Vec<Parsed>,
    hide: &'a mut dyn FnMut(&str),
}

impl Reader<'_> {
    /// `named` is the place that names it.
    fn read(&mut self, path: &Path, named: Option<Place>) -> Result<(), ConfigError> {
        let identity = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(start) = self.above.iter().position(|(above, _)| *above == identity) {
            let way = self.above[start..].iter().map(|(_, path)| path.clone());
            let chain = way.chain([path.to_owned()]).collect();
            return Err(ConfigError::Circle { chain, place: named });
        }
        if self.done.contains(&identity) {
            return Ok(());
        }
        let parsed = source::read(path).map_err(|error| match (error, &named) {
            (ConfigError::Unreadable { path, reason }, Some(place)) => ConfigError::NoBundle {
                path,
                reason,
                place: place.clone(),
            },
            (error, _) => error,
        });
        let parsed = parsed.inspect_err(|error| {
            if let ConfigError::Invalid { secrets, .. } = error {
                for secret in secrets {
                    (self.hide)(secret);
                }
            }
        })?;
        for secret in &parsed.secrets {
            (self.hide)(secret);
        }
        self.above.push((identity.clone(), path.to_owned()));
        let folder = path.parent().unwrap_or(Path::new("."));
        for (index, bundle) in parsed.extends.iter().enumerate() {
            let key = ["extends".to_owned(), index.to_string()];
            let place = Place {
                span: parsed.file.value(&key).unwrap_or(0..0),
                file: std::sync::Arc::clone(&parsed.file),
            };
            if let Some((scheme, _)) = bundle.split_once("://") {
                return Err(ConfigError::BundleRegistry {
                    scheme: scheme.to_owned(),
                    place,
                });
            }
            self.read(&tidy(&folder.join(bundle)), Some(place))?;
        }
        self.above.pop();
        self.done.push(identity);
        self.files.push(parsed);
        Ok(())
    }
}

/// Without `.` and, where the folder is no link, `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if !out.is_symlink() && out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
