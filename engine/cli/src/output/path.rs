//! Paths as people see them.

use std::path::Path;

/// The path from the current folder where it is below that, otherwise whole.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir()
        .ok()
        .and_then(|cwd| path.strip_prefix(cwd).ok().map(Path::to_owned));
    here.filter(|here| !here.as_os_str().is_empty())
        .as_deref()
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The text with every path below the current folder shortened in the same way, for texts that others have written.
pub fn shortened(text: &str) -> String {
    match std::env::current_dir() {
        Ok(cwd) if cwd.parent().is_some() => text.replace(&format!("{}/", cwd.display()), ""),
        _ => text.to_owned(),
    }
}
