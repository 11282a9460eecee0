//! Opt-in: every statement of PostgreSQL's own test scripts, put to a real server and to our parser.
//!
//! `TOLLGATE_PG_REGRESS` names the folder of the scripts. psql runs them, because only psql understands all that stands in
//! them (its commands, variables, COPY data); the server's log gives back what psql sent. Every text is then prepared under
//! the server's usual settings: that tells whether the grammar takes it and whether it is one statement or several.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use postgres::{Client, NoTls, SimpleQueryMessage};
use tollgate_sql::{Dialect, ParseError, ParseErrorKind, Script, parse};
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase};

/// What our parser refuses though the server runs it, each by its name.
const BY_NAME: [ParseErrorKind; 2] = [ParseErrorKind::CopyFromStdin, ParseErrorKind::UnbalancedTransaction];

/// Source files of the server whose errors mean that a text could not be read at all.
const GRAMMAR: [&str; 4] = ["gram.y", "scan.l", "parser.c", "scansup.c"];

fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
    found.sort();
}

/// A server that writes down every text it is sent.
fn listening_server() -> Cluster {
    let settings = [
        ("logging_collector", "on"),
        ("log_destination", "jsonlog"),
        ("log_directory", "log"),
        ("log_filename", "statements"),
        ("log_rotation_size", "0"),
        ("log_statement", "all"),
        ("log_min_error_statement", "error"),
        ("statement_timeout", "2s"),
        ("max_connections", "50"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Cluster::start(&Setup {
        settings: settings.to_vec(),
        ..Setup::default()
    })
    .unwrap()
}

/// The texts that the server was sent, by database, in order.
fn sent(server: &Cluster) -> BTreeMap<String, Vec<String>> {
    let folder = server.admin("SHOW data_directory").unwrap();
    let log = std::fs::read(Path::new(folder.trim()).join("log/statements.json")).unwrap();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&log).lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let (Some(database), Some(message)) = (entry["dbname"].as_str(), entry["message"].as_str()) else {
            continue;
        };
        let text = match message.strip_prefix("statement: ") {
            Some(text) => Some(text),
            // What the grammar refuses is logged with its error only.
            None => entry["statement"].as_str(),
        };
        let texts = texts.entry(database.to_owned()).or_default();
        if let Some(text) = text.filter(|text| texts.last().is_none_or(|last| last != text)) {
            texts.push(text.to_owned());
        }
    }
    texts
}

/// What the server makes of a text.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The grammar refuses it, in these words.
    Refused(String),
    /// At most one statement, whatever else may be wrong with it.
    One,
    Several,
}

fn verdict(client: &mut Client, text: &str) -> Verdict {
    let Err(error) = client.prepare(text) else {
        return Verdict::One;
    };
    let Some(error) = error.as_db_error() else {
        panic!("{error}: {text}");
    };
    if error.message().starts_with("cannot insert multiple commands") {
        return Verdict::Several;
    }
    // A function's own text is read by the same grammar: then the text around it was taken.
    let inner = matches!(error.position(), Some(postgres::error::ErrorPosition::Internal { .. }));
    if !inner && error.file().is_some_and(|file| GRAMMAR.contains(&file)) {
        return Verdict::Refused(error.message().to_owned());
    }
    Verdict::One
}

/// Whether the server finds no statement at all. Only for texts that should hold none: it would run what it finds.
fn empty(client: &mut Client, text: &str) -> bool {
    // Alone, an empty text cannot be told from a statement that touches no row.
    let Ok(messages) = client.simple_query(&format!("{text}\n;SELECT 1")) else {
        return false;
    };
    let done = messages
        .iter()
        .filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)));
    done.count() == 1
}

/// Whether the server refuses in the same words to run it.
fn runs_into(client: &mut Client, text: &str, message: &str) -> bool {
    let refusal = client.simple_query(text).err();
    refusal.is_some_and(|error| error.as_db_error().is_some_and(|error| error.message() == message))
}

/// Our reading; a text that only begins a transaction is read with an end of it.
fn ours(text: &str) -> Result<Script, ParseError> {
    match parse(Dialect::Postgres, text) {
        Err(error) if error.kind == ParseErrorKind::UnbalancedTransaction => {
            let mut script = parse(Dialect::Postgres, &format!("{text}\n;COMMIT"))?;
            script.statements.pop();
            Ok(script)
        }
        other => other,
    }
}

#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    several: usize,
    refused: usize,
    by_name: BTreeMap<String, usize>,
    /// What only our newer grammar takes.
    newer: Vec<String>,
    problems: Vec<String>,
}

impl Tally {
    /// Compares one text; whether both read it.
    fn compare(&mut self, client: &mut Client, text: &str) -> bool {
        let theirs = verdict(client, text);
        match (theirs, ours(text)) {
            (Verdict::Refused(_), Err(_)) => self.refused += 1,
            (Verdict::Refused(message), Ok(_)) => self.newer.push(format!("{message}: {text}")),
            (_, Err(error)) if BY_NAME.contains(&error.kind) => {
                *self.by_name.entry(format!("{:?}", error.kind)).or_default() += 1;
                if error.kind == ParseErrorKind::CopyFromStdin {
                    // The grammar takes `FROM stdout` for the same.
                    let words = text.to_lowercase();
                    assert!(words.contains("copy") && words.contains(" from std"), "{text}");
                }
            }
            // Newer grammars refuse what older servers refuse as soon as the statement runs.
            (_, Err(error)) if runs_into(client, text, &error.message) => self.refused += 1,
            (_, Err(error)) => self.problems.push(format!("only the server takes it: {error}: {text}")),
            (theirs, Ok(script)) => {
                self.accepted += 1;
                if script.statements.len() > 1 {
                    self.several += 1;
                }
                if (theirs == Verdict::Several) != (script.statements.len() > 1) {
                    let count = script.statements.len();
                    self.problems.push(format!("{theirs:?}, for us {count}: {text}"));
                }
                self.statements(client, &script);
                return true;
            }
        }
        false
    }

    /// Every span is one statement for the server, and between the spans there is none.
    fn statements(&mut self, client: &mut Client, script: &Script) {
        let mut between = String::new();
        let mut end = 0;
        for statement in &script.statements {
            let text = statement.span.of(&script.text);
            between.push_str(&script.text[end..statement.span.start]);
            between.push(';');
            end = statement.span.end;
            if script.statements.len() > 1 && verdict(client, text) != Verdict::One {
                self.problems.push(format!("not one statement: {text}"));
            }
        }
        if !script.text.ends_with(";COMMIT") {
            between.push_str(&script.text[end..]);
        }
        if !empty(client, &between) {
            self.problems
                .push(format!("a statement between: {between}: {}", script.text));
        }
    }

    /// All texts of a script in one file give the same statements as each for itself.
    fn together(&mut self, name: &str, texts: &[&str]) {
        let spans = |script: &Script| -> Vec<String> {
            let spans = script
                .statements
                .iter()
                .map(|statement| statement.span.of(&script.text));
            spans.map(str::to_owned).collect()
        };
        let file = texts.join("\n;\n");
        let alone: Vec<String> = texts.iter().flat_map(|text| spans(&ours(text).unwrap())).collect();
        match ours(&file) {
            Ok(script) if spans(&script) == alone => {}
            Ok(script) => {
                let found = spans(&script);
                let first = alone.iter().zip(&found).find(|(one, other)| one != other);
                self.problems.push(format!("{name}: split differently: {first:?}"));
            }
            Err(error) => self.problems.push(format!("{name}: {error}")),
        }
    }
}

#[test]
fn what_the_server_reads_is_read_and_split_the_same() {
    let Some(folder) = std::env::var_os("TOLLGATE_PG_REGRESS") else {
        println!("skipped: TOLLGATE_PG_REGRESS names no folder of PostgreSQL's scripts");
        return;
    };
    let mut paths = Vec::new();
    scripts(&std::path::absolute(folder).unwrap(), &mut paths);
    assert!(!paths.is_empty(), "a folder without scripts");
    // Some scripts write files.
    let scratch = tempfile::tempdir().unwrap();
    std::env::set_current_dir(&scratch).unwrap();
    let server = listening_server();
    let databases: Vec<TestDatabase<'_>> = paths
        .iter()
        .map(|path| {
            let database = server.database();
            let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
            // Errors are part of the scripts, and nothing here depends on what comes of a statement.
            let _ = database.try_psql(&format!("\\set ON_ERROR_STOP 0\n{text}"));
            database
        })
        .collect();
    let sent = sent(&server);

    let judge = server.database();
    let mut client = Client::connect(&judge.url(), NoTls).unwrap();
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    for (path, database) in paths.iter().zip(&databases) {
        let texts = sent.get(&database.name).map(Vec::as_slice).unwrap_or_default();
        assert!(!texts.is_empty(), "nothing was sent for {}", path.display());
        let mut read: Vec<&str> = Vec::new();
        for text in texts {
            if seen.insert(text) && tally.compare(&mut client, text) {
                read.push(text);
            }
        }
        tally.together(&path.display().to_string(), &read);
    }
    println!(
        "{} scripts, {} different texts: {} accepted by both ({} of several statements), {} refused by both, {:?} refused \
         by name, {} of a newer grammar",
        paths.len(),
        seen.len(),
        tally.accepted,
        tally.several,
        tally.refused,
        tally.by_name,
        tally.newer.len()
    );
    if std::env::var_os("TOLLGATE_PRINT").is_some() {
        println!("{}", tally.newer.join("\n---\n"));
    }
    assert!(
        tally.problems.is_empty(),
        "{} problems:\n{}",
        tally.problems.len(),
        tally.problems.join("\n---\n")
    );
}
