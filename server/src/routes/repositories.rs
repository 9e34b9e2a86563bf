//! Repositories: list, show, make.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::extract::Path;
use crate::app::App;
use crate::error::ApiError;
use crate::wire::RepositoryFacts;

/// `GET /api/v1/repositories`.
pub(super) async fn list(State(app): State<App>) -> Json<Vec<RepositoryFacts>> {
    Json(app.engine().repositories().iter().map(|one| RepositoryFacts::of(one)).collect())
}

/// `GET /api/v1/repositories/{repo}`.
pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<RepositoryFacts>, ApiError> {
    Ok(Json(RepositoryFacts::of(&*app.repository(&name)?)))
}

/// `PUT /api/v1/repositories/{repo}`: 201 when it was made, 200 when it was there.
pub(super) async fn create(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<RepositoryFacts>), ApiError> {
    let known = app.engine().repository(&name).is_some();
    let engine = std::sync::Arc::clone(app.engine());
    let shared = app.clone();
    let make = move || {
        let made = engine.create_repository(&name)?;
        shared.read_kept(made.name())?;
        Ok::<_, ApiError>(made)
    };
    let made = tokio::task::spawn_blocking(make).await.map_err(|_| ApiError::internal())??;
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(RepositoryFacts::of(&made))))
}
