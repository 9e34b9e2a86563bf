//! Events in by every route: what is answered, and what is there afterwards.

use std::io::Write;

use serde_json::{Value, json};

use crate::world::World;

const INGEST: &str = "/api/v1/repositories/default/ingest";

async fn stored(world: &World) -> u64 {
    world.app.repository("default").unwrap().stats().events
}

#[tokio::test]
async fn our_route_gives_the_account() {
    let world = World::new();
    let answer = world.ingest("{\"a\":1}\n\n{\"a\":2}\nnot json\n").await;
    assert_eq!(
        answer,
        json!({"accepted": 3, "rejected": 0, "unparsed": 1, "first_sequence": 1, "last_sequence": 3,
            "duplicate": false, "errors": []})
    );
    assert_eq!(stored(&world).await, 3);
    let empty = world.ingest("").await;
    assert_eq!((&empty["accepted"], &empty["first_sequence"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn every_route_and_form() {
    let structured =
        r##"[{"tags":{"host":"a"},"events":[{"timestamp":"2024-01-02T03:04:05Z","attributes":{"k":"v"}}]}]"##;
    let messages = r#"[{"type":"kv","fields":{"h":"b"},"tags":{"t":"v"},"messages":["a=1","b=2"]}]"#;
    let hec = r#"{"event":"x","time":1.5}{"event":{"a":1}}"#;
    let table: [(&str, &str, &str, u64, &str); 16] = [
        ("/api/v1/ingest/humio-structured", "application/json", structured, 1, "{}"),
        (INGEST, "application/json", structured, 1, ""),
        ("/api/v1/dataspaces/default/ingest", "application/json", structured, 1, ""),
        ("/api/v1/ingest/humio-unstructured", "application/json", messages, 2, "{}"),
        ("/api/v1/dataspaces/default/ingest-messages", "application/json", messages, 2, "{}"),
        ("/api/v1/ingest/json", "application/json", r#"{"a":1}"#, 1, "{}"),
        ("/api/v1/ingest/json", "application/json", r#"[{"a":1},{"a":2}]"#, 2, "{}"),
        ("/api/v1/ingest/raw", "text/plain", "one\nevent", 1, "{}"),
        ("/services/collector/event", "text/plain", hec, 2, r#"{"text":"Success","code":0}"#),
        ("/api/v1/ingest/hec", "application/json", hec, 2, r#"{"text":"Success","code":0}"#),
        ("/services/collector/raw?channel=c", "text/plain", "a\nb", 2, r#"{"text":"Success","code":0}"#),
        (INGEST, "application/json", r#"[{"a":1},{"a":2},{"a":3}]"#, 3, ""),
        (INGEST, "text/plain", "one\ntwo\n", 2, ""),
        (INGEST, "text/csv", "a,b\n1,2\n3,4\n", 2, ""),
        (INGEST, "", "{\"a\":1}\n{\"a\":2}\n", 2, ""),
        ("/api/v1/ingest/json?level=memory", "application/json", r#"{"a":1}"#, 1, "{}"),
    ];
    for (path, kind, body, count, expected) in table {
        let world = World::new();
        let answer = world.post(path, &[("content-type", kind)], body).await;
        assert_eq!(answer.status, 200, "{path} {kind}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        if expected.is_empty() {
            assert_eq!(answer.json()["accepted"], count, "{path} {kind}");
        } else {
            assert_eq!(answer.text(), expected, "{path} {kind}");
        }
        assert_eq!(stored(&world).await, count, "{path} {kind}");
    }
}

#[tokio::test]
async fn a_time_that_is_not_understood_is_counted() {
    let body = |raw: &str| {
        format!(
            r#"[{{"events":[{{"timestamp":"soon","attributes":{{"k":"v"}}{raw}}},{{"timestamp":"2024-01-02","attributes":{{"k":"v"}}}}]}}]"#
        )
    };
    for raw in ["", r#","rawstring":"x""#] {
        let world = World::new();
        let answer = world.post(INGEST, &[("content-type", "application/json")], body(raw)).await.json();
        assert_eq!((&answer["accepted"], &answer["unparsed"]), (&json!(2), &json!(1)), "{raw}");
        let rows = world.rows("@error=*").await;
        assert_eq!((rows.len(), &rows[0]["k"]), (1, &json!("v")));
        assert_eq!(world.rows("@timestamp=1704153600000").await.len(), 1);
    }
}

#[tokio::test]
async fn compressed_bodies() {
    let lines = b"{\"a\":1}\n{\"a\":2}\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines).unwrap();
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(lines).unwrap();
    let bodies = [
        ("gzip", gzip.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("zstd", zstd::bulk::compress(lines, 1).unwrap()),
        ("identity", lines.to_vec()),
    ];
    for (encoding, body) in bodies {
        let world = World::new();
        let headers = [("content-type", "application/x-ndjson"), ("content-encoding", encoding)];
        let answer = world.post(INGEST, &headers, body).await;
        assert_eq!(answer.json()["accepted"], 2, "{encoding}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_key_makes_a_retry_safe() {
    let world = World::new();
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", "batch-1")];
    let first = world.post(INGEST, &headers, "{\"a\":1}\n{\"a\":2}\n").await.json();
    let again = world.post(INGEST, &headers, "{\"a\":1}\n{\"a\":2}\n").await.json();
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["first_sequence"], again["first_sequence"]);
    let other = world.post(INGEST, &headers, "{\"a\":1}\n{\"a\":3}\n").await;
    assert_eq!(
        (other.status.as_u16(), &other.json()["error"]["code"]),
        (409, &json!("idempotency-key-reused"))
    );
    assert_eq!(stored(&world).await, 2);
    let long = "k".repeat(10_000);
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", long.as_str())];
    let refused = world.post(INGEST, &headers, "{\"a\":1}\n").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (400, &json!("invalid-idempotency-key"))
    );
}

#[tokio::test]
async fn a_body_that_comes_again_is_known_by_its_content_where_that_is_asked_for() {
    let world = World::new();
    let headers = [("content-type", "application/x-ndjson")];
    let asked = format!("{INGEST}?dedupe=content");
    let off = format!("{INGEST}?dedupe=off");
    let mut first = None;
    // Lines that look alike are events of their own; a body that looks alike is one that was sent again.
    for (path, body, duplicate, events) in [
        (asked.as_str(), "{\"a\":1}\n{\"a\":1}\n", false, 2),
        (asked.as_str(), "{\"a\":1}\n{\"a\":1}\n", true, 2),
        (asked.as_str(), "{\"a\":1}\n", false, 3),
        (off.as_str(), "{\"a\":1}\n", false, 4),
        (INGEST, "{\"a\":1}\n", false, 5),
        (asked.as_str(), "{\"a\":1}\n", true, 5),
    ] {
        let answer = world.post(path, &headers, body).await.json();
        assert_eq!(answer["duplicate"], json!(duplicate), "{path} {body}");
        assert_eq!(stored(&world).await, events, "{path} {body}");
        let sequence = first.get_or_insert_with(|| answer["first_sequence"].clone());
        assert_eq!(answer["first_sequence"] == *sequence, body.lines().count() == 2);
    }
    // A key of the sender's own counts before the content.
    let keyed = [("content-type", "application/x-ndjson"), ("idempotency-key", "mine")];
    assert_eq!(world.post(&asked, &keyed, "{\"a\":1}\n").await.json()["duplicate"], json!(false));
    let wrong = world.post(&format!("{INGEST}?dedupe=maybe"), &headers, "{}").await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["error"]["hint"]), (400, &json!("one of content, off")));
}

#[tokio::test]
async fn what_cannot_be_taken_says_so() {
    let world = World::new();
    let ndjson = ("content-type", "application/x-ndjson");
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str, u16, &'a str);
    let table: [Case<'_>; 6] = [
        (INGEST, vec![("content-type", "application/xml")], "<a/>", 415, "unsupported-media-type"),
        (INGEST, vec![ndjson, ("content-encoding", "br")], "x", 415, "unsupported-media-type"),
        (INGEST, vec![ndjson, ("content-encoding", "gzip")], "not gzip", 400, "damaged-body"),
        ("/api/v1/repositories/nowhere/ingest", vec![ndjson], "{}", 404, "no-such-repository"),
        ("/api/v1/repositories/default/ingest?level=hope", vec![ndjson], "{}", 400, "bad-request"),
        (
            "/api/v1/ingest/humio-structured",
            vec![("accept", "application/json")],
            "[{",
            400,
            "malformed-body",
        ),
    ];
    for (path, headers, body, status, code) in table {
        let answer = world.post(path, &headers, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{path}");
    }
    // Humio's clients show the text of an error as it is.
    let plain = world.post("/api/v1/ingest/humio-structured", &[], "[{").await;
    assert_eq!(plain.header("content-type"), "text/plain; charset=utf-8");
    assert!(plain.text().starts_with("malformed JSON"), "{}", plain.text());
    assert_eq!(stored(&world).await, 0);
}

#[tokio::test]
async fn a_bad_event_costs_no_other() {
    let world = World::with(|settings| settings.ingest.max_event_bytes = 1000);
    let long = "x".repeat(2000);
    let body = format!("{{\"a\":1}}\n{{\"b\":\"{long}\"}}\n{{\"a\":2}}\n{{broken\n");
    let answer = world.ingest(&body).await;
    assert_eq!(
        (&answer["accepted"], &answer["rejected"], &answer["unparsed"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(answer["errors"][0]["index"], 1);
    assert!(answer["errors"][0]["reason"].as_str().unwrap().contains("2"), "{answer}");
    let only_bad = format!("{{\"b\":\"{long}\"}}\n");
    let answer = world.post(INGEST, &[("content-type", "application/x-ndjson")], only_bad).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["rejected"]), (400, &json!(1)));
}
