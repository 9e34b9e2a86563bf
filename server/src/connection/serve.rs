//! Accepts connections, serves them with a router, stops in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::clock::{Clock, Pace};
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

    /// Serves until `stop` is cancelled, then lets running requests finish within the grace time.
    pub async fn run(self, router: Router, stop: CancellationToken) -> Stopped {
        let Server { listener, limits } = self;
        let places = Arc::new(Semaphore::new(limits.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
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
                        let connection = connection(stream, peer, router.clone(), &limits);
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

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &Connections,
) -> http1::Connection<
    TokioIo<PacedStream<TcpStream>>,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = std::convert::Infallible, Future: Send>
    + use<>,
> {
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
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let guard = clock.request();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let response: Response<Body> = answer.await.unwrap_or_else(|never| match never {});
            // The guard lives in the body: the request ends when its answer is written, or dropped.
            Ok::<_, std::convert::Infallible>(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &guard;
                    frame
                }))
            }))
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // The stream keeps the time; this is the backstop behind it.
        .header_read_timeout(pace.idle.max(pace.header) + pace.header)
        .max_headers(limits.max_header_lines)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes.max(64 << 10))
        .serve_connection(io, service)
}
