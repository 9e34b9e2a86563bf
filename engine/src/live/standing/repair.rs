//! What a standing has to have read from history: buckets whose events came too far ahead of their time, and those that
//! its ring gave up and wants back.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{MAX_FUTURE_BUCKETS, Standing};
use crate::live::TimeBasis;
use crate::live::ring::Want;
use crate::scan::sink::{self, Layout};

impl Standing {
    /// Remembers that there are events for a bucket too far ahead to be kept.
    pub(super) fn put_ahead(&mut self, bucket: i64, events: u64) {
        if self.ahead.len() >= MAX_FUTURE_BUCKETS && !self.ahead.contains_key(&bucket) {
            self.tally.dropped += events;
            return;
        }
        *self.ahead.entry(bucket).or_default() += events;
    }

    /// Whether the time of buckets has come whose events are in history only.
    pub(in crate::live) fn is_repair_due(&mut self, now_nanos: i64) -> bool {
        let Some(first) = self.ahead.first_key_value().map(|(bucket, _)| *bucket) else { return false };
        self.backfills.is_empty() && first < self.window.kept(self.shown_at(now_nanos)).end
    }

    /// Buckets to be read anew up to the sequence returned. They are empty from now on: what is read is all there was
    /// for them.
    pub(in crate::live) fn take_repair(&mut self, now_nanos: i64) -> Option<(Range<i64>, u64)> {
        if !self.is_repair_due(now_nanos) {
            return None;
        }
        let kept = self.window.kept(self.shown_at(now_nanos));
        let start = self.ahead.first_key_value().map(|(bucket, _)| *bucket)?;
        let mut end = start;
        while end < kept.end && self.ahead.contains_key(&end) {
            end += 1;
        }
        let buckets = self.ring.clear(start..end);
        let repaired = self.ahead.extract_if(buckets.clone(), |_, _| true);
        self.tally.repaired += repaired.map(|(_, events)| events).sum::<u64>();
        // What is being read back of them is of no use any more.
        self.refills.retain(|refill| !refill.is_of(&buckets));
        if let Some(extents) = &mut self.extents {
            extents.forget(&buckets);
        }
        self.touch();
        Some((buckets, self.next_sequence().saturating_sub(1)))
    }

    /// Something is being read for it, or has to be.
    pub(in crate::live) fn is_reading(&self) -> bool {
        !self.backfills.is_empty() || !self.refills.is_empty() || self.wants()
    }

    /// What was to be read for it has been looked at.
    pub(in crate::live) fn note_read(&mut self) {
        if self.backfills.is_empty() {
            self.origin.took.get_or_insert_with(|| self.origin.begun.elapsed());
        }
        self.note_reading_done();
    }

    /// Something has to be read for it, and the live thread has to be told.
    pub(in crate::live) fn note_reading(&mut self) -> bool {
        let is_new = self.is_reading() && !self.is_noted;
        self.is_noted |= is_new;
        is_new
    }

    /// By time of arrival nothing is read back.
    pub(super) fn wants(&self) -> bool {
        self.key.time == TimeBasis::Event && self.ring.wants()
    }

    /// Buckets to be read back, and how; of the events before [`Standing::next_sequence`]. None while a backfill goes on:
    /// its events are among those and not yet in the ring.
    pub(in crate::live) fn wanted(&mut self) -> Option<(Want, Layout, Range<i64>)> {
        if !self.backfills.is_empty() || !self.wants() {
            return None;
        }
        let want = self.ring.wanted()?;
        let granule_nanos = self.window.granule_nanos.saturating_mul(want.span);
        let range = self.window.nanos_of(&want.buckets);
        Some((want, Layout::ByEventTime { granule_nanos }, range))
    }

    /// Takes what was read back; `None`: it could not be.
    pub(in crate::live) fn refill(&mut self, want: &Want, read: Option<&BTreeMap<i64, sink::Sum>>) {
        match read {
            Some(sums) => {
                self.ring.refill(want, sums.iter().map(|(number, sum)| (*number, &sum.state, sum.rows)));
            }
            None => self.ring.lose(want),
        }
        self.touch();
    }
}
