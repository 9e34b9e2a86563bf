//! A standing that batches do not come to for a while, as it costs more than there is time for: what they brought is read
//! from history now and then.
//!
//! ```text
//! defer        read: events up to cut C           read          resume: read up to C', step from C' + 1 on
//!   |---------------|-------------------------------|---------------|------------> time
//!   shown: as of ...| ... the last reading that is done ...         | now, once the last one is done
//! ```
//!
//! Results are right, and of a while ago: they are of the window as it was when the last reading that is done began, and
//! no more is expected of event time than was by then. So nothing is closed, and no trigger fires, on what is not read yet.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Standing;
use crate::live::Degraded;

/// Times of what a reading took that lie between the beginnings of two, at least.
const REST: u32 = 2;

/// Why and since when a standing is read from history, and how far it is.
#[derive(Debug)]
pub(super) struct Deferral {
    since_nanos: i64,
    reason: Arc<str>,
    /// The time that results are of, and how far event time had come by then.
    shown: (i64, Option<i64>),
    /// The same of what is being read.
    read: (i64, Option<i64>),
    /// When the last reading began.
    begun: Option<Instant>,
    /// It is not done yet.
    is_under_way: bool,
    /// How long the last one took.
    took: Duration,
    /// Batches come to it again; it is over when the last reading is done.
    is_ending: bool,
}

impl Standing {
    /// Batches are for others from now on. False: they were already.
    pub(in crate::live) fn defer(&mut self, reason: &str, now_nanos: i64) -> bool {
        if self.is_deferred() {
            return false;
        }
        self.skip_to(self.next_sequence());
        // One that is about to end goes on from what it shows.
        let before = self.deferral.as_ref().map(|before| (before.shown, before.read, before.is_under_way));
        let now = (now_nanos, self.reached(now_nanos));
        let (shown, read, is_under_way) = before.unwrap_or((now, now, false));
        self.deferral = Some(Deferral {
            since_nanos: now_nanos,
            reason: Arc::from(reason),
            shown,
            read,
            begun: None,
            is_under_way,
            took: Duration::ZERO,
            is_ending: false,
        });
        self.touch();
        true
    }

    /// Batches come to it from now on. What it lacks up to the sequence before the first of them has to be read: the
    /// caller begins that at once.
    pub(in crate::live) fn end_deferral(&mut self) {
        if let Some(deferral) = &mut self.deferral {
            deferral.is_ending = true;
        }
    }

    /// Batches do not come to it.
    pub(in crate::live) fn is_deferred(&self) -> bool {
        self.deferral.as_ref().is_some_and(|deferral| !deferral.is_ending)
    }

    /// Whether it is time to read what came since the last reading, which began `interval` ago at least.
    pub(in crate::live) fn is_reading_due(&self, interval: Duration) -> bool {
        let Some(deferral) = self.deferral.as_ref().filter(|deferral| !deferral.is_ending) else {
            return false;
        };
        let pause = interval.max(deferral.took * REST);
        self.backfills.is_empty() && deferral.begun.is_none_or(|begun| begun.elapsed() >= pause)
    }

    /// A reading is about to begin, of all that came by `now`: the sequences of events that were not read yet.
    pub(in crate::live) fn begin_reading(&mut self, up_to: u64, now_nanos: i64) -> Option<Range<u64>> {
        let (first, reached) = (self.next_sequence, self.present(now_nanos));
        let deferral = self.deferral.as_mut()?;
        deferral.read = (now_nanos, reached);
        (deferral.begun, deferral.is_under_way) = (Some(Instant::now()), true);
        self.skip_to(up_to.saturating_add(1));
        Some(first..up_to.saturating_add(1))
    }

    /// What was being read for it is in its ring, where nothing is being read any more.
    pub(super) fn note_reading_done(&mut self) {
        if !self.backfills.is_empty() {
            return;
        }
        let Some(deferral) = &mut self.deferral else { return };
        if !std::mem::take(&mut deferral.is_under_way) {
            return;
        }
        deferral.shown = deferral.read;
        deferral.took = deferral.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        if deferral.is_ending {
            self.deferral = None;
        }
        self.touch();
    }

    /// The time that results are of.
    pub(in crate::live) fn shown_at(&self, now_nanos: i64) -> i64 {
        self.deferral.as_ref().map_or(now_nanos, |deferral| deferral.shown.0.min(now_nanos))
    }

    /// The time that what is being read is of.
    pub(in crate::live) fn read_at(&self, now_nanos: i64) -> i64 {
        self.deferral.as_ref().map_or(now_nanos, |deferral| deferral.read.0.min(now_nanos))
    }

    /// Something is being read that its results lack.
    pub(in crate::live) fn is_filling(&self) -> bool {
        let is_aside = self.deferral.as_ref().is_some_and(|own| own.is_under_way && !own.is_ending);
        !self.backfills.is_empty() && !is_aside
    }

    /// How far event time had come by the time that results are of, where that is not now.
    pub(super) fn reached_then(&self) -> Option<Option<i64>> {
        self.deferral.as_ref().map(|deferral| deferral.shown.1)
    }

    /// What its results have to say of that.
    pub(in crate::live) fn degraded(&self) -> Option<Degraded> {
        self.deferral.as_ref().map(|deferral| Degraded {
            since_nanos: deferral.since_nanos,
            as_of_nanos: deferral.shown.0,
            reason: Arc::clone(&deferral.reason),
        })
    }
}
