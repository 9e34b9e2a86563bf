//! A live query over `…/query`: what matches from now on, as it arrives; with a start, what is there first.
//!
//! Nothing is left out while the client keeps up. Where it does not, a row in the place of what is missing says how much
//! that is, in whatever form rows have:
//!
//! ```text
//! {"@timestamp":1767261600000,"@dropped":"1200","@error":"true","@error_msg":"1200 matching events are missing here: …"}
//! ```
//!
//! `@dropped` counts matching events that did not wait for the client. `@unseen`, where it is there, counts events that the
//! server itself had no time to look at, so that nobody knows how many of them matched.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use weir_engine::Repository;
use weir_engine::live::{Dropped, Follow, Followed};
use weir_engine::scan::{NextRows, Scan, ScanHandle, ScanOptions, Source};
use weir_query::machine::Context;
use weir_query::result::ResultTable;

use crate::app::{App, OpenStream};
use crate::clock::now_nanos;
use crate::encode::{Form, RowEncoder};
use crate::error::ApiError;
use crate::search::{Prepared, with_queries_run};

/// Pieces that wait for the client.
const MAX_WAITING_PIECES: usize = 4;

type Sender = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// Starts to follow.
pub(super) fn follow(
    app: &App,
    repository: &Arc<Repository>,
    prepared: &Arc<Prepared>,
    form: Form,
) -> Result<Response, ApiError> {
    if prepared.is_aggregate() {
        let message = "a live query of an aggregate cannot be streamed";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "live-aggregate", message)
            .hint("create a live query job, or a standing metric"));
    }
    let place = app.streams().open()?;
    let live = app.live(repository)?;
    // Follow first, scan a snapshot, skip through its cut: nothing is missed, nothing comes twice.
    let context = Context { start_nanos: i64::MIN, end_nanos: i64::MAX, ..prepared.context.clone() };
    let source: Arc<dyn Source> = repository.snapshot();
    let limits = &app.settings().query;
    let options = prepared.scan_options(limits, app.pool());
    // Queries inside run once, when the stream begins.
    let program = with_queries_run(app.engine(), &source, (&prepared.text, &prepared.program), &options)?;
    let again = prepared.again();
    let tail = live.follow_again(Arc::clone(&program), context, again)?;
    let history = match prepared.has_start {
        false => None,
        true => {
            let snapshot = repository.snapshot();
            tail.skip_through(snapshot.up_to_sequence);
            let options = ScanOptions {
                stream: true,
                time_budget: Some(Duration::from_millis(limits.stream_timeout_millis)),
                ..options
            };
            Some(Scan::start(snapshot, program, options)?)
        }
    };
    let (sender, receiver) = mpsc::channel(MAX_WAITING_PIECES);
    tokio::spawn(run(app.clone(), place, history, tail, RowEncoder::endless(form), sender));
    Ok(Body::from_stream(ReceiverStream::new(receiver)).into_response())
}

async fn run(
    app: App,
    place: OpenStream,
    history: Option<ScanHandle>,
    tail: Follow,
    encoder: RowEncoder,
    sender: Sender,
) {
    let _place = place;
    let outcome = tokio::select! {
        outcome = send_all(&app, history, tail, encoder, &sender) => outcome,
        () = sender.closed() => return,
        // A live query has no end of its own: its client sees it break off, as any long answer of a stopping server.
        () = app.stop().cancelled() => Err(stopping()),
    };
    if let Err(error) = outcome {
        let _ = sender.send(Err(std::io::Error::other(error.message))).await;
    }
}

async fn send_all(
    app: &App,
    history: Option<ScanHandle>,
    tail: Follow,
    encoder: RowEncoder,
    sender: &Sender,
) -> Result<(), ApiError> {
    let mut encoder = encoder;
    if let Some(scan) = history {
        encoder = send_history(app, scan, encoder, sender).await?;
    }
    let changed = Arc::new(Notify::new());
    let waker = Arc::clone(&changed);
    tail.set_waker(move || waker.notify_one());
    let mut tail = tail;
    loop {
        let step = move || {
            let (mut bytes, mut open) = (Vec::new(), true);
            match tail.try_receive() {
                Followed::Rows { table, rows, dropped } => {
                    write_gap(dropped, &mut encoder, &mut bytes);
                    encoder.rows(&table, &rows, &mut bytes);
                }
                Followed::Waiting => {}
                Followed::Closed { dropped } => {
                    write_gap(dropped, &mut encoder, &mut bytes);
                    open = false;
                }
            }
            (tail, encoder, bytes, open)
        };
        // Open streams are limited already, and all of them may be woken at once.
        let (rest, same, bytes, open) = app.answering().run_in_line(step).await?;
        (tail, encoder) = (rest, same);
        let waited = bytes.is_empty();
        if !waited && sender.send(Ok(bytes.into())).await.is_err() {
            return Ok(());
        }
        if !open {
            return Err(stopping());
        }
        if waited {
            changed.notified().await;
        }
    }
}

/// Writes a row that says what is missing, if something is.
fn write_gap(dropped: Dropped, encoder: &mut RowEncoder, out: &mut Vec<u8>) {
    if dropped.is_none() {
        return;
    }
    let Dropped { matching, unseen } = dropped;
    tracing::warn!(matching, unseen, "a live query left events out");
    let mut says = format!("{matching} matching events are missing here: the client is too slow");
    if unseen > 0 {
        says += &format!("; {unseen} events were not looked at: the server is too slow");
    }
    let now = (now_nanos() / 1_000_000).to_string();
    let unseen = (unseen > 0).then(|| ("@unseen", unseen.to_string()));
    let fields = [("@timestamp", now), ("@dropped", matching.to_string())].into_iter().chain(unseen);
    let fields = fields.chain([("@error", "true".to_owned()), ("@error_msg", says)]);
    let row = fields.map(|(name, value)| (name.to_owned(), value)).collect();
    encoder.rows(&ResultTable::of_events(&[row]), &[0], out);
}

fn stopping() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping")
}

/// Sends what is there already, newest first as everywhere.
async fn send_history(
    app: &App,
    scan: ScanHandle,
    encoder: RowEncoder,
    sender: &Sender,
) -> Result<RowEncoder, ApiError> {
    let changed = Arc::new(Notify::new());
    let waker = Arc::clone(&changed);
    scan.set_waker(move || waker.notify_one());
    let (mut scan, mut encoder) = (scan, encoder);
    loop {
        let step = move || {
            let mut bytes = Vec::new();
            let next = scan.next_rows(Duration::ZERO);
            if let Ok(NextRows::Rows(matches)) = &next {
                encoder.rows(&matches.table, &matches.rows, &mut bytes);
            }
            (scan, encoder, bytes, next)
        };
        let (rest, same, bytes, next) = app.answering().run_in_line(step).await?;
        (scan, encoder) = (rest, same);
        match next? {
            NextRows::Done => return Ok(encoder),
            NextRows::Waiting => changed.notified().await,
            NextRows::Rows(_) if bytes.is_empty() => {}
            NextRows::Rows(_) => {
                if sender.send(Ok(bytes.into())).await.is_err() {
                    return Ok(encoder);
                }
            }
        }
    }
}
