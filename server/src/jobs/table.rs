//! All jobs, bounded in number and life.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::Job;
use crate::error::ApiError;
use crate::settings::Query;

/// When it is worth asking for a place again.
const FULL_RETRY_MILLIS: u64 = 5_000;

/// All jobs, by id.
#[derive(Debug)]
pub struct JobTable {
    jobs: Mutex<HashMap<String, Arc<Job>>>,
    max_jobs: usize,
    lifetime: Duration,
    live_lifetime: Duration,
    shown: Gauge,
}

impl JobTable {
    /// An empty table with the limits of `settings`.
    #[must_use]
    pub fn new(settings: &Query, shown: Gauge) -> JobTable {
        JobTable {
            jobs: Mutex::default(),
            max_jobs: settings.max_jobs,
            lifetime: Duration::from_millis(settings.job_lifetime_millis),
            live_lifetime: Duration::from_millis(settings.live_job_lifetime_millis),
            shown,
        }
    }

    /// Whether there is room for one more; forgotten jobs make room.
    ///
    /// # Errors
    /// 429 when there is none.
    pub fn check_room(&self) -> Result<(), ApiError> {
        self.sweep(Instant::now());
        if self.jobs.lock().len() >= self.max_jobs {
            let message = format!("there are already {} query jobs", self.max_jobs);
            return Err(ApiError::busy(message, FULL_RETRY_MILLIS));
        }
        Ok(())
    }

    /// Keeps a job. Between [`JobTable::check_room`] and here others may have come: the limit may be passed by as
    /// many as are being made.
    pub fn insert(&self, job: Job) -> Arc<Job> {
        let job = Arc::new(job);
        let mut jobs = self.jobs.lock();
        jobs.insert(job.id().to_owned(), Arc::clone(&job));
        self.show(jobs.len());
        job
    }

    /// The job `id` of repository `repository`; asking keeps it alive.
    ///
    /// # Errors
    /// 404 when it was never there, or is no more.
    pub fn get(&self, repository: &str, id: &str) -> Result<Arc<Job>, ApiError> {
        let job = self.jobs.lock().get(id).cloned();
        let job = job.filter(|job| job.repository() == repository && !self.is_forgotten(job, Instant::now()));
        let job = job.ok_or_else(|| {
            ApiError::not_found(format!("no query job has the id {id:?}"))
                .hint("jobs end when nobody asks about them; create it again")
        })?;
        job.touch();
        Ok(job)
    }

    /// Ends the job and forgets it. False: there was none.
    pub fn remove(&self, repository: &str, id: &str) -> bool {
        let mut jobs = self.jobs.lock();
        if jobs.get(id).is_none_or(|job| job.repository() != repository) {
            return false;
        }
        let job = jobs.remove(id);
        self.show(jobs.len());
        drop(jobs);
        if let Some(job) = job {
            job.cancel();
        }
        true
    }

    /// Ends and forgets jobs nobody asked about for too long.
    pub fn sweep(&self, now: Instant) {
        let mut gone = Vec::new();
        let mut jobs = self.jobs.lock();
        jobs.retain(|_, job| {
            let keep = !self.is_forgotten(job, now);
            if !keep {
                gone.push(Arc::clone(job));
            }
            keep
        });
        self.show(jobs.len());
        drop(jobs);
        for job in gone {
            tracing::debug!(job = job.id(), "query job was forgotten");
            job.cancel();
        }
    }

    fn is_forgotten(&self, job: &Job, now: Instant) -> bool {
        let lifetime = if job.is_live() { self.live_lifetime } else { self.lifetime };
        now.saturating_duration_since(job.touched()) > lifetime
    }

    fn show(&self, count: usize) {
        self.shown.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// An id nobody can guess: the hash of nothing under two keys of the operating system's randomness.
    #[must_use]
    pub fn new_id() -> String {
        let random = |salt: u8| RandomState::new().hash_one(salt);
        format!("W-{:016x}{:016x}", random(0), random(1))
    }
}
