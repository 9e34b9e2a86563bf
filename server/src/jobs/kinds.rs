//! The kinds of job: over history, live, and around one event.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::live::{Live, LiveError};
use weir_engine::scan::{Scan, ScanHandle, ScanPool, Source};
use weir_engine::{Engine, Repository, Snapshot};
use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::around::Around;
use super::{Echo, Job, JobTable, JobView};
use crate::error::ApiError;
use crate::search::{Cost, Prepared, with_queries_run};
use crate::settings::Query;

/// Buckets of a histogram.
const DISTRIBUTION_BUCKETS: usize = 100;

/// What a job runs on.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The engine, for queries inside that read another repository.
    pub engine: &'a Engine,
    /// The repository.
    pub repository: &'a Repository,
    /// Its live queries.
    pub live: &'a Arc<Live>,
    /// The threads of scans.
    pub pool: &'a ScanPool,
    /// The limits.
    pub limits: &'a Query,
}

/// What a job does.
pub(super) enum Work {
    /// Scans history once.
    History(History),
    /// Keeps a standing metric of its own.
    Live(LiveJob),
    /// Scans before and after one event.
    Around(Around),
}

impl std::fmt::Debug for Work {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Work::History(_) => "History",
            Work::Live(_) => "Live",
            Work::Around(_) => "Around",
        })
    }
}

/// A scan, and one more for the histogram.
pub(super) struct History {
    scan: ScanHandle,
    distribution: Option<ScanHandle>,
}

/// A standing metric that lives as long as its job.
pub(super) struct LiveJob {
    live: Arc<Live>,
    metric: String,
}

impl Job {
    /// Starts a job.
    ///
    /// # Errors
    /// When too many searches run, or the live query is refused.
    pub fn start(
        ground: Ground<'_>,
        prepared: Prepared,
        echo: Echo,
        around: Option<&crate::wire::Around>,
    ) -> Result<Job, ApiError> {
        let id = JobTable::new_id();
        let snapshot = ground.repository.snapshot();
        let work = match around {
            Some(asked) => Work::Around(Around::start(ground, &snapshot, &prepared, asked)?),
            None if prepared.is_live => Work::Live(LiveJob::start(ground, &prepared, &id)?),
            None => Work::History(History::start(ground, &snapshot, &prepared, &echo)?),
        };
        let interval = Duration::from_millis(ground.limits.poll_after_millis);
        let repository = ground.repository.name().to_string();
        Ok(Job::of_work(id, repository, prepared, echo, work, interval))
    }
}

impl Work {
    pub(super) fn cancel(&self) {
        match self {
            Work::History(history) => {
                history.scan.cancel();
                if let Some(scan) = &history.distribution {
                    scan.cancel();
                }
            }
            Work::Live(job) => {
                if let Err(error) = job.live.drop_metric(&job.metric) {
                    tracing::debug!(%error, "live job was gone already");
                }
            }
            Work::Around(around) => around.cancel(),
        }
    }

    pub(super) fn view(&self, prepared: &Prepared, echo: &Echo) -> Result<JobView, ApiError> {
        match self {
            Work::History(history) => history.view(prepared, echo),
            Work::Live(job) => job.view(),
            Work::Around(around) => around.view(prepared),
        }
    }
}

impl History {
    fn start(
        ground: Ground<'_>,
        snapshot: &Arc<Snapshot>,
        prepared: &Prepared,
        echo: &Echo,
    ) -> Result<History, ApiError> {
        let options = prepared.scan_options(ground.limits, ground.pool);
        let source: Arc<dyn Source> = Arc::clone(snapshot) as _;
        let program =
            with_queries_run(ground.engine, &source, (&prepared.text, &prepared.program), &options)?;
        let scan = Scan::start(Arc::clone(&source), program, options.clone())?;
        let distribution = match distribution_program(prepared, echo) {
            Some(program) => Some(Scan::start(source, program, options)?),
            None => None,
        };
        Ok(History { scan, distribution })
    }

    fn view(&self, prepared: &Prepared, echo: &Echo) -> Result<JobView, ApiError> {
        let mut progress = self.scan.progress();
        let mut partial = ResultTable::default();
        if !progress.done && !echo.no_result_until_done {
            partial = self.scan.partial()?;
            // It is over what was read until it was made.
            progress = self.scan.progress();
        }
        let (table, cost) = if progress.done {
            let result = self.scan.wait()?;
            let cost = Cost::of_result(&progress, &result);
            (result.table, cost)
        } else {
            (partial, Cost::of_progress(&progress))
        };
        let (counted, distribution) = match &self.distribution {
            None => (true, None),
            Some(scan) => (scan.progress().done, Some(Arc::new(scan.partial()?))),
        };
        Ok(JobView {
            rows: JobView::whole(table),
            done: progress.done && counted,
            cost,
            distribution,
            start_millis: prepared.start_millis(),
            end_millis: prepared.end_millis(),
            work_done: progress.work_done,
            work_total: progress.work_total,
            revision: None,
        })
    }
}

/// The program of the histogram: how many events the filter lets through, over time.
fn distribution_program(prepared: &Prepared, echo: &Echo) -> Option<Arc<Program>> {
    if !echo.show_distribution {
        return None;
    }
    let text = format!("{}\n| bucket(buckets={DISTRIBUTION_BUCKETS}, function=count())", echo.filter);
    let program = Program::compile(&text, &prepared.options()).ok()?;
    // A histogram is not worth running queries for it.
    program.queries().is_empty().then_some(program)
}

impl LiveJob {
    fn start(ground: Ground<'_>, prepared: &Prepared, id: &str) -> Result<LiveJob, ApiError> {
        let metric = format!("job-{id}");
        ground.live.define_temporary(&metric, prepared.standing()).map_err(|error| match error {
            LiveError::Query(faults) => ApiError::query(&prepared.text, &faults),
            other => other.into(),
        })?;
        Ok(LiveJob { live: Arc::clone(ground.live), metric })
    }

    fn view(&self) -> Result<JobView, ApiError> {
        let result = self.live.read(&self.metric)?;
        let millis = |nanos: i64| nanos.div_euclid(1_000_000);
        let done = !result.backfilling;
        Ok(JobView {
            rows: JobView::whole(result.table.clone()),
            done,
            cost: Cost {
                events_matched: result.events,
                end: if done { "complete" } else { "running" },
                ..Cost::default()
            },
            distribution: None,
            start_millis: millis(result.start_nanos),
            end_millis: millis(result.end_nanos),
            work_done: u64::from(done),
            work_total: 1,
            revision: Some(result.revision),
        })
    }
}
