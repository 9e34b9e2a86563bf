//! `POST …/query/complete`, `…/query/hover`, `…/query/check`: a query that is being written.

use axum::Json;
use axum::extract::{Request, State};

use super::extract::Path;
use crate::app::App;
use crate::error::ApiError;
use crate::search::Edited;
use crate::wire::{Checked, Completed, EditedQuery, Hovered};

/// `POST …/query/complete`: what may stand at the cursor.
pub(super) async fn complete(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<Completed>, ApiError> {
    answer(app, repository, request, |edited| edited.complete().into()).await
}

/// `POST …/query/hover`: what stands at the cursor.
pub(super) async fn hover(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<Hovered>, ApiError> {
    answer(app, repository, request, |edited| Hovered { hover: edited.hover().map(Into::into) }).await
}

/// `POST …/query/check`: what is wrong; an answer, and no error, whatever that is.
pub(super) async fn check(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<Checked>, ApiError> {
    answer(app, repository, request, |edited| Checked::new(edited.check(), edited.formatted())).await
}

/// Reads what is asked and answers it, not on an async thread.
async fn answer<T: Send + 'static>(
    app: App,
    repository: String,
    request: Request,
    work: fn(&Edited) -> T,
) -> Result<Json<T>, ApiError> {
    let repository = app.repository(&repository)?;
    let (parts, body) = request.into_parts();
    let bytes = super::body::read_plain(&app, &parts.headers, body).await?;
    let asked: EditedQuery = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the request is not what it should be: {error}")))?;
    let shared = app.clone();
    let answered = move || Ok::<_, ApiError>(work(&Edited::new(asked, shared.catalogue(&repository)?)));
    Ok(Json(app.answering().run(answered).await??))
}
