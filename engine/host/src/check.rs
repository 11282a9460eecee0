//! Whether what a plugin returned can be believed: nothing of it reaches the floors above unchecked.

use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Script, Span};

use crate::limits::Limits;
use crate::log::printable;
use crate::types::{Description, Finding, Kind, Outcome, RollbackStep, Suggestion};

/// What is wrong with an answer, as the end of a sentence about the plugin.
pub(crate) type Problem = String;

/// Bytes of one text in a description. Explanations are pages, not books.
const DESCRIPTION_BYTES: usize = 64 << 10;

/// Rules of one plugin.
const RULES: usize = 1_000;

/// Checks a description and takes out what would not print.
pub(crate) fn description(kind: Kind, mut description: Description) -> Result<Description, Problem> {
    if description.name.is_empty() || description.version.is_empty() {
        return Err("describes itself without a name or version".to_owned());
    }
    if description.rules.len() > RULES {
        return Err(format!(
            "describes {} rules; at most {RULES} are allowed",
            description.rules.len()
        ));
    }
    if kind != Kind::Policy && !description.rules.is_empty() {
        return Err(format!("describes rules, and {} has none", kind.with_article()));
    }
    let limit = DESCRIPTION_BYTES;
    for text in [
        &mut description.name,
        &mut description.version,
        &mut description.summary,
    ] {
        clean(text, "description", limit, false)?;
    }
    let mut seen = std::collections::BTreeSet::new();
    for rule in &mut description.rules {
        if !is_kebab_case(&rule.id) {
            return Err(format!(
                "describes a rule `{}`; rules are named in kebab-case",
                shown(&rule.id)
            ));
        }
        if !seen.insert(rule.id.clone()) {
            return Err(format!("describes the rule `{}` twice", rule.id));
        }
        if let Some(odd) = rule.triggers.iter().find(|name| !is_kebab_case(name)) {
            return Err(format!(
                "describes a rule `{}` that waits for `{}`, which is no name of an operation",
                rule.id,
                shown(odd)
            ));
        }
        clean(&mut rule.summary, "rule's summary", limit, false)?;
        clean(&mut rule.explanation, "rule's explanation", limit, true)?;
        for example in [&mut rule.bad_example, &mut rule.good_example].into_iter().flatten() {
            clean(example, "rule's example", limit, true)?;
        }
    }
    if let Some(odd) = description.capabilities.iter().find(|name| !is_capability(name)) {
        return Err(format!(
            "asks for a capability `{}`, which is no name of one",
            shown(odd)
        ));
    }
    for (name, value) in &mut description.properties {
        clean(name, "property", limit, false)?;
        clean(value, "property", limit, true)?;
    }
    if let Some(schema) = &description.settings_schema
        && let Err(error) = serde_json::from_str::<serde_json::Value>(schema)
    {
        return Err(format!("describes a settings schema that is no JSON: {error}"));
    }
    Ok(description)
}

/// Capabilities are shown, granted and compared, so they are plain words.
fn is_capability(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'`')
}

fn is_kebab_case(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 100
        && id.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// Checks findings, takes out what would not print, and drops those of rules that are switched off.
pub(crate) fn findings(
    findings: Vec<Finding>,
    script: &Script,
    known: &Description,
    enabled: &[String],
    limits: &Limits,
) -> Result<Vec<Finding>, Problem> {
    if findings.len() > limits.findings {
        return Err(format!(
            "returned {} findings; at most {} are allowed",
            findings.len(),
            limits.findings
        ));
    }
    let mut kept = Vec::new();
    for (index, mut finding) in findings.into_iter().enumerate() {
        check_finding(&mut finding, script, known, limits)
            .map_err(|problem| format!("returned a finding (number {}) that {problem}", index + 1))?;
        if enabled.contains(&finding.rule) {
            kept.push(finding);
        }
    }
    Ok(kept)
}

fn check_finding(finding: &mut Finding, script: &Script, known: &Description, limits: &Limits) -> Result<(), Problem> {
    if known.rule(&finding.rule).is_none() {
        return Err(format!(
            "names the rule `{}`, which the plugin does not describe",
            shown(&finding.rule)
        ));
    }
    if let Some(statement) = finding.statement
        && statement >= script.statements.len()
    {
        return Err(format!(
            "is about statement {statement} of a script with {}",
            script.statements.len()
        ));
    }
    let limit = limits.message_bytes;
    clean(&mut finding.message, "message", limit, false)?;
    if finding.message.trim().is_empty() {
        return Err("has no message".to_owned());
    }
    if let Some(help) = &mut finding.help {
        clean(help, "help text", limit, true)?;
    }
    let text = &script.text;
    finding.span.map_or(Ok(()), |span| inside(span, text))?;
    few(finding.labels.len(), "labels", limits)?;
    for label in &mut finding.labels {
        inside(label.span, text)?;
        clean(&mut label.text, "label", limit, false)?;
    }
    few(finding.properties.len(), "properties", limits)?;
    for (name, value) in &mut finding.properties {
        clean(name, "property", limit, false)?;
        clean(value, "property", limit, true)?;
    }
    few(finding.suggestions.len(), "suggestions", limits)?;
    finding
        .suggestions
        .iter_mut()
        .try_for_each(|suggestion| check_suggestion(suggestion, text, limits))
}

fn check_suggestion(suggestion: &mut Suggestion, text: &str, limits: &Limits) -> Result<(), Problem> {
    clean(&mut suggestion.title, "suggestion", limits.message_bytes, false)?;
    few(suggestion.edits.len(), "edits", limits)?;
    suggestion.edits.iter().try_for_each(|edit| inside(edit.span, text))?;
    suggestion.edits.sort_by_key(|edit| edit.span);
    if suggestion
        .edits
        .windows(2)
        .any(|pair| pair[0].span.end > pair[1].span.start)
    {
        return Err("suggests edits that overlap".to_owned());
    }
    Ok(())
}

/// A span must be one that the text can be cut at.
fn inside(span: Span, text: &str) -> Result<(), Problem> {
    let Span { start, end } = span;
    if start > end {
        return Err(format!("points at bytes {start} to {end}, which is backwards"));
    }
    if end > text.len() {
        return Err(format!(
            "points at bytes {start} to {end} of a script that has {}",
            text.len()
        ));
    }
    if !text.is_char_boundary(start) || !text.is_char_boundary(end) {
        return Err(format!("points at bytes {start} to {end}, which is inside a character"));
    }
    Ok(())
}

fn few(count: usize, what: &str, limits: &Limits) -> Result<(), Problem> {
    if count > limits.finding_parts {
        return Err(format!(
            "has {count} {what}; at most {} are allowed",
            limits.finding_parts
        ));
    }
    Ok(())
}

/// Refuses what is too long and takes out what would not print.
fn clean(text: &mut String, what: &str, limit: usize, keep_lines: bool) -> Result<(), Problem> {
    if text.len() > limit {
        return Err(format!(
            "has a {what} of {} bytes; at most {limit} are allowed",
            text.len()
        ));
    }
    // Nearly every text is plain, and there are many.
    let plain = |byte: u8| matches!(byte, b' '..=b'~') || (keep_lines && byte == b'\n');
    if !text.bytes().all(plain) {
        let mut all = limit;
        *text = printable(text, keep_lines, &mut all);
    }
    Ok(())
}

/// Something a plugin wrote, short enough for a message of ours.
fn shown(text: &str) -> String {
    printable(text, false, &mut 80)
}

/// Checks a rollback: each statement exactly once, only outcomes that fit their SQL, and SQL that the server reads.
pub(crate) fn steps(
    steps: Vec<RollbackStep>,
    script: &Script,
    preserve_data: bool,
    limits: &Limits,
) -> Result<Vec<RollbackStep>, Problem> {
    let mut covered = vec![false; script.statements.len()];
    let mut checked = Vec::with_capacity(steps.len());
    for mut step in steps {
        match covered.get_mut(step.undoes) {
            None => {
                return Err(format!(
                    "returned a step for statement {} of a script with {}",
                    step.undoes,
                    script.statements.len()
                ));
            }
            Some(true) => return Err(format!("returned two steps for statement {}", step.undoes)),
            Some(seen) => *seen = true,
        }
        check_step(&mut step, script.dialect, preserve_data, limits)
            .map_err(|problem| format!("returned a step for statement {} that {problem}", step.undoes))?;
        checked.push(step);
    }
    match covered.iter().position(|seen| !seen) {
        Some(missing) => Err(format!("returned no step for statement {missing}")),
        None => Ok(checked),
    }
}

fn check_step(step: &mut RollbackStep, dialect: Dialect, preserve_data: bool, limits: &Limits) -> Result<(), Problem> {
    match &mut step.outcome {
        Outcome::Lossless => {}
        Outcome::Lossy(reason) => clean(reason, "reason", limits.message_bytes, true)?,
        Outcome::Irreversible(reason) => {
            clean(reason, "reason", limits.message_bytes, true)?;
            no_sql(step, "irreversible")?;
        }
        Outcome::Declined => no_sql(step, "declined")?,
    }
    if !preserve_data && !step.preserve.is_empty() {
        return Err("keeps data though nobody asked for that".to_owned());
    }
    step.sql
        .iter()
        .chain(&step.preserve)
        .try_for_each(|sql| parses(sql, dialect))
}

fn no_sql(step: &RollbackStep, outcome: &str) -> Result<(), Problem> {
    if step.sql.is_empty() && step.preserve.is_empty() {
        return Ok(());
    }
    Err(format!("is {outcome} and yet has SQL"))
}

fn parses(sql: &str, dialect: Dialect) -> Result<(), Problem> {
    // So it is with nearly all of them.
    if tollgate_sql::defines(dialect, sql) {
        return Ok(());
    }
    let script = tollgate_sql::parse(dialect, sql)
        .map_err(|error| format!("has SQL that does not parse: {error} in `{}`", shown(sql)))?;
    if script.statements.is_empty() {
        return Err("has SQL without a statement".to_owned());
    }
    let controls = script
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .any(|effect| matches!(effect.operation, Operation::Transaction(_)));
    if controls {
        return Err(format!(
            "begins or ends a transaction, which is the engine's to do: `{}`",
            shown(sql)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is let through can be cut out of the text, and only that.
        #[test]
        fn spans_are_let_through_when_the_text_can_be_cut_there(
            text in "[a-zé€😀\n]{0,12}", start in 0_usize..60, end in 0_usize..60,
        ) {
            prop_assert_eq!(inside(Span::new(start, end), &text).is_ok(), text.get(start..end).is_some());
        }

        #[test]
        fn what_was_cleaned_prints(text in any::<String>()) {
            let mut cleaned = text;
            let length = cleaned.len();
            prop_assert!(clean(&mut cleaned, "text", 1_000_000, true).is_ok());
            prop_assert!(cleaned.len() <= length);
            prop_assert!(!cleaned.chars().any(|character| character.is_control() && character != '\n'));
        }
    }

    #[test]
    fn names_of_rules() {
        for (name, sound) in [
            ("drop-table", true),
            ("utf8", true),
            ("", false),
            ("Drop-table", false),
            ("drop--table", false),
            ("-drop", false),
            ("drop_table", false),
        ] {
            assert_eq!(is_kebab_case(name), sound, "{name}");
        }
    }
}
