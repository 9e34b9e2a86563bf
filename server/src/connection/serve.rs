//! Accepts connections, has their requests answered, stops in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::clock::{Clock, Pace, RequestGuard};
use super::paced::PacedStream;
use crate::settings::Connections;

/// Body of the answer to a connection above the cap; the connection is closed behind it.
const TOO_MANY: &str =
    r#"{"error":{"code":"too-many-connections","message":"too many connections","hint":"retry in 1000 ms"}}"#;

/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound server that waits to be run.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Connections,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections whose requests outlived the grace time and were cut.
    pub cut: usize,
}

impl Server {
    /// Binds to the first of `addresses` that can be bound to.
    ///
    /// # Errors
    /// The last failure to bind.
    pub async fn bind(addresses: &[SocketAddr], limits: &Connections) -> std::io::Result<Server> {
        let listener = TcpListener::bind(addresses).await?;
        Ok(Server { listener, limits: limits.clone() })
    }

    /// The address it is bound to; tells the port where 0 was asked for.
    ///
    /// # Errors
    /// When the operating system does not know.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled, then lets running requests finish within the grace time. `answer` is given the number
    /// of the connection, from 1, and the request.
    pub async fn run<F>(
        self,
        answer: impl Fn(u64, Request<Body>) -> F + Clone + Send + 'static,
        stop: CancellationToken,
    ) -> Stopped
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let Server { listener, limits } = self;
        let places = Arc::new(Semaphore::new(limits.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut number = 0;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        let watcher = graceful.watcher();
                        number += 1;
                        let (number, answer) = (number, answer.clone());
                        let answer = move |request| answer(number, request);
                        let connection = connection(stream, peer, answer, &limits);
                        connections.spawn(async move {
                            let _place: OwnedSemaphorePermit = place;
                            if let Err(error) = watcher.watch(connection).await {
                                tracing::debug!(%peer, %error, "connection ended");
                            }
                        });
                    }
                    Err(_) => refuse(&stream, peer),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        let grace = Duration::from_millis(limits.shutdown_grace_millis);
        let finished = tokio::time::timeout(grace, graceful.shutdown()).await.is_ok();
        while connections.try_join_next().is_some() {}
        let cut = if finished { 0 } else { connections.len() };
        connections.shutdown().await;
        Stopped { cut }
    }
}

/// Tells the client why, as far as its socket takes it without waiting.
fn refuse(stream: &TcpStream, peer: SocketAddr) {
    tracing::debug!(%peer, "too many connections");
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{TOO_MANY}",
        TOO_MANY.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}

fn connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    answer: A,
    limits: &Connections,
) -> http1::Connection<
    TokioIo<PacedStream<TcpStream>>,
    impl HttpService<Incoming, ResBody = Guarded, Error = Infallible, Future: Send> + use<A, F>,
>
where
    A: Fn(Request<Body>) -> F,
    F: Future<Output = Response<Body>> + Send,
{
    let pace = Pace {
        header: Duration::from_millis(limits.header_timeout_millis),
        idle: Duration::from_millis(limits.idle_timeout_millis),
        write: Duration::from_millis(limits.write_timeout_millis),
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let clock = Clock::new(pace);
    let io = TokioIo::new(PacedStream::new(stream, clock.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        let guard = clock.request();
        let answer = answer(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await.map(|body| Guarded { body, _guard: guard })) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // The stream keeps the time; this is the backstop behind it. It is needed: a read that begins while a request is still
        // being answered has no timer of the stream's.
        .header_read_timeout(pace.idle.max(pace.header) + pace.header)
        .max_headers(limits.max_header_lines)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes.max(64 << 10))
        .serve_connection(io, service)
}

/// The body of an answer. The request ends when it is written, or dropped.
struct Guarded {
    body: Body,
    _guard: RequestGuard,
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
