//! What comes to a standing: events of a batch, and sums that a backfill learnt, put into buckets.

use std::sync::Arc;

use weir_query::machine::{Frame, Machine, State, StepError};
use weir_query::record::{OrderKey, Rows, Selection};

use super::Standing;
use crate::live::TimeBasis;
use crate::live::cost;
use crate::live::matching::Portion;
use crate::live::progress::Arrival;
use crate::live::window::nanos;
use crate::scan::sink;

/// How old the time may be that the first stage is told, nanoseconds, where granules are longer.
const MAX_TOLD_NANOS: i64 = 60_000_000_000;

impl Standing {
    /// The rows of `portion` that pass the filters it begins with.
    pub(in crate::live) fn filter(&mut self, portion: &Portion<'_>) -> Result<Selection, StepError> {
        self.machine.filter(portion, Selection::all(portion.len()))
    }

    /// Steps over what it may match of a batch: row steps once, then each bucket absorbs its rows. `filtered`: all of
    /// `portion` has passed the filters it begins with.
    pub(in crate::live) fn apply(&mut self, portion: &Portion<'_>, filtered: bool, arrival: &Arrival) {
        if self.window.metrics() == 0 || self.is_deferred() || arrival.end_sequence <= self.next_sequence {
            return;
        }
        let begun = cost::clock(arrival.is_timed);
        self.step(portion, filtered, arrival);
        if let Some(begun) = begun {
            self.cost.charge(begun.elapsed(), arrival.before.timed_events);
        }
    }

    fn step(&mut self, portion: &Portion<'_>, filtered: bool, arrival: &Arrival) {
        let since = self.next_sequence;
        let within = new_since(since, portion, arrival);
        self.next_sequence = arrival.end_sequence;
        self.reserved.retain(|reserved| reserved.up_to_sequence >= arrival.first_sequence);
        self.renew(arrival.now_nanos);
        let rows = within.count() as u64;
        self.cost.events += rows;
        let selected = match filtered {
            true => self.machine.select_filtered(portion, within),
            false => self.machine.select(portion, within),
        };
        match selected {
            Ok(frame) => self.absorb(&frame, portion, arrival),
            Err(StepError::ColumnsTooLarge { .. }) => {
                self.step_in_parts(portion, new_since(since, portion, arrival), arrival);
            }
            Err(fault) => self.refuse(rows, fault.to_string(), arrival.now_nanos),
        }
    }

    /// Steps over the rows of `within` half by half: what is made of all of them does not fit into memory at once.
    fn step_in_parts(&mut self, portion: &Portion<'_>, within: Selection, arrival: &Arrival) {
        let mut left = vec![within];
        while let Some(part) = left.pop() {
            match self.machine.select_alone(portion, &part) {
                Ok(frame) => self.absorb(&frame, portion, arrival),
                Err(StepError::ColumnsTooLarge { .. }) if part.count() > 1 => left.extend(part.halves()),
                Err(fault) => self.refuse(part.count() as u64, fault.to_string(), arrival.now_nanos),
            }
        }
    }

    /// Counts events that could not be looked at.
    pub(in crate::live) fn refuse(&mut self, events: u64, fault: String, now_nanos: i64) {
        self.tally.dropped += events;
        self.fault(fault, now_nanos);
    }

    /// What is learnt from now on is of the time it is now, and what left the window goes: nobody may ever ask for a
    /// result, which would forget it too.
    pub(in crate::live) fn renew(&mut self, now_nanos: i64) {
        let granule_nanos = self.window.granule_nanos.min(MAX_TOLD_NANOS);
        if self.program.depends_on_range()
            && now_nanos.div_euclid(granule_nanos) != self.told.div_euclid(granule_nanos)
        {
            self.told = now_nanos;
            self.machine = Machine::new(Arc::clone(&self.program), self.context(now_nanos));
        }
        let now = self.window.bucket(self.shown_at(now_nanos));
        if now != self.come {
            self.come = now;
            self.come_to(now_nanos);
        }
    }

    fn absorb(&mut self, frame: &Frame, portion: &Portion<'_>, arrival: &Arrival) {
        let (rows, now_nanos) = (frame.order().len(), arrival.now_nanos);
        if rows == 0 {
            return;
        }
        self.version += 1;
        let (first, last) = match self.key.time {
            TimeBasis::Event => portion.times(),
            TimeBasis::Ingest => arrival.ingest_nanos,
        };
        let reached = self.reached(now_nanos).unwrap_or(i64::MIN);
        let watermark = reached.saturating_sub(nanos(self.key.lateness));
        if self.key.time == TimeBasis::Event && first < watermark {
            let late = frame.order().iter().filter(|key| key.nanos < watermark);
            self.tally.late += late.count() as u64;
        }
        let bucket = self.window.bucket(first);
        if bucket == self.window.bucket(last) {
            // Most batches are of one time.
            let put = self.put(bucket, frame, &Selection::all(rows), now_nanos);
            self.note_revision(put, bucket, reached);
            return;
        }
        let by_arrival;
        let order: &[OrderKey] = match self.key.time {
            TimeBasis::Event => frame.order(),
            TimeBasis::Ingest => {
                by_arrival = portion.by_arrival(frame.order());
                &by_arrival
            }
        };
        let split = sink::split(order, self.window.granule_nanos, |bucket, within| {
            let put = self.put(bucket, frame, within, now_nanos);
            self.note_revision(put, bucket, reached);
            Ok::<(), StepError>(())
        });
        drop(split);
    }

    /// Events came into `bucket`, which was complete when event time had `reached` its end.
    fn note_revision(&mut self, put: bool, bucket: i64, reached: i64) {
        let is_closed = self.key.time == TimeBasis::Event && self.window.start_of(bucket + 1) <= reached;
        self.revisions += u64::from(put && is_closed);
    }

    /// Puts the rows of `within` into `bucket`; false: none of them, as they have no place there or are read by a
    /// backfill.
    fn put(&mut self, bucket: i64, frame: &Frame, within: &Selection, now_nanos: i64) -> bool {
        let ahead = self.reserved.iter().filter(|reserved| bucket < reserved.below_bucket);
        if let Some(up_to) = ahead.map(|reserved| reserved.up_to_sequence).max() {
            let mut new = within.clone();
            new.retain(|row| frame.order().get(row).is_some_and(|key| key.sequence > up_to));
            return self.put_new(bucket, frame, &new, now_nanos);
        }
        self.put_new(bucket, frame, within, now_nanos)
    }

    fn put_new(&mut self, bucket: i64, frame: &Frame, within: &Selection, now_nanos: i64) -> bool {
        let events = within.count() as u64;
        if events == 0 {
            return false;
        }
        if bucket > self.window.bucket(now_nanos) {
            self.tally.future += events;
        }
        let kept = self.window.kept(now_nanos);
        if bucket >= kept.end || self.ahead.contains_key(&bucket) {
            self.put_ahead(bucket, events);
            return false;
        }
        if bucket < kept.start {
            self.tally.dropped += events;
            return false;
        }
        if !self.make_room() {
            self.drop_in(bucket, events, now_nanos);
            return false;
        }
        let changed = self
            .ring
            .absorb(bucket, events, &mut self.machine, |machine, state| machine.absorb(frame, within, state));
        if let Err(fault) = &changed {
            self.fault(fault.to_string(), now_nanos);
            self.drop_in(bucket, events, now_nanos);
            return false;
        }
        self.taken += events;
        if let Some(extents) = &mut self.extents {
            let times = within.iter().filter_map(|row| Some(frame.order().get(row)?.nanos));
            times.for_each(|nanos| extents.add(bucket, nanos, nanos));
        }
        self.put_into_pane(bucket, events, now_nanos, |machine, state| machine.absorb(frame, within, state));
        true
    }

    /// Merges what a backfill learnt of `bucket`. False: it has no place there.
    pub(in crate::live) fn put_sum(&mut self, bucket: i64, sum: &sink::Sum, now_nanos: i64) -> bool {
        let kept = self.window.kept(now_nanos);
        if bucket >= kept.end || self.ahead.contains_key(&bucket) {
            self.put_ahead(bucket, sum.rows);
            return false;
        }
        if bucket < kept.start {
            return false;
        }
        self.touch();
        if !self.make_room() {
            self.drop_in(bucket, sum.rows, now_nanos);
            return false;
        }
        self.ring.merge(bucket, &sum.state, sum.rows);
        if let Some(extents) = &mut self.extents {
            extents.add(bucket, sum.first_nanos, sum.last_nanos);
        }
        self.put_into_pane(bucket, sum.rows, now_nanos, |_, state| state.merge(&sum.state));
        true
    }

    fn put_into_pane(
        &mut self,
        bucket: i64,
        events: u64,
        now_nanos: i64,
        change: impl FnOnce(&mut Machine, &mut State) -> Result<(), StepError>,
    ) {
        let Some(pane) = &mut self.pane else { return };
        if let Err(fault) = pane.change(bucket, events, &mut self.machine, change) {
            self.fault(fault.to_string(), now_nanos);
        }
    }

    /// Sees to it that the bound is kept. False: there is not enough that results can do without.
    pub(super) fn make_room(&mut self) -> bool {
        let beside = self.bytes() - self.ring.bytes();
        self.ring.bound(self.key.max_bytes.saturating_sub(beside));
        self.ring.make_room()
    }

    pub(super) fn drop_in(&mut self, bucket: i64, events: u64, now_nanos: i64) {
        self.tally.dropped += events;
        self.ring.count_dropped(bucket, events);
        let (bytes, limit) = (self.bytes(), self.key.max_bytes);
        self.fault(format!("the metric's states of {bytes} bytes are over its bound of {limit}"), now_nanos);
    }
}

/// The rows of `portion` whose sequence is `since` or later.
fn new_since(since: u64, portion: &Portion<'_>, arrival: &Arrival) -> Selection {
    if arrival.first_sequence >= since {
        return Selection::all(portion.len());
    }
    let places = portion.places();
    Selection::from_fn(places.len(), |row| places.get(row).is_some_and(|key| key.sequence >= since))
}
