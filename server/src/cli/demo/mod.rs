//! `weir demo`: a server over a temporary folder, a live stream of realistic events sent to it over HTTP, live
//! metrics moving in the terminal, and searches to try.
//!
//! Everything goes through the front door: events, metric definitions and readings are plain HTTP requests, as any
//! other client would send them.

mod screen;
mod sender;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::client::{Client, ServerArgs};
use crate::run::{Running, Signal, start};
use crate::settings::Settings;
use screen::Screen;
use sender::Sender;

/// The window of every live metric.
const WINDOW: &str = "1m";

/// Minutes of history sent before the live stream begins, so that there is something to search at once.
const HISTORY_MINUTES: i64 = 15;

/// Arguments of `weir demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir demo\n  weir demo --rate 5000 --seconds 60")]
pub struct Args {
    /// Address to listen on; when it is taken, a free port is used
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9480")]
    listen: String,
    /// Events a second
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Stop after so many seconds; 0 goes on until interrupted
    #[arg(long, value_name = "N", default_value_t = 0)]
    seconds: u64,
    /// The seed of the events
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The live metrics: name and query.
const METRICS: [(&str, &str); 4] = [
    ("requests", "groupBy(service)"),
    ("errors", "status>=500 | groupBy(service)"),
    ("latency", "groupBy(service, function=percentile(duration_ms, percentiles=[50, 95, 99]))"),
    ("top_users", "top(user, limit=5)"),
];

/// Runs the demo.
///
/// # Errors
/// When the server cannot start or stops answering.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("weir-async").build()?;
    runtime.block_on(async {
        let signal = Signal::listen()?;
        let running = serve(&args, folder.path()).await?;
        let server = format!("http://{}", running.address());
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut show = tokio::task::spawn_blocking(move || show(&args, &server, &told));
        let shown = tokio::select! {
            shown = &mut show => shown?,
            _ = signal.wait() => {
                stop.store(true, Ordering::Relaxed);
                show.await?
            }
        };
        running.stop().await;
        shown.map(|()| ExitCode::SUCCESS)
    })
}

async fn serve(args: &Args, data: &std::path::Path) -> anyhow::Result<Running> {
    let settings = |listen: &str| Settings {
        listen: listen.to_owned(),
        data: data.join("weir-data"),
        ..Settings::default()
    };
    let wanted = settings(&args.listen);
    // Where the port is taken a demo moves aside; any other trouble shows on the second try just as well.
    let taken = std::net::TcpListener::bind(&args.listen).is_err() && wanted.addresses().is_ok();
    start(if taken { settings("127.0.0.1:0") } else { wanted }).await
}

/// Sends and shows until time is up or `stop` is set.
fn show(args: &Args, server: &str, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let to = ServerArgs { server: server.to_owned(), token: None, repository: "default".to_owned() };
    let client = Client::new(&to);
    client.put("/api/v1/repositories/access", &json!({}))?;
    for (name, query) in METRICS {
        let metric =
            json!({ "query": query, "window": WINDOW, "granule": "1s", "time": "event", "lateness": "10s" });
        client.put(&format!("/api/v1/repositories/default/metrics/{name}"), &metric)?;
    }
    let mut screen = Screen::new(server, args.rate, std::io::stdout().is_terminal());
    let mut sender = Sender::new(Client::new(&to), args.seed, args.rate);
    let sent = sender.history(HISTORY_MINUTES)?;
    screen.introduce(&client, sent)?;
    let stream = sender.start(Arc::clone(stop));
    let mut second = 0;
    while !stop.load(Ordering::Relaxed)
        && !stream.is_finished()
        && (args.seconds == 0 || second < args.seconds)
    {
        std::thread::sleep(Duration::from_secs(1));
        second += 1;
        screen.show(&client, second)?;
    }
    stop.store(true, Ordering::Relaxed);
    match stream.join() {
        Ok(outcome) => outcome.and_then(|total| screen.part(sent + total)),
        Err(_) => anyhow::bail!("the sender failed"),
    }
}
