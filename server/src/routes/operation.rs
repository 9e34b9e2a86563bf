//! Is it there, is it well, what does it count.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::ApiError;
use crate::wire::{HealthItem, HealthReport, Status};

/// The media type of what Prometheus scrapes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /health`: the program answers.
pub(super) async fn health() -> &'static str {
    "OK\n"
}

/// `GET /ready`: it takes events and is not about to stop.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    let unready = |message: &str| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message).retry_after(1_000)
    };
    if app.stop().is_cancelled() {
        return Err(unready("the server is stopping"));
    }
    if app.engine().stats().poisoned.is_some() {
        return Err(unready("the log failed; a restart verifies it"));
    }
    Ok("OK\n")
}

/// `GET /api/v1/status`: two keys in this order, since a client's own test demands it.
pub(super) async fn status(State(app): State<App>) -> Response {
    let poisoned = app.engine().stats().poisoned.is_some();
    let body =
        Json(Status { status: if poisoned { "DOWN" } else { "OK" }, version: env!("CARGO_PKG_VERSION") });
    let status = if poisoned { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, body).into_response()
}

/// `GET /api/v1/health-json`.
pub(super) async fn health_json(State(app): State<App>) -> Json<HealthReport> {
    let stats = app.engine().stats();
    let minimum = app.engine().config().min_free_bytes;
    let mut report = HealthReport {
        status: "OK",
        status_message: String::new(),
        uptime: format!("{}s", app.started().elapsed().as_secs()),
        version: env!("CARGO_PKG_VERSION"),
        oks: Vec::new(),
        warnings: Vec::new(),
        down: Vec::new(),
    };
    let item = |name, message: String| HealthItem {
        name,
        status: "OK",
        status_message: message,
        fields: BTreeMap::new(),
    };
    match stats.poisoned {
        None => report.oks.push(item("log", "takes batches".to_owned())),
        Some(reason) => report.down.push(HealthItem { status: "DOWN", ..item("log", reason) }),
    }
    let disk = item("disk", format!("{} bytes free", stats.free_bytes));
    match stats.free_bytes {
        free if free <= minimum => report.down.push(HealthItem { status: "DOWN", ..disk }),
        free if free <= minimum.saturating_mul(4) => {
            report.warnings.push(HealthItem { status: "WARN", ..disk })
        }
        _ => report.oks.push(disk),
    }
    match stats.seal_failing {
        None => report.oks.push(item("sealing", "heads are sealed".to_owned())),
        Some(reason) => {
            report.warnings.push(HealthItem { status: "WARN", ..item("sealing", reason) });
        }
    }
    let damage = item("store", format!("{} damaged parts found at start", stats.damaged));
    if stats.damaged > 0 {
        report.warnings.push(HealthItem { status: "WARN", ..damage });
    } else {
        report.oks.push(damage);
    }
    (report.status, report.status_message) = match (report.down.as_slice(), report.warnings.as_slice()) {
        ([], []) => ("OK", "all is well".to_owned()),
        ([], [first, ..]) => ("WARN", first.status_message.clone()),
        ([first, ..], _) => ("DOWN", first.status_message.clone()),
    };
    Json(report)
}

/// `GET /metrics`.
pub(super) async fn prometheus(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.counters().scrape().map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}
