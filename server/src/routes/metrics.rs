//! `…/metrics`: standing metrics: define, read, drop, have results pushed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Notify;
use weir_engine::live::{Live, LiveError, Received, Subscription};

use super::event_stream::{EventSender, event_stream};
use super::extract::Path;
use crate::app::App;
use crate::encode::encode_metric;
use crate::error::ApiError;
use crate::wire::{MetricFacts, MetricRequest};

/// The header with which a reader says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";
/// Metrics of live query jobs have this in front of their names, and are shown to nobody.
const JOB_PREFIX: &str = "job-";

fn live(app: &App, repository: &str) -> Result<Arc<Live>, ApiError> {
    app.live(&app.repository(repository)?)
}

/// `GET …/metrics`.
pub(super) async fn list(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<Vec<MetricFacts>>, ApiError> {
    let live = live(&app, &repository)?;
    let list = move || live.list().into_iter().filter(|metric| metric.kept).map(MetricFacts::from).collect();
    Ok(Json(app.answering().run(list).await?))
}

/// `PUT …/metrics/{name}`: 201 when it is new, 200 when it replaces one.
pub(super) async fn define(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let live = live(&app, &repository)?;
    let (parts, body) = request.into_parts();
    let bytes = super::body::read_plain(&app, &parts.headers, body).await?;
    let asked: MetricRequest = serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::bad_request(format!("the definition is not what it should be: {error}"))
    })?;
    if name.starts_with(JOB_PREFIX) {
        return Err(ApiError::bad_request(format!("names of metrics cannot start with {JOB_PREFIX:?}")));
    }
    let definition = asked.definition().map_err(ApiError::bad_request)?;
    let limit = app.settings().standing.max_metrics;
    let work = move || {
        let known = live.metric(&name).is_some();
        if !known && live.list().len() >= limit {
            return Err(LiveError::TooMany { what: "metrics", limit }.into());
        }
        live.define(&name, definition).map_err(|error| match error {
            LiveError::Query(faults) => ApiError::query(&asked.query, &faults),
            other => other.into(),
        })?;
        let facts = live.metric(&name).map(MetricFacts::from);
        Ok::<_, ApiError>((if known { StatusCode::OK } else { StatusCode::CREATED }, Json(facts)))
    };
    Ok(app.answering().run(work).await??.into_response())
}

/// `GET …/metrics/{name}`.
pub(super) async fn read(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let live = live(&app, &repository)?;
    let work = move || Ok::<_, ApiError>(encode_metric(&*live.read(&name)?, 0));
    let bytes = app.answering().run(work).await??;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// `DELETE …/metrics/{name}`.
pub(super) async fn delete(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let live = live(&app, &repository)?;
    let gone = name.clone();
    match app.answering().run(move || live.drop_metric(&gone)).await?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(LiveError::Unknown(name).into()),
    }
}

/// `GET …/metrics/{name}/events`: every result from now on, the present one first unless it was seen. The event's
/// id is the revision.
pub(super) async fn push(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let live = live(&app, &repository)?;
    let place = app.streams().open()?;
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let subscription = app.answering().run(move || live.subscribe(&name, seen)).await??;
    let shared = app.clone();
    Ok(event_stream(&app, place, move |sender| push_all(shared, subscription, sender)))
}

async fn push_all(app: App, subscription: Subscription, sender: EventSender) {
    let changed = Arc::new(Notify::new());
    let waker = Arc::clone(&changed);
    subscription.set_waker(move || waker.notify_one());
    loop {
        match subscription.try_receive() {
            Received::Waiting => changed.notified().await,
            Received::Closed => {
                sender.send("gone", None, b"{}").await;
                return;
            }
            Received::Result { result, skipped } => {
                let revision = result.revision;
                let Ok(bytes) = app.answering().run(move || encode_metric(&result, skipped)).await else {
                    return;
                };
                if !sender.send("result", Some(revision), &bytes).await {
                    return;
                }
            }
        }
    }
}
