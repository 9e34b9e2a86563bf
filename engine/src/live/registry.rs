//! The live queries of one repository.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};

use super::keep;
use super::matching::Access;
use super::renewal::Again;
use super::saving;
use super::shared::Shared;
use super::snapshot::Saved;
use super::standing::Standing;
use super::standing_key::StandingKey;
use super::stepper::TailEntry;
use super::{
    DEFAULT_FOLLOW_ROWS, Follow, LiveError, LiveOptions, LiveResult, LiveStats, MetricDefinition, MetricInfo,
    Sharing, Subscription, check_name,
};

/// The most metrics of a repository.
pub const MAX_METRICS: usize = 10_000;
/// The most subscriptions to one metric.
pub const MAX_SUBSCRIPTIONS: usize = 1_000;
/// The most live tails of a repository.
pub const MAX_FOLLOWS: usize = 1_000;

/// The live queries of one repository: standing metrics, their subscriptions, live tails. They are stepped on a
/// thread of their own, which is there while there is a live query.
pub struct Live {
    pub(super) shared: Arc<Shared>,
}

impl Live {
    /// Opens the live queries of a repository: reads its definitions, takes up what was saved of their rings, and starts to
    /// fill them from history.
    ///
    /// A damaged file of definitions is put aside and a definition that no longer compiles is kept but not run; a snapshot
    /// that cannot be believed is put aside, and its metrics are filled from all of history. They are in
    /// [`Live::problems`], none keeps the repository from opening.
    ///
    /// # Errors
    /// When the definitions cannot be read for other reasons, or the thread cannot be started.
    pub fn open(options: LiveOptions) -> Result<Arc<Live>, LiveError> {
        let mut problems = Vec::new();
        let definitions = match &options.definitions {
            Some(path) => keep::load_or_put_aside(path, &mut problems)?,
            None => keep::Definitions::new(),
        };
        let saved = options.snapshots.as_ref().and_then(|snapshots| {
            let last_sequence = (options.history)().up_to_sequence();
            Saved::open_or_put_aside(&snapshots.path, last_sequence, &mut problems)
        });
        let shared = Arc::new(Shared::new(options, problems));
        let known = shared.known();
        let compiled: Vec<_> = definitions
            .into_iter()
            .map(|(name, definition)| {
                let program = definition.compile(&known);
                (name, definition, program)
            })
            .collect();
        shared.expect_saved(saved, &compiled);
        let mut thread = shared.thread.lock();
        for (name, definition, program) in compiled {
            match program {
                Ok(program) => shared.insert(&mut thread, &name, definition, program, true)?,
                Err(fault) => {
                    tracing::error!(metric = name, %fault, "a metric's definition cannot be run");
                    shared.problems.lock().push(format!("metric `{name}` cannot be run: {fault}"));
                    shared.broken.lock().insert(name, definition);
                }
            }
        }
        shared.expect_no_more();
        saving::begin(&shared);
        drop(thread);
        Ok(Arc::new(Live { shared }))
    }

    /// Ends the thread, and with it all subscriptions and tails. Metrics stay defined on disk, and what they have learnt is
    /// saved.
    pub fn close(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        let thread = self.shared.thread.lock().take();
        // The last owner may be let go on the thread itself, by a waker: it cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("the live thread panicked");
        }
        self.shared.close_all();
        saving::save_at_close(&self.shared);
    }

    /// Defines or replaces the metric `name`, keeps it on disk, and starts to fill it from history. Subscriptions
    /// of a replaced metric go on with the new one.
    ///
    /// # Errors
    /// When the name, the bounds or the query are wrong, there are too many, or it cannot be kept.
    pub fn define(&self, name: &str, definition: MetricDefinition) -> Result<(), LiveError> {
        self.add(name, definition, true)
    }

    /// As [`Live::define`], but not kept on disk: for live query jobs.
    ///
    /// # Errors
    /// As [`Live::define`], but for the keeping.
    pub fn define_temporary(&self, name: &str, definition: MetricDefinition) -> Result<(), LiveError> {
        self.add(name, definition, false)
    }

    fn add(&self, name: &str, definition: MetricDefinition, kept: bool) -> Result<(), LiveError> {
        check_name(name)?;
        let shared = &self.shared;
        let mut thread = shared.thread.lock();
        // What is known changes under this lock, as far as programs are concerned.
        let program = definition.compile(&shared.known())?;
        let present = shared.find(name);
        if let Some(present) = &present {
            let present = present.lock();
            if present.definition == definition && present.kept == kept {
                return Ok(());
            }
        } else if shared.metrics.lock().len() >= MAX_METRICS {
            return Err(LiveError::TooMany { what: "metrics", limit: MAX_METRICS });
        }
        if kept || present.is_some_and(|present| present.lock().kept) {
            shared.save(|definitions| match kept {
                true => drop(definitions.insert(name.to_owned(), definition.clone())),
                false => drop(definitions.remove(name)),
            })?;
        }
        shared.insert(&mut thread, name, definition, program, kept)
    }

    /// Removes the metric `name` and ends its subscriptions. False: there was none.
    ///
    /// # Errors
    /// When the removal cannot be kept.
    pub fn drop_metric(&self, name: &str) -> Result<bool, LiveError> {
        let _thread = self.shared.thread.lock();
        let Some(metric) = self.shared.find(name) else {
            let broken = self.shared.broken.lock().contains_key(name);
            if broken {
                self.shared.save(|definitions| drop(definitions.remove(name)))?;
            }
            return Ok(broken);
        };
        if metric.lock().kept {
            self.shared.save(|definitions| drop(definitions.remove(name)))?;
        }
        self.shared.metrics.lock().remove(name);
        metric.lock().publishers.drain(..).for_each(|publisher| publisher.close());
        self.shared.leave(&metric.lock());
        Ok(true)
    }

    /// All metrics, by name.
    #[must_use]
    pub fn list(&self) -> Vec<MetricInfo> {
        let now = self.shared.now();
        self.shared.all().iter().map(|metric| metric.lock().info(now)).collect()
    }

    /// The metric `name`, if there is one.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<MetricInfo> {
        self.shared.find(name).map(|metric| metric.lock().info(self.shared.now()))
    }

    /// What a metric with this definition would share with those there are, and how events would come to it.
    ///
    /// # Errors
    /// When its bounds or its query are wrong.
    pub fn sharing(&self, definition: &MetricDefinition) -> Result<Sharing, LiveError> {
        let program = definition.compile(&self.shared.known())?;
        let present = self.shared.standings.find(&StandingKey::of(definition, &program));
        let (metrics, state_bytes, nanos_per_event) = present.map_or((0, 0, None), |standing| {
            let standing = standing.lock();
            (standing.sharers(), standing.bytes(), Some(standing.nanos_per_event()))
        });
        let access = Access::of(program.required()).to_string();
        Ok(Sharing { metrics, state_bytes, access, nanos_per_event })
    }

    /// The result of metric `name` over its window now, at most a tick old.
    ///
    /// # Errors
    /// When there is no such metric, or its result cannot be computed.
    pub fn read(&self, name: &str) -> Result<Arc<LiveResult>, LiveError> {
        let metric = self.shared.find(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
        let mut metric = metric.lock();
        let mut standing = metric.standing.lock();
        let before = standing.version;
        self.shared.reader().collect(&mut standing);
        if standing.version != before {
            self.shared.stirred.lock().extend(standing.watchers());
        }
        drop(standing);
        let result = metric.result(self.shared.now(), self.shared.options.tick);
        self.shared.note_reading(&metric.standing);
        Ok(result?)
    }

    /// Every result of metric `name` that is given out from now on. Where results stand for themselves the present one
    /// comes first, and where rows are retracted the one given out last, unless it is `last_revision`.
    ///
    /// # Errors
    /// When there is no such metric, its result cannot be computed, or it has too many subscriptions.
    pub fn subscribe(&self, name: &str, last_revision: Option<u64>) -> Result<Subscription, LiveError> {
        let found = self.shared.find(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
        let mut metric = found.lock();
        metric.publishers.retain(|publisher| !publisher.is_left());
        if metric.publishers.len() >= MAX_SUBSCRIPTIONS {
            return Err(LiveError::TooMany { what: "subscriptions", limit: MAX_SUBSCRIPTIONS });
        }
        let result = metric.result(self.shared.now(), self.shared.options.tick)?;
        let (publisher, subscription) = Subscription::new(last_revision);
        if let Some(first) = metric.first_given(&result) {
            publisher.publish(&first);
        }
        metric.publishers.push(publisher);
        metric.standing.lock().watch(&found);
        self.shared.stirred.lock().push(Arc::clone(&found));
        Ok(subscription)
    }

    /// Events that `program` lets through, as they arrive from now on. The program must have been compiled with
    /// [`weir_query::compile::Ending::Stream`] and end in no aggregate.
    ///
    /// # Errors
    /// When it ends in an aggregate, or there are too many.
    pub fn follow(&self, program: Arc<Program>, context: Context) -> Result<Follow, LiveError> {
        self.follow_again(program, context, None)
    }

    /// As [`Live::follow`]; when what queries may name changes, the tail goes on with the program that `again` makes of it.
    ///
    /// # Errors
    /// As [`Live::follow`].
    pub fn follow_again(
        &self,
        program: Arc<Program>,
        context: Context,
        again: Option<Again>,
    ) -> Result<Follow, LiveError> {
        if program.output_kind() == OutputKind::Aggregate {
            return Err(LiveError::Aggregate);
        }
        let mut thread = self.shared.thread.lock();
        self.shared.start_thread(&mut thread)?;
        let mut tails = self.shared.tails.lock();
        tails.retain(|entry| !entry.tail.is_left());
        if tails.len() >= MAX_FOLLOWS {
            return Err(LiveError::TooMany { what: "live tails", limit: MAX_FOLLOWS });
        }
        let (tail, follow) = Follow::new(DEFAULT_FOLLOW_ROWS);
        tails.push(TailEntry::new(tail, program, context, again));
        Ok(follow)
    }

    /// What went wrong with the definitions on disk when they were read.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.shared.problems.lock().clone()
    }

    /// What is live, and what it took.
    #[must_use]
    pub fn stats(&self) -> LiveStats {
        let (all, standings) = (self.shared.all(), self.shared.standings.all());
        let (counters, saving) = (&self.shared.counters, &self.shared.saving.counters);
        let mut stats = LiveStats {
            metrics: all.len(),
            standings: standings.len(),
            subscriptions: all.iter().map(|metric| metric.lock().subscriptions()).sum(),
            tails: self.shared.tails.lock().iter().filter(|entry| !entry.tail.is_left()).count(),
            state_bytes: standings.iter().map(|standing| standing.lock().bytes()).sum(),
            batches: counters.batches.load(Ordering::Relaxed),
            events: counters.events.load(Ordering::Relaxed),
            catch_ups: counters.catch_ups.load(Ordering::Relaxed),
            busy_nanos: counters.busy_nanos.load(Ordering::Relaxed),
            lag_nanos: self.shared.progress.lock().lag_nanos.unsigned_abs(),
            deferred: self.shared.deferred.lock().line.len(),
            deferrals: counters.deferrals.load(Ordering::Relaxed),
            deferred_reads: counters.deferred_reads.load(Ordering::Relaxed),
            snapshots: saving.written.load(Ordering::Relaxed),
            snapshot_failures: saving.failures.load(Ordering::Relaxed),
            snapshot_nanos: saving.nanos.load(Ordering::Relaxed),
            snapshot_held_nanos: saving.held_nanos.load(Ordering::Relaxed),
            snapshot_bytes: saving.bytes.load(Ordering::Relaxed),
            snapshot_left_out: saving.left_out.load(Ordering::Relaxed),
            ..LiveStats::default()
        };
        let (mut all_nanos, mut most_nanos) = (0.0, 0.0_f64);
        for standing in &standings {
            let nanos = standing.lock().nanos_per_event();
            (all_nanos, most_nanos) = (all_nanos + nanos, most_nanos.max(nanos));
        }
        (stats.nanos_per_event, stats.costliest_nanos_per_event) = (all_nanos as u64, most_nanos as u64);
        for origin in standings.iter().map(|standing| standing.lock().origin) {
            let (count, nanos) = match origin.is_restored {
                true => (&mut stats.restored, &mut stats.restore_nanos),
                false => (&mut stats.rebuilt, &mut stats.rebuild_nanos),
            };
            let took = origin.took.map_or(0, |took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            *count += 1;
            *nanos = took.max(*nanos);
        }
        stats
    }

    /// Waits until every batch published so far is applied and every backfill is done, but not longer than
    /// `limit`. False: it took longer.
    #[must_use]
    pub fn settle(&self, limit: Duration) -> bool {
        let shared = &self.shared;
        let until = Instant::now() + limit;
        let cut = (shared.options.history)().up_to_sequence();
        // A wait that begins after this call and finds nothing has everything published before it behind it.
        let enough = shared.idle_rounds.load(Ordering::Acquire) + 2;
        // A batch is stepped over before it is known how far its sources have come, and that says when spans end.
        let is_over = |sequence: u64| sequence > cut && shared.progress.lock().next_sequence > cut;
        let settled = |standing: &Arc<Mutex<Standing>>| {
            let standing = standing.lock();
            let idle = shared.idle_rounds.load(Ordering::Acquire) >= enough;
            !standing.is_reading() && (idle || is_over(standing.next_sequence()))
        };
        while !shared.standings.all().iter().all(settled) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// Waits until the index over the queries has all of them, but not longer than `limit`. False: it took longer.
    /// Results do not hang on it; what they cost does.
    #[must_use]
    pub fn settle_index(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while !self.shared.standings.is_indexed() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }
}

/// How often who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Live").field("stats", &self.stats()).finish()
    }
}
