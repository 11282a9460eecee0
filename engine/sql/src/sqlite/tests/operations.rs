//! Statements to operations.

use super::{operation, operations};
use crate::name::ObjectName;
use crate::operation::{
    ConstraintKind, CreateTable, Identity, ObjectKind, Operation, ReferentialAction, RowChange, TransactionControl,
    Volatility,
};

fn table(text: &str) -> CreateTable {
    match operation(text) {
        Operation::CreateTable(table) => *table,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_table_with_everything() {
    let table = table(
        r#"CREATE TABLE IF NOT EXISTS "a""b" (
            id INTEGER CONSTRAINT pk PRIMARY KEY AUTOINCREMENT,
            [my col] varchar(10, 2) NOT NULL DEFAULT -5 COLLATE nocase,
            `d` "my type" DEFAULT (1 + random()) CHECK (d > id) REFERENCES o (z) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
            e unsigned big int GENERATED ALWAYS AS (id + 1) STORED,
            f AS (lower("my col")),
            g DEFAULT NULL UNIQUE,
            'h' DATETIME DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT u UNIQUE (id, d COLLATE nocase DESC) ON CONFLICT IGNORE,
            FOREIGN KEY (id, d) REFERENCES other,
            CONSTRAINT c CHECK (length(g) > 0)
        ) STRICT"#,
    );
    assert_eq!(table.name, ObjectName::bare("a\"b"));
    assert!(table.if_not_exists && table.strict && !table.without_rowid && !table.temporary);
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let default = column
                .default
                .as_ref()
                .map(|default| (default.text.as_str(), default.volatility, default.is_null));
            (
                column.name.as_str(),
                column.data_type.name.as_str(),
                column.not_null,
                default,
            )
        })
        .collect();
    assert_eq!(
        columns,
        [
            ("id", "INTEGER", false, None),
            (
                "my col",
                "varchar(10, 2)",
                true,
                Some(("-5", Volatility::Immutable, false))
            ),
            (
                "d",
                "my type",
                false,
                Some(("1 + random()", Volatility::Volatile, false))
            ),
            ("e", "unsigned big int", false, None),
            ("f", "", false, None),
            ("g", "", false, Some(("NULL", Volatility::Immutable, true))),
            (
                "h",
                "DATETIME",
                false,
                Some(("CURRENT_TIMESTAMP", Volatility::Stable, false))
            ),
        ]
    );
    assert_eq!(table.columns[0].identity, Some(Identity::Autoincrement));
    assert_eq!(table.columns[1].collation, Some(ObjectName::bare("nocase")));
    let generated: Vec<_> = table
        .columns
        .iter()
        .filter_map(|column| column.generated.as_ref())
        .map(|generated| {
            (
                generated.expression.text.as_str(),
                generated.stored,
                generated.expression.columns.clone(),
            )
        })
        .collect();
    assert_eq!(
        generated,
        [
            ("id + 1", true, vec!["id".to_owned()]),
            ("lower(\"my col\")", false, vec!["my col".to_owned()])
        ]
    );
    let constraints: Vec<_> = table
        .constraints
        .iter()
        .map(|constraint| (constraint.name.as_deref(), constraint.of_column))
        .collect();
    assert_eq!(
        constraints,
        [
            (Some("pk"), true),
            (None, true),
            (None, true),
            (None, true),
            (Some("u"), false),
            (None, false),
            (Some("c"), false)
        ]
    );
    let ConstraintKind::ForeignKey {
        columns,
        references,
        referenced_columns,
        on_update,
        on_delete,
        ..
    } = &table.constraints[2].kind
    else {
        panic!("{:?}", table.constraints[2])
    };
    assert_eq!(
        (
            columns.as_slice(),
            references.name.as_str(),
            referenced_columns.as_slice()
        ),
        (["d".to_owned()].as_slice(), "o", ["z".to_owned()].as_slice())
    );
    assert_eq!(
        (*on_update, *on_delete),
        (ReferentialAction::SetNull, ReferentialAction::Cascade)
    );
    assert!(table.constraints[2].deferrable && table.constraints[2].initially_deferred);
    let ConstraintKind::Unique { columns, .. } = &table.constraints[4].kind else {
        panic!()
    };
    assert_eq!(columns, &["id", "d"]);
    let ConstraintKind::Check { expression } = &table.constraints[6].kind else {
        panic!()
    };
    assert_eq!(
        (expression.text.as_str(), expression.columns.as_slice()),
        ("length(g) > 0", ["g".to_owned()].as_slice())
    );
}

#[test]
fn other_tables() {
    let without = table("create temp table t (a, b, primary key (a, 'b')) without rowid, strict");
    assert!(without.without_rowid && without.strict && without.temporary);
    let ConstraintKind::PrimaryKey { columns, .. } = &without.constraints[0].kind else {
        panic!()
    };
    assert_eq!(columns, &["a", "b"]);

    let autoincrement = table("create table t (a integer, primary key (a autoincrement))");
    assert_eq!(autoincrement.columns[0].identity, Some(Identity::Autoincrement));

    let query =
        table("create table main.t as with c as (select 1) select a.x from aux.a, c where x in (select y from b)");
    assert_eq!(query.name, ObjectName::bare("t"));
    assert!(query.as_query.unwrap().starts_with("with c as"));
    assert_eq!(query.reads, [ObjectName::qualified("aux", "a"), ObjectName::bare("b")]);

    let fts = table("create virtual table if not exists v using fts5(a, b, tokenize = 'porter')");
    assert_eq!(fts.access_method.as_deref(), Some("fts5"));
    assert_eq!(
        fts.options,
        [("arguments".to_owned(), "a, b, tokenize = 'porter'".to_owned())]
    );
    assert!(fts.if_not_exists && fts.columns.is_empty());
}

#[test]
fn declared_types_are_those_the_library_prints() {
    for (written, printed) in [
        ("integer", "INTEGER"),
        ("Int", "INT"),
        ("unsigned   /* c */ big int", "unsigned   /* c */ big int"),
        ("\"my \"\"type\" (1)", "my \"type"),
        ("[x y] z", "x y"),
        ("'it''s'", "it's"),
        ("integer generated always as (1)", "INTEGER"),
        ("", ""),
    ] {
        assert_eq!(
            table(&format!("create table t (a {written})")).columns[0]
                .data_type
                .name,
            printed,
            "{written}"
        );
    }
}

#[test]
fn alter_table() {
    let name = || ObjectName::bare("t");
    let cases = [
        (
            "ALTER TABLE t RENAME TO \"u\"",
            Operation::Rename {
                kind: ObjectKind::Table,
                from: name(),
                on: None,
                arguments: None,
                to: "u".to_owned(),
            },
            "RENAME TO \"u\"",
        ),
        (
            "ALTER TABLE main.t RENAME a TO b ;",
            Operation::RenameColumn {
                table: name(),
                from: "a".to_owned(),
                to: "b".to_owned(),
            },
            "RENAME a TO b",
        ),
        (
            "alter table t /* no! */ drop column [a]",
            Operation::DropColumn {
                table: name(),
                column: "a".to_owned(),
                if_exists: false,
                cascade: false,
            },
            "drop column [a]",
        ),
    ];
    for (text, expected, clause) in cases {
        let script = super::script(text);
        let effect = &script.statements[0].effects[0];
        assert_eq!((&effect.operation, effect.span.of(text)), (&expected, clause), "{text}");
    }
    let Operation::AddColumn(add) = operation("alter table t add column x int not null default 3 references u(id)")
    else {
        panic!()
    };
    assert_eq!(
        (add.column.name.as_str(), add.column.not_null, add.constraints.len()),
        ("x", true, 1)
    );
}

#[test]
fn indexes_views_triggers() {
    let Operation::CreateIndex(index) = operation(
        "create unique index if not exists aux.i on t (a, 'b' collate nocase desc nulls last, lower(c)) where /* c */ d is not null",
    ) else {
        panic!()
    };
    assert_eq!(
        (index.name.as_deref(), index.table),
        (Some("i"), ObjectName::qualified("aux", "t"))
    );
    let parts: Vec<_> = index
        .parts
        .iter()
        .map(|part| {
            (
                part.column.as_deref(),
                part.expression.as_deref(),
                part.collation.as_deref(),
                part.descending,
            )
        })
        .collect();
    assert_eq!(
        parts,
        [
            (Some("a"), None, None, false),
            (Some("b"), None, Some("nocase"), true),
            (None, Some("lower(c)"), None, false)
        ]
    );
    assert_eq!(index.parts[1].nulls_first, Some(false));
    let predicate = index.predicate.unwrap();
    assert_eq!(
        (predicate.text.as_str(), predicate.columns.as_slice()),
        ("d is not null", ["d".to_owned()].as_slice())
    );

    let Operation::CreateView(view) = operation("create view v (a, b) as select x, y from t join u on t.id = u.id")
    else {
        panic!()
    };
    assert_eq!(
        (view.columns.len(), view.query.as_str()),
        (2, "select x, y from t join u on t.id = u.id")
    );
    assert_eq!(view.reads, [ObjectName::bare("t"), ObjectName::bare("u")]);

    let text = "create trigger tr after update of a on t when new.a > 1 begin delete from u; update v set x = 1; end";
    let Operation::CreateTrigger(trigger) = operation(text) else {
        panic!()
    };
    assert_eq!(
        (trigger.name.as_str(), trigger.table, trigger.definition.as_str()),
        ("tr", ObjectName::bare("t"), text)
    );
}

#[test]
fn drops() {
    for (word, kind) in [
        ("TABLE", ObjectKind::Table),
        ("INDEX", ObjectKind::Index),
        ("VIEW", ObjectKind::View),
        ("TRIGGER", ObjectKind::Trigger),
    ] {
        let Operation::Drop(drop) = operation(&format!("DROP {word} IF EXISTS aux.\"x y\"")) else {
            panic!()
        };
        assert_eq!(
            (drop.kind, drop.name, drop.if_exists),
            (kind, ObjectName::qualified("aux", "x y"), true)
        );
    }
}

#[test]
fn row_changes() {
    let rows = |text: &str| match operation(text) {
        Operation::Insert(rows) | Operation::Update(rows) | Operation::Delete(rows) => rows,
        other => panic!("{text}: {other:?}"),
    };
    let change = |filtered, columns: &[&str], reads: &[&str]| RowChange {
        table: ObjectName::bare("t"),
        filtered,
        columns: columns.iter().map(ToString::to_string).collect(),
        reads: reads.iter().map(|name| ObjectName::bare(*name)).collect(),
    };
    for (text, expected) in [
        (
            "insert into t (a, \"b\") values (1, 2), (3, 4)",
            change(false, &["a", "b"], &[]),
        ),
        ("insert into t default values", change(false, &[], &[])),
        ("replace into t select * from u", change(true, &[], &["u"])),
        (
            "with c as (select 1 from u) insert into t select * from c",
            change(true, &[], &["u"]),
        ),
        ("insert into t select * from t", change(true, &[], &["t"])),
        (
            "update t set (a, b) = (1, 2), c = (select max(x) from u)",
            change(false, &["a", "b", "c"], &["u"]),
        ),
        ("update or ignore t set a = 1 where b", change(true, &["a"], &[])),
        ("update t set a = u.a from u", change(true, &["a"], &["u"])),
        ("delete from t", change(false, &[], &[])),
        (
            "with c as (select id from u) delete from t where id in c returning *",
            change(true, &[], &["u"]),
        ),
        ("delete from t order by a limit 5", change(true, &[], &[])),
    ] {
        assert_eq!(rows(text), expected, "{text}");
    }
    let rewritten = operations("update sqlite_master set sql = 'x' where name = 't'");
    assert!(matches!(rewritten[1], Operation::Dynamic { .. }), "{rewritten:?}");
}

#[test]
fn nothing_changes() {
    for text in [
        "select 1",
        "values (1)",
        "explain drop table t",
        "with a as (select 1) select * from a",
        "pragma user_version",
        "pragma table_info(t)",
        "pragma foreign_key_check",
    ] {
        assert_eq!(operations(text), [], "{text}");
    }
}

#[test]
fn session_and_control() {
    let pragma = |name: &str, value: &str| Operation::SetParameter {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        local: false,
        pragma: true,
    };
    for (text, expected, transactional) in [
        ("PRAGMA foreign_keys=OFF", pragma("foreign_keys", "OFF"), false),
        ("pragma main.Journal_Mode('wal')", pragma("journal_mode", "wal"), false),
        ("PRAGMA defer_foreign_keys=ON", pragma("defer_foreign_keys", "ON"), true),
        ("pragma cache_size = -2000", pragma("cache_size", "-2000"), true),
    ] {
        let script = super::script(text);
        assert_eq!(script.statements[0].effects[0].operation, expected, "{text}");
        assert_eq!(script.statements[0].transactional, transactional, "{text}");
    }
    for (text, tag, transactional) in [
        ("vacuum", "vacuum", false),
        ("vacuum main into 'x.db'", "vacuum", false),
        ("attach 'x.db' as aux", "attach", true),
        ("detach aux", "detach", true),
        ("reindex t", "reindex", true),
        ("analyze", "analyze", true),
        ("pragma wal_checkpoint(truncate)", "pragma", false),
        ("pragma optimize", "pragma", true),
    ] {
        let script = super::script(text);
        let Operation::Other(other) = &script.statements[0].effects[0].operation else {
            panic!("{text}")
        };
        assert_eq!(
            (other.tag.as_str(), script.statements[0].transactional),
            (tag, transactional),
            "{text}"
        );
    }
    let text = "begin immediate; savepoint \"s p\"; rollback transaction to savepoint \"s p\"; release \"s p\"; end transaction";
    let controls: Vec<_> = super::script(text)
        .statements
        .into_iter()
        .map(|statement| statement.effects[0].operation.clone())
        .collect();
    let name = || "s p".to_owned();
    assert_eq!(
        controls,
        [
            TransactionControl::Begin,
            TransactionControl::Savepoint(name()),
            TransactionControl::RollbackTo(name()),
            TransactionControl::Release(name()),
            TransactionControl::Commit
        ]
        .map(Operation::Transaction)
    );
}

#[test]
fn volatility_of_expressions() {
    for (expression, expected) in [
        ("1 + 2", Volatility::Immutable),
        ("upper('x') || date('2020-01-01')", Volatility::Immutable),
        ("datetime('now')", Volatility::Stable),
        ("strftime()", Volatility::Stable),
        ("current_date", Volatility::Stable),
        ("hex(randomblob(16))", Volatility::Volatile),
        ("mine(1)", Volatility::Unknown),
        ("mine(random())", Volatility::Volatile),
    ] {
        let table = table(&format!("create table t (a default ({expression}))"));
        assert_eq!(
            table.columns[0].default.as_ref().unwrap().volatility,
            expected,
            "{expression}"
        );
    }
}
