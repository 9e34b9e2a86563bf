//! What every request shares: the engine, the limits, the counters.

mod company;
mod gate;
mod kept;
mod lives;
mod slots;
mod streams;
mod unstored;

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use weir_engine::live::{Live, LiveError};
use weir_engine::lookups::Lookups;
use weir_engine::parsers::Parsers;
use weir_engine::saved::SavedQueries;
use weir_engine::scan::ScanPool;
use weir_engine::{Engine, Repository};
use weir_query::compile::Known;

use company::Company;
pub use gate::{Gate, Ticket};
use kept::Kept;
pub use slots::{SlotError, Slots};
pub use streams::{OpenStream, Streams};
pub use unstored::Unstored;

use crate::auth::Tokens;
use crate::error::ApiError;
use crate::jobs::JobTable;
use crate::observe::{Counters, EngineMetrics, LiveMetrics};
use crate::push::Channels;
use crate::search::{Fields, RepositoryCatalogue};
use crate::settings::Settings;

pub(crate) use lives::Lives;

/// The repository that always exists.
pub const DEFAULT_REPOSITORY: &str = "default";
/// Where definitions of standing metrics are kept, in the data directory.
const LIVE_FOLDER: &str = "live";
/// Where lookup files are kept, in the data directory.
const LOOKUP_FOLDER: &str = "lookups";
/// Where saved queries are kept.
const SAVED_FOLDER: &str = "saved";
/// Where parsers are kept.
const PARSER_FOLDER: &str = "parsers";

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
    request_gate: Gate,
    unstored: Unstored,
    company: Company,
    decoding: Slots,
    answering: Slots,
    pool: ScanPool,
    lives: Arc<Lives>,
    lookups: Arc<Kept<Lookups>>,
    saved_queries: Arc<Kept<SavedQueries>>,
    parsers: Kept<Parsers>,
    fields: Fields,
    jobs: JobTable,
    streams: Streams,
    channels: Channels,
    started: Instant,
    stop: CancellationToken,
}

impl App {
    /// An application over an open engine. `stop` is cancelled when the server begins to stop.
    ///
    /// # Errors
    /// When the default repository cannot be made, or a thread cannot be started.
    pub fn new(settings: Settings, engine: Arc<Engine>, stop: CancellationToken) -> Result<App, ApiError> {
        if engine.repository(DEFAULT_REPOSITORY).is_none() {
            engine.create_repository(DEFAULT_REPOSITORY)?;
        }
        let counters = Counters::new();
        counters.add_source(Box::new(EngineMetrics::new(Arc::clone(&engine))));
        let pool = ScanPool::new(settings.query.scan_threads);
        let waiting = settings.connections.max_connections;
        let folder = settings.data.join(LIVE_FOLDER);
        let lookups = Arc::new(Kept::new(settings.data.join(LOOKUP_FOLDER), Lookups::open));
        let saved_queries = Arc::new(Kept::new(settings.data.join(SAVED_FOLDER), SavedQueries::open));
        let known = (Arc::clone(&lookups), Arc::clone(&saved_queries));
        let lives = Arc::new(Lives::new(folder, known, pool.clone(), settings.standing.clone()));
        counters.add_source(Box::new(LiveMetrics::new(Arc::clone(&lives))));
        let shared = Shared {
            tokens: Tokens::new(&settings.tokens),
            gate: Gate::new(settings.ingest.max_in_flight_bytes, counters.ingest_held_bytes.clone()),
            request_gate: Gate::new(settings.query.max_requests_bytes, Gauge::default()),
            unstored: Unstored::default(),
            company: Company::default(),
            decoding: Slots::new(settings.ingest.decode_threads, waiting),
            answering: Slots::new(settings.query.answer_threads, settings.query.max_waiting),
            lives,
            lookups,
            saved_queries,
            parsers: Kept::new(settings.data.join(PARSER_FOLDER), Parsers::open),
            fields: Fields::default(),
            pool,
            jobs: JobTable::new(&settings.query, counters.jobs.clone()),
            streams: Streams::new(settings.standing.max_streams, counters.streams.clone()),
            channels: Channels::start(
                Duration::from_millis(settings.standing.heartbeat_millis),
                settings.standing.delta_cache_bytes,
            )
            .map_err(|error| LiveError::Stopped(error.to_string()))?,
            settings,
            engine,
            counters,
            started: Instant::now(),
            stop,
        };
        let app = App { shared: Arc::new(shared) };
        // Standing metrics go on from where they were, before anyone asks.
        for repository in app.engine().repositories() {
            app.live(&repository)?;
            app.read_kept(repository.name())?;
        }
        Ok(app)
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Who brings events besides.
    pub(crate) fn company(&self) -> &Company {
        &self.shared.company
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

    /// Room for the bodies of all other requests: ingest at its limit keeps nobody from searching.
    #[must_use]
    pub fn request_gate(&self) -> &Gate {
        &self.shared.request_gate
    }

    /// Bodies of which nothing was stored.
    #[must_use]
    pub fn unstored(&self) -> &Unstored {
        &self.shared.unstored
    }

    /// Turns for decoding bodies.
    #[must_use]
    pub fn decoding(&self) -> &Slots {
        &self.shared.decoding
    }

    /// Turns for compiling queries, finishing and encoding their results.
    #[must_use]
    pub fn answering(&self) -> &Slots {
        &self.shared.answering
    }

    /// The threads of scans.
    #[must_use]
    pub fn pool(&self) -> &ScanPool {
        &self.shared.pool
    }

    /// Query jobs.
    #[must_use]
    pub fn jobs(&self) -> &JobTable {
        &self.shared.jobs
    }

    /// Places for answers that stay open.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.shared.streams
    }

    /// Standing metrics that are pushed.
    #[must_use]
    pub fn channels(&self) -> &Channels {
        &self.shared.channels
    }

    /// The lookup tables of `repository`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn lookups(&self, repository: &str) -> Result<Arc<Lookups>, ApiError> {
        Ok(self.shared.lookups.of(repository)?)
    }

    /// The saved queries of `repository`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn saved_queries(&self, repository: &str) -> Result<Arc<SavedQueries>, ApiError> {
        Ok(self.shared.saved_queries.of(repository)?)
    }

    /// The parsers of `repository`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn parsers(&self, repository: &str) -> Result<Arc<Parsers>, ApiError> {
        Ok(self.shared.parsers.of(repository)?)
    }

    /// Reads what is kept of `repository` beside its events, before a request on an async thread asks for it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_kept(&self, repository: &str) -> Result<(), ApiError> {
        self.parsers(repository)?;
        self.known(repository).map(drop)
    }

    /// The lookup tables and saved queries of `repository` as they are now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn known(&self, repository: &str) -> Result<Known, ApiError> {
        Ok(Known {
            tables: self.lookups(repository)?.tables(),
            saved: self.saved_queries(repository)?.texts(),
        })
    }

    /// The names that a query of `repository` may use.
    ///
    /// # Errors
    /// When its lookup tables or saved queries cannot be read.
    pub fn catalogue(&self, repository: &Arc<Repository>) -> Result<RepositoryCatalogue, ApiError> {
        let known = self.known(repository.name())?;
        Ok(RepositoryCatalogue::new(Arc::clone(repository), known, self.shared.fields.clone()))
    }

    /// The lookup tables or saved queries of `repository` have changed: what is live there goes on with them.
    ///
    /// # Errors
    /// When live queries are being stopped.
    pub fn known_changed(&self, repository: &Arc<Repository>) -> Result<(), ApiError> {
        let live = self.live(repository)?;
        for name in live.known_changed()? {
            self.channels().redefined(&live, repository.name(), &name);
        }
        Ok(())
    }

    /// The live queries of a repository.
    ///
    /// # Errors
    /// When their definitions cannot be read.
    pub fn live(&self, repository: &Arc<Repository>) -> Result<Arc<Live>, ApiError> {
        Ok(self.shared.lives.of(repository)?)
    }

    /// Ends all live queries; standing metrics stay defined.
    pub fn close(&self) {
        self.shared.lives.close();
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
