//! `…/files`: lookup files, and queries that look things up.

use serde_json::{Value, json};

use crate::world::{World, events};

const FILES: &str = "/api/v1/repositories/default/files";
const QUERY: &str = "/api/v1/repositories/default/query";

fn form(name: &str, content: &str) -> String {
    format!(
        "--B\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
         --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: text/csv\r\n\r\n{content}\r\n--B--\r\n"
    )
}

#[tokio::test]
async fn files_are_uploaded_listed_read_and_removed() {
    let world = World::new();
    let kind = [("content-type", "multipart/form-data; boundary=B")];
    let answer = world.post(FILES, &kind, form("owners.csv", "service,owner\npay,ann\n")).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let facts = answer.json();
    assert_eq!((&facts["name"], &facts["rows"]), (&json!("owners.csv"), &json!(1)));
    assert_eq!(facts["columns"], json!(["service", "owner"]));
    let answer = world.put(&format!("{FILES}/pkg/hosts.json"), r#"[{"host":"a"},{"host":"b"}]"#).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = world.put(&format!("{FILES}/owners.csv"), "service,owner\npay,bob\n").await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.json()["contentHash"], facts["contentHash"]);
    let list = world.get(FILES).await.json();
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["owners.csv", "pkg/hosts.json"]);
    let read = world.get("/api/v1/dataspaces/default/files/owners.csv").await;
    assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "service,owner\npay,bob\n"));
    assert_eq!(world.delete(&format!("{FILES}/owners.csv")).await.status, 204);
    for answer in
        [world.delete(&format!("{FILES}/owners.csv")).await, world.get(&format!("{FILES}/owners.csv")).await]
    {
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.text().contains("there is no file `owners.csv`"));
    }
}

#[tokio::test]
async fn what_is_no_table_is_refused() {
    let world = World::with(|settings| settings.query.max_file_bytes = 20);
    let put = async |name: &str, body: &str| {
        let answer = world.put(&format!("{FILES}/{name}"), body).await;
        (answer.status.as_u16(), answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(put("a.csv", "a,a\n").await, (400, "a.csv: line 1: the column `a` stands twice".to_owned()));
    assert_eq!(put("a.csv", &format!("a\n{}", "x".repeat(18))).await.0, 201);
    assert_eq!(put("a.csv", &format!("a\n{}", "x".repeat(19))).await.0, 413);
    let answer = world.post(FILES, &[("content-type", "text/csv")], "a\n").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("multipart/form-data"), "{}", answer.text());
    let kind = [("content-type", "multipart/form-data; boundary=B")];
    let answer = world.post(FILES, &kind, "--B--\r\n").await;
    assert!(answer.text().contains("no part `file`"), "{}", answer.text());
}

#[tokio::test]
async fn queries_look_things_up() {
    let world = World::new();
    world.ingest(&events(6)).await;
    let missing = json!({"queryString": "match(owners.csv, field=service)", "start": 0});
    let answer = world.post(QUERY, &[("content-type", "application/json")], missing.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("there is no lookup table `owners.csv`"), "{}", answer.text());
    world.put(&format!("{FILES}/owners.csv"), "service,owner\npay,ann\ncart,bob\n").await;
    let rows = world.rows("match(owners.csv, field=service) | groupBy(owner)").await;
    let total: usize = rows.iter().map(|row| row["_count"].as_str().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(total, 6, "{rows:?}");
    world.put(&format!("{FILES}/owners.csv"), "service,owner\n").await;
    assert!(world.rows("match(owners.csv, field=service)").await.is_empty());
}

#[tokio::test]
async fn queries_inside_run_over_the_same_events_or_another_repository() {
    let world = World::new();
    world.ingest(&events(6)).await;
    world.put("/api/v1/repositories/other", "").await;
    let ndjson = [("content-type", "application/x-ndjson")];
    let line = "{\"service\":\"pay\",\"owner\":\"ann\"}\n";
    world.post("/api/v1/repositories/other/ingest", &ndjson, line).await;
    let joined = "level=ERROR | join({* | select([service, owner])}, field=service, include=owner, view=other) | count()";
    assert_eq!(world.rows(joined).await[0]["_count"], "2");
    let defined = "defineTable(query={groupBy(level)}, name=levels, include=[level, _count]) | head(1) | match(levels, field=level) | select([level, _count])";
    assert_eq!(world.rows(defined).await, [json!({"level": "ERROR", "_count": "2"})]);
    let job = json!({"queryString": joined, "start": 0, "end": "now"});
    let created = world.post("/api/v1/repositories/default/queryjobs", &[], job.to_string()).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let mut view = Value::Null;
    for _ in 0..200 {
        view = world.get(&format!("/api/v1/repositories/default/queryjobs/{id}")).await.json();
        if view["done"] == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(view["events"][0]["_count"], "2", "{view}");
    let nowhere = json!({"queryString": "join({a=1}, field=b, view=nope)", "start": 0});
    let answer = world.post(QUERY, &[], nowhere.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("there is no repository `nope`"), "{}", answer.text());
    let body = json!({"query": "join({a=1}, field=b) | count()", "window": "1m"}).to_string();
    let standing = world.put("/api/v1/repositories/default/metrics/m", &body).await;
    assert_eq!(standing.status, 400);
    assert!(standing.text().contains("`join` cannot be kept standing"), "{}", standing.text());
}

const METRICS: &str = "/api/v1/repositories/default/metrics";

/// Waits until the rows of `view` are `expected`, where `field` has them.
async fn wait_for(world: &World, path: &str, field: &str, expected: &Value) {
    let mut view = Value::Null;
    for _ in 0..400 {
        view = world.get(path).await.json();
        if view[field] == *expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{view} never has {expected}");
}

#[tokio::test]
async fn standing_queries_and_live_jobs_look_things_up_in_the_newest_file() {
    let world = World::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let line = |ip: &str| format!("{{\"timestamp\":{now},\"ip\":\"{ip}\",\"service\":\"pay\"}}\n");
    world.ingest(&format!("{}{}", line("10.1.2.3"), line("10.2.0.1"))).await;
    let saved = |text: &str| json!({"queryString": text}).to_string();
    world.put("/api/v1/repositories/default/savedqueries/pay", &saved("service=?{service=*}")).await;
    world.put(&format!("{FILES}/owners.csv"), "service,owner\npay,ann\n").await;
    world.put(&format!("{FILES}/ip-location.csv"), "network,country\n10.1.0.0/16,DK\n").await;
    let query = r#"$pay(service=pay) | match(file="owners.csv", field=service) | ipLocation(ip)
                   | groupBy([owner, ip.country])"#;
    let defined = json!({"query": query, "window": "1h"}).to_string();
    let answer = world.put(&format!("{METRICS}/owners"), &defined).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let job = json!({"queryString": query, "start": "1h", "isLive": true}).to_string();
    let made = world.post("/api/v1/repositories/default/queryjobs", &[], job).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let job = format!("/api/v1/repositories/default/queryjobs/{}", made.json()["id"].as_str().unwrap());
    let metric = format!("{METRICS}/owners");
    let both = async |expected: Value| {
        wait_for(&world, &metric, "rows", &expected).await;
        wait_for(&world, &job, "events", &expected).await;
    };
    let row = |owner: &str, country: &str, count: &str| json!({"owner": owner, "ip.country": country, "_count": count});
    both(json!([row("ann", "DK", "1")])).await;
    world.put(&format!("{FILES}/owners.csv"), "service,owner\npay,bob\n").await;
    both(json!([row("bob", "DK", "1")])).await;
    world.put(&format!("{FILES}/ip-location.csv"), "network,country\n10.0.0.0/8,SE\n").await;
    both(json!([row("bob", "SE", "2")])).await;
    world.put("/api/v1/repositories/default/savedqueries/pay", &saved("service=?service | ip=10.1*")).await;
    both(json!([row("bob", "SE", "1")])).await;
    assert_eq!(world.delete(&format!("{FILES}/owners.csv")).await.status, 204);
    let told = world.get(&metric).await.json();
    assert!(told["warnings"].to_string().contains("there is no lookup table `owners.csv`"), "{told}");
    both(json!([row("bob", "SE", "1")])).await;
    let again = world.put(&format!("{METRICS}/other"), &defined).await;
    assert!(again.text().contains("there is no lookup table `owners.csv`"), "{}", again.text());
}
