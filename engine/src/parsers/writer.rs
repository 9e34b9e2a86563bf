//! Writes what parsers made of the events of a batch into another one, in their order.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;

use super::outcome::{Layout, Outcome};
use super::parser::ParserLimits;
use super::run::{Account, Chosen, Parsed};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, EventTime, PushError, TagSet};

/// Says that something went wrong with an event.
const ERROR: &str = "@error";
/// And what.
const ERROR_MESSAGE: &str = "@error_msg";
/// Says whether a parser did its work.
const PARSED: &str = "@event_parsed";
/// The tag that says it, too: few values, found without looking at events.
const ERROR_TAG: &str = "#error";

/// The most bytes that the text of an event may come to in all events made of it.
pub(super) const MAX_MADE_BYTES: usize = 16 << 20;

pub(super) struct Writer<'b> {
    batch: &'b EventBatch,
    limits: &'b ParserLimits,
    builder: EventBatchBuilder,
    tag_sets: TagSets,
    /// Of the event that is being written.
    account: Account,
    by_parser: Vec<Account>,
}

impl<'b> Writer<'b> {
    pub(super) fn new(
        batch: &'b EventBatch,
        parsers: usize,
        limits: &'b ParserLimits,
        event_limits: EventLimits,
    ) -> Writer<'b> {
        let mut builder = EventBatchBuilder::new(event_limits).with_reference(batch.ingest_nanos());
        builder.reserve(batch.raw_bytes());
        Writer {
            batch,
            limits,
            builder,
            tag_sets: TagSets::default(),
            account: Account::default(),
            by_parser: vec![Account::default(); parsers],
        }
    }

    /// The batch that was written.
    pub(super) fn finish(mut self) -> Parsed {
        let mut account = Account::default();
        self.by_parser.iter().for_each(|own| account.add(own));
        let batch = self.builder.finish(self.batch.ingest_nanos());
        Parsed { batch, account, by_parser: self.by_parser }
    }

    /// Writes what became of event `row`. Without a parser it stays what it is.
    pub(super) fn write(
        &mut self,
        row: usize,
        parser: Option<(usize, &Chosen)>,
        outcome: Option<&Outcome>,
        passes: &[Layout<'_>],
    ) -> Result<(), PushError> {
        let (Some((number, parser)), Some(outcome)) = (parser, outcome) else {
            let tags = self.batch.tag_set(row).cloned().unwrap_or_default();
            return self.builder.push_as_it_came(self.batch, row, &tags, &[]);
        };
        self.account = Account { given: 1, ..Account::default() };
        self.write_outcome(row, parser, outcome, passes)?;
        let account = self.account;
        self.by_parser.get_mut(number).into_iter().for_each(|own| own.add(&account));
        Ok(())
    }

    fn write_outcome(
        &mut self,
        row: usize,
        parser: &Chosen,
        outcome: &Outcome,
        passes: &[Layout<'_>],
    ) -> Result<(), PushError> {
        let (pass, made) = match outcome {
            Outcome::Failed(why) => return self.fail(row, parser, why),
            Outcome::Made(pass, made) => (passes.get(*pass), made),
        };
        let Some(pass) = pass.filter(|_| !made.is_empty()) else {
            return self.fail(row, parser, "no filter of it lets the event through");
        };
        let left: Vec<usize> =
            made.iter().map(|at| *at as usize).filter(|at| !pass.is_dropped(*at)).collect();
        if left.is_empty() {
            self.account.dropped += 1;
            return Ok(());
        }
        let limit = self.limits.max_events_per_event;
        if left.len() > limit {
            let why = format!("it makes {} events of it, over the limit of {limit}", left.len());
            return self.fail(row, parser, &why);
        }
        // Each has the text of all.
        let bytes = left.len().saturating_mul(self.batch.raw(row).len());
        if left.len() > 1 && bytes > MAX_MADE_BYTES {
            let why = format!(
                "its text in each of the {} events made of it is {bytes} bytes, over the limit of {MAX_MADE_BYTES}",
                left.len()
            );
            return self.fail(row, parser, &why);
        }
        // All of them are looked at before the first is written: one that is over a limit fails them together.
        let events: Result<Vec<Event<'_>>, String> =
            left.iter().map(|at| self.event(row, *at, parser, pass)).collect();
        let events = match events {
            Ok(events) => events,
            Err(why) => return self.fail(row, parser, &why),
        };
        let (mut has_error, mut is_kept) = (false, false);
        for event in &events {
            let fields: Vec<(&str, &str)> =
                event.fields.iter().map(|(name, value)| (*name, &**value)).collect();
            let raw = event.text.as_ref().map_or(self.batch.raw(row), |text| text.as_bytes());
            let tags = self.tag_sets.of(&event.tags);
            match self.builder.push_fields(raw, event.time, &tags, &fields) {
                // Limits of the store, which are about all events: the text at least stays.
                Err(PushError::Attributes(_) | PushError::EventTooLarge { .. }) => {
                    // Once, for all that do not fit.
                    if !is_kept {
                        self.keep(row, parser, "its fields are over a limit of the store")?;
                    }
                    (has_error, is_kept) = (true, true);
                }
                pushed => pushed?,
            }
            has_error |= event.is_faulty;
        }
        self.account.made += events.len() - 1;
        match has_error {
            true => self.account.failed += 1,
            false => self.account.parsed += 1,
        }
        Ok(())
    }

    /// The event that row `at` of a pass is, made of event `row`.
    fn event<'l>(
        &self,
        row: usize,
        at: usize,
        parser: &'l Chosen,
        pass: &'l Layout<'_>,
    ) -> Result<Event<'l>, String>
    where
        'b: 'l,
    {
        let mut fields: Vec<(&str, Cow<'l, str>)> = pass.fields(at).collect();
        let (count, bytes) = (fields.len(), fields.iter().map(|(name, value)| name.len() + value.len()));
        let (bytes, limits) = (bytes.sum::<usize>(), self.limits);
        if count > limits.max_fields_per_event {
            let limit = limits.max_fields_per_event;
            return Err(format!("it gives an event {count} fields, over the limit of {limit}"));
        }
        if bytes > limits.max_field_bytes_per_event {
            let limit = limits.max_field_bytes_per_event;
            return Err(format!("it gives an event {bytes} bytes of fields, over the limit of {limit}"));
        }
        let before =
            EventTime { nanos: self.batch.timestamp(row), is_arrival: self.batch.has_arrival_timestamp(row) };
        let (time, mut wrong) = match pass.time(at, before, self.batch.ingest_nanos()) {
            Ok(time) => (time, None),
            Err(wrong) => (before, Some(wrong)),
        };
        let told = fields.iter().any(|(name, value)| *name == ERROR && value == "true");
        let mut tags = self.own_tags(row, parser);
        tags.extend(pass.tags(at));
        let is_faulty = told || wrong.is_some();
        if is_faulty {
            let has =
                |fields: &[(&str, Cow<'_, str>)], name: &str| fields.iter().any(|(own, _)| *own == name);
            let message = wrong.take().filter(|_| !has(&fields, ERROR_MESSAGE));
            fields.extend(message.map(|message| (ERROR_MESSAGE, message.into())));
            for (name, value) in [(ERROR, "true"), (PARSED, "false")] {
                if !has(&fields, name) {
                    fields.push((name, value.into()));
                }
            }
            tags.push((ERROR_TAG, "true".into()));
        }
        // The text that was sent stays, byte for byte, unless the parser made another one of it.
        let text = pass.text(at).filter(|text| **text != *self.batch.raw_text(row));
        Ok(Event { fields, tags, time, text, is_faulty })
    }

    /// The tags that event `row` came with, its type being the parser's name. A parser gives others or other values; it
    /// takes none away.
    fn own_tags<'l>(&self, row: usize, parser: &'l Chosen) -> Vec<(&'l str, Cow<'l, str>)>
    where
        'b: 'l,
    {
        let own = self.batch.tag_set(row).into_iter().flat_map(|tags| tags.iter());
        let own = own.map(|(name, value)| (name, Cow::from(value)));
        own.chain([("#type", Cow::from(&*parser.name))]).collect()
    }

    /// Counts the event as one that the parser failed on, and keeps it.
    fn fail(&mut self, row: usize, parser: &Chosen, why: &str) -> Result<(), PushError> {
        self.account.failed += 1;
        self.keep(row, parser, why)
    }

    /// Keeps the event as it came, with what went wrong.
    fn keep(&mut self, row: usize, parser: &Chosen, why: &str) -> Result<(), PushError> {
        let mut tags = self.own_tags(row, parser);
        tags.push((ERROR_TAG, "true".into()));
        let tags = self.tag_sets.of(&tags);
        let message = format!("parser `{}`: {why}", parser.name);
        let more = [(ERROR, "true"), (ERROR_MESSAGE, &*message), (PARSED, "false")];
        match self.builder.push_as_it_came(self.batch, row, &tags, &more) {
            // What is told of it does not fit beside what was sent; the tag says that it failed.
            Err(PushError::EventTooLarge { .. } | PushError::Attributes(_)) => {
                self.builder.push_as_it_came(self.batch, row, &tags, &[])
            }
            pushed => pushed,
        }
    }
}

/// An event that is to be written.
struct Event<'l> {
    fields: Vec<(&'l str, Cow<'l, str>)>,
    tags: Vec<(&'l str, Cow<'l, str>)>,
    time: EventTime,
    /// Its text, where it is not the one that was sent.
    text: Option<Cow<'l, str>>,
    is_faulty: bool,
}

/// Tag sets that were made, by the tags they are made of.
#[derive(Default)]
struct TagSets {
    known: HashMap<Vec<u8>, Arc<TagSet>, foldhash::fast::RandomState>,
    key: Vec<u8>,
}

impl TagSets {
    /// The set of these tags; of equal names the last counts.
    fn of(&mut self, tags: &[(&str, Cow<'_, str>)]) -> Arc<TagSet> {
        self.key.clear();
        for text in tags.iter().flat_map(|(name, value)| [*name, value]) {
            self.key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.key.extend_from_slice(text.as_bytes());
        }
        if let Some(set) = self.known.get(&self.key) {
            return Arc::clone(set);
        }
        let set = Arc::new(TagSet::new(tags.iter().map(|(name, value)| (*name, value))));
        self.known.insert(self.key.clone(), Arc::clone(&set));
        set
    }
}
