//! Counts, times and names every request.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, Span};

use super::counters::{RequestLabels, RouteLabels};
use crate::app::App;

/// The header that names a request, taken over from the client where it is a plain word.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name taken over, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// Middleware around everything.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let seen = Seen::of(&app, route, request.method(), request.headers());
    let response = next.run(request).instrument(seen.span()).await;
    seen.answered(response)
}

/// What is noted of a request from its head to the head of its answer.
pub(crate) struct Seen {
    id: String,
    method: &'static str,
    route: Cow<'static, str>,
    started: Instant,
    // A request that is dropped because its client left must be counted out as well.
    in_flight: InFlight,
    span: OnceCell<Span>,
}

impl Seen {
    /// A request to `route` begins.
    pub(crate) fn of(
        app: &App,
        route: impl Into<Cow<'static, str>>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Seen {
        Seen {
            id: request_id(headers),
            method: method_name(method),
            route: route.into(),
            started: Instant::now(),
            in_flight: InFlight::enter(app),
            span: OnceCell::new(),
        }
    }

    /// What is logged while it is answered is logged as of it.
    pub(crate) fn span(&self) -> Span {
        let span = || tracing::info_span!("request", id = %self.id, self.method, route = %self.route);
        self.span.get_or_init(span).clone()
    }

    /// The same, for requests that are so many that naming each costs more than it is worth, until one fails or all are
    /// logged.
    pub(crate) fn faint_span(&self) -> Span {
        if tracing::enabled!(tracing::Level::DEBUG) { self.span() } else { Span::none() }
    }

    /// The head of its answer is there.
    pub(crate) fn answered(self, response: Response) -> Response {
        let mut response = response;
        let seconds = self.started.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        if status >= 500 {
            self.span().in_scope(|| tracing::warn!(status, seconds, "answered"));
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            self.span().in_scope(|| tracing::debug!(status, seconds, "answered"));
        }
        let Seen { id, method, route, in_flight, .. } = self;
        let counters = in_flight.app.counters();
        let labels = RequestLabels { route, method, status };
        counters.requests.get_or_create(&labels).inc();
        counters.seconds.get_or_create(&RouteLabels { route: labels.route }).observe(seconds);
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
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
fn request_id(headers: &HeaderMap) -> String {
    let plain = |text: &&str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !text.is_empty() && text.len() <= MAX_REQUEST_ID_BYTES && text.bytes().all(letter)
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
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
