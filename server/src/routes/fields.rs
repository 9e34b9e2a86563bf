//! `GET …/fields`: the catalogue.

use axum::Json;
use axum::extract::State;

use super::extract::Path;
use crate::app::App;
use crate::error::ApiError;
use crate::wire::FieldFacts;

/// `GET …/fields`: every field there is, by name.
pub(super) async fn list(
    State(app): State<App>,
    Path(repository): Path<String>,
) -> Result<Json<Vec<FieldFacts>>, ApiError> {
    let repository = app.repository(&repository)?;
    let list = move || repository.fields().into_iter().map(FieldFacts::from).collect();
    Ok(Json(app.answering().run(list).await?))
}
