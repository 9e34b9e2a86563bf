//! Lets a request in, or says why not.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::auth::{Access, Bearer, Scope, check_origin};
use crate::error::ApiError;

/// What a group of routes wants.
#[derive(Clone)]
pub(super) struct Guard {
    app: App,
    scope: Scope,
}

impl Guard {
    pub(super) fn new(app: App, scope: Scope) -> Guard {
        Guard { app, scope }
    }

    /// Who sends a request with these headers.
    ///
    /// # Errors
    /// When he is not let in.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Bearer, ApiError> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let settings = self.app.settings();
        if self.app.tokens().is_open() {
            let host = text(header::HOST).filter(|_| !settings.insecure_allow_remote);
            check_origin(host, text(header::ORIGIN), &settings.allowed_hosts)
                .map_err(|reason| ApiError::new(StatusCode::FORBIDDEN, "foreign-origin", reason))?;
        }
        match self.app.tokens().check(text(header::AUTHORIZATION), self.scope) {
            Access::Granted(bearer) => Ok(bearer),
            Access::Unknown => {
                Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid token is needed")
                    .hint("send it as `Authorization: Bearer TOKEN`"))
            }
            Access::Forbidden => {
                let message = format!("this token does not have the scope {:?}", self.scope).to_lowercase();
                Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message))
            }
        }
    }
}

/// Middleware around a group of routes.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut request = request;
    match guard.check(request.headers()) {
        Ok(bearer) => {
            if let Some(name) = &bearer.name {
                tracing::debug!(token = %name, "let in");
            }
            request.extensions_mut().insert(bearer);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}
