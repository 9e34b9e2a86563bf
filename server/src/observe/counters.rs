//! The server's own counters, by the names Prometheus reads.

use std::borrow::Cow;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels of an answered request. Routes are patterns, so their number is fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route's pattern.
    pub route: Cow<'static, str>,
    /// The method.
    pub method: &'static str,
    /// The status.
    pub status: u16,
}

/// Labels of a route's latency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// The route's pattern.
    pub route: Cow<'static, str>,
}

/// Labels of what became of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IngestLabels {
    /// As [`IngestCounters`] has them.
    outcome: &'static str,
}

/// What became of events, by its labels; each counter at hand.
#[derive(Clone, Debug)]
pub struct IngestCounters {
    family: Family<IngestLabels, Counter>,
    /// Stored.
    pub accepted: Counter,
    /// Not stored.
    pub rejected: Counter,
    /// Stored, but not what they were said to be: with `@error`.
    pub unparsed: Counter,
    /// Dropped by a parser.
    pub dropped: Counter,
    /// Stored before.
    pub duplicate: Counter,
}

impl Default for IngestCounters {
    fn default() -> IngestCounters {
        let family = Family::<IngestLabels, Counter>::default();
        let counter = |outcome| family.get_or_create(&IngestLabels { outcome }).clone();
        IngestCounters {
            accepted: counter("accepted"),
            rejected: counter("rejected"),
            unparsed: counter("unparsed"),
            dropped: counter("dropped"),
            duplicate: counter("duplicate"),
            family,
        }
    }
}

/// Labels of what became of events that came for a parser.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ParserLabels {
    /// The parser's name; empty where there is none of the name that was asked for.
    pub parser: String,
    /// `parsed`, `failed` (stored, with `@error`), `dropped`, `made` (beyond the first of one), `unknown` (no such parser).
    pub outcome: &'static str,
}

/// Every counter of the server. Cloning shares them.
#[derive(Debug)]
pub struct Counters {
    /// Answered requests.
    pub requests: Family<RequestLabels, Counter>,
    /// Seconds from head to head.
    pub seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Requests being answered.
    pub in_flight: Gauge,
    /// What became of events.
    pub ingest_events: IngestCounters,
    /// What became of events that came for a parser.
    pub parser_events: Family<ParserLabels, Counter>,
    /// Bytes of ingest bodies as sent.
    pub ingest_wire_bytes: Counter,
    /// The same after decompression.
    pub ingest_decoded_bytes: Counter,
    /// Bytes of ingest bodies held now.
    pub ingest_held_bytes: Gauge,
    /// Ingest requests refused for want of room.
    pub ingest_refused: Counter,
    /// Queries started.
    pub queries: Counter,
    /// Queries whose answer was partial.
    pub queries_partial: Counter,
    /// Events that queries looked at.
    pub query_events: Counter,
    /// Raw bytes of those.
    pub query_bytes: Counter,
    /// Seconds of a query.
    pub query_seconds: Histogram,
    /// Query jobs kept now.
    pub jobs: Gauge,
    /// Event streams open now.
    pub streams: Gauge,
    /// Results left out for readers of pushed metrics that were slow.
    pub pushes_skipped: Counter,
    /// Requests that panicked; should be 0 for ever.
    pub panics: Counter,
    registry: Mutex<Registry>,
}

fn request_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 18))
}

impl Counters {
    /// Zeros, registered under `weir_`.
    #[must_use]
    pub fn new() -> Counters {
        let mut counters = Counters {
            requests: Family::default(),
            seconds: Family::new_with_constructor(request_histogram as fn() -> Histogram),
            in_flight: Gauge::default(),
            ingest_events: IngestCounters::default(),
            parser_events: Family::default(),
            ingest_wire_bytes: Counter::default(),
            ingest_decoded_bytes: Counter::default(),
            ingest_held_bytes: Gauge::default(),
            ingest_refused: Counter::default(),
            queries: Counter::default(),
            queries_partial: Counter::default(),
            query_events: Counter::default(),
            query_bytes: Counter::default(),
            query_seconds: request_histogram(),
            jobs: Gauge::default(),
            streams: Gauge::default(),
            pushes_skipped: Counter::default(),
            panics: Counter::default(),
            registry: Mutex::new(Registry::default()),
        };
        counters.register_all();
        counters
    }

    fn register_all(&mut self) {
        let mut registry = Registry::with_prefix("weir");
        let r = &mut registry;
        r.register("http_requests", "Answered requests", self.requests.clone());
        r.register("http_request_seconds", "Time to the head of the answer", self.seconds.clone());
        r.register("http_in_flight", "Requests being answered", self.in_flight.clone());
        r.register("ingest_events", "Events by what became of them", self.ingest_events.family.clone());
        r.register("parser_events", "Events that came for a parser", self.parser_events.clone());
        r.register("ingest_wire_bytes", "Bytes of bodies as sent", self.ingest_wire_bytes.clone());
        r.register("ingest_decoded_bytes", "Bytes of bodies decompressed", self.ingest_decoded_bytes.clone());
        r.register("ingest_held_bytes", "Bytes of bodies held now", self.ingest_held_bytes.clone());
        r.register("ingest_refused", "Ingest requests refused for want of room", self.ingest_refused.clone());
        r.register("queries", "Queries started", self.queries.clone());
        r.register("queries_partial", "Queries with a partial answer", self.queries_partial.clone());
        r.register("query_events", "Events that queries looked at", self.query_events.clone());
        r.register("query_bytes", "Raw bytes that queries looked at", self.query_bytes.clone());
        r.register("query_seconds", "Time of a query", self.query_seconds.clone());
        r.register("query_jobs", "Query jobs kept now", self.jobs.clone());
        r.register("event_streams", "Event streams open now", self.streams.clone());
        r.register("pushes_skipped", "Results left out for slow readers", self.pushes_skipped.clone());
        r.register("panics", "Requests that ended in a defect", self.panics.clone());
        *self.registry.get_mut() = registry;
    }

    /// Adds a source of further metrics, asked at every scrape.
    pub fn add_source(&self, source: Box<dyn prometheus_client::collector::Collector>) {
        self.registry.lock().register_collector(source);
    }

    /// The text Prometheus scrapes (OpenMetrics).
    ///
    /// # Errors
    /// When formatting fails, which text does not.
    pub fn scrape(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::new()
    }
}
