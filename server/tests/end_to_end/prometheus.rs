//! What Prometheus' own tool makes of standing metrics; without the tool, the same answers read by a plain client.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Server;

/// Prometheus' tool: in Debian's package `prometheus`.
const PROMTOOL: &str = "promtool";

/// Runs the tool; `None` where there is none, which is a failure where everything is to be tested.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    use std::io::Write;
    let started = Command::new(PROMTOOL)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "{PROMTOOL} is needed: {error}");
            eprintln!("{PROMTOOL} is absent ({error}): its part of this test is left out");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    Some(out.into_owned())
}

fn get(server: &Server, path: &str) -> String {
    let mut answer = ureq::get(format!("{}{path}", server.base)).call().unwrap();
    answer.body_mut().read_to_string().unwrap()
}

fn data(server: &Server, path: &str) -> Value {
    let mut answer: Value = serde_json::from_str(&get(server, path)).unwrap();
    assert_eq!(answer["status"], "success", "{path}");
    answer["data"].take()
}

/// A server that has counted errors of two services for some minutes.
fn server(folder: &std::path::Path) -> Server {
    let server = Server::start(folder);
    let now = now_seconds();
    let line = |at: u64| {
        let service = if at.is_multiple_of(3) { "cart" } else { "pay" };
        format!(
            "{{\"timestamp\":{},\"level\":\"ERROR\",\"service\":\"{service}\"}}\n",
            (now - 10 * at) * 1_000
        )
    };
    let lines: String = (0..30).map(line).collect();
    assert_eq!(server.ingest("application/x-ndjson", lines.as_bytes()).status, 200);
    let definition = r#"{"query":"level=ERROR | groupBy(service)","window":"1h","granule":"1m"}"#;
    let url = format!("{}/api/v1/repositories/default/metrics/errors", server.base);
    let defined = ureq::put(url).header("Content-Type", "application/json").send(definition).unwrap();
    assert_eq!(defined.status(), 201);
    let deadline = Instant::now() + Duration::from_secs(20);
    while data(&server, "/api/v1/query?query=sum(errors)")["result"][0]["value"][1] != "30" {
        assert!(Instant::now() < deadline, "the metric is never complete");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

fn now_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn metrics_are_read_as_prometheus_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder.path().join("data"));
    let base = server.base.as_str();

    let instant = data(&server, "/api/v1/query?query=errors%7Bservice%3D%22cart%22%7D");
    assert_eq!(instant["result"][0]["value"][1], "10");
    if let Some(out) = promtool(&["query", "instant", base, "errors{service=\"cart\"}"], "") {
        assert!(out.starts_with("errors{repository=\"default\", service=\"cart\"} => 10 @["), "{out}");
    }
    if let Some(out) = promtool(&["query", "instant", base, "1+1"], "") {
        assert!(out.starts_with("scalar: 2 @["), "{out}");
    }

    let (start, end) = (now_seconds() - 600, now_seconds());
    let path = format!("/api/v1/query_range?query=sum(errors)&start={start}&end={end}&step=60");
    let values = data(&server, &path)["result"][0]["values"].as_array().unwrap().clone();
    assert_eq!(values.last().unwrap()[1], "30");
    let arguments = [
        "query",
        "range",
        "--step=60s",
        &format!("--start={start}"),
        &format!("--end={end}"),
        base,
        "sum(errors)",
    ];
    if let Some(out) = promtool(&arguments, "") {
        assert_eq!(out.lines().filter(|line| line.contains(" @[")).count(), values.len(), "{out}");
        assert!(out.trim_end().lines().last().unwrap().starts_with("30 @["), "{out}");
    }

    assert_eq!(data(&server, "/api/v1/label/service/values"), serde_json::json!(["cart", "pay"]));
    if let Some(out) = promtool(&["query", "labels", base, "service"], "") {
        assert_eq!(out.lines().collect::<Vec<_>>(), ["cart", "pay"]);
    }
    let series = data(&server, "/api/v1/series?match[]=errors");
    assert_eq!(series.as_array().unwrap().len(), 2);
    if let Some(out) = promtool(&["query", "series", "--match=errors", base], "") {
        assert_eq!(out.lines().count(), 2, "{out}");
        assert!(out.contains("__name__=\"errors\"") && out.contains("service=\"pay\""), "{out}");
    }

    let text = get(&server, "/api/v1/repositories/default/metrics/prometheus");
    assert!(text.contains("errors{repository=\"default\",service=\"pay\"} 20\n"), "{text}");
    promtool(&["check", "metrics"], &text);
    server.stop();
}
