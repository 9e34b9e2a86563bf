//! Places for answers that stay open: event streams and live queries.

use std::sync::Arc;

use axum::http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// When a place may be free again.
const RETRY_MILLIS: u64 = 5_000;

/// A count of open streams with a limit.
#[derive(Debug)]
pub struct Streams {
    places: Arc<Semaphore>,
    limit: usize,
    shown: Gauge,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct OpenStream {
    _place: OwnedSemaphorePermit,
    shown: Gauge,
}

impl Streams {
    /// `limit` places, shown in `shown`.
    #[must_use]
    pub fn new(limit: usize, shown: Gauge) -> Streams {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Streams { places: Arc::new(Semaphore::new(limit)), limit, shown }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// 503 when all are taken.
    pub fn open(&self) -> Result<OpenStream, ApiError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            let message = format!("there are already {} open streams", self.limit);
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", message)
                .retry_after(RETRY_MILLIS)
        })?;
        self.shown.inc();
        Ok(OpenStream { _place: place, shown: self.shown.clone() })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.shown.dec();
    }
}
