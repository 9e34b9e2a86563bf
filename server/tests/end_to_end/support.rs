//! A `weir serve` process on a free loopback port, and small ways to talk to it.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

pub(crate) const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    agent: ureq::Agent,
    pub(crate) base: String,
}

/// An answer: status and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// How long who sends to a server that is about to be killed waits for an answer.
pub(crate) const SENDER_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP client that gives up after `timeout`, and takes a refusal for an answer.
pub(crate) fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .build()
        .new_agent()
}

impl Server {
    pub(crate) fn start(data: &Path) -> Server {
        Server::start_with(data, &[])
    }

    /// Starts with more flags, and waits for health.
    pub(crate) fn start_with(data: &Path, flags: &[&str]) -> Server {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let child = Command::new(WEIR)
            .args(["serve", "--listen", &listen, "--data"])
            .arg(data)
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .env("RUST_BACKTRACE", "1")
            .spawn()
            .unwrap();
        let agent = agent(Duration::from_secs(60));
        let mut server = Server { child, agent, base: format!("http://{listen}") };
        // Looks are counted, not seconds: on a machine that is busy both wait.
        let mut looks = 0;
        while server.try_get("/health").is_none_or(|answer| answer.status != 200) {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended while starting");
            assert!(looks < 3_000, "the server did not become healthy");
            std::thread::sleep(Duration::from_millis(10));
            looks += 1;
        }
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.agent.get(format!("{}{path}", self.base)).call().ok().and_then(answer)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).expect("the server answers")
    }

    pub(crate) fn put(&self, path: &str, document: &Value) -> Answer {
        let request =
            self.agent.put(format!("{}{path}", self.base)).header("Content-Type", "application/json");
        request.send(document.to_string()).ok().and_then(answer).expect("the server answers")
    }

    pub(crate) fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        post(&self.agent, &format!("{}{path}", self.base), headers, body)
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_post(path, headers, body).expect("the server answers")
    }

    /// Sends lines to the default repository.
    pub(crate) fn ingest(&self, content_type: &str, body: &[u8]) -> Answer {
        self.post("/api/v1/repositories/default/ingest", &[("Content-Type", content_type)], body)
    }

    /// Runs a query over all of the default repository; its rows.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let body = serde_json::json!({ "queryString": query, "start": 0 }).to_string();
        let headers = [("Content-Type", "application/json"), ("Accept", "application/x-ndjson")];
        let answer = self.post("/api/v1/repositories/default/query", &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Ends it the hard way.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it the gentle way; its exit must be clean.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "SIGTERM ends it cleanly");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request; `None` when the server went away.
pub(crate) fn post(agent: &ureq::Agent, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send(body).ok().and_then(answer)
}

fn answer(answer: ureq::http::Response<ureq::Body>) -> Option<Answer> {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    answer.into_body().into_reader().read_to_end(&mut body).ok()?;
    Some(Answer { status, body })
}

/// Runs the binary with arguments and standard input.
pub(crate) fn weir(args: &[&str], input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = Command::new(WEIR)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A field of a row as text.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_else(|| panic!("no `{field}` in {row}"))
}
