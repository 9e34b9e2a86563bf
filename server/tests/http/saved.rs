//! `…/savedqueries`, and queries that call them.

use serde_json::json;

use crate::world::{World, events};

const SAVED: &str = "/api/v1/repositories/default/savedqueries";
const QUERY: &str = "/api/v1/repositories/default/query";

#[tokio::test]
async fn queries_are_saved_called_and_removed() {
    let world = World::new();
    world.ingest(&events(6)).await;
    let text = |text: &str| json!({"queryString": text}).to_string();
    let errors = format!("{SAVED}/owner/pkg:errors");
    let answer = world.put(&errors, &text("level=?{level=ERROR}")).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(world.put(&errors, &text("level=?{level=ERROR} | service=*")).await.status, 200);
    assert_eq!(world.get(&errors).await.json()["queryString"], "level=?{level=ERROR} | service=*");
    let rows = world.rows("$\"owner/pkg:errors\"() | count()").await;
    assert_eq!(rows[0]["_count"], "2");
    let rows = world.rows("$\"owner/pkg:errors\"(level=INFO) | count()").await;
    assert_eq!(rows[0]["_count"], "4");
    let list = world.get("/api/v1/dataspaces/default/savedqueries").await.json();
    assert_eq!(list[0]["name"], "owner/pkg:errors");
    assert_eq!(world.delete(&errors).await.status, 204);
    assert_eq!(world.delete(&errors).await.status, 404);
    assert_eq!(world.get(&errors).await.status, 404);
    let gone = json!({"queryString": "$\"owner/pkg:errors\"()", "start": 0});
    let answer = world.post(QUERY, &[], gone.to_string()).await;
    assert!(answer.text().contains("unknown saved query `owner/pkg:errors`"), "{}", answer.text());
}

#[tokio::test]
async fn what_cannot_run_is_not_saved() {
    let world = World::new();
    let put = async |name: &str, text: &str| {
        let body = json!({"queryString": text}).to_string();
        let answer = world.put(&format!("{SAVED}/{name}"), &body).await;
        (answer.status.as_u16(), answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
    };
    let (status, message) = put("a", "level=(").await;
    assert!(status == 400 && message.contains("level=("), "{message}");
    assert_eq!(put("a", "$b()").await.0, 201);
    let (status, message) = put("b", "$a()").await;
    assert!(status == 400 && message.contains("calls itself"), "{message}");
    let answer = world.put(&format!("{SAVED}/c"), "{\"query\":\"x\"}").await;
    assert_eq!(answer.status, 400);
}
