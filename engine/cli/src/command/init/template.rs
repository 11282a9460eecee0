//! The `tollgate.toml` that `init` writes: short, with a word about everything a project is likely to change.

use std::path::Path;

use super::find::Project;

/// The file's text.
pub fn config(project: &Project, root: &Path) -> String {
    let migrations = relative(&project.migrations, root);
    let schema = project.schema.as_deref().map_or_else(String::new, |schema| {
        format!(
            "\n[prisma]\n# `file:` URLs start in this file's folder, and a .env beside it is read.\nschema = \"{}\"\n",
            relative(schema, root)
        )
    });
    format!(
        r#"# Configuration of Tollgate. `tollgate config show --origin` prints every setting and where it is from.

[database]
# The variable that holds the connection URL. A .env file is read, too; passwords do not belong in here.
url = "env:DATABASE_URL"
{schema}
[migrations]
dir = "{migrations}"
# What to do about irregular migrations: "allow", "warn" or "error".
out_of_order = "warn" # not applied yet although a later one is
missing = "warn"      # applied, but its folder is gone
edited = "error"      # applied, and its file has been changed since

[check]
# Findings of this level and above stop a deploy: "low", "medium" or "high".
block_at = "high"

# Levels of single rules: "off", "low", "medium" or "high". `tollgate plugin list` names the plugins.
# [plugins.destructive.rules]
# drop-index = "low"

# A policy of your own: a WebAssembly component.
# [plugins.my-policy]
# source = "policies/my-policy.wasm"

# Slack is told where SLACK_WEBHOOK_URL is set.

# Rows to work with, for `tollgate seed` and after `tollgate reset`; otherwise what package.json has as prisma.seed.
# [seed]
# files = ["seed/*.sql"]
# command = "npm run seed" # without a shell

# Used with `tollgate -e production …`; whatever is set here holds instead of what is set above.
# [environments.production]
# database.url = "env:PRODUCTION_DATABASE_URL"
# check.block_at = "medium"
# requires = "staging" # everything has to be deployed there first, with the same text
# approvals.approvers = ["alice@example.org"] # who may let something pass that a policy stops

# `tollgate reset` drops everything, so it works only where this is said.
# [environments.development]
# development = true
"#
    )
}

/// A path as it is written into the file: from the file's folder, with `/` on every system.
pub fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
        .replacen("//", "/", 1)
}
