//! Room for bodies: how many bytes are held at once, over all requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// A count of bytes with a limit. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Gate {
    held: Arc<AtomicUsize>,
    limit: usize,
    shown: Gauge,
}

/// Bytes held by one request; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    gate: Gate,
    bytes: usize,
}

impl Gate {
    /// Room for `limit` bytes, shown in `shown`.
    #[must_use]
    pub fn new(limit: usize, shown: Gauge) -> Gate {
        Gate { held: Arc::default(), limit, shown }
    }

    /// A ticket for `bytes`; `None` when there is no room.
    #[must_use]
    pub fn enter(&self, bytes: usize) -> Option<Ticket> {
        let mut ticket = Ticket { gate: self.clone(), bytes: 0 };
        ticket.grow(bytes).then_some(ticket)
    }

    /// Whether `bytes` more would fit now.
    #[must_use]
    pub fn fits(&self, bytes: usize) -> bool {
        self.held.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }
}

impl Ticket {
    /// Asks for more; `false`, and nothing changed, when there is no room.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let limit = self.gate.limit;
        let more = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= limit);
        let grown = self.gate.held.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_ok();
        if grown {
            self.bytes += bytes;
            self.gate.shown.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        grown
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.held.fetch_sub(self.bytes, Ordering::AcqRel);
        self.gate.shown.dec_by(i64::try_from(self.bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_exact_and_given_back() {
        let gate = Gate::new(10, Gauge::default());
        let mut first = gate.enter(6).unwrap();
        assert!(gate.enter(5).is_none());
        assert!(first.grow(4));
        assert!(!first.grow(1));
        assert!(!gate.fits(1));
        drop(first);
        assert_eq!(gate.shown.get(), 0);
        assert!(gate.enter(10).is_some());
        assert!(gate.enter(usize::MAX).is_none());
    }
}
