//! `…/files`: lookup tables: list, upload, read, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weir_engine::lookups::Lookups;

use super::extract::Path;
use crate::app::App;
use crate::error::ApiError;
use crate::wire::FileFacts;

/// The part of a form that brings the file, as Humio's clients name it.
const FILE_PART: &str = "file";

fn lookups(app: &App, repository: &str) -> Result<Arc<Lookups>, ApiError> {
    app.lookups(app.repository(repository)?.name())
}

/// `GET …/files`.
pub(super) async fn list(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<Vec<FileFacts>>, ApiError> {
    let tables = lookups(&app, &repository)?.tables();
    Ok(Json(tables.values().map(|table| FileFacts::of(table)).collect()))
}

/// `GET …/files/{name}`: its bytes as they were uploaded.
pub(super) async fn read(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let lookups = lookups(&app, &repository)?;
    let asked = name.clone();
    let content = app.answering().run(move || lookups.content(&asked)).await??;
    let content = content.ok_or_else(|| unknown(&name))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response())
}

/// `PUT …/files/{name}`: the body is the file; 201 when it is new, 200 when it replaces one.
pub(super) async fn put(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let held = super::body::read_file(&app, &parts.headers, body).await?;
    take(&app, &repository, name, held).await
}

/// `POST …/files`: a form with the file in its part `file`, as Humio's clients send it.
pub(super) async fn upload(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    boundary(&parts.headers)?;
    let held = super::body::read_file(&app, &parts.headers, body).await?;
    let (name, bytes) = file_of_form(&parts.headers, held).await?;
    take(&app, &repository, name, bytes).await
}

/// The name and the bytes of the file that a form brings.
///
/// # Errors
/// 400 when it is no form, or there is no file in it.
pub(super) async fn file_of_form(headers: &HeaderMap, held: Vec<u8>) -> Result<(String, Vec<u8>), ApiError> {
    let wrong =
        |reason: String| ApiError::bad_request(format!("the form is not what it should be: {reason}"));
    let boundary = boundary(headers)?;
    let whole = futures_util::stream::once(std::future::ready(Ok::<_, std::io::Error>(held)));
    let mut form = multer::Multipart::new(whole, boundary);
    while let Some(part) = form.next_field().await.map_err(|error| wrong(error.to_string()))? {
        if part.name() != Some(FILE_PART) {
            continue;
        }
        let name = part.file_name().map(str::to_owned);
        let name = name.ok_or_else(|| wrong(format!("its part `{FILE_PART}` has no file name")))?;
        let bytes = part.bytes().await.map_err(|error| wrong(error.to_string()))?;
        return Ok((name, bytes.to_vec()));
    }
    Err(wrong(format!("it has no part `{FILE_PART}`")))
}

fn boundary(headers: &HeaderMap) -> Result<String, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(kind).map_err(|_| {
        ApiError::bad_request("a form (multipart/form-data) is expected here")
            .hint("curl -F file=@hosts.csv does it; or PUT the bytes to …/files/NAME")
    })
}

async fn take(app: &App, repository: &str, name: String, bytes: Vec<u8>) -> Result<Response, ApiError> {
    let lookups = lookups(app, repository)?;
    let (repository, shared) = (app.repository(repository)?, app.clone());
    let work = move || {
        let taken = lookups.put(&name, &bytes)?;
        shared.known_changed(&repository)?;
        Ok::<_, ApiError>(taken)
    };
    let (is_new, table) = app.answering().run(work).await??;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(FileFacts::of(&table))).into_response())
}

/// `DELETE …/files/{name}`.
pub(super) async fn remove(
    State(app): State<App>,
    Path((repository, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let lookups = lookups(&app, &repository)?;
    let (repository, shared, gone) = (app.repository(&repository)?, app.clone(), name.clone());
    let work = move || {
        let was_there = lookups.remove(&gone)?;
        shared.known_changed(&repository)?;
        Ok::<_, ApiError>(was_there)
    };
    match app.answering().run(work).await?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no file `{name}`"))
}
