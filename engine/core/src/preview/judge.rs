//! What the policies say of the migrations that are previewed. They have to see a database with rows: an empty scratch
//! database would make a dropped table look harmless.

use tollgate_database::{ConnectOptions, Database, Start, Target};
use tollgate_schema::Schema;

use crate::check::{self, CheckedMigration};
use crate::error::Error;
use crate::plan;
use crate::project::{self, Project};
use crate::rollback::{self, Source};

/// Judges the pending migrations: without a source on a replay of those before, as `check` does; with one on what it has.
pub(super) fn judge(
    project: &Project,
    start: &Start,
    scratch: &Target,
    pending: &[String],
) -> Result<Vec<CheckedMigration>, Error> {
    let read_only = ConnectOptions {
        read_only: true,
        application_name: "tollgate preview".to_owned(),
        ..ConnectOptions::default()
    };
    let folder = &project.folder;
    let read = plan::read_scripts(folder, 0..folder.migrations.len(), project.target.dialect())?;
    let mut server = Database::connect(scratch, &read_only)?;
    let asked = project::server(&server.server());
    let court = project.settings.court(asked);
    let mut checked = Vec::new();
    let mut schema = match start {
        Start::Empty => Schema::empty(server.context()),
        // A copy of an SQLite file and a template bring their rows along.
        Start::Template(_) => Schema::over(server.catalog()?, server.context()),
        Start::CopyOf(source) => {
            let mut source = Database::connect(source, &read_only)?;
            Schema::over(source.catalog()?, source.context())
        }
    };
    let replay = matches!(start, Start::Empty);
    for migration in &read {
        let wanted = pending.contains(&migration.input.name);
        if !wanted && !replay {
            continue;
        }
        project.settings.go_on()?;
        let before = schema.clone();
        schema.apply_script(migration.script())?;
        if wanted {
            let generators = &project.generators;
            let mut way_back = || rollback::generate(generators, asked, migration, &before, &schema, Source::Kept).ok();
            let (approvals, policies) = (&project.settings.approvals, &project.policies);
            let judged = check::judge(&court, approvals, policies, migration, &before, &schema, &mut way_back);
            checked.push(judged);
        }
        if replay {
            schema.settle();
        }
    }
    Ok(checked)
}
