//! The real binary: SIGTERM while clients write loses nothing that was acknowledged.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

struct Server {
    child: Child,
    base: String,
}

fn start(data: &Path) -> Server {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data"])
        .arg(data)
        .current_dir(data.parent().unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
            (line["message"] == "listening").then(|| line["address"].as_str().unwrap().to_owned())
        })
        .expect("the server says where it listens");
    std::thread::spawn(move || lines.for_each(drop));
    Server { child, base: format!("http://{address}") }
}

fn terminate(mut server: Server) {
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = server.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "a clean stop");
}

fn count(base: &str) -> u64 {
    let text =
        ureq::get(format!("{base}/api/v1/repositories/default")).call().unwrap().into_body().read_to_string();
    serde_json::from_str::<serde_json::Value>(&text.unwrap()).unwrap()["events"].as_u64().unwrap()
}

#[test]
fn sigterm_while_writing_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = start(&data);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let sent = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (acknowledged, sent, stop) =
                (Arc::clone(&acknowledged), Arc::clone(&sent), Arc::clone(&stop));
            let url = format!("{}/api/v1/repositories/default/ingest", server.base);
            std::thread::spawn(move || {
                let mut at = 0;
                while !stop.load(Ordering::Relaxed) {
                    let body = format!("{{\"writer\":{writer},\"at\":{at}}}\n").repeat(5);
                    sent.fetch_add(5, Ordering::SeqCst);
                    let answer = ureq::post(&url).header("content-type", "application/x-ndjson").send(&body);
                    if answer.is_ok_and(|answer| answer.status() == 200) {
                        acknowledged.fetch_add(5, Ordering::SeqCst);
                    } else {
                        break;
                    }
                    at += 1;
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(700));
    terminate(server);
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let server = start(&data);
    let (stored, acknowledged) = (count(&server.base), acknowledged.load(Ordering::SeqCst));
    terminate(server);
    assert!(acknowledged > 0, "the writers got something through");
    assert!(stored >= acknowledged, "{stored} stored, {acknowledged} acknowledged");
    assert!(stored <= sent.load(Ordering::SeqCst), "nothing is doubled");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("serve")
            .args(arguments)
            .args(["--data", "data"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let open = run(&["--listen", "0.0.0.0:0"]);
    assert!(open.contains("no tokens are configured") && open.contains("--insecure-allow-remote"), "{open}");
    assert!(run(&["--set", "query.nope=1"]).contains("query.nope"));
    assert!(run(&["--config", "absent.toml"]).contains("absent.toml"));
}
