//! `identifier-too-long`: names that the server cuts.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    ConstraintDefinition, ConstraintKind, Dialect, Edit, ObjectName, Operation, Severity, Span, Statement, Suggestion,
};

use crate::tokens::{Token, tokens};

pub(super) const RULE: Rule = Rule {
    id: "identifier-too-long",
    summary: "a name of more than 63 bytes, which PostgreSQL cuts",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports names of more than 63 bytes, and (as *low*) indexes and constraints without a name for which the server \
would make up a longer one. Bytes count, not letters: an `ü` is two of them.

**Why it matters.** PostgreSQL keeps the first 63 bytes and says so only in a notice. The object then has another name than the \
script says, two names that begin alike become the same one, and a tool that compares the script with the database sees a difference.

**Instead.** Choose a shorter name. The fix writes the name that the server makes of it.",
    bad: "CREATE INDEX observations_project_id_trace_id_parent_observation_id_start_time_idx ON observations (project_id);",
    good: "CREATE INDEX observations_project_trace_parent_start_idx ON observations (project_id);",
    check,
    ..Rule::DEFAULT
};

/// `NAMEDATALEN` less the closing zero.
const LONGEST: usize = 63;

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut found: Vec<Long> = Vec::new();
    let worth_reading = may_hold_long_name(context.migration.text());
    for statement in context.migration.statements().iter().filter(|_| worth_reading) {
        collect(context, statement, &mut found);
    }
    for long in &found {
        let kept = cut(&long.name);
        let twin = found
            .iter()
            .find(|other| other.name != long.name && cut(&other.name) == kept);
        let mut message = format!(
            "the name {} has {} bytes: PostgreSQL cuts it to {kept}",
            long.name,
            long.name.len()
        );
        if let Some(twin) = twin {
            message.push_str(&format!(", and {} to the same", twin.name));
        }
        let finding = findings.report_at(long.statement, long.places[0].0, message);
        finding.help(format!("choose a name of at most {LONGEST} bytes"));
        if twin.is_none() {
            let edit = |(at, quoted): &(Span, bool)| {
                let text = if *quoted {
                    format!("\"{}\"", kept.replace('"', "\"\""))
                } else {
                    kept.to_owned()
                };
                Edit::replace(*at, text)
            };
            let edits = long.places.iter().map(edit).collect();
            // The server makes the same name of both spellings, so nothing changes.
            finding.suggest(Suggestion::automatic("write the name that the server keeps", edits));
        }
    }
    for step in context.steps() {
        made_up(findings, &step);
    }
}

/// A long name with every place where the script writes it.
struct Long {
    name: String,
    statement: u32,
    /// With quotes or without.
    places: Vec<(Span, bool)>,
}

/// Somewhere are more bytes in a row than a name can have: letters and the like, or whatever stands between two quotes on
/// one line. Nearly all scripts have none and need not be read word by word.
fn may_hold_long_name(text: &str) -> bool {
    // Every byte of every script comes by here, so short lines are passed over.
    let long = text.split('\n').filter(|line| line.len() > LONGEST);
    long.into_iter()
        .any(|line| holds_long_run(line.as_bytes()) || holds_long_quoted(line))
}

/// More than that many letters in a row. One of them would stand where it is looked first: at the end of each stretch.
fn holds_long_run(line: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    let mut from = 0;
    while let Some(stretch) = line.get(from..=from + LONGEST) {
        match stretch.iter().rposition(|byte| !is_letter(byte)) {
            Some(other) => from += other + 1,
            None => return true,
        }
    }
    false
}

/// More than that many bytes behind a quote, up to the next or to the end of the line.
fn holds_long_quoted(line: &str) -> bool {
    line.split('"').skip(1).any(|between| between.len() > LONGEST)
}

/// What the server keeps of a name.
fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST)]
}

fn collect(context: &Context<'_>, statement: &Statement, found: &mut Vec<Long>) {
    let text = context.migration.text();
    let mut waiting = vec![statement.span];
    let mut first = true;
    while let Some(span) = waiting.pop() {
        let words = tokens(text, span, Dialect::Postgres);
        // The body of a block or function is a script of its own.
        let code = first && has_body(&words);
        first = false;
        for token in &words {
            if code {
                waiting.extend(token.dollar_quoted());
            }
            let name = token.name(Dialect::Postgres).filter(|name| name.len() > LONGEST);
            let Some(name) = name else { continue };
            let place = (token.at, token.is_quoted());
            match found.iter_mut().find(|long| long.name == name) {
                Some(long) => long.places.push(place),
                None => found.push(Long {
                    name,
                    statement: statement.index,
                    places: vec![place],
                }),
            }
        }
    }
}

/// DO, or CREATE [OR REPLACE] FUNCTION or PROCEDURE.
fn has_body(words: &[Token<'_>]) -> bool {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is_word(word));
    let create = is(0, "create");
    let at = if is(1, "or") { 3 } else { 1 };
    is(0, "do") || (create && (is(at, "function") || is(at, "procedure")))
}

/// Names that the server makes up and has to shorten for it.
fn made_up(findings: &mut Findings<'_>, step: &Step<'_>) {
    match &step.effect.operation {
        Operation::CreateTable(created) => {
            for constraint in &created.constraints {
                report_made_up(findings, step, &created.name, constraint);
            }
        }
        Operation::AddColumn(added) => {
            for constraint in &added.constraints {
                report_made_up(findings, step, &added.table, constraint);
            }
        }
        Operation::AddConstraint(added) => report_made_up(findings, step, &added.table, &added.constraint),
        Operation::CreateIndex(index) if index.name.is_none() => {
            let columns: Vec<&str> = index.key_columns().unwrap_or_default();
            report_length(findings, step, &index.table, "index", &columns, "idx");
        }
        _ => {}
    }
}

fn report_made_up(findings: &mut Findings<'_>, step: &Step<'_>, table: &ObjectName, constraint: &ConstraintDefinition) {
    let (what, label) = match constraint.kind {
        ConstraintKind::PrimaryKey => ("primary key", "pkey"),
        ConstraintKind::Unique => ("unique constraint", "key"),
        ConstraintKind::ForeignKey => ("foreign key", "fkey"),
        ConstraintKind::Check | ConstraintKind::Exclude | ConstraintKind::NotNull => return,
    };
    if constraint.name.is_some() || constraint.using_index.is_some() {
        return;
    }
    let columns: Vec<&str> = if label == "pkey" {
        Vec::new()
    } else {
        constraint.columns.iter().map(String::as_str).collect()
    };
    report_length(findings, step, table, what, &columns, label);
}

fn report_length(
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    table: &ObjectName,
    what: &str,
    columns: &[&str],
    label: &str,
) {
    let parts = std::iter::once(table.name.as_str()).chain(columns.iter().copied());
    let name = parts.chain([label]).collect::<Vec<_>>().join("_");
    if name.len() <= LONGEST {
        return;
    }
    let message = format!(
        "the {what} of {} has no name, and {name}, which PostgreSQL would make up, is cut: it has {} bytes",
        table.short(),
        name.len()
    );
    findings
        .report(step, message)
        .severity(Severity::Low)
        .help(format!("give it a name of at most {LONGEST} bytes"));
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Automatic;
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const A63: &str = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg";

    #[test]
    fn longer_names_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            &format!("CREATE TABLE {A63}X (b int);"),
            Medium,
            &format!("the name {A63}x has 64 bytes: PostgreSQL cuts it to {A63}"),
        );
        rule.reports(
            "",
            &format!("ALTER TABLE s.t ADD COLUMN \"{A63}YZ\" int;"),
            Medium,
            &format!("the name {A63}YZ has 65 bytes: PostgreSQL cuts it to {A63}"),
        );
        rule.reports(
            "",
            &format!("DO $$ BEGIN CREATE INDEX {A63}x ON t (c); END $$;"),
            Medium,
            &format!("the name {A63}x has 64 bytes: PostgreSQL cuts it to {A63}"),
        );
    }

    #[test]
    fn bytes_count_and_letters_stay_whole() {
        let rule = postgres(&RULE);
        let start = &A63[..62];
        rule.reports(
            "",
            &format!("CREATE TABLE \"{start}ü\" (b int);"),
            Medium,
            &format!("the name {start}ü has 64 bytes: PostgreSQL cuts it to {start}"),
        );
        rule.ignores("", &format!("CREATE TABLE \"{}ü\" (b int);", &A63[..61]));
        let quotes = format!("CREATE TABLE \"{}\"\"\" (b int);", &A63[..62]);
        rule.ignores("", &quotes);
    }

    #[test]
    fn names_that_fit_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", &format!("CREATE INDEX {A63} ON t (c);"));
        rule.ignores("", &format!("INSERT INTO t VALUES ('{A63}x', $${A63}x$$);"));
        rule.ignores("", &format!("-- {A63}x\nDROP TABLE t;"));
        rule.ignores("", "CREATE INDEX ON t (c);");
    }

    #[test]
    fn one_name_is_reported_once() {
        postgres(&RULE).reports(
            "",
            &format!("CREATE INDEX {A63}x ON t (c); DROP INDEX {A63}x; DROP INDEX \"{A63}x\";"),
            Medium,
            &format!("the name {A63}x has 64 bytes: PostgreSQL cuts it to {A63}"),
        );
    }

    #[test]
    fn two_names_may_become_one() {
        let script = format!("CREATE INDEX {A63}x ON t (c); CREATE INDEX {A63}y ON t (d);");
        let findings = postgres(&RULE).on("").check(&script);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].message.ends_with(&format!(", and {A63}y to the same")));
        assert!(findings.iter().all(|finding| finding.suggestions.is_empty()));
    }

    #[test]
    fn names_that_the_server_makes_up_are_cut_too() {
        let rule = postgres(&RULE);
        let table = &A63[..40];
        rule.reports(
            "",
            &format!("CREATE INDEX ON {table} (parent_observation_id);"),
            Low,
            &format!(
                "the index of {table} has no name, and {table}_parent_observation_id_idx, which PostgreSQL would make up, \
                 is cut: it has 66 bytes"
            ),
        );
        rule.reports(
            "",
            &format!("CREATE TABLE {table} (parent_observation_id int REFERENCES t (id));"),
            Low,
            &format!(
                "the foreign key of {table} has no name, and {table}_parent_observation_id_fkey, which PostgreSQL would \
                 make up, is cut: it has 67 bytes"
            ),
        );
        rule.ignores("", &format!("CREATE TABLE {table} (id int PRIMARY KEY);"));
        rule.ignores(
            "",
            &format!("CREATE TABLE {table} (parent_observation_id int CONSTRAINT fk REFERENCES t (id));"),
        );
    }

    #[test]
    fn the_fix_writes_what_the_server_keeps() {
        let script = format!("CREATE INDEX \"{A63}X\" ON t (c);\nCOMMENT ON INDEX \"{A63}X\" IS 'x';");
        assert_eq!(
            fixed(&RULE, &script, Automatic),
            format!("CREATE INDEX \"{A63}\" ON t (c);\nCOMMENT ON INDEX \"{A63}\" IS 'x';")
        );
    }
}
