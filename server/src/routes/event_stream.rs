//! Server-sent events: one task writes, heartbeats keep dead clients from being kept.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{App, OpenStream};

/// Events that wait for the client; the writer waits with them.
const MAX_WAITING_EVENTS: usize = 1;

/// Where the writer of an event stream writes.
#[derive(Clone, Debug)]
pub(super) struct EventSender {
    sender: mpsc::Sender<Result<Bytes, Infallible>>,
}

impl EventSender {
    /// Sends one event; `false` when the client is gone. `data` must have no line feeds, as JSON of ours has none.
    pub(super) async fn send(&self, name: &str, id: Option<u64>, data: &[u8]) -> bool {
        let mut bytes = Vec::with_capacity(data.len() + 48);
        if let Some(id) = id {
            bytes.extend_from_slice(format!("id: {id}\n").as_bytes());
        }
        bytes.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\n\n");
        self.sender.send(Ok(bytes.into())).await.is_ok()
    }
}

/// An answer that stays open while `write` runs, the client listens and the server does not stop.
pub(super) fn event_stream<F>(app: &App, place: OpenStream, write: impl FnOnce(EventSender) -> F) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
    let writing = write(EventSender { sender: sender.clone() });
    let heartbeat = Duration::from_millis(app.settings().standing.heartbeat_millis);
    let stop = app.stop().clone();
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            () = writing => {}
            () = beat(&sender, heartbeat) => {}
            () = sender.closed() => {}
            () = stop.cancelled() => {}
        }
    });
    event_response(ReceiverStream::new(receiver))
}

/// An answer of `events`, each piece of which is written as it comes.
pub(super) fn event_response(
    events: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends comment lines until the client is gone.
async fn beat(sender: &mpsc::Sender<Result<Bytes, Infallible>>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        // Where an event waits to be taken, the client shows in that whether it lives.
        if let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(Ok(Bytes::from_static(b":\n\n"))) {
            return;
        }
    }
}
