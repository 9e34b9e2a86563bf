//! Events in: read, decode, append, answer when they are as safe as asked.
//!
//! ```text
//! body (gate, time limits) -> decode (its turn, its thread) -> parsers, if any -> Repository::append -> log thread -> answer
//! ```
//!
//! A brief body, an event or a few, is decoded where it was read, and written to the log there while the log is free:
//! to wake threads for it would take longer.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use weir_engine::{AppendError, AppendOptions, IdempotencyKey, Level, Receipt, Repository, Turn};
use xxhash_rust::xxh3::xxh3_128;

use super::body::Held;
use super::content_key::content_key;
use super::extract::{Path, Query};
use super::lull::Lull;
use super::parsing::Parsing;
use crate::app::{App, DEFAULT_REPOSITORY};
use crate::auth::Bearer;
use crate::clock::now_nanos;
use crate::decode::{self, DecodeLimits, DecodeOptions, Decoded, Encoding, Format, Route};
use crate::error::ApiError;
use crate::settings::{self, Dedupe};
use crate::wire::{IngestAnswer, IngestParameters};

/// The header with which a sender makes its retry safe.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// HEC's channel, where it is not in the query string.
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// Bodies up to this size are decoded where they were read, if they are not compressed: tens of microseconds.
const BRIEF_BODY_BYTES: usize = 8 << 10;

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// The whole account.
    Account,
    /// `{}` when all is well, as Humio answers, else the account.
    Humio,
    /// Splunk's.
    Hec,
}

/// What a request brings.
struct Sent<'a> {
    parameters: &'a IngestParameters,
    bearer: &'a Bearer,
    headers: &'a HeaderMap,
    body: Body,
    /// The number of its connection; 0 where it is not known.
    connection: u64,
}

/// `POST …/{repo}/ingest`: any format by content type.
pub(super) async fn any(
    state: State<App>,
    bearer: Extension<Bearer>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    named(&state, 0, &bearer, &repository, &parts, body).await
}

/// The same, where all that is known of the request is at hand.
pub(super) async fn named(
    app: &App,
    connection: u64,
    bearer: &Bearer,
    repository: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, ApiError> {
    let Query(parameters) = &Query::of_uri(&parts.uri)?;
    let repository = writable(app, bearer, repository)?;
    let sent = Sent { parameters, bearer, headers: &parts.headers, body, connection };
    ingest(app, repository, Route::Any, sent, Style::Account).await
}

/// `POST …/{repo}/ingest-messages`.
pub(super) async fn messages(
    state: State<App>,
    bearer: Extension<Bearer>,
    Path(repository): Path<String>,
    Query(parameters): Query<IngestParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let repository = writable(&state, &bearer, &repository)?;
    let (parts, body) = request.into_parts();
    let sent =
        Sent { parameters: &parameters, bearer: &bearer, headers: &parts.headers, body, connection: 0 };
    ingest(&state, repository, Route::HumioUnstructured, sent, Style::Humio).await
}

/// Makes the handler of an address without a repository.
macro_rules! by_token {
    ($name:ident, $route:expr, $style:expr, $doc:literal) => {
        #[doc = $doc]
        pub(super) async fn $name(
            state: State<App>,
            bearer: Extension<Bearer>,
            Query(parameters): Query<IngestParameters>,
            request: Request,
        ) -> Result<Response, ApiError> {
            let repository = repository_of(&state, &bearer, &parameters)?;
            let (parts, body) = request.into_parts();
            let (parameters, bearer) = (&parameters, &bearer.0);
            let sent = Sent { parameters, bearer, headers: &parts.headers, body, connection: 0 };
            ingest(&state, repository, $route, sent, $style).await
        }
    };
}

by_token!(structured, Route::HumioStructured, Style::Humio, "`POST /api/v1/ingest/humio-structured`.");
by_token!(unstructured, Route::HumioUnstructured, Style::Humio, "`POST /api/v1/ingest/humio-unstructured`.");
by_token!(json, Route::Json, Style::Humio, "`POST /api/v1/ingest/json`.");
by_token!(raw, Route::Raw, Style::Humio, "`POST /api/v1/ingest/raw`.");
by_token!(hec, Route::Hec, Style::Hec, "`POST /services/collector` and its aliases.");
by_token!(hec_raw, Route::HecRaw, Style::Hec, "`POST /services/collector/raw` and its alias.");

/// `GET /services/collector/health`.
pub(super) async fn hec_health() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"text":"HEC is healthy","code":17}"#)
}

/// The repository of an address. A token that is bound to another may not write there.
fn writable(app: &App, bearer: &Bearer, repository: &str) -> Result<Arc<Repository>, ApiError> {
    if let Some(bound) = bearer.repository.as_deref().filter(|bound| *bound != repository) {
        let message = format!("this token may only write to the repository {bound:?}");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    app.repository(repository)
}

/// Where events go whose address does not say: as the token says, else as the query string says. A token that
/// names a repository is bound to it.
fn repository_of(
    app: &App,
    bearer: &Bearer,
    parameters: &IngestParameters,
) -> Result<Arc<Repository>, ApiError> {
    let named = bearer.repository.as_ref().or(parameters.repository.as_ref());
    app.repository(named.map_or(DEFAULT_REPOSITORY, String::as_str))
}

async fn ingest(
    app: &App,
    repository: Arc<Repository>,
    route: Route,
    sent: Sent<'_>,
    style: Style,
) -> Result<Response, ApiError> {
    let Sent { parameters, bearer, headers, body, connection } = sent;
    let parsing = Parsing::of(app, repository.name(), route, parameters, bearer)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let encoding = Encoding::of(text(CONTENT_ENCODING))?;
    let format = Format::of(route, text(CONTENT_TYPE))?;
    let mut options = append_options(app, parameters, headers)?;
    let dedupe = dedupe(app, parameters)?;
    let held = super::body::read(app, headers, body).await?;
    app.counters().ingest_wire_bytes.inc_by(held.bytes.len() as u64);
    let mut decode = decode_options(app, parameters, route, text(CHANNEL));
    parsing.prepare(&mut decode);
    let Held { bytes, ticket } = held;
    if dedupe == Dedupe::Content && options.idempotency_key.is_none() {
        options.idempotency_key = Some(content_key(&bytes, encoding, &format, &decode)?);
    }
    let brief = is_brief(bytes.len(), encoding) && !parsing.is_needed();
    let shared = app.clone();
    let work = move || {
        let body = decode::Body::new(bytes, encoding, format);
        let mut decoded = body.decode(encoding, format, &decode)?;
        // Of most bodies something is stored, and the log knows their keys.
        let may_store_nothing = decoded.batch.is_empty() || parsing.is_needed();
        let key = options.idempotency_key.as_ref().filter(|_| may_store_nothing);
        let unstored = key.map(|key| (key.clone(), xxh3_128(body.bytes())));
        drop(body);
        let mut account = IngestAnswer::of_decoded(&decoded);
        let counts = parsing.run(&mut decoded, options.idempotency_key.is_some(), &mut account)?;
        let raw_bytes = decoded.batch.raw_bytes();
        if decoded.batch.is_empty()
            && let Some((key, body)) = &unstored
        {
            account.duplicate = shared.unstored().knows(repository.name(), key, *body);
        }
        let mut queued = append(&repository, &mut decoded, options)?;
        if !brief && let Some(queued) = &mut queued {
            queued.turn = None;
        }
        Ok::<_, ApiError>((account, queued, raw_bytes, counts))
    };
    let (account, queued, raw_bytes, counts) =
        if brief { work()? } else { app.decoding().run(work).await?? };
    let answer = match queued {
        None => account,
        Some(queued) => account.stored(receipt(queued, app.company().is_alone(connection)).await?),
    };
    // The room is given back only now: until here the batch was held.
    drop(ticket);
    count(app, &answer, raw_bytes);
    if !answer.duplicate {
        counts.tell(app);
    }
    Ok(respond(&answer, style))
}

/// Whether to decode a body takes less than to hand it to another thread.
fn is_brief(wire_bytes: usize, encoding: Encoding) -> bool {
    encoding == Encoding::Identity && wire_bytes <= BRIEF_BODY_BYTES
}

/// A batch on its way to the log.
struct Queued {
    /// Where it may be committed here; otherwise the log thread knows of it already.
    turn: Option<Turn>,
    answer: oneshot::Receiver<Result<Receipt, AppendError>>,
}

/// Waits for the receipt, having committed the batch here if it has its turn and the log is free. `alone`: nobody else sends.
async fn receipt(queued: Queued, alone: bool) -> Result<Receipt, AppendError> {
    let Queued { turn, answer } = queued;
    if let Some(turn) = turn {
        if !alone {
            // Requests that came in meanwhile are read first: one sync then serves them all.
            Lull::default().await;
        }
        turn.commit();
    }
    // Every batch that was taken is answered, so a lost answer means that the engine is gone.
    answer.await.map_err(|_| AppendError::Closed)?
}

/// Hands the batch over; `None` when there is nothing in it.
fn append(
    repository: &Repository,
    decoded: &mut Decoded,
    options: AppendOptions,
) -> Result<Option<Queued>, AppendError> {
    if decoded.batch.is_empty() {
        return Ok(None);
    }
    let (done, answer) = oneshot::channel();
    let batch = std::mem::take(&mut decoded.batch);
    let turn = repository.append(batch, options, move |outcome| {
        // A client that left does not hear it; its events are safe all the same.
        let _ = done.send(outcome);
    })?;
    Ok(Some(Queued { turn: Some(turn), answer }))
}

fn append_options(
    app: &App,
    parameters: &IngestParameters,
    headers: &HeaderMap,
) -> Result<AppendOptions, ApiError> {
    let level = match parameters.level.as_deref() {
        None => match app.settings().storage.level {
            settings::Level::Fsync => Level::Fsync,
            settings::Level::Os => Level::Os,
            settings::Level::Memory => Level::Memory,
        },
        Some("fsync") => Level::Fsync,
        Some("os") => Level::Os,
        Some("memory") => Level::Memory,
        Some(other) => {
            let message = format!("level {other:?} is not known");
            return Err(ApiError::bad_request(message).hint("one of fsync, os, memory"));
        }
    };
    let key = headers.get(IDEMPOTENCY_KEY).map(|value| {
        let text =
            value.to_str().map_err(|_| ApiError::bad_request("the idempotency key is not plain text"))?;
        Ok::<_, ApiError>(IdempotencyKey::new(text)?)
    });
    Ok(AppendOptions { level, idempotency_key: key.transpose()? })
}

fn dedupe(app: &App, parameters: &IngestParameters) -> Result<Dedupe, ApiError> {
    match parameters.dedupe.as_deref() {
        None => Ok(app.settings().ingest.dedupe),
        Some("off") => Ok(Dedupe::Off),
        Some("content") => Ok(Dedupe::Content),
        Some(other) => {
            let message = format!("dedupe {other:?} is not known");
            Err(ApiError::bad_request(message).hint("one of content, off"))
        }
    }
}

fn decode_options(
    app: &App,
    parameters: &IngestParameters,
    route: Route,
    channel: Option<&str>,
) -> DecodeOptions {
    let limits = &app.settings().ingest;
    let channel = parameters.channel.as_deref().or(channel).filter(|_| route == Route::HecRaw);
    DecodeOptions {
        limits: DecodeLimits {
            max_wire_bytes: limits.max_wire_bytes,
            max_decoded_bytes: limits.max_decoded_bytes,
            max_ratio: limits.max_decode_ratio,
            max_event_bytes: limits.max_event_bytes,
            ..DecodeLimits::default()
        },
        timestamp_field: parameters.timestamp_field.clone(),
        fields: channel.map(|channel| ("channel".to_owned(), channel.to_owned())).into_iter().collect(),
        arrival_nanos: now_nanos(),
        ..DecodeOptions::default()
    }
}

/// What is sent again is counted as that and as nothing else.
fn count(app: &App, answer: &IngestAnswer, raw_bytes: usize) {
    let counters = app.counters();
    let events = &counters.ingest_events;
    if answer.duplicate {
        events.duplicate.inc_by(answer.accepted);
    } else {
        events.rejected.inc_by(answer.rejected);
        events.dropped.inc_by(answer.dropped);
        events.accepted.inc_by(answer.accepted);
        events.unparsed.inc_by(answer.unparsed);
        counters.ingest_decoded_bytes.inc_by(raw_bytes as u64);
    }
}

fn respond(answer: &IngestAnswer, style: Style) -> Response {
    let status = if answer.is_refusal() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let account = || serde_json::to_string(answer).unwrap_or_else(|_| "{}".to_owned());
    let body = match style {
        Style::Hec if status.is_success() => r#"{"text":"Success","code":0}"#.to_owned(),
        Style::Humio if answer.is_clean() => "{}".to_owned(),
        Style::Account | Style::Humio | Style::Hec => account(),
    };
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_bodies() {
        for (wire_bytes, encoding, brief) in [
            (0, Encoding::Identity, true),
            (BRIEF_BODY_BYTES, Encoding::Identity, true),
            (BRIEF_BODY_BYTES + 1, Encoding::Identity, false),
            (10, Encoding::Gzip, false),
        ] {
            assert_eq!(is_brief(wire_bytes, encoding), brief, "{wire_bytes} {encoding:?}");
        }
    }
}
