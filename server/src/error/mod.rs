//! Every failure of a request, as its sender sees it: one shape, one place where it is mapped.
//!
//! Our own routes answer `{"error": {"code", "message", "hint", "span"?}}`. Routes that Humio has answer its way,
//! a sentence as plain text, unless the client asks for JSON by name.

mod from;
mod plain;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use weir_query::span::Span;

pub use plain::plain_errors;

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// Its status.
    pub status: StatusCode,
    /// A stable word for programs.
    pub code: &'static str,
    /// What is wrong, a sentence in lower case; for queries with the text and carets.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the query, bytes.
    pub span: Option<Span>,
    /// When a retry is worth it.
    pub retry_after_millis: Option<u64>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), hint: None, span: None, retry_after_millis: None }
    }

    /// 400: the request means nothing.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    /// 404: no such thing.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// 429: later.
    pub fn busy(message: impl Into<String>, retry_after_millis: u64) -> ApiError {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(retry_after_millis)
    }

    /// 500: ours. What went wrong is in the log, not in the answer.
    pub fn internal() -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error")
            .hint("the server's log says more, under the request id of this answer")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.hint = Some(hint.into());
        self
    }

    /// Adds when a retry is worth it.
    #[must_use]
    pub fn retry_after(mut self, millis: u64) -> ApiError {
        self.retry_after_millis = Some(millis);
        if self.hint.is_none() {
            self.hint = Some(format!("retry in {millis} ms"));
        }
        self
    }

    /// The JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let body = ErrorBody {
            error: ErrorFields {
                code: self.code,
                message: &self.message,
                hint: self.hint.as_deref(),
                span: self.span.map(|span| SpanFields { start: span.start, end: span.end }),
                retry_after_millis: self.retry_after_millis,
            },
        };
        serde_json::to_string(&body).unwrap_or_else(|_| r#"{"error":{"code":"internal"}}"#.to_owned())
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    code: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<SpanFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_millis: Option<u64>,
}

#[derive(Serialize)]
struct SpanFields {
    start: u32,
    end: u32,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], self.to_json()).into_response();
        if let Some(millis) = self.retry_after_millis {
            // Seconds is all the header can say; the body has the milliseconds.
            let seconds = millis.div_ceil(1000).max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let error = ApiError { span: Some(Span::new(2, 5)), ..ApiError::busy("queue is full", 1_500) };
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        let expected = serde_json::json!({"error": {"code": "busy", "message": "queue is full",
            "hint": "retry in 1500 ms", "span": {"start": 2, "end": 5}, "retry_after_millis": 1500}});
        assert_eq!(json, expected);
        let response = error.into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}
