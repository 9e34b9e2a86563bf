//! What every request shares: the engine, the limits, the counters.

mod gate;
mod slots;

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use weir_engine::{Engine, Repository};

pub use gate::{Gate, Ticket};
pub use slots::{SlotError, Slots};

use crate::auth::Tokens;
use crate::error::ApiError;
use crate::observe::{Counters, EngineMetrics};
use crate::settings::Settings;

/// The repository that always exists.
pub const DEFAULT_REPOSITORY: &str = "default";

/// Shared by all requests; cloning is cheap.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    engine: Arc<Engine>,
    tokens: Tokens,
    counters: Counters,
    gate: Gate,
    decoding: Slots,
    started: Instant,
    stop: CancellationToken,
}

impl App {
    /// An application over an open engine. `stop` is cancelled when the server begins to stop.
    ///
    /// # Errors
    /// When the default repository cannot be made.
    pub fn new(settings: Settings, engine: Arc<Engine>, stop: CancellationToken) -> Result<App, ApiError> {
        engine.create_repository(DEFAULT_REPOSITORY)?;
        let counters = Counters::new();
        counters.add_source(Box::new(EngineMetrics::new(Arc::clone(&engine))));
        let waiting = settings.connections.max_connections;
        let shared = Shared {
            tokens: Tokens::new(&settings.tokens),
            gate: Gate::new(settings.ingest.max_in_flight_bytes, counters.ingest_held_bytes.clone()),
            decoding: Slots::new(settings.ingest.decode_threads, waiting),
            settings,
            engine,
            counters,
            started: Instant::now(),
            stop,
        };
        Ok(App { shared: Arc::new(shared) })
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// Who may do what.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.shared.tokens
    }

    /// The server's own counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Room for ingest bodies.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// Turns for decoding bodies.
    #[must_use]
    pub fn decoding(&self) -> &Slots {
        &self.shared.decoding
    }

    /// When it started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.shared.started
    }

    /// Cancelled when the server begins to stop.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// The repository of that name. `+` stands for a space where clients escape a path as if it were a query.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn repository(&self, name: &str) -> Result<Arc<Repository>, ApiError> {
        let engine = &self.shared.engine;
        engine.repository(name).or_else(|| engine.repository(&name.replace('+', " "))).ok_or_else(|| {
            ApiError::new(
                axum::http::StatusCode::NOT_FOUND,
                "no-such-repository",
                format!("no repository is named {name:?}"),
            )
            .hint("make it with PUT /api/v1/repositories/{name}")
        })
    }
}
