//! Bodies of which nothing was stored, as when a parser drops all their events: the log knows the keys of batches, and here was
//! none. What is sent again counts once all the same; counters begin anew with the server, so these need not outlive it.

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;
use weir_engine::IdempotencyKey;
use xxhash_rust::xxh3::xxh3_128;

/// Bodies remembered at most, those that came last: less than two megabytes.
const MAX_UNSTORED_BODIES: usize = 16_384;

/// The bodies that came last of which nothing was stored.
#[derive(Debug, Default)]
pub struct Unstored(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    known: HashSet<u128>,
    by_age: VecDeque<u128>,
}

impl Unstored {
    /// Whether a body came with `key` before of which nothing was stored in `repository`; remembers it. `body` is its XXH3 as it
    /// came: a key that comes with another body is another.
    pub fn knows(&self, repository: &str, key: &IdempotencyKey, body: u128) -> bool {
        let name = xxh3_128(format!("{repository:?} {:?} {body}", key.as_str()).as_bytes());
        let mut remembered = self.0.lock();
        if !remembered.known.insert(name) {
            return true;
        }
        if remembered.by_age.len() == MAX_UNSTORED_BODIES
            && let Some(oldest) = remembered.by_age.pop_front()
        {
            remembered.known.remove(&oldest);
        }
        remembered.by_age.push_back(name);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::new(text).unwrap()
    }

    #[test]
    fn a_body_is_its_repository_its_key_and_what_it_says() {
        let unstored = Unstored::default();
        for (repository, name, body, is_known) in [
            ("a", "k", 1, false),
            ("a", "k", 1, true),
            ("b", "k", 1, false),
            ("a", "l", 1, false),
            ("a", "k", 2, false),
            ("a", "k", 1, true),
        ] {
            assert_eq!(unstored.knows(repository, &key(name), body), is_known, "{repository} {name}");
        }
    }

    #[test]
    fn so_many_are_remembered() {
        let unstored = Unstored::default();
        let knows = |at: usize| unstored.knows("a", &key(&at.to_string()), 1);
        assert!((0..MAX_UNSTORED_BODIES).all(|at| !knows(at)));
        assert!(knows(0), "as many as there is room for");
        assert!(!knows(MAX_UNSTORED_BODIES), "one more");
        assert!(knows(1) && !knows(0), "the oldest is forgotten");
    }
}
