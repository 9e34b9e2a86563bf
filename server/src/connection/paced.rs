//! A stream that ends when its client is too slow.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::clock::Clock;

/// A stream with the time limits of its [`Clock`].
#[derive(Debug)]
pub(crate) struct PacedStream<S> {
    inner: S,
    clock: Clock,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Pin<Box<Sleep>>,
    /// The write timer runs: the client has taken nothing since it was set.
    write_stalled: bool,
}

impl<S> PacedStream<S> {
    pub(crate) fn new(inner: S, clock: Clock) -> PacedStream<S> {
        let timer = || Box::pin(tokio::time::sleep_until(Instant::now()));
        PacedStream { inner, clock, read_timer: timer(), write_timer: timer(), write_stalled: false }
    }

    /// Turns a pending write into an error once nothing was taken for too long.
    fn pace_write<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_stalled = false;
            return outcome;
        }
        if !self.write_stalled {
            self.write_stalled = true;
            self.write_timer.as_mut().reset(Instant::now() + self.clock.pace().write);
        }
        ready!(self.write_timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if let Poll::Ready(outcome) = Pin::new(&mut this.inner).poll_read(context, buffer) {
            if buffer.filled().len() > before {
                this.clock.bytes_read();
            }
            // A head that arrives drop by drop is always ready to be read: look at the clock here too.
            let late = this.clock.read_deadline().is_some_and(|until| until <= std::time::Instant::now());
            return Poll::Ready(if late { Err(too_slow()) } else { outcome });
        }
        let Some(until) = this.clock.read_deadline() else { return Poll::Pending };
        this.read_timer.as_mut().reset(Instant::from_std(until));
        ready!(this.read_timer.as_mut().poll(context));
        Poll::Ready(Err(too_slow()))
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "client sends too slowly")
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.pace_write(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.pace_write(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.pace_write(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(context);
        self.pace_write(context, outcome)
    }
}
