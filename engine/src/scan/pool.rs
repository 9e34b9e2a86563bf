//! The threads all scans share, and whose turn it is.
//!
//! Scans take turns: a thread gives a scan a slice of time, then looks for the next one that has work, round and
//! round, so that a heavy scan costs a small one no more than its share. A thread keeps what it has open of every
//! scan it is at, so only so many scans run at once; the others wait in line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::ScanError;
use super::running::Running;

/// The most scans that take turns at once.
pub const MAX_RUNNING_SCANS: usize = 32;
/// The most scans that wait in line.
pub const MAX_WAITING_SCANS: usize = 1_024;
/// How long a thread stays with one scan while others have work.
const SLICE: Duration = Duration::from_millis(10);
/// How often a thread without work looks whether a waiting scan ran out of time.
const IDLE_LOOK: Duration = Duration::from_millis(100);
/// What a refused scan is told to wait.
const RETRY_AFTER_MILLIS: u64 = 1_000;

/// Threads that run scans. Cloning gives another handle to the same threads; they end with the last handle.
#[derive(Clone)]
pub struct ScanPool {
    owner: Arc<Owner>,
}

struct Owner {
    turns: Arc<Turns>,
    threads: usize,
    fault: Option<String>,
}

/// Whose turn it is.
pub(super) struct Turns {
    line: Mutex<Line>,
    wake: Condvar,
}

#[derive(Default)]
struct Line {
    running: Vec<Arc<Running>>,
    waiting: VecDeque<Arc<Running>>,
    turn: usize,
    stopped: bool,
}

impl ScanPool {
    /// A pool of `threads` threads; 0: one a core.
    #[must_use]
    pub fn new(threads: usize) -> ScanPool {
        let wanted = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let turns = Arc::new(Turns { line: Mutex::new(Line::default()), wake: Condvar::new() });
        let mut fault = None;
        let mut started = 0;
        for slot in 0..wanted {
            let turns = Arc::clone(&turns);
            match std::thread::Builder::new().name(format!("scan-{slot}")).spawn(move || turns.serve(slot)) {
                Ok(_) => started += 1,
                Err(error) => {
                    fault = Some(error.to_string());
                    break;
                }
            }
        }
        ScanPool { owner: Arc::new(Owner { turns, threads: started, fault }) }
    }

    /// The pool that scans use which name none: one thread a core, started at first use.
    #[must_use]
    pub fn shared() -> ScanPool {
        static SHARED: std::sync::OnceLock<ScanPool> = std::sync::OnceLock::new();
        SHARED.get_or_init(|| ScanPool::new(0)).clone()
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.owner.threads
    }

    /// Scans that take turns now, and scans that wait in line.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let line = self.owner.turns.line.lock();
        (line.running.len(), line.waiting.len())
    }

    pub(super) fn turns(&self) -> &Arc<Turns> {
        &self.owner.turns
    }

    /// Whether another scan would be taken now.
    pub(super) fn check_room(&self) -> Result<(), ScanError> {
        self.owner.turns.line.lock().check_room()
    }

    pub(super) fn start(&self, scan: &Arc<Running>) -> Result<(), ScanError> {
        if self.owner.threads == 0 {
            return Err(ScanError::NoThreads(self.owner.fault.clone().unwrap_or_default()));
        }
        let mut line = self.owner.turns.line.lock();
        line.check_room()?;
        if line.running.len() < MAX_RUNNING_SCANS {
            line.running.push(Arc::clone(scan));
        } else {
            line.waiting.push_back(Arc::clone(scan));
        }
        drop(line);
        self.owner.turns.wake.notify_all();
        Ok(())
    }
}

impl std::fmt::Debug for ScanPool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ScanPool").field("threads", &self.owner.threads).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut line = self.turns.line.lock();
        line.stopped = true;
        let left: Vec<Arc<Running>> = line.running.drain(..).collect();
        let waiting: Vec<Arc<Running>> = line.waiting.drain(..).collect();
        drop(line);
        for scan in left.iter().chain(&waiting) {
            scan.stop(super::ScanEnd::Cancelled);
        }
        self.turns.wake.notify_all();
    }
}

impl Turns {
    /// Something changed that may give a thread work, or a place to a scan in line.
    pub(super) fn look_again(&self) {
        self.line.lock().tidy();
        self.wake.notify_all();
    }

    fn serve(&self, slot: usize) {
        let mut line = self.line.lock();
        while !line.stopped {
            line.tidy();
            let Some(scan) = line.pick(slot) else {
                let bounded = !line.running.is_empty();
                if bounded {
                    self.wake.wait_for(&mut line, IDLE_LOOK);
                } else {
                    self.wake.wait(&mut line);
                }
                continue;
            };
            drop(line);
            scan.work_guarded(slot, SLICE);
            // A place may have come free, or a stream's next block may be another thread's.
            if scan.is_ended() || scan.stream {
                self.wake.notify_all();
            }
            drop(scan);
            line = self.line.lock();
        }
    }
}

impl Line {
    fn check_room(&self) -> Result<(), ScanError> {
        let (running, waiting) = (self.running.len(), self.waiting.len());
        match running < MAX_RUNNING_SCANS || waiting < MAX_WAITING_SCANS {
            true => Ok(()),
            false => Err(ScanError::Busy { waiting, retry_after_millis: RETRY_AFTER_MILLIS }),
        }
    }

    /// Takes out the scans that ended and moves the line up.
    fn tidy(&mut self) {
        self.running.retain(|scan| !scan.is_ended());
        while self.running.len() < MAX_RUNNING_SCANS {
            match self.waiting.pop_front() {
                Some(scan) if scan.is_ended() => {}
                Some(scan) => self.running.push(scan),
                None => break,
            }
        }
    }

    /// The next scan in turn that has work for thread `slot`.
    fn pick(&mut self, slot: usize) -> Option<Arc<Running>> {
        let count = self.running.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some(scan) = self.running.get(index) else { continue };
            if scan.has_work(slot) {
                scan.take(slot);
                self.turn = index + 1;
                return Some(Arc::clone(scan));
            }
        }
        None
    }
}
