//! From the errors of the rooms below to statuses.

use axum::http::StatusCode;
use weir_engine::live::LiveError;
use weir_engine::lookups::LookupError;
use weir_engine::parsers::ParserError;
use weir_engine::saved::SavedError;
use weir_engine::scan::ScanError;
use weir_engine::{AppendError, EngineError, StoreError};
use weir_query::error::Diagnostics;
use weir_query::machine::StepError;

use super::ApiError;
use crate::app::SlotError;
use crate::decode::DecodeError;
use crate::package::PackageError;

/// When a failed log may be tried again: only a restart helps, so not soon.
const POISONED_RETRY_MILLIS: u64 = 30_000;
/// When a full disk may be tried again.
const DISK_FULL_RETRY_MILLIS: u64 = 10_000;
/// When a stopping server may be tried again: another one has to start first.
const CLOSED_RETRY_MILLIS: u64 = 2_000;
/// Faults of a query that are shown; one with more has other problems.
const MAX_FAULTS: usize = 10;
/// When a place may be free that others hold.
const FULL_RETRY_MILLIS: u64 = 1_000;

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
            AppendError::KeyReused { .. } => {
                ApiError::new(StatusCode::CONFLICT, "idempotency-key-reused", message)
                    .hint("send other events with a key of their own")
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
        let shown = Diagnostics { list: faults.list.iter().take(MAX_FAULTS).cloned().collect() };
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", shown.render(text, false));
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

impl From<ScanError> for ApiError {
    fn from(error: ScanError) -> ApiError {
        let message = error.to_string();
        match error {
            ScanError::Busy { retry_after_millis, .. } => ApiError::busy(message, retry_after_millis),
            ScanError::NoThreads(_) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no-threads", message)
                .retry_after(CLOSED_RETRY_MILLIS),
            ScanError::Finish(step) => step.into(),
            ScanError::Query(_) | ScanError::Table(_) => {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", message)
            }
            _ => internal(&error),
        }
    }
}

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> ApiError {
        let message = error.to_string();
        match error {
            LookupError::Name(_) => ApiError::new(StatusCode::BAD_REQUEST, "invalid-name", message),
            LookupError::Content { .. } => ApiError::new(StatusCode::BAD_REQUEST, "invalid-file", message),
            LookupError::TooMany => ApiError::new(StatusCode::CONFLICT, "too-many-files", message),
            LookupError::Store(error) => error.into(),
        }
    }
}

impl From<SavedError> for ApiError {
    fn from(error: SavedError) -> ApiError {
        let message = error.to_string();
        match error {
            SavedError::Name(_) => ApiError::new(StatusCode::BAD_REQUEST, "invalid-name", message),
            SavedError::Query(_) => ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", message),
            SavedError::TooMany => ApiError::new(StatusCode::CONFLICT, "too-many-queries", message),
            SavedError::Store(error) => error.into(),
        }
    }
}

impl From<ParserError> for ApiError {
    fn from(error: ParserError) -> ApiError {
        let message = error.to_string();
        let new = |status, code| ApiError::new(status, code, message.clone());
        match error {
            ParserError::Name(_) => new(StatusCode::BAD_REQUEST, "invalid-name"),
            ParserError::Text(_) => new(StatusCode::BAD_REQUEST, "invalid-parser"),
            ParserError::TooLong { .. } => new(StatusCode::PAYLOAD_TOO_LARGE, "parser-too-long"),
            ParserError::TooManyCases => new(StatusCode::BAD_REQUEST, "too-many-tests"),
            ParserError::Tests(_) => new(StatusCode::UNPROCESSABLE_ENTITY, "tests-failed")
                .hint("with ?force=true it is taken all the same"),
            ParserError::TooMany => new(StatusCode::CONFLICT, "too-many-parsers"),
            ParserError::Unknown(_) => new(StatusCode::NOT_FOUND, "not-found"),
            ParserError::BuiltIn(_) => new(StatusCode::CONFLICT, "built-in"),
            ParserError::Store(error) => error.into(),
        }
    }
}

impl From<PackageError> for ApiError {
    fn from(error: PackageError) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid-package", error.to_string())
    }
}

impl From<StepError> for ApiError {
    fn from(error: StepError) -> ApiError {
        let message = error.to_string();
        match error {
            StepError::StateTooLarge { .. } => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "query-too-large", message)
                    .hint("narrow the filter or the time range, or group by fewer values")
            }
            StepError::RegexSteps { .. } => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "regex-steps", message)
                    .hint("write it without look-around and back-references, as several tests")
            }
            StepError::Sequence(_) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "sequence", message),
            _ => internal(&error),
        }
    }
}

impl From<LiveError> for ApiError {
    fn from(error: LiveError) -> ApiError {
        let message = error.to_string();
        match error {
            LiveError::Query(_) => ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", message),
            LiveError::Name { .. } => ApiError::new(StatusCode::BAD_REQUEST, "invalid-name", message),
            LiveError::Duration { .. } | LiveError::TooManyBuckets { .. } => {
                ApiError::new(StatusCode::BAD_REQUEST, "out-of-bounds", message)
            }
            LiveError::Window(_) => ApiError::new(StatusCode::BAD_REQUEST, "invalid-window", message),
            LiveError::Trigger(_) | LiveError::Condition { .. } | LiveError::Refinement { .. } => {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid-trigger", message)
            }
            LiveError::TooMuchHistory { .. } => {
                ApiError::new(StatusCode::BAD_REQUEST, "out-of-bounds", message)
            }
            LiveError::History(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "history-unread", message)
            }
            LiveError::TooMany { .. } => ApiError::busy(message, FULL_RETRY_MILLIS),
            LiveError::Unknown(_) => ApiError::new(StatusCode::NOT_FOUND, "no-such-metric", message),
            LiveError::Stopped(_) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
                .retry_after(CLOSED_RETRY_MILLIS),
            LiveError::Finish(step) => step.into(),
            _ => internal(&error),
        }
    }
}

impl From<SlotError> for ApiError {
    fn from(error: SlotError) -> ApiError {
        match error {
            SlotError::Full => ApiError::busy(error.to_string(), FULL_RETRY_MILLIS),
            SlotError::Lost => internal(&error),
        }
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> ApiError {
        let (status, code) = match &error {
            error if error.is_too_large() => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            error if error.is_unsupported() => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
            DecodeError::Damaged { .. } => (StatusCode::BAD_REQUEST, "damaged-body"),
            DecodeError::Json(_) | DecodeError::Form(_) => (StatusCode::BAD_REQUEST, "malformed-body"),
            _ => return internal(&error),
        };
        ApiError::new(status, code, error.to_string())
    }
}
