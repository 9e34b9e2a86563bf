//! Parsers on the way in: which one the events of a request go through, and what they make of them.
//!
//! ```text
//! the token's > ?parser= > type (Humio's messages), sourcetype (HEC) > the repository's default
//! ```
//!
//! The first that is said counts. A name that no parser has changes nothing: events stay as they come, and the answer and
//! `/metrics` say so. What was sent as structured events is parsed already; only the token and the query string have a
//! parser look at it again.

use std::sync::Arc;

use weir_engine::event::{EventBatch, TagSet};
use weir_engine::parsers::{Account, Chosen, Parsers, parse};

use crate::app::App;
use crate::auth::Bearer;
use crate::decode::{DecodeError, DecodeOptions, Decoded, Route};
use crate::error::ApiError;
use crate::observe::ParserLabels;
use crate::wire::{IngestAnswer, IngestParameters};

/// The parser that does what decoding JSON does anyway.
const JSON: &str = "json";
/// Parsers that are not there are told up to so many.
const MAX_WARNINGS: usize = 10;
/// The field of an event that could not be read as what it was said to be.
const ERROR: &str = "@error";
/// The tag with the name of an event's parser.
const TYPE: &str = "#type";

/// What became of the events that came for parsers: told in `/metrics` once they are stored, so that what is sent again counts
/// once.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<(ParserLabels, u64)>);

impl Counts {
    /// Adds them to `/metrics`.
    pub(super) fn tell(self, app: &App) {
        for (labels, events) in self.0 {
            app.counters().parser_events.get_or_create(&labels).inc_by(events);
        }
    }

    fn add(&mut self, parser: &str, outcome: &'static str, events: usize) {
        if events > 0 {
            self.0.push((ParserLabels { parser: parser.to_owned(), outcome }, events as u64));
        }
    }
}

/// Which parsers the events of a request go through.
pub(super) struct Parsing {
    app: App,
    repository: Arc<str>,
    parsers: Arc<Parsers>,
    /// That of all of them.
    whole: Option<Arc<str>>,
    /// Each says its own, if any.
    by_type: bool,
    /// That of those which say none.
    default: Option<Arc<str>>,
}

impl Parsing {
    /// What `bearer`, the query string, the route and the repository say.
    ///
    /// # Errors
    /// When the repository's parsers cannot be read.
    pub(super) fn of(
        app: &App,
        repository: &Arc<str>,
        route: Route,
        parameters: &IngestParameters,
        bearer: &Bearer,
    ) -> Result<Parsing, ApiError> {
        let parsers = app.parsers(repository)?;
        let said = bearer.parser.as_deref().or(parameters.parser.as_deref()).filter(|name| !name.is_empty());
        let is_plain = matches!(route, Route::Any | Route::Json | Route::Raw | Route::HecRaw);
        let default = parsers.default();
        let whole = match said {
            Some(name) => Some(Arc::from(name)),
            None if is_plain => default.clone(),
            None => None,
        };
        let by_type = whole.is_none() && matches!(route, Route::Hec | Route::HumioUnstructured);
        Ok(Parsing { app: app.clone(), repository: Arc::clone(repository), parsers, whole, by_type, default })
    }

    /// Whether events may go through a parser.
    pub(super) fn is_needed(&self) -> bool {
        self.whole.is_some() || self.by_type
    }

    /// Says how the body is to be decoded.
    pub(super) fn prepare(&self, options: &mut DecodeOptions) {
        let Some(name) = self.whole.as_deref().filter(|name| self.parsers.get(name).is_some()) else {
            return;
        };
        options.as_text = !self.is_native(name);
        if !options.as_text {
            let tags = options.tags.iter().chain([(TYPE, name)]);
            options.tags = Arc::new(TagSet::new(tags));
        }
    }

    /// Whether decoding does what this parser does.
    fn is_native(&self, name: &str) -> bool {
        name == JSON && self.parsers.get(name).is_some_and(|parser| parser.is_built_in())
    }

    /// Runs the parsers over what was decoded, and tells `answer` what became of it; gives what is to be counted once it is
    /// stored. `has_key`: what is sent again has to be known again.
    ///
    /// # Errors
    /// When they make too much of it for one batch, or what they name cannot be read.
    pub(super) fn run(
        &self,
        decoded: &mut Decoded,
        has_key: bool,
        answer: &mut IngestAnswer,
    ) -> Result<Counts, ApiError> {
        let mut counts = Counts::default();
        if !self.is_needed() || decoded.batch.is_empty() {
            return Ok(counts);
        }
        let names: Vec<Option<&str>> = match &self.whole {
            Some(name) => vec![Some(&**name)],
            None => {
                let sets = decoded.batch.tag_sets().iter();
                sets.map(|tags| tags.get(TYPE).or(self.default.as_deref())).collect()
            }
        };
        let warnings = self.tell_unknown(&names, &decoded.batch, &mut counts);
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            numbers.push(self.number(name, &mut chosen)?);
        }
        let batch = &decoded.batch;
        let is_whole = self.whole.is_some();
        let native = chosen.iter().map(|chosen| self.is_native(&chosen.name)).collect::<Vec<bool>>();
        let of_row = |row: usize| {
            let set = if is_whole { Some(0) } else { batch.tag_set_index(row) };
            let number: usize = numbers.get(set?).copied().flatten()?;
            let is_done = native.get(number) == Some(&true) && batch.json(row).is_some();
            (!is_done).then_some(number)
        };
        let mut account = Account::default();
        let mut by_parser = Vec::new();
        if (0..batch.len()).any(|row| of_row(row).is_some()) {
            let limits = self.app.settings().parser.limits();
            let event_limits = crate::decode::DecodeLimits {
                max_event_bytes: self.app.settings().ingest.max_event_bytes,
                ..crate::decode::DecodeLimits::default()
            };
            let parsed = parse(batch, &chosen, &of_row, &limits, event_limits.event());
            let parsed = parsed
                .map_err(|_| DecodeError::BatchTooLarge { limit: event_limits.event().max_batch_bytes })?;
            (account, by_parser) = (parsed.account, parsed.by_parser);
            decoded.batch = keep_content(has_key, batch, parsed.batch);
        }
        chosen.iter().zip(&by_parser).for_each(|(chosen, account)| count(&chosen.name, account, &mut counts));
        let unparsed = match decoded.unparsed {
            0 => account.failed,
            // Some had an error before: one that a parser failed on, too, is one, and one that is gone is none.
            _ => (0..decoded.batch.len()).filter(|row| decoded.batch.value(*row, ERROR).is_some()).count(),
        };
        answer.add_parsed(&account, decoded.batch.len(), unparsed, warnings);
        Ok(counts)
    }

    /// Which of the chosen parsers `name` is, which it is made one of.
    fn number(&self, name: Option<&str>, chosen: &mut Vec<Chosen>) -> Result<Option<usize>, ApiError> {
        let Some(name) = name else { return Ok(None) };
        if let Some(known) = chosen.iter().position(|chosen| *chosen.name == *name) {
            return Ok(Some(known));
        }
        if self.parsers.get(name).is_none() {
            return Ok(None);
        }
        let known = self.app.known(&self.repository)?;
        // It may have been removed meanwhile.
        let Some(one) = self.parsers.chosen(name, &known) else { return Ok(None) };
        chosen.push(one);
        Ok(Some(chosen.len() - 1))
    }

    /// Counts the events of `batch` that came for parsers which are not there, and says so; `names` are those asked for, by
    /// tag set where each event says its own.
    fn tell_unknown(&self, names: &[Option<&str>], batch: &EventBatch, counts: &mut Counts) -> Vec<String> {
        let is_unknown = |name: &Option<&str>| name.is_some_and(|name| self.parsers.get(name).is_none());
        let by_set: Vec<bool> = names.iter().map(is_unknown).collect();
        if !by_set.contains(&true) {
            return Vec::new();
        }
        let is_counted = |row: &usize| {
            self.whole.is_some() || by_set.get(batch.tag_set_index(*row).unwrap_or(usize::MAX)) == Some(&true)
        };
        let events = (0..batch.len()).filter(is_counted).count();
        counts.add("", "unknown", events);
        let mut unknown: Vec<&str> =
            names.iter().filter(|name| is_unknown(name)).copied().flatten().collect();
        unknown.sort_unstable();
        unknown.dedup();
        let tell = |name: &&str| format!("there is no parser {name:?}: its events are kept as they came");
        unknown.iter().take(MAX_WARNINGS).map(tell).collect()
    }
}

fn count(parser: &str, account: &Account, counts: &mut Counts) {
    let outcomes = [
        ("parsed", account.parsed),
        ("failed", account.failed),
        ("dropped", account.dropped),
        ("made", account.made),
    ];
    outcomes.into_iter().for_each(|(outcome, events)| counts.add(parser, outcome, events));
}

fn keep_content(has_key: bool, sent: &EventBatch, parsed: EventBatch) -> EventBatch {
    if has_key { parsed.with_content_crc(sent.content_crc()) } else { parsed }
}
