//! Different things, numbered in the order of their first mention.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;

/// So many are compared one by one before the others are looked up by hash. A batch has a shape or two and one set of tags,
/// shared with the batches before it: to compare two addresses is less than to hash what they point to.
const COMPARED: usize = 8;

/// Numbers of different things.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    items: Vec<Arc<T>>,
    /// Those behind the first [`COMPARED`].
    others: HashMap<Arc<T>, u32, foldhash::fast::RandomState>,
    /// The number given last.
    last: u32,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { items: Vec::new(), others: HashMap::default(), last: 0 }
    }
}

impl<T: Hash + Eq> Numbers<T> {
    /// The number of `item`, a new one if it was not mentioned before.
    pub(super) fn number(&mut self, item: &Arc<T>) -> u32 {
        if !self.items.get(self.last as usize).is_some_and(|last| Arc::ptr_eq(last, item)) {
            self.last = self.known(item).unwrap_or_else(|| self.add(item));
        }
        self.last
    }

    fn known(&self, item: &Arc<T>) -> Option<u32> {
        let compared = self.items.iter().take(COMPARED).position(|other| other == item);
        compared.map(|at| at as u32).or_else(|| self.others.get(item).copied())
    }

    fn add(&mut self, item: &Arc<T>) -> u32 {
        let number = self.items.len() as u32;
        self.items.push(Arc::clone(item));
        if self.items.len() > COMPARED {
            self.others.insert(Arc::clone(item), number);
        }
        number
    }

    /// All of them, by number. Empty again.
    pub(super) fn take(&mut self) -> Vec<Arc<T>> {
        self.others.clear();
        std::mem::take(&mut self.items)
    }

    /// Places that stay allocated for others.
    pub(super) fn room(&self) -> usize {
        self.others.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_have_one_number_however_many_there_are() {
        let mut numbers = Numbers::default();
        for _ in 0..2 {
            for number in 0..3 * COMPARED as u32 {
                let first = Arc::new(format!("thing {number}"));
                assert_eq!(numbers.number(&first), number);
                assert_eq!(numbers.number(&Arc::new((*first).clone())), number, "not by its address alone");
            }
        }
        assert_eq!(numbers.take().len(), 3 * COMPARED);
        assert_eq!((numbers.number(&Arc::new(String::new())), numbers.take().len()), (0, 1));
    }
}
