//! Why a request of Prometheus' API was not answered, in its shape.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use weir_query::span::Span;

/// The kinds of fault Prometheus knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BadData,
    Execution,
    Unavailable,
    Internal,
}

/// A fault of a request: `{"status": "error", "errorType", "error"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    message: String,
}

impl Fault {
    /// 400: the request means nothing, or asks for what is not there.
    #[must_use]
    pub fn bad_data(message: impl Into<String>) -> Fault {
        Fault { kind: Kind::BadData, message: message.into() }
    }

    /// 400: the expression means nothing from `span` on.
    #[must_use]
    pub fn at(text: &str, span: Span, message: &str) -> Fault {
        let before = text.get(..span.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let shown = text.lines().nth(line - 1).unwrap_or_default();
        let (padding, carets) =
            (" ".repeat(column - 1), "^".repeat(span.end.saturating_sub(span.start).max(1) as usize));
        let carets =
            carets.get(..carets.len().min(shown.len().saturating_sub(column - 1).max(1))).unwrap_or("^");
        Fault::bad_data(format!("{line}:{column}: {message}\n{shown}\n{padding}{carets}"))
    }

    /// 422: the expression cannot be evaluated over what there is.
    #[must_use]
    pub fn execution(message: impl Into<String>) -> Fault {
        Fault { kind: Kind::Execution, message: message.into() }
    }

    /// 503: not now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Fault {
        Fault { kind: Kind::Unavailable, message: message.into() }
    }

    /// 500: ours.
    #[must_use]
    pub fn internal() -> Fault {
        Fault { kind: Kind::Internal, message: "internal error".to_owned() }
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<crate::error::ApiError> for Fault {
    fn from(error: crate::error::ApiError) -> Fault {
        match error.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Fault::unavailable(error.message)
            }
            status if status.is_server_error() => Fault::internal(),
            StatusCode::UNPROCESSABLE_ENTITY => Fault::execution(error.message),
            _ => Fault::bad_data(error.message),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, kind) = match self.kind {
            Kind::BadData => (StatusCode::BAD_REQUEST, "bad_data"),
            Kind::Execution => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let body = serde_json::json!({ "status": "error", "errorType": kind, "error": self.message });
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_point_at_their_place() {
        let fault = Fault::at("sum(a)\n  by b", Span::new(12, 13), "expected `(`");
        assert_eq!(fault.message(), "2:6: expected `(`\n  by b\n     ^");
        let fault = Fault::at("rate(x[5m])", Span::new(0, 4), "no");
        assert_eq!(fault.message(), "1:1: no\nrate(x[5m])\n^^^^");
        assert_eq!(Fault::at("1 +", Span::new(3, 3), "no").message(), "1:4: no\n1 +\n   ^");
    }
}
