//! What the real library accepts must be accepted here, and the reverse. Asks the `sqlite3` shell, where there is one.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The shell's complaint about a script, when it is about the grammar; `None` when the grammar takes it. Some complaints
/// about names come before the grammar has seen the whole statement, so it is asked with the tables and without.
fn complaint(text: &str) -> Option<String> {
    let tables = "create table t (a, b, c); create table u (a, b, c);";
    complaint_of_shell(text).or_else(|| complaint_of_shell(&format!("{tables}{text}")))
}

fn complaint_of_shell(text: &str) -> Option<String> {
    let errors = errors_of_shell(text);
    let words = [
        "syntax error",
        "incomplete input",
        "unrecognized token",
        "unknown table option",
    ];
    words.iter().any(|word| errors.contains(word)).then_some(errors)
}

/// Everything the shell says against a script.
fn errors_of_shell(text: &str) -> String {
    // A mutated ATTACH or VACUUM INTO may name any file: it lands in a folder that goes again.
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sqlite3")
        .args(["-batch", ":memory:"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{text}\n;\n").as_bytes())
        .unwrap();
    String::from_utf8_lossy(&shell.wait_with_output().unwrap().stderr).into_owned()
}

fn shell_is_there() -> bool {
    let there = Command::new("sqlite3")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !there {
        println!("skipped: no sqlite3 program on this machine");
    }
    there
}

const STATEMENTS: &[&str] = &[
    "create table t (a)",
    "create table t (a,)",
    "create table if not exists main.t (a integer primary key asc on conflict replace autoincrement, b null, c)",
    "create table t (a int constraint x not null constraint y unique, constraint z check (a) constraint w unique (a))",
    "create table t (a default a.b)",
    "create table t (a default 'x' 'y')",
    "create table t (a references b match full on delete no action not deferrable initially immediate)",
    "create table t (a decimal(10,-5), b \"a b\" (1), key text, abort text, 'x y' int)",
    "create table t (a generated always as (1) virtual, b as (a) stored)",
    "create table t (a) without rowid, strict",
    "create table t (a) without oids",
    "create table t (select int)",
    "create table t as values (1, 2)",
    "create index i on t (a collate nocase asc nulls first, b + 1) where c",
    "create index on t (a)",
    "create view v as select * from t natural left outer join u using (a)",
    "create view v as select * from t right join u on 1",
    "create trigger x instead of update of a, b on t for each row when 1 begin select raise(abort, 'x'); end",
    "create trigger x before delete on t begin end",
    "create trigger x begin select 1; end",
    "create temp trigger if not exists x on t begin select 1; end",
    "create virtual table v using fts5(a, b, content='')",
    "create virtual table v using rtree",
    "alter table t rename column a to b",
    "alter table t rename a b",
    "alter table t add a int default 1",
    "alter table t add column",
    "alter table t drop column a",
    "alter table t alter column a type int",
    "alter table t add constraint x unique (a)",
    "drop table a, b",
    "drop table if exists a",
    "drop index i cascade",
    "insert into t values (1), (2) on conflict (a) where b do update set a = excluded.a where 1 on conflict do nothing returning *",
    "insert or rollback into t as x (a) select 1 where true on conflict do nothing",
    "insert t values (1)",
    "replace into t default values",
    "update t as x indexed by i set a = 1, (b, c) = (select 1, 2) from u where 1 returning a as b",
    "update t not indexed set a = 1",
    "update t set a",
    "delete from t as x where 1 returning *",
    "delete t",
    "truncate table t",
    "with recursive a(x) as not materialized (select 1 union all select x + 1 from a limit 5) select * from a",
    "select a -> '$.x' ->> 'y', b is not distinct from c, d not null, e notnull, f isnull from t",
    "select sum(a) filter (where b) over (partition by c order by d rows between 1 preceding and current row exclude ties) from t",
    "select * from t window w as (order by a) order by 1 nulls last limit 1, 2",
    "select 1e5, .5, 0x1F, x'ab', ?1, :a, @b, $c, 1.",
    "select 'a' like 'b' escape 'c', 'a' glob 'b', 'a' not match 'b', 'a' regexp 'b'",
    "select cast(a as unsigned big int), case a when 1 then 2 else 3 end, (1, 2) = (3, 4), exists (select 1)",
    "select * from (values (1)), json_each('[]') as j",
    "select 1 union select 2 intersect select 3 except select 4",
    "select \"a\" 'b', [c] d, `e` as f",
    "select 1 group by",
    "select from t",
    "select 1 from t where",
    "values (1), (2)",
    "pragma foreign_keys = off",
    "pragma main.table_info('t')",
    "pragma x = delete",
    "pragma x = 1 + 1",
    "begin deferred transaction; end",
    "savepoint a; rollback transaction to a; release savepoint a",
    "vacuum main into 'x'",
    "attach 'x' as y key 'z'",
    "detach database y",
    "reindex; analyze main.t",
    "explain query plan select 1",
    "select 1 /* open",
    "select 'open",
    "select #",
    "select 12abc",
    "grant all on t to x",
    "create type a as enum ('b')",
    "comment on table t is 'x'",
];

#[test]
fn the_grammar_is_the_servers() {
    if !shell_is_there() {
        return;
    }
    let mut differences = String::new();
    for text in STATEMENTS {
        let ours = crate::sqlite::parse(text).err().map(|error| error.to_string());
        let theirs = complaint(text);
        if ours.is_some() != theirs.is_some() {
            writeln!(differences, "{text}\n  ours: {ours:?}\n  theirs: {theirs:?}").unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// A statement with a word left out, doubled, or taken from another statement.
fn mutated(numbers: &mut Numbers) -> String {
    let words = |text: &'static str| text.split_inclusive([' ', ',', '(', ')']).collect::<Vec<_>>();
    let mut text = words(STATEMENTS[numbers.below(STATEMENTS.len())]);
    for _ in 0..=numbers.below(2) {
        let at = numbers.below(text.len().max(1));
        let other = words(STATEMENTS[numbers.below(STATEMENTS.len())]);
        match numbers.below(3) {
            0 if text.len() > 1 => drop(text.remove(at)),
            1 => text.insert(at, text[at]),
            _ => text.insert(at, other[numbers.below(other.len())]),
        }
    }
    text.concat()
}

/// How many to try; more where somebody has the time.
fn rounds() -> usize {
    std::env::var("TOLLGATE_SQLITE_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(300)
}

#[test]
fn what_the_server_runs_is_read() {
    if !shell_is_there() {
        return;
    }
    let mut numbers = Numbers(20);
    let mut differences = String::new();
    let (mut run, mut not) = (0, 0);
    for _ in 0..rounds() {
        let text = mutated(&mut numbers);
        let ours = crate::sqlite::parse(&text).err();
        // What closes a transaction that the file has not opened is refused by the server, too, but not by its grammar.
        let ours = ours.filter(|error| error.kind == crate::ParseErrorKind::Syntax);
        let tables =
            "create table t (a, b, c, d, e); create table u (a, b, c); create table x (a); create index i on t (a);";
        let runs = errors_of_shell(&format!("{tables}{text}")).is_empty();
        let refused = complaint(&text).is_some();
        run += usize::from(runs);
        not += usize::from(refused);
        // The arguments of a virtual table are its module's language: not one token of them is looked at here.
        let refused = refused && !text.contains("virtual");
        if (runs && ours.is_some()) || (refused && ours.is_none()) {
            writeln!(
                differences,
                "{text}\n  ours: {ours:?}\n  runs there: {runs}, refused there: {refused}"
            )
            .unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
    // The mutants are worth trying only while some are sound and some are not.
    assert!(run * 50 > rounds() && not * 50 > rounds(), "{run} run, {not} refused");
    println!("{run} run, {not} refused, of {}", rounds());
}

/// Every `migration.sql` below the folder that the variable names.
fn real_migrations() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("TOLLGATE_REAL_SQLITE") else {
        println!("skipped: TOLLGATE_REAL_SQLITE names no folder of real migrations");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("migration.sql"))
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn real_migrations_are_read() {
    let mut rebuilds = 0;
    for file in real_migrations() {
        let text = std::fs::read_to_string(&file).unwrap();
        let script = crate::sqlite::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let renames = text.matches("RENAME TO").count();
        assert_eq!(
            script.changes.len(),
            renames,
            "{}: each rename ends a rebuild",
            file.display()
        );
        rebuilds += renames;
    }
    println!("{rebuilds} table rebuilds");
}
