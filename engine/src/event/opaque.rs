//! Events that are not the JSON they were announced as: kept whole as text, with what could be found in them.

use std::sync::Arc;

use super::builder::EventBatchBuilder;
use super::error::{JsonError, JsonErrorKind, PushError};
use super::json::{escape_into, unescape_into};
use super::limits::EventLimits;
use super::shape::Shape;
use super::tags::TagSet;

impl EventBatchBuilder {
    /// Adds an event as text although it was announced as JSON. The fields found before the error are kept as
    /// attributes if the error is a limit or of encoding; `@error` says what it was.
    pub(super) fn push_opaque(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
        error: JsonError,
    ) -> Result<(), PushError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.push('{');
        // One field is left for `@error`.
        let mut fields = self.limits.max_fields_per_event.saturating_sub(1);
        if let Some(given) = attributes {
            // Checked first, as its braces are about to be cut off.
            let shape = Shape::of(given, &self.limits).map_err(PushError::Attributes)?;
            fields = fields.saturating_sub(shape.holes());
            let given = given.trim_ascii();
            let members = given.get(1..given.len().saturating_sub(1)).unwrap_or_default().trim_ascii();
            scratch.push_str(members);
            scratch.push_str(if members.is_empty() { "" } else { "," });
        }
        if error.kind == JsonErrorKind::Utf8
            || (error.kind.is_limit() && error.kind != JsonErrorKind::TooLarge)
        {
            let text = String::from_utf8_lossy(raw);
            let walked = self.predictor.walk(&text, &self.limits);
            if walked.is_ok() || error.kind.is_limit() {
                self.flatten_found(&text, fields, &mut scratch);
            }
        }
        scratch.push_str("\"@error\":\"");
        escape_into(&error.to_string(), &mut scratch);
        scratch.push_str("\"}");
        // What was added here is within its own bounds; the limits are about what senders give.
        let room = self.find_room(raw.len() + scratch.len());
        let pushed =
            room.and_then(|()| self.add_text(raw, timestamp, tags, Some(&scratch), &EventLimits::REPLAY));
        self.scratch = scratch;
        pushed
    }

    /// Appends the fields that the last walk found in `text` as members of a flat object, each with a comma: as
    /// many as are allowed, up to the first that is not right.
    fn flatten_found(&self, text: &str, fields: usize, out: &mut String) {
        let found = self.predictor.found();
        let mut unescaped = String::new();
        for (at, token) in found.tokens.iter().take(fields).enumerate() {
            let content = token.of(text);
            let bad = token.escaped && unescape_into(content, &mut unescaped).is_err();
            if bad || out.len() + found.path(at).len() + content.len() > self.limits.max_column_bytes {
                return;
            }
            let quote = if token.quoted { "\"" } else { "" };
            out.push('"');
            escape_into(found.path(at), out);
            out.push_str("\":");
            out.push_str(quote);
            out.push_str(content);
            out.push_str(quote);
            out.push(',');
        }
    }
}
