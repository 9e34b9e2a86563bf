//! Over a real socket: slow clients, too many clients, clients that leave, a stop in good order.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_server::run::{Running, start};
use weir_server::settings::Settings;

struct Site {
    running: Running,
    _folder: tempfile::TempDir,
}

async fn site(change: impl FnOnce(&mut Settings)) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let mut settings =
        Settings { listen: "127.0.0.1:0".to_owned(), data: folder.path().to_owned(), ..Settings::default() };
    change(&mut settings);
    Site { running: start(settings).await.unwrap(), _folder: folder }
}

impl Site {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.running.address()).await.unwrap()
    }
}

/// Everything until the server closes, or two seconds of nothing.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 4096];
    loop {
        match tokio::time::timeout(Duration::from_secs(2), stream.read(&mut piece)).await {
            Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// Waits until the server closes the connection, and says how long that took.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut piece = [0_u8; 4096];
    while started.elapsed() < Duration::from_secs(10) {
        match tokio::time::timeout(Duration::from_secs(10), stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => return started.elapsed(),
            Ok(Ok(_)) => {}
            Err(_) => break,
        }
    }
    panic!("the server keeps the connection");
}

const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_silence_are_cut() {
    let site = site(|settings| {
        settings.connections.header_timeout_millis = 300;
        settings.connections.idle_timeout_millis = 900;
    })
    .await;
    let mut silent = site.connect().await;
    assert!(closed_after(&mut silent).await < Duration::from_secs(2), "silence");
    let mut slow = site.connect().await;
    let started = Instant::now();
    for byte in GET.iter().cycle() {
        if slow.write_all(&[*byte]).await.is_err() || started.elapsed() > Duration::from_secs(5) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(4), "a head drop by drop");
    // A connection that was used may stay idle longer, but not for ever.
    let mut kept = site.connect().await;
    kept.write_all(GET).await.unwrap();
    let mut piece = [0_u8; 1024];
    assert!(kept.read(&mut piece).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    kept.write_all(GET).await.unwrap();
    assert!(kept.read(&mut piece).await.unwrap() > 0, "kept alive past the head's limit");
    let idle = closed_after(&mut kept).await;
    assert!(idle > Duration::from_millis(600) && idle < Duration::from_secs(3), "{idle:?}");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_are_cut() {
    let site = site(|settings| settings.ingest.body_idle_timeout_millis = 300).await;
    let mut slow = site.connect().await;
    let head = "POST /api/v1/repositories/default/ingest HTTP/1.1\r\nhost: localhost\r\n\
                content-type: text/plain\r\ncontent-length: 1000\r\n\r\nabc";
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_cap_are_told() {
    let site = site(|settings| settings.connections.max_connections = 2).await;
    let mut first = site.connect().await;
    let mut second = site.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        let mut piece = [0_u8; 1024];
        assert!(stream.read(&mut piece).await.unwrap() > 0);
    }
    let mut third = site.connect().await;
    let answer = read_all(&mut third).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("too-many-connections"), "{answer}");
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut fourth = site.connect().await;
    fourth.write_all(GET).await.unwrap();
    let mut piece = [0_u8; 1024];
    let count = fourth.read(&mut piece).await.unwrap();
    assert!(piece[..count].starts_with(b"HTTP/1.1 200"), "a place is free again");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_are_refused() {
    let site = site(|settings| settings.connections.max_header_bytes = 8 << 10).await;
    let mut stream = site.connect().await;
    let head = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read_all(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut stream = site.connect().await;
    let mut head = String::from("GET /health HTTP/1.1\r\nhost: localhost\r\n");
    for at in 0..200 {
        head.push_str(&format!("x{at}: y\r\n"));
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_and_lets_requests_finish() {
    let site = site(|settings| settings.connections.shutdown_grace_millis = 5_000).await;
    let mut live = site.connect().await;
    let body = r#"{"queryString":"*","isLive":true}"#;
    let head = format!(
        "POST /api/v1/repositories/default/query HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    live.write_all(head.as_bytes()).await.unwrap();
    let mut posting = site.connect().await;
    let head = "POST /api/v1/repositories/default/ingest HTTP/1.1\r\nhost: localhost\r\n\
                content-type: text/plain\r\ncontent-length: 6\r\n\r\nabc";
    posting.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = site.running.address();
    let started = Instant::now();
    let stopping = tokio::spawn(site.running.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    posting.write_all(b"def").await.unwrap();
    let answer = read_all(&mut posting).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"accepted\":1"), "{answer}");
    stopping.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(closed_after(&mut live).await < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_frees_its_stream() {
    let site = site(|settings| settings.standing.max_streams = 1).await;
    let body = r#"{"queryString":"*","isLive":true}"#;
    let request = format!(
        "POST /api/v1/repositories/default/query HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut piece = [0_u8; 1024];
    let mut first = site.connect().await;
    first.write_all(request.as_bytes()).await.unwrap();
    let count = first.read(&mut piece).await.unwrap();
    assert!(piece[..count].starts_with(b"HTTP/1.1 200"));
    let mut second = site.connect().await;
    second.write_all(request.as_bytes()).await.unwrap();
    let count = second.read(&mut piece).await.unwrap();
    assert!(piece[..count].starts_with(b"HTTP/1.1 503"), "the place is taken");
    drop(first);
    let started = Instant::now();
    loop {
        second.write_all(request.as_bytes()).await.unwrap();
        let count = second.read(&mut piece).await.unwrap();
        if piece[..count].starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "the place is never given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.running.stop().await;
}

/// One request over a connection of its own; the answer's body.
async fn ask(address: std::net::SocketAddr, method: &'static str, path: &str, body: &str) -> String {
    let url = format!("http://{address}{path}");
    let body = body.to_owned();
    let send = move || {
        let answer = match method {
            "PUT" => ureq::put(&url).send(body),
            "POST" => ureq::post(&url).header("content-type", "application/x-ndjson").send(body),
            _ => ureq::get(&url).call(),
        };
        answer.unwrap().into_body().read_to_string().unwrap()
    };
    tokio::task::spawn_blocking(send).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_metrics_are_right_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || Settings {
        listen: "127.0.0.1:0".to_owned(),
        data: folder.path().to_owned(),
        ..Settings::default()
    };
    let (metric, ingest) =
        ("/api/v1/repositories/default/metrics/errors", "/api/v1/repositories/default/ingest");
    let running = start(settings()).await.unwrap();
    let definition = r#"{"query":"level=ERROR | count()","window":"1h","granule":"10s"}"#;
    ask(running.address(), "PUT", metric, definition).await;
    ask(running.address(), "POST", ingest, &"{\"level\":\"ERROR\"}\n".repeat(7)).await;
    running.stop().await;
    let running = start(settings()).await.unwrap();
    let started = Instant::now();
    loop {
        let answer = ask(running.address(), "GET", metric, "").await;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        if answer["rows"][0]["_count"] == "7" {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}
