//! SQL that makes one schema of another, where they differ: statement by statement, in an order in which they can run, each
//! with what it loses.
//!
//! It is written from a list of differences, and touches nothing that is not on that list: whoever does not want an index to
//! be dropped leaves it out.

mod inherited;
mod loss;
mod object;
mod order;
mod patch;
mod rename;
mod types;

use std::collections::BTreeMap;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::difference::{Difference, Sides, Subject};
use crate::render;
use crate::schema::Schema;

use order::Plan;

/// Where there are types, sequences and functions.
const DIALECT: Dialect = Dialect::Postgres;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// It, without a closing semicolon.
    pub sql: String,
    /// What goes with it and does not come back.
    pub loses: Option<String>,
}

/// How to get from one schema to the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// The statements in order.
    pub steps: Vec<Step>,
    /// Differences for which there is no statement, and why.
    pub unable: Vec<String>,
}

/// Which side of a comparison is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The left one: the other is turned into it.
    Left,
    /// The right one.
    Right,
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    OnlyWanted,
    OnlyCurrent,
    Both,
}

/// Turns the schema that is not wanted into the wanted one, as far as `differences` say that they differ.
///
/// # Errors
/// When the base of one of them cannot answer.
pub fn reconcile(
    left: &Schema,
    right: &Schema,
    side: Wanted,
    differences: &[Difference],
) -> Result<Reconciliation, BaseError> {
    let (wanted, current) = match side {
        Wanted::Left => (left, right),
        Wanted::Right => (right, left),
    };
    let mut by_object: BTreeMap<&Subject, Vec<&Difference>> = BTreeMap::new();
    for difference in differences {
        by_object.entry(&difference.subject).or_default().push(difference);
    }
    let mut work = Work {
        wanted,
        current,
        side,
        differences,
        plan: Plan::default(),
        unique_gone: Vec::new(),
        unable: Vec::new(),
    };
    for (subject, differences) in by_object {
        work.object(subject, &differences)?;
    }
    work.release_keys()?;
    let dialect = wanted.context().dialect;
    let statements = work.plan.in_order(wanted, current)?;
    let losses = loss::of(dialect, current, &statements, &columns_gone(differences, side));
    let steps = statements.into_iter().zip(losses);
    Ok(Reconciliation {
        steps: steps.map(|(sql, loses)| Step { sql, loses }).collect(),
        unable: work.unable,
    })
}

/// Columns that only the schema has which is not wanted.
fn columns_gone(differences: &[Difference], side: Wanted) -> Vec<(&ObjectName, &str)> {
    let gone = match side {
        Wanted::Left => Sides::OnlyRight,
        Wanted::Right => Sides::OnlyLeft,
    };
    let of = |difference: &'_ Difference| difference.sides == gone;
    let members = differences
        .iter()
        .filter(|difference| of(difference))
        .filter_map(|difference| {
            let member = difference.member.as_ref()?;
            (member.kind == ObjectKind::Column).then_some((&difference.subject.name, member.name.as_str()))
        });
    members.collect()
}

/// A reconciliation under way.
struct Work<'a> {
    wanted: &'a Schema,
    current: &'a Schema,
    side: Wanted,
    differences: &'a [Difference],
    plan: Plan,
    /// Keys that go although foreign keys may stand on them: the table and the columns.
    unique_gone: Vec<(ObjectName, Vec<String>)>,
    unable: Vec<String>,
}

impl Work<'_> {
    fn object(&mut self, subject: &Subject, differences: &[&Difference]) -> Result<(), BaseError> {
        let there = self.there(differences);
        match subject.kind {
            ObjectKind::Schema => self.schema(subject, there),
            ObjectKind::Extension => self.extension(subject, there)?,
            ObjectKind::Type | ObjectKind::Domain => self.user_type(subject, there, differences)?,
            ObjectKind::Sequence => self.sequence(subject, there)?,
            ObjectKind::Function => self.function(subject, there, differences)?,
            ObjectKind::View | ObjectKind::MaterializedView => self.view(subject, there, differences)?,
            _ => self.table(subject, there, differences)?,
        }
        Ok(())
    }

    /// On which side an object is that these differences are about.
    fn there(&self, differences: &[&Difference]) -> There {
        let whole = |difference: &&&Difference| difference.member.is_none();
        for difference in differences.iter().filter(whole) {
            match (&difference.sides, self.side) {
                (Sides::OnlyLeft, Wanted::Left) | (Sides::OnlyRight, Wanted::Right) => return There::OnlyWanted,
                (Sides::OnlyLeft, Wanted::Right) | (Sides::OnlyRight, Wanted::Left) => return There::OnlyCurrent,
                (Sides::Both { .. }, _) => {}
            }
        }
        There::Both
    }

    fn dialect(&self) -> Dialect {
        self.wanted.context().dialect
    }

    fn cannot(&mut self, difference: &str, why: &str) {
        self.unable.push(format!("{difference}: {why}"));
    }

    /// What makes an object that only the wanted schema has.
    fn made(&mut self, subject: &Subject, kind: ObjectKind) -> Result<Vec<String>, BaseError> {
        let Some(statements) = render::ddl(self.wanted, kind, &subject.name)? else {
            self.cannot(
                &format!("{} {}", object::word(subject.kind), subject.name),
                "the catalog does not hold what it is made of",
            );
            return Ok(Vec::new());
        };
        Ok(statements.into_iter().filter(|sql| is_structure(sql)).collect())
    }
}

/// Owners, privileges and the positions of sequences belong to a database, not to what migrations make.
fn is_structure(sql: &str) -> bool {
    let owner = sql.starts_with("ALTER ") && sql.contains(" OWNER TO ");
    let privilege = sql.starts_with("GRANT ") || sql.starts_with("REVOKE ");
    !owner && !privilege && !sql.starts_with("SELECT pg_catalog.setval(")
}
