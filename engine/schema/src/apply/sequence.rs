//! Sequences: those that scripts make, and the numbers that say how one counts.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, SequenceOptions};

use crate::base::BaseError;
use crate::model::Sequence;
use crate::schema::{Schema, TEMPORARY};

impl Schema {
    pub(super) fn create_sequence(
        &mut self,
        name: &ObjectName,
        temporary: bool,
        data_type: Option<&str>,
        options: &[(String, String)],
        owned_by: Option<&(ObjectName, String)>,
    ) -> Result<(), BaseError> {
        let name = if temporary {
            ObjectName::qualified(TEMPORARY, &name.name)
        } else {
            self.creation_name(name)
        };
        if self.taken(&name)? {
            return Ok(());
        }
        let data_type = data_type.unwrap_or("bigint").to_owned();
        self.put_sequence(Sequence {
            name: name.clone(),
            options: sequence_options(options, &data_type),
            data_type,
            owned_by: None,
            identity: false,
            last_value: None,
            comment: None,
        });
        match owned_by {
            Some(owner) => self.own_sequence(&name, Some(owner)),
            None => Ok(()),
        }
    }

    pub(super) fn alter_sequence(
        &mut self,
        name: &ObjectName,
        options: &[(String, String)],
        owned_by: Option<&Option<(ObjectName, String)>>,
    ) -> Result<(), BaseError> {
        let name = self.find(ObjectKind::Sequence, name)?;
        let Some(known) = self.sequence(&name)? else {
            return Ok(());
        };
        let mut changed = (*known).clone();
        let mut parameters = Parameters::read(&changed.options, &changed.data_type);
        let data_type = options
            .iter()
            .find(|(option, _)| matches!(option.to_ascii_lowercase().as_str(), "as" | "data_type"));
        if let Some((_, data_type)) = data_type {
            parameters.change_type(&changed.data_type, data_type);
            changed.data_type.clone_from(data_type);
        }
        parameters.change(options, &changed.data_type);
        changed.options = parameters.options(&changed.data_type);
        self.put_sequence(changed);
        match owned_by {
            Some(owner) => self.own_sequence(&name, owner.as_ref()),
            None => Ok(()),
        }
    }

    /// OWNED BY: the sequence goes when the column goes.
    fn own_sequence(&mut self, name: &ObjectName, owner: Option<&(ObjectName, String)>) -> Result<(), BaseError> {
        let Some(known) = self.sequence(name)? else {
            return Ok(());
        };
        if let Some((table, column)) = &known.owned_by {
            let column = column.clone();
            self.edit(&table.clone(), |relation| {
                for column in relation
                    .columns
                    .iter_mut()
                    .filter(|known| known.name == column && known.sequence.as_ref() == Some(name))
                {
                    column.sequence = None;
                }
            })?;
        }
        let owner = match owner {
            Some((table, column)) => Some((self.find(ObjectKind::Table, table)?, column.clone())),
            None => None,
        };
        if let Some((table, column)) = &owner {
            self.edit(table, |relation| {
                for column in relation
                    .columns
                    .iter_mut()
                    .filter(|known| known.name == *column && known.sequence.is_none())
                {
                    column.sequence = Some(name.clone());
                }
            })?;
        }
        let mut changed = (*known).clone();
        changed.owned_by = owner;
        self.put_sequence(changed);
        Ok(())
    }
}

/// The options that are not what a sequence of this type does anyway.
pub(super) fn sequence_options(options: &[(String, String)], data_type: &str) -> SequenceOptions {
    Parameters::read(options, data_type).options(data_type)
}

/// How a sequence counts.
struct Parameters {
    increment: i64,
    least: i64,
    largest: i64,
    start: i64,
    cache: i64,
    cycle: bool,
}

/// Smallest and largest value of a sequence's type.
fn bounds(data_type: &str) -> (i64, i64) {
    match data_type {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Smallest and largest value where none is written: up from 1, or down from -1.
fn default_bounds(increment: i64, data_type: &str) -> (i64, i64) {
    let (least, largest) = bounds(data_type);
    if increment < 0 { (least, -1) } else { (1, largest) }
}

impl Parameters {
    fn read(options: &[(String, String)], data_type: &str) -> Self {
        let increment = number(options, "increment").unwrap_or(1);
        let (least, largest) = default_bounds(increment, data_type);
        let least = number(options, "minvalue").unwrap_or(least);
        let largest = number(options, "maxvalue").unwrap_or(largest);
        let start = number(options, "start").unwrap_or(if increment < 0 { largest } else { least });
        let cache = number(options, "cache").unwrap_or(1);
        let cycle = word(options, "cycle").is_some_and(|value| value != "false");
        Self {
            increment,
            least,
            largest,
            start,
            cache,
            cycle,
        }
    }

    /// A bound that was the old type's own becomes the new type's.
    fn change_type(&mut self, from: &str, to: &str) {
        let (old_least, old_largest) = bounds(from);
        let (least, largest) = bounds(to);
        if self.least == old_least {
            self.least = least;
        }
        if self.largest == old_largest {
            self.largest = largest;
        }
    }

    /// What ALTER SEQUENCE names changes; NO MINVALUE and NO MAXVALUE return to the defaults.
    fn change(&mut self, options: &[(String, String)], data_type: &str) {
        if let Some(increment) = number(options, "increment") {
            self.increment = increment;
        }
        let (least, largest) = default_bounds(self.increment, data_type);
        if let Some(value) = number_or(options, "minvalue", least) {
            self.least = value;
        }
        if let Some(value) = number_or(options, "maxvalue", largest) {
            self.largest = value;
        }
        if let Some(start) = number(options, "start") {
            self.start = start;
        }
        if let Some(cache) = number(options, "cache") {
            self.cache = cache;
        }
        if let Some(cycle) = word(options, "cycle") {
            self.cycle = cycle != "false";
        }
    }

    fn options(&self, data_type: &str) -> SequenceOptions {
        let (least, largest) = default_bounds(self.increment, data_type);
        let start = if self.increment < 0 { self.largest } else { self.least };
        let numbers = [
            ("increment", self.increment, 1),
            ("minvalue", self.least, least),
            ("maxvalue", self.largest, largest),
            ("start", self.start, start),
            ("cache", self.cache, 1),
        ];
        let mut options: SequenceOptions = numbers
            .into_iter()
            .filter(|(_, value, usual)| value != usual)
            .map(|(option, value, _)| (option.to_owned(), value.to_string()))
            .collect();
        if self.cycle {
            options.push(("cycle".to_owned(), "true".to_owned()));
        }
        options
    }
}

fn word<'a>(options: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    options
        .iter()
        .find(|(option, _)| option.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.as_str())
}

/// The number of an option that has one.
fn number(options: &[(String, String)], wanted: &str) -> Option<i64> {
    word(options, wanted)?.parse().ok()
}

/// The number of an option that is named, or `otherwise` where it is named without one (NO MINVALUE); `None` when it is
/// not named.
fn number_or(options: &[(String, String)], wanted: &str, otherwise: i64) -> Option<i64> {
    word(options, wanted).map(|value| value.parse().unwrap_or(otherwise))
}
