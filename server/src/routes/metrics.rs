//! `…/metrics`: standing metrics: define, read, drop, have results pushed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weir_engine::live::{Live, LiveError};

use super::event_stream::event_response;
use super::extract::{Path, Query};
use crate::app::App;
use crate::encode::encode_metric;
use crate::error::ApiError;
use crate::push::{Form, MAX_STREAM_METRICS, Reader};
use crate::wire::{MetricFacts, MetricRequest, PushRequest};

/// The header with which a reader says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";
/// Metrics of live query jobs have this in front of their names, and are shown to nobody.
const JOB_PREFIX: &str = "job-";
/// What stands where a metric's name would: the stream of many, and what Prometheus scrapes.
const RESERVED: [&str; 2] = ["events", "prometheus"];

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
    if RESERVED.contains(&name.as_str()) {
        return Err(ApiError::bad_request(format!("{name:?} is an address of its own: take another name")));
    }
    let definition = asked.definition().map_err(ApiError::bad_request)?;
    let limit = app.settings().standing.max_metrics;
    let repository = app.repository(&repository)?;
    let shared = app.clone();
    let work = move || {
        let known = live.metric(&name).is_some();
        if !known && live.list().len() >= limit {
            return Err(LiveError::TooMany { what: "metrics", limit }.into());
        }
        live.define(&name, definition).map_err(|error| match error {
            LiveError::Query(faults) => ApiError::query(&asked.query, &faults),
            other => other.into(),
        })?;
        shared.channels().redefined(&live, repository.name(), &name);
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
    let work = move || Ok::<_, ApiError>(encode_metric(&*live.read(&name)?));
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
    watch(&app, live, repository, move |_| Ok(vec![name]), Form::Results, &headers).await
}

/// `GET …/metrics/events`: many metrics in one stream: their states, then what changes. See [`crate::wire::PushRequest`].
pub(super) async fn push_many(
    State(app): State<App>,
    Path(repository): Path<String>,
    Query(asked): Query<PushRequest>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let live = live(&app, &repository)?;
    let names = move |live: &Live| match asked.names() {
        Some(names) => Ok(names),
        None => {
            let all = live.list().into_iter().filter(|metric| metric.kept);
            Ok(all.map(|metric| metric.name).collect())
        }
    };
    watch(&app, live, repository, names, Form::Changes, &headers).await
}

async fn watch(
    app: &App,
    live: Arc<Live>,
    repository: String,
    names: impl FnOnce(&Live) -> Result<Vec<String>, ApiError> + Send + 'static,
    form: Form,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let place = app.streams().open()?;
    let shared = app.clone();
    let work = move || {
        let names = names(&live)?;
        if names.len() > MAX_STREAM_METRICS {
            let message =
                format!("a stream is of at most {MAX_STREAM_METRICS} metrics, not of {}", names.len());
            return Err(ApiError::bad_request(message).hint("name some: ?names=a,b,c"));
        }
        let repository = shared.repository(&repository)?;
        Ok(shared.channels().watch(&live, repository.name(), &names)?)
    };
    // Streams are limited already, and after a restart all readers come back at once.
    let watch = app.answering().run_in_line(work).await??;
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    Ok(event_response(Reader::new(app, watch, form, seen, place)))
}
