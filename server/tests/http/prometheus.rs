//! Prometheus' HTTP API over standing metrics.

use serde_json::{Value, json};

use crate::world::World;

const METRICS: &str = "/api/v1/repositories/default/metrics";

async fn world() -> World {
    let world = World::new();
    let now = now_seconds();
    // An event a minute for half an hour, one service after another.
    let line = |at: i64| {
        let service = ["cart", "pay", "mail"][at as usize % 3];
        format!("{{\"timestamp\":{},\"service\":\"{service}\",\"ms\":{at}}}\n", (now - at * 60) * 1_000)
    };
    world.ingest(&(0..30).map(line).collect::<String>()).await;
    for (name, query, window) in [
        ("events", "groupBy(service)", "1h"),
        ("per-minute", "count()", "1m"),
        ("slow", "groupBy(service, function=[count(), max(ms)])", "1h"),
        ("tail", "*", "1h"),
    ] {
        let name = if name == "events" { "by_service" } else { name };
        let body = json!({"query": query, "window": window, "granule": "1m"}).to_string();
        let answer = world.put(&format!("{METRICS}/{name}"), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let live = world.app.live(&world.app.repository("default").unwrap()).unwrap();
    assert!(live.settle(std::time::Duration::from_secs(20)));
    world
}

fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

async fn data(world: &World, path: &str) -> Value {
    let answer = world.get(&format!("/api/v1/{path}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/json"),
        "{path}: {}",
        answer.text()
    );
    let mut body = answer.json();
    assert_eq!(body["status"], "success", "{path}");
    body["data"].take()
}

/// Values by service of an instant answer.
fn by_service(data: &Value) -> Vec<(String, String)> {
    assert_eq!(data["resultType"], "vector");
    let pair = |series: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&series["metric"]["service"]), text(&series["value"][1]))
    };
    data["result"].as_array().unwrap().iter().map(pair).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect()
}

#[tokio::test]
async fn instant_queries() {
    let world = world().await;
    let one = data(&world, "query?query=1%2B1&time=5.5").await;
    assert_eq!(one, json!({"resultType": "scalar", "result": [5.5, "2"]}));
    let all = data(&world, "query?query=by_service").await;
    assert_eq!(by_service(&all), pairs(&[("cart", "10"), ("mail", "10"), ("pay", "10")]));
    assert_eq!(
        all["result"][0]["metric"],
        json!({"__name__": "by_service", "repository": "default", "service": "cart"})
    );
    let sum = data(&world, "query?query=sum(by_service%7Bservice!%3D%22pay%22%7D)").await;
    assert_eq!(by_service(&sum), pairs(&[("", "20")]));
    let most = data(&world, "query?query=max(slow%7Bcolumn%3D%22_max%22%7D)").await;
    assert_eq!(by_service(&most), pairs(&[("", "29")]));
    let ago = data(&world, "query?query=by_service%20offset%2015m").await;
    let total: f64 = by_service(&ago).iter().map(|(_, value)| value.parse::<f64>().unwrap()).sum();
    assert!((14.0..=16.0).contains(&total), "{total} of 30 events are older than a quarter of an hour");
    assert_eq!(data(&world, "query?query=absent").await, json!({"resultType": "vector", "result": []}));
    assert_eq!(data(&world, "query?query=tail").await["result"], json!([]), "events are no series");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = world.post("/api/v1/query", &form, "query=weir_metric_per_minute+%3E%3D+0").await;
    let series = &posted.json()["data"]["result"][0]["metric"];
    assert_eq!(
        *series,
        json!({"__name__": "weir_metric_per_minute", "metric": "per-minute", "repository": "default"})
    );
}

#[tokio::test]
async fn range_queries() {
    let world = world().await;
    let end = now_seconds() / 60 * 60;
    let path = format!("query_range?query=weir_metric_per_minute&start={}&end={end}&step=60", end - 20 * 60);
    let answer = data(&world, &path).await;
    assert_eq!(answer["resultType"], "matrix");
    let values = answer["result"][0]["values"].as_array().unwrap().clone();
    assert_eq!(values.len(), 21);
    assert_eq!(values[0][0], json!(end - 20 * 60));
    let total: f64 = values.iter().map(|point| point[1].as_str().unwrap().parse::<f64>().unwrap()).sum();
    assert!((20.0..=22.0).contains(&total), "an event a minute: {values:?}");
    let path = format!("query_range?query=1&start={}&end={end}&step=1m", end - 120);
    assert_eq!(data(&world, &path).await["result"][0]["values"].as_array().unwrap().len(), 3);
    // Neither the future nor what is before the first event is made up.
    let path = format!("query_range?query=by_service&start={}&end={}&step=3600", end - 7_200, end + 36_000);
    let answer = data(&world, &path).await;
    for series in answer["result"].as_array().unwrap() {
        assert!(series["values"].as_array().unwrap().len() <= 2, "{series}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("query=sum(by_service)&start={}&end={end}&step=5m", end - 600);
    let posted = world.post("/api/v1/query_range", &form, body).await.json();
    assert_eq!(posted["data"]["result"][0]["values"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn series_and_labels() {
    let world = world().await;
    assert_eq!(
        data(&world, "labels").await,
        json!(["__name__", "column", "metric", "repository", "service"])
    );
    assert_eq!(data(&world, "labels?match[]=by_service").await, json!(["__name__", "repository", "service"]));
    assert_eq!(data(&world, "label/service/values").await, json!(["cart", "mail", "pay"]));
    assert_eq!(
        data(&world, "label/__name__/values").await,
        json!(["by_service", "slow", "weir_metric_per_minute"])
    );
    let series =
        data(&world, "series?match[]=by_service%7Bservice%3D~%22c.*%22%7D&match[]=weir_metric_per_minute")
            .await;
    assert_eq!(series.as_array().unwrap().len(), 2, "{series}");
    let metadata = data(&world, "metadata?metric=by_service").await;
    assert_eq!(metadata, json!({"by_service": [{"type": "gauge", "help": "groupBy(service)", "unit": ""}]}));
    assert_eq!(data(&world, "metadata?limit=1").await.as_object().unwrap().len(), 1);
    assert!(data(&world, "status/buildinfo").await["version"].is_string());
}

#[tokio::test]
async fn faults_are_in_the_shape_of_prometheus() {
    let world = World::new();
    for (path, message) in [
        ("query", "`query` is missing"),
        ("query?query=rate(x[5m])", "`rate` is not supported"),
        ("query?query=1&time=soon", "invalid parameter `time`"),
        ("query?query=%zz", "hexadecimal"),
        ("query_range?query=1&start=0&end=10", "`step` is missing"),
        ("query_range?query=1&start=0&end=10&step=0", "invalid parameter `step`"),
        ("query_range?query=1&start=10&end=0&step=1", "invalid parameter `end`"),
        ("query_range?query=1&start=0&end=11000&step=1", "11001 steps"),
        ("series", "`match[]` is missing"),
        ("series?match[]=sum(a)", "expected"),
        ("labels?match[]={}", "a selector needs"),
        ("metadata?limit=all", "invalid parameter `limit`"),
    ] {
        let answer = world.get(&format!("/api/v1/{path}")).await;
        let body = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &body["status"], &body["errorType"]),
            (400, &json!("error"), &json!("bad_data")),
            "{path}: {body}"
        );
        assert!(body["error"].as_str().unwrap().contains(message), "{path}: {body}");
    }
    assert_eq!(world.get("/api/v1/query_range?query=1&start=0&end=10999&step=1").await.status, 200);
}

#[tokio::test]
async fn metrics_are_scraped() {
    let world = world().await;
    let answer = world.get(&format!("{METRICS}/prometheus?names=by_service,per-minute")).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    assert!(
        text.starts_with("# HELP by_service groupBy(service)\n# TYPE by_service gauge\nby_service{"),
        "{text}"
    );
    assert!(text.contains("by_service{repository=\"default\",service=\"cart\"} 10\n"), "{text}");
    assert!(!text.contains("slow"));
    let all = world.get(&format!("{METRICS}/prometheus")).await.text();
    assert!(all.contains("slow{column=\"_max\",repository=\"default\",service=\"cart\"} 27\n"), "{all}");
    assert!(
        !world.get("/metrics").await.text().contains("by_service"),
        "the server's own metrics stay its own"
    );
    assert_eq!(world.get(&format!("{METRICS}/prometheus?names=absent")).await.status, 404);
}
