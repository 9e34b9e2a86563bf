//! Groups by the number in their key, for keys that differ in a number only.
//!
//! Blocks have dictionaries of their own: a group is looked up once a block for every key in it. A look-up by hash
//! waits for memory three times, one in an array of a place a number hardly ever.

use super::slots::NO_SLOT;
use crate::record::Numbered;

/// Keys of a dictionary from which on an array is worth it.
const KEYS_LEAST: usize = 256;
/// Most places of an array, so many a key of the dictionary.
const PLACES_PER_KEY: usize = 64;

/// The groups, of one parent slot, whose keys are a number between two texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Direct {
    parent: u32,
    before: Box<str>,
    behind: Box<str>,
    /// By number; [`NO_SLOT`] where none is known.
    groups: Vec<u32>,
}

impl Direct {
    /// Makes room for the keys of `numbered` in slot `parent`; false when they are too few, too sparse, or others than
    /// those there are.
    pub(super) fn admit(&mut self, parent: u32, numbered: &Numbered) -> bool {
        let (keys, places) = (numbered.numbers().len(), numbered.greatest() as usize + 1);
        if keys < KEYS_LEAST || places / PLACES_PER_KEY > keys {
            return false;
        }
        let (before, behind) = numbered.around();
        if self.groups.is_empty() {
            *self = Direct { parent, before: before.into(), behind: behind.into(), groups: Vec::new() };
        }
        if (self.parent, &*self.before, &*self.behind) != (parent, before, behind) {
            return false;
        }
        if self.groups.len() < places {
            self.groups.resize(places, NO_SLOT);
        }
        true
    }

    /// The group of the key with `number`; `None` for numbers no room was made for.
    #[inline]
    pub(super) fn group(&mut self, number: u32) -> Option<&mut u32> {
        self.groups.get_mut(number as usize)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
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
            let mut direct = Direct::default();
            let numbered = dictionary.numbered().unwrap();
            assert_eq!(direct.admit(7, numbered), admitted, "{keys} {greatest}");
            assert_eq!(direct.group(greatest as u32).is_some(), admitted);
            assert_eq!(direct.group(greatest as u32 + 1), None);
            if admitted {
                assert!(!direct.admit(8, numbered), "the slot is another");
            }
        }
        let (users, hosts) = (dictionary("user", 300, 300), dictionary("host", 300, 300));
        let mut direct = Direct::default();
        assert!(direct.admit(0, users.numbered().unwrap()));
        assert!(!direct.admit(0, hosts.numbered().unwrap()));
        assert!(direct.admit(0, users.numbered().unwrap()));
    }
}
