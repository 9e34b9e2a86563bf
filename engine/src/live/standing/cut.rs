//! A standing as it is at one moment, and a standing that goes on from there.

use std::ops::Range;

use super::{Reserved, Standing, Tally};
use crate::live::backfill::Backfill;
use crate::live::ring::{Part, RingCut};
use crate::live::standing_key::StandingKey;
use crate::live::window::Window;

/// All that a standing knows at one moment, so that another can go on from there.
#[derive(Debug)]
pub(in crate::live) struct StandingCut {
    pub(in crate::live) key: StandingKey,
    /// The first sequence that is neither in the ring nor in `readings`.
    pub(in crate::live) next_sequence: u64,
    /// The first bucket of which everything is there, or being read.
    pub(in crate::live) first_bucket: i64,
    pub(in crate::live) taken: u64,
    pub(in crate::live) tally: Tally,
    /// Buckets too far ahead to be kept, and how many events came for them.
    pub(in crate::live) ahead: Vec<(i64, u64)>,
    pub(in crate::live) reserved: Vec<Reserved>,
    pub(in crate::live) readings: Vec<Reading>,
    pub(in crate::live) ring: RingCut,
    /// Each bucket with the first and the last time of its events, where sessions are asked for.
    pub(in crate::live) extents: Vec<(i64, i64, i64)>,
    /// What came since results were given out last, where they are discarding.
    pub(in crate::live) pane: Vec<(i64, Part)>,
}

impl StandingCut {
    /// The last sequence it has anything of, or says is being read: further than it has come, where a metric joined it while
    /// live was behind.
    pub(in crate::live) fn last_sequence(&self) -> u64 {
        let reserved = self.reserved.iter().map(|reserved| reserved.up_to_sequence);
        let readings = self.readings.iter().map(|reading| reading.last_sequence);
        reserved.chain(readings).fold(self.next_sequence.saturating_sub(1), u64::max)
    }
}

/// What a backfill reads: the events from one sequence to another, inclusive, of some buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct Reading {
    pub(in crate::live) first_sequence: u64,
    pub(in crate::live) last_sequence: u64,
    pub(in crate::live) buckets: Range<i64>,
}

impl Standing {
    /// What it knows at `now`; `None`: something is wrong with it, which reading all of it anew may mend. Takes a count a
    /// part of the ring: states are shared, not copied.
    pub(in crate::live) fn cut(&mut self, now_nanos: i64) -> Option<StandingCut> {
        self.come_to(now_nanos);
        let first_bucket = self.window.kept(now_nanos).start;
        if self.problem_from(first_bucket).is_some() {
            return None;
        }
        Some(StandingCut {
            key: self.key.clone(),
            next_sequence: self.next_sequence(),
            first_bucket,
            taken: self.taken,
            tally: self.tally,
            ahead: self.ahead.iter().map(|(bucket, events)| (*bucket, *events)).collect(),
            reserved: self.reserved.clone(),
            readings: self.backfills.iter().map(Backfill::reading).collect(),
            ring: self.ring.cut(),
            extents: self.extents.as_ref().map_or(Vec::new(), |extents| extents.cut()),
            pane: self.pane.as_ref().map_or(Vec::new(), |pane| pane.cut()),
        })
    }

    /// Goes on from `cut`, where it knows nothing yet; `coming` are the windows of all metrics that are about to share it.
    /// What they lack has to be read up to `last_sequence`, as it has for [`Standing::join`].
    pub(in crate::live) fn resume(
        &mut self,
        cut: StandingCut,
        coming: &[Window],
        last_sequence: u64,
        now_nanos: i64,
    ) -> Option<Range<i64>> {
        coming.iter().for_each(|window| self.window.expect(window));
        self.origin.is_restored = true;
        self.skip_to(cut.next_sequence);
        (self.taken, self.tally) = (cut.taken, cut.tally);
        self.ahead = cut.ahead.into_iter().collect();
        self.reserved = cut.reserved;
        self.ring.take_up(cut.ring, self.window.len());
        if let Some(extents) = &mut self.extents {
            cut.extents.iter().for_each(|(bucket, first, last)| extents.add(*bucket, *first, *last));
        }
        if let Some(pane) = &mut self.pane {
            pane.take_up(cut.pane);
        }
        self.touch();
        let lacking = self.lack(cut.first_bucket, last_sequence, now_nanos);
        self.come_to(now_nanos);
        lacking
    }

    /// The metrics that were about to share it have come, or never will.
    pub(in crate::live) fn expect_no_more(&mut self) {
        self.window.expect_no_more();
    }
}
