//! The JSON documents. Each has a committed schema under `schemas/`; a test compares the two.
//!
//! Inside one version fields are only added. `flatten` is used for writing alone, where it costs no error messages.

use serde::Serialize;

use super::report::{Level, Report};

/// What a command's document holds beside the head.
pub trait Body: Serialize {
    /// Grows when a field goes or changes its meaning.
    const VERSION: u32 = 1;
}

/// A whole document.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a, T> {
    /// Version of the document's form.
    pub version: u32,
    /// The command that made it.
    pub command: &'a str,
    /// What is odd but stopped nothing.
    pub warnings: Vec<ReportDocument>,
    /// The rest depends on the command.
    #[serde(flatten)]
    pub body: &'a T,
}

/// An unsuccessful run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorDocument {
    /// The exit status.
    pub status: u8,
    /// Everything that went wrong.
    pub errors: Vec<ReportDocument>,
    /// Migrations that were done before it did: applied by `deploy`, taken back by `rollback`.
    pub finished: Vec<String>,
}

impl Body for ErrorDocument {}

/// One diagnostic.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportDocument {
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// Stable name of the kind of problem.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The place it is about.
    pub place: Option<PlaceDocument>,
    /// What to do.
    pub help: Option<String>,
    /// What state the database is in now.
    pub database: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlaceDocument {
    /// The file.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in characters.
    pub column: usize,
    /// What is said about the place.
    pub label: String,
}

impl From<&Report> for ReportDocument {
    fn from(report: &Report) -> Self {
        let place = report.snippet.as_ref().and_then(|snippet| {
            let (line, column) = snippet.position()?;
            let label = snippet.labels.first().map(|(_, text)| text.clone()).unwrap_or_default();
            Some(PlaceDocument {
                file: snippet.name.clone(),
                line,
                column,
                label,
            })
        });
        Self {
            level: match report.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "note",
            },
            code: report.code.clone(),
            message: report.message.clone(),
            place,
            help: report.help.clone(),
            database: report.database.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    /// The committed schema of every document. `TOLLGATE_UPDATE_SCHEMAS=1 cargo test` writes them anew.
    #[test]
    fn schemas_are_those_that_are_committed() {
        compare::<ErrorDocument>("error");
        compare::<crate::command::init::Made>("init");
        compare::<crate::command::new::Made>("new");
        compare::<crate::command::config::Shown>("config-show");
        compare::<crate::command::check::Checked>("check");
        compare::<crate::command::explain::Answer>("explain");
        compare::<crate::command::deploy::Deployed>("deploy");
        compare::<crate::command::approve::Shown>("approve");
        compare::<crate::command::status::Stands>("status");
        compare::<crate::command::doctor::Examined>("doctor");
        compare::<crate::command::rollback::RolledBack>("rollback");
        compare::<crate::command::resolve::Resolved>("resolve");
        compare::<crate::command::lock::acquire::Acquired>("lock-acquire");
        compare::<crate::command::lock::status::Shown>("lock-status");
        compare::<crate::command::lock::release::Released>("lock-release");
        compare::<crate::command::baseline::Baselined>("baseline");
        compare::<crate::command::reset::Reset>("reset");
        compare::<crate::command::seed::Seeded>("seed");
        compare::<crate::command::preview::Previewed>("preview");
        compare::<crate::command::drift::Drifted>("drift");
        compare::<crate::command::plugin::Listed>("plugin-list");
        compare::<crate::command::notify::Told>("notify");
        compare::<crate::command::ci::init::Made>("ci-init");
        compare::<crate::command::ci::comment::Commented>("ci-comment");
        compare::<crate::command::ci::gate::Gated>("ci-gate");
    }

    fn compare<T: schemars::JsonSchema + 'static>(name: &str) {
        let schema = schemars::schema_for!(Document<'static, T>);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.json"));
        if std::env::var_os("TOLLGATE_UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{} differs: run TOLLGATE_UPDATE_SCHEMAS=1 cargo test -p tollgate",
            path.display()
        );
    }
}
