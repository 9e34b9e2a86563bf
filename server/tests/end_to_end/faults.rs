//! Bad input: a clear error or a stored event with `@error`, an exact account, memory flat.

use std::io::Write;

use serde_json::Value;

use crate::support::{Answer, Server, text};

/// Resident memory may grow by this much over all the bad input together, in bytes.
const MAX_GROWTH_BYTES: u64 = 400 << 20;

fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

fn account(answer: &Answer) -> (u64, u64, u64) {
    let body = answer.json();
    let count = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("no {name} in {body}"));
    (count("accepted"), count("rejected"), count("unparsed"))
}

fn error_code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {}", answer.text())).to_owned()
}

#[test]
fn bad_input_is_accounted_for() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let before = resident_bytes(&server);
    broken_json_in_a_good_batch(&server);
    a_ten_megabyte_line(&server);
    a_hundred_thousand_fields(&server);
    deep_nesting(&server);
    a_gzip_bomb(&server);
    an_unknown_content_type(&server);
    a_wrong_query(&server);
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < MAX_GROWTH_BYTES, "memory grew by {} MiB", grown >> 20);
    server.stop();
}

fn broken_json_in_a_good_batch(server: &Server) {
    let answer = server.ingest(
        "application/x-ndjson",
        b"{\"case\":\"good\",\"n\":1}\n{\"case\":\"bad\",,}\n{\"case\":\"good\",\"n\":2}\n",
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(account(&answer), (3, 0, 1));
    assert_eq!(server.query("case=good").len(), 2);
    let bad = server.query("@error=*");
    assert_eq!(bad.len(), 1);
    assert_eq!(text(&bad[0], "@rawstring"), "{\"case\":\"bad\",,}");
    assert!(!text(&bad[0], "@error").is_empty());
}

fn a_ten_megabyte_line(server: &Server) {
    let mut line = br#"{"case":"long","text":""#.to_vec();
    line.resize(10 << 20, b'x');
    line.extend_from_slice(b"\"}\n{\"case\":\"after\"}\n");
    let answer = server.ingest("application/x-ndjson", &line);
    let (accepted, rejected, _) = account(&answer);
    assert_eq!(accepted + rejected, 2, "{}", answer.text());
    assert_eq!(server.query("case=after").len(), 1);
    if accepted == 2 {
        let rows = server.query("length(@rawstring) | max(_length)");
        assert_eq!(text(&rows[0], "_max"), ((10 << 20) + 2).to_string());
    }
}

fn a_hundred_thousand_fields(server: &Server) {
    let mut line = String::from("{\"case\":\"wide\"");
    for field in 0..100_000 {
        line.push_str(&format!(",\"f{field}\":{field}"));
    }
    line.push_str("}\n");
    let answer = server.ingest("application/x-ndjson", line.as_bytes());
    let (accepted, rejected, _) = account(&answer);
    assert_eq!(accepted + rejected, 1, "{}", answer.text());
    if accepted == 1 {
        let rows = server.query("f99999 | case=wide or @error=* | count()");
        assert_eq!(text(&rows[0], "_count"), "1", "the raw text is searched whole");
    }
}

fn deep_nesting(server: &Server) {
    let line = format!("{}1{}\n", "{\"deep\":".repeat(10_000), "}".repeat(10_000));
    let answer = server.ingest("application/x-ndjson", line.as_bytes());
    let (accepted, rejected, _) = account(&answer);
    assert_eq!(accepted + rejected, 1, "{}", answer.text());
}

fn a_gzip_bomb(server: &Server) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..1024 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    let headers = [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")];
    let answer = server.post("/api/v1/repositories/default/ingest", &headers, &bomb);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(!error_code(&answer).is_empty());
}

fn an_unknown_content_type(server: &Server) {
    let answer = server.ingest("application/x-unheard-of", b"x");
    assert_eq!(answer.status, 415, "{}", answer.text());
    assert!(!error_code(&answer).is_empty());
}

fn a_wrong_query(server: &Server) {
    let body = serde_json::json!({ "queryString": "level=ERROR | timechrt()" }).to_string();
    let headers = [("Content-Type", "application/json"), ("Accept", "application/x-ndjson")];
    let answer = server.post("/api/v1/repositories/default/query", &headers, body.as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("timeChart"), "it suggests the near name: {}", answer.text());
    let job = server.post("/api/v1/repositories/default/queryjobs", &headers, body.as_bytes());
    assert_eq!(job.status, 400);
    assert!(serde_json::from_slice::<Value>(&job.body).is_err(), "plain text for the clients of that route");
}

/// A disk counts as full when less than the reserve is free; here the reserve is more than any disk has.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    assert_eq!(account(&server.ingest("text/plain", b"before\n")), (1, 0, 0));
    server.stop();
    let reserve = format!("storage.min_free_bytes={}", i64::MAX);
    let server = Server::start_with(data.path(), &["--set", &reserve]);
    let answer = server.ingest("text/plain", b"too much\n");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(error_code(&answer), "disk-full");
    assert_eq!(server.query("*").len(), 1, "what was acknowledged is there, what was refused is not");
    server.stop();
    let server = Server::start(data.path());
    assert_eq!(account(&server.ingest("text/plain", b"after\n")), (1, 0, 0));
    assert_eq!(server.query("*").len(), 2);
    server.stop();
}
