//! Query jobs, checked against the shapes that Humio's clients read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, events};

const JOBS: &str = "/api/v1/repositories/default/queryjobs";

async fn create(world: &World, body: Value) -> String {
    let answer = world.post(JOBS, &[("content-type", "application/json")], body.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/json"),
        "{}",
        answer.text()
    );
    let created = answer.json();
    assert_eq!(created["queryOnView"], body["queryString"]);
    created["id"].as_str().unwrap().to_owned()
}

/// Polls as clients do, until done.
async fn done(world: &World, id: &str, options: &str) -> Value {
    for _ in 0..200 {
        let answer = world.get(&format!("{JOBS}/{id}{options}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let view = answer.json();
        if view["done"] == true {
            return view;
        }
        let wait = view["metaData"]["pollAfter"].as_u64().unwrap();
        assert!(wait <= 1000, "running jobs are asked about often");
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    panic!("the job is never done");
}

#[tokio::test]
async fn a_job_of_events_has_the_recorded_shape() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let id = create(
        &world,
        json!({"queryString": "level=ERROR", "start": 0, "isLive": null, "onPartialResult": null}),
    )
    .await;
    let view = done(&world, &id, "").await;
    assert_eq!(view["cancelled"], false);
    let numbers: Vec<_> = view["events"].as_array().unwrap().iter().map(|row| row["n"].clone()).collect();
    assert_eq!(numbers, ["9", "6", "3", "0"]);
    assert!(view["events"][0]["@timestamp"].is_i64());
    for key in ["@id", "@rawstring", "#repo"] {
        assert!(view["events"][0][key].is_string(), "{key} in {}", view["events"][0]);
    }
    let meta = &view["metaData"];
    for key in [
        "eventCount",
        "pollAfter",
        "processedBytes",
        "processedEvents",
        "queryStart",
        "queryEnd",
        "resultBufferSize",
        "timeMillis",
        "totalWork",
        "workDone",
    ] {
        assert!(meta[key].is_u64(), "{key} in {meta}");
    }
    assert_eq!(meta["isAggregate"], false);
    assert_eq!(meta["eventCount"], 4);
    assert_eq!(meta["processedEvents"], 10);
    assert_eq!(meta["workDone"], meta["totalWork"]);
    assert_eq!(meta["extraData"]["hasMoreEvents"], "false");
    assert_eq!(meta["filterQuery"]["queryString"], "level=ERROR");
    assert_eq!(meta["filterQuery"]["isLive"], false);
    assert_eq!(meta["warnings"], json!([]));
    assert!(meta["pollAfter"].as_u64().unwrap() > 1000, "a finished job need not be asked about");
}

#[tokio::test]
async fn a_job_of_an_aggregate_counts_its_rows() {
    let world = World::new();
    world.ingest(&events(10)).await;
    let id =
        create(&world, json!({"queryString": "level=* | groupBy(level) | sort(_count)", "start": 0})).await;
    let view = done(&world, &id, "").await;
    assert_eq!(view["events"], json!([{"level": "INFO", "_count": "6"}, {"level": "ERROR", "_count": "4"}]));
    let meta = &view["metaData"];
    assert_eq!((&meta["isAggregate"], &meta["eventCount"]), (&json!(true), &json!(2)));
    assert_eq!(meta["fieldOrder"], json!(["level", "_count"]));
    assert_eq!(meta["filterQuery"]["queryString"], "level=*");
}

#[tokio::test]
async fn no_more_than_200_events_and_pages_of_them() {
    let world = World::new();
    world.ingest(&events(300)).await;
    let id = create(&world, json!({"queryString": "*", "start": 0})).await;
    assert_eq!(done(&world, &id, "").await["events"].as_array().unwrap().len(), 200);
    let page = done(&world, &id, "?paginationLimit=2&paginationOffset=3&sortBy=x").await;
    let numbers: Vec<_> = page["events"].as_array().unwrap().iter().map(|row| row["n"].clone()).collect();
    assert_eq!(numbers, ["296", "295"]);
    assert_eq!(page["metaData"]["eventCount"], 200);
}

#[tokio::test]
async fn the_histogram_counts_what_the_filter_lets_through() {
    let world = World::new();
    world.ingest(&events(60)).await;
    let body = json!({"queryString": "level=ERROR | top(service)", "start": 1_795_176_000_000_i64,
        "end": 1_795_176_060_000_i64, "showQueryEventDistribution": true});
    let id = create(&world, body).await;
    let view = done(&world, &id, "").await;
    let buckets = view["queryEventDistribution"]["events"].as_array().unwrap().clone();
    assert!(!buckets.is_empty());
    let sum: u64 =
        buckets.iter().map(|bucket| bucket["_count"].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 20);
    assert!(buckets.iter().all(|bucket| bucket["_bucket"].is_string()));
}

#[tokio::test]
async fn ended_and_forgotten_jobs_are_gone() {
    let world = World::with(|settings| settings.query.job_lifetime_millis = 300);
    let id = create(&world, json!({"queryString": "*"})).await;
    let path = format!("{JOBS}/{id}");
    assert_eq!(world.get(&path.replace("repositories", "dataspaces")).await.status, 200);
    let ended = world.delete(&path).await;
    assert_eq!((ended.status.as_u16(), ended.body.len()), (204, 0));
    assert_eq!(world.get(&path).await.status, 404);
    let id = create(&world, json!({"queryString": "*"})).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let gone = world.get(&format!("{JOBS}/{id}")).await;
    assert_eq!((gone.status.as_u16(), gone.header("content-type")), (404, "text/plain; charset=utf-8"));
    assert_eq!(world.app.counters().jobs.get(), 1);
    world.app.jobs().sweep(std::time::Instant::now());
    assert_eq!(world.app.counters().jobs.get(), 0);
}

#[tokio::test]
async fn jobs_are_bounded_and_belong_to_their_repository() {
    let world = World::with(|settings| settings.query.max_jobs = 2);
    world.put("/api/v1/repositories/other", "").await;
    let id = create(&world, json!({"queryString": "*"})).await;
    create(&world, json!({"queryString": "*"})).await;
    let refused = world.post(JOBS, &[], r#"{"queryString":"*"}"#).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "5"));
    assert_eq!(world.get(&format!("/api/v1/repositories/other/queryjobs/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_wrong_query_is_400_in_words() {
    let world = World::new();
    let answer =
        world.post(JOBS, &[("content-type", "application/json")], r#"{"queryString":"count("}"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains('^'), "{}", answer.text());
}

#[tokio::test]
async fn a_live_job_is_done_when_history_is_read_and_goes_on() {
    let world = World::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let line = |level: &str| format!("{{\"timestamp\":{now},\"level\":\"{level}\"}}\n");
    world.ingest(&format!("{}{}", line("ERROR"), line("INFO"))).await;
    let id =
        create(&world, json!({"queryString": "level=ERROR | count()", "start": "1h", "isLive": true})).await;
    let count = async || done(&world, &id, "").await["events"][0]["_count"].clone();
    assert_eq!(count().await, "1");
    world.ingest(&line("ERROR")).await;
    for _ in 0..100 {
        if count().await == "2" {
            let view = done(&world, &id, "").await;
            assert!(view["metaData"]["pollAfter"].as_u64().unwrap() <= 1000);
            assert_eq!(world.delete(&format!("{JOBS}/{id}")).await.status, 204);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the live job does not move");
}

#[tokio::test]
async fn neighbours_of_one_event() {
    let world = World::new();
    world.ingest(&events(50)).await;
    let rows = world.rows("n=20").await;
    let (id, time) = (rows[0]["@id"].clone(), rows[0]["@timestamp"].clone());
    let around =
        json!({"eventId": id, "timestamp": time, "numberOfEventsBefore": 2, "numberOfEventsAfter": 3});
    let id = create(&world, json!({"queryString": "*", "start": 0, "around": around})).await;
    let view = done(&world, &id, "").await;
    let numbers: Vec<_> = view["events"].as_array().unwrap().iter().map(|row| row["n"].clone()).collect();
    assert_eq!(numbers, ["23", "22", "21", "20", "19", "18"]);
}

#[tokio::test]
async fn results_are_pushed_until_done() {
    let world = World::new();
    world.ingest(&events(5)).await;
    let id = create(&world, json!({"queryString": "count()", "start": 0})).await;
    let answer = world.get(&format!("{JOBS}/{id}/events")).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = answer.text();
    assert!(text.contains("event: result\n") && text.contains(r#""_count":"5""#), "{text}");
    assert!(text.ends_with("event: done\ndata: {}\n\n"), "{text}");
}
