//! Prisma's enum rebuild, in the forms it has had.

use super::read;
use crate::script::{Change, EnumRebuild};

const PRISMA: &str = r#"
BEGIN;
CREATE TYPE "Role_new" AS ENUM ('A', 'B');
ALTER TABLE "User" ALTER COLUMN "role" DROP DEFAULT;
ALTER TABLE "User" ALTER COLUMN "role" TYPE "Role_new" USING ("role"::text::"Role_new");
ALTER TABLE "Team" ALTER COLUMN "roles" TYPE "Role_new"[] USING ("roles"::text::"Role_new"[]);
ALTER TYPE "Role" RENAME TO "Role_old";
ALTER TYPE "Role_new" RENAME TO "Role";
DROP TYPE "Role_old";
ALTER TABLE "User" ALTER COLUMN "role" SET DEFAULT 'A';
COMMIT;
ALTER TABLE "User" DROP COLUMN "x";
"#;

fn only_change(sql: &str) -> EnumRebuild {
    let script = read(sql);
    assert_eq!(script.changes.len(), 1, "{:?}", script.changes);
    let Change::EnumRebuild(rebuild) = script.changes[0].clone() else {
        panic!("{:?}", script.changes)
    };
    for statement in &script.statements {
        assert_eq!(
            statement.part_of.is_some(),
            rebuild.statements.contains(&statement.index),
            "{}",
            statement.index
        );
    }
    rebuild
}

#[test]
fn as_prisma_writes_it() {
    let rebuild = only_change(PRISMA);
    assert_eq!(rebuild.name.name, "Role");
    assert_eq!(rebuild.values, ["A", "B"]);
    assert_eq!(rebuild.statements, (0..10).collect::<Vec<_>>());
    assert_eq!(rebuild.drop_statement, 7);
    let columns: Vec<_> = rebuild
        .columns
        .iter()
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    assert_eq!(columns, ["User.role", "Team.roles"]);
}

#[test]
fn as_others_write_it() {
    for (sql, statements) in [
        // Drop first, then rename.
        (
            "CREATE TYPE s.r_new AS ENUM ('A'); ALTER TABLE t ALTER a TYPE s.r_new USING a::text::s.r_new;
             DROP TYPE s.r; ALTER TYPE s.r_new RENAME TO r",
            vec![0, 1, 2, 3],
        ),
        // Rename the old one away first.
        (
            "SELECT 1; ALTER TYPE r RENAME TO r_old; CREATE TYPE r AS ENUM ('A');
             ALTER TABLE t ALTER a TYPE r USING a::text::r; DROP TYPE r_old",
            vec![1, 2, 3, 4],
        ),
        // A statement that does more than moving columns stays on its own.
        (
            "CREATE TYPE r_new AS ENUM ('A'); ALTER TABLE t ALTER a TYPE r_new USING a::text::r_new, DROP COLUMN b;
             ALTER TYPE r RENAME TO r_old; ALTER TYPE r_new RENAME TO r; DROP TYPE r_old",
            vec![0, 2, 3, 4],
        ),
    ] {
        let rebuild = only_change(sql);
        assert_eq!(rebuild.statements, statements, "{sql}");
        assert_eq!(rebuild.name.name, "r");
        assert_eq!(rebuild.columns.len(), 1);
    }
}

#[test]
fn what_only_looks_like_one() {
    for sql in [
        "DROP TYPE r",
        "CREATE TYPE r_new AS ENUM ('A'); DROP TYPE r",
        "ALTER TYPE r RENAME TO r_old; DROP TYPE r_old",
        "ALTER TYPE r RENAME TO r_old; CREATE TYPE r AS ENUM ('A'); DROP TYPE r_old CASCADE",
        "ALTER TYPE a RENAME TO b; CREATE TYPE c AS ENUM ('A'); DROP TYPE d",
    ] {
        assert_eq!(read(sql).changes, [], "{sql}");
    }
}

#[test]
fn two_in_one_file() {
    let script = read(&format!("{PRISMA}{}", PRISMA.replace("Role", "Kind")));
    let names: Vec<_> = script
        .changes
        .iter()
        .map(|change| match change {
            Change::EnumRebuild(rebuild) => rebuild.name.name.as_str(),
            Change::TableRebuild(_) => "",
        })
        .collect();
    assert_eq!(names, ["Role", "Kind"]);
    assert_eq!(script.statements[0].part_of, Some(0));
    assert_eq!(script.statements[11].part_of, Some(1));
}
