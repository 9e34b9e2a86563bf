//! From the errors of the rooms below to statuses.

use axum::http::StatusCode;
use weir_engine::{AppendError, EngineError, StoreError};
use weir_query::error::Diagnostics;

use super::{ApiError, render};

/// When a failed log may be tried again: only a restart helps, so not soon.
const POISONED_RETRY_MILLIS: u64 = 30_000;
/// When a full disk may be tried again.
const DISK_FULL_RETRY_MILLIS: u64 = 10_000;
/// When a stopping server may be tried again: another one has to start first.
const CLOSED_RETRY_MILLIS: u64 = 2_000;

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> ApiError {
        let message = error.to_string();
        let unavailable = |code, millis| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message.clone()).retry_after(millis)
        };
        match error {
            AppendError::Busy { retry_after_millis } => ApiError::busy(message, retry_after_millis),
            AppendError::DiskFull { .. } => unavailable("disk-full", DISK_FULL_RETRY_MILLIS),
            AppendError::Poisoned(_) => unavailable("log-failed", POISONED_RETRY_MILLIS),
            AppendError::Closed => unavailable("stopping", CLOSED_RETRY_MILLIS),
            AppendError::TooLarge { .. } => {
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "batch-too-large", message)
                    .hint("send the events in several requests")
            }
            AppendError::Empty => ApiError::bad_request(message),
            AppendError::InvalidKey { .. } => {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid-idempotency-key", message)
            }
            _ => internal(&error),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> ApiError {
        match &error {
            EngineError::InvalidName { .. } => {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid-name", error.to_string())
            }
            EngineError::TooManyRepositories(_) => {
                ApiError::new(StatusCode::CONFLICT, "too-many-repositories", error.to_string())
            }
            _ => internal(&error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        internal(&error)
    }
}

impl ApiError {
    /// 400: the query does not compile. The message shows its text with carets.
    #[must_use]
    pub fn query(text: &str, faults: &Diagnostics) -> ApiError {
        let first = faults.list.first();
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", render(text, faults));
        error.hint = first.and_then(|fault| fault.hint.clone());
        error.span = first.map(|fault| fault.span);
        error
    }
}

/// Logs what the client is not told.
fn internal(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "request failed");
    ApiError::internal()
}
