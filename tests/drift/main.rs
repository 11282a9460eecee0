//! Databases that are not what their migrations make.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod both_ways;
mod looking;
mod real;

use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::Project;

/// What policies have to say of these migrations is no matter here.
const QUIET: &str = "[plugins.safety]\nenabled = false\n\n[plugins.conventions]\nenabled = false\n";

/// A PostgreSQL database of a test's own, and a project on it.
struct Stage {
    database: TestDatabase<'static>,
    project: Project,
}

impl Stage {
    /// With two migrations applied.
    fn new() -> Self {
        let database = cluster().database();
        let mut project = Project::new();
        project.set("DATABASE_URL", &database.url());
        project.file("tollgate.toml", QUIET);
        project.migration(
            "1_users",
            "CREATE TYPE role AS ENUM ('member', 'admin');\n\
             CREATE TABLE users (\n  id serial PRIMARY KEY,\n  email varchar(200) NOT NULL,\n  role role DEFAULT 'member',\n  \
             age integer CHECK (age BETWEEN 0 AND 150)\n);\nCREATE UNIQUE INDEX users_email ON users (lower(email));\n",
        );
        project.migration(
            "2_posts",
            "CREATE TABLE posts (\n  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n  \
             author integer NOT NULL REFERENCES users (id),\n  title text NOT NULL,\n  \
             state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published'))\n);\n\
             CREATE INDEX posts_author ON posts (author);\n\
             CREATE VIEW published AS SELECT id, title FROM posts WHERE state = 'published';\n\
             CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
             CREATE TRIGGER touched BEFORE UPDATE ON posts FOR EACH ROW WHEN (OLD.title <> NEW.title) EXECUTE FUNCTION touch();\n",
        );
        project.succeed(&["deploy"]);
        Self { database, project }
    }
}
