//! A rollback generator that answers each statement as its setting `mode` says.

wit_bindgen::generate!({ path: "../../../wit", world: "rollback-plugin" });

use std::sync::OnceLock;

use exports::tollgate::plugin::rollback::{Outcome, Request, Step};
use exports::tollgate::plugin::{about, rollback};
use tollgate::plugin::catalog::Snapshot;
use tollgate::plugin::script::Migration;
use tollgate::plugin::types::{Description, Failure, SettingsIssue};

static MODE: OnceLock<String> = OnceLock::new();

struct Guest;

impl about::Guest for Guest {
    fn describe() -> Description {
        Description {
            name: "undo".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Answers each statement as its setting says.".to_owned(),
            rules: Vec::new(),
            capabilities: Vec::new(),
            settings_schema: None,
            properties: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        // `{"mode":"…"}` is all that the tests pass.
        let mode = settings.split('"').nth(3).unwrap_or("sound");
        MODE.set(mode.to_owned()).map_err(|_| Vec::new())
    }
}

fn step(undoes: u32, outcome: Outcome, sql: &[&str]) -> Step {
    Step {
        undoes,
        outcome,
        preserve: Vec::new(),
        sql: sql.iter().map(|&sql| sql.to_owned()).collect(),
        transactional: true,
    }
}

impl rollback::Guest for Guest {
    fn generate(
        request: Request,
        migration: &Migration,
        _: &Snapshot,
        _: &Snapshot,
    ) -> Result<Vec<Step>, Failure> {
        let mode = MODE.get().map_or("sound", String::as_str);
        let count = u32::try_from(migration.statements().len()).unwrap_or(u32::MAX);
        let mut steps: Vec<Step> =
            (0..count).rev().map(|index| step(index, Outcome::Lossless, &["DROP TABLE t"])).collect();
        match mode {
            "sound" => {
                steps[0].outcome = Outcome::Lossy("rows added since".to_owned());
                if request.preserve_data {
                    let kept = request.preserve_in.unwrap_or_default();
                    steps[0].preserve = vec![format!("CREATE TABLE {kept}t AS SELECT * FROM t")];
                }
            }
            "irreversible" => steps[0] = step(count - 1, Outcome::Irreversible("gone".to_owned()), &[]),
            "declined" => steps[0] = step(count - 1, Outcome::Declined, &[]),
            "missing" => steps.truncate(1),
            "twice" => steps.push(step(0, Outcome::Lossless, &[])),
            "no-such-statement" => steps.push(step(count, Outcome::Lossless, &[])),
            "bad-sql" => steps[0] = step(count - 1, Outcome::Lossless, &["DROP DROP t"]),
            "empty-sql" => steps[0] = step(count - 1, Outcome::Lossless, &["-- nothing"]),
            "commits" => {
                steps[0] = step(count - 1, Outcome::Lossless, &["DROP TABLE t; COMMIT; BEGIN; SELECT 1"]);
            }
            "begins" => steps[0] = step(count - 1, Outcome::Lossless, &["BEGIN; DROP TABLE t; COMMIT"]),
            "declined-with-sql" => steps[0] = step(count - 1, Outcome::Declined, &["DROP TABLE t"]),
            "keeps-unasked" => steps[0].preserve = vec!["CREATE TABLE kept AS SELECT 1".to_owned()],
            mode => return Err(Failure { message: format!("no mode `{mode}`"), retryable: false }),
        }
        Ok(steps)
    }
}

export!(Guest);
