//! What one thread has of a scan, and how others come by it.
//!
//! A thread holds its sums for as long as a group of granules takes, and takes them again at once. Whoever wants a result
//! says so and sleeps; the thread then steps aside for a moment. A mutex alone would have him spin and yield his turns to
//! busy threads, of which each lasts for milliseconds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use weir_query::machine::{Machine, StepError};
use weir_query::program::ScanOrder;

use super::sink::{Layout, Sums};
use super::unit::Work;

/// How long a thread steps aside at most, and how long who waits for it sleeps before he looks again.
const ASIDE_MAX: Duration = Duration::from_millis(2);

/// What one thread has of the scan.
pub(super) struct Slot {
    pub(super) work: Mutex<Work>,
    pub(super) sums: Mutex<Sums>,
    /// What is learnt of the open block, where that is to be kept; locked after the sums by whoever locks both.
    pub(super) apart: Mutex<Option<Sums>>,
    bytes: AtomicUsize,
    /// A block is open here, or the thread is at it.
    pub(super) busy: AtomicBool,
    way: Way,
}

/// The way to the sums of a thread.
#[derive(Default)]
struct Way {
    /// How many want them.
    wanted: AtomicUsize,
    turn: Mutex<()>,
    /// The thread has stepped aside.
    free: Condvar,
    /// Who wanted them is done.
    done: Condvar,
}

impl Slot {
    pub(super) fn new(order: ScanOrder, empty: Sums) -> Slot {
        Slot {
            work: Mutex::new(Work::new(order)),
            sums: Mutex::new(empty),
            apart: Mutex::new(None),
            bytes: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            way: Way::default(),
        }
    }

    /// Bytes of memory that its sums hold, as of its last group of granules.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes how many bytes of memory its sums hold.
    pub(super) fn note_bytes(&self) {
        let sums = self.sums.lock();
        let apart = self.apart.lock().as_ref().map_or(0, Sums::bytes);
        // Under the lock of the sums: they may be taken meanwhile.
        self.bytes.store(sums.bytes() + apart, Ordering::Relaxed);
    }

    /// Between two groups of granules: lets those go first who want the sums.
    pub(super) fn give_way(&self) {
        if self.way.wanted.load(Ordering::Acquire) > 0 {
            let mut turn = self.way.turn.lock();
            self.way.free.notify_one();
            // Should he be slow, the scan goes on: he will be let in after the next group.
            self.way.done.wait_for(&mut turn, ASIDE_MAX);
        }
    }

    /// Takes what it has learnt, of which `taken` is told the bytes while nobody can learn more; with a copy of what it
    /// learns of the open block, which it needs as it is.
    pub(super) fn take_sums(
        &self,
        layout: Layout,
        machine: &Machine,
        taken: impl FnOnce(usize),
    ) -> (Sums, Option<Sums>) {
        self.with_sums(|sums, apart| {
            let apart = apart.clone();
            let own = std::mem::replace(sums, layout.empty(machine));
            self.bytes.store(apart.as_ref().map_or(0, Sums::bytes), Ordering::Relaxed);
            taken(own.bytes());
            (own, apart)
        })
    }

    /// Calls `look` with the sums and with what is learnt apart, of which a thread that is at a group holds one.
    fn with_sums<T>(&self, look: impl FnOnce(&mut Sums, &Option<Sums>) -> T) -> T {
        self.way.wanted.fetch_add(1, Ordering::AcqRel);
        let mut turn = self.way.turn.lock();
        let seen = loop {
            if let Some(mut sums) = self.sums.try_lock()
                && let Some(apart) = self.apart.try_lock()
            {
                break look(&mut sums, &apart);
            }
            self.way.free.wait_for(&mut turn, ASIDE_MAX);
        };
        self.way.wanted.fetch_sub(1, Ordering::AcqRel);
        self.way.done.notify_all();
        MutexGuard::unlock_fair(turn);
        seen
    }

    /// Puts what was learnt apart into the sums, and hands it out.
    pub(super) fn join_apart(&self) -> Result<Option<Sums>, StepError> {
        let mut sums = self.sums.lock();
        let apart = self.apart.lock().take();
        match &apart {
            // Over its limit, the sum holds all that was learnt nevertheless.
            Some(learnt) => sums.merge(learnt).map(|()| apart),
            None => Ok(None),
        }
    }

    /// Puts what was learnt apart, which is much, into the sums: without a look at it where that is all there is.
    pub(super) fn give_up_apart(&self) {
        let mut sums = self.sums.lock();
        if let Some(learnt) = self.apart.lock().take() {
            sums.take_in(learnt);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use weir_query::compile::Options;
    use weir_query::machine::Context;
    use weir_query::program::Program;

    use super::*;

    /// A thread that holds its sums as good as always lets each of those in who want them.
    #[test]
    fn who_wants_the_sums_gets_them_between_two_groups() {
        let program = Program::compile("count()", &Options::default()).unwrap();
        let machine = Machine::new(Arc::clone(&program), Context::default());
        let slot = Slot::new(ScanOrder::Any, Layout::One.empty(&machine));
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                while !ended.load(Ordering::Acquire) && begun.elapsed() < Duration::from_secs(60) {
                    let sums = slot.sums.lock();
                    std::thread::sleep(Duration::from_micros(200));
                    drop(sums);
                    slot.note_bytes();
                    slot.give_way();
                }
            });
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let machine = Machine::new(Arc::clone(&program), Context::default());
                        (0..50).for_each(|_| drop(slot.take_sums(Layout::One, &machine, |_| {})));
                    })
                })
                .collect();
            takers.into_iter().for_each(|taker| taker.join().unwrap());
            ended.store(true, Ordering::Release);
        });
        assert_eq!(slot.way.wanted.load(Ordering::Acquire), 0);
    }
}
