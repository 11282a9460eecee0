//! A migration cut into the transactions that a deploy runs it in, as the engine's executor cuts it.
//!
//! Statements that the server runs only outside a transaction stand alone, a file's own BEGIN … COMMIT stays what it is,
//! and whatever lies between is one transaction. `-- tollgate:transaction off` above the first statement makes every
//! statement one of its own.

use tollgate_plugin::rules::Context;
use tollgate_plugin::{Operation, Statement};

use crate::tokens;

/// Who begins and ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The engine, around statements that say nothing of transactions.
    Engine,
    /// The file: BEGIN … COMMIT.
    Own,
    /// The file, which ends it with ROLLBACK or PREPARE TRANSACTION: nothing of it is there at its end.
    Discarded,
    /// One statement that runs outside any transaction, or manages its own.
    Alone,
}

/// Statements that are committed together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transaction<'a> {
    /// Who begins and ends it.
    pub(crate) kind: Kind,
    /// With the BEGIN and COMMIT of the file.
    pub(crate) statements: &'a [Statement],
}

impl<'a> Transaction<'a> {
    /// The statement is one of them.
    pub(crate) fn contains(&self, statement: &Statement) -> bool {
        self.statements.iter().any(|of| of.index == statement.index)
    }

    /// Those that run before `statement`.
    pub(crate) fn before(&self, statement: &Statement) -> impl Iterator<Item = &'a Statement> + use<'a> {
        let index = statement.index;
        self.statements.iter().filter(move |of| of.index < index)
    }

    /// Those that run after `statement`.
    pub(crate) fn after(&self, statement: &Statement) -> impl Iterator<Item = &'a Statement> + use<'a> {
        let index = statement.index;
        self.statements.iter().filter(move |of| of.index > index)
    }
}

/// What the file's own comment says about its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `-- tollgate:transaction on`: one that holds everything.
    Whole,
    /// `-- tollgate:transaction off`: one for each statement.
    EachStatement,
}

/// The transactions of a migration, by statement.
#[derive(Debug, Clone)]
pub(crate) struct Transactions<'a> {
    /// What the file asks for.
    pub(crate) wanted: Option<Wanted>,
    all: Vec<Transaction<'a>>,
}

impl<'a> Transactions<'a> {
    /// Reads the script.
    pub(crate) fn of(context: &Context<'a>) -> Self {
        Self {
            wanted: wanted(context),
            all: of(context),
        }
    }

    /// The transaction that a statement runs in.
    pub(crate) fn containing(&self, statement: &Statement) -> Option<&Transaction<'a>> {
        self.all.iter().find(|transaction| transaction.contains(statement))
    }

    /// Both are committed in the same transaction.
    pub(crate) fn are_together(&self, left: &Statement, right: &Statement) -> bool {
        self.containing(left)
            .is_some_and(|transaction| transaction.contains(right))
    }

    /// The file itself wants the statement inside a transaction.
    pub(crate) fn is_fixed(&self, statement: &Statement) -> bool {
        self.wanted == Some(Wanted::Whole) || self.begin_of(statement).is_some()
    }

    /// The statement that begins the file's own transaction around this one.
    pub(crate) fn begin_of(&self, statement: &Statement) -> Option<u32> {
        let transaction = self.containing(statement)?;
        let own = matches!(transaction.kind, Kind::Own | Kind::Discarded);
        transaction.statements.first().filter(|_| own).map(|begin| begin.index)
    }
}

/// All transactions, in order.
pub(crate) fn of<'a>(context: &Context<'a>) -> Vec<Transaction<'a>> {
    let statements = context.migration.statements();
    let text = context.migration.text();
    let wanted = wanted(context);
    let stands_alone = |statement: &Statement| stands_alone(context, wanted, statement);
    let mut found: Vec<Transaction<'a>> = Vec::new();
    let mut from = 0;
    while from < statements.len() {
        let (kind, length) = if control(&statements[from]) == Some("begin") {
            own(&statements[from..], text)
        } else if stands_alone(&statements[from]) {
            (Kind::Alone, 1)
        } else if wanted == Some(Wanted::EachStatement) {
            (Kind::Engine, 1)
        } else {
            let together = |statement: &&Statement| control(statement) != Some("begin") && !stands_alone(statement);
            (Kind::Engine, statements[from..].iter().take_while(together).count())
        };
        from += length;
        found.push(Transaction {
            kind,
            statements: &statements[from - length..from],
        });
        // COMMIT AND CHAIN begins the next one at once.
        while from < statements.len() && kind != Kind::Alone && chains(&statements[from - 1], text) {
            let (kind, length) = own(&statements[from..], text);
            from += length;
            found.push(Transaction {
                kind,
                statements: &statements[from - length..from],
            });
        }
    }
    found
}

/// What the comments above the first statement ask for.
pub(crate) fn wanted(context: &Context<'_>) -> Option<Wanted> {
    let first = context.migration.statements().first()?;
    context
        .migration
        .text()
        .get(..first.span.start as usize)
        .and_then(wanted_in)
}

fn wanted_in(head: &str) -> Option<Wanted> {
    head.lines().find_map(|line| {
        let comment = line.trim_start_matches('\u{feff}').trim_start().strip_prefix("--")?;
        let value = comment.trim_start().strip_prefix("tollgate:transaction")?;
        match value.split_whitespace().next()? {
            "on" => Some(Wanted::Whole),
            "off" => Some(Wanted::EachStatement),
            _ => None,
        }
    })
}

/// The word of a statement that controls transactions: `begin`, `commit`, `savepoint`, …
pub(crate) fn control(statement: &Statement) -> Option<&str> {
    match &statement.effects.first()?.operation {
        Operation::TransactionControl(word) => Some(word),
        _ => None,
    }
}

/// A DO block that commits: it cannot run inside a transaction of somebody else.
pub(crate) fn commits_itself(statement: &Statement, text: &str) -> bool {
    let word = statement.span.of(text).get(..2);
    !statement.transactional && word.is_some_and(|word| word.eq_ignore_ascii_case("do"))
}

/// In the body of a routine COMMIT or ROLLBACK stands where a statement can begin.
pub(crate) fn commits(body: &str) -> bool {
    let words = tokens::read(body);
    words.iter().enumerate().any(|(at, word)| {
        let begins = at
            .checked_sub(1)
            .and_then(|last| words.get(last))
            .is_none_or(|last| last.is_symbol(";") || BLOCK_WORDS.iter().any(|word| last.is(word)));
        let ends = words
            .get(at + 1)
            .is_some_and(|next| next.is_symbol(";") || next.is("and") || next.is("work"));
        begins && ends && (word.is("commit") || word.is("rollback"))
    })
}

/// Words of PL/pgSQL that a statement may follow.
const BLOCK_WORDS: [&str; 4] = ["begin", "loop", "then", "else"];

/// Kind and length of the transaction that the first of `statements` begins or goes on with.
fn own(statements: &[Statement], text: &str) -> (Kind, usize) {
    for (at, statement) in statements.iter().enumerate() {
        match control(statement) {
            Some("commit") => return (Kind::Own, at + 1),
            Some("rollback") if chains(statement, text) => return (Kind::Own, at + 1),
            Some("rollback" | "prepared") => return (Kind::Discarded, at + 1),
            _ => {}
        }
    }
    (Kind::Own, statements.len())
}

/// COMMIT AND CHAIN, ROLLBACK AND CHAIN.
fn chains(statement: &Statement, text: &str) -> bool {
    matches!(control(statement), Some("commit" | "rollback")) && {
        let words = tokens::read(statement.span.of(text));
        words.iter().any(|word| word.is("chain")) && !words.iter().any(|word| word.is("no"))
    }
}

/// It does not run in a transaction of the engine with others around it.
fn stands_alone(context: &Context<'_>, wanted: Option<Wanted>, statement: &Statement) -> bool {
    if !statement.transactional || matches!(control(statement), Some("commit" | "rollback" | "prepared")) {
        return true;
    }
    if wanted == Some(Wanted::Whole) {
        return false;
    }
    let adds_value = |operation: &Operation| matches!(operation, Operation::AddEnumValue(_));
    context.server().older_than(12) && statement.effects.iter().any(|effect| adds_value(&effect.operation))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::rules::{Context, Findings, Rule};
    use tollgate_plugin::{
        Catalog, Description, Failure, Finding, Migration, NoSettings, Policy, PolicyRequest, SettingsIssue, testing,
    };

    use super::{Wanted, of, wanted_in};

    /// Says which transactions it sees.
    struct Shows;

    const SHOW: Rule = Rule {
        id: "show",
        summary: "shows",
        check: show,
        ..Rule::DEFAULT
    };

    fn show(context: &Context<'_>, findings: &mut Findings<'_>) {
        let shown: Vec<String> = of(context)
            .iter()
            .map(|transaction| {
                let indexes: Vec<u32> = transaction.statements.iter().map(|of| of.index).collect();
                format!("{:?}{indexes:?}", transaction.kind)
            })
            .collect();
        findings.report_script(format!(".{}", shown.join(" ")));
    }

    impl Policy for Shows {
        type Settings = NoSettings;

        fn describe() -> Description {
            Description::new("shows", "1.0.0", "shows").rules(&[SHOW])
        }

        fn configure(_: NoSettings) -> Result<Self, Vec<SettingsIssue>> {
            Ok(Self)
        }

        fn check(
            &self,
            request: &PolicyRequest,
            migration: &Migration<'_>,
            before: &dyn Catalog,
            after: &dyn Catalog,
        ) -> Result<Vec<Finding>, Failure> {
            Ok(tollgate_plugin::rules::check(
                &[SHOW],
                request,
                migration,
                before,
                after,
            ))
        }
    }

    fn shown(test: &testing::Test<Shows>, script: &str) -> String {
        test.check(script)[0].message[1..].to_owned()
    }

    #[test]
    fn statements_are_cut_as_the_engine_cuts_them() {
        let index = "CREATE INDEX CONCURRENTLY i ON a (b);";
        let block = "do $$ BEGIN LOOP UPDATE a SET b = 1; COMMIT; END LOOP; END $$;";
        for (script, expected) in [
            ("", ""),
            ("SELECT 1; SELECT 2;", "Engine[0, 1]"),
            (
                &format!("SELECT 1; {index} SELECT 2; SELECT 3;"),
                "Engine[0] Alone[1] Engine[2, 3]",
            ),
            ("-- why\nBEGIN; SELECT 1; COMMIT;", "Own[0, 1, 2]"),
            (
                "SELECT 0; BEGIN; SELECT 1; END; SELECT 2;",
                "Engine[0] Own[1, 2, 3] Engine[4]",
            ),
            (
                "START TRANSACTION; SELECT 1; ROLLBACK; SELECT 2;",
                "Discarded[0, 1, 2] Engine[3]",
            ),
            (
                "BEGIN; SAVEPOINT s; SELECT 1; ROLLBACK TO s; RELEASE s; COMMIT;",
                "Own[0, 1, 2, 3, 4, 5]",
            ),
            (
                "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; COMMIT; SELECT 3;",
                "Own[0, 1, 2] Own[3, 4] Engine[5]",
            ),
            ("BEGIN; SELECT 1; COMMIT AND NO CHAIN;", "Own[0, 1, 2]"),
            ("SELECT 1; COMMIT; SELECT 2;", "Engine[0] Alone[1] Engine[2]"),
            (&format!("SELECT 1; {block} SELECT 2;"), "Engine[0] Alone[1] Engine[2]"),
            (
                "SELECT 1; DO $$ BEGIN UPDATE a SET b = 'commit;'; END $$;",
                "Engine[0, 1]",
            ),
            (
                "-- tollgate:transaction off -- batches\nSELECT 1; SELECT 2; BEGIN; SELECT 3; COMMIT;",
                "Engine[0] Engine[1] Own[2, 3, 4]",
            ),
            ("VACUUM; SELECT 1; ALTER TYPE e ADD VALUE 'x';", "Alone[0] Engine[1, 2]"),
        ] {
            assert_eq!(shown(&testing::policy::<Shows>(), script), expected, "{script}");
        }
    }

    #[test]
    fn an_old_server_commits_an_enum_value_by_itself() {
        let script = "SELECT 1; ALTER TYPE e ADD VALUE 'x'; SELECT 2;";
        let old = testing::policy::<Shows>().version(11, 0, 0);
        assert_eq!(shown(&old, script), "Engine[0] Alone[1] Engine[2]");
        let newer = testing::policy::<Shows>().version(12, 0, 0);
        assert_eq!(shown(&newer, script), "Engine[0, 1, 2]");
    }

    #[test]
    fn the_comment_above_the_first_statement_counts() {
        assert_eq!(
            wanted_in("-- a\n--tollgate:transaction off -- why\n"),
            Some(Wanted::EachStatement)
        );
        assert_eq!(wanted_in("\u{feff}-- tollgate:transaction on\n"), Some(Wanted::Whole));
        assert_eq!(wanted_in("-- about tollgate:transaction on\n"), None);
        assert_eq!(wanted_in("-- tollgate:transaction maybe\n"), None);
    }
}
