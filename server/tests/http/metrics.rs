//! Standing metrics over HTTP: defined, read, pushed, dropped.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tokio_stream::StreamExt;

use crate::world::{World, request};

const METRICS: &str = "/api/v1/repositories/default/metrics";

fn now_line(level: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    format!("{{\"timestamp\":{now},\"level\":\"{level}\"}}\n")
}

/// Waits until the metric's rows are `expected`.
async fn wait_for(world: &World, name: &str, expected: &Value) -> Value {
    let mut last = Value::Null;
    for _ in 0..200 {
        let answer = world.get(&format!("{METRICS}/{name}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        last = answer.json();
        if last["rows"] == *expected {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{last} never has {expected}");
}

#[tokio::test]
async fn a_metric_lives() {
    let world = World::new();
    world.ingest(&format!("{}{}", now_line("ERROR"), now_line("INFO"))).await;
    let definition = r#"{"query":"level=ERROR | count()","window":"1h","granule":"10s","time":"event"}"#;
    let made = world.put(&format!("{METRICS}/errors"), definition).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["window_millis"], 3_600_000);
    let first = wait_for(&world, "errors", &json!([{"_count": "1"}])).await;
    world.ingest(&now_line("ERROR")).await;
    let second = wait_for(&world, "errors", &json!([{"_count": "2"}])).await;
    assert!(second["revision"].as_u64() > first["revision"].as_u64());
    assert!(["partial", "final", "revised"].contains(&second["status"].as_str().unwrap()));
    assert!(second["watermark"].is_i64());
    let list = world.get(METRICS).await.json();
    assert_eq!(list[0]["name"], "errors");
    assert_eq!(world.put(&format!("{METRICS}/errors"), definition).await.status, 200);
    assert_eq!(world.delete(&format!("{METRICS}/errors")).await.status, 204);
    let gone = world.get(&format!("{METRICS}/errors")).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["error"]["code"]), (404, &json!("no-such-metric")));
}

#[tokio::test]
async fn what_metrics_have_learnt_is_saved_at_the_end_unless_it_is_not_to_be() {
    for (millis, is_saved) in [(30_000, true), (0, false)] {
        let world = World::with(|settings| settings.standing.snapshot_interval_millis = millis);
        let made = world.put(&format!("{METRICS}/all"), r#"{"query":"count()"}"#).await;
        assert_eq!((made.status.as_u16(), &made.json()["origin"]), (201, &json!("history")));
        world.ingest(&now_line("INFO")).await;
        wait_for(&world, "all", &json!([{"_count": "1"}])).await;
        assert!(world.get(METRICS).await.json()[0]["filled_after_millis"].is_u64());
        world.app.close();
        let files = std::fs::read_dir(world.path().join("live")).unwrap().map(|file| file.unwrap().path());
        let saved = files.filter(|path| path.extension().is_some_and(|name| name == "snapshot"));
        assert_eq!(saved.count(), usize::from(is_saved), "{millis} ms");
    }
}

#[tokio::test]
async fn what_a_query_shares_is_explained_and_listed() {
    let world = World::new();
    let live = async |query: &str| {
        let body = json!({"queryString": query, "start": "10m"}).to_string();
        let headers = [("content-type", "application/json")];
        world.post("/api/v1/repositories/default/explain", &headers, body).await.json()["live"].clone()
    };
    let by_hash = "level = \"ERROR\" by hash";
    let found = live("level=ERROR | count()").await;
    assert_eq!((&found["sharedBy"], &found["access"]), (&json!(0), &json!(by_hash)), "{found}");
    for (name, query) in
        [("one", "level=ERROR | count()"), ("two", "level=ERROR | count() | x := _count * 2")]
    {
        let definition = json!({"query": query, "window": "10m"}).to_string();
        assert_eq!(world.put(&format!("{METRICS}/{name}"), &definition).await.status, 201);
    }
    assert_eq!(live("level=ERROR | count() | sort(_count)").await["sharedBy"], 2);
    assert_eq!(live("level=WARN | count()").await["sharedBy"], 0);
    assert_eq!(live("* | count()").await["access"], "always a candidate");
    let list = world.get(METRICS).await.json();
    for facts in list.as_array().unwrap() {
        assert_eq!((&facts["shared_by"], &facts["access"]), (&json!(2), &json!(by_hash)), "{facts}");
    }
}

#[tokio::test]
async fn wrong_definitions_say_what_is_wrong() {
    let world = World::new();
    for (name, body, status, code) in [
        ("m", r#"{"query":"count("}"#, 400, "invalid-query"),
        ("m", r#"{"query":"count()","window":"soon"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","granule":"1us"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","window":"1s","granule":"1h"}"#, 400, "out-of-bounds"),
        ("m", r#"{"query":"count()","unknown":1}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"daily"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"calendar"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"calendar","unit":"year"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"calendar","unit":"day","window":"1d"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"calendar","unit":"day","granule":"7m"}"#, 400, "invalid-window"),
        ("m", r#"{"query":"count()","kind":"calendar","unit":"day","zone":"Mars"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","unit":"day"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"session"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"session","gap":"2h"}"#, 400, "invalid-window"),
        ("m", r#"{"query":"count()","kind":"tumbling","gap":"1m"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","kind":"tumbling","window":"1m","granule":"7s"}"#, 400, "invalid-window"),
        ("m", r#"{"query":"count()","kind":"global","granule":"7s"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","trigger":"count(x)"}"#, 400, "invalid-trigger"),
        ("m", r#"{"query":"count()","trigger":"when(count())"}"#, 400, "invalid-trigger"),
        ("m", r#"{"query":"count()","refinement":"forgetful"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","idleTimeout":"soon"}"#, 400, "bad-request"),
        ("m", r#"{"query":"count()","priority":"urgent"}"#, 400, "bad-request"),
        ("a%2Fb", r#"{"query":"count()"}"#, 400, "invalid-name"),
        ("job-1", r#"{"query":"count()"}"#, 400, "bad-request"),
    ] {
        let answer = world.put(&format!("{METRICS}/{name}"), body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn definitions_are_shown_as_they_were_given() {
    let world = World::new();
    for (body, shown) in [
        (r#"{"query":"count()"}"#, json!({"kind": "sliding", "trigger": "", "refinement": "accumulating"})),
        (
            r#"{"query":"count()","windowKind":"tumbling","window":"1m"}"#,
            json!({"kind": "tumbling", "granule_millis": 1_000}),
        ),
        (
            r#"{"query":"count()","kind":"calendar","unit":"day","zone":"Europe/Berlin"}"#,
            json!({"kind": "calendar", "unit": "day", "timezone": "Europe/Berlin", "granule_millis": 900_000}),
        ),
        (r#"{"query":"count()","kind":"global"}"#, json!({"kind": "global", "priority": "normal"})),
        (r#"{"query":"count()","priority":"low"}"#, json!({"priority": "low"})),
        (
            r#"{"query":"count()","kind":"session","gap":"5s"}"#,
            json!({"kind": "session", "gap_millis": 5_000}),
        ),
        (
            r#"{"query":"count()","trigger":"every(5s)","refinement":"retracting","idleTimeout":"3s"}"#,
            json!({"trigger": "every(5s)", "refinement": "retracting", "idle_timeout_millis": 3_000}),
        ),
    ] {
        let made = world.put(&format!("{METRICS}/m"), body).await;
        assert!(made.status.is_success(), "{body}: {}", made.text());
        let facts = made.json();
        for (key, value) in shown.as_object().unwrap() {
            assert_eq!(facts[key], *value, "{body}: {facts}");
        }
        let answer = world.get(&format!("{METRICS}/m")).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        assert_eq!(answer.json()["closed"], false);
    }
}

#[tokio::test]
async fn results_are_pushed_with_their_revision() {
    let world = World::new();
    let definition = r#"{"query":"count()","window":"1h","granule":"10s"}"#;
    assert_eq!(world.put(&format!("{METRICS}/all"), definition).await.status, 201);
    let path = format!("{METRICS}/all/events");
    let response = world.open(request(Method::GET, &path, &[], "")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    world.ingest(&now_line("ERROR")).await;
    let mut text = String::new();
    while !text.contains(r#""rows":[{"_count":"1"}]"#) {
        let piece = tokio::time::timeout(Duration::from_secs(10), body.next()).await;
        text.push_str(std::str::from_utf8(&piece.expect("a push").unwrap().unwrap()).unwrap());
    }
    let last = text.rsplit("id: ").next().unwrap();
    let revision: u64 = last.lines().next().unwrap().parse().unwrap();
    let data = last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["revision"], revision);
}

#[tokio::test]
async fn fields_are_listed() {
    let world = World::new();
    world.ingest("{\"a\":1,\"b\":\"x\"}\n{\"a\":2}\n").await;
    let fields = world.get("/api/v1/repositories/default/fields").await.json();
    let of =
        |name: &str| fields.as_array().unwrap().iter().find(|field| field["name"] == name).cloned().unwrap();
    assert_eq!((of("a")["events"].clone(), of("b")["events"].clone()), (json!(2), json!(1)));
}

#[tokio::test]
async fn a_costly_metric_degrades_and_says_so() {
    let world = World::with(|settings| {
        settings.standing.max_lag_millis = 50;
        settings.standing.degraded_interval_millis = 100;
    });
    let steps: Vec<String> = (1..200).map(|at| format!("x{at} := n * {at} + 1 |")).collect();
    let maxima: Vec<String> = (1..200).map(|at| format!("max(x{at}, as=m{at})")).collect();
    let costly = format!("{} [count(), {}]", steps.join(" "), maxima.join(", "));
    for (name, query) in [("costly", costly.as_str()), ("cheap", "count()")] {
        let body = json!({"query": query, "window": "1h", "granule": "10s"}).to_string();
        assert_eq!(world.put(&format!("{METRICS}/{name}"), &body).await.status, 201);
    }
    let degraded = async || {
        let list = world.get(METRICS).await.json();
        let of = |name| {
            list.as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap()["degraded"].clone()
        };
        (of("costly"), of("cheap"))
    };
    let until = async |is_degraded: bool, sends: bool| {
        let mut sent = 0;
        for round in 0..2_000 {
            let (costly, cheap) = degraded().await;
            assert_eq!(cheap, Value::Null);
            if costly.is_object() == is_degraded {
                return sent;
            }
            if sends {
                // More and more: however fast the machine is, there is a time when it cannot keep up.
                let more = 500 << (round / 25).min(6);
                let lines =
                    (sent..sent + more).map(|n| now_line("INFO").replace('}', &format!(",\"n\":{n}}}")));
                world.ingest(&lines.collect::<String>()).await;
                sent += more;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{:?}", degraded().await);
    };
    let sent = until(true, true).await;
    let facts = degraded().await.0;
    assert!(facts["reason"].as_str().unwrap().contains("behind"), "{facts}");
    assert!(facts["since"].as_i64() <= facts["as_of"].as_i64(), "{facts}");
    let state = world.get(&format!("{METRICS}/costly")).await.json();
    assert!(state["degraded"]["as_of"].is_i64() && state["end"].is_i64(), "{state}");
    let exposed = world.get("/metrics").await.text();
    assert!(exposed.contains("live_states_deferred 1\n"), "{exposed}");
    until(false, false).await;
    let rows = json!([{"_count": sent.to_string()}]);
    let state = world.get(&format!("{METRICS}/costly")).await.json();
    assert_eq!((&state["rows"][0]["_count"], state.get("degraded")), (&json!(sent.to_string()), None));
    wait_for(&world, "cheap", &rows).await;
}
