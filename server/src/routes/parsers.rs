//! `…/parsers`: list, read, put, remove, try; and `…/defaultparser`: which one events go through that name none.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use weir_engine::parsers::{ParserError, Parsers, Put, Trial};

use super::extract::{Path, Query};
use crate::app::App;
use crate::clock::now_nanos;
use crate::error::ApiError;
use crate::search::try_parser;
use crate::wire::{DefaultParser, ParserFacts, ParserText, TestAnswer, TestRequest};

/// The address at which parsers are tried.
const RESERVED: &str = "test";

/// Query string of the routes that take a parser.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct PutParameters {
    /// Takes it although its test cases fail, or what it names is not there yet.
    #[serde(default)]
    force: bool,
}

fn parsers(app: &App, repository: &str) -> Result<Arc<Parsers>, ApiError> {
    app.parsers(app.repository(repository)?.name())
}

/// `GET …/parsers`.
pub(super) async fn list(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<Vec<ParserFacts>>, ApiError> {
    let parsers = parsers(&app, &repository)?;
    let default = parsers.default();
    Ok(Json(parsers.list().values().map(|parser| ParserFacts::of(parser, default.as_deref())).collect()))
}

/// `GET …/parsers/{name}`.
pub(super) async fn read(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<Json<ParserFacts>, ApiError> {
    let parsers = parsers(&app, &repository)?;
    let parser = parsers.get(&name).ok_or_else(|| unknown(&name))?;
    Ok(Json(ParserFacts::of(&parser, parsers.default().as_deref())))
}

/// `POST …/parsers`: as `PUT`, with the name in the body.
pub(super) async fn create(
    State(app): State<App>,
    Path(repository): Path<String>,
    Query(parameters): Query<PutParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let asked: ParserText = read_body(&app, request).await?;
    let name = asked.name.clone().ok_or_else(|| ApiError::bad_request("the parser has no name"))?;
    take(app, repository, name, asked, parameters).await
}

/// `PUT …/parsers/{name}`: 201 when it is new, 200 when it replaces one.
pub(super) async fn put(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
    Query(parameters): Query<PutParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let asked: ParserText = read_body(&app, request).await?;
    take(app, repository, name, asked, parameters).await
}

async fn take(
    app: App,
    repository: String,
    name: String,
    asked: ParserText,
    parameters: PutParameters,
) -> Result<Response, ApiError> {
    if name == RESERVED {
        let message = format!("a parser cannot be called `{RESERVED}`: parsers are tried at that address");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid-name", message));
    }
    let parsers = parsers(&app, &repository)?;
    let repository = Arc::clone(app.repository(&repository)?.name());
    let shared = app.clone();
    let work = move || {
        let trial = Trial {
            // The first time this reads files.
            known: shared.known(&repository)?,
            limits: shared.settings().parser.limits(),
            now_nanos: now_nanos(),
            is_forced: parameters.force,
        };
        let text = asked.script.clone();
        let put = parsers.put(&name, asked.into_parser(), &trial).map_err(|error| match error {
            ParserError::Text(faults) => ApiError::query(&text, &faults),
            other => other.into(),
        })?;
        Ok::<_, ApiError>(taken(&put, &text, parsers.default().as_deref()))
    };
    Ok(app.answering().run(work).await??.into_response())
}

fn taken(put: &Put, text: &str, default: Option<&str>) -> (StatusCode, Json<ParserFacts>) {
    let facts = ParserFacts {
        failures: put.failures.iter().map(ToString::to_string).collect(),
        faults: put.faults.as_ref().map(|faults| faults.render(text, false)),
        ..ParserFacts::of(&put.parser, default)
    };
    (if put.is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(facts))
}

/// `DELETE …/parsers/{name}`.
pub(super) async fn remove(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let parsers = parsers(&app, &repository)?;
    let gone = name.clone();
    match app.answering().run(move || parsers.remove(&gone)).await?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

/// `POST …/parsers/test`: what a parser, kept or not, makes of examples and of stored events.
pub(super) async fn test(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<TestAnswer>, ApiError> {
    let asked: TestRequest = read_body(&app, request).await?;
    let repository = app.repository(&repository)?;
    let shared = app.clone();
    let work = move || try_parser(&shared, &repository, asked, now_nanos());
    Ok(Json(app.answering().run(work).await??))
}

/// `GET …/defaultparser`.
pub(super) async fn default(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<DefaultParser>, ApiError> {
    let name = parsers(&app, &repository)?.default();
    Ok(Json(DefaultParser { name: name.map(|name| name.to_string()) }))
}

/// `PUT …/defaultparser`: `{"name": "syslog"}`.
pub(super) async fn set_default(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<DefaultParser>, ApiError> {
    let asked: DefaultParser = read_body(&app, request).await?;
    choose(app, repository, asked).await
}

/// `DELETE …/defaultparser`.
pub(super) async fn unset_default(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<DefaultParser>, ApiError> {
    choose(app, repository, DefaultParser { name: None }).await
}

async fn choose(app: App, repository: String, asked: DefaultParser) -> Result<Json<DefaultParser>, ApiError> {
    let parsers = parsers(&app, &repository)?;
    let name = asked.name.clone();
    app.answering().run(move || parsers.set_default(name.as_deref())).await??;
    Ok(Json(asked))
}

async fn read_body<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = super::body::read_plain(app, &parts.headers, body).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the parser is not what it should be: {error}")))
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no parser `{name}`"))
}
