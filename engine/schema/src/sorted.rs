//! A sorted map in pieces that clones share.
//!
//! A replay keeps a schema before and one after each of thousands of migrations, and each changes a few objects of
//! hundreds. A map in one piece would be copied for every change; of this one only the piece is.

use std::borrow::Borrow;
use std::sync::Arc;

/// The most entries of a piece.
const MOST: usize = 32;

/// A sorted map. A clone costs as much as a list of its pieces.
#[derive(Clone)]
pub(crate) struct Sorted<K, V> {
    /// None is empty, and each goes on where the one before ends.
    pieces: Vec<Arc<Vec<(K, V)>>>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// The piece in which a key is or would be, and its place there.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let last = |piece: &Vec<(K, V)>| piece.last().is_some_and(|(last, _)| last.borrow() < key);
        let piece = self.pieces.partition_point(|piece| last(piece));
        let found = match self.pieces.get(piece) {
            Some(entries) => entries.binary_search_by(|(known, _)| known.borrow().cmp(key)),
            None => Err(0),
        };
        (piece, found)
    }

    /// What is kept under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (piece, found) = self.place(key);
        Some(&self.pieces.get(piece)?.get(found.ok()?)?.1)
    }

    /// The key under which something is kept.
    pub fn key<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        let (piece, found) = self.place(key);
        Some(&self.pieces.get(piece)?.get(found.ok()?)?.0)
    }

    /// Something is kept under a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).1.is_ok()
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pieces
            .iter()
            .flat_map(|piece| piece.iter().map(|(key, value)| (key, value)))
    }

    /// Every value, in the order of the keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.pieces
            .iter()
            .flat_map(|piece| piece.iter().map(|(_, value)| value))
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// What is kept under a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (piece, found) = self.place(key);
        let at = found.ok()?;
        Some(&mut Arc::make_mut(self.pieces.get_mut(piece)?).get_mut(at)?.1)
    }

    /// Keeps a value under a key, in the place of another.
    pub fn insert(&mut self, key: K, value: V) {
        let (piece, found) = self.place(&key);
        match found {
            Ok(at) => Arc::make_mut(&mut self.pieces[piece])[at].1 = value,
            Err(at) => self.put(piece, at, key, value),
        }
    }

    /// What is kept under a key; where nothing is, what `make` makes.
    pub fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        let (mut piece, mut found) = self.place(key);
        if let Err(at) = found {
            self.put(piece, at, key.clone(), make());
            (piece, found) = self.place(key);
        }
        let at = found.unwrap_or_else(|at| at);
        &mut Arc::make_mut(&mut self.pieces[piece])[at].1
    }

    fn put(&mut self, mut piece: usize, mut at: usize, key: K, value: V) {
        if piece == self.pieces.len() {
            // Behind everything: in the last piece there is.
            match self.pieces.last() {
                Some(last) => (piece, at) = (piece - 1, last.len()),
                None => self.pieces.push(Arc::default()),
            }
        }
        let entries = Arc::make_mut(&mut self.pieces[piece]);
        entries.insert(at, (key, value));
        if entries.len() > MOST {
            let rest = entries.split_off(MOST / 2);
            self.pieces.insert(piece + 1, Arc::new(rest));
        }
    }

    /// Removes what is kept under a key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (piece, found) = self.place(key);
        let at = found.ok()?;
        let entries = Arc::make_mut(self.pieces.get_mut(piece)?);
        let (_, value) = entries.remove(at);
        if entries.is_empty() {
            self.pieces.remove(piece);
        }
        Some(value)
    }

    /// Keeps only some entries.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        for piece in &mut self.pieces {
            if !piece.iter().all(|(key, value)| keep(key, value)) {
                Arc::make_mut(piece).retain(|(key, value)| keep(key, value));
            }
        }
        self.pieces.retain(|piece| !piece.is_empty());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::Sorted;

    #[test]
    fn it_is_what_a_map_in_one_piece_is() {
        let (mut sorted, mut map) = (Sorted::default(), BTreeMap::new());
        let mut number = 1_u32;
        for round in 0..2_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (number >> 16) % 500;
            match number % 5 {
                0 => assert_eq!(sorted.remove(&key), map.remove(&key)),
                1 => *sorted.get_or_insert_with(&key, || round) = *map.entry(key).or_insert(round),
                2 => assert_eq!(sorted.get_mut(&key), map.get_mut(&key)),
                _ => {
                    sorted.insert(key, round);
                    map.insert(key, round);
                }
            }
            assert_eq!(sorted.get(&key), map.get(&key));
            assert_eq!(sorted.contains_key(&key), map.contains_key(&key));
            assert_eq!(sorted.key(&key), map.get_key_value(&key).map(|(key, _)| key));
        }
        assert!(sorted.pieces.len() > 10 && sorted.iter().eq(&map));
        sorted.retain(|key, _| key % 7 == 0);
        map.retain(|key, _| key % 7 == 0);
        assert!(sorted.iter().eq(&map) && sorted.values().eq(map.values()));
    }

    #[test]
    fn a_clone_stays_what_it_was() {
        let mut sorted = Sorted::default();
        for key in 0..100 {
            sorted.insert(key, key);
        }
        let before = sorted.clone();
        sorted.insert(50, 0);
        sorted.remove(&99);
        *sorted.get_mut(&3).unwrap() = 0;
        assert!(before.iter().all(|(key, value)| key == value) && before.iter().count() == 100);
        assert_eq!(
            (sorted.get(&50), sorted.get(&99), sorted.get(&3)),
            (Some(&0), None, Some(&0))
        );
    }
}
