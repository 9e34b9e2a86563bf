//! The neighbours of one event: so many before it, so many after, in the order of events.

use std::sync::Arc;

use weir_engine::Snapshot;
use weir_engine::scan::{Scan, ScanHandle, Source};
use weir_query::machine::Context;
use weir_query::program::Program;
use weir_query::record::OrderKey;
use weir_query::result::ResultTable;

use super::JobView;
use super::kinds::Ground;
use crate::error::ApiError;
use crate::search::{Cost, Prepared, with_queries_run};

/// Neighbours on one side where the request does not say.
const DEFAULT_NEIGHBOURS: usize = 100;
/// The most on one side.
const MAX_NEIGHBOURS: usize = 10_000;
/// A request names its event's time to the millisecond; so many events of that millisecond may be in between.
const SAME_MILLI: usize = 1_000;
/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Two scans that start at one event.
pub(super) struct Around {
    before: ScanHandle,
    after: ScanHandle,
    sequence: u64,
    wanted_before: usize,
    wanted_after: usize,
}

impl Around {
    pub(super) fn start(
        ground: Ground<'_>,
        snapshot: &Arc<Snapshot>,
        prepared: &Prepared,
        asked: &crate::wire::Around,
    ) -> Result<Around, ApiError> {
        if prepared.is_aggregate() {
            return Err(ApiError::bad_request("around wants a query whose rows are events"));
        }
        let wrong = || ApiError::bad_request(format!("around: {:?} is no event id", asked.event_id));
        let sequence = u64::from_str_radix(&asked.event_id, 36).map_err(|_| wrong())?;
        let count = |asked: Option<usize>| asked.unwrap_or(DEFAULT_NEIGHBOURS).min(MAX_NEIGHBOURS);
        let (wanted_before, wanted_after) =
            (count(asked.number_of_events_before), count(asked.number_of_events_after));
        let at = asked.timestamp.saturating_mul(NANOS_PER_MILLI);
        let scan = |ending: &str, wanted: usize, start_nanos: i64, end_nanos: i64| {
            let text = format!("{}\n| {ending}({})", query_text(prepared), wanted + SAME_MILLI);
            let program = Program::compile(&text, &prepared.options())
                .map_err(|faults| ApiError::query(&text, &faults))?;
            let mut options = prepared.scan_options(ground.limits, ground.pool);
            options.context = Context { start_nanos, end_nanos, ..prepared.context.clone() };
            let source: Arc<dyn Source> = Arc::clone(snapshot) as _;
            let program = with_queries_run(ground.engine, &source, (&text, &program), &options)?;
            Ok::<_, ApiError>(Scan::start(source, program, options)?)
        };
        let context = &prepared.context;
        let before = scan("tail", wanted_before, context.start_nanos, at.saturating_add(NANOS_PER_MILLI))?;
        let after = scan("head", wanted_after, at, context.end_nanos)?;
        Ok(Around { before, after, sequence, wanted_before, wanted_after })
    }

    pub(super) fn cancel(&self) {
        self.before.cancel();
        self.after.cancel();
    }

    pub(super) fn view(&self, prepared: &Prepared) -> Result<JobView, ApiError> {
        let (before, after) = (self.before.progress(), self.after.progress());
        let done = before.done && after.done;
        let mut view = JobView {
            done,
            cost: Cost::of_progress(&before),
            start_millis: prepared.start_millis(),
            end_millis: prepared.end_millis(),
            work_done: before.work_done + after.work_done,
            work_total: before.work_total + after.work_total,
            ..JobView::default()
        };
        if done {
            let (before, after) = (self.before.wait()?, self.after.wait()?);
            view.cost.partial = before.partial || after.partial;
            view.cost.end = "complete";
            view.rows = self.join(before.table, after.table);
        }
        Ok(view)
    }

    /// Newest first: what came after, the event, what came before.
    fn join(&self, before: ResultTable, after: ResultTable) -> Vec<(Arc<ResultTable>, Vec<u32>)> {
        let key_of =
            |table: &ResultTable| table.order.iter().find(|key| key.sequence == self.sequence).copied();
        let Some(key) = key_of(&before).or_else(|| key_of(&after)) else { return Vec::new() };
        let newer = newest_first(&after, |place| place > key);
        let skip = newer.len().saturating_sub(self.wanted_after);
        let newer = newer.get(skip..).unwrap_or_default().to_vec();
        let mut older = newest_first(&before, |place| place <= key);
        older.truncate(self.wanted_before + 1);
        vec![(Arc::new(after), newer), (Arc::new(before), older)]
    }
}

fn query_text(prepared: &Prepared) -> &str {
    if prepared.text.trim().is_empty() { "*" } else { &prepared.text }
}

fn newest_first(table: &ResultTable, keep: impl Fn(OrderKey) -> bool) -> Vec<u32> {
    let mut rows: Vec<(OrderKey, u32)> =
        table.order.iter().copied().zip(0_u32..).filter(|(key, _)| keep(*key)).collect();
    rows.sort_unstable_by(|left, right| right.cmp(left));
    rows.into_iter().map(|(_, row)| row).collect()
}
