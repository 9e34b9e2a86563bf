//! Takes events one by one into batches and keeps the account of them.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use weir_engine::event::json::escape_into;
use weir_engine::event::{EventBatch, EventBatchBuilder, PushError, Pushed, TagSet};

use super::DecodeOptions;
use super::error::DecodeError;

/// How much of a rejected event is shown.
const EXCERPT_BYTES: usize = 80;
/// A builder that takes more memory between two bodies is not kept.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// The builder of the last body of this thread. It knows the shapes seen last, so that an event that comes alone is
    /// compared with them, and not walked as if it were the first of its kind.
    static KEPT: Cell<Option<EventBatchBuilder>> = const { Cell::new(None) };
}

/// The events of a body, and the account of those that were not taken.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The events taken.
    pub batch: EventBatch,
    /// How many were taken: the length of the batch.
    pub accepted: usize,
    /// How many of those were not what they were said to be: stored as text, with `@error`.
    pub unparsed: usize,
    /// The events that were not taken: the first of them, up to [`super::DecodeLimits::max_rejected_listed`].
    pub rejected: Vec<Rejected>,
    /// How many were not taken.
    pub rejected_count: usize,
    /// Empty lines, which are no events.
    pub blank: usize,
}

/// An event that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place among the events of the body, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
    /// How it starts.
    pub excerpt: String,
}

/// What an event has besides its raw text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside<'e> {
    /// Nanoseconds since the epoch, when the sender said so.
    pub timestamp: Option<i64>,
    /// All its tags, those of the options included; `None`: just those.
    pub tags: Option<&'e Arc<TagSet>>,
    /// A JSON object.
    pub attributes: Option<&'e str>,
}

/// Takes events.
pub(super) struct Intake<'a> {
    pub options: &'a DecodeOptions,
    builder: EventBatchBuilder,
    emit: Option<&'a mut dyn FnMut(Decoded) -> ControlFlow<()>>,
    /// The fields of the options; `None` when there are none.
    fields: Option<Members>,
    /// What the events are parts of, where a batch may share it.
    lent: Option<&'a Arc<String>>,
    account: Decoded,
    index: usize,
}

impl<'a> Intake<'a> {
    /// Makes one batch.
    pub(super) fn whole(options: &'a DecodeOptions) -> Intake<'a> {
        let limits = options.limits.event();
        let builder = KEPT.take().map_or_else(|| EventBatchBuilder::new(limits), |kept| kept.again(limits));
        let builder = builder
            .with_timestamp_field(options.timestamp_field.as_deref())
            .with_reference(options.arrival_nanos);
        let mut fields = Members::default();
        for (name, value) in &options.fields {
            fields.text(name, value);
        }
        let fields = (!options.fields.is_empty()).then_some(fields);
        Intake { options, builder, emit: None, fields, lent: None, account: Decoded::default(), index: 0 }
    }

    /// Makes one batch of parts of `text`, which shares it if it can.
    pub(super) fn lent(options: &'a DecodeOptions, text: &'a Arc<String>) -> Intake<'a> {
        Intake { lent: Some(text), ..Intake::whole(options) }
    }

    /// Makes as many batches as it takes.
    pub(super) fn batches(
        options: &'a DecodeOptions,
        emit: &'a mut dyn FnMut(Decoded) -> ControlFlow<()>,
    ) -> Intake<'a> {
        Intake { emit: Some(emit), ..Intake::whole(options) }
    }

    /// Makes room for `bytes` of raw text.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if self.lent.is_some() {
            return;
        }
        let most = if self.emit.is_some() { self.options.limits.target_batch_bytes } else { usize::MAX };
        self.builder.reserve(bytes.min(most));
    }

    /// An event whose raw text should be a JSON object.
    pub(super) fn json(&mut self, raw: &[u8], beside: Beside<'_>) -> Result<(), DecodeError> {
        self.push(raw, beside, true, false)
    }

    /// An event of plain text.
    pub(super) fn text(&mut self, raw: &[u8], beside: Beside<'_>) -> Result<(), DecodeError> {
        self.push(raw, beside, false, false)
    }

    /// An event of JSON with a part that is not understood: the attributes have `@error`.
    pub(super) fn faulty_json(&mut self, raw: &[u8], beside: Beside<'_>) -> Result<(), DecodeError> {
        self.push(raw, beside, true, true)
    }

    /// An event that is not what it should be, kept as text.
    pub(super) fn unparsed(&mut self, raw: &[u8], beside: Beside<'_>, why: &str) -> Result<(), DecodeError> {
        let mut members = Members::default();
        members.object(beside.attributes);
        members.text("@error", why);
        self.push(raw, Beside { attributes: Some(members.finish()), ..beside }, false, true)
    }

    /// An event that is not taken.
    pub(super) fn reject(&mut self, front: &[u8], reason: String) {
        let index = self.index;
        self.index += 1;
        self.account.rejected_count += 1;
        if self.account.rejected.len() < self.options.limits.max_rejected_listed {
            let front = front.get(..EXCERPT_BYTES).unwrap_or(front);
            let excerpt = String::from_utf8_lossy(front).into_owned();
            self.account.rejected.push(Rejected { index, reason, excerpt });
        }
    }

    /// An event that is not taken because it has this many bytes.
    pub(super) fn reject_too_large(&mut self, front: &[u8], bytes: usize) {
        let limit = self.options.limits.max_event_bytes;
        self.reject(front, PushError::EventTooLarge { bytes, limit }.to_string());
    }

    /// A line that is no event.
    pub(super) fn blank(&mut self) {
        self.account.blank += 1;
    }

    /// Takes an event, as JSON or text; one that is `faulty` counts as unparsed when it is taken.
    fn push(&mut self, raw: &[u8], beside: Beside<'_>, json: bool, faulty: bool) -> Result<(), DecodeError> {
        let merged = self.fields.as_ref().map(|fields| {
            let mut members = fields.clone();
            members.object(beside.attributes);
            members
        });
        let merged = merged.map(|members| members.closed());
        let attributes = merged.as_deref().or(beside.attributes);
        let options = self.options;
        let tags = beside.tags.unwrap_or(&options.tags);
        let mut pushed = self.try_push(raw, beside.timestamp, tags, attributes, json);
        if let (Err(PushError::BatchFull { .. }), true) = (&pushed, self.emit.is_some()) {
            self.emit()?;
            pushed = self.try_push(raw, beside.timestamp, tags, attributes, json);
        }
        match pushed {
            Ok(pushed) => {
                self.index += 1;
                self.account.accepted += 1;
                self.account.unparsed += usize::from(faulty || matches!(pushed, Pushed::Unparsed(_)));
            }
            Err(PushError::BatchFull { limit }) => return Err(DecodeError::BatchTooLarge { limit }),
            Err(error) => self.reject(raw, error.to_string()),
        }
        let full = self.builder.raw_bytes() >= self.options.limits.target_batch_bytes;
        if self.emit.is_some() && (full || self.builder.has_many_shapes()) {
            self.emit()?;
        }
        Ok(())
    }

    fn try_push(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
        json: bool,
    ) -> Result<Pushed, PushError> {
        let json = json && !self.options.as_text;
        if let Some(text) = self.lent {
            self.builder.push_lent(text, raw, json, timestamp, tags, attributes)
        } else if json {
            self.builder.push_json(raw, timestamp, tags, attributes)
        } else {
            self.builder.push_text(raw, timestamp, tags, attributes)
        }
    }

    /// Hands out what there is so far, if anything.
    pub(super) fn emit(&mut self) -> Result<(), DecodeError> {
        let batch = self.builder.finish(self.options.arrival_nanos);
        let account = std::mem::take(&mut self.account);
        if account.accepted + account.rejected_count + account.blank == 0 {
            return Ok(());
        }
        let Some(emit) = &mut self.emit else { return Ok(()) };
        match emit(Decoded { batch, ..account }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(DecodeError::Stopped),
        }
    }

    /// Ends the one batch.
    pub(super) fn finish(mut self) -> Decoded {
        let batch = self.builder.finish(self.options.arrival_nanos);
        if self.builder.kept_bytes() <= KEPT_BYTES_MAX {
            KEPT.set(Some(self.builder));
        }
        Decoded { batch, ..self.account }
    }
}

/// A JSON object under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// The members so far, each with a comma behind it.
    text: String,
}

impl Members {
    /// Removes all members.
    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    /// There are no members.
    pub(super) fn is_empty(&self) -> bool {
        self.text.len() <= 1
    }

    /// Adds a member with a string.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push('"');
        escape_into(value, &mut self.text);
        self.text.push_str("\",");
    }

    /// Adds a member with a JSON value as it is written.
    pub(super) fn value(&mut self, name: &str, json: &str) {
        self.name(name);
        self.text.push_str(json);
        self.text.push(',');
    }

    /// Adds the members of a JSON object.
    pub(super) fn object(&mut self, object: Option<&str>) {
        let inner =
            object.map(str::trim_ascii).and_then(|object| object.strip_prefix('{')?.strip_suffix('}'));
        if let Some(inner) = inner.map(str::trim_ascii).filter(|inner| !inner.is_empty()) {
            self.open();
            self.text.push_str(inner);
            self.text.push(',');
        }
    }

    fn name(&mut self, name: &str) {
        self.open();
        self.text.push('"');
        escape_into(name, &mut self.text);
        self.text.push_str("\":");
    }

    fn open(&mut self) {
        if self.text.is_empty() {
            self.text.push('{');
        }
    }

    /// The whole object; no members can be added before it is cleared.
    pub(super) fn finish(&mut self) -> &str {
        self.open();
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push('}');
        &self.text
    }

    fn closed(mut self) -> String {
        self.finish();
        self.text
    }
}
