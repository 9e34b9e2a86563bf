//! Health, status, metrics, repositories, errors where nothing is, tokens.

use serde_json::json;
use sha2::{Digest, Sha256};
use weir_server::auth::{Scope, TokenEntry};

use crate::world::{World, request};
use axum::http::Method;

#[tokio::test]
async fn operation_routes_answer() {
    let world = World::new();
    assert_eq!(world.get("/health").await.text(), "OK\n");
    assert_eq!(world.get("/ready").await.status, 200);
    let status = world.get("/api/v1/status").await;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(status.text(), format!("{{\"status\":\"OK\",\"version\":\"{version}\"}}"));
    let health = world.get("/api/v1/health-json").await.json();
    for key in ["status", "statusMessage", "uptime", "version", "oks", "warnings", "down"] {
        assert!(health.get(key).is_some(), "{key} in {health}");
    }
    world.ingest("{\"a\":1}\n").await;
    let metrics = world.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let text = metrics.text();
    for line in [
        "weir_http_requests_total{route=\"/api/v1/repositories/{repo}/ingest\",method=\"POST\",status=\"200\"} 1",
        "weir_ingest_events_total{outcome=\"accepted\"} 1",
        "weir_engine_events_appended_total 1",
        "weir_ingest_held_bytes 0",
        "weir_panics_total 0",
        "weir_engine_index_bytes 0",
        "weir_engine_state_cache_bytes",
        "weir_process_anonymous_bytes",
        "weir_live_states_restored 0",
        "weir_live_snapshots_total 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn repositories_are_made_and_shown() {
    let world = World::new();
    assert_eq!(world.put("/api/v1/repositories/web", "").await.status, 201);
    assert_eq!(world.put("/api/v1/dataspaces/web", "").await.status, 200);
    let list = world.get("/api/v1/repositories").await.json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "web"]);
    assert_eq!(world.get("/api/v1/repositories/web").await.json()["events"], 0);
    let missing = world.get("/api/v1/repositories/nowhere").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["code"]),
        (404, &json!("no-such-repository"))
    );
    let bad = world.put("/api/v1/repositories/..%2F..%2Fetc", "").await;
    assert_eq!(bad.status, 400, "{}", bad.text());
}

#[tokio::test]
async fn nothing_there_is_said_in_json() {
    let world = World::new();
    let missing = world.get("/api/v1/nonsense").await;
    assert_eq!((missing.status.as_u16(), &missing.json()["error"]["code"]), (404, &json!("no-such-route")));
    let wrong = world.delete("/api/v1/repositories").await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["error"]["code"]), (405, &json!("method-not-allowed")));
    let answer = world.send(request(Method::GET, "/health", &[("x-request-id", "mine-7")], "")).await;
    assert_eq!(answer.header("x-request-id"), "mine-7");
    let answer = world.send(request(Method::GET, "/health", &[("x-request-id", "no good")], "")).await;
    assert_eq!(answer.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn tokens_keep_scopes_apart() {
    let entry = |name: &str, scope, repository: Option<&str>| TokenEntry {
        name: name.to_owned(),
        scopes: vec![scope],
        sha256: Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
        repository: repository.map(str::to_owned),
        parser: None,
    };
    let world = World::with(|settings| {
        settings.tokens = vec![
            entry("shipper", Scope::Ingest, Some("web")),
            entry("reader", Scope::Query, None),
            entry("boss", Scope::Admin, None),
        ];
    });
    let ask = async |method: Method, path: &str, token: &str, body: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        world.send(request(method, path, &headers, body.to_owned())).await.status.as_u16()
    };
    assert_eq!(world.get("/health").await.status, 200);
    assert_eq!(world.get("/metrics").await.status, 401);
    assert_eq!(ask(Method::PUT, "/api/v1/repositories/web", "reader", "").await, 403);
    assert_eq!(ask(Method::PUT, "/api/v1/repositories/web", "boss", "").await, 201);
    let query = r#"{"queryString":"*"}"#;
    for (token, ingest, search) in
        [("shipper", 200, 403), ("reader", 403, 200), ("boss", 200, 200), ("x", 401, 401)]
    {
        assert_eq!(ask(Method::POST, "/api/v1/ingest/json", token, "{\"a\":1}").await, ingest, "{token}");
        assert_eq!(
            ask(Method::POST, "/api/v1/repositories/web/query", token, query).await,
            search,
            "{token}"
        );
    }
    // The shipper's token is bound to its repository.
    let elsewhere = "/api/v1/repositories/default/ingest";
    assert_eq!(ask(Method::POST, elsewhere, "shipper", "{\"a\":1}").await, 403);
    assert_eq!(world.app.repository("web").unwrap().stats().events, 1);
    let metric = "/api/v1/repositories/web/metrics/m";
    assert_eq!(ask(Method::PUT, metric, "reader", r#"{"query":"count()"}"#).await, 403);
    assert_eq!(ask(Method::GET, metric, "reader", "").await, 404);
}

#[tokio::test]
async fn pages_of_strangers_are_refused() {
    let world = World::new();
    let status = async |headers: &[(&str, &str)]| {
        world.send(request(Method::GET, "/api/v1/repositories", headers, "")).await.status.as_u16()
    };
    assert_eq!(status(&[("host", "localhost:9480")]).await, 200);
    assert_eq!(status(&[("host", "evil.example")]).await, 403);
    assert_eq!(status(&[("host", "localhost:9480"), ("origin", "https://evil.example")]).await, 403);
}

#[tokio::test]
async fn wrong_addresses_are_answered_like_every_mistake() {
    let world = World::new();
    for path in
        ["/api/v1/repositories/%FF/fields", "/api/v1/repositories/default/queryjobs/x?paginationLimit=many"]
    {
        let answer = world.send(request(Method::GET, path, &[("accept", "application/json")], "")).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "bad-request", "{path}");
    }
    // Nothing behind the equals sign is as if it were not there: this job is simply unknown.
    let path = "/api/v1/repositories/default/queryjobs/x?paginationLimit=";
    assert_eq!(world.get(path).await.status, 404);
}
