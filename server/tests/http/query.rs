//! `…/query`: forms, order, errors, costs, clients that leave.

use serde_json::{Value, json};

use crate::world::{World, events, request};
use axum::http::Method;

const QUERY: &str = "/api/v1/repositories/default/query";

async fn ask(world: &World, accept: &str, body: Value) -> crate::world::Answer {
    let headers = [("accept", accept), ("content-type", "application/json")];
    world.post(QUERY, &headers, body.to_string()).await
}

#[tokio::test]
async fn rows_are_newest_first_and_values_are_strings() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let rows = world.rows("level=ERROR").await;
    let numbers: Vec<_> = rows.iter().map(|row| row["n"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["9", "6", "3", "0"]);
    let row = &rows[0];
    assert_eq!(row["@timestamp"], 1_795_176_009_000_i64);
    assert_eq!(row["@rawstring"], r#"{"ts":"2026-11-20T12:00:09Z","level":"ERROR","service":"pay","n":9}"#);
    assert!(row["@id"].is_string());
    for (name, value) in row.as_object().unwrap() {
        assert!(value.is_string() || name == "@timestamp", "{name}: {value}");
    }
}

#[tokio::test]
async fn every_form_of_answer() {
    let world = World::new();
    world.ingest(&events(4)).await;
    let all = json!({"queryString": "level=ERROR", "start": 0});
    let json_rows = ask(&world, "application/json", all.clone()).await;
    assert_eq!(json_rows.header("content-type"), "application/json");
    assert_eq!(json_rows.json().as_array().unwrap().len(), 2);
    let text = ask(&world, "text/plain", all.clone()).await.text();
    assert_eq!(
        text.lines().next().unwrap(),
        r#"{"ts":"2026-11-20T12:00:03Z","level":"ERROR","service":"pay","n":3}"#
    );
    let lines = ask(&world, "application/x-ndjson", all.clone()).await;
    assert!(lines.text().ends_with("}\n") && !lines.text().contains("\n\n"));
    assert!(lines.header("humio-query-id").starts_with("W-"));
    let count = json!({"queryString": "groupBy(level) | sort(level, order=asc)", "start": 0});
    let csv = ask(&world, "text/csv", count.clone()).await.text();
    assert_eq!(csv, "level,_count\r\nERROR,2\r\nINFO,2\r\n");
    let text = ask(&world, "text/plain", count).await.text();
    assert_eq!(text, "level->ERROR, _count->2\nlevel->INFO, _count->2\n");
    let nothing = json!({"queryString": "nothing_has_this", "start": 0});
    assert_eq!(ask(&world, "application/json", nothing.clone()).await.json(), json!([]));
    assert_eq!(ask(&world, "application/x-ndjson", nothing).await.text(), "");
}

#[tokio::test]
async fn the_cost_is_told() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let answer = ask(&world, "application/json", json!({"queryString": "count()", "start": 0})).await;
    assert_eq!(answer.json(), json!([{"_count": "10"}]));
    let cost: Value = serde_json::from_str(answer.header("weir-cost")).unwrap();
    assert_eq!(
        (&cost["eventsScanned"], &cost["partial"], &cost["end"]),
        (&json!(10), &json!(false), &json!("complete"))
    );
}

#[tokio::test]
async fn what_is_spared_is_told_before_and_after() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let explain = async |query: &str| {
        let body = json!({"queryString": query, "start": 0}).to_string();
        let headers = [("content-type", "application/json")];
        world.post("/api/v1/repositories/default/explain", &headers, body).await
    };
    let unsealed = explain("level=ERROR | count()").await.json();
    assert_eq!((&unsealed["headEvents"], &unsealed["granules"]), (&json!(10), &json!(0)), "{unsealed}");
    world.app.engine().repository("default").unwrap().flush().unwrap();
    let left = |found: &Value| {
        ["granules", "granulesLeft", "granulesPrunedByFacts", "granulesPrunedByIndex"]
            .map(|name| found[name].as_u64().unwrap())
    };
    assert_eq!(left(&explain("level=ERROR | count()").await.json()), [1, 1, 0, 0]);
    assert_eq!(left(&explain("level=FATAL | count()").await.json()), [1, 0, 1, 0]);
    assert_eq!(left(&explain("zzqqxxyy | count()").await.json()), [1, 0, 0, 1]);
    let sealed = explain("zzqqxxyy | count()").await.json();
    assert!(sealed["plan"].as_array().is_some_and(|lines| lines.len() > 3), "{sealed}");
    assert!(sealed["indexBytes"].as_u64().unwrap() > 0 && sealed["storedBytes"].as_u64().unwrap() > 0);
    assert_eq!(explain("level=").await.status, 400);
    assert_eq!((&sealed["segments"], &sealed["segmentsLeftOut"]), (&json!(1), &json!(0)));
    let answer = ask(&world, "application/json", json!({"queryString": "count()", "start": 0})).await;
    let cost: Value = serde_json::from_str(answer.header("weir-cost")).unwrap();
    assert_eq!((answer.json(), &cost["blocksAnsweredByFacts"]), (json!([{"_count": "10"}]), &json!(1)));
}

#[tokio::test]
async fn time_ranges_are_half_open() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let first = 1_795_176_000_000_i64;
    let count = async |start: Value, end: Value| {
        let body = json!({"queryString": "count()", "start": start, "end": end});
        ask(&world, "application/json", body).await.json()[0]["_count"].as_str().map(str::to_owned)
    };
    assert_eq!(count(json!(first), json!(first + 5000)).await.as_deref(), Some("5"));
    assert_eq!(
        count(json!((first + 9000).to_string()), json!("2099-01-01T00:00:00Z")).await.as_deref(),
        Some("1")
    );
    assert_eq!(
        count(json!("2026-11-20T12:00:01Z"), json!("2026-11-20T12:00:03Z")).await.as_deref(),
        Some("2")
    );
}

#[tokio::test]
async fn a_wrong_query_is_pointed_at() {
    let world = World::new();
    let wrong = json!({"queryString": "level=ERROR | timechrt(level)"});
    let text = ask(&world, "application/x-ndjson", wrong.clone()).await;
    assert_eq!((text.status.as_u16(), text.header("content-type")), (400, "text/plain; charset=utf-8"));
    assert!(text.text().contains("^") && text.text().contains("timechrt(level)"), "{}", text.text());
    let as_json = ask(&world, "application/json", wrong).await.json();
    assert_eq!(as_json["error"]["code"], "invalid-query");
    assert_eq!(as_json["error"]["span"]["start"], 14);
    for (body, part) in [
        (json!({"queryString": "*", "start": "soon"}), "start"),
        (json!({"start": 0}), "queryString"),
        (json!({"queryString": "*", "timeZone": "Mars/Olympus"}), "timeZone"),
        (json!({"queryString": "count()", "isLive": true}), "live query of an aggregate"),
    ] {
        let answer = ask(&world, "text/plain", body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(part), "{} lacks {part}", answer.text());
    }
}

#[tokio::test]
async fn parameters_and_file_names() {
    let world = World::new();
    world.ingest(&events(6)).await;
    let body = json!({"queryString": "level=?level | count()", "start": 0, "arguments": {"level": "INFO"}});
    assert_eq!(ask(&world, "application/json", body).await.json(), json!([{"_count": "4"}]));
    let headers = [("x-desired-filename", "a.csv"), ("accept", "text/csv")];
    let answer = world.post(QUERY, &headers, r#"{"queryString":"*"}"#).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"a.csv\"");
}

#[tokio::test]
async fn requests_may_be_compressed_and_are_bounded() {
    use std::io::Write;
    let world = World::with(|settings| settings.query.max_request_bytes = 10_000);
    let gzip = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let headers = [("content-encoding", "gzip"), ("accept", "application/json")];
    let answer = world.post(QUERY, &headers, gzip(r#"{"queryString":"*"}"#)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!([])));
    let bomb = gzip(&format!("{{\"queryString\":\"{}\"}}", "x".repeat(1 << 20)));
    assert_eq!(world.post(QUERY, &headers, bomb).await.status, 413);
    assert_eq!(world.post(QUERY, &[], "x".repeat(10_001)).await.status, 413);
}

#[tokio::test]
async fn a_full_ingest_gate_keeps_nobody_from_searching() {
    let world = World::with(|settings| settings.ingest.max_in_flight_bytes = 10);
    assert_eq!(world.post(QUERY, &[], r#"{"queryString":"*"}"#).await.status, 200);
}

#[tokio::test]
async fn a_live_query_streams_what_arrives() {
    use tokio_stream::StreamExt;
    let world = World::new();
    world.ingest(&events(3)).await;
    let body = json!({"queryString": "level=ERROR", "isLive": true, "start": 0}).to_string();
    let headers = [("accept", "application/x-ndjson")];
    let response = world.open(request(Method::POST, QUERY, &headers, body)).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body().into_data_stream();
    let mut seen = String::new();
    let history = tokio::time::timeout(std::time::Duration::from_secs(10), body.next()).await;
    seen.push_str(std::str::from_utf8(&history.unwrap().unwrap().unwrap()).unwrap());
    world.ingest("{\"level\":\"INFO\",\"n\":50}\n{\"level\":\"ERROR\",\"n\":51}\n").await;
    let fresh = tokio::time::timeout(std::time::Duration::from_secs(10), body.next()).await;
    seen.push_str(std::str::from_utf8(&fresh.unwrap().unwrap().unwrap()).unwrap());
    let numbers: Vec<Value> =
        seen.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].clone()).collect();
    assert_eq!(numbers, ["0", "51"]);
    assert_eq!(world.app.counters().streams.get(), 1);
    drop(body);
    for _ in 0..100 {
        if world.app.counters().streams.get() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the stream of a client that left stays open");
}

#[tokio::test]
async fn a_live_query_breaks_off_when_the_server_stops() {
    use http_body_util::BodyExt;
    let world = World::new();
    let body = json!({"queryString": "*", "isLive": true}).to_string();
    let response = world.open(request(Method::POST, QUERY, &[("accept", "application/json")], body)).await;
    assert_eq!(response.status(), 200);
    world.app.stop().cancel();
    assert!(response.into_body().collect().await.is_err(), "it must not look whole");
    let ended = json!({"queryString": "*", "isLive": true, "end": "2030-01-01T00:00:00Z"});
    let answer = ask(&world, "text/plain", ended).await;
    assert_eq!((answer.status.as_u16(), answer.text().contains("a live query ends now")), (400, true));
}

/// Whatever its form, an answer to a client that reads nothing for a while accounts for every matching event.
#[tokio::test]
async fn a_live_query_says_how_much_a_slow_client_missed() {
    use tokio_stream::StreamExt;
    const BATCHES: u64 = 40;
    const EVENTS: u64 = 1_000;
    for (accept, dropped) in [
        ("application/x-ndjson", "\"@dropped\":\""),
        ("application/json", "\"@dropped\":\""),
        ("text/csv", "\"\"@dropped\"\":\"\""),
        ("text/plain", "@dropped->"),
    ] {
        let world = World::new();
        let body = json!({"queryString": "kept=yes", "isLive": true}).to_string();
        let response = world.open(request(Method::POST, QUERY, &[("accept", accept)], body)).await;
        let mut body = response.into_body().into_data_stream();
        for _ in 0..BATCHES {
            world.ingest(&"{\"kept\":\"yes\"}\n{\"kept\":\"no\"}\n".repeat(EVENTS as usize)).await;
        }
        let (mut text, mut told) = (String::new(), 0);
        while told < BATCHES * EVENTS {
            let piece = tokio::time::timeout(std::time::Duration::from_secs(10), body.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("{accept}: {told} of {}", BATCHES * EVENTS));
            text.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
            let gaps: Vec<u64> = text
                .split(dropped)
                .skip(1)
                .map(|rest| {
                    rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
                })
                .collect();
            // A line is an event, says what is missing, or is the header.
            let others = gaps.len() + usize::from(accept == "text/csv");
            told = gaps.iter().sum::<u64>() + (text.lines().count() - others) as u64;
        }
        assert_eq!(told, BATCHES * EVENTS, "{accept}");
        assert!(text.contains(dropped), "{accept}: nothing was dropped, which shows nothing");
    }
}
