//! Keys that differ in a number only, by that number.
//!
//! Blocks have dictionaries of their own: a key is looked up once a block that has it. A look-up by hash waits for
//! memory three times, one in an array of a place a number hardly ever.

use std::fmt::Write as _;

use crate::record::Numbered;
use crate::record::numbered::plain;

/// Keys of a dictionary from which on an array is worth it.
const KEYS_LEAST: usize = 256;
/// Most places of an array, so many a key of the dictionary.
const PLACES_PER_KEY: usize = 64;
/// Bytes of the texts around the number, at most: keys may have to be written after all.
const AROUND_MAX: usize = 64;

/// Something about each of the keys, of one parent slot, that are a number between two texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Direct<T> {
    parent: u32,
    before: Box<str>,
    behind: Box<str>,
    /// By number.
    places: Vec<T>,
}

impl<T: Copy> Direct<T> {
    /// Makes room for the keys of `numbered` in slot `parent`, of which `unknown` is what is known; false when they are
    /// others than those there are, or too few, too sparse or too long to make room for.
    pub(super) fn admit(&mut self, parent: u32, numbered: &Numbered, unknown: T) -> bool {
        let (keys, places) = (numbered.numbers().len(), numbered.greatest() as usize + 1);
        let (before, behind) = numbered.around();
        if !self.places.is_empty() && (self.parent, &*self.before, &*self.behind) != (parent, before, behind)
        {
            return false;
        }
        if places <= self.places.len() {
            return true;
        }
        let is_long = before.len() + behind.len() > AROUND_MAX;
        if keys < KEYS_LEAST || places / PLACES_PER_KEY > keys || is_long {
            return false;
        }
        if self.places.is_empty() {
            *self = Direct { parent, before: before.into(), behind: behind.into(), places: Vec::new() };
        }
        self.places.resize(places, unknown);
        true
    }

    /// What is known of the key with `number`; `None` for numbers no room was made for.
    #[inline]
    pub(super) fn at(&mut self, number: u32) -> Option<&mut T> {
        self.places.get_mut(number as usize)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<T>()
    }

    /// The parent slot of all keys.
    pub(super) fn parent(&self) -> u32 {
        self.parent
    }

    /// What is known, by number.
    pub(super) fn places(&self) -> &[T] {
        &self.places
    }

    /// The same keys with `known` of each, as many as there are here.
    pub(super) fn with<U>(self, known: Vec<U>) -> Direct<U> {
        Direct { parent: self.parent, before: self.before, behind: self.behind, places: known }
    }

    /// The same of keys in slot `parent`.
    pub(super) fn in_slot(self, parent: u32) -> Direct<T> {
        Direct { parent, ..self }
    }

    /// The number in the key `text`; `None` for other keys and numbers that no room was made for.
    pub(super) fn number_of(&self, text: &str) -> Option<u32> {
        let number = plain(text.strip_prefix(&*self.before)?.strip_suffix(&*self.behind)?)?;
        ((number as usize) < self.places.len()).then_some(number)
    }

    /// Puts the key with `number` into `text`.
    pub(super) fn write_key(&self, number: u32, text: &mut String) {
        text.clear();
        // Writing to a string does not fail.
        let _ = write!(text, "{}{number}{}", self.before, self.behind);
    }

    /// The key with `number`.
    pub(super) fn key(&self, number: u32) -> String {
        let mut text = String::new();
        self.write_key(number, &mut text);
        text
    }
}

impl Direct<u64> {
    /// Adds what `other` has of the same keys, in slot `parent`; false, and nothing done, when its keys are others.
    pub(super) fn add(&mut self, other: &Direct<u64>, parent: u32) -> bool {
        if (self.parent, &self.before, &self.behind) != (parent, &other.before, &other.behind) {
            return false;
        }
        if self.places.len() < other.places.len() {
            self.places.resize(other.places.len(), 0);
        }
        self.places.iter_mut().zip(&other.places).for_each(|(mine, theirs)| *mine += theirs);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::NO_SLOT;
    use super::*;
    use crate::record::Dictionary;

    /// A dictionary of `before` and the numbers `0..keys`, the last of which is `greatest` instead.
    fn dictionary(before: &str, keys: usize, greatest: usize) -> Dictionary {
        let mut dictionary = Dictionary::default();
        (0..keys - 1).for_each(|number| _ = dictionary.push(&format!("{before}{number}")));
        dictionary.push(&format!("{before}{greatest}"));
        dictionary
    }

    #[test]
    fn few_sparse_and_other_keys_are_not_admitted() {
        for (keys, greatest, admitted) in [
            (KEYS_LEAST - 1, KEYS_LEAST, false),
            (KEYS_LEAST, KEYS_LEAST, true),
            (KEYS_LEAST, (KEYS_LEAST + 1) * PLACES_PER_KEY - 2, true),
            (KEYS_LEAST, (KEYS_LEAST + 1) * PLACES_PER_KEY - 1, false),
        ] {
            let dictionary = dictionary("user", keys, greatest);
            let mut direct = Direct::<u32>::default();
            let numbered = dictionary.numbered().unwrap();
            assert_eq!(direct.admit(7, numbered, NO_SLOT), admitted, "{keys} {greatest}");
            assert_eq!(direct.at(greatest as u32).is_some(), admitted);
            assert_eq!(direct.at(greatest as u32 + 1), None);
            if admitted {
                assert!(!direct.admit(8, numbered, NO_SLOT), "the slot is another");
            }
        }
        let (users, hosts) = (dictionary("user", 300, 300), dictionary("host", 300, 300));
        let mut direct = Direct::<u32>::default();
        assert!(direct.admit(0, users.numbered().unwrap(), NO_SLOT));
        assert!(!direct.admit(0, hosts.numbered().unwrap(), NO_SLOT));
        assert!(direct.admit(0, users.numbered().unwrap(), NO_SLOT));
        // Few are no matter where there is room for them.
        let (few, far) = (dictionary("user", 2, 300), dictionary("user", 2, 301));
        assert!(direct.admit(0, few.numbered().unwrap(), NO_SLOT));
        assert!(!direct.admit(0, far.numbered().unwrap(), NO_SLOT));
        assert_eq!(direct.key(17), "user17");
        for (text, number) in
            [("user17", Some(17)), ("user017", None), ("user", None), ("host17", None), ("user301", None)]
        {
            assert_eq!(direct.number_of(text), number, "{text}");
        }
        for (length, admitted) in [(AROUND_MAX, true), (AROUND_MAX + 1, false)] {
            let long = dictionary(&"a".repeat(length), 300, 300);
            assert_eq!(Direct::default().admit(0, long.numbered().unwrap(), NO_SLOT), admitted, "{length}");
        }
    }
}
