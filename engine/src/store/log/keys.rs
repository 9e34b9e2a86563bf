//! The idempotency keys still remembered: a window bounded by count and age.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::config::IdempotencyKey;

/// What is remembered of a batch that came with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) repository: u32,
    pub(crate) key: Arc<str>,
    pub(crate) first_sequence: u64,
    pub(crate) events: u32,
    /// [`EventBatch::content_crc`](crate::event::EventBatch::content_crc); 0: not known.
    pub(crate) content_crc: u32,
    pub(crate) written_nanos: i64,
}

impl Remembered {
    /// Whether a batch of so many events with this content is the one remembered, as far as is known. The content decides
    /// where it is: a parser that was changed may make fewer events of the same texts.
    pub(crate) fn is_same(&self, events: u32, content_crc: u32) -> bool {
        match self.content_crc != 0 && content_crc != 0 {
            true => self.content_crc == content_crc,
            false => self.events == events,
        }
    }

    /// The sequence of its last event.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.first_sequence + u64::from(self.events.saturating_sub(1))
    }
}

/// The window. Keys of one repository mean nothing to another.
#[derive(Debug)]
pub(crate) struct KeyWindow {
    keys_max: usize,
    age_nanos_max: i64,
    by_key: HashMap<(u32, Arc<str>), Remembered>,
    by_age: VecDeque<(u32, Arc<str>, i64)>,
}

impl KeyWindow {
    pub(crate) fn new(keys_max: usize, age_secs_max: u64) -> KeyWindow {
        let age_nanos_max = i64::try_from(age_secs_max.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
        KeyWindow { keys_max, age_nanos_max, by_key: HashMap::new(), by_age: VecDeque::new() }
    }

    /// The batch that brought this key, if it is still remembered at `now_nanos`.
    pub(crate) fn get(&self, repository: u32, key: &IdempotencyKey, now_nanos: i64) -> Option<&Remembered> {
        if self.by_key.is_empty() {
            return None;
        }
        let found = self.by_key.get(&(repository, Arc::from(key.as_str())))?;
        (now_nanos.saturating_sub(found.written_nanos) <= self.age_nanos_max).then_some(found)
    }

    /// Remembers a batch, and forgets what is too old or too much.
    pub(crate) fn insert(&mut self, batch: Remembered, now_nanos: i64) {
        let entry = (batch.repository, Arc::clone(&batch.key));
        if self.by_key.get(&entry).is_some_and(|known| known.first_sequence == batch.first_sequence) {
            return;
        }
        self.by_age.push_back((entry.0, Arc::clone(&entry.1), batch.written_nanos));
        self.by_key.insert(entry, batch);
        while let Some((repository, key, written)) = self.by_age.front()
            && (self.by_key.len() > self.keys_max || now_nanos.saturating_sub(*written) > self.age_nanos_max)
        {
            let entry = (*repository, Arc::clone(key));
            // A key that came again after it was forgotten has a younger place in the window.
            if self.by_key.get(&entry).is_some_and(|batch| batch.written_nanos == *written) {
                self.by_key.remove(&entry);
            }
            self.by_age.pop_front();
        }
    }

    /// All keys remembered, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Remembered> + '_ {
        self.by_age.iter().filter_map(|(repository, key, written)| {
            let batch = self.by_key.get(&(*repository, Arc::clone(key)))?;
            (batch.written_nanos == *written).then_some(batch)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &str, written_nanos: i64) -> Remembered {
        Remembered {
            repository: 1,
            key: key.into(),
            first_sequence: 10,
            events: 3,
            content_crc: 5,
            written_nanos,
        }
    }

    fn knows(window: &KeyWindow, key: &str, now: i64) -> bool {
        window.get(1, &IdempotencyKey::new(key).unwrap(), now).is_some()
    }

    #[test]
    fn keys_are_forgotten_by_count() {
        let mut window = KeyWindow::new(2, 1_000);
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            window.insert(batch(key, at as i64), at as i64);
        }
        assert!(!knows(&window, "a", 3) && knows(&window, "b", 3) && knows(&window, "c", 3));
        assert!(window.get(2, &IdempotencyKey::new("b").unwrap(), 3).is_none(), "another repository");
        assert_eq!(window.iter().count(), 2);
    }

    #[test]
    fn keys_are_forgotten_by_age() {
        let second = 1_000_000_000;
        let mut window = KeyWindow::new(100, 10);
        window.insert(batch("a", 0), 0);
        assert!(knows(&window, "a", 10 * second) && !knows(&window, "a", 10 * second + 1));
        window.insert(batch("b", 11 * second), 11 * second);
        assert_eq!(window.iter().map(|batch| &*batch.key).collect::<Vec<_>>(), ["b"]);
        assert_eq!(batch("a", 0).last_sequence(), 12);
    }

    #[test]
    fn a_key_that_comes_again_keeps_its_younger_place() {
        let mut window = KeyWindow::new(2, 1_000);
        for (key, at) in [("a", 0), ("a", 5), ("b", 6), ("c", 7)] {
            window.insert(batch(key, at), at);
        }
        assert!(!knows(&window, "a", 7) && knows(&window, "b", 7) && knows(&window, "c", 7));
    }
}
