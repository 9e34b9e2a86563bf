//! When what metrics have learnt is saved, and by whom.
//!
//! The live thread only looks whether it is time; a thread of its own writes. It locks a standing for as long as it takes to
//! count the parts of its ring, and encodes their states, which are shared until they change, when nobody waits. However
//! much there is to write, it takes a small share of a core, as the next snapshot waits for many times as long as this one
//! took.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use weir_query::machine::Machine;

use super::due::Watched;
use super::keep::replace;
use super::metric::Metric;
use super::shared::Shared;
use super::snapshot::{SnapshotWriter, Written};
use super::standings;
use super::{LiveError, SnapshotOptions};

/// Times of what a snapshot took that lie between it and the next, at least.
const REST: u32 = 20;

/// Who writes snapshots, and what came of them.
#[derive(Default)]
pub(super) struct Saving {
    turn: Mutex<Turn>,
    /// All metrics that there were have been opened: before, a snapshot would be of some of them, in place of one of all.
    is_open: AtomicBool,
    pub(super) counters: SavingCounters,
}

#[derive(Default)]
struct Turn {
    /// Not before this.
    next: Option<Instant>,
    thread: Option<JoinHandle<()>>,
    /// What there was to save the last time.
    saved: Option<Mark>,
}

/// Changes with whatever is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    next_sequence: u64,
    versions: u64,
    standings: usize,
    /// What metrics remember.
    remembered: u64,
}

/// What came of snapshots.
#[derive(Default)]
pub(super) struct SavingCounters {
    pub(super) written: AtomicU64,
    pub(super) failures: AtomicU64,
    /// Nanoseconds that was worked on them.
    pub(super) nanos: AtomicU64,
    /// The longest that a standing was held, nanoseconds.
    pub(super) held_nanos: AtomicU64,
    /// Of the last one.
    pub(super) bytes: AtomicU64,
    pub(super) left_out: AtomicU64,
}

/// All metrics that there were have been opened: they may be saved from now on.
pub(super) fn begin(shared: &Shared) {
    shared.saving.is_open.store(true, Ordering::Release);
}

/// Has a snapshot written, on a thread of its own, when that is due.
pub(super) fn save_when_due(shared: &Arc<Shared>) {
    let Some(options) = &shared.options.snapshots else { return };
    let (mut turn, now) = (shared.saving.turn.lock(), Instant::now());
    let next = *turn.next.get_or_insert(now + options.interval);
    if now < next || turn.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
        return;
    }
    turn.next = Some(now + options.interval);
    let own = Arc::clone(shared);
    let builder = std::thread::Builder::new().name("live-snapshot".to_owned());
    let work = move || {
        save(&own);
    };
    turn.thread = builder.spawn(work).ok();
}

/// Writes a last snapshot, on this thread, when one that is being written is done.
pub(super) fn save_at_close(shared: &Shared) {
    let thread = shared.saving.turn.lock().thread.take();
    if let Some(thread) = thread
        && thread.join().is_err()
    {
        tracing::error!("a snapshot of live metrics panicked");
    }
    save(shared);
}

/// Writes a snapshot, unless there is nothing new to save.
pub(super) fn save(shared: &Shared) {
    let Some(options) = &shared.options.snapshots else { return };
    if !shared.saving.is_open.load(Ordering::Acquire) {
        return;
    }
    let (mark, begun) = (mark(shared), Instant::now());
    if shared.saving.turn.lock().saved == Some(mark) {
        return;
    }
    let (written, counters) = (write(shared, options), &shared.saving.counters);
    let took = begun.elapsed();
    counters.nanos.fetch_add(nanos_of(took), Ordering::Relaxed);
    let mut turn = shared.saving.turn.lock();
    turn.next = Some(Instant::now() + options.interval.max(took * REST));
    match written {
        Ok(Some(Written { bytes, left_out, .. })) => {
            turn.saved = Some(mark);
            counters.written.fetch_add(1, Ordering::Relaxed);
            counters.bytes.store(bytes, Ordering::Relaxed);
            if counters.left_out.swap(left_out, Ordering::Relaxed) != left_out && left_out > 0 {
                let limit = options.max_bytes;
                tracing::warn!(left_out, limit, "states of metrics have no room in the snapshot");
            }
        }
        Ok(None) => {}
        Err(fault) => {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%fault, "a snapshot of live metrics could not be written");
        }
    }
}

fn nanos_of(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

fn mark(shared: &Shared) -> Mark {
    let standings = shared.standings.all();
    let next_sequence = shared.progress.lock().next_sequence;
    let versions = standings.iter().fold(0, |sum: u64, one| sum.wrapping_add(one.lock().version));
    let remembered = shared.all().iter().fold(0, |sum: u64, metric| {
        let cut = metric.lock().cut();
        sum.wrapping_add(cut.map_or(0, |cut| xxhash_rust::xxh3::xxh3_64(format!("{cut:?}").as_bytes())))
    });
    Mark { next_sequence, versions, standings: standings.len(), remembered }
}

/// A standing and the metrics over it that are kept.
struct Shelf {
    standing: standings::Shared,
    metrics: Vec<Watched>,
}

/// Writes a snapshot; `None`: there is nothing to be kept, or it has events that a start might not find again.
fn write(shared: &Shared, options: &SnapshotOptions) -> Result<Option<Written>, LiveError> {
    let sources = shared.sources.lock().cut(shared.now());
    let shelves = shelves(shared);
    if shelves.is_empty() {
        return Ok(None);
    }
    let written = replace(&options.path, |file| {
        let mut writer = SnapshotWriter::new(file, options.max_bytes, &sources)?;
        for shelf in &shelves {
            shelf.write(shared, &mut writer)?;
        }
        let written = writer.finish()?;
        match (options.lasting)() >= written.last_sequence {
            true => Ok(written),
            false => Err(Error::from(ErrorKind::WouldBlock)),
        }
    });
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(LiveError::Write(format!("{}: {error}", options.path.display()))),
    }
}

/// Standings with metrics that come back after a restart; those that hold least come first, so that many have room.
fn shelves(shared: &Shared) -> Vec<Shelf> {
    let mut by_standing: BTreeMap<usize, Shelf> = BTreeMap::new();
    for metric in shared.all() {
        let standing = {
            let own = metric.lock();
            own.kept.then(|| Arc::clone(&own.standing))
        };
        let Some(standing) = standing else { continue };
        let shelf = by_standing.entry(Arc::as_ptr(&standing).addr());
        shelf.or_insert_with(|| Shelf { standing, metrics: Vec::new() }).metrics.push(metric);
    }
    let mut shelves: Vec<Shelf> = by_standing.into_values().collect();
    shelves.sort_by_cached_key(|shelf| shelf.standing.lock().bytes());
    shelves
}

impl Shelf {
    fn write(&self, shared: &Shared, writer: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        let now = shared.now();
        // All that is said of them was so at once. Nobody else holds two metrics.
        let locked: Vec<MutexGuard<'_, Metric>> = self.metrics.iter().map(|metric| metric.lock()).collect();
        let (mut standing, held) = (self.standing.lock(), Instant::now());
        let cut = standing.cut(now);
        let (program, context) = (Arc::clone(&standing.program), standing.context(now));
        drop(standing);
        shared.saving.counters.held_nanos.fetch_max(nanos_of(held.elapsed()), Ordering::Relaxed);
        let metrics: Vec<_> = locked.iter().filter_map(|metric| metric.cut()).collect();
        let owner = locked.first().map(|metric| metric.name.clone());
        drop(locked);
        let Some(cut) = cut else { return Ok(()) };
        let owner = owner.filter(|_| cut.key.pane.is_some());
        writer.put(&cut, owner.as_deref(), &metrics, &Machine::new(program, context))
    }
}
