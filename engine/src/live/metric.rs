//! One standing metric: a name's view of the standing it shares, and the result it comes to.

mod cut;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::{Machine, StepError};
use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::emission::{Emission, Giving};
use super::session;
use super::standing::{Problem, Standing};
use super::subscription::Publisher;
use super::window::Window;
use super::{LiveResult, LiveStatus, MetricDefinition, MetricInfo, Refinement, TimeBasis};
pub(super) use cut::MetricCut;

/// The least time between two results, however cheap.
const LEAST_PAUSE: Duration = Duration::from_millis(5);
/// Times of what a result took to compute that lie between it and the next, at least.
const PAUSE_PER_COST: u32 = 20;
/// How long to wait at most before it is looked again whether a trigger fires without events.
const TRIGGER_WAIT: Duration = Duration::from_millis(50);
/// How long to wait before it is looked again whether a span that has ended can be closed.
const CLOSING_WAIT: Duration = Duration::from_millis(20);

/// One standing metric. Whoever holds it and its standing locks the metric first.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) definition: MetricDefinition,
    pub(super) kept: bool,
    /// The whole query: the standing runs its first stage only.
    pub(super) program: Arc<Program>,
    pub(super) window: Window,
    pub(super) standing: Arc<Mutex<Standing>>,
    /// The span that results are of until it is closed, where spans end.
    open: Option<Range<i64>>,
    /// The standing's version and revisions when the result was computed.
    seen: (u64, u64),
    revision: u64,
    result: Option<Arc<LiveResult>>,
    /// When the last result was computed, and how long that took.
    computed: Option<(Instant, Duration)>,
    published: u64,
    emission: Emission,
    /// The standing keeps what came since the last result: results are discarding.
    has_pane: bool,
    pub(super) publishers: Vec<Publisher>,
    problem: Option<Problem>,
    /// Something that its query names is not there any more: it goes on with what there was.
    lost: Option<String>,
}

impl Metric {
    /// A metric over `standing`. Its revisions start above `revision`, and above those of earlier runs, as they
    /// start at the time and are fewer than one a millisecond.
    pub(super) fn new(
        name: &str,
        (definition, giving): (MetricDefinition, &Giving),
        program: Arc<Program>,
        kept: bool,
        (revision, now_nanos): (u64, i64),
        standing: Arc<Mutex<Standing>>,
    ) -> Metric {
        let filling = standing.lock();
        let seen = (0, filling.revisions);
        let emission = Emission::new(giving, filling.taken);
        let has_pane = emission.refinement == Refinement::Discarding;
        drop(filling);
        Metric {
            name: name.to_owned(),
            kept,
            window: Window::new(&definition),
            standing,
            open: None,
            seen,
            revision: revision.max(u64::try_from(now_nanos / 1_000_000).unwrap_or(0)),
            result: None,
            computed: None,
            published: 0,
            emission,
            has_pane,
            publishers: Vec::new(),
            problem: None,
            lost: None,
            definition,
            program,
        }
    }

    /// Says what is wrong with the metric. It stays wrong for a window.
    pub(super) fn fault(&mut self, what: String, now_nanos: i64) {
        self.problem = Some(Problem { what, until_bucket: self.window.at(now_nanos).end });
        self.result = None;
    }

    /// Says what its query names in vain, until all of it is there again.
    pub(super) fn lose(&mut self, what: Option<String>) {
        if self.lost != what {
            self.lost = what;
            self.result = None;
        }
    }

    /// The buckets that a result at `now` is of.
    fn buckets(&self, now_nanos: i64) -> Range<i64> {
        self.open.clone().unwrap_or_else(|| self.window.at(now_nanos))
    }

    /// The result at `now` is not the one that was computed last.
    fn is_stale(&self, standing: &Standing, now_nanos: i64) -> bool {
        let end = self.window.start_of(self.buckets(now_nanos).end);
        let is_other = |result: &Arc<LiveResult>| result.end_nanos != end;
        self.seen.0 != standing.version || self.result.as_ref().is_none_or(is_other)
    }

    /// When the result should be computed again, from now: zero when it is due.
    fn due_in(&self, standing: &Standing, now_nanos: i64, tick: Duration) -> Duration {
        if self.is_stale(standing, now_nanos) {
            return self.computed.map_or(Duration::ZERO, |(at, took)| {
                // What is cheap to compute is given at once; what is costly takes a small share of the thread.
                let pause = (took * PAUSE_PER_COST).max(LEAST_PAUSE).min(tick);
                pause.saturating_sub(at.elapsed())
            });
        }
        let next = self.window.start_of(self.buckets(now_nanos).end);
        // A span that has ended waits for its last events.
        let wait = u64::try_from(next.saturating_sub(now_nanos)).ok().filter(|wait| *wait > 0);
        wait.map_or(CLOSING_WAIT, Duration::from_nanos)
    }

    /// Closes the span that results are of, when it has ended and nothing more is expected of it: pushes its last
    /// result, and goes on to the present span.
    fn close(&mut self, standing: &mut Standing, now_nanos: i64) -> Result<(), StepError> {
        if !self.window.is_closing() {
            return Ok(());
        }
        let present = self.window.at(now_nanos);
        let Some(ended) = self.open.clone().filter(|open| open.end <= present.start) else {
            self.open = Some(present);
            return Ok(());
        };
        let complete = self.is_complete(standing, &ended, now_nanos) && standing.backfills.is_empty();
        if !complete && !self.window.is_given_up(ended.end, now_nanos) {
            return Ok(());
        }
        self.open = Some(present);
        // It is told of only as long as it is there.
        if !self.publishers.is_empty() && standing.keeps(&ended, now_nanos) {
            let result = self.compute(standing, (&ended, self.has_pane), true, now_nanos)?;
            self.push(&result);
        }
        self.emission.begin(now_nanos);
        Ok(())
    }

    /// Whether no more events are expected in `span`.
    fn is_complete(&self, standing: &Standing, span: &Range<i64>, now_nanos: i64) -> bool {
        let end = self.window.start_of(span.end);
        match self.definition.time {
            TimeBasis::Ingest => now_nanos >= end,
            TimeBasis::Event => standing.watermark(now_nanos).is_some_and(|watermark| watermark >= end),
        }
    }

    /// The result at `now`: computed, unless the last one is still right or less than a tick old.
    pub(super) fn result(&mut self, now_nanos: i64, tick: Duration) -> Result<Arc<LiveResult>, StepError> {
        let standing = Arc::clone(&self.standing);
        let mut standing = standing.lock();
        let now_nanos = standing.shown_at(now_nanos);
        self.result_of(&mut standing, now_nanos, tick)
    }

    fn result_of(
        &mut self,
        standing: &mut Standing,
        now_nanos: i64,
        tick: Duration,
    ) -> Result<Arc<LiveResult>, StepError> {
        self.close(standing, now_nanos)?;
        if let Some(result) = &self.result
            && !self.due_in(standing, now_nanos, tick).is_zero()
        {
            return Ok(Arc::clone(result));
        }
        let start = Instant::now();
        let result = self.compute(standing, (&self.buckets(now_nanos), false), false, now_nanos);
        self.computed = Some((start, start.elapsed()));
        if let Err(fault) = &result {
            self.fault(fault.to_string(), now_nanos);
        }
        let result = result?;
        self.result = Some(Arc::clone(&result));
        Ok(result)
    }

    /// The result over `buckets`, or over what came there since it was taken last; the last one when it is `closed`.
    fn compute(
        &mut self,
        standing: &mut Standing,
        (buckets, of_pane): (&Range<i64>, bool),
        closed: bool,
        now_nanos: i64,
    ) -> Result<Arc<LiveResult>, StepError> {
        // The ring keeps its bound itself, a batch at a time; a total is at most the sum of its buckets, and the
        // later steps may need as much again.
        let mut context = standing.key().context(self.window.nanos_of(buckets), now_nanos);
        context.max_state_bytes = self.definition.max_bytes.max(standing.bytes()).saturating_mul(2);
        let mut machine = Machine::new(Arc::clone(&self.program), context);
        let slider = self.window.slides().then_some(&self.window);
        let mut total = standing.total(slider, buckets, machine.new_state(), now_nanos)?;
        if of_pane {
            (total.state, total.events) = standing.take_pane(buckets, machine.new_state())?;
        }
        let mut table = match self.window.gap_nanos {
            None => machine.finish(&total.state)?,
            Some(gap_nanos) => session::answer(&mut machine, standing, buckets, gap_nanos, now_nanos)?,
        };
        self.problem = self.problem.take().filter(|problem| problem.until_bucket > buckets.start);
        let problem = self.problem.as_ref().or(standing.problem_from(buckets.start));
        table.warnings.extend(problem.map(|problem| problem.what.clone()));
        table.warnings.extend(self.lost.clone());
        if total.is_coarse {
            table.warnings.push(too_coarse(buckets.start - total.start));
        }
        let backfilling = standing.is_filling();
        let whole = !backfilling
            && total.dropped == 0
            && !total.is_coarse
            && problem.is_none()
            && self.lost.is_none();
        let status = self.status(standing, buckets, (whole, closed), now_nanos);
        if !of_pane {
            self.seen = (standing.version, standing.revisions);
        }
        self.revision += 1;
        let nanos = self.window.nanos_of(buckets);
        Ok(Arc::new(LiveResult {
            table,
            retracted: ResultTable::default(),
            refinement: self.emission.refinement,
            revision: self.revision,
            status,
            closed,
            start_nanos: nanos.start,
            end_nanos: nanos.end,
            watermark_nanos: standing.watermark(now_nanos),
            lag_nanos: standing.lag_nanos(),
            up_to_sequence: standing.next_sequence().saturating_sub(1),
            events: total.events,
            late: standing.tally.late,
            dropped: standing.tally.dropped,
            future: standing.tally.future,
            repaired: standing.tally.repaired,
            backfilling,
            degraded: standing.degraded(),
            state_bytes: standing.bytes(),
        }))
    }

    /// How much to trust what was computed over `buckets`; `whole`: nothing is known to lack.
    fn status(
        &self,
        standing: &Standing,
        buckets: &Range<i64>,
        (whole, closed): (bool, bool),
        now_nanos: i64,
    ) -> LiveStatus {
        let open = self.window.start_of(self.window.bucket(now_nanos).min(buckets.end - 1));
        let reached = match (closed, self.definition.time) {
            (true, _) => self.is_complete(standing, buckets, now_nanos),
            (false, TimeBasis::Ingest) => true,
            (false, TimeBasis::Event) => standing.reached(now_nanos).is_some_and(|reached| reached >= open),
        };
        match (whole, reached, self.seen.1 != standing.revisions) {
            (true, true, _) if closed => LiveStatus::Final,
            (true, _, true) => LiveStatus::Revised,
            (true, true, false) => LiveStatus::Final,
            _ => LiveStatus::Partial,
        }
    }

    /// Pushes the result to those who subscribed, when it is due and there are any. The time until it is to be
    /// called again.
    pub(super) fn publish(&mut self, now_nanos: i64, tick: Duration) -> Option<Duration> {
        self.publishers.retain(|publisher| !publisher.is_left());
        if self.publishers.is_empty() {
            return None;
        }
        let standing = Arc::clone(&self.standing);
        let mut standing = standing.lock();
        let now_nanos = standing.shown_at(now_nanos);
        if let Ok(Some(result)) = self.next_given(&mut standing, now_nanos, tick) {
            self.push(&result);
        }
        if !self.emission.is_triggered() {
            return Some(self.due_in(&standing, now_nanos, tick));
        }
        // Events wake it; for the rest it looks again.
        let conditions = self.emission.has_conditions();
        let looks = conditions.then(|| self.due_in(&standing, now_nanos, tick).max(tick));
        let due = self.emission.due().map(|due| due.saturating_sub(now_nanos).max(0));
        let due = due.map(|due| Duration::from_nanos(due.unsigned_abs()));
        Some(looks.into_iter().chain(due).fold(TRIGGER_WAIT, Duration::min))
    }

    /// The result that is to be given out now, if there is one.
    fn next_given(
        &mut self,
        standing: &mut Standing,
        now_nanos: i64,
        tick: Duration,
    ) -> Result<Option<Arc<LiveResult>>, StepError> {
        if !self.emission.is_triggered() {
            let result = self.result_of(standing, now_nanos, tick)?;
            return Ok((result.revision > self.published).then_some(result));
        }
        self.close(standing, now_nanos)?;
        let present = match self.emission.has_conditions() {
            true => Some(self.result_of(standing, now_nanos, tick)?),
            false => None,
        };
        // The end of a span that is closed has been told of already.
        let watermark = standing.watermark(now_nanos).filter(|_| !self.window.is_closing());
        let ended = watermark.map(|watermark| self.window.bucket(watermark));
        if !self.emission.fires(standing.taken, ended, present.as_deref(), now_nanos)? {
            return Ok(None);
        }
        if self.has_pane {
            let result = self.compute(standing, (&self.buckets(now_nanos), true), false, now_nanos)?;
            return Ok((result.events > 0).then_some(result));
        }
        let result = self.result_of(standing, now_nanos, Duration::ZERO)?;
        Ok((result.revision > self.published).then_some(result))
    }

    /// Gives `result` out to those who subscribed.
    fn push(&mut self, result: &Arc<LiveResult>) {
        self.published = result.revision;
        let given = self.emission.give(result);
        self.publishers.retain(|publisher| publisher.publish(&given));
    }

    /// What a new subscriber gets first, when the present result is `present`.
    pub(super) fn first_given(&mut self, present: &Arc<LiveResult>) -> Option<Arc<LiveResult>> {
        match self.emission.refinement {
            Refinement::Accumulating => Some(Arc::clone(present)),
            Refinement::Discarding => None,
            Refinement::Retracting => {
                let before = self.emission.before().map(Arc::clone);
                Some(before.unwrap_or_else(|| self.emission.give(present)))
            }
        }
    }

    /// How many subscribe to it.
    pub(super) fn subscriptions(&self) -> usize {
        self.publishers.iter().filter(|publisher| !publisher.is_left()).count()
    }

    /// The metric as it is at `now`.
    pub(super) fn info(&self, now_nanos: i64) -> MetricInfo {
        let standing = self.standing.lock();
        let now_nanos = standing.shown_at(now_nanos);
        let problem = self.problem.as_ref().or(standing.problem_from(self.buckets(now_nanos).start));
        let problem = problem.map(|problem| problem.what.clone()).or_else(|| self.lost.clone());
        MetricInfo {
            name: self.name.clone(),
            definition: self.definition.clone(),
            keys: self.program.keys(),
            kept: self.kept,
            revision: self.revision,
            state_bytes: standing.bytes(),
            shared_by: standing.sharers(),
            access: standing.access().to_string(),
            nanos_per_event: standing.nanos_per_event(),
            events_seen: standing.cost.events,
            degraded: standing.degraded(),
            subscriptions: self.subscriptions(),
            problem: problem.unwrap_or_default(),
            is_restored: standing.origin.is_restored,
            filled_after: standing.origin.took,
        }
    }
}

fn too_coarse(granules: i64) -> String {
    format!(
        "the window is {granules} granules too long: finer states were given up to keep the metric's bound"
    )
}
