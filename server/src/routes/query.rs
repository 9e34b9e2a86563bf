//! `POST …/query`: every match, streamed as it is found.
//!
//! The head of the answer waits for the first rows or the end, so that a query that fails at once has its status.
//! What it cost stands in the header `weir-cost` where it is known by then, and in a trailer of that name.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::extract::Path;
use super::query_live;
use super::query_stream::{First, Pump, Search};
use crate::app::App;
use crate::clock::now_nanos;
use crate::encode::Form;
use crate::error::ApiError;
use crate::jobs::JobTable;
use crate::search::{Cost, Prepared, Purpose};
use crate::wire::QueryRequest;

/// What the query cost, as JSON.
pub(super) const COST: HeaderName = HeaderName::from_static("weir-cost");
/// `true` where something that may have mattered was not read.
const PARTIAL: HeaderName = HeaderName::from_static("weir-partial");
/// The query's id, as Humio names it.
const QUERY_ID: HeaderName = HeaderName::from_static("humio-query-id");
/// The client's wish for a file name.
const DESIRED_FILENAME: &str = "x-desired-filename";

/// What a query turned out to be.
enum Begun {
    /// What matches from now on.
    Live(Response),
    /// A search.
    History(Search),
}

/// `POST …/query`.
pub(super) async fn stream(
    State(app): State<App>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let repository = app.repository(&repository)?;
    let (parts, body) = request.into_parts();
    let asked = read_request(&app, &parts.headers, body).await?;
    let form = Form::of_accept(parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    let shared = app.clone();
    // One turn for all of it: most searches are done before a second one could be had.
    let begin = move || {
        let known = shared.known(repository.name())?;
        let limits = &shared.settings().query;
        let prepared = Prepared::new(&asked, Purpose::Stream, now_nanos(), limits, &known)?;
        shared.counters().queries.inc();
        let prepared = Arc::new(prepared);
        if prepared.is_live {
            return query_live::follow(&shared, &repository, &prepared, form).map(Begun::Live);
        }
        Ok(Begun::History(Pump::begin(&shared, &repository, &prepared, form)?))
    };
    let mut response = match app.answering().run(begin).await?? {
        Begun::Live(response) => response,
        Begun::History(begun) => answer(begun.first(&app).await?),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    if let Ok(id) = HeaderValue::from_str(&JobTable::new_id()) {
        headers.insert(QUERY_ID, id);
    }
    if let Some(name) = file_name(&parts.headers) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Reads a query request of any content type.
pub(super) async fn read_request(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<QueryRequest, ApiError> {
    let bytes = super::body::read_plain(app, headers, body).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the request is not what it should be: {error}")))
}

/// Compiles a request, not on an async thread.
pub(super) async fn prepare(
    app: &App,
    repository: &str,
    asked: QueryRequest,
    purpose: Purpose,
) -> Result<Arc<Prepared>, ApiError> {
    let (shared, repository) = (app.clone(), repository.to_owned());
    let prepared = move || {
        // The first time this reads files.
        let known = shared.known(&repository)?;
        Prepared::new(&asked, purpose, now_nanos(), &shared.settings().query, &known)
    };
    app.answering().run(prepared).await?.map(Arc::new)
}

fn answer(first: First) -> Response {
    match first {
        First::Whole { bytes, cost } => {
            let mut response = bytes.into_response();
            put_cost(response.headers_mut(), &cost);
            response
        }
        First::Stream(body) => {
            let mut response = body.into_response();
            let trailer = HeaderValue::from_static("weir-cost");
            response.headers_mut().insert(header::TRAILER, trailer);
            response
        }
    }
}

fn put_cost(headers: &mut HeaderMap, cost: &Cost) {
    if let Ok(value) = HeaderValue::from_str(&ascii(&cost.to_json())) {
        headers.insert(COST, value);
    }
    if cost.partial {
        headers.insert(PARTIAL, HeaderValue::from_static("true"));
    }
}

/// JSON as ASCII, since header values are.
pub(super) fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            let mut units = [0_u16; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// The value of `Content-Disposition`, with nothing in the name that ends its quotes.
fn file_name(headers: &HeaderMap) -> Option<HeaderValue> {
    let name = headers.get(DESIRED_FILENAME)?.to_str().ok()?;
    let plain: String = name.chars().filter(|letter| !matches!(letter, '"' | '\\' | '/')).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_plain() {
        assert_eq!(ascii(r#"{"a":"ü😀"}"#), r#"{"a":"\u00fc\ud83d\ude00"}"#);
        let mut headers = HeaderMap::new();
        headers.insert(DESIRED_FILENAME, HeaderValue::from_static("../a\"b.csv"));
        assert_eq!(file_name(&headers).unwrap(), "attachment; filename=\"..ab.csv\"");
    }
}
