//! A server without a socket, and what tests ask of it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use weir_engine::{Engine, EngineConfig};
use weir_server::app::App;
use weir_server::routes::Front;
use weir_server::settings::Settings;

/// A server without a socket, over an engine of its own.
pub(crate) struct World {
    pub(crate) app: App,
    front: Front,
    folder: Option<TempDir>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { data: folder.path().to_owned(), ..Settings::default() };
        change(&mut settings);
        let engine = Arc::new(Engine::open(EngineConfig::new(folder.path())).unwrap());
        let app = App::new(settings, engine, CancellationToken::new()).unwrap();
        World { front: Front::new(&app), app, folder: Some(folder) }
    }

    /// Over an application whose folder is the caller's.
    pub(crate) fn over(app: App) -> World {
        World { front: Front::new(&app), app, folder: None }
    }

    /// Where its data is.
    #[allow(dead_code, reason = "some test needs it at times")]
    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.front.answer(0, request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// As [`World::send`], but the body is not read.
    pub(crate) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.front.answer(0, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], "")).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(request(Method::POST, path, headers, body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send(request(Method::PUT, path, &[("content-type", "application/json")], body.to_owned())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, &[], "")).await
    }

    /// Sends NDJSON to `default` and wants all of it taken.
    pub(crate) async fn ingest(&self, lines: &str) -> Value {
        let path = "/api/v1/repositories/default/ingest";
        let answer = self.post(path, &[("content-type", "application/x-ndjson")], lines.to_owned()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Runs a query over all time and gives its rows.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Value> {
        let body = serde_json::json!({"queryString": query, "start": 0}).to_string();
        let headers = [("accept", "application/x-ndjson"), ("content-type", "application/json")];
        let answer = self.post("/api/v1/repositories/default/query", &headers, body).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.lines()
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// `count` events of service `pay`, one a second from 2026-11-20T12:00:00Z, every third an error.
pub(crate) fn events(count: usize) -> String {
    let mut lines = String::new();
    for at in 0..count {
        let level = if at % 3 == 0 { "ERROR" } else { "INFO" };
        let (minute, second) = (at / 60, at % 60);
        lines.push_str(&format!(
            "{{\"ts\":\"2026-11-20T12:{minute:02}:{second:02}Z\",\"level\":\"{level}\",\"service\":\"pay\",\"n\":{at}}}\n"
        ));
    }
    lines
}
