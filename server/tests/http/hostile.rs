//! Bodies that are meant to hurt: memory stays flat and the answer says why.

use std::io::Write;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Method;
use serde_json::json;
use tokio_stream::StreamExt;

use crate::world::{World, request};

const INGEST: &str = "/api/v1/repositories/default/ingest";
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

#[tokio::test]
async fn a_bomb_is_stopped_inside_the_decompressor() {
    let world = World::with(|settings| settings.ingest.max_decoded_bytes = 16 << 20);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..256 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let answer = world.post(INGEST, &[NDJSON, ("content-encoding", "gzip")], bomb).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (413, &json!("body-too-large")));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let world = World::with(|settings| settings.ingest.max_wire_bytes = 1000);
    let body = "x".repeat(1001);
    let declared =
        world.post(INGEST, &[("content-type", "text/plain"), ("content-length", "1001")], body.clone()).await;
    assert_eq!(declared.status, 413);
    let chunks = tokio_stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from("x".repeat(100)))));
    let chunked = world.post(INGEST, &[("content-type", "text/plain")], Body::from_stream(chunks)).await;
    assert_eq!((chunked.status.as_u16(), &chunked.json()["error"]["code"]), (413, &json!("body-too-large")));
    let fits = world.post(INGEST, &[("content-type", "text/plain")], "x".repeat(1000)).await;
    assert_eq!(fits.status, 200);
}

#[tokio::test]
async fn no_room_is_answered_with_when_to_come_back() {
    let world = World::with(|settings| settings.ingest.max_in_flight_bytes = 100);
    let answer = world.post(INGEST, &[("content-type", "text/plain")], "x".repeat(200)).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["error"]["retry_after_millis"], 500);
    let answer = world.post(INGEST, &[("content-type", "text/plain")], "x".repeat(50)).await;
    assert_eq!(answer.status, 200, "room is given back");
    assert_eq!(world.app.counters().ingest_held_bytes.get(), 0);
}

#[tokio::test]
async fn a_body_that_never_comes_is_given_up() {
    let world = World::with(|settings| {
        settings.ingest.body_idle_timeout_millis = 50;
        settings.ingest.body_total_timeout_millis = 300;
    });
    let never = tokio_stream::pending::<Result<Bytes, std::io::Error>>();
    let first = tokio_stream::once(Ok::<_, std::io::Error>(Bytes::from("{")));
    let silent = request(Method::POST, INGEST, &[NDJSON], Body::from_stream(first.chain(never)));
    let answer = world.send(silent).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (408, &json!("body-too-slow")));
    // A byte now and then is not enough either.
    let drops = tokio_stream::iter(0..).then(|_| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, std::io::Error>(Bytes::from("x"))
    });
    let answer = world.send(request(Method::POST, INGEST, &[NDJSON], Body::from_stream(drops))).await;
    assert_eq!(answer.status, 408);
    assert_eq!(world.app.counters().ingest_held_bytes.get(), 0);
}

#[tokio::test]
async fn deep_wide_and_long_json_is_stored_or_named() {
    let world = World::new();
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let wide: Vec<String> = (0..100_000).map(|at| format!("\"f{at}\":{at}")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10 << 20));
    let answer = world.ingest(&format!("{{\"a\":1}}\n{deep}\n{wide}\n{long}\n{{\"a\":2}}\n")).await;
    let count = |key: &str| answer[key].as_u64().unwrap();
    assert_eq!(count("accepted") + count("rejected"), 5, "{answer}");
    assert!(count("accepted") >= 2, "{answer}");
    assert_eq!(world.app.repository("default").unwrap().stats().events, count("accepted"));
}
