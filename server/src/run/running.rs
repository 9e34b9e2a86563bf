//! A server that runs: in the binary until a signal, in `weir demo` and tests until told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_engine::{Engine, EngineConfig, Retention};

use crate::app::App;
use crate::connection::{Server, Stopped};
use crate::routes::Front;
use crate::settings::{Settings, Storage};

/// How often forgotten jobs are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// A server that accepts connections.
pub struct Running {
    address: SocketAddr,
    engine: Arc<Engine>,
    app: App,
    stop: CancellationToken,
    serving: JoinHandle<Stopped>,
}

/// Opens the store and begins to serve.
///
/// # Errors
/// When the store cannot be opened or the address cannot be bound.
pub async fn start(settings: Settings) -> anyhow::Result<Running> {
    let addresses = settings.addresses()?;
    let config = engine_config(&settings);
    let data = settings.data.clone();
    let engine = tokio::task::spawn_blocking(move || Engine::open(config))
        .await?
        .with_context(|| format!("cannot open {}", data.display()))?;
    let engine = Arc::new(engine);
    let stop = CancellationToken::new();
    let server = Server::bind(&addresses, &settings.connections)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = server.local_addr()?;
    let (for_app, token) = (Arc::clone(&engine), stop.clone());
    let app = tokio::task::spawn_blocking(move || App::new(settings, for_app, token))
        .await?
        .map_err(|error| anyhow::anyhow!("cannot open the repositories: {}", error.message))?;
    let front = Arc::new(Front::new(&app));
    let answer = move |connection, request| {
        let front = Arc::clone(&front);
        async move { front.answer(connection, request).await }
    };
    let serving = tokio::spawn(server.run(answer, stop.clone()));
    tokio::spawn(forget_jobs(app.clone()));
    Ok(Running { address, engine, app, stop, serving })
}

impl Running {
    /// What it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets requests finish within the grace time, closes the store. What was acknowledged is
    /// safe before this and after it.
    pub async fn stop(self) {
        self.stop.cancel();
        match self.serving.await {
            Ok(Stopped { cut: 0 }) => {}
            Ok(Stopped { cut }) => tracing::warn!(cut, "connections were cut after the grace time"),
            Err(error) => tracing::error!(%error, "the accept loop failed"),
        }
        let (engine, app) = (self.engine, self.app);
        let close = move || {
            app.close();
            engine.shutdown();
        };
        if let Err(error) = tokio::task::spawn_blocking(close).await {
            tracing::error!(%error, "the engine did not shut down cleanly");
        }
        tracing::info!("stopped");
    }
}

/// Ends query jobs that nobody asks about.
async fn forget_jobs(app: App) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = app.stop().cancelled() => return,
            _ = tick.tick() => app.jobs().sweep(Instant::now()),
        }
    }
}

/// What a batch may take in the log, in sizes of the largest body that is decoded. One body is one batch: what the log adds and a
/// parser finds in it comes to 2.6 times the bytes of an access log. Of a body that a parser makes more of nothing is stored: it
/// is refused as too large, and may be sent in parts.
const LOGGED_TIMES: usize = 4;

/// The engine's limits out of the server's settings.
fn engine_config(settings: &Settings) -> EngineConfig {
    let Storage {
        retention_seconds,
        retention_bytes,
        min_free_bytes,
        block_cache_bytes,
        brief_sync_micros,
        seal_threads,
        merge_cpu_percent,
        max_repositories,
        ..
    } = settings.storage;
    let some = |value: u64| (value > 0).then_some(value);
    let defaults = EngineConfig::new(&settings.data);
    let decoded = settings.ingest.max_decoded_bytes.saturating_mul(LOGGED_TIMES);
    let max_batch_bytes = decoded.max(defaults.max_batch_bytes);
    EngineConfig {
        max_batch_bytes,
        queue_bytes: max_batch_bytes.max(defaults.queue_bytes),
        retention: Retention { age_secs: some(retention_seconds), bytes: some(retention_bytes) },
        min_free_bytes,
        block_cache_bytes,
        brief_sync_micros,
        seal_threads,
        merge_cpu_percent,
        state_cache_bytes: settings.query.state_cache_bytes,
        max_repositories,
        ..defaults
    }
}
