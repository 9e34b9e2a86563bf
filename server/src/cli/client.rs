//! A small blocking client of a Weir server, for the command line.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an error answer that are shown.
const MAX_ERROR_BYTES: u64 = 16 << 10;

/// Where the server is and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// The server's address
    #[arg(long, env = "WEIR_SERVER", value_name = "URL", default_value = "http://127.0.0.1:9480")]
    pub server: String,
    /// The token to send
    #[arg(long, env = "WEIR_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The repository
    #[arg(long, short, env = "WEIR_REPOSITORY", value_name = "NAME", default_value = "default")]
    pub repository: String,
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// A successful answer: its body to read, and what its head says of the result.
pub struct Answer {
    body: ureq::BodyReader<'static>,
    /// What the reader should know of the result.
    pub warnings: Vec<String>,
    /// Something that may have mattered was not read.
    pub partial: bool,
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.body.read(buffer)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Answer").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

/// An answer that is not a success.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// Seconds after which a retry may succeed, where the server said.
    pub retry_after_seconds: Option<u64>,
    /// What the server said.
    pub message: String,
}

impl Client {
    /// A client of the server named in `args`.
    #[must_use]
    pub fn new(args: &ServerArgs) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Client { agent, base: base(&args.server), token: args.token.clone() }
    }

    /// Sends `body` to `path` and returns the answer's body to read.
    ///
    /// # Errors
    /// [`Refused`] when the server answers with anything but success; else what went wrong on the way.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> anyhow::Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = request.send(body).with_context(|| format!("cannot reach {}", self.base))?;
        accept(answer)
    }

    /// Sends a JSON document with `PUT` and returns the answer's body to read.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub fn put(&self, path: &str, document: &serde_json::Value) -> anyhow::Result<Answer> {
        let mut request =
            self.agent.put(format!("{}{path}", self.base)).header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer =
            request.send(document.to_string()).with_context(|| format!("cannot reach {}", self.base))?;
        accept(answer)
    }

    /// Gets `path` and returns the answer's body to read.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = request.call().with_context(|| format!("cannot reach {}", self.base))?;
        accept(answer)
    }
}

/// The address before every path: without a scheme, HTTP.
fn base(server: &str) -> String {
    let server = server.trim_end_matches('/');
    if server.contains("://") { server.to_owned() } else { format!("http://{server}") }
}

/// `text` as one segment of a path.
#[must_use]
pub fn path_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn accept(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    let status = answer.status();
    if status.is_success() {
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (warnings, partial) = told(header("weir-cost"), header("weir-partial"));
        return Ok(Answer { body: answer.into_body().into_reader(), warnings, partial });
    }
    let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut text = Vec::new();
    answer
        .into_body()
        .into_reader()
        .take(MAX_ERROR_BYTES)
        .read_to_end(&mut text)
        .context("cannot read the answer")?;
    let message = error_text(&String::from_utf8_lossy(&text))
        .unwrap_or_else(|| format!("the server answered {status}"));
    bail!(Refused { status: status.as_u16(), retry_after_seconds: wait, message })
}

/// What the headers `weir-cost`, JSON, and `weir-partial` say of a result: its warnings, and whether it is partial.
fn told(cost: Option<&str>, partial: Option<&str>) -> (Vec<String>, bool) {
    let cost: serde_json::Value = cost.and_then(|cost| serde_json::from_str(cost).ok()).unwrap_or_default();
    let warnings = cost.get("warnings").and_then(|warnings| warnings.as_array()).into_iter().flatten();
    let warnings = warnings.filter_map(|warning| warning.as_str().map(str::to_owned)).collect();
    let counted = cost.get("partial").and_then(serde_json::Value::as_bool);
    (warnings, partial == Some("true") || counted == Some(true))
}

/// The message in an error answer: our own JSON form, or a plain sentence.
fn error_text(body: &str) -> Option<String> {
    let body = body.trim();
    let Ok(document) = serde_json::from_str::<serde_json::Value>(body) else {
        return (!body.is_empty()).then(|| body.to_owned());
    };
    let error = document.get("error")?;
    let message = error.get("message")?.as_str()?;
    let hint = error.get("hint").and_then(|hint| hint.as_str()).filter(|hint| !hint.is_empty());
    Some(hint.map_or_else(|| message.to_owned(), |hint| format!("{message}\n{hint}")))
}

/// Reads a whole answer as JSON.
///
/// # Errors
/// When it cannot be read or is no JSON.
pub fn json(mut answer: impl Read) -> anyhow::Result<serde_json::Value> {
    let mut text = Vec::new();
    answer.read_to_end(&mut text).context("cannot read the answer")?;
    serde_json::from_slice(&text).map_err(|error| anyhow!("the server's answer is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_answers_give_their_sentence() {
        for (body, said) in [
            (
                r#"{"error":{"code":"query","message":"unknown function","hint":"did you mean `count`?"}}"#,
                Some("unknown function\ndid you mean `count`?"),
            ),
            ("no such job\n", Some("no such job")),
            ("", None),
            ("{}", None),
        ] {
            assert_eq!(error_text(body).as_deref(), said, "{body}");
        }
    }

    #[test]
    fn heads_tell_of_the_result() {
        let cost = r#"{"partial":true,"warnings":["one","t\u00e4wo"]}"#;
        assert_eq!(told(Some(cost), None), (vec!["one".to_owned(), "täwo".to_owned()], true));
        assert_eq!(told(None, Some("true")), (Vec::new(), true));
        assert_eq!(told(Some("no JSON"), None), (Vec::new(), false));
    }

    #[test]
    fn addresses_are_http_where_they_do_not_say() {
        for (given, expected) in [
            ("127.0.0.1:9480", "http://127.0.0.1:9480"),
            ("weir.example/", "http://weir.example"),
            ("https://weir.example/a/", "https://weir.example/a"),
        ] {
            assert_eq!(base(given), expected);
        }
    }

    #[test]
    fn segments_are_escaped() {
        assert_eq!(path_segment("a b/ü"), "a%20b%2F%C3%BC");
    }
}
