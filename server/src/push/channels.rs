//! All watched metrics, and the thread that does their work.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use weir_engine::live::{Live, LiveError};
use weir_query::program::Keys;

use super::channel::Channel;
use super::mailbox::Mailbox;
use crate::app::Gate;

/// A channel without readers is kept for this long: those who come back find what they know.
const LINGER: Duration = Duration::from_secs(10);
/// How often channels without readers are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// What the thread is to do.
pub(super) enum Work {
    /// A turn of the channel of this number.
    Turn(u64),
    /// End.
    Stop,
}

/// All watched metrics. Dropping it ends its thread.
pub struct Channels {
    shared: Arc<Shared>,
}

struct Shared {
    map: Mutex<Map>,
    work: Sender<Work>,
    /// Which run of the server this is.
    run: u64,
    kept: Gate,
}

#[derive(Default)]
struct Map {
    last_number: u64,
    by_name: HashMap<(String, String), u64>,
    by_number: HashMap<u64, Arc<Channel>>,
}

/// Channels that somebody reads. Dropping it ends that.
pub struct Watch {
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) run: u64,
    /// Which metrics it is of, as a hash.
    pub(super) set: u64,
}

impl Map {
    fn find(&self, repository: &str, name: &str) -> Option<&Arc<Channel>> {
        let number = self.by_name.get(&(repository.to_owned(), name.to_owned()))?;
        self.by_number.get(number).filter(|channel| !channel.is_closed())
    }

    /// Lets go of channels that nobody has read for a while, or whose metric is gone.
    fn sweep(&mut self) {
        self.by_number.retain(|_, channel| !channel.is_idle(LINGER) && !channel.is_closed());
        self.by_name.retain(|_, number| self.by_number.contains_key(number));
    }
}

impl Channels {
    /// None watched yet. Readers hear something every `heartbeat`. Results that are kept although there are newer ones
    /// hold at most `max_kept_bytes`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(heartbeat: Duration, max_kept_bytes: usize) -> std::io::Result<Channels> {
        let (work, queue) = channel();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let shared = Arc::new(Shared {
            map: Mutex::default(),
            work,
            run: since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)),
            kept: Gate::new(max_kept_bytes, Gauge::default()),
        });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("push".to_owned()).spawn(move || theirs.serve(&queue, heartbeat))?;
        Ok(Channels { shared })
    }

    /// Begins to read metrics of a repository, of which there must be at most [`super::MAX_STREAM_METRICS`], each
    /// named once.
    ///
    /// # Errors
    /// When there is no such metric, or its result cannot be computed.
    pub fn watch(&self, live: &Live, repository: &str, names: &[String]) -> Result<Watch, LiveError> {
        let mut watch = Watch {
            channels: Vec::with_capacity(names.len()),
            mailbox: Arc::default(),
            run: self.shared.run,
            set: xxhash_rust::xxh3::xxh3_64(format!("{repository}\n{}", names.join("\n")).as_bytes()) >> 32,
        };
        for (at, name) in names.iter().enumerate() {
            watch.channels.push(self.shared.join(live, repository, name, &watch.mailbox, at)?);
        }
        Ok(watch)
    }

    /// A metric was defined anew: its rows may have other keys.
    pub fn redefined(&self, live: &Live, repository: &str, name: &str) {
        let channel = self.shared.map.lock().find(repository, name).map(Arc::clone);
        if let Some(channel) = channel {
            channel.set_keys(keys(live, name).ok().flatten());
        }
    }

    /// Metrics that are watched now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.map.lock().by_number.len()
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        // It ends by itself where it has failed.
        let _ = self.shared.work.send(Work::Stop);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.channels.iter().for_each(|channel| channel.leave(&self.mailbox));
    }
}

/// The keys of a metric's rows.
fn keys(live: &Live, name: &str) -> Result<Option<Keys>, LiveError> {
    let metric = live.metric(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
    Ok(metric.keys)
}

impl Shared {
    /// Adds a reader to a channel, which is opened where there is none.
    fn join(
        &self,
        live: &Live,
        repository: &str,
        name: &str,
        mailbox: &Arc<Mailbox>,
        at: usize,
    ) -> Result<Arc<Channel>, LiveError> {
        let known = |map: &Map| {
            let channel = map.find(repository, name)?;
            // While the map is held, it is not swept away between being found and being read.
            channel.join(mailbox, at);
            Some(Arc::clone(channel))
        };
        if let Some(channel) = known(&self.map.lock()) {
            return Ok(channel);
        }
        // This may take a while, so the map is not held; another may be faster.
        let (keys, subscription) = (keys(live, name)?, live.subscribe(name, None)?);
        let mut map = self.map.lock();
        if let Some(channel) = known(&map) {
            return Ok(channel);
        }
        map.last_number += 1;
        let number = map.last_number;
        let channel = Arc::new(Channel::new(number, name, subscription, keys, self.work.clone()));
        channel.join(mailbox, at);
        map.by_name.insert((repository.to_owned(), name.to_owned()), number);
        map.by_number.insert(number, Arc::clone(&channel));
        drop(map);
        channel.listen();
        Ok(channel)
    }

    /// Works until it is told to stop.
    fn serve(&self, queue: &Receiver<Work>, heartbeat: Duration) {
        let (mut published, mut beaten, mut swept) = (0, Instant::now(), Instant::now());
        loop {
            let wait = heartbeat.saturating_sub(beaten.elapsed()).min(SWEEP.saturating_sub(swept.elapsed()));
            match queue.recv_timeout(wait) {
                Ok(Work::Turn(number)) => self.turn(number, &mut published),
                Ok(Work::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if beaten.elapsed() >= heartbeat {
                beaten = Instant::now();
                self.map.lock().by_number.values().for_each(|channel| channel.beat());
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.map.lock().sweep();
            }
        }
    }

    /// A fault costs a result, not the thread.
    fn turn(&self, number: u64, published: &mut u64) {
        let Some(channel) = self.map.lock().by_number.get(&number).map(Arc::clone) else { return };
        if catch_unwind(AssertUnwindSafe(|| channel.turn(published, &self.kept))).is_err() {
            tracing::error!(metric = &*channel.name, "pushing a result panicked");
        }
    }
}
