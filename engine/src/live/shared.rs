//! What the readers of a repository's live queries and the thread that steps them share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use weir_query::compile::Known;
use weir_query::program::Program;

use super::backfill::Reader;
use super::cost::Cost;
use super::deferral::Deferred;
use super::due::Watched;
use super::emission::Giving;
use super::keep;
use super::metric::Metric;
use super::progress::Progress;
use super::saving::Saving;
use super::snapshot::{Restoring, Saved};
use super::sources::Sources;
use super::standing::Standing;
use super::standing_key::StandingKey;
use super::standings::Standings;
use super::stepper::TailEntry;
use super::window::Window;
use super::{LiveError, LiveOptions, MetricDefinition, Refinement};

/// What the readers and the live thread share.
pub(super) struct Shared {
    pub(super) options: LiveOptions,
    pub(super) metrics: Mutex<BTreeMap<String, Arc<Mutex<Metric>>>>,
    pub(super) standings: Standings,
    pub(super) progress: Arc<Mutex<Progress>>,
    /// How far each source of events has come.
    pub(super) sources: Arc<Mutex<Sources>>,
    /// Metrics that the thread is to look at, whether there is something to push.
    pub(super) stirred: Mutex<Vec<Watched>>,
    pub(super) tails: Mutex<Vec<TailEntry>>,
    /// Standings that are put off.
    pub(super) deferred: Mutex<Deferred>,
    /// Held by whoever changes what is live, and by the thread when it leaves.
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
    pub(super) stopped: AtomicBool,
    /// How often the thread found its feed empty.
    pub(super) idle_rounds: AtomicU64,
    /// How many standings there have been that share with none.
    panes: AtomicU64,
    pub(super) counters: Counters,
    pub(super) saving: Saving,
    /// What was saved, while metrics are opened.
    pub(super) restoring: Mutex<Option<Restoring>>,
    /// Definitions that are kept on disk and cannot be run.
    pub(super) broken: Mutex<keep::Definitions>,
    pub(super) problems: Mutex<Vec<String>>,
}

/// A metric's name, its definition, and what came of compiling it.
pub(super) type Compiled = (String, MetricDefinition, Result<Arc<Program>, LiveError>);

/// What the live thread counts.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) batches: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) catch_ups: AtomicU64,
    pub(super) busy_nanos: AtomicU64,
    pub(super) deferrals: AtomicU64,
    pub(super) deferred_reads: AtomicU64,
}

impl Shared {
    /// Nothing is live yet.
    pub(super) fn new(options: LiveOptions, problems: Vec<String>) -> Shared {
        let sources = Sources::new((options.clock)());
        Shared {
            options,
            sources: Arc::new(Mutex::new(sources)),
            metrics: Mutex::default(),
            standings: Standings::default(),
            progress: Arc::default(),
            stirred: Mutex::default(),
            tails: Mutex::default(),
            deferred: Mutex::default(),
            thread: Mutex::new(None),
            stopped: AtomicBool::new(false),
            idle_rounds: AtomicU64::new(0),
            panes: AtomicU64::new(0),
            counters: Counters::default(),
            saving: Saving::default(),
            restoring: Mutex::new(None),
            broken: Mutex::default(),
            problems: Mutex::new(problems),
        }
    }

    pub(super) fn now(&self) -> i64 {
        (self.options.clock)()
    }

    /// What queries may name now.
    pub(super) fn known(&self) -> Known {
        (self.options.known)()
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { history: &self.options.history, pool: &self.options.pool, now_nanos: self.now() }
    }

    /// Tells the live thread when something has to be read for `standing`.
    pub(super) fn note_reading(&self, standing: &Arc<Mutex<Standing>>) {
        if standing.lock().note_reading() {
            self.standings.note_filling(Arc::clone(standing));
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Mutex<Metric>>> {
        self.metrics.lock().get(name).map(Arc::clone)
    }

    pub(super) fn all(&self) -> Vec<Arc<Mutex<Metric>>> {
        self.metrics.lock().values().map(Arc::clone).collect()
    }

    /// Keeps the definitions as they are, but for `change`.
    pub(super) fn save(&self, change: impl FnOnce(&mut keep::Definitions)) -> Result<(), LiveError> {
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
    pub(super) fn insert(
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
        let giving = Giving::of(&definition, &program)?;
        // It joins the new one before it leaves the old: they may be the same, and then nothing is read again.
        let standing = self.join(name, &definition, &program, giving.refinement);
        let now = self.now();
        let mut metric = Metric::new(name, (definition, &giving), program, kept, (revision, now), standing);
        let is_watched = !publishers.is_empty();
        metric.publishers = publishers;
        let remembered = self.restoring.lock().as_mut().and_then(|restoring| restoring.take_metric(name));
        if let Some(remembered) = remembered {
            metric.take_up(remembered);
        }
        let metric = Arc::new(Mutex::new(metric));
        if is_watched {
            metric.lock().standing.lock().watch(&metric);
            self.stirred.lock().push(Arc::clone(&metric));
        }
        self.metrics.lock().insert(name.to_owned(), metric);
        if let Some(present) = present {
            self.leave(&present.lock());
        }
        Ok(())
    }

    /// Metrics of these definitions are about to be opened: what was `saved` of them is taken up then.
    pub(super) fn expect_saved(&self, saved: Option<Saved>, definitions: &[Compiled]) {
        let Some(mut saved) = saved else { return };
        if let Some(sources) = saved.take_sources() {
            self.sources.lock().take_up(sources, self.now());
        }
        let mut restoring = Restoring::new(saved);
        for (_, definition, program) in definitions {
            // One that is discarding has a standing of its own.
            if let Ok(program) = program
                && Giving::of(definition, program)
                    .is_ok_and(|giving| giving.refinement != Refinement::Discarding)
            {
                restoring.expect(StandingKey::of(definition, program), Window::new(definition));
            }
        }
        *self.restoring.lock() = Some(restoring);
    }

    /// All metrics that there were have been opened.
    pub(super) fn expect_no_more(&self) {
        if self.restoring.lock().take().is_some() {
            self.standings.all().iter().for_each(|standing| standing.lock().expect_no_more());
        }
    }

    /// The standing for a definition. A new one first stands where batches reach it, then its backfill is started, or what
    /// was saved of it is taken up: in this order nothing falls between.
    fn join(
        &self,
        name: &str,
        definition: &MetricDefinition,
        program: &Arc<Program>,
        refinement: Refinement,
    ) -> Arc<Mutex<Standing>> {
        let (mut key, window) = (StandingKey::of(definition, program), Window::new(definition));
        if refinement == Refinement::Discarding {
            key = key.with_pane(self.panes.fetch_add(1, Ordering::Relaxed));
        }
        if let Some(present) = self.standings.find(&key) {
            self.reader().join(&mut present.lock(), window);
            present.lock().priorities.add(definition.priority);
            self.standings.note_filling(Arc::clone(&present));
            return present;
        }
        let progress = (Arc::clone(&self.progress), Arc::clone(&self.sources));
        let mut standing = Standing::new(key.clone(), Arc::clone(program), window, progress, self.now());
        standing.priorities.add(definition.priority);
        standing.cost = Cost::new(self.progress.lock().timed_events);
        let saved = self
            .restoring
            .lock()
            .as_mut()
            .and_then(|restoring| restoring.take(&standing, name, program, self.now()));
        let standing = Arc::new(Mutex::new(standing));
        let mut filling = standing.lock();
        self.standings.add(key, &standing);
        match saved {
            Some((cut, coming)) => self.reader().resume(&mut filling, cut, &coming),
            None => self.reader().begin(&mut filling),
        }
        drop(filling);
        self.standings.note_filling(Arc::clone(&standing));
        standing
    }

    /// `metric` is gone, and with the last of its equals what they shared.
    pub(super) fn leave(&self, metric: &Metric) {
        let mut standing = metric.standing.lock();
        if !standing.leave(&metric.window, metric.definition.priority) {
            self.standings.remove(standing.key());
        }
    }

    /// Starts the live thread if it is not there. What happens from here on comes through its feed.
    pub(super) fn start_thread(
        self: &Arc<Shared>,
        thread: &mut Option<JoinHandle<()>>,
    ) -> Result<(), LiveError> {
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
