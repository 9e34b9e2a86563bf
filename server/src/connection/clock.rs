//! Which part of a request a connection is in, and until when that part may last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time limits of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// From the first byte of a head to its last; also from accepting to the first byte.
    pub(crate) header: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Without a byte taken by the client.
    pub(crate) write: Duration,
}

/// Shared by the stream, which sees bytes, and the service, which sees requests.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pace: Pace,
    phase: Arc<Mutex<Phase>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has come.
    Waiting { until: Instant },
    /// A head is being read.
    Head { until: Instant },
    /// A request is being answered; its body has limits of its own.
    Busy,
}

impl Clock {
    /// For a connection that was just accepted.
    pub(crate) fn new(pace: Pace) -> Clock {
        let until = Instant::now() + pace.header;
        Clock { pace, phase: Arc::new(Mutex::new(Phase::Waiting { until })) }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// Bytes came in.
    pub(crate) fn bytes_read(&self) {
        let mut phase = self.phase.lock();
        if let Phase::Waiting { .. } = *phase {
            *phase = Phase::Head { until: Instant::now() + self.pace.header };
        }
    }

    /// When reading must end; `None` while a request is being answered.
    pub(crate) fn read_deadline(&self) -> Option<Instant> {
        match *self.phase.lock() {
            Phase::Waiting { until } | Phase::Head { until } => Some(until),
            Phase::Busy => None,
        }
    }

    /// A head is complete. The returned guard, held until the answer is written, marks the request's end.
    pub(crate) fn request(&self) -> RequestGuard {
        *self.phase.lock() = Phase::Busy;
        RequestGuard { clock: self.clone() }
    }
}

/// Ends a request's phase when dropped.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    clock: Clock,
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let until = Instant::now() + self.clock.pace.idle;
        *self.clock.phase.lock() = Phase::Waiting { until };
    }
}
