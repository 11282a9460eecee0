//! Rollback generators: what is taken and what is not.

use serde_json::json;
use tollgate_host::types::{Outcome, RollbackStep};
use tollgate_host::{PluginError, RollbackCall};
use tollgate_sql::Dialect;

use crate::support::{SCRIPT, call, host, request};

fn generate(mode: &str, preserve_data: bool) -> Result<Vec<RollbackStep>, PluginError> {
    let plugin = host().load(&request("undo", json!({ "mode": mode }))).unwrap();
    let question = call(Dialect::Sqlite, "CREATE TABLE u (b text);", SCRIPT);
    plugin.generate(&RollbackCall {
        server: question.server,
        preserve_data,
        preserve_in: Some("kept_".to_owned()),
        subject: question.subject,
    })
}

#[test]
fn sound_steps_come_through() {
    let steps = generate("sound", false).unwrap();
    assert_eq!(steps.iter().map(|step| step.undoes).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(steps[0].outcome, Outcome::Lossy("rows added since".to_owned()));
    assert_eq!(steps[1].sql, ["DROP TABLE t"]);
    let steps = generate("sound", true).unwrap();
    assert_eq!(steps[0].preserve, ["CREATE TABLE kept_t AS SELECT * FROM t"]);
    assert_eq!(
        generate("irreversible", false).unwrap()[0].outcome,
        Outcome::Irreversible("gone".to_owned())
    );
    assert_eq!(generate("declined", false).unwrap()[0].outcome, Outcome::Declined);
}

#[test]
fn unsound_steps_have_names() {
    let modes = [
        "missing",
        "twice",
        "no-such-statement",
        "bad-sql",
        "empty-sql",
        "commits",
        "begins",
        "declined-with-sql",
        "keeps-unasked",
        "unheard-of",
    ];
    let messages = modes.map(|mode| format!("{mode}: {}\n", generate(mode, false).unwrap_err()));
    insta::assert_snapshot!(messages.concat(), @r#"
    missing: plugin `undo` failed (invalid-output): returned no step for statement 0
    twice: plugin `undo` failed (invalid-output): returned two steps for statement 0
    no-such-statement: plugin `undo` failed (invalid-output): returned a step for statement 2 of a script with 2
    bad-sql: plugin `undo` failed (invalid-output): returned a step for statement 1 that has SQL that does not parse: syntax error near 'DROP' (line 1, column 6) in `DROP DROP t`
    empty-sql: plugin `undo` failed (invalid-output): returned a step for statement 1 that has SQL without a statement
    commits: plugin `undo` failed (invalid-output): returned a step for statement 1 that has SQL that does not parse: COMMIT without a BEGIN (line 1, column 15) in `DROP TABLE t; COMMIT; BEGIN; SELECT 1`
    begins: plugin `undo` failed (invalid-output): returned a step for statement 1 that begins or ends a transaction, which is the engine's to do: `BEGIN; DROP TABLE t; COMMIT`
    declined-with-sql: plugin `undo` failed (invalid-output): returned a step for statement 1 that is declined and yet has SQL
    keeps-unasked: plugin `undo` failed (invalid-output): returned a step for statement 1 that keeps data though nobody asked for that
    unheard-of: plugin `undo` failed (failed): no mode `unheard-of`
    "#);
}
