//! `…/queryjobs`: create, ask, end, or have results pushed.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::event_stream::{EventSender, event_stream};
use super::extract::{Path, Query};
use super::query::read_request;
use crate::app::App;
use crate::clock::now_nanos;
use crate::encode::{JobFrame, encode_job};
use crate::error::ApiError;
use crate::jobs::{Echo, Ground, Job, JobView};
use crate::search::{Prepared, Purpose, filter_part};
use crate::wire::{JobCreated, JobPage, QueryRequest};

/// Between two looks at a job whose results are pushed.
const PUSH_INTERVAL: Duration = Duration::from_millis(100);

/// `POST …/queryjobs`.
pub(super) async fn create(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Json<JobCreated>, ApiError> {
    let repository = app.repository(&repository)?;
    let (parts, body) = request.into_parts();
    let asked = read_request(&app, &parts.headers, body).await?;
    app.jobs().check_room()?;
    app.counters().queries.inc();
    let shared = app.clone();
    let start = move || {
        let limits = &shared.settings().query;
        let prepared =
            Prepared::new(&asked, Purpose::Job, now_nanos(), limits, &shared.known(repository.name())?)?;
        let live = shared.live(&repository)?;
        let ground = Ground {
            engine: shared.engine(),
            repository: &repository,
            live: &live,
            pool: shared.pool(),
            limits,
        };
        let echo = echo(&asked, &prepared);
        let job = Job::start(ground, prepared, echo, asked.around.as_ref())?;
        let query_on_view = job.prepared().text.clone();
        let id = shared.jobs().insert(job).id().to_owned();
        Ok::<_, ApiError>(JobCreated { id, query_on_view })
    };
    Ok(Json(app.answering().run(start).await??))
}

fn echo(asked: &QueryRequest, prepared: &Prepared) -> Echo {
    Echo {
        filter: filter_part(&prepared.text, &prepared.options()),
        is_interactive: asked.is_interactive.unwrap_or(false),
        include_deleted_events: asked.include_deleted_events.unwrap_or(false),
        no_result_until_done: asked.no_result_until_done.unwrap_or(false),
        show_distribution: asked.show_query_event_distribution.unwrap_or(false),
    }
}

/// `GET …/queryjobs/{id}`.
pub(super) async fn poll(
    State(app): State<App>,
    Path((repository, id)): Path<(String, String)>,
    Query(page): Query<JobPage>,
) -> Result<Response, ApiError> {
    let repository = app.repository(&repository)?;
    let job = app.jobs().get(repository.name(), &id)?;
    let (bytes, _) = encode(&app, job, page).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

async fn encode(app: &App, job: Arc<Job>, page: JobPage) -> Result<(Vec<u8>, Arc<JobView>), ApiError> {
    let poll_after_millis = app.settings().query.poll_after_millis;
    let work = move || {
        let view = job.view()?;
        let frame = JobFrame {
            echo: job.echo(),
            is_aggregate: job.prepared().is_aggregate(),
            cancelled: job.is_cancelled(),
            poll_after_millis,
            is_live: job.is_live(),
        };
        Ok((encode_job(&view, frame, &page), view))
    };
    app.answering().run(work).await?
}

/// `DELETE …/queryjobs/{id}`: 204, also when it was forgotten already; whoever ends a job wants it gone.
pub(super) async fn end(
    State(app): State<App>,
    Path((repository, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let repository = app.repository(&repository)?;
    let shared = app.clone();
    app.answering().run(move || shared.jobs().remove(repository.name(), &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/queryjobs/{id}/events`: the same answers, pushed when they change; a job over history ends with `done`.
pub(super) async fn push(
    State(app): State<App>,
    Path((repository, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let repository = app.repository(&repository)?;
    let job = app.jobs().get(repository.name(), &id)?;
    let place = app.streams().open()?;
    let shared = app.clone();
    Ok(event_stream(&app, place, move |sender| push_all(shared, job, sender)))
}

async fn push_all(app: App, job: Arc<Job>, sender: EventSender) {
    let mut known: Option<(Option<u64>, u64, bool)> = None;
    let mut sent = 0_u64;
    loop {
        job.touch();
        let Ok((bytes, view)) = encode(&app, Arc::clone(&job), JobPage::default()).await else {
            sender.send("error", None, b"the result cannot be computed").await;
            return;
        };
        let mark = (view.revision, view.work_done, view.done);
        if known != Some(mark) {
            known = Some(mark);
            sent += 1;
            if !sender.send("result", Some(sent), &bytes).await {
                return;
            }
        }
        if view.done && !job.is_live() || job.is_cancelled() {
            sender.send("done", None, b"{}").await;
            return;
        }
        tokio::time::sleep(PUSH_INTERVAL).await;
    }
}
