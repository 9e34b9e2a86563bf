//! A real `weir serve` process on a free loopback port, ended with its guard.

use std::io::{BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;

/// Connections that are kept between requests.
const CONNECTIONS_MAX: usize = 64;
/// How long a server may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    agent: ureq::Agent,
    base: String,
    data: PathBuf,
}

impl Server {
    /// Starts `binary serve` over the data directory `data` and waits until it answers.
    ///
    /// # Errors
    /// When it does not start within half a minute.
    pub fn start(binary: &Path, data: &Path) -> anyhow::Result<Server> {
        Server::start_with(binary, data, &[])
    }

    /// As [`Server::start`], with `settings` over the defaults, each `SECTION.KEY=VALUE`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(binary: &Path, data: &Path, settings: &[&str]) -> anyhow::Result<Server> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let listen = format!("127.0.0.1:{port}");
        let child = Command::new(binary)
            .args(["serve", "--listen", &listen, "--data"])
            .arg(data)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(CONNECTIONS_MAX)
            .max_idle_connections_per_host(CONNECTIONS_MAX)
            .build()
            .new_agent();
        let server = Server { child, agent, base: format!("http://{listen}"), data: data.to_owned() };
        let deadline = Instant::now() + START_LIMIT;
        while server.agent.get(format!("{}/health", server.base)).call().is_err() {
            if Instant::now() > deadline {
                bail!("the server did not start");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// CPU time used so far.
    ///
    /// # Errors
    /// When the server has ended.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        clock::of_process(self.child.id())
    }

    /// Median CPU time of `runs` calls of `ask`, which is given their numbers, after one that does not count.
    ///
    /// # Errors
    /// Those of `ask`, and when the server has ended.
    pub fn median_cost(
        &self,
        runs: usize,
        mut ask: impl FnMut(usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        let mut times = Vec::new();
        for run in 0..=runs {
            let before = self.cpu()?;
            ask(run)?;
            if run > 0 {
                times.push(self.cpu()?.saturating_sub(before));
            }
        }
        Ok(clock::median(times))
    }

    /// Median CPU time of `runs` runs of a query over everything, after one that does not count.
    ///
    /// # Errors
    /// As [`Server::query`].
    pub fn query_cost(&self, query: &str, runs: usize) -> anyhow::Result<Duration> {
        self.median_cost(runs, |_| self.query("default", query).map(drop))
    }

    /// Sends `body` and returns the answer's bytes.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (status, bytes) = self.try_post(path, headers, body)?;
        if !(200..300).contains(&status) {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }

    /// Sends `body` to where events go; false when the server is busy and wants it again later.
    ///
    /// # Errors
    /// When the server refuses for another reason.
    pub fn ingest(&self, content_type: &str, body: &[u8]) -> anyhow::Result<bool> {
        let path = "/api/v1/repositories/default/ingest";
        match self.try_post(path, &[("Content-Type", content_type)], body)? {
            (200..300, _) => Ok(true),
            (429 | 503, _) => Ok(false),
            (status, bytes) => bail!("{path}: {status}: {}", String::from_utf8_lossy(&bytes)),
        }
    }

    fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(body)?;
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        BufReader::new(answer.into_body().into_reader()).read_to_end(&mut bytes)?;
        Ok((status, bytes))
    }

    /// Gets a document.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.agent.get(format!("{}{path}", self.base)).call()?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{path}: {status}");
        }
        Ok(answer.into_body().read_json()?)
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn delete(&self, path: &str) -> anyhow::Result<()> {
        let status = self.agent.delete(format!("{}{path}", self.base)).call()?.status();
        if !status.is_success() {
            bail!("{path}: {status}");
        }
        Ok(())
    }

    /// Puts a JSON document.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn put(&self, path: &str, document: &serde_json::Value) -> anyhow::Result<()> {
        let request =
            self.agent.put(format!("{}{path}", self.base)).header("Content-Type", "application/json");
        let status = request.send(document.to_string())?.status();
        if !status.is_success() {
            bail!("{path}: {status}");
        }
        Ok(())
    }

    /// Its address, as the start of a URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Runs a query over everything and returns its rows as NDJSON.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn query(&self, repository: &str, query: &str) -> anyhow::Result<Vec<u8>> {
        self.query_within(repository, query, 0, None)
    }

    /// As [`Server::query`], from `start` to `end` (now where absent), ms since the epoch.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn query_within(
        &self,
        repository: &str,
        query: &str,
        start: i64,
        end: Option<i64>,
    ) -> anyhow::Result<Vec<u8>> {
        let body = serde_json::json!({ "queryString": query, "start": start, "end": end }).to_string();
        let headers = [("Content-Type", "application/json"), ("Accept", "application/x-ndjson")];
        self.post(&format!("/api/v1/repositories/{repository}/query"), &headers, body.as_bytes())
    }

    /// Waits until background work is over: hardly any CPU time for four seconds, longer than merging ever rests
    /// between two steps. At most three minutes.
    ///
    /// # Errors
    /// When the server has ended.
    pub fn settle(&self) -> anyhow::Result<()> {
        let (mut last, mut quiet) = (self.cpu()?, 0);
        for _ in 0..360 {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.cpu()?;
            quiet = if now - last < Duration::from_millis(15) { quiet + 1 } else { 0 };
            if quiet == 8 {
                break;
            }
            last = now;
        }
        Ok(())
    }

    /// Peak resident memory in bytes, as the system counts it.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// Resident memory that is no mapped file, in bytes, as the system counts it.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0)
            * 1024
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> anyhow::Result<PathBuf> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(self.data.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` the child is gone and both calls fail, which is as wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
