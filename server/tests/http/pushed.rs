//! Many metrics in one stream: states, deltas, resuming, slow readers, limits.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::Method;
use tokio_stream::StreamExt;
use weir_server::wire::{Pushed, Row};

use crate::world::{World, request};

const METRICS: &str = "/api/v1/repositories/default/metrics";

/// An event as it came.
#[derive(Debug)]
struct Event {
    kind: String,
    id: Option<String>,
    data: Pushed,
}

/// A client that applies what it is sent.
struct Client {
    stream: BodyDataStream,
    buffer: String,
    last_id: Option<String>,
    held: BTreeMap<String, Held>,
}

/// What it holds of a metric.
#[derive(Debug, Default)]
struct Held {
    revision: u64,
    keys: Option<Vec<String>>,
    rows: BTreeMap<String, Row>,
}

impl Client {
    async fn open(world: &World, names: &str, last_id: Option<&str>) -> Client {
        let path = format!("{METRICS}/events?names={names}");
        let headers: Vec<(&str, &str)> = last_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = world.open(request(Method::GET, &path, &headers, "")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let stream = response.into_body().into_data_stream();
        Client { stream, buffer: String::new(), last_id: last_id.map(str::to_owned), held: BTreeMap::new() }
    }

    /// The next event, applied; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(kind) = field("event: ") else { continue };
                let data = serde_json::from_str(field("data: ").unwrap()).unwrap();
                let event = Event { kind: kind.to_owned(), id: field("id: ").map(str::to_owned), data };
                self.apply(&event);
                return Some(event);
            }
            let piece = tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await;
            match piece.expect("something comes") {
                Some(piece) => self.buffer.push_str(std::str::from_utf8(&piece.unwrap()).unwrap()),
                None => return None,
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            self.last_id = Some(id.clone());
        }
        let (kind, data) = (event.kind.as_str(), &event.data);
        if kind == "gone" {
            self.held.remove(&data.metric);
            return;
        }
        let held = self.held.entry(data.metric.clone()).or_default();
        match kind {
            "state" => held.keys.clone_from(&data.keys),
            _ => assert_eq!(data.from, Some(held.revision), "{event:?}"),
        }
        data.apply(held.keys.as_deref(), kind == "state", &mut held.rows);
        held.revision = data.revision.unwrap();
    }

    /// Reads until `metric` has a row with these values.
    async fn until(&mut self, metric: &str, values: &[(&str, &str)]) -> Vec<Event> {
        let mut events = Vec::new();
        let has =
            |row: &Row| values.iter().all(|(name, value)| row.get(*name).is_some_and(|have| have == value));
        while !self.held.get(metric).is_some_and(|held| held.rows.values().any(has)) {
            events.push(self.next().await.expect("the stream goes on"));
        }
        events
    }
}

async fn define(world: &World, name: &str, query: &str) {
    let body =
        serde_json::json!({"query": query, "window": "1h", "granule": "1m", "time": "ingest"}).to_string();
    let answer = world.put(&format!("{METRICS}/{name}"), &body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

async fn send(world: &World, services: &[&str]) {
    let lines: String = services.iter().map(|service| format!("{{\"service\":\"{service}\"}}\n")).collect();
    world.ingest(&lines).await;
}

/// A client of the metrics `all` and `by`, over an event of each of forty services.
async fn of_forty_services(world: &World) -> Client {
    let names: Vec<String> = (0..40).map(|number| format!("service-{number:02}-of-many")).collect();
    send(world, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    define(world, "by", "groupBy(service)").await;
    define(world, "all", "count()").await;
    Client::open(world, "all,by", None).await
}

#[tokio::test]
async fn states_come_first_and_then_what_changes() {
    let world = World::new();
    let mut client = of_forty_services(&world).await;
    client.until("by", &[("service", "service-07-of-many"), ("_count", "1")]).await;
    client.until("all", &[("_count", "40")]).await;
    assert_eq!(client.held["by"].keys.as_deref(), Some(["service".to_owned()].as_slice()));
    assert_eq!(client.held["by"].rows.len(), 40);
    send(&world, &["service-07-of-many", "new"]).await;
    let events = client.until("by", &[("service", "service-07-of-many"), ("_count", "2")]).await;
    let delta =
        events.iter().find(|event| event.kind == "delta" && event.data.metric == "by").expect("a delta");
    assert!(delta.data.rows.len() <= 2, "{delta:?}");
    assert!(["partial", "final", "revised"].contains(&delta.data.status.as_deref().unwrap()));
    client.until("by", &[("service", "new"), ("_count", "1")]).await;
    assert_eq!(client.held["by"].rows.len(), 41);
    client.until("all", &[("_count", "42")]).await;
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_what_changed_since() {
    let world = World::new();
    let mut client = of_forty_services(&world).await;
    client.until("by", &[("service", "service-07-of-many")]).await;
    client.until("all", &[("_count", "40")]).await;
    let Client { last_id, held, .. } = client;
    let id = last_id.expect("an id");
    assert!(id.len() < 60, "{id}");
    send(&world, &["x"]).await;
    let mut again = Client::open(&world, "all,by", Some(&id)).await;
    again.held = held;
    // The client checks that each delta starts from what it has.
    let events = again.until("by", &[("service", "x")]).await;
    assert!(events.iter().all(|event| event.kind != "state" || event.data.metric != "by"), "{events:?}");
    again.until("all", &[("_count", "41")]).await;
    for other in ["17", "0.0.0", &id.replace('.', "-"), &format!("{id}-1")] {
        let mut anew = Client::open(&world, "all,by", Some(other)).await;
        let first = anew.next().await.unwrap();
        assert_eq!(first.kind, "state", "{other}");
    }
    let mut fewer = Client::open(&world, "by", Some(&id)).await;
    assert_eq!(fewer.next().await.unwrap().kind, "state", "an id counts for its own metrics");
}

#[tokio::test]
async fn a_slow_reader_skips_and_is_told() {
    for (cache, resumed) in [(64 << 20, "delta"), (0, "state")] {
        let world = World::with(|settings| settings.standing.delta_cache_bytes = cache);
        let names: Vec<String> = (0..40).map(|number| format!("service-{number:02}-of-many")).collect();
        send(&world, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        define(&world, "by", "groupBy(service)").await;
        let mut slow = Client::open(&world, "by", None).await;
        slow.until("by", &[("service", "service-07-of-many")]).await;
        let mut quick = Client::open(&world, "by", None).await;
        let mut revisions = 0;
        for round in 0..4 {
            let name = format!("round-{round}");
            send(&world, &[&name]).await;
            revisions += quick.until("by", &[("service", &name)]).await.len();
        }
        assert!(revisions >= 4);
        let event = slow.next().await.unwrap();
        assert_eq!(event.kind, resumed);
        assert!(event.data.skipped >= 3, "{event:?}");
        slow.until("by", &[("service", "round-3")]).await;
        assert_eq!(slow.held["by"].rows, quick.held["by"].rows);
        assert!(world.app.counters().pushes_skipped.get() >= 3);
    }
}

#[tokio::test]
async fn dropped_metrics_are_gone_and_the_stream_ends_with_the_last() {
    let world = World::new();
    define(&world, "one", "count()").await;
    define(&world, "two", "count()").await;
    let mut client = Client::open(&world, "one,two", None).await;
    client.until("one", &[("_count", "0")]).await;
    client.until("two", &[("_count", "0")]).await;
    assert_eq!(world.delete(&format!("{METRICS}/one")).await.status, 204);
    while client.next().await.unwrap().kind != "gone" {}
    assert!(!client.held.contains_key("one"));
    send(&world, &["x"]).await;
    client.until("two", &[("_count", "1")]).await;
    assert_eq!(world.delete(&format!("{METRICS}/two")).await.status, 204);
    while client.next().await.is_some() {}
    assert!(client.held.is_empty());
}

#[tokio::test]
async fn a_metric_defined_anew_goes_on() {
    let world = World::new();
    send(&world, &["a", "b"]).await;
    define(&world, "m", "count()").await;
    let mut client = Client::open(&world, "m", None).await;
    client.until("m", &[("_count", "2")]).await;
    define(&world, "m", "groupBy(service)").await;
    client.until("m", &[("service", "a"), ("_count", "1")]).await;
    send(&world, &["a"]).await;
    client.until("m", &[("service", "a"), ("_count", "2")]).await;
}

#[tokio::test]
async fn limits_of_streams() {
    let world = World::with(|settings| settings.standing.max_streams = 2);
    define(&world, "m", "count()").await;
    let path = |names: &str| format!("{METRICS}/events{names}");
    let many = |count: usize| (0..count).map(|number| format!("m{number}")).collect::<Vec<_>>().join(",");
    for (names, status, code) in [
        (format!("?names={}", many(256)), 404, "no-such-metric"),
        (format!("?names={}", many(257)), 400, "bad-request"),
        ("?names=m,absent".to_owned(), 404, "no-such-metric"),
        ("?name=m".to_owned(), 400, "bad-request"),
    ] {
        let answer = world.get(&path(&names)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code);
    }
    let open = || world.open(request(Method::GET, &path(""), &[], ""));
    let (one, two) = (open().await, open().await);
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    let refused = world.get(&path("")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"]["code"].clone()),
        (503, "too-many-streams".into())
    );
    assert_eq!(refused.header("retry-after"), "5");
    drop(one);
    assert_eq!(open().await.status(), 200);
    for name in ["events", "prometheus"] {
        let answer = world.put(&format!("{METRICS}/{name}"), r#"{"query":"count()"}"#).await;
        assert!(answer.status.is_client_error(), "{name} is reserved: {}", answer.status);
    }
}

/// The defaults hold two thousand readers of one metric, though they come all at once, and all of them are told.
#[tokio::test]
async fn two_thousand_readers() {
    let world = World::new();
    define(&world, "m", "count()").await;
    let opening = (0..2_000).map(|_| Client::open(&world, "m", None));
    let mut clients = futures_util::future::join_all(opening).await;
    send(&world, &["x"]).await;
    for client in &mut clients {
        client.until("m", &[("_count", "1")]).await;
    }
    assert_eq!(world.app.channels().count(), 1);
}

#[tokio::test]
async fn signs_of_life() {
    let world = World::with(|settings| settings.standing.heartbeat_millis = 50);
    let path = format!("{METRICS}/events");
    define(&world, "m", "count()").await;
    let response = world.open(request(Method::GET, &path, &[], "")).await;
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("\n\n:\n\n") {
        let piece = tokio::time::timeout(Duration::from_secs(10), body.next()).await;
        text.push_str(std::str::from_utf8(&piece.expect("a sign").unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn rows_that_are_no_longer_so_come_along_where_a_metric_retracts() {
    let world = World::new();
    let body = serde_json::json!({"query": "groupBy(service)", "window": "1h", "time": "ingest", "refinement": "retracting"});
    assert!(world.put(&format!("{METRICS}/by"), &body.to_string()).await.status.is_success());
    define(&world, "all", "count()").await;
    send(&world, &["a", "b"]).await;
    let mut client = Client::open(&world, "all,by", None).await;
    client.until("by", &[("service", "b")]).await;
    client.until("all", &[("_count", "2")]).await;
    send(&world, &["a"]).await;
    let mut events = client.until("by", &[("service", "a"), ("_count", "2")]).await;
    events.extend(client.until("all", &[("_count", "3")]).await);
    let retracted = |name: &str| {
        let of = events.iter().filter(|event| event.data.metric == name);
        serde_json::to_string(&of.flat_map(|event| &event.data.retracted).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(retracted("by"), r#"[{"service":"a","_count":"1"}]"#);
    assert_eq!(retracted("all"), "[]");
    let response = world.open(request(Method::GET, &format!("{METRICS}/by/events"), &[], "")).await;
    let mut stream = response.into_body().into_data_stream();
    let first = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap().unwrap().unwrap();
    let first = std::str::from_utf8(&first).unwrap().to_owned();
    assert!(first.contains(r#""retracted":[{"service":"a","_count":"1"}]"#), "{first}");
}
