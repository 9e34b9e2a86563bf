//! Extractors whose refusals look like every other error.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// What stands in the address.
pub(super) struct Path<T>(pub(super) T);

/// What stands behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Default> Query<T> {
    /// That of an address; with none at hand nothing is read.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub(super) fn of_uri(uri: &Uri) -> Result<Query<T>, ApiError> {
        if uri.query().is_none() {
            return Ok(Query(T::default()));
        }
        query(uri)
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<Query<T>, ApiError> {
    match axum::extract::Query::try_from_uri(uri) {
        Ok(axum::extract::Query(value)) => Ok(Query(value)),
        Err(rejection) => Err(refused(rejection.status(), rejection.body_text())),
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(refused(rejection.status(), rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, ApiError> {
        query(&parts.uri)
    }
}

fn refused(status: StatusCode, message: String) -> ApiError {
    match status.is_server_error() {
        true => ApiError::internal(),
        false => ApiError::new(status, "bad-request", message),
    }
}
