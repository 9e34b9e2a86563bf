//! What answers where no route does.

use axum::extract::Request;
use axum::http::StatusCode;

use crate::error::ApiError;

/// The longest path repeated in an answer, in characters.
const MAX_SHOWN: usize = 200;

/// 404.
pub(super) async fn route(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(MAX_SHOWN).collect();
    ApiError::new(StatusCode::NOT_FOUND, "no-such-route", format!("nothing answers at {path}"))
}

/// 405.
pub(super) async fn method(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(MAX_SHOWN).collect();
    let message = format!("{path} does not take {}", request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
}
