//! `…/query/complete`, `…/query/hover`, `…/query/check`.

use serde_json::{Value, json};

use crate::world::{World, events};

const QUERY: &str = "/api/v1/repositories/default/query";

async fn ask(world: &World, what: &str, body: Value) -> Value {
    let answer = world.post(&format!("{QUERY}/{what}"), &[], body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn labels(found: &Value) -> Vec<&str> {
    found["items"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_stored_is_completed() {
    let world = World::new();
    world.ingest(&events(6)).await;
    world.put("/api/v1/repositories/default/files/hosts.csv", "ip,owner\n1,x\n").await;
    let saved = json!({"queryString": "level=?level"}).to_string();
    world.put("/api/v1/repositories/default/savedqueries/errors", &saved).await;
    let complete = async |text: &str| ask(&world, "complete", json!({"queryString": text})).await;
    let found = complete("lev").await;
    assert_eq!(labels(&found)[0], "level");
    let item = &found["items"][0];
    assert_eq!((&item["kind"], &item["insert"]), (&json!("field"), &json!("level")));
    assert_eq!(item["detail"], "text, in 6 events");
    assert_eq!(item["replace"]["start"], json!({"offset": 0, "utf16": 0, "line": 1, "column": 1}));
    assert_eq!(item["replace"]["end"]["offset"], 3);
    assert_eq!(labels(&complete("level=").await), ["INFO", "ERROR"]);
    assert_eq!(labels(&complete("match(file=h").await), ["hosts.csv"]);
    assert_eq!(labels(&complete("$er").await), ["errors"]);
    assert_eq!(labels(&complete("$errors(").await), ["level"]);
    assert_eq!(found["incomplete"], false);
    let tagged = json!([{"tags": {"host": "web1"}, "events": [{"timestamp": 1_700_000_000_000_i64, "attributes": {"a": "1"}}]}]);
    let headers = [("content-type", "application/json")];
    let answer = world.post("/api/v1/ingest/humio-structured", &headers, tagged.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(labels(&complete("#host=").await), ["web1"]);
    // The cursor stands in the middle, counted either way.
    let text = "\u{1f600} | gro | count()";
    let by_bytes = ask(&world, "complete", json!({"queryString": text, "offset": 10})).await;
    let by_units = ask(&world, "complete", json!({"queryString": text, "utf16": 8})).await;
    assert_eq!(labels(&by_bytes)[0], "groupBy");
    assert_eq!(by_bytes, by_units);
}

#[tokio::test]
async fn things_are_explained() {
    let world = World::new();
    world.ingest(&events(6)).await;
    let hover = async |text: &str, offset: usize| {
        ask(&world, "hover", json!({"queryString": text, "offset": offset})).await["hover"].clone()
    };
    let found = hover("level=ERROR | groupBy(service)", 16).await;
    assert_eq!(
        (&found["kind"], &found["title"]),
        (&json!("function"), &json!("groupBy(field, [function], [limit], [other])"))
    );
    assert_eq!(found["range"]["start"]["offset"], 14);
    assert_eq!(hover("n=1", 0).await["lines"], json!(["a field: number, in 6 events"]));
    assert_eq!(hover("nothing=1", 0).await, Value::Null);
}

#[tokio::test]
async fn faults_are_told_and_mended() {
    let world = World::new();
    world.ingest(&events(6)).await;
    let check = async |body: Value| ask(&world, "check", body).await;
    let found = check(json!({"queryString": "lvel=ERROR\n| gruopBy(service)", "format": true})).await;
    assert_eq!(found["valid"], false);
    let codes: Vec<&Value> = found["faults"].as_array().unwrap().iter().map(|fault| &fault["code"]).collect();
    assert_eq!(codes, ["unknown-field", "unknown-function"]);
    let fault = &found["faults"][1];
    assert_eq!(fault["fix"]["text"], "groupBy");
    assert_eq!(
        (&fault["range"]["start"]["line"], &fault["range"]["start"]["column"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(found["formatted"], "lvel=ERROR\n| gruopBy(service)");
    let whole = check(json!({"queryString": "level=?x|count()", "arguments": {"x": "ERROR"}})).await;
    assert_eq!(whole, json!({"valid": true, "faults": []}));
    let live = async |is_live: bool| {
        check(json!({"queryString": "count() | emit(trigger=\"count(1)\")", "isLive": is_live})).await
    };
    assert_eq!((&live(true).await["valid"], &live(false).await["valid"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let world = World::new();
    for body in ["", "{}", "{\"queryString\":\"a\",\"cursor\":1}"] {
        let answer = world.post(&format!("{QUERY}/complete"), &[], body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["code"].as_str()),
            (400, Some("bad-request"))
        );
    }
    let answer = world.post("/api/v1/repositories/nowhere/query/check", &[], "{\"queryString\":\"a\"}").await;
    assert_eq!(answer.status, 404);
}
