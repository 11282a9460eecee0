//! Where two schemas differ, in words. What only a server knows (rows, sizes, owners, the text of its own definitions) is
//! not compared; views and functions are compared by their existence and kind, because their texts can differ while they
//! mean the same, unless [`Options::texts`] says otherwise.

mod object;
mod relation;
mod show;
mod wording;

use std::collections::BTreeSet;
use std::fmt;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

pub(crate) use object::bare_type;
pub(crate) use relation::label;
pub use wording::in_other_words;

use crate::base::BaseError;
use crate::model::RelationKind;
use crate::schema::Schema;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The object, with its kind: `table public.users`.
    pub object: String,
    /// What differs: `column name: type text in the migrations, character varying in the database`.
    pub text: String,
    /// The object itself.
    pub subject: Subject,
    /// The part of it that differs: a column, constraint, index, trigger, policy.
    pub member: Option<Member>,
    /// What of it differs; `None`: that it is there.
    pub property: Option<String>,
    /// What it is on either side.
    pub sides: Sides,
}

/// An object that has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind. Partitioned tables are tables here, procedures and aggregates functions.
    pub kind: ObjectKind,
    /// Its name.
    pub name: ObjectName,
    /// Argument types of a function, as they are written in its statement.
    pub arguments: Option<Vec<String>>,
}

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name; of an `SQLite` constraint without one what it says.
    pub name: String,
}

/// What two schemas hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sides {
    /// The left one has it, the right one has not.
    OnlyLeft,
    /// The other way round.
    OnlyRight,
    /// Both have it.
    Both {
        /// In the words of the left one.
        left: String,
        /// In the words of the right one.
        right: String,
    },
}

/// What is compared of views, functions and triggers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Texts {
    /// That they are there.
    #[default]
    None,
    /// What a script and a server have in common: bodies of functions, statements of PostgreSQL's triggers.
    Written,
    /// Everything: the same server has printed both sides.
    Printed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.text)
    }
}

/// Where an expression stands, for whoever normalises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are the object it belongs to")]
pub enum Place<'a> {
    /// Default of a column of this type.
    Default { table: &'a ObjectName, data_type: &'a str },
    /// A generated column's expression.
    Generated { table: &'a ObjectName },
    /// A check constraint's condition.
    Check { table: &'a ObjectName },
    /// A key of an index.
    IndexKey { table: &'a ObjectName },
    /// An index's WHERE condition.
    Predicate { table: &'a ObjectName },
    /// A policy's condition.
    Policy { table: &'a ObjectName },
    /// What follows EXCLUDE.
    Exclusion { table: &'a ObjectName },
    /// Default or check of a domain.
    Domain { domain: &'a ObjectName },
}

/// How to compare.
pub struct Options<'a> {
    /// What the left schema is, as a noun phrase: `the migrations`.
    pub left: &'a str,
    /// What the right schema is.
    pub right: &'a str,
    /// Brings an expression into a form in which two that mean the same are equal. Both sides go through it.
    pub normalise: &'a dyn Fn(Place<'_>, &str) -> String,
    /// Compare privileges and owners' grants too.
    pub privileges: bool,
    /// Compare the text of the statements that `SQLite` keeps, too: the same table can be written in many ways.
    pub statements: bool,
    /// What to compare of views, functions and triggers.
    pub texts: Texts,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            left: "the left",
            right: "the right",
            normalise: &without_space,
            privileges: false,
            statements: true,
            texts: Texts::None,
        }
    }
}

/// The normal form without a server: white space does not count.
fn without_space(_place: Place<'_>, text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every difference between two schemas, ordered by object. What one of them marks as uncertain is compared by its
/// existence only.
///
/// # Errors
/// When the base of one of them cannot answer.
pub fn compare(left: &Schema, right: &Schema, options: &Options<'_>) -> Result<Vec<Difference>, BaseError> {
    let mut comparison = Comparison {
        left,
        right,
        options,
        object: String::new(),
        subject: Subject {
            kind: ObjectKind::Other,
            name: ObjectName::bare(""),
            arguments: None,
        },
        member: None,
        found: Vec::new(),
    };
    comparison.schemas_and_extensions()?;
    comparison.types()?;
    comparison.sequences()?;
    comparison.functions()?;
    comparison.relations()?;
    comparison.found.sort();
    Ok(comparison.found)
}

/// Objects of which a replay does not know whether they are there, or what has become of them.
///
/// # Errors
/// When the base cannot answer.
pub fn uncertain(schema: &Schema) -> Result<Vec<Subject>, BaseError> {
    let mut found = BTreeSet::new();
    let mut add = |kind, name: &ObjectName| {
        found.insert(Subject {
            kind,
            name: name.clone(),
            arguments: None,
        });
    };
    for (kind, name) in schema.overlay.doubtful.iter() {
        add(*kind, name);
    }
    for name in schema.relations()? {
        if let Some(relation) = schema.relation(&name)?.filter(|relation| relation.uncertain) {
            add(object_kind(relation.kind), &relation.name);
        }
    }
    for name in schema.type_names()? {
        if schema.user_type(&name)?.is_some_and(|found| found.uncertain) {
            add(ObjectKind::Type, &name);
        }
    }
    Ok(found.into_iter().collect())
}

/// A comparison under way.
struct Comparison<'a> {
    left: &'a Schema,
    right: &'a Schema,
    options: &'a Options<'a>,
    /// The object that is being compared.
    object: String,
    subject: Subject,
    member: Option<Member>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    /// Goes on with this object.
    fn at(&mut self, word: &str, kind: ObjectKind, name: &ObjectName) {
        self.object = format!("{word} {name}");
        self.subject = Subject {
            kind,
            name: name.clone(),
            arguments: None,
        };
        self.member = None;
    }

    /// Compares a part of the object.
    fn within(&mut self, kind: ObjectKind, name: &str, compare: impl FnOnce(&mut Self)) {
        self.member = Some(Member {
            kind,
            name: name.to_owned(),
        });
        compare(self);
        self.member = None;
    }

    fn note(&mut self, what: &str, text: String, sides: Sides) {
        // Of a part, its name comes first; no property has a colon in it.
        let property = (sides != Sides::OnlyLeft && sides != Sides::OnlyRight)
            .then(|| what.rsplit(": ").next().unwrap_or(what).to_owned());
        self.found.push(Difference {
            object: self.object.clone(),
            text,
            subject: self.subject.clone(),
            member: self.member.clone(),
            property,
            sides,
        });
    }

    /// Notes that something is on one side only.
    fn only(&mut self, what: &str, on_left: bool) {
        let side = if on_left { self.options.left } else { self.options.right };
        let text = if what.is_empty() {
            format!("only in {side}")
        } else {
            format!("{what}: only in {side}")
        };
        let sides = if on_left { Sides::OnlyLeft } else { Sides::OnlyRight };
        self.note(what, text, sides);
    }

    /// Notes that a property has two values.
    fn differ<T: PartialEq>(&mut self, what: &str, left: &T, right: &T, show: impl Fn(&T) -> String) {
        if left != right {
            let (left_name, right_name) = (self.options.left, self.options.right);
            let (left, right) = (show(left), show(right));
            let text = format!("{what}: {left} in {left_name}, {right} in {right_name}");
            self.note(what, text, Sides::Both { left, right });
        }
    }

    /// Notes that a text, which is too long to be shown, is another one.
    fn changed(&mut self, what: &str, same: bool) {
        if !same {
            let text = format!(
                "{what}: not the same in {} and in {}",
                self.options.left, self.options.right
            );
            let sides = Sides::Both {
                left: "one".to_owned(),
                right: "another one".to_owned(),
            };
            self.note(what, text, sides);
        }
    }

    /// The same for a yes or no.
    fn flag(&mut self, what: &str, left: bool, right: bool) {
        self.differ(what, &left, &right, |on| if *on { "yes" } else { "no" }.to_owned());
    }

    /// The same for text that may be absent.
    fn text(&mut self, what: &str, left: Option<&String>, right: Option<&String>) {
        self.differ(what, &left, &right, |text| {
            text.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"))
        });
    }

    /// The same for an expression.
    fn expression(&mut self, what: &str, place: Place<'_>, left: Option<&String>, right: Option<&String>) {
        let normal = |text: Option<&String>| text.map(|text| (self.options.normalise)(place, text));
        if normal(left) != normal(right) {
            // People know the words that were written, not the form in which they are compared.
            let plain = |text: Option<&String>| text.map(|text| without_space(place, text));
            let (left, right) = (plain(left), plain(right));
            if left == right {
                self.changed(what, false);
            } else {
                self.text(what, left.as_ref(), right.as_ref());
            }
        }
    }

    /// Names on either side; those on one side only are noted, the others returned.
    fn pair_names(
        &mut self,
        word: &str,
        kind: ObjectKind,
        left: Vec<ObjectName>,
        right: Vec<ObjectName>,
    ) -> Vec<ObjectName> {
        let left: BTreeSet<_> = left.into_iter().collect();
        let right: BTreeSet<_> = right.into_iter().collect();
        for name in left.symmetric_difference(&right) {
            self.at(word, kind, name);
            self.only("", left.contains(name));
        }
        left.intersection(&right).cloned().collect()
    }

    fn relations(&mut self) -> Result<(), BaseError> {
        let names: BTreeSet<_> = self.left.relations()?.into_iter().collect();
        let others: BTreeSet<_> = self.right.relations()?.into_iter().collect();
        let folding = self.left.folding();
        let find = |names: &BTreeSet<ObjectName>, wanted: &ObjectName| {
            names.iter().find(|name| folding.same_object(name, wanted)).cloned()
        };
        for name in &others {
            if find(&names, name).is_none()
                && let Some(relation) = self.right.relation(name)?
            {
                self.at(kind_word(relation.kind), object_kind(relation.kind), name);
                self.only("", false);
            }
        }
        for name in &names {
            let Some(left) = self.left.relation(name)? else {
                continue;
            };
            self.at(kind_word(left.kind), object_kind(left.kind), name);
            let Some(other) = find(&others, name) else {
                self.only("", true);
                continue;
            };
            let Some(right) = self.right.relation(&other)? else {
                continue;
            };
            self.differ("kind", &left.kind, &right.kind, |kind| kind_word(*kind).to_owned());
            let opaque = matches!(left.kind, RelationKind::View | RelationKind::MaterializedView);
            if left.kind == right.kind && !left.uncertain && !right.uncertain {
                self.relation(&left, &right, opaque);
            }
        }
        Ok(())
    }
}

fn object_kind(kind: RelationKind) -> ObjectKind {
    match kind {
        RelationKind::Table | RelationKind::PartitionedTable => ObjectKind::Table,
        RelationKind::View => ObjectKind::View,
        RelationKind::MaterializedView => ObjectKind::MaterializedView,
        RelationKind::ForeignTable => ObjectKind::ForeignTable,
    }
}

pub(super) fn kind_word(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "table",
        RelationKind::PartitionedTable => "partitioned table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::ForeignTable => "foreign table",
    }
}
