//! Pumps the rows of one scan into an answer.
//!
//! Rows are taken and encoded on answering threads, a piece at a time; between pieces nothing is held but the scan,
//! which waits while its reader does. When the client leaves, the pump is dropped, and the scan with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use weir_engine::Repository;
use weir_engine::scan::{NextRows, Scan, ScanEnd, ScanHandle, ScanOptions, Source};

use super::query::{COST, ascii};
use crate::app::App;
use crate::encode::{Form, RowEncoder};
use crate::error::ApiError;
use crate::search::{Cost, Prepared, with_queries_run};

/// Pieces that wait for the client.
const MAX_WAITING_PIECES: usize = 2;
/// An answering thread that has started a scan waits so long for its first rows: less than it takes to come back.
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// Encoded bytes gathered before a piece goes out, while more rows are there at once.
const PIECE_BYTES: usize = 256 << 10;

/// What one body piece is, or why the answer breaks off.
type Piece = Result<Frame<Bytes>, std::io::Error>;

/// A scan and the encoder of its rows.
pub(super) struct Pump {
    scan: ScanHandle,
    encoder: RowEncoder,
    changed: Arc<Notify>,
}

/// The beginning of an answer.
pub(super) enum First {
    /// It is all there.
    Whole {
        /// The body.
        bytes: Vec<u8>,
        /// What it cost.
        cost: Box<Cost>,
    },
    /// It goes on.
    Stream(Body),
}

/// A search that was begun, and what it had at once.
pub(super) struct Search {
    pump: Pump,
    step: Step,
}

/// What one step of the pump gave.
enum Step {
    Rows(Vec<u8>),
    Waiting,
    Done { bytes: Vec<u8>, cost: Box<Cost>, end: ScanEnd },
}

impl Search {
    /// Runs until the first rows, or the end.
    pub(super) async fn first(self, app: &App) -> Result<First, ApiError> {
        let (pump, step) = self.pump.after(self.step, app).await?;
        match step {
            Step::Done { bytes, cost, .. } => Ok(First::Whole { bytes, cost }),
            Step::Rows(bytes) => {
                let (sender, receiver) = mpsc::channel::<Piece>(MAX_WAITING_PIECES);
                tokio::spawn(pump.run(app.clone(), bytes, sender));
                Ok(First::Stream(Body::new(StreamBody::new(ReceiverStream::new(receiver)))))
            }
            Step::Waiting => Err(ApiError::internal()),
        }
    }
}

impl Pump {
    /// Starts a scan and gives it a moment. Runs on an answering thread.
    pub(super) fn begin(
        app: &App,
        repository: &Repository,
        prepared: &Prepared,
        form: Form,
    ) -> Result<Search, ApiError> {
        let mut pump = Pump::start(app, repository, prepared, form)?;
        let step = pump.step(FIRST_WAIT)?;
        Ok(Search { pump, step })
    }

    fn start(app: &App, repository: &Repository, prepared: &Prepared, form: Form) -> Result<Pump, ApiError> {
        let limits = &app.settings().query;
        // Rows wait for their client; a computed result only takes as long as the scan.
        let budget =
            if prepared.is_aggregate() { limits.timeout_millis } else { limits.stream_timeout_millis };
        let options = ScanOptions {
            stream: true,
            time_budget: Some(Duration::from_millis(budget)),
            ..prepared.scan_options(limits, app.pool())
        };
        let source: Arc<dyn Source> = repository.snapshot();
        let program = with_queries_run(app.engine(), &source, (&prepared.text, &prepared.program), &options)?;
        let scan = Scan::start(source, program, options)?;
        let changed = Arc::new(Notify::new());
        let waker = Arc::clone(&changed);
        scan.set_waker(move || waker.notify_one());
        Ok(Pump { scan, encoder: RowEncoder::new(form), changed })
    }

    /// Sends piece after piece until the end, or until the client leaves.
    async fn run(self, app: App, bytes: Vec<u8>, sender: mpsc::Sender<Piece>) {
        let mut pump = self;
        if sender.send(Ok(Frame::data(bytes.into()))).await.is_err() {
            return;
        }
        loop {
            let next = tokio::select! {
                next = pump.next(&app) => next,
                // Dropping the pump in its wait cancels the scan.
                () = sender.closed() => return,
            };
            let bytes = match next {
                Ok((rest, Step::Rows(bytes))) => {
                    pump = rest;
                    bytes
                }
                Ok((_, Step::Done { bytes, cost, end })) => {
                    for piece in finish(bytes, &cost, end) {
                        let _ = sender.send(piece).await;
                    }
                    return;
                }
                Ok((_, Step::Waiting)) => return,
                Err(error) => {
                    let _ = sender.send(Err(std::io::Error::other(error.message))).await;
                    return;
                }
            };
            if sender.send(Ok(Frame::data(bytes.into()))).await.is_err() {
                return;
            }
            // A stopping server ends long answers: their clients see them break off, not end.
            if app.stop().is_cancelled() {
                let _ = sender.send(Err(std::io::Error::other("the server is stopping"))).await;
                return;
            }
        }
    }

    /// The next rows or the end, however long it takes.
    async fn next(self, app: &App) -> Result<(Pump, Step), ApiError> {
        let (pump, step) = self.turn(app).await?;
        pump.after(step, app).await
    }

    /// What comes after `step`, if that was nothing yet, however long it takes.
    async fn after(self, step: Step, app: &App) -> Result<(Pump, Step), ApiError> {
        let (mut pump, mut step) = (self, step);
        while matches!(step, Step::Waiting) {
            pump.changed.notified().await;
            (pump, step) = pump.turn(app).await?;
        }
        if let Step::Done { cost, .. } = &step {
            count(app, cost);
        }
        Ok((pump, step))
    }

    /// Takes what is there, on an answering thread.
    async fn turn(self, app: &App) -> Result<(Pump, Step), ApiError> {
        let mut pump = self;
        let stepped = app.answering().run(move || {
            let step = pump.step(Duration::ZERO);
            (pump, step)
        });
        let (pump, step) = stepped.await?;
        Ok((pump, step?))
    }

    /// Takes what is there; waits no longer than `patience` for the first of it. Runs on an answering thread.
    fn step(&mut self, patience: Duration) -> Result<Step, ApiError> {
        let mut bytes = Vec::new();
        while bytes.len() < PIECE_BYTES {
            let patience = if bytes.is_empty() { patience } else { Duration::ZERO };
            match self.scan.next_rows(patience)? {
                NextRows::Rows(matches) => self.encoder.rows(&matches.table, &matches.rows, &mut bytes),
                NextRows::Waiting if bytes.is_empty() => return Ok(Step::Waiting),
                NextRows::Waiting => break,
                NextRows::Done => {
                    let result = self.scan.wait()?;
                    if result.end == ScanEnd::Failed {
                        tracing::error!(warnings = ?result.table.warnings, "a search failed");
                        return Err(ApiError::internal());
                    }
                    self.encoder.finish(&mut bytes);
                    let cost = Box::new(Cost::of_result(&self.scan.progress(), &result));
                    return Ok(Step::Done { bytes, cost, end: result.end });
                }
            }
        }
        Ok(Step::Rows(bytes))
    }
}

/// The last pieces. An answer that lacks rows because a budget ran out must not look whole.
fn finish(bytes: Vec<u8>, cost: &Cost, end: ScanEnd) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if !bytes.is_empty() {
        pieces.push(Ok(Frame::data(bytes.into())));
    }
    if end != ScanEnd::Complete {
        pieces.push(Err(std::io::Error::other(format!("the search ended early: {}", cost.end))));
        return pieces;
    }
    let mut trailers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&ascii(&cost.to_json())) {
        trailers.insert(COST, value);
        pieces.push(Ok(Frame::trailers(trailers)));
    }
    pieces
}

/// Counts a query that has ended.
pub(super) fn count(app: &App, cost: &Cost) {
    let counters = app.counters();
    counters.query_events.inc_by(cost.events_scanned);
    counters.query_bytes.inc_by(cost.bytes_scanned);
    counters.query_seconds.observe(Duration::from_millis(cost.elapsed_millis).as_secs_f64());
    if cost.partial {
        counters.queries_partial.inc();
    }
    tracing::debug!(cost = %cost.to_json(), "query ended");
}
