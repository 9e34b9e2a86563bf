//! Turns errors of Humio's routes into sentences, as its clients show them.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiError;

/// Middleware of Humio's routes: errors become plain text, unless `Accept` names JSON.
pub async fn plain_errors(request: Request, next: Next) -> Response {
    let wants_json = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let response = next.run(request).await;
    if wants_json {
        return response;
    }
    match response.extensions().get::<ApiError>() {
        None => response,
        Some(error) => as_text(&error.clone(), response),
    }
}

fn as_text(error: &ApiError, response: Response) -> Response {
    let mut text = error.message.clone();
    // A rendered query says its hints in place.
    if let (Some(hint), false) = (&error.hint, text.contains('\n')) {
        text.push_str(": ");
        text.push_str(hint);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let (mut parts, _) = response.into_parts();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts, text).into_response()
}
