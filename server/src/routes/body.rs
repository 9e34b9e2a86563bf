//! Reads a request's body: so many bytes, so long, with room taken for every byte held.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use crate::app::{App, Gate, Ticket};
use crate::decode::{DecodeLimits, Encoding, plain_body};
use crate::error::ApiError;

/// Of a refused body, so much is still read and thrown away, so that the client gets to read its answer.
const DRAIN_BYTES: usize = 8 << 20;
/// And for so long.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// Memory taken for a body before its first byte, whatever its header promises.
const MAX_RESERVE_BYTES: usize = 1 << 20;

/// A body and the room it takes.
#[derive(Debug)]
pub(super) struct Held {
    /// Its bytes, as sent.
    pub(super) bytes: Vec<u8>,
    /// Gives the room back when dropped.
    pub(super) ticket: Ticket,
}

/// Reads the body of an ingest request.
///
/// # Errors
/// 413 over the limit, 429 when there is no room, 408 when it comes too slowly, 400 when it breaks off.
pub(super) async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Held, ApiError> {
    let outcome = read_through(app, app.gate(), headers, body, app.settings().ingest.max_wire_bytes).await;
    if outcome.as_ref().is_err_and(|error| error.status == StatusCode::TOO_MANY_REQUESTS) {
        app.counters().ingest_refused.inc();
    }
    outcome
}

async fn read_through(
    app: &App,
    gate: &Gate,
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<Held, ApiError> {
    let mut body = body;
    let outcome = read_into(app, gate, headers, &mut body, max_bytes).await;
    if let Err(error) = &outcome
        && error.status != StatusCode::REQUEST_TIMEOUT
    {
        // Nobody waits longer than this for a body that is refused anyway.
        let _ = tokio::time::timeout(DRAIN_TIME, drain(&mut body)).await;
    }
    outcome
}

/// Reads the body of a request that brings no events, decompressed.
///
/// # Errors
/// As [`read`], and 400 or 415 when its encoding is damaged or unknown.
pub(super) async fn read_plain(app: &App, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let limit = app.settings().query.max_request_bytes;
    let held = read_through(app, app.request_gate(), headers, body, limit).await?;
    plain(held, headers, limit)
}

fn plain(held: Held, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, ApiError> {
    let Held { bytes, ticket: _ticket } = held;
    let named = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    match Encoding::of(named)? {
        Encoding::Identity => Ok(bytes),
        encoding => {
            let limits =
                DecodeLimits { max_wire_bytes: limit, max_decoded_bytes: limit, ..DecodeLimits::default() };
            Ok(plain_body(&bytes, encoding, &limits)?)
        }
    }
}

/// Reads a file that is uploaded, decompressed.
///
/// # Errors
/// As [`read_plain`].
pub(super) async fn read_file(app: &App, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let limit = app.settings().query.max_file_bytes;
    let held = read_through(app, app.gate(), headers, body, limit).await?;
    plain(held, headers, limit)
}

async fn read_into(
    app: &App,
    gate: &Gate,
    headers: &HeaderMap,
    body: &mut Body,
    max_bytes: usize,
) -> Result<Held, ApiError> {
    let limits = &app.settings().ingest;
    let too_large = || {
        let message = format!("the body is over the limit of {max_bytes} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", message)
            .hint("send it in several requests")
    };
    let full = || ApiError::busy("too many bytes are being taken in", limits.retry_after_millis);
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > max_bytes) {
        return Err(too_large());
    }
    if !gate.fits(declared.unwrap_or(1)) {
        return Err(full());
    }
    let mut held = Held {
        bytes: Vec::with_capacity(declared.unwrap_or(0).min(MAX_RESERVE_BYTES)),
        ticket: gate.enter(0).ok_or_else(full)?,
    };
    let end = Instant::now() + Duration::from_millis(limits.body_total_timeout_millis);
    let idle = Duration::from_millis(limits.body_idle_timeout_millis);
    loop {
        let patience = idle.min(end.saturating_duration_since(Instant::now()));
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { return Ok(held) };
        let frame = frame.map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if held.bytes.len() + data.len() > max_bytes {
            return Err(too_large());
        }
        if !held.ticket.grow(data.len()) {
            return Err(full());
        }
        if held.bytes.len() >= MAX_RESERVE_BYTES {
            // Who sent so much sends the rest: it is given its place at once, and need not be moved to a larger one.
            held.bytes.reserve_exact(declared.unwrap_or(0).saturating_sub(held.bytes.len()));
        }
        held.bytes.extend_from_slice(&data);
    }
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body came too slowly")
}

async fn drain(body: &mut Body) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, |data| data.len());
        left = left.saturating_sub(bytes);
        if left == 0 {
            return;
        }
    }
}
