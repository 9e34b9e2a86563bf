//! Counts, times and names every request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::counters::{RequestLabels, RouteLabels};
use crate::app::App;

/// The header that names a request, taken over from the client where it is a plain word.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name taken over, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// Middleware around everything.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let counters = app.counters();
    let span = tracing::info_span!("request", id = %id, method, route = %route);
    let started = Instant::now();
    // A request that is dropped because its client left must be counted out as well.
    let in_flight = InFlight::enter(&app);
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    let labels = RequestLabels { route: route.clone(), method, status };
    counters.requests.get_or_create(&labels).inc();
    counters.seconds.get_or_create(&RouteLabels { route }).observe(seconds);
    span.in_scope(|| {
        if status >= 500 {
            tracing::warn!(status, seconds, "answered");
        } else {
            tracing::debug!(status, seconds, "answered");
        }
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

struct InFlight {
    app: App,
}

impl InFlight {
    fn enter(app: &App) -> InFlight {
        app.counters().in_flight.inc();
        InFlight { app: app.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.app.counters().in_flight.dec();
    }
}

/// The client's name for the request, or one of ours.
fn request_id(request: &Request) -> String {
    let plain = |text: &&str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !text.is_empty() && text.len() <= MAX_REQUEST_ID_BYTES && text.bytes().all(letter)
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    given.map_or_else(next_id, str::to_owned)
}

/// A name unique within and across runs, but not a secret.
fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64_with_seed(&count.to_le_bytes(), nanos))
}

/// Methods as a closed set, so that labels stay few.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
