//! `POST …/explain`: what a query would read, without reading it, within the time that a query has, and what it would
//! share as a live one.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Request, State};
use weir_engine::scan::Explanation;

use super::extract::Path;
use super::query::{prepare, read_request};
use crate::app::App;
use crate::error::ApiError;
use crate::search::Purpose;
use crate::wire::Explained;

/// `POST …/explain`, with the body of a query.
pub(super) async fn explain(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<Explained>, ApiError> {
    let repository = app.repository(&repository)?;
    let (parts, body) = request.into_parts();
    let asked = read_request(&app, &parts.headers, body).await?;
    let prepared = prepare(&app, repository.name(), asked, Purpose::Job).await?;
    let budget = Duration::from_millis(app.settings().query.timeout_millis);
    let live = app.live(&repository)?;
    let explain = move || {
        let begun = Instant::now();
        let range = prepared.context.start_nanos..prepared.context.end_nanos;
        let found = Explanation::of(&repository.snapshot(), &prepared.program, range, Some(budget));
        let sharing = live.sharing(&prepared.standing()).ok();
        let took_micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Explained::new(&prepared.program.describe(), &found, sharing, took_micros)
    };
    Ok(Json(app.answering().run(explain).await?))
}
