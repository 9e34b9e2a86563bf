//! Turns for work that takes a core: so many at once, so many waiting, never on an async thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns for one kind of work.
#[derive(Debug)]
pub struct Slots {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// Too many wait already.
    #[error("too much work is waiting")]
    Full,
    /// The work panicked, or the program is ending.
    #[error("the work did not finish")]
    Lost,
}

impl Slots {
    /// `turns` at once, `max_waiting` behind them.
    #[must_use]
    pub fn new(turns: usize, max_waiting: usize) -> Slots {
        Slots { turns: Arc::new(Semaphore::new(turns.max(1))), waiting: AtomicUsize::new(0), max_waiting }
    }

    /// Runs `work` on a thread of its own when its turn comes.
    ///
    /// # Errors
    /// When too many wait, or the work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SlotError> {
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let _place = Place::take(&self.waiting, self.max_waiting).ok_or(SlotError::Full)?;
                Arc::clone(&self.turns).acquire_owned().await.map_err(|_| SlotError::Lost)?
            }
        };
        spend(turn, work).await
    }

    /// As [`Slots::run`], but however many wait: for work of which there is a limit already, such as that of open
    /// streams.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn run_in_line<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SlotError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| SlotError::Lost)?;
        spend(turn, work).await
    }
}

/// Runs `work` on a thread of its own.
async fn spend<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SlotError> {
    let span = tracing::Span::current();
    // The turn moves into the thread: a client that leaves does not free it before the work is done.
    let work = move || {
        let _turn = turn;
        span.in_scope(work)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work was lost");
        SlotError::Lost
    })
}

/// A place in the line; given back when dropped, also when the one who waits leaves.
struct Place<'a> {
    waiting: &'a AtomicUsize,
}

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, limit: usize) -> Option<Place<'a>> {
        let more = |held: usize| (held < limit).then_some(held + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok().map(|_| Place { waiting })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_fit_are_refused_at_once() {
        let slots = Arc::new(Slots::new(1, 1));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.run(move || held.recv().is_ok()).await }
        });
        while slots.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let second = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.run(|| 2).await }
        });
        while slots.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(slots.run(|| 3).await, Err(SlotError::Full));
        let third = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.run_in_line(|| 3).await }
        });
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        assert_eq!(second.await.unwrap(), Ok(2));
        assert_eq!(third.await.unwrap(), Ok(3));
        assert_eq!(slots.run(|| 4).await, Ok(4));
    }
}
