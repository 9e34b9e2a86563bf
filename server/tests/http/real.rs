//! Real logs of many forms: every line that goes in over HTTP comes back byte for byte, from the head and sealed.

use std::path::{Path, PathBuf};

use axum::http::Method;
use http_body_util::BodyExt;

use crate::world::{World, request};

/// Bytes of a file that are looked at; whole lines of it.
const MAX_FILE_BYTES: usize = 1 << 20;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        for file in std::fs::read_dir(entry.path()).into_iter().flatten().map(Result::unwrap) {
            let path = file.path();
            if path.extension().is_some_and(|end| end == "ndjson" || end == "log") {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        println!("skipped: no sample logs beside the repository");
    }
    found.sort();
    found
}

async fn raws(world: &World) -> Vec<String> {
    let body = serde_json::json!({"queryString": "*", "start": 0, "end": "2100-01-01T00:00:00Z"}).to_string();
    let headers = [("accept", "application/x-ndjson")];
    let path = "/api/v1/repositories/default/query";
    let response = world.open(request(Method::POST, path, &headers, body)).await;
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let raw = |line: &[u8]| {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        event["@rawstring"].as_str().unwrap().to_owned()
    };
    let mut raws: Vec<String> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(raw).collect();
    raws.sort_unstable();
    raws
}

#[tokio::test]
async fn every_line_comes_back() {
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let cut = bytes.get(..MAX_FILE_BYTES).unwrap_or(&bytes);
        let end = cut.iter().rposition(|byte| *byte == b'\n').map_or(cut.len(), |at| at + 1);
        let text = String::from_utf8_lossy(&cut[..end]).into_owned();
        let kind = if path.extension().unwrap() == "ndjson" { "application/x-ndjson" } else { "text/plain" };
        let world = World::new();
        let ingest = "/api/v1/repositories/default/ingest";
        let answer = world.post(ingest, &[("content-type", kind)], text.clone()).await;
        assert_eq!(answer.status, 200, "{}: {}", path.display(), answer.text());
        let answer = answer.json();
        assert_eq!(answer["rejected"], 0, "{}: {answer}", path.display());
        let mut expected: Vec<String> =
            text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        assert_eq!(answer["accepted"], expected.len(), "{}", path.display());
        expected.sort_unstable();
        assert!(raws(&world).await == expected, "{}: from the head", path.display());
        world.app.repository("default").unwrap().flush().unwrap();
        assert!(raws(&world).await == expected, "{}: sealed", path.display());
    }
}
