//! Waiting until everything else that is ready has had its turn.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Ends when the runtime has run what was ready, and has looked for sockets that became so.
///
/// `yield_now` alone ends when it is polled again, and a connection polls its request again at once, in case there is
/// more to read. This ends when the runtime comes back to it.
#[derive(Debug, Default)]
pub(super) struct Lull {
    state: Option<Arc<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    task: AtomicWaker,
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Future for Lull {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let is_new = self.state.is_none();
        let state = self.state.get_or_insert_default();
        state.task.register(context.waker());
        if is_new {
            let waker = Waker::from(Arc::clone(state));
            // Polled once: that puts the waker behind all that is ready.
            let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        }
        if state.is_over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn others_go_first_however_often_it_is_polled() {
        let others = Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let others = Arc::clone(&others);
            tokio::spawn(async move { others.fetch_add(1, Ordering::Relaxed) });
        }
        let mut lull = pin!(Lull::default());
        std::future::poll_fn(|context| {
            let _ = lull.as_mut().poll(context);
            lull.as_mut().poll(context)
        })
        .await;
        assert_eq!(others.load(Ordering::Relaxed), 10);
    }
}
