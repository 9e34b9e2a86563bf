//! One query job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::JobView;
use super::kinds::Work;
use crate::error::ApiError;
use crate::search::Prepared;

/// A view counts as new for at most one in so many of the time its job had run when it was computed: who asks at once is
/// not kept waiting by an answer from before there was anything.
const YOUNG_SHARE: u32 = 4;

/// What of its request a job's answers repeat.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// The part of the query before its first aggregate.
    pub filter: String,
    /// As asked.
    pub is_interactive: bool,
    /// As asked.
    pub include_deleted_events: bool,
    /// No partial results.
    pub no_result_until_done: bool,
    /// A histogram is wanted.
    pub show_distribution: bool,
}

/// A query job.
#[derive(Debug)]
pub struct Job {
    id: String,
    repository: String,
    prepared: Prepared,
    echo: Echo,
    work: Work,
    cancelled: AtomicBool,
    touched: Mutex<Instant>,
    latest: Mutex<Option<(Instant, Arc<JobView>)>>,
    /// Held while a view is computed: whoever else asks meanwhile gets the one before.
    computing: Mutex<()>,
    /// A view is computed at most this often, however often clients ask.
    interval: Duration,
    begun: Instant,
}

impl Job {
    pub(super) fn of_work(
        id: String,
        repository: String,
        prepared: Prepared,
        echo: Echo,
        work: Work,
        interval: Duration,
    ) -> Job {
        Job {
            id,
            repository,
            prepared,
            echo,
            work,
            cancelled: AtomicBool::new(false),
            touched: Mutex::new(Instant::now()),
            latest: Mutex::new(None),
            computing: Mutex::new(()),
            interval,
            begun: Instant::now(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of its repository.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Its query.
    #[must_use]
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// What its answers repeat.
    #[must_use]
    pub fn echo(&self) -> &Echo {
        &self.echo
    }

    /// It goes on with what arrives.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.work, Work::Live(_))
    }

    /// It was ended by its client.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// When somebody last asked about it.
    #[must_use]
    pub fn touched(&self) -> Instant {
        *self.touched.lock()
    }

    /// Somebody asks about it.
    pub fn touch(&self) {
        *self.touched.lock() = Instant::now();
    }

    /// Ends it: its scan stops, its live query goes.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.work.cancel();
    }

    /// Its result now, at most an interval old. Takes a core while it computes: not for async threads.
    ///
    /// # Errors
    /// When the result cannot be computed.
    pub fn view(&self) -> Result<Arc<JobView>, ApiError> {
        if let Some(view) = self.fresh() {
            return Ok(view);
        }
        let known = self.latest.lock().as_ref().map(|(_, view)| Arc::clone(view));
        let _turn = match (self.computing.try_lock(), known) {
            (Some(turn), _) => turn,
            (None, Some(view)) => return Ok(view),
            (None, None) => self.computing.lock(),
        };
        if let Some(view) = self.fresh() {
            return Ok(view);
        }
        let view = Arc::new(self.work.view(&self.prepared, &self.echo)?);
        *self.latest.lock() = Some((Instant::now(), Arc::clone(&view)));
        Ok(view)
    }

    /// The latest view, where there is no newer one or none is due.
    fn fresh(&self) -> Option<Arc<JobView>> {
        let latest = self.latest.lock();
        let (at, view) = latest.as_ref()?;
        let is_final = view.done && !self.is_live();
        let lasts = self.interval.min(at.duration_since(self.begun) / YOUNG_SHARE);
        (is_final || at.elapsed() < lasts).then(|| Arc::clone(view))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.work.cancel();
    }
}
