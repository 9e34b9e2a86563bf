//! One standing metric: its program, its ring, and the result it comes to.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_query::machine::{Context, Frame, Machine, StepError};
use weir_query::program::Program;
use weir_query::record::Selection;

use super::backfill::Backfill;
use super::ring::Ring;
use super::subscription::Publisher;
use super::watermark::Watermark;
use super::window::Window;
use super::{LiveResult, LiveStatus, MetricDefinition, MetricInfo, TimeBasis};
use crate::event::EventBatch;
use crate::scan::sink::{self, Layout};

/// One standing metric.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) definition: MetricDefinition,
    pub(super) kept: bool,
    pub(super) program: Arc<Program>,
    pub(super) window: Window,
    machine: Machine,
    ring: Ring,
    watermark: Watermark,
    /// The first sequence that is neither in the ring nor being read by a backfill.
    pub(super) next_sequence: u64,
    pub(super) backfills: Vec<Backfill>,
    late: u64,
    dropped: u64,
    future: u64,
    lag_nanos: i64,
    changed: bool,
    revised: bool,
    revision: u64,
    result: Option<Arc<LiveResult>>,
    computed: Option<Instant>,
    published: u64,
    pub(super) publishers: Vec<Publisher>,
    problem: Option<Problem>,
}

/// What is wrong with a metric, for as long as what it befell is in the window.
struct Problem {
    what: String,
    until_bucket: i64,
}

impl Metric {
    /// A metric with an empty ring. Its revisions start above `revision`, and above those of earlier runs, as they
    /// start at the time and are fewer than one a millisecond.
    pub(super) fn new(
        name: &str,
        definition: MetricDefinition,
        program: Arc<Program>,
        kept: bool,
        revision: u64,
        now_nanos: i64,
    ) -> Metric {
        let window = Window::new(&definition);
        let context = context(&definition, &window, now_nanos);
        Metric {
            name: name.to_owned(),
            kept,
            machine: Machine::new(Arc::clone(&program), context),
            ring: Ring::default(),
            watermark: Watermark::new(definition.lateness, now_nanos),
            next_sequence: 0,
            backfills: Vec::new(),
            late: 0,
            dropped: 0,
            future: 0,
            lag_nanos: 0,
            changed: true,
            revised: false,
            revision: revision.max(u64::try_from(now_nanos / 1_000_000).unwrap_or(0)),
            result: None,
            computed: None,
            published: 0,
            publishers: Vec::new(),
            problem: None,
            definition,
            program,
            window,
        }
    }

    /// What the program runs in at `now`.
    pub(super) fn context(&self, now_nanos: i64) -> Context {
        context(&self.definition, &self.window, now_nanos)
    }

    /// How a backfill lays its states out, and the range of event time it reads.
    pub(super) fn layout(&self, now_nanos: i64) -> (Layout, Range<i64>) {
        let granule_nanos = self.window.granule_nanos;
        let kept = self.window.kept(now_nanos);
        match self.definition.time {
            TimeBasis::Event => (Layout::ByEventTime { granule_nanos }, self.window.nanos_of(&kept)),
            TimeBasis::Ingest => {
                let (first_bucket, last_bucket) = (kept.start, i64::MAX / granule_nanos - 1);
                (Layout::ByIngestTime { granule_nanos, first_bucket, last_bucket }, i64::MIN..i64::MAX)
            }
        }
    }

    /// Steps over a batch, whose newest event is of `newest`: row steps once, then each bucket absorbs its rows.
    pub(super) fn apply(&mut self, batch: &EventBatch, newest: i64, now_nanos: i64) {
        let (rows, first) = (batch.len(), batch.base_sequence());
        let end = first.saturating_add(rows as u64);
        if rows == 0 || end <= self.next_sequence {
            return;
        }
        let known = usize::try_from(self.next_sequence.saturating_sub(first)).unwrap_or(usize::MAX);
        self.next_sequence = end;
        let context = self.context(now_nanos);
        if context.end_nanos != self.machine.context().end_nanos {
            self.machine = Machine::new(Arc::clone(&self.program), context);
            // Nobody may ever ask for a result: what left the window goes here too.
            self.ring.forget_before(self.window.kept(now_nanos).start);
        }
        let within = match known {
            0 => Selection::all(rows),
            known => Selection::from_fn(rows, |row| row >= known),
        };
        match self.machine.select(batch, within) {
            Ok(frame) => self.absorb(&frame, batch.ingest_nanos(), newest, now_nanos),
            Err(fault) => {
                self.dropped += (rows - known.min(rows)) as u64;
                self.fault(fault.to_string(), now_nanos);
            }
        }
        self.lag_nanos = now_nanos.saturating_sub(batch.ingest_nanos()).max(0);
    }

    fn absorb(&mut self, frame: &Frame, ingest_nanos: i64, newest: i64, now_nanos: i64) {
        let rows = frame.order().len();
        self.changed |= rows > 0;
        match self.definition.time {
            TimeBasis::Ingest => {
                self.watermark.observe(ingest_nanos, now_nanos);
                let bucket = self.window.bucket(ingest_nanos);
                self.put(bucket, frame, &Selection::all(rows), now_nanos);
            }
            TimeBasis::Event => {
                let reached = self.watermark.reached(now_nanos).unwrap_or(i64::MIN);
                if let Some(watermark) = self.watermark.at(now_nanos) {
                    self.late += frame.order().iter().filter(|key| key.nanos < watermark).count() as u64;
                }
                self.watermark.observe(newest, now_nanos);
                let granule_nanos = self.window.granule_nanos;
                let split = sink::split(frame.order(), granule_nanos, |bucket, within| {
                    let put = self.put(bucket, frame, within, now_nanos);
                    self.revised |= put && self.window.start_of(bucket + 1) <= reached;
                    Ok::<(), StepError>(())
                });
                drop(split);
            }
        }
    }

    /// Puts the rows of `within` into `bucket`; false: they are counted as dropped, as they have no place there.
    fn put(&mut self, bucket: i64, frame: &Frame, within: &Selection, now_nanos: i64) -> bool {
        let events = within.count() as u64;
        if events == 0 {
            return false;
        }
        let kept = self.window.kept(now_nanos);
        if bucket > self.window.bucket(now_nanos) {
            self.future += events;
        }
        if !kept.contains(&bucket) {
            self.dropped += events;
            return false;
        }
        if !self.make_room() {
            self.drop_in(bucket, events, now_nanos);
            return false;
        }
        let machine = &mut self.machine;
        let empty = machine.new_state();
        let changed = self.ring.change(
            bucket,
            || empty,
            |state| {
                machine.absorb(frame, within, state)?;
                Ok(events)
            },
        );
        if let Err(fault) = &changed {
            self.fault(fault.to_string(), now_nanos);
            self.drop_in(bucket, events, now_nanos);
        }
        changed.is_ok()
    }

    /// Merges what a backfill learnt of `bucket`.
    pub(super) fn put_sum(&mut self, bucket: i64, sum: &sink::Sum, now_nanos: i64) {
        if !self.window.kept(now_nanos).contains(&bucket) {
            return;
        }
        self.changed = true;
        if !self.make_room() {
            return self.drop_in(bucket, sum.rows, now_nanos);
        }
        if self.definition.time == TimeBasis::Event {
            self.watermark.observe(self.window.start_of(bucket), now_nanos);
        }
        let empty = self.machine.new_state();
        let changed = self.ring.change(
            bucket,
            || empty,
            |state| {
                state.merge(&sum.state)?;
                Ok(sum.rows)
            },
        );
        if let Err(fault) = changed {
            self.fault(fault.to_string(), now_nanos);
            self.drop_in(bucket, sum.rows, now_nanos);
        }
    }

    fn make_room(&mut self) -> bool {
        if self.ring.bytes() <= self.definition.max_bytes {
            return true;
        }
        self.ring.forget_chunks();
        self.ring.bytes() <= self.definition.max_bytes
    }

    fn drop_in(&mut self, bucket: i64, events: u64, now_nanos: i64) {
        self.dropped += events;
        self.ring.count_dropped(bucket, events);
        let (bytes, limit) = (self.ring.bytes(), self.definition.max_bytes);
        self.fault(format!("the metric's states of {bytes} bytes are over its bound of {limit}"), now_nanos);
    }

    /// Says what is wrong with the metric. It stays wrong for a window.
    pub(super) fn fault(&mut self, what: String, now_nanos: i64) {
        self.problem = Some(Problem { what, until_bucket: self.window.at(now_nanos).end });
        self.changed = true;
    }

    /// The result is to be computed again.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// The result at `now` is not the one that was computed last.
    pub(super) fn is_stale(&self, now_nanos: i64) -> bool {
        let end = self.window.start_of(self.window.at(now_nanos).end);
        self.changed || self.result.as_ref().is_none_or(|result| result.end_nanos != end)
    }

    /// When the result should be computed again, from now: zero when it is due.
    pub(super) fn due_in(&self, now_nanos: i64, tick: Duration) -> Duration {
        if self.is_stale(now_nanos) {
            return self.computed.map_or(Duration::ZERO, |at| tick.saturating_sub(at.elapsed()));
        }
        let next = self.window.start_of(self.window.at(now_nanos).end);
        Duration::from_nanos(u64::try_from(next.saturating_sub(now_nanos)).unwrap_or(0))
    }

    /// The result at `now`: computed, unless the last one is still right or less than a tick old.
    pub(super) fn result(&mut self, now_nanos: i64, tick: Duration) -> Result<Arc<LiveResult>, StepError> {
        if let Some(result) = &self.result
            && !self.due_in(now_nanos, tick).is_zero()
        {
            return Ok(Arc::clone(result));
        }
        self.computed = Some(Instant::now());
        let result = self.compute(now_nanos);
        if let Err(fault) = &result {
            self.fault(fault.to_string(), now_nanos);
        }
        let result = result?;
        self.result = Some(Arc::clone(&result));
        Ok(result)
    }

    fn compute(&mut self, now_nanos: i64) -> Result<Arc<LiveResult>, StepError> {
        let buckets = self.window.at(now_nanos);
        self.ring.forget_before(self.window.kept(now_nanos).start);
        // The ring keeps its bound itself, a batch at a time; a total is at most the sum of its buckets, and the
        // later steps may need as much again.
        let mut context = self.context(now_nanos);
        context.max_state_bytes = self.definition.max_bytes.max(self.ring.bytes()).saturating_mul(2);
        let mut machine = Machine::new(Arc::clone(&self.program), context);
        let total = self.ring.total(buckets.clone(), buckets.end - 1, machine.new_state())?;
        let mut table = machine.finish(&total.state)?;
        self.problem = self.problem.take().filter(|problem| problem.until_bucket > buckets.start);
        table.warnings.extend(self.problem.as_ref().map(|problem| problem.what.clone()));
        let backfilling = !self.backfills.is_empty();
        let open = self.window.start_of(buckets.end - 1);
        let complete = !backfilling && total.dropped == 0 && self.problem.is_none();
        let revised = std::mem::take(&mut self.revised);
        let reached = self.definition.time == TimeBasis::Ingest
            || self.watermark.reached(now_nanos).is_some_and(|reached| reached >= open);
        let status = match (complete, revised) {
            (true, true) => LiveStatus::Revised,
            (true, false) if reached => LiveStatus::Final,
            _ => LiveStatus::Partial,
        };
        self.changed = false;
        self.revision += 1;
        let nanos = self.window.nanos_of(&buckets);
        Ok(Arc::new(LiveResult {
            table,
            revision: self.revision,
            status,
            start_nanos: nanos.start,
            end_nanos: nanos.end,
            watermark_nanos: self.watermark.at(now_nanos),
            lag_nanos: self.lag_nanos,
            up_to_sequence: self.next_sequence.saturating_sub(1),
            events: total.events,
            late: self.late,
            dropped: self.dropped,
            future: self.future,
            backfilling,
            state_bytes: self.ring.bytes(),
        }))
    }

    /// Pushes the result to those who subscribed, when it is due and there are any. The time until it is to be
    /// called again.
    pub(super) fn publish(&mut self, now_nanos: i64, tick: Duration) -> Option<Duration> {
        self.publishers.retain(|publisher| !publisher.is_left());
        if self.publishers.is_empty() {
            return None;
        }
        if let Ok(result) = self.result(now_nanos, tick)
            && result.revision > self.published
        {
            self.published = result.revision;
            self.publishers.retain(|publisher| publisher.publish(&result));
        }
        Some(self.due_in(now_nanos, tick))
    }

    pub(super) fn info(&self) -> MetricInfo {
        MetricInfo {
            name: self.name.clone(),
            definition: self.definition.clone(),
            kept: self.kept,
            revision: self.revision,
            state_bytes: self.ring.bytes(),
            subscriptions: self.publishers.iter().filter(|publisher| !publisher.is_left()).count(),
            problem: self.problem.as_ref().map(|problem| problem.what.clone()).unwrap_or_default(),
        }
    }
}

fn context(definition: &MetricDefinition, window: &Window, now_nanos: i64) -> Context {
    let range = window.nanos_of(&window.at(now_nanos));
    Context {
        now_millis: now_nanos.div_euclid(1_000_000),
        start_nanos: range.start,
        end_nanos: range.end,
        timezone: definition.timezone.clone(),
        max_state_bytes: definition.max_bytes,
    }
}
