//! Names in every place and every kind of quotes.

use super::operation;
use crate::name::ObjectName;
use crate::operation::{ConstraintKind, Operation};

#[test]
fn every_name_may_be_quoted() {
    let created = operation(
        r#"create table "s"."t" ("a" int collate "nocase" constraint "c1" references "o ""p" ("z"), `b` references [q r],
           constraint 'c2' foreign key ("a") references `x``y` ('k'))"#,
    );
    let Operation::CreateTable(table) = created else {
        panic!("{created:?}")
    };
    assert_eq!(table.name, ObjectName::qualified("s", "t"));
    assert_eq!(table.columns[0].collation, Some(ObjectName::bare("nocase")));
    let found: Vec<_> = table
        .constraints
        .iter()
        .map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey {
                columns,
                references,
                referenced_columns,
                ..
            } => (
                constraint.name.as_deref(),
                columns.join(","),
                references.name.as_str(),
                referenced_columns.join(","),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            (Some("c1"), "a".to_owned(), "o \"p", "z".to_owned()),
            (None, "b".to_owned(), "q r", String::new()),
            (Some("c2"), "a".to_owned(), "x`y", "k".to_owned()),
        ]
    );
    for (text, expected) in [
        (
            r#"create index "s"."i" on "t" ("a" collate "c")"#,
            r#"[Some("i"), s.t, a, c]"#,
        ),
        (
            r#"create trigger "s"."i" after insert on "t" begin select 1; end"#,
            "[i, s.t]",
        ),
        (
            r#"create view "s"."v" as with "c" as (select 1) select * from "c", "s"."t" as "u""#,
            "[s.v, s.t]",
        ),
        (r#"create virtual table "v" using "fts5" (a)"#, "[v, fts5]"),
        (r#"insert into "s"."t" ("a") select "b" from "u""#, "[s.t, a, u]"),
        (r#"update "s"."t" set "a" = 1, ("b", "c") = (1, 2)"#, "[s.t, a, b, c]"),
        (r#"delete from "s"."t""#, "[s.t]"),
        (r#"drop table "s"."t""#, "[s.t]"),
        (r#"alter table "s"."t" rename "a" to "b""#, "[s.t, a, b]"),
        (r#"reindex "s"."t""#, "[s.t]"),
        (r#"pragma "s"."foreign_keys" = "on""#, "[foreign_keys, on]"),
    ] {
        let names = match operation(text) {
            Operation::CreateIndex(index) => {
                let part = &index.parts[0];
                let (column, collation) = (part.column.as_deref().unwrap(), part.collation.as_deref().unwrap());
                format!("[{:?}, {}, {column}, {collation}]", index.name, index.table)
            }
            Operation::CreateTrigger(trigger) => format!("[{}, {}]", trigger.name, trigger.table),
            Operation::CreateView(view) => format!("[{}, {}]", view.name, view.reads[0]),
            Operation::CreateTable(table) => format!("[{}, {}]", table.name, table.access_method.unwrap()),
            Operation::Insert(rows) | Operation::Update(rows) | Operation::Delete(rows) => {
                let reads = rows.reads.iter().map(ToString::to_string);
                let all: Vec<_> = std::iter::once(rows.table.to_string())
                    .chain(rows.columns)
                    .chain(reads)
                    .collect();
                format!("[{}]", all.join(", "))
            }
            Operation::Drop(drop) => format!("[{}]", drop.name),
            Operation::RenameColumn { table, from, to } => format!("[{table}, {from}, {to}]"),
            Operation::Other(other) => format!("[{}]", other.objects[0]),
            Operation::SetParameter { name, value, .. } => format!("[{name}, {}]", value.unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!(names, expected, "{text}");
    }
}
