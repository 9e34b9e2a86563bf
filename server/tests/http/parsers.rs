//! Parsers over HTTP: kept, tried, chosen; and what becomes of events.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_server::auth::{Scope, TokenEntry};

use crate::world::{Answer, World, request};

const PARSERS: &str = "/api/v1/repositories/default/parsers";
const INGEST: &str = "/api/v1/repositories/default/ingest";
const TEXT: [(&str, &str); 1] = [("content-type", "text/plain")];

fn parser(script: &str) -> Value {
    json!({"script": script})
}

async fn put(world: &World, name: &str, parser: &Value) -> Answer {
    world.put(&format!("{PARSERS}/{name}"), &parser.to_string()).await
}

async fn send(world: &World, path: &str, body: &str) -> Value {
    let answer = world.post(path, &TEXT, body.to_owned()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn parsers_are_kept_and_counted() {
    let world = World::new();
    let answer = put(&world, "mine", &json!({"script": "kvParse()", "tagFields": ["a"]})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["version"]), (201, &json!(1)));
    let answer = put(&world, "mine", &json!({"script": "parseJson()", "description": "all"})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["version"]), (200, &json!(2)));
    let known = world.get(&format!("{PARSERS}/mine")).await.json();
    assert_eq!((&known["script"], &known["description"]), (&json!("parseJson()"), &json!("all")));
    let named = json!({"name": "owner/pkg:other", "script": "*"}).to_string();
    let answer = world.post(PARSERS, &[("content-type", "application/json")], named).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let reserved = json!({"name": "test", "script": "*"}).to_string();
    assert_eq!(world.post(PARSERS, &[("content-type", "application/json")], reserved).await.status, 400);
    let list = world.get(PARSERS).await.json();
    let list: Vec<(&str, bool)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["isBuiltIn"].as_bool().unwrap()))
        .collect();
    assert!(list.contains(&("mine", false)) && list.contains(&("syslog", true)), "{list:?}");
    assert_eq!(world.delete(&format!("{PARSERS}/mine")).await.status, 204);
    assert_eq!(world.delete(&format!("{PARSERS}/mine")).await.status, 404);
    assert_eq!(world.delete(&format!("{PARSERS}/syslog")).await.status, 409);
}

#[tokio::test]
async fn what_is_no_parser_is_told_with_carets() {
    let world = World::new();
    let answer = put(&world, "bad", &parser("a=1 | groupBy(b)")).await;
    let error = answer.json()["error"].clone();
    assert_eq!((answer.status.as_u16(), &error["span"]), (400, &json!({"start": 6, "end": 16})));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`groupBy` has no place in a parser") && message.contains("^^^^"), "{message}");
    let answer = put(&world, "bad", &json!({"script": "*", "tests": [{"expect": 1}]})).await;
    assert_eq!(answer.status, 400);
    let world = World::with(|settings| settings.parser.max_bytes = 10);
    assert_eq!(put(&world, "a", &parser("*         ")).await.status, 201);
    assert_eq!(put(&world, "b", &parser("*          ")).await.status, 413);
}

#[tokio::test]
async fn a_failing_test_refuses_the_change_unless_forced() {
    let world = World::new();
    let tests = json!([
        "a=1",
        {"input": "a=1 b=2", "expected": {"a": "1", "b": 3, "c": null}},
        {"event": {"rawString": "a=5"}, "assertions": [{"outputEventIndex": 0, "fieldsHaveValues": {"a": "5"}}]},
        {"input": "# x", "dropped": true}
    ]);
    let body = json!({"script": "case { /^#/ | dropEvent(); * | kvParse() }", "tests": tests});
    let answer = put(&world, "p", &body).await;
    assert_eq!(answer.status, 422);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "test 2, \"a=1 b=2\"\n  b: expected \"3\", found \"2\"");
    assert_eq!(world.get(&format!("{PARSERS}/p")).await.status, 404);
    let answer = world.put(&format!("{PARSERS}/p?force=true"), &body.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["failures"].as_array().unwrap().len()), (201, 1));
    // What is told can be sent again.
    let told = world.get(&format!("{PARSERS}/p")).await.json();
    let again = json!({"script": told["script"], "tests": told["tests"], "tagFields": told["tagFields"]});
    let answer = world.put(&format!("{PARSERS}/p?force=true"), &again.to_string()).await;
    assert_eq!(answer.json()["tests"], told["tests"]);
}

#[tokio::test]
async fn the_query_string_the_type_and_the_default_choose() {
    let world = World::new();
    put(&world, "pairs", &json!({"script": "kvParse()", "tagFields": ["level"]})).await;
    send(&world, &format!("{INGEST}?parser=pairs"), "level=info n=1\nlevel=warn n=2\n").await;
    let messages = r#"[{"type":"pairs","messages":["n=3"]},{"type":"none","messages":["n=4"]}]"#;
    send(&world, "/api/v1/ingest/humio-unstructured", messages).await;
    let hec = r#"{"event":"n=5","sourcetype":"pairs"}{"event":{"n":6},"sourcetype":"pairs"}{"event":"n=7"}"#;
    send(&world, "/services/collector/event", hec).await;
    let rows = world.rows("n=* | select([n, #type, #level]) | sort(n, order=asc)").await;
    let told: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row["n"], row["#type"], row["#level"])).collect();
    let expected = [
        "\"1\" \"pairs\" \"info\"",
        "\"2\" \"pairs\" \"warn\"",
        "\"3\" \"pairs\" null",
        "\"5\" \"pairs\" null",
    ];
    assert_eq!(told, expected);
    // An object goes through the parser as its text.
    assert_eq!(world.rows("#type=pairs @rawstring=\"{*\"").await.len(), 1);
    let default = "/api/v1/repositories/default/defaultparser";
    assert_eq!(world.put(default, "{\"name\":\"nothing\"}").await.status, 404);
    assert_eq!(world.put(default, "{\"name\":\"pairs\"}").await.status, 200);
    assert_eq!(world.get(default).await.json(), json!({"name": "pairs"}));
    send(&world, INGEST, "n=8\n").await;
    send(&world, "/services/collector/event", "{\"event\":\"n=10\"}").await;
    assert_eq!(world.rows("n=10 #type=pairs").await.len(), 1);
    assert_eq!(world.delete(default).await.status, 200);
    send(&world, INGEST, "n=9\n").await;
    assert_eq!(world.rows("n=8").await.len(), 1);
    assert_eq!(world.rows("n=9").await.len(), 0);
}

#[tokio::test]
async fn a_token_has_the_last_word() {
    let sha256 = Sha256::digest(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let token = TokenEntry {
        name: "shipper".to_owned(),
        scopes: vec![Scope::Admin],
        sha256,
        repository: None,
        parser: Some("kv".to_owned()),
    };
    let world = World::with(|settings| settings.tokens = vec![token]);
    let headers = [("content-type", "text/plain"), ("authorization", "Bearer secret")];
    let path = format!("{INGEST}?parser=syslog");
    let answer = world.post(&path, &headers, "a=1 <13>x").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = json!({"queryString": "a=1", "start": 0}).to_string();
    let query = request(
        axum::http::Method::POST,
        "/api/v1/repositories/default/query",
        &[("authorization", "Bearer secret"), ("accept", "application/x-ndjson")],
        body,
    );
    assert_eq!(world.send(query).await.lines()[0]["#type"], "kv");
}

#[tokio::test]
async fn events_that_a_parser_fails_on_are_there_and_counted() {
    let world = World::new();
    put(
        &world,
        "strict",
        &parser("case { /^#/ | dropEvent(); /^(?<n>\\d+)/ | parseTimestamp(field=t, addErrors=true) }"),
    )
    .await;
    let body = "1 a\n# comment\nno number\n";
    let answer = send(&world, &format!("{INGEST}?parser=strict"), body).await;
    let told = (&answer["accepted"], &answer["unparsed"], &answer["dropped"], &answer["rejected"]);
    assert_eq!(told, (&json!(2), &json!(2), &json!(1), &json!(0)));
    let rows = world.rows("#error=true @event_parsed=false | sort(@error_msg)").await;
    let messages: Vec<&str> = rows.iter().map(|row| row["@error_msg"].as_str().unwrap()).collect();
    assert!(messages.contains(&"field t is missing"), "{messages:?}");
    assert!(messages.contains(&"parser `strict`: no filter of it lets the event through"), "{messages:?}");
    let unknown = send(&world, &format!("{INGEST}?parser=nobody"), "x\n").await;
    assert_eq!(
        unknown["warnings"],
        json!(["there is no parser \"nobody\": its events are kept as they came"])
    );
    assert_eq!(unknown["accepted"], 1);
    // What is sent again is not counted again.
    let headers = [TEXT[0], ("idempotency-key", "again")];
    for is_known in [false, true] {
        let answer = world.post(&format!("{INGEST}?parser=strict"), &headers, "no number\n".to_owned()).await;
        assert_eq!(answer.json()["duplicate"], is_known);
    }
    // All dropped is not refused.
    let all = send(&world, &format!("{INGEST}?parser=strict"), "# a\n# b\n").await;
    assert_eq!((&all["accepted"], &all["dropped"]), (&json!(0), &json!(2)));
    let metrics = world.get("/metrics").await.text();
    for line in [
        "weir_parser_events_total{parser=\"strict\",outcome=\"failed\"} 3",
        "weir_parser_events_total{parser=\"strict\",outcome=\"dropped\"} 3",
        "weir_parser_events_total{parser=\"\",outcome=\"unknown\"} 1",
        "weir_ingest_events_total{outcome=\"dropped\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn what_is_sent_again_is_counted_once_whatever_is_stored_of_it() {
    let world = World::with(|settings| settings.ingest.max_event_bytes = 100);
    let long = "x".repeat(101);
    put(&world, "strict", &parser("case { /^#/ | dropEvent(); * | kvParse() }")).await;
    let lines = format!("{INGEST}?parser=strict");
    for (key, path, body, outcomes) in [
        // Some dropped, all dropped, some rejected, all rejected: accepted, dropped, rejected.
        ("some", &*lines, "a=1\n# x\n".to_owned(), (1, 1, 0)),
        ("all", &*lines, "# x\n# y\n# z\n".to_owned(), (0, 3, 0)),
        ("bad", INGEST, format!("a=1\n{long}\n"), (1, 0, 1)),
        ("none", INGEST, format!("{long}\n{long}\n"), (0, 0, 2)),
    ] {
        let headers = [TEXT[0], ("idempotency-key", key)];
        for is_known in [false, true, true] {
            let answer = world.post(path, &headers, body.clone()).await.json();
            assert_eq!(answer["duplicate"], is_known, "{key}: {answer}");
            let told = |name: &str| answer[name].as_u64().unwrap_or(0);
            assert_eq!((told("accepted"), told("dropped"), told("rejected")), outcomes, "{key}: {answer}");
        }
    }
    let metrics = world.get("/metrics").await.text();
    for line in [
        "weir_parser_events_total{parser=\"strict\",outcome=\"parsed\"} 1\n",
        "weir_parser_events_total{parser=\"strict\",outcome=\"dropped\"} 4\n",
        "weir_ingest_events_total{outcome=\"accepted\"} 2\n",
        "weir_ingest_events_total{outcome=\"dropped\"} 4\n",
        "weir_ingest_events_total{outcome=\"rejected\"} 3\n",
        "weir_ingest_events_total{outcome=\"duplicate\"} 4\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn json_goes_through_the_parser_that_is_named_json_as_ever() {
    let lines = "{\"ts\":\"2026-05-17T10:05:03Z\",\"a\":{\"b\":1},\"none\":null}\n{\"a\":{\"b\":2}}\n";
    let world = World::new();
    send(&world, &format!("{INGEST}?parser=json"), lines).await;
    let messages = json!([{"type": "json", "messages": ["{\"a\":{\"b\":3}}"]}]).to_string();
    send(&world, "/api/v1/ingest/humio-unstructured", &messages).await;
    let hec =
        r#"{"event":"{\"a\":{\"b\":4}}","sourcetype":"json"}{"event":{"a":{"b":5}},"sourcetype":"json"}"#;
    send(&world, "/services/collector/event", hec).await;
    let rows = world.rows("#type=json | select([a.b]) | sort(a.b, order=asc)").await;
    let found: Vec<&str> = rows.iter().map(|row| row["a.b"].as_str().unwrap()).collect();
    assert_eq!(found, ["1", "2", "3", "4", "5"]);
    assert_eq!(world.rows("ts=* @timestamp=1779012303000").await.len(), 1);
}

#[tokio::test]
async fn what_is_sent_again_is_known_again_though_the_parser_changed() {
    let world = World::new();
    put(&world, "p", &parser("kvParse()")).await;
    let headers = [("content-type", "text/plain"), ("idempotency-key", "k")];
    let send = async || world.post(&format!("{INGEST}?parser=p"), &headers, "a=1\nb=2\n").await.json();
    assert_eq!(send().await["duplicate"], false);
    put(&world, "p", &parser("case { /a/ | dropEvent(); * | x := 1 }")).await;
    let again = send().await;
    assert_eq!((&again["duplicate"], &again["accepted"]), (&json!(true), &json!(2)));
    assert_eq!(world.rows("*").await.len(), 2);
}

#[tokio::test]
async fn parsers_are_tried_on_samples_and_on_stored_events() {
    let world = World::new();
    send(&world, INGEST, "level=info n=1\nlevel=warn n=2\n").await;
    let test = async |body: Value| {
        let headers = [("content-type", "application/json")];
        let answer = world.post(&format!("{PARSERS}/test"), &headers, body.to_string()).await;
        (answer.status.as_u16(), answer.json())
    };
    let (status, answer) = test(json!({
        "script": "case { /^#/ | dropEvent(); * | kvParse() }",
        "tagFields": ["a"],
        "samples": ["a=1", "# x", {"input": "b=1", "expected": {"b": "2"}}]
    }))
    .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["parsed"], &answer["dropped"]), (&json!(2), &json!(1)));
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[0]["events"][0]["#a"], "1");
    assert_eq!((&results[1]["dropped"], &results[1]["events"]), (&json!(true), &json!([])));
    assert_eq!(results[2]["differences"], json!(["b: expected \"2\", found \"1\""]));
    // Stored events are found by their text, and nothing of it is stored.
    let (status, answer) = test(json!({"name": "kv", "queryString": "warn", "start": 0, "limit": 10})).await;
    assert_eq!(status, 200, "{answer}");
    let results = answer["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["events"][0]["n"]), (1, &json!("2")));
    assert!(results[0]["id"].is_string());
    assert_eq!(world.rows("n=*").await.len(), 0);
    assert_eq!(test(json!({"name": "none", "samples": ["x"]})).await.0, 404);
    assert_eq!(test(json!({"script": "a=(", "samples": ["x"]})).await.0, 400);
    assert_eq!(test(json!({"name": "kv", "queryString": "count()"})).await.0, 400);
    let samples = vec!["x"; 1_001];
    assert_eq!(test(json!({"name": "kv", "samples": samples})).await.0, 400);
    assert_eq!(test(json!({"name": "kv", "samples": samples[1..]})).await.0, 200);
}

#[tokio::test]
async fn what_a_parser_found_outlives_it_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let engine = weir_engine::Engine::open(weir_engine::EngineConfig::new(folder.path())).unwrap();
        let settings =
            weir_server::settings::Settings { data: folder.path().to_owned(), ..Default::default() };
        let stop = tokio_util::sync::CancellationToken::new();
        weir_server::app::App::new(settings, std::sync::Arc::new(engine), stop).unwrap()
    };
    let world = World::over(open());
    put(&world, "p", &json!({"script": "kvParse() | parseTimestamp(field=at)", "tagFields": ["level"]}))
        .await;
    let body = "at=2026-05-17T10:05:03Z level=info text=\"a b\"\nat=never level=warn\n";
    send(&world, &format!("{INGEST}?parser=p"), body).await;
    let before = world.rows("*").await;
    assert_eq!(world.delete(&format!("{PARSERS}/p")).await.status, 204);
    world.app.close();
    drop(world);
    let world = World::over(open());
    let after = world.rows("*").await;
    assert_eq!(before, after);
    assert_eq!(world.rows("#level=info text=\"a b\" @timestamp=1779012303000").await.len(), 1);
    world.app.repository("default").unwrap().flush().unwrap();
    assert_eq!(world.rows("*").await, before);
}
