//! Whether one connection alone brings events.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A connection is alone when so many requests in a row have come on it.
const ALONE_AFTER: u32 = 32;

/// Who sent last.
#[derive(Debug, Default)]
pub(crate) struct Company {
    last: AtomicU64,
    /// Requests in a row that came on the same connection as the one before.
    in_a_row: AtomicU32,
}

impl Company {
    /// Notes a request on the connection of this number (0: not known), and says whether nobody else has sent lately. A
    /// guess, by which nothing but time is lost.
    pub(crate) fn is_alone(&self, connection: u64) -> bool {
        if self.last.swap(connection, Ordering::Relaxed) != connection || connection == 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
            return false;
        }
        self.in_a_row.fetch_add(1, Ordering::Relaxed) >= ALONE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_after_a_while_and_until_another_sends() {
        let company = Company::default();
        let first_alone = |connection: u64| (0..100).position(|_| company.is_alone(connection));
        assert_eq!(first_alone(1), Some(ALONE_AFTER as usize + 1));
        assert_eq!(first_alone(2), Some(ALONE_AFTER as usize + 1), "it was the other's turn before");
        assert_eq!(first_alone(0), None, "who is not known is never alone");
        assert!(!(0..100).any(|at| company.is_alone(1 + at % 2)));
    }
}
