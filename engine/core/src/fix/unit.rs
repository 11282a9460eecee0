//! One migration that is being fixed: which suggestions are followed next, and whether the last ones have helped.

use std::collections::BTreeMap;

use tollgate_host::types::{Edit, Finding, Severity, Suggestion};
use tollgate_sql::Dialect;

use super::edits::{self, collide, line_ending, with_line_ending};
use super::{AppliedFix, FOLLOWING};
use crate::check::CheckedMigration;
use crate::folder::MigrationFile;
use crate::plan;
use crate::policy::JudgedFinding;

/// A policy and its rule.
type Key = (String, String);
type Counts = BTreeMap<Key, usize>;

/// One migration, with the migrations that follow out of it.
pub(super) struct Unit {
    /// Its place in the folder.
    pub(super) at: usize,
    file: MigrationFile,
    /// The scripts: its own, and those that follow.
    pub(super) parts: Vec<String>,
    /// Their names.
    pub(super) names: Vec<String>,
    /// What has been done.
    pub(super) fixes: Vec<AppliedFix>,
    /// What had been done when it was refused.
    pub(super) tried: Vec<AppliedFix>,
    /// Why it stays as it was.
    pub(super) refused: Option<String>,
    /// There is nothing more to do.
    pub(super) rests: bool,
    /// What was found before anything was changed.
    originally: Option<Counts>,
    /// What the last round did.
    step: Option<Step>,
    /// Several suggestions may share one following migration.
    merge: bool,
    merged: bool,
}

/// What one round did.
struct Step {
    /// Of each part that was changed: how many findings there were, and how many of them should be gone.
    parts: BTreeMap<usize, (Counts, Counts)>,
    /// A part was added: the last one until then.
    last_before: Option<String>,
}

/// A suggestion that could be followed.
struct Candidate<'f> {
    part: usize,
    key: Key,
    suggestion: &'f Suggestion,
    following: Option<&'f str>,
    fix: AppliedFix,
}

impl Unit {
    pub(super) fn new(at: usize, file: &MigrationFile) -> Self {
        Self {
            at,
            file: file.clone(),
            parts: vec![file.text.clone()],
            names: vec![file.name.clone()],
            fixes: Vec::new(),
            tried: Vec::new(),
            refused: None,
            rests: false,
            originally: None,
            step: None,
            merge: true,
            merged: false,
        }
    }

    /// The migration as it is on disk.
    pub(super) fn file(&self) -> &MigrationFile {
        &self.file
    }

    /// The last round has made a following migration.
    pub(super) fn was_split(&self) -> bool {
        self.last_before().is_some()
    }

    /// The name of the last part before the last round split one.
    pub(super) fn last_before(&self) -> Option<&str> {
        self.step.as_ref()?.last_before.as_deref()
    }

    /// The migration stays as it was. Where several suggestions shared a following migration, each first gets one of
    /// its own.
    pub(super) fn refuse(&mut self, why: &str) {
        if self.merged && self.merge {
            self.merge = false;
        } else {
            self.refused = Some(why.to_owned());
            self.rests = true;
            self.tried = std::mem::take(&mut self.fixes);
        }
        self.fixes.clear();
        self.step = None;
        self.merged = false;
        self.parts = vec![self.file.text.clone()];
        self.names = vec![self.file.name.clone()];
    }

    /// Ends the work on a migration that does not come to rest.
    pub(super) fn give_up(&mut self, why: &str) {
        self.merge = false;
        self.refuse(why);
    }

    /// Looks at what is said of the parts, and follows the next suggestions.
    pub(super) fn advance(&mut self, judged: &[&CheckedMigration], manual: bool, dialect: Dialect) {
        match self.try_to_advance(judged, manual, dialect) {
            Ok(changed) => self.rests = !changed,
            Err(why) => self.refuse(&why),
        }
    }

    /// Whether the scripts are others now, and have to be judged.
    fn try_to_advance(&mut self, judged: &[&CheckedMigration], manual: bool, dialect: Dialect) -> Result<bool, String> {
        let originally = self.originally.get_or_insert_with(|| total(judged)).clone();
        if let Some(step) = self.step.take() {
            step.expect_helped(judged)?;
        }
        let candidates = candidates(judged, manual, &originally, !self.fixes.is_empty());
        if candidates.is_empty() {
            if !self.fixes.is_empty() {
                expect_nothing_new(judged, &originally)?;
            }
            return Ok(false);
        }
        if let Some(failed) = judged.iter().find_map(|checked| checked.judgement.failures.first()) {
            return Err(format!("{} could not judge it: {}", failed.plugin, failed.message));
        }
        if self.file.bytes != self.file.text.as_bytes() {
            return Err("the file is not valid UTF-8".to_owned());
        }
        let (in_place, splitting): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| candidate.following.is_none());
        let (chosen, following) = if in_place.is_empty() {
            self.choose_split(splitting, dialect)?
        } else {
            (without_collisions(of_one_rule(in_place)), None)
        };
        self.take(judged, chosen, following, dialect)?;
        Ok(true)
    }

    /// Suggestions of one part that can share a following migration, and what it holds. One whose statements cannot all
    /// run in one transaction is not shared.
    fn choose_split<'f>(
        &mut self,
        candidates: Vec<Candidate<'f>>,
        dialect: Dialect,
    ) -> Result<(Vec<Candidate<'f>>, Option<String>), String> {
        if self.file.down.is_some() {
            return Err(
                "a part of it would have to move to a following migration, and a part of its down.sql with it: \
                        split both by hand"
                    .to_owned(),
            );
        }
        let shareable = |candidate: &Candidate<'_>| {
            candidate.following.is_some_and(|text| {
                tollgate_sql::parse(dialect, text)
                    .is_ok_and(|script| script.statements.iter().all(|statement| statement.transactional))
            })
        };
        let part = candidates.first().map(|candidate| candidate.part);
        let mut candidates: Vec<_> = candidates
            .into_iter()
            .filter(|candidate| Some(candidate.part) == part)
            .collect();
        if self.merge && candidates.first().is_some_and(shareable) {
            candidates.retain(shareable);
        } else {
            candidates.truncate(1);
        }
        let chosen = without_collisions(candidates);
        self.merged |= chosen.len() > 1;
        let following = chosen.iter().filter_map(|candidate| candidate.following);
        let following: String = following.map(|text| format!("{}\n", text.trim_end())).collect();
        Ok((chosen, Some(following)))
    }

    fn take(
        &mut self,
        judged: &[&CheckedMigration],
        chosen: Vec<Candidate<'_>>,
        following: Option<String>,
        dialect: Dialect,
    ) -> Result<(), String> {
        let ending = line_ending(&self.file.text);
        let mut step = Step {
            parts: BTreeMap::new(),
            last_before: following.as_ref().and(self.names.last().cloned()),
        };
        let mut edits: BTreeMap<usize, Vec<Edit>> = BTreeMap::new();
        for candidate in chosen {
            let adapted = candidate.suggestion.edits.iter().map(|edit| Edit {
                span: edit.span,
                text: with_line_ending(&edit.text, ending).into_owned(),
            });
            edits.entry(candidate.part).or_default().extend(adapted);
            let counts = || (counts(judged[candidate.part]), Counts::new());
            let (_, gone) = step.parts.entry(candidate.part).or_insert_with(counts);
            *gone.entry(candidate.key).or_default() += 1;
            self.fixes.push(candidate.fix);
        }
        for (part, edits) in &edits {
            let text = edits::apply(&self.parts[*part], edits).map_err(|error| error.to_string())?;
            self.parts[*part] = text;
        }
        let mut changed: Vec<usize> = edits.keys().copied().collect();
        if let (Some(text), Some(part)) = (following, edits.keys().next()) {
            self.parts
                .insert(part + 1, with_line_ending(&text, ending).into_owned());
            changed.push(part + 1);
        }
        for part in changed {
            self.expect_readable(part, step.last_before.is_some(), dialect)?;
        }
        self.step = Some(step);
        Ok(())
    }

    /// What was made of the script can be read; a split leaves no part without statements.
    fn expect_readable(&self, part: usize, split: bool, dialect: Dialect) -> Result<(), String> {
        let text = &self.parts[part];
        let file = MigrationFile {
            text: text.clone(),
            down: None,
            ..self.file.clone()
        };
        match plan::read_files(&[(0, &file)], dialect).as_deref() {
            Ok([read]) if split && read.script().statements.is_empty() => {
                Err("one of the migrations would be left without statements".to_owned())
            }
            Ok(_) => Ok(()),
            Err(errors) => {
                let message = errors.first().map_or("", |error| error.problem.message());
                Err(format!("the fixed SQL cannot be read: {message}"))
            }
        }
    }
}

impl Step {
    /// What was fixed is gone from the part that was changed for it.
    fn expect_helped(&self, judged: &[&CheckedMigration]) -> Result<(), String> {
        for (part, (before, gone)) in &self.parts {
            let now = counts(judged[*part]);
            for (key, number) in gone {
                let count = |counts: &Counts| counts.get(key).copied().unwrap_or_default();
                if count(&now) + number > count(before) {
                    return Err(format!("{}::{} still reports what its fix has made", key.0, key.1));
                }
            }
        }
        Ok(())
    }
}

/// Findings that nobody has allowed or approved.
fn active(checked: &CheckedMigration) -> impl Iterator<Item = &JudgedFinding> {
    let open = |judged: &&JudgedFinding| judged.allowed.is_none() && judged.approved.is_none();
    checked.judgement.findings.iter().filter(open)
}

fn key(judged: &JudgedFinding) -> Key {
    (judged.plugin.clone(), judged.finding.rule.clone())
}

fn counts(checked: &CheckedMigration) -> Counts {
    let mut counts = Counts::new();
    for judged in active(checked) {
        *counts.entry(key(judged)).or_default() += 1;
    }
    counts
}

fn total(judged: &[&CheckedMigration]) -> Counts {
    let mut total = Counts::new();
    for (key, count) in judged.iter().flat_map(|checked| counts(checked)) {
        *total.entry(key).or_default() += count;
    }
    total
}

/// Fixes must not bring up anything that is more than advice.
fn expect_nothing_new(judged: &[&CheckedMigration], originally: &Counts) -> Result<(), String> {
    let now = total(judged);
    for judged in judged.iter().flat_map(|checked| active(checked)) {
        let key = key(judged);
        let count = |counts: &Counts| counts.get(&key).copied().unwrap_or_default();
        if judged.finding.severity >= Severity::Medium && count(&now) > count(originally) {
            return Err(format!(
                "the fixed SQL would have another problem, {}::{}: {}",
                key.0, key.1, judged.finding.message
            ));
        }
    }
    Ok(())
}

/// The suggestions that can be followed, in the order of the scripts. A split that only a person should decide on is
/// made all the same for what the fixes have brought up: otherwise they would leave the file worse than it was.
fn candidates<'f>(
    judged: &[&'f CheckedMigration],
    manual: bool,
    originally: &Counts,
    fixed: bool,
) -> Vec<Candidate<'f>> {
    let mut found = Vec::new();
    for (part, checked) in judged.iter().enumerate() {
        for one in active(checked) {
            let finding = &one.finding;
            let key = key(one);
            let following = following(finding);
            let brought_up = fixed && following.is_some() && !originally.contains_key(&key);
            let automatic = finding.suggestions.iter().find(|suggestion| suggestion.automatic);
            let any = finding.suggestions.first().filter(|_| manual || brought_up);
            let Some(suggestion) = automatic.or(any).filter(|suggestion| !suggestion.edits.is_empty()) else {
                continue;
            };
            found.push(Candidate {
                part,
                key,
                suggestion,
                following,
                fix: AppliedFix {
                    plugin: one.plugin.clone(),
                    rule: finding.rule.clone(),
                    message: finding.message.clone(),
                    title: suggestion.title.clone(),
                },
            });
        }
    }
    found
}

fn following(finding: &Finding) -> Option<&str> {
    let property = finding.properties.iter().find(|(name, _)| name == FOLLOWING);
    property.map(|(_, text)| text.as_str())
}

/// Those of the first rule: what the fix of one rule brings up must not hide whether another's has helped.
fn of_one_rule(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    if let Some(first) = candidates.first().map(|candidate| candidate.key.clone()) {
        candidates.retain(|candidate| candidate.key == first);
    }
    candidates
}

/// The first of all that collide; the others get their turn when the scripts have been judged again.
fn without_collisions(candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    let mut kept: Vec<Candidate<'_>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let free = kept.iter().all(|other| {
            other.part != candidate.part || !collide(&other.suggestion.edits, &candidate.suggestion.edits)
        });
        if free {
            kept.push(candidate);
        }
    }
    kept
}
