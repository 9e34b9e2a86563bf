//! Answers of the ingest routes.

use serde::{Deserialize, Serialize};
use weir_engine::Receipt;
use weir_engine::parsers::Account;

use crate::decode::Decoded;

/// Query string of the ingest routes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngestParameters {
    /// The field that has the time.
    pub timestamp_field: Option<String>,
    /// `fsync`, `os` or `memory`.
    pub level: Option<String>,
    /// `content`: a body without an idempotency key is named by its bytes; `off`: it is not.
    pub dedupe: Option<String>,
    /// Where to, for addresses that do not say.
    pub repository: Option<String>,
    /// Of HEC's raw events: becomes the field `channel`.
    pub channel: Option<String>,
    /// The parser that all events of the body go through.
    pub parser: Option<String>,
}

/// What became of the events of one body.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IngestAnswer {
    /// Events stored.
    pub accepted: u64,
    /// Events not stored.
    pub rejected: u64,
    /// Of those stored: what could not be read as what it was said to be, and has `@error`.
    pub unparsed: u64,
    /// Sequence of the first event stored; null: none was.
    pub first_sequence: Option<u64>,
    /// Sequence of the last.
    pub last_sequence: Option<u64>,
    /// The body was known, by its idempotency key or its content: nothing was stored again.
    pub duplicate: bool,
    /// Events that a parser dropped.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// The first of the rejected, with reasons.
    pub errors: Vec<RejectedEvent>,
    /// What else is to be said, once for the whole body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Most bodies have no parser that drops events.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One event that was not stored.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedEvent {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
    /// How it starts.
    pub excerpt: String,
}

impl IngestAnswer {
    /// The account of a body before it is stored.
    #[must_use]
    pub fn of_decoded(decoded: &Decoded) -> IngestAnswer {
        let error = |one: &crate::decode::Rejected| RejectedEvent {
            index: one.index,
            reason: one.reason.clone(),
            excerpt: one.excerpt.clone(),
        };
        IngestAnswer {
            accepted: decoded.accepted as u64,
            rejected: decoded.rejected_count as u64,
            unparsed: decoded.unparsed as u64,
            errors: decoded.rejected.iter().map(error).collect(),
            ..IngestAnswer::default()
        }
    }

    /// Adds what parsers made of the events, of which `stored` are left, `unparsed` of them with `@error`.
    pub fn add_parsed(&mut self, account: &Account, stored: usize, unparsed: usize, warnings: Vec<String>) {
        self.accepted = stored as u64;
        self.unparsed = unparsed as u64;
        self.dropped = account.dropped as u64;
        self.warnings = warnings;
    }

    /// Adds where the events are.
    #[must_use]
    pub fn stored(mut self, receipt: Receipt) -> IngestAnswer {
        self.accepted = receipt.events;
        self.first_sequence = Some(receipt.first_sequence);
        self.last_sequence = Some(receipt.last_sequence);
        self.duplicate = receipt.duplicate;
        self
    }

    /// Everything was stored as what it was said to be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.rejected == 0 && self.unparsed == 0
    }

    /// There were events, and none was taken.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.accepted == 0 && self.dropped == 0 && self.rejected > 0
    }
}
