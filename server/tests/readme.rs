//! The examples of the README, run as a reader would, against a fresh server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// The address the README speaks of.
const DOCUMENTED: &str = "127.0.0.1:9480";

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The `sh` blocks behind the mark: what stands before it builds, serves and tests, which this test does itself.
fn blocks(readme: &str) -> Vec<&str> {
    let (_, tested) = readme.split_once("<!-- tested:").expect("the mark");
    let blocks = tested.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

fn serve(data: &Path, address: &str) -> Guard {
    let child = Command::new(WEIR)
        .args(["serve", "--listen", address, "--data"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let guard = Guard(child);
    let deadline = Instant::now() + Duration::from_secs(30);
    while ureq::get(format!("http://{address}/health")).call().is_err() {
        assert!(Instant::now() < deadline, "the server did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    guard
}

#[test]
fn every_example_works() {
    let folder = tempfile::tempdir().unwrap();
    let port =
        TcpListener::bind((DOCUMENTED.split(':').next().unwrap(), 0)).unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let _server = serve(&folder.path().join("weir-data"), &address);
    let binaries = Path::new(WEIR).parent().unwrap().display();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    let readme = std::fs::read_to_string(README).unwrap();
    let blocks = blocks(&readme);
    assert!(blocks.len() >= 6, "{} blocks", blocks.len());
    for block in blocks {
        let script = format!("set -eu\n{}", block.replace(DOCUMENTED, &address));
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("WEIR_SERVER", format!("http://{address}"))
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{block}\n{out}\n{err}");
        assert!(!out.contains("{\"error\":"), "{block}\n{out}");
        assert!(!out.trim().is_empty() || !err.trim().is_empty(), "says nothing:\n{block}");
    }
}
