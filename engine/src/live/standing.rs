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
mod filling;
mod repair;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::{Context, Machine, State, StepError};
use weir_query::program::Program;

use super::TimeBasis;
use super::backfill::Backfill;
use super::cost::Cost;
use super::matching::{Access, Known, Leading};
use super::metric::Metric;
use super::pane::Pane;
use super::priority::{Priorities, Priority};
use super::progress::Progress;
use super::refill::Refill;
use super::ring::{Ring, Total};
use super::session::{Extents, Session};
use super::sources::Sources;
use super::standing_key::StandingKey;
use super::window::{Window, Windows, nanos};
use crate::scan::sink::Layout;
pub(super) use cut::{Reading, StandingCut};
use deferral::Deferral;

/// The most buckets too far ahead to be kept of which it is known that they have events. Those of more are dropped.
pub const MAX_FUTURE_BUCKETS: usize = 1_024;
/// So many buckets before the present one are not closed yet: what comes a moment late is not put into roll-ups too.
const OPEN_BUCKETS: i64 = 2;

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
