//! Real logs of many formats: what goes in over HTTP comes back byte for byte, and files answer as the server does.
//!
//! The samples stand beside the project; where they are absent the tests say so and check nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Server, weir};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// Asked of every sample, on the file and on the server. Lines without a time of their own get that of their arrival,
/// which is no property of the file: where times are asked for, only those before the samples were taken count.
const QUERIES: &[&str] = &[
    "count()",
    "error | count()",
    "/[0-9]{3} [0-9]{2,5}/ | count()",
    "\"e-\" and not warn | count()",
    "@timestamp<1700000000000 | groupBy(@timestamp, limit=max) | count()",
    "@rawstring=/(?<word>[A-Za-z]{4,})/ | top(word, limit=20)",
    "groupBy([level, service], limit=max)",
    "service=* | groupBy(service, function=[count(), avg(duration_us), percentile(duration_us)])",
    "length(@rawstring) | max(_length)",
    "@timestamp<1700000000000 | timeChart(span=1h)",
];

fn samples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(SAMPLES).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|end| end == "log" || end == "ndjson") {
                found.push(file.path());
            }
        }
    }
    if found.is_empty() {
        eprintln!("no samples in {SAMPLES}: nothing checked");
    }
    found.sort();
    found
}

fn content_type(path: &Path) -> &'static str {
    if path.extension().is_some_and(|end| end == "ndjson") { "application/x-ndjson" } else { "text/plain" }
}

/// The lines of a file, sorted. Text lines lose their carriage return with the line end; JSON lines keep it.
fn lines(bytes: &[u8], path: &Path) -> Vec<Vec<u8>> {
    let is_text = content_type(path) == "text/plain";
    let trim = |line: &[u8]| line.strip_suffix(b"\r").filter(|_| is_text).unwrap_or(line).to_vec();
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(trim).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort_unstable();
    lines
}

#[test]
fn every_sample_comes_back_byte_for_byte() {
    for path in samples() {
        let raw = std::fs::read(&path).unwrap();
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path());
        let mut left = raw.as_slice();
        while !left.is_empty() {
            let cut = left.len().min(1 << 20);
            let end = left[..cut].iter().rposition(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
            let answer = server.ingest(content_type(&path), &left[..end]);
            assert_eq!(answer.status, 200, "{}: {}", path.display(), answer.text());
            assert_eq!(answer.json()["rejected"], 0, "{}: {}", path.display(), answer.text());
            left = &left[end..];
        }
        check_raw(&server, &raw, &path);
        let files = answers(|query| {
            let output = weir(&["query", query, path.to_str().unwrap()], b"");
            assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        });
        let searches = answers(|query| {
            let output = weir(&["search", "--server", &server.base, query], b"");
            assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        });
        for (query, rows) in &searches {
            assert_eq!(rows, &files[query], "{}: {query}", path.display());
        }
        server.stop();
        let server = Server::start(data.path());
        check_raw(&server, &raw, &path);
    }
}

fn check_raw(server: &Server, raw: &[u8], path: &Path) {
    let mut back: Vec<Vec<u8>> = server
        .query("*")
        .iter()
        .map(|row| row.get("@rawstring").and_then(Value::as_str).expect("a raw string").as_bytes().to_vec())
        .collect();
    back.sort_unstable();
    let sent = lines(raw, path);
    assert_eq!(back.len(), sent.len(), "{}", path.display());
    for (back, sent) in back.iter().zip(&sent) {
        assert_eq!(String::from_utf8_lossy(back), String::from_utf8_lossy(sent), "{}", path.display());
    }
}

/// The rows of every query, in an order of their own.
fn answers(mut ask: impl FnMut(&'static str) -> Vec<u8>) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for query in QUERIES {
        let printed = String::from_utf8(ask(query)).unwrap();
        let mut rows: Vec<String> = printed.lines().map(str::to_owned).collect();
        rows.sort_unstable();
        all.insert(*query, rows);
    }
    all
}
