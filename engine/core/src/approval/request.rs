//! Which findings somebody means who names a migration, a rule and perhaps a statement.

use std::fmt;
use std::str::FromStr;

use super::level_name;
use crate::policy::JudgedFinding;

/// A rule as people write it: `destructive/drop-table`, `destructive::drop-table` or `drop-table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    /// The policy, where it was named.
    pub plugin: Option<String>,
    /// The rule.
    pub rule: String,
}

impl RuleName {
    fn is_of(&self, judged: &JudgedFinding) -> bool {
        self.rule == judged.finding.rule && self.plugin.as_ref().is_none_or(|plugin| *plugin == judged.plugin)
    }
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (plugin, rule) = match text.split_once("::").or_else(|| text.split_once('/')) {
            Some((plugin, rule)) => (Some(plugin), rule),
            None => (None, text),
        };
        let word = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains(['/', ':', ' ']);
        if !word(rule) || !plugin.is_none_or(word) {
            return Err("a rule is PLUGIN/RULE or RULE, for example destructive/drop-table".to_owned());
        }
        Ok(Self {
            plugin: plugin.map(str::to_owned),
            rule: rule.to_owned(),
        })
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{plugin}/{}", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

/// Which statements are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The only one there is.
    #[default]
    Only,
    /// All of them.
    All,
    /// None: the script as a whole.
    File,
    /// This one, counted from 1.
    Number(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "file" => Ok(Self::File),
            _ => match text.parse() {
                Ok(number) if number > 0 => Ok(Self::Number(number)),
                _ => Err("a statement is its number in the file, counted from 1, `all`, or `file`".to_owned()),
            },
        }
    }
}

/// An approval that is given with a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The migration.
    pub migration: String,
    /// The rule.
    pub rule: RuleName,
    /// The statements.
    pub statement: Choice,
}

impl FromStr for Request {
    type Err = String;

    /// `MIGRATION:PLUGIN/RULE[:STATEMENT]`. A migration's name may have a colon, a rule's has none.
    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "an approval is MIGRATION:PLUGIN/RULE or MIGRATION:PLUGIN/RULE:STATEMENT";
        let (before, last) = text.rsplit_once(':').ok_or(HOW)?;
        let (migration, rule, statement) = match (last.parse::<Choice>(), before.rsplit_once(':')) {
            (Ok(statement), Some((migration, rule))) => (migration, rule, statement),
            _ => (before, last, Choice::Only),
        };
        if migration.is_empty() || migration.ends_with(':') {
            return Err(HOW.to_owned());
        }
        Ok(Self {
            migration: migration.to_owned(),
            rule: rule.parse()?,
            statement,
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.migration, self.rule)?;
        match self.statement {
            Choice::Only => Ok(()),
            Choice::All => f.write_str(":all"),
            Choice::File => f.write_str(":file"),
            Choice::Number(number) => write!(f, ":{number}"),
        }
    }
}

/// Why it is not clear which finding is meant, or why there is none. The texts are the rest of a sentence that begins with
/// the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// The rule has found nothing in this migration, or what it found is allowed by a comment.
    #[error("finds nothing in {migration} that is not allowed by a comment")]
    Nothing {
        /// The migration.
        migration: String,
    },
    /// It has found something, but not there.
    #[error("finds nothing at that place of {migration}, but {}", places(.found))]
    Elsewhere {
        /// The migration.
        migration: String,
        /// Where it found something.
        found: Vec<Option<usize>>,
    },
    /// It has found something in several places.
    #[error("finds something in several places of {migration}: {}", places(.found))]
    Several {
        /// The migration.
        migration: String,
        /// Where.
        found: Vec<Option<usize>>,
    },
    /// Several policies have a rule of that name.
    #[error("is a rule of several policies: {}", .plugins.join(", "))]
    Ambiguous {
        /// The policies.
        plugins: Vec<String>,
    },
}

/// `at statement 2`, `at statements 1 and 2`, with the script as a whole as `for the whole file`.
fn places(found: &[Option<usize>]) -> String {
    let words: Vec<String> = found
        .iter()
        .map(|place| match place {
            Some(number) => format!("at statement {number}"),
            None => "for the whole file (`file`)".to_owned(),
        })
        .collect();
    words.join(", ")
}

/// The findings that are meant, of every place the one with the highest level. What a comment allows needs no approval and
/// is none of them.
///
/// # Errors
/// [`NotFound`].
pub fn select<'a>(
    migration: &str,
    findings: &'a [JudgedFinding],
    rule: &RuleName,
    choice: Choice,
) -> Result<Vec<&'a JudgedFinding>, NotFound> {
    let migration = migration.to_owned();
    let mut meant: Vec<&JudgedFinding> = Vec::new();
    for judged in findings
        .iter()
        .filter(|judged| judged.allowed.is_none() && rule.is_of(judged))
    {
        let same = |other: &&mut &JudgedFinding| {
            other.plugin == judged.plugin && other.finding.statement == judged.finding.statement
        };
        match meant.iter_mut().find(same) {
            Some(other) if other.finding.severity < judged.finding.severity => *other = judged,
            Some(_) => {}
            None => meant.push(judged),
        }
    }
    let mut plugins: Vec<String> = meant.iter().map(|judged| judged.plugin.clone()).collect();
    plugins.sort();
    plugins.dedup();
    if plugins.len() > 1 {
        return Err(NotFound::Ambiguous { plugins });
    }
    let place = |judged: &&JudgedFinding| judged.finding.statement.map(|index| index + 1);
    let found: Vec<Option<usize>> = meant.iter().map(place).collect();
    match (choice, found.len()) {
        (_, 0) => Err(NotFound::Nothing { migration }),
        (Choice::Only, 1) | (Choice::All, _) => Ok(meant),
        (Choice::Only, _) => Err(NotFound::Several { migration, found }),
        (Choice::File | Choice::Number(_), _) => {
            let wanted = match choice {
                Choice::Number(number) => Some(number),
                _ => None,
            };
            meant.retain(|judged| place(judged) == wanted);
            if meant.is_empty() {
                return Err(NotFound::Elsewhere { migration, found });
            }
            Ok(meant)
        }
    }
}

/// A finding in a list of those there are: `destructive/drop-table at statement 2: drops the table a (high)`.
pub(crate) fn listed(judged: &JudgedFinding) -> String {
    let finding = &judged.finding;
    let place = match finding.statement {
        Some(index) => format!("at statement {}", index + 1),
        None => "for the whole file".to_owned(),
    };
    format!(
        "{}/{} {place}: {} ({})",
        judged.plugin,
        finding.rule,
        finding.message,
        level_name(finding.severity)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;

    #[test]
    fn rules_are_read_in_all_their_spellings() {
        let rule = |text: &str| text.parse::<RuleName>().map(|rule| (rule.plugin, rule.rule));
        let named = Ok((Some("destructive".to_owned()), "drop-table".to_owned()));
        assert_eq!(rule("destructive/drop-table"), named);
        assert_eq!(rule("destructive::drop-table"), named);
        assert_eq!(rule("drop-table"), Ok((None, "drop-table".to_owned())));
        for text in ["", "/", "destructive/", "/drop-table", "a/b/c", "a b", "a:b"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn requests_are_read_from_the_right() {
        for text in [
            "4_drop:destructive/drop-table",
            "4_drop:destructive/drop-table:2",
            "4_drop:drop-table:all",
            "4_drop:drop-table:file",
            "odd: name:destructive/drop-table:1",
        ] {
            assert_eq!(text.parse::<Request>().unwrap().to_string(), text);
        }
        let odd: Request = "odd: name:drop-table:1".parse().unwrap();
        assert_eq!(
            (odd.migration.as_str(), odd.statement),
            ("odd: name", Choice::Number(1))
        );
        for text in [
            "",
            "4_drop",
            ":drop-table",
            "4_drop:",
            "4_drop:2",
            "4_drop:drop-table:0",
        ] {
            let read = text.parse::<Request>();
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }
}
