//! Which relations may name an object, told without looking into them.
//!
//! Dropping or renaming one object has to look at whatever names it: columns of a type, foreign keys, defaults, checks,
//! queries. Of hundreds of relations nearly none does. So each is kept with a small set of the words that it says, and
//! only those are looked into whose set has the words of the object's name. The set may have a word that the relation
//! does not say, but never the other way round.

use tollgate_sql::ObjectName;

use crate::apply::texts;
use crate::model::{ConstraintRule, Relation};

/// How many numbers of 64 bits a set has. A table of forty columns says some twenty words and fills a seventh.
const SIZE: usize = 4;

/// The words that a relation says (a Bloom filter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words([u64; SIZE]);

/// What is looked for: an object's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Where it stands in a text, or without its schema.
    bare: Words,
    /// Where a part of the catalog names it with its schema.
    qualified: Option<Words>,
}

impl Words {
    /// The set of a relation that has not been looked at: it may say anything.
    pub const ANY: Self = Self([u64::MAX; SIZE]);

    const NONE: Self = Self([0; SIZE]);

    /// The words of everything by which a relation can name another object.
    pub fn of(relation: &Relation) -> Self {
        let mut words = Self::NONE;
        for column in &relation.columns {
            let data_type = &column.data_type;
            words.add_parts(data_type.schema.as_deref(), &data_type.name);
            column.sequence.iter().for_each(|sequence| words.add_name(sequence));
        }
        for constraint in &relation.constraints {
            if let ConstraintRule::ForeignKey { references, .. } = &constraint.rule {
                words.add_name(references);
            }
        }
        let parent = relation.partition_of.as_ref().map(|(parent, _)| parent);
        let functions = relation.triggers.iter().filter_map(|trigger| trigger.function.as_ref());
        let names = relation.reads.iter().chain(&relation.inherits);
        names
            .chain(parent)
            .chain(functions)
            .for_each(|name| words.add_name(name));
        for text in texts(relation) {
            words.add_text(text);
            if text.contains('\\') {
                // What a string with escapes says is not what is written.
                return Self::ANY;
            }
        }
        words
    }

    /// Whether the relation may say this.
    pub fn may_name(&self, wanted: &Wanted) -> bool {
        self.has(&wanted.bare) || wanted.qualified.is_some_and(|qualified| self.has(&qualified))
    }

    fn has(&self, others: &Self) -> bool {
        let missing = |at: usize| !self.0[at] & others.0[at];
        missing(0) | missing(1) | missing(2) | missing(3) == 0
    }

    /// A name that means one object when it has a schema, and any of that name when it has none.
    fn add_name(&mut self, name: &ObjectName) {
        self.add_parts(name.schema.as_deref(), &name.name);
    }

    fn add_parts(&mut self, schema: Option<&str>, name: &str) {
        match schema {
            Some(schema) => self.add_qualified(schema, name),
            None => self.add_text(name),
        }
    }

    fn add_qualified(&mut self, schema: &str, name: &str) {
        let mut hash = Hash::START;
        schema.bytes().chain([b'.']).for_each(|byte| hash.take(byte));
        name.bytes().for_each(|byte| hash.take(byte));
        self.add(hash);
    }

    /// Every word of a text. They are cut where [`crate::text::tokens`] cuts, whatever quotes stand around them, so that
    /// the words of a name are among those of every text that names it.
    fn add_text(&mut self, text: &str) {
        let mut bytes = text.bytes().peekable();
        let mut before = 0;
        while let Some(first) = bytes.next() {
            let part: fn(u8) -> bool = match first {
                // A number takes its point along; what comes behind a dollar is a part of a name.
                b'0'..=b'9' if before != b'$' => |byte| byte.is_ascii_alphanumeric() || byte == b'.',
                b'0'..=b'9' => |byte| byte.is_ascii_alphanumeric(),
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                    |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x80..)
                }
                _ => {
                    before = first;
                    continue;
                }
            };
            let mut hash = Hash::START;
            hash.take(first);
            while let Some(byte) = bytes.next_if(|byte| part(*byte)) {
                hash.take(byte);
            }
            before = 0;
            self.add(hash);
        }
    }

    fn add(&mut self, hash: Hash) {
        let mixed = hash.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for place in [mixed >> 56, (mixed >> 40) & 0xff] {
            // Below 256 each: four numbers of 64 bits.
            self.0[(place / 64) as usize] |= 1 << (place % 64);
        }
    }
}

impl Wanted {
    /// An object by its resolved name.
    pub fn new(name: &ObjectName) -> Self {
        let mut bare = Words::NONE;
        bare.add_text(&name.name);
        let qualified = name.schema.as_ref().map(|schema| {
            let mut words = Words::NONE;
            words.add_qualified(schema, &name.name);
            words
        });
        Self { bare, qualified }
    }
}

/// FNV-1a, without regard to the case of ASCII letters.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn take(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use tollgate_sql::Dialect;

    use super::*;
    use crate::model::RelationKind;
    use crate::text::{mentions_cast, mentions_object, mentions_regclass};

    /// Pieces of text around which scanners go wrong.
    const PIECES: [&str; 24] = [
        "a", "B", "_", "1", "2.5", "$", "$x$", ".", "::", "\"", "\"\"", "'", "''", " ", "-", "--", "\n", "/*", "*/",
        "é", "`", "[", "]", "s.a",
    ];

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_mention_is_among_the_words(text in text(), name in text(), around in 0..6_usize) {
            let name = if name.is_empty() { "n".to_owned() } else { name };
            let object = ObjectName::qualified("s", name);
            let quoted = object.sql(Dialect::Postgres);
            let text = match around {
                0 => text,
                1 => format!("{text}{quoted}{text}"),
                2 => format!("'x'::{quoted}"),
                3 => format!("nextval('{quoted}'::regclass) {text}"),
                4 => format!("{text}{}{text}", object.name),
                _ => format!("nextval($${quoted}$$) {text}"),
            };
            let mut words = Words::NONE;
            words.add_text(&text);
            let wanted = Wanted::new(&object);
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                let says = mentions_object(dialect, &text, &object)
                    || mentions_cast(dialect, &text, &object)
                    || mentions_regclass(&text, &object);
                prop_assert!(!says || words.may_name(&wanted), "{} in {}", object.name, text);
            }
        }
    }

    #[test]
    fn most_relations_are_passed_over() {
        let mut relation = Relation::new(ObjectName::qualified("public", "t"), RelationKind::Table);
        for number in 0..20 {
            relation
                .inherits
                .push(ObjectName::qualified("public", format!("parent_{number}")));
        }
        let words = Words::of(&relation);
        let wanted = |name: String| words.may_name(&Wanted::new(&ObjectName::qualified("public", name)));
        assert!((0..20).all(|number| wanted(format!("parent_{number}"))));
        assert!((0..1_000).filter(|number| wanted(format!("other_{number}"))).count() < 50);
    }
}
