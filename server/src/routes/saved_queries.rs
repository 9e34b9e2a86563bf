//! `…/savedqueries`: list, read, save, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weir_engine::saved::{SavedError, SavedQueries};

use super::extract::Path;
use crate::app::App;
use crate::error::ApiError;
use crate::wire::{SavedQuery, SavedText};

fn saved(app: &App, repository: &str) -> Result<Arc<SavedQueries>, ApiError> {
    app.saved_queries(app.repository(repository)?.name())
}

/// `GET …/savedqueries`.
pub(super) async fn list(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<Vec<SavedQuery>>, ApiError> {
    let texts = saved(&app, &repository)?.texts();
    Ok(Json(texts.iter().map(|(name, text)| SavedQuery::new(name, text)).collect()))
}

/// `GET …/savedqueries/{name}`.
pub(super) async fn read(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<Json<SavedQuery>, ApiError> {
    let texts = saved(&app, &repository)?.texts();
    texts.get(&name).map(|text| Json(SavedQuery::new(&name, text))).ok_or_else(|| unknown(&name))
}

/// `PUT …/savedqueries/{name}`: 201 when it is new, 200 when it replaces one.
pub(super) async fn put(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let saved = saved(&app, &repository)?;
    let (repository, shared) = (app.repository(&repository)?, app.clone());
    let (parts, body) = request.into_parts();
    let bytes = super::body::read_plain(&app, &parts.headers, body).await?;
    let asked: SavedText = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the query is not what it should be: {error}")))?;
    let work = move || {
        let is_new = saved.put(&name, &asked.query_string).map_err(|error| match error {
            SavedError::Query(faults) => ApiError::query(&asked.query_string, &faults),
            other => other.into(),
        })?;
        shared.known_changed(&repository)?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok::<_, ApiError>((status, Json(SavedQuery::new(&name, &asked.query_string))))
    };
    Ok(app.answering().run(work).await??.into_response())
}

/// `DELETE …/savedqueries/{name}`.
pub(super) async fn remove(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let saved = saved(&app, &repository)?;
    let (repository, shared, gone) = (app.repository(&repository)?, app.clone(), name.clone());
    let work = move || {
        let was_there = saved.remove(&gone)?;
        shared.known_changed(&repository)?;
        Ok::<_, ApiError>(was_there)
    };
    match app.answering().run(work).await?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no saved query `{name}`"))
}
