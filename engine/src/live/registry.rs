//! The live queries of one repository.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};

use super::backfill::Reader;
use super::keep;
use super::metric::Metric;
use super::standing::{Standing, StandingKey};
use super::standings::Standings;
use super::stepper::TailEntry;
use super::window::Window;
use super::{
    DEFAULT_FOLLOW_ROWS, Follow, LiveError, LiveOptions, LiveResult, LiveStats, MetricDefinition, MetricInfo,
    Subscription, check_name,
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

/// What the readers and the live thread share.
pub(super) struct Shared {
    pub(super) options: LiveOptions,
    pub(super) metrics: Mutex<BTreeMap<String, Arc<Mutex<Metric>>>>,
    pub(super) standings: Standings,
    pub(super) tails: Mutex<Vec<TailEntry>>,
    /// Held by whoever changes what is live, and by the thread when it leaves.
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
    pub(super) stopped: AtomicBool,
    /// How often the thread found its feed empty.
    pub(super) idle_rounds: AtomicU64,
    pub(super) counters: Counters,
    /// Definitions that are kept on disk and cannot be run.
    broken: Mutex<keep::Definitions>,
    problems: Mutex<Vec<String>>,
}

/// What the live thread counts.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) batches: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) catch_ups: AtomicU64,
}

impl Live {
    /// Opens the live queries of a repository: reads its definitions and starts to fill their rings from history.
    ///
    /// A damaged file of definitions is put aside and a definition that no longer compiles is kept but not run:
    /// both are in [`Live::problems`], neither keeps the repository from opening.
    ///
    /// # Errors
    /// When the definitions cannot be read for other reasons, or the thread cannot be started.
    pub fn open(options: LiveOptions) -> Result<Arc<Live>, LiveError> {
        let mut problems = Vec::new();
        let definitions = match &options.definitions {
            Some(path) => keep::load_or_put_aside(path, &mut problems)?,
            None => keep::Definitions::new(),
        };
        let shared = Arc::new(Shared {
            options,
            metrics: Mutex::default(),
            standings: Standings::default(),
            tails: Mutex::default(),
            thread: Mutex::new(None),
            stopped: AtomicBool::new(false),
            idle_rounds: AtomicU64::new(0),
            counters: Counters::default(),
            broken: Mutex::default(),
            problems: Mutex::new(problems),
        });
        let mut thread = shared.thread.lock();
        for (name, definition) in definitions {
            match definition.compile() {
                Ok(program) => shared.insert(&mut thread, &name, definition, program, true)?,
                Err(fault) => {
                    tracing::error!(metric = name, %fault, "a metric's definition cannot be run");
                    shared.problems.lock().push(format!("metric `{name}` cannot be run: {fault}"));
                    shared.broken.lock().insert(name, definition);
                }
            }
        }
        drop(thread);
        Ok(Arc::new(Live { shared }))
    }

    /// Ends the thread, and with it all subscriptions and tails. Metrics stay defined on disk.
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
        let program = definition.compile()?;
        let shared = &self.shared;
        let mut thread = shared.thread.lock();
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

    /// The result of metric `name` over its window now, at most a tick old.
    ///
    /// # Errors
    /// When there is no such metric, or its result cannot be computed.
    pub fn read(&self, name: &str) -> Result<Arc<LiveResult>, LiveError> {
        let metric = self.shared.find(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
        let mut metric = metric.lock();
        self.shared.reader().collect(&mut metric.standing.lock());
        Ok(metric.result(self.shared.now(), self.shared.options.tick)?)
    }

    /// Every result of metric `name` from now on, the present one first unless it is `last_revision`.
    ///
    /// # Errors
    /// When there is no such metric, its result cannot be computed, or it has too many subscriptions.
    pub fn subscribe(&self, name: &str, last_revision: Option<u64>) -> Result<Subscription, LiveError> {
        let metric = self.shared.find(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
        let mut metric = metric.lock();
        metric.publishers.retain(|publisher| !publisher.is_left());
        if metric.publishers.len() >= MAX_SUBSCRIPTIONS {
            return Err(LiveError::TooMany { what: "subscriptions", limit: MAX_SUBSCRIPTIONS });
        }
        let result = metric.result(self.shared.now(), self.shared.options.tick)?;
        let (publisher, subscription) = Subscription::new(last_revision);
        publisher.publish(&result);
        metric.publishers.push(publisher);
        Ok(subscription)
    }

    /// Events that `program` lets through, as they arrive from now on. The program must have been compiled with
    /// [`weir_query::compile::Ending::Stream`] and end in no aggregate.
    ///
    /// # Errors
    /// When it ends in an aggregate, or there are too many.
    pub fn follow(&self, program: Arc<Program>, context: Context) -> Result<Follow, LiveError> {
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
        tails.push(TailEntry::new(tail, program, context));
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
        let (all, standings) = (self.list(), self.shared.standings.all());
        let counters = &self.shared.counters;
        LiveStats {
            metrics: all.len(),
            subscriptions: all.iter().map(|metric| metric.subscriptions).sum(),
            tails: self.shared.tails.lock().iter().filter(|entry| !entry.tail.is_left()).count(),
            state_bytes: standings.iter().map(|standing| standing.lock().bytes()).sum(),
            batches: counters.batches.load(Ordering::Relaxed),
            events: counters.events.load(Ordering::Relaxed),
            catch_ups: counters.catch_ups.load(Ordering::Relaxed),
        }
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
        let settled = |standing: &Arc<Mutex<Standing>>| {
            let standing = standing.lock();
            let idle = shared.idle_rounds.load(Ordering::Acquire) >= enough;
            standing.backfills.is_empty() && (idle || standing.next_sequence > cut)
        };
        while !shared.standings.all().iter().all(settled) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

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

impl Shared {
    pub(super) fn now(&self) -> i64 {
        (self.options.clock)()
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { history: &self.options.history, pool: &self.options.pool, now_nanos: self.now() }
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Mutex<Metric>>> {
        self.metrics.lock().get(name).map(Arc::clone)
    }

    pub(super) fn all(&self) -> Vec<Arc<Mutex<Metric>>> {
        self.metrics.lock().values().map(Arc::clone).collect()
    }

    /// Keeps the definitions as they are, but for `change`.
    fn save(&self, change: impl FnOnce(&mut keep::Definitions)) -> Result<(), LiveError> {
        let Some(path) = &self.options.definitions else { return Ok(()) };
        let mut definitions = self.broken.lock().clone();
        for metric in self.all() {
            let metric = metric.lock();
            if metric.kept {
                definitions.insert(metric.name.clone(), metric.definition.clone());
            }
        }
        change(&mut definitions);
        keep::save(path, &definitions)?;
        self.broken.lock().retain(|name, definition| definitions.get(name) == Some(definition));
        Ok(())
    }

    /// Puts a metric into the registry, over a standing that it shares with its equals.
    fn insert(
        self: &Arc<Shared>,
        thread: &mut Option<JoinHandle<()>>,
        name: &str,
        definition: MetricDefinition,
        program: Arc<Program>,
        kept: bool,
    ) -> Result<(), LiveError> {
        self.start_thread(thread)?;
        let (mut revision, mut publishers) = (0, Vec::new());
        let present = self.find(name);
        if let Some(present) = &present {
            let mut present = present.lock();
            revision = present.info(self.now()).revision + 1;
            publishers = std::mem::take(&mut present.publishers);
        }
        // It joins the new one before it leaves the old: they may be the same, and then nothing is read again.
        let standing = self.join(&definition, &program);
        let now = self.now();
        let mut metric = Metric::new(name, definition, program, kept, (revision, now), standing);
        metric.publishers = publishers;
        self.metrics.lock().insert(name.to_owned(), Arc::new(Mutex::new(metric)));
        if let Some(present) = present {
            self.leave(&present.lock());
        }
        Ok(())
    }

    /// The standing for a definition. A new one first stands where batches reach it, then its backfill is started: in
    /// this order nothing falls between.
    fn join(&self, definition: &MetricDefinition, program: &Arc<Program>) -> Arc<Mutex<Standing>> {
        let (key, window) = (StandingKey::of(definition, program), Window::new(definition));
        if let Some(present) = self.standings.find(&key) {
            self.reader().join(&mut present.lock(), window);
            return present;
        }
        let standing = Standing::new(key.clone(), Arc::clone(program), window, self.now());
        let standing = Arc::new(Mutex::new(standing));
        let mut filling = standing.lock();
        self.standings.add(key, &standing);
        self.reader().begin(&mut filling);
        drop(filling);
        standing
    }

    /// `metric` is gone, and with the last of its equals what they shared.
    fn leave(&self, metric: &Metric) {
        let mut standing = metric.standing.lock();
        if !standing.leave(metric.window) {
            self.standings.remove(standing.key());
        }
    }

    /// Starts the live thread if it is not there. What happens from here on comes through its feed.
    fn start_thread(self: &Arc<Shared>, thread: &mut Option<JoinHandle<()>>) -> Result<(), LiveError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(LiveError::Stopped("it is shutting down".to_owned()));
        }
        if thread.is_none() {
            let feed = (self.options.follow)();
            let shared = Arc::clone(self);
            let builder = std::thread::Builder::new().name("live".to_owned());
            let started = builder.spawn(move || super::stepper::run(&shared, feed));
            *thread = Some(started.map_err(|error| LiveError::Stopped(error.to_string()))?);
        }
        Ok(())
    }

    /// Ends every subscription and tail.
    pub(super) fn close_all(&self) {
        for metric in self.all() {
            metric.lock().publishers.drain(..).for_each(|publisher| publisher.close());
        }
        self.tails.lock().drain(..).for_each(|entry| entry.tail.close());
    }
}
