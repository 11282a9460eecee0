//! Table rebuilds.

use super::script;
use crate::script::{Change, TableRebuild};

fn rebuilds(text: &str) -> Vec<TableRebuild> {
    let script = script(text);
    let rebuilds: Vec<TableRebuild> = script
        .changes
        .iter()
        .map(|change| match change {
            Change::TableRebuild(rebuild) => rebuild.clone(),
            Change::EnumRebuild(_) => panic!("SQLite has no enums"),
        })
        .collect();
    for (number, rebuild) in rebuilds.iter().enumerate() {
        assert!(rebuild.statements.contains(&rebuild.drop_statement), "{text}");
        assert!(rebuild.statements.is_sorted(), "{text}");
        for statement in &script.statements {
            assert_eq!(
                rebuild.statements.contains(&statement.index),
                statement.part_of == Some(number),
                "{text}"
            );
        }
    }
    rebuilds
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(new, old)| ((*new).to_owned(), (*old).to_owned()))
        .collect()
}

#[test]
fn as_prisma_writes_it() {
    let text = r#"
-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_a" ("id" INTEGER NOT NULL PRIMARY KEY, "b" TEXT NOT NULL DEFAULT 'x');
INSERT INTO "new_a" ("b", "id") SELECT coalesce("b", 'x') AS "b", "id" FROM "a";
DROP TABLE "a";
ALTER TABLE "new_a" RENAME TO "a";
CREATE UNIQUE INDEX "a_b_key" ON "a"("b");
CREATE TABLE "new_c" ("id" INTEGER);
INSERT INTO "new_c" ("id") SELECT "id" FROM "c";
DROP TABLE "c";
ALTER TABLE "new_c" RENAME TO "c";
PRAGMA foreign_key_check;
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
CREATE INDEX "other" ON "a"("id");
"#;
    let found = rebuilds(text);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].table.name.as_str(), found[0].temporary.name.as_str()),
        ("a", "new_a")
    );
    assert_eq!(found[0].statements, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!((found[0].drop_statement, found[0].all_rows), (4, true));
    assert_eq!(found[0].copied, pairs(&[("b", "coalesce(\"b\", 'x')"), ("id", "id")]));
    // The check in between is no part of it, so the pragmas behind it stand alone.
    assert_eq!(found[1].statements, [7, 8, 9, 10]);
}

#[test]
fn twice_in_one_script() {
    let once = "create table n(a, b); insert into n(a) select a from t; drop table t; alter table n rename to t;";
    let found = rebuilds(&format!("{once} update t set b = 1; {once}"));
    let parts: Vec<_> = found.iter().map(|rebuild| rebuild.statements.clone()).collect();
    assert_eq!(parts, [[0, 1, 2, 3], [5, 6, 7, 8]]);
    assert!(found.iter().all(|rebuild| rebuild.all_rows));
}

/// Script, statements, copied, all rows.
type Case = (
    &'static str,
    &'static [usize],
    &'static [(&'static str, &'static str)],
    bool,
);

#[test]
fn other_shapes() {
    let cases: &[Case] = &[
        // Any temporary name, no column list, pragmas around.
        (
            "pragma foreign_keys=off; begin; create table tmp(a, b as (a), c); insert into tmp select a, c from T; drop table t;
             alter table TMP rename to t; commit; pragma foreign_keys=on;",
            &[2, 3, 4, 5],
            &[("a", "a"), ("c", "c")],
            true,
        ),
        // All columns.
        ("create table n(a); insert into n select * from t; drop table t; alter table n rename to t", &[0, 1, 2, 3], &[("*", "*")], true),
        // The old table is renamed away first.
        (
            "alter table t rename to old; create table t(a); insert into t(a) select b from old; drop table old;",
            &[0, 1, 2, 3],
            &[("a", "b")],
            true,
        ),
        // The same, and the new one is renamed there and back again.
        (
            "alter table t rename to old; create table t(a); insert into t(a) select b from old; drop table old;
             alter table t rename to old; alter table old rename to t;",
            &[0, 1, 2, 3],
            &[("a", "b")],
            true,
        ),
        // The query makes the table.
        (
            "create table n as select a, b + 1 as c from t; drop table t; alter table n rename to t",
            &[0, 1, 2],
            &[("a", "a"), ("c", "b + 1")],
            true,
        ),
        // Another table is looked up on the way; its columns are no columns of the old one.
        (
            "create table n(a, b, c); insert into n select x.a, u.b, c from t x left join u on u.id = x.u; drop table t;
             alter table n rename to t",
            &[0, 1, 2, 3],
            &[("a", "a"), ("b", "u.b"), ("c", "c")],
            true,
        ),
        // Some rows stay behind.
        (
            "create table n(a); insert into n select a from t where a; drop table t; alter table n rename to t",
            &[0, 1, 2, 3],
            &[("a", "a")],
            false,
        ),
        (
            "create table n(a); insert or ignore into n select a from t; drop table t; alter table n rename to t",
            &[0, 1, 2, 3],
            &[("a", "a")],
            false,
        ),
        // Indexes and triggers come back.
        (
            "create table n(a); insert into n select a from t; drop table t; alter table n rename to t; create index i on t(a);
             create trigger x after insert on t begin select 1; end; create index j on u(a)",
            &[0, 1, 2, 3, 4, 5],
            &[("a", "a")],
            true,
        ),
    ];
    for (text, statements, copied, all_rows) in cases {
        let found = rebuilds(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].statements, *statements, "{text}");
        assert_eq!(
            (found[0].copied.clone(), found[0].all_rows),
            (pairs(copied), *all_rows),
            "{text}"
        );
        assert!(found[0].table.name.eq_ignore_ascii_case("t"), "{text}");
    }
}

#[test]
fn what_only_looks_like_one() {
    for text in [
        // Nothing is copied.
        "create table n(a); drop table t; alter table n rename to t",
        // The copy comes from elsewhere.
        "create table n(a); insert into n select a from u; drop table t; alter table n rename to t",
        // Two tables are joined.
        "create table n(a); insert into n select a from t join u; drop table t; alter table n rename to t",
        // The new table keeps its name.
        "create table n(a); insert into n select a from t; drop table t",
        // The drop comes first.
        "drop table t; create table n(a); insert into n select a from t; alter table n rename to t",
        // Another table is dropped.
        "create table n(a); insert into n select a from t; drop table u; alter table n rename to t",
    ] {
        assert_eq!(rebuilds(text), [], "{text}");
    }
}
