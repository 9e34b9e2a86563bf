//! What equal queries share: the first stage of their programs, stepped once for all of them, and the ring it fills.
//!
//! ```text
//! level=ERROR | groupBy(service)                    --+
//! level=ERROR | groupBy(service) | sort(_count)     --+--> one standing: Machine, Ring, counters
//! level=ERROR | groupBy(service), over a longer window-+       (as many buckets as the longest window needs)
//! ```
//!
//! What is learnt of a bucket hangs on the steps up to the first aggregate and on how time is cut, not on the steps
//! behind it and, but for programs that look at the queried range, not on the window. Each
//! [`super::metric::Metric`] then finishes the same states its own way.

mod cut;
mod deferral;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::{Context, Frame, Machine, State, StepError};
use weir_query::program::Program;
use weir_query::record::{OrderKey, Rows, Selection};

use super::TimeBasis;
use super::backfill::Backfill;
use super::cost::{self, Cost};
use super::matching::{Access, Known, Leading, Portion};
use super::metric::Metric;
use super::pane::Pane;
use super::priority::{Priorities, Priority};
use super::progress::{Arrival, Progress};
use super::refill::Refill;
use super::ring::{Ring, Total, Want};
use super::session::{Extents, Session};
use super::sources::Sources;
use super::standing_key::StandingKey;
use super::window::{Window, Windows, nanos};
use crate::scan::sink::{self, Layout};
pub(super) use cut::{Reading, StandingCut};
use deferral::Deferral;

/// The most buckets too far ahead to be kept of which it is known that they have events. Those of more are dropped.
pub const MAX_FUTURE_BUCKETS: usize = 1_024;
/// So many buckets before the present one are not closed yet: what comes a moment late is not put into roll-ups too.
const OPEN_BUCKETS: i64 = 2;
/// How old the time may be that the first stage is told, nanoseconds, where granules are longer.
const MAX_TOLD_NANOS: i64 = 60_000_000_000;

/// What is wrong, for as long as what it befell is in the window.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) what: String,
    pub(super) until_bucket: i64,
}

/// What became of events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events that came behind the watermark.
    pub(super) late: u64,
    /// Events that passed and found no place.
    pub(super) dropped: u64,
    /// Events with a time in the future.
    pub(super) future: u64,
    /// Those of them that were too far ahead, and were read from history when their time came.
    pub(super) repaired: u64,
}

/// Events up to a sequence, of buckets before one, that a backfill brings: they are not taken twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) up_to_sequence: u64,
    pub(super) below_bucket: i64,
}

/// Where what a standing has learnt comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Of a snapshot, and what came since of history; else all of history.
    pub(super) is_restored: bool,
    begun: Instant,
    /// How long it took until nothing was left to be read.
    pub(super) took: Option<Duration>,
}

/// The first stage of one query, or of many equal ones.
pub(super) struct Standing {
    key: StandingKey,
    pub(super) program: Arc<Program>,
    /// Of the metrics that share it.
    window: Windows,
    machine: Machine,
    /// When the machine was told the time, nanoseconds.
    told: i64,
    ring: Ring,
    extents: Option<Extents>,
    /// What came since the metric took it last, where its results are discarding.
    pane: Option<Pane>,
    /// Events that ever came.
    pub(super) taken: u64,
    /// How far time has come.
    sources: Arc<Mutex<Sources>>,
    /// How many events came for buckets too far ahead to be kept.
    ahead: BTreeMap<i64, u64>,
    /// How far the repository's live queries have come: batches with nothing for this one do not come here.
    progress: Arc<Mutex<Progress>>,
    /// The first sequence that is neither in the ring nor being read by a backfill, unless batches without it have
    /// been stepped over since.
    next_sequence: u64,
    pub(super) backfills: Vec<Backfill>,
    pub(super) refills: Vec<Refill>,
    /// The live thread knows that something is being read for it.
    pub(super) is_noted: bool,
    reserved: Vec<Reserved>,
    pub(super) tally: Tally,
    /// The bucket of now when what had left the window was forgotten.
    come: i64,
    /// Grows with whatever a result may show.
    pub(super) version: u64,
    /// Grows when events come into buckets that were complete.
    pub(super) revisions: u64,
    problem: Option<Problem>,
    pub(super) origin: Origin,
    pub(super) priorities: Priorities,
    pub(super) cost: Cost,
    /// Batches do not come to it: it is read from history.
    deferral: Option<Deferral>,
    /// The metrics over it that somebody subscribed to.
    watchers: Vec<Weak<Mutex<Metric>>>,
}

impl Standing {
    /// A standing for a metric over `window`, with an empty ring.
    pub(super) fn new(
        key: StandingKey,
        program: Arc<Program>,
        window: Window,
        (progress, sources): (Arc<Mutex<Progress>>, Arc<Mutex<Sources>>),
        now_nanos: i64,
    ) -> Standing {
        let context = key.context(window.nanos_of(&window.at(now_nanos)), now_nanos);
        let mut ring = Ring::new(window.len(), key.max_bytes);
        ring.close_before(window.bucket(now_nanos).saturating_sub(OPEN_BUCKETS));
        ring.set_folding(key.may_fold() && window.slides());
        Standing {
            machine: Machine::new(Arc::clone(&program), context),
            told: now_nanos,
            ring,
            extents: key.extents.then(Extents::default),
            pane: key.pane.map(|_| Pane::default()),
            taken: 0,
            sources,
            ahead: BTreeMap::new(),
            progress,
            next_sequence: 0,
            backfills: Vec::new(),
            refills: Vec::new(),
            is_noted: false,
            reserved: Vec::new(),
            tally: Tally::default(),
            come: i64::MIN,
            version: 0,
            revisions: 0,
            problem: None,
            origin: Origin { is_restored: false, begun: Instant::now(), took: None },
            priorities: Priorities::default(),
            cost: Cost::default(),
            deferral: None,
            watchers: Vec::new(),
            window: Windows::new(window),
            key,
            program,
        }
    }

    pub(super) fn key(&self) -> &StandingKey {
        &self.key
    }

    /// How batches come to it.
    pub(super) fn access(&self) -> Access {
        Access::of(self.program.required())
    }

    /// The filters it begins with: standings that agree in their hash pass the same rows by [`Standing::filter`].
    pub(super) fn leading(&self) -> Option<Leading> {
        let zone = xxhash_rust::xxh3::xxh3_64(self.key.timezone.as_bytes());
        let leading = self.program.leading_fingerprint()?;
        Some(Leading { hash: leading ^ zone, asked: Known::asked_by(&self.program) })
    }

    /// The first sequence that is neither in the ring nor being read by a backfill.
    pub(super) fn next_sequence(&self) -> u64 {
        match self.is_deferred() {
            true => self.next_sequence,
            false => self.next_sequence.max(self.progress.lock().next_sequence),
        }
    }

    /// Live begins with this sequence, or goes on with it.
    pub(super) fn skip_to(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence);
    }

    /// How far time had come, by the time that results are of, in all sources that are waited for; `None` while nothing is
    /// known.
    pub(super) fn reached(&self, now_nanos: i64) -> Option<i64> {
        self.reached_then().unwrap_or_else(|| self.present(now_nanos))
    }

    /// How far time has come.
    fn present(&self, now_nanos: i64) -> Option<i64> {
        let idle_nanos = nanos(self.key.idle_timeout).saturating_add(nanos(self.key.lateness));
        self.sources.lock().reached(self.key.time, idle_nanos, now_nanos)
    }

    /// Nothing before this time is expected; `None` while nothing is known.
    pub(super) fn watermark(&self, now_nanos: i64) -> Option<i64> {
        self.reached(now_nanos).map(|reached| reached.saturating_sub(nanos(self.key.lateness)))
    }

    /// From the arrival of the newest event to its being stepped over, nanoseconds.
    pub(super) fn lag_nanos(&self) -> i64 {
        self.progress.lock().lag_nanos
    }

    /// What it costs of late, nanoseconds for each event that comes to the repository.
    pub(super) fn nanos_per_event(&self) -> f64 {
        self.cost.nanos_per_event(self.progress.lock().timed_events)
    }

    /// How many metrics share it.
    pub(super) fn sharers(&self) -> usize {
        self.window.metrics()
    }

    /// The bytes its states may hold, and hold.
    pub(super) fn max_bytes(&self) -> usize {
        self.key.max_bytes
    }

    /// Bytes its states hold.
    pub(super) fn bytes(&self) -> usize {
        self.ring.bytes()
            + self.extents.as_ref().map_or(0, Extents::bytes)
            + self.pane.as_ref().map_or(0, Pane::bytes)
    }

    /// Another metric, over `window`, shares it from now on. The buckets that lack for that, and nobody else wanted:
    /// those before the present ones have to be read up to `cut`, the last sequence of history.
    pub(super) fn join(&mut self, window: Window, cut: u64, now_nanos: i64) -> Option<Range<i64>> {
        let before = self.window.kept(now_nanos).start;
        self.window.add(window);
        self.lack(before, cut, now_nanos)
    }

    /// What lacks of the buckets that its windows keep, where those before `before` are not there: they have to be read up
    /// to `cut`, the last sequence of history.
    fn lack(&mut self, mut before: i64, cut: u64, now_nanos: i64) -> Option<Range<i64>> {
        let start = self.window.kept(now_nanos).start;
        self.ring.set_folding(self.may_fold());
        if !self.may_fold() {
            // What was given up for the windows so far is read anew for the one that cannot do without.
            before = before.max(self.ring.whole_from());
        }
        if start >= before {
            return None;
        }
        let before = self.ring.cut_before(before);
        if let Some(extents) = &mut self.extents {
            extents.forget_before(before);
        }
        self.ring.reach(self.window.len());
        self.refills.retain(|refill| !refill.is_of(&(i64::MIN..before)));
        for backfill in &mut self.backfills {
            backfill.buckets.start = backfill.buckets.start.max(before);
        }
        self.reserved.push(Reserved { up_to_sequence: cut, below_bucket: before });
        Some(start..before)
    }

    /// A metric over `window` no longer shares it. False: none does.
    pub(super) fn leave(&mut self, window: &Window, priority: Priority) -> bool {
        self.priorities.remove(priority);
        let is_shared = self.window.remove(window);
        self.ring.keep_windows(|other| self.window.has(other));
        self.ring.set_folding(self.may_fold());
        is_shared
    }

    /// Whether what results can do without may be given up: it can be read back in time where windows slide.
    fn may_fold(&self) -> bool {
        self.key.may_fold() && self.window.slide()
    }

    /// Somebody subscribed to `metric`, which is over this.
    pub(super) fn watch(&mut self, metric: &Arc<Mutex<Metric>>) {
        self.unwatch(metric);
        self.watchers.push(Arc::downgrade(metric));
    }

    /// Nobody subscribes to `metric` any more.
    pub(super) fn unwatch(&mut self, metric: &Arc<Mutex<Metric>>) {
        self.watchers.retain(|watcher| watcher.strong_count() > 0 && watcher.as_ptr() != Arc::as_ptr(metric));
    }

    /// The metrics over it that somebody subscribed to.
    pub(super) fn watchers(&self) -> impl Iterator<Item = Arc<Mutex<Metric>>> {
        self.watchers.iter().filter_map(Weak::upgrade)
    }

    /// What the program runs in at `now`.
    pub(super) fn context(&self, now_nanos: i64) -> Context {
        self.key.context(self.window.nanos_of(&self.window.at(now_nanos)), now_nanos)
    }

    /// How a backfill of `buckets` lays its states out, and the range of event time it reads. `None`: none of them is
    /// kept.
    pub(super) fn layout(&mut self, buckets: &Range<i64>, now_nanos: i64) -> Option<(Layout, Range<i64>)> {
        let granule_nanos = self.window.granule_nanos;
        let mut kept = self.window.kept(now_nanos);
        // What arrives while the backfill goes on counts too, and of what lies further ahead it must be known.
        kept.end = i64::MAX / granule_nanos;
        let kept = kept.start.max(buckets.start)..kept.end.min(buckets.end);
        if kept.is_empty() {
            return None;
        }
        Some(match self.key.time {
            TimeBasis::Event => (Layout::ByEventTime { granule_nanos }, self.window.nanos_of(&kept)),
            TimeBasis::Ingest => {
                let (first_bucket, last_bucket) = (kept.start, kept.end - 1);
                (Layout::ByIngestTime { granule_nanos, first_bucket, last_bucket }, i64::MIN..i64::MAX)
            }
        })
    }

    /// The bucket that halves those of `buckets` that can be full by `now`; `None`: there is but one.
    pub(super) fn middle_of(&mut self, buckets: &Range<i64>, now_nanos: i64) -> Option<i64> {
        let kept = self.window.kept(now_nanos);
        let (start, end) = (buckets.start.max(kept.start), buckets.end.min(kept.end));
        (end.saturating_sub(start) > 1).then(|| start + (end - start) / 2)
    }

    /// From `sequence` on up to the sequence returned, events of buckets before the one returned are being read.
    pub(super) fn reserved_at(&self, sequence: u64) -> Option<(u64, i64)> {
        let ahead = self.reserved.iter().filter(|reserved| reserved.up_to_sequence >= sequence);
        ahead.fold(None, |found, Reserved { up_to_sequence, below_bucket }| match found {
            None => Some((*up_to_sequence, *below_bucket)),
            Some((up_to, below)) => Some(((*up_to_sequence).min(up_to), (*below_bucket).max(below))),
        })
    }

    /// The rows of `portion` that pass the filters it begins with.
    pub(super) fn filter(&mut self, portion: &Portion<'_>) -> Result<Selection, StepError> {
        self.machine.filter(portion, Selection::all(portion.len()))
    }

    /// Steps over what it may match of a batch: row steps once, then each bucket absorbs its rows. `filtered`: all of
    /// `portion` has passed the filters it begins with.
    pub(super) fn apply(&mut self, portion: &Portion<'_>, filtered: bool, arrival: &Arrival) {
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
        let within = match arrival.first_sequence.checked_sub(self.next_sequence) {
            Some(_) => Selection::all(portion.len()),
            None => {
                let places = portion.places();
                let is_new =
                    |row: usize| places.get(row).is_some_and(|key| key.sequence >= self.next_sequence);
                Selection::from_fn(places.len(), is_new)
            }
        };
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
            Err(fault) => self.refuse(rows, fault.to_string(), arrival.now_nanos),
        }
    }

    /// Counts events that could not be looked at.
    pub(super) fn refuse(&mut self, events: u64, fault: String, now_nanos: i64) {
        self.tally.dropped += events;
        self.fault(fault, now_nanos);
    }

    /// What is learnt from now on is of the time it is now, and what left the window goes: nobody may ever ask for a
    /// result, which would forget it too.
    pub(super) fn renew(&mut self, now_nanos: i64) {
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
    pub(super) fn put_sum(&mut self, bucket: i64, sum: &sink::Sum, now_nanos: i64) -> bool {
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

    /// Remembers that there are events for a bucket too far ahead to be kept.
    fn put_ahead(&mut self, bucket: i64, events: u64) {
        if self.ahead.len() >= MAX_FUTURE_BUCKETS && !self.ahead.contains_key(&bucket) {
            self.tally.dropped += events;
            return;
        }
        *self.ahead.entry(bucket).or_default() += events;
    }

    /// Whether the time of buckets has come whose events are in history only.
    pub(super) fn is_repair_due(&mut self, now_nanos: i64) -> bool {
        let Some(first) = self.ahead.first_key_value().map(|(bucket, _)| *bucket) else { return false };
        self.backfills.is_empty() && first < self.window.kept(self.shown_at(now_nanos)).end
    }

    /// Buckets to be read anew up to the sequence returned. They are empty from now on: what is read is all there was
    /// for them.
    pub(super) fn take_repair(&mut self, now_nanos: i64) -> Option<(Range<i64>, u64)> {
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
    pub(super) fn is_reading(&self) -> bool {
        !self.backfills.is_empty() || !self.refills.is_empty() || self.wants()
    }

    /// What was to be read for it has been looked at.
    pub(super) fn note_read(&mut self) {
        if self.backfills.is_empty() {
            self.origin.took.get_or_insert_with(|| self.origin.begun.elapsed());
        }
        self.note_reading_done();
    }

    /// Something has to be read for it, and the live thread has to be told.
    pub(super) fn note_reading(&mut self) -> bool {
        let is_new = self.is_reading() && !self.is_noted;
        self.is_noted |= is_new;
        is_new
    }

    /// By time of arrival nothing is read back.
    fn wants(&self) -> bool {
        self.key.time == TimeBasis::Event && self.ring.wants()
    }

    /// Buckets to be read back, and how; of the events before [`Standing::next_sequence`]. None while a backfill goes on:
    /// its events are among those and not yet in the ring.
    pub(super) fn wanted(&mut self) -> Option<(Want, Layout, Range<i64>)> {
        if !self.backfills.is_empty() || !self.wants() {
            return None;
        }
        let want = self.ring.wanted()?;
        let granule_nanos = self.window.granule_nanos.saturating_mul(want.span);
        let range = self.window.nanos_of(&want.buckets);
        Some((want, Layout::ByEventTime { granule_nanos }, range))
    }

    /// Takes what was read back; `None`: it could not be.
    pub(super) fn refill(&mut self, want: &Want, read: Option<&BTreeMap<i64, sink::Sum>>) {
        match read {
            Some(sums) => {
                self.ring.refill(want, sums.iter().map(|(number, sum)| (*number, &sum.state, sum.rows)));
            }
            None => self.ring.lose(want),
        }
        self.touch();
    }

    /// Sees to it that the bound is kept. False: there is not enough that results can do without.
    fn make_room(&mut self) -> bool {
        let beside = self.bytes() - self.ring.bytes();
        self.ring.bound(self.key.max_bytes.saturating_sub(beside));
        self.ring.make_room()
    }

    fn drop_in(&mut self, bucket: i64, events: u64, now_nanos: i64) {
        self.tally.dropped += events;
        self.ring.count_dropped(bucket, events);
        let (bytes, limit) = (self.bytes(), self.key.max_bytes);
        self.fault(format!("the metric's states of {bytes} bytes are over its bound of {limit}"), now_nanos);
    }

    /// Whether all of `buckets` is kept at `now`.
    pub(super) fn keeps(&mut self, buckets: &Range<i64>, now_nanos: i64) -> bool {
        let kept = self.window.kept(now_nanos);
        kept.start <= buckets.start && buckets.end <= kept.end
    }

    /// Everything in `buckets`, merged into `empty`. `slider`: the window that is there at `now` and slides on.
    pub(super) fn total(
        &mut self,
        slider: Option<&Window>,
        buckets: &Range<i64>,
        empty: State,
        now_nanos: i64,
    ) -> Result<Total, StepError> {
        self.come_to(now_nanos);
        self.ring.total(slider, buckets.clone(), empty)
    }

    fn come_to(&mut self, now_nanos: i64) {
        let now_nanos = self.shown_at(now_nanos);
        let first = self.window.kept(now_nanos).start;
        // What is forgotten has to be in the roll-ups that go on.
        self.ring.close_before(first.max(self.window.bucket(now_nanos).saturating_sub(OPEN_BUCKETS)));
        self.ring.forget_before(first);
        if let Some(extents) = &mut self.extents {
            extents.forget_before(first);
        }
    }

    /// The sessions of `buckets`, oldest first, where sessions are asked for.
    pub(super) fn sessions(&self, buckets: &Range<i64>, gap_nanos: i64) -> Vec<Session> {
        self.extents.as_ref().map_or(Vec::new(), |extents| extents.sessions(buckets, gap_nanos))
    }

    /// Everything in `buckets` that came since it was taken last, merged into `empty`, and from how many events; nothing
    /// where that is not kept.
    pub(super) fn take_pane(
        &mut self,
        buckets: &Range<i64>,
        empty: State,
    ) -> Result<(State, u64), StepError> {
        match &mut self.pane {
            Some(pane) => pane.take(buckets, empty),
            None => Ok((empty, 0)),
        }
    }

    /// What came since it was taken last is kept.
    pub(super) fn has_pane(&self) -> bool {
        self.pane.is_some()
    }

    /// Says what is wrong. It stays wrong for a window.
    pub(super) fn fault(&mut self, what: String, now_nanos: i64) {
        self.problem = Some(Problem { what, until_bucket: self.window.at(now_nanos).end });
        self.touch();
    }

    /// What is wrong with a window that begins with `bucket`.
    pub(super) fn problem_from(&self, bucket: i64) -> Option<&Problem> {
        self.problem.as_ref().filter(|problem| problem.until_bucket > bucket)
    }

    /// Results are to be computed again.
    pub(super) fn touch(&mut self) {
        self.version += 1;
    }
}
