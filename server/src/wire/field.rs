//! Facts of a field.

use serde::Serialize;
use weir_engine::FieldSummary;

/// One field of a repository's catalogue.
#[derive(Clone, Debug, Serialize)]
pub struct FieldFacts {
    /// Its name; tags have a `#` in front.
    pub name: String,
    /// Events that have it.
    pub events: u64,
    /// Events in which it reads as a number.
    pub numbers: u64,
    /// What its values are: `number`, `text`, or `mixed`.
    pub kind: &'static str,
    /// Time of the first event that has it, ms since the epoch.
    pub since: i64,
    /// Time of the last.
    pub until: i64,
}

impl From<FieldSummary> for FieldFacts {
    fn from(field: FieldSummary) -> FieldFacts {
        let millis = |nanos: i64| nanos.div_euclid(1_000_000);
        let kind = match field.numbers {
            0 => "text",
            numbers if numbers >= field.events => "number",
            _ => "mixed",
        };
        FieldFacts {
            name: field.name,
            events: field.events,
            numbers: field.numbers,
            kind,
            since: millis(field.since),
            until: millis(field.until),
        }
    }
}
