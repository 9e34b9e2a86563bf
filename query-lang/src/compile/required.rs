//! What an event must have for a filter to pass it: a necessary condition, never a sufficient one.

/// A condition that every passing event meets, in terms that facts and an index can decide.
///
/// It only prunes. Weaker is always right: [`Required::Anything`] is a valid condition for every filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Required {
    /// No condition.
    Anything,
    /// No event passes.
    Nothing,
    /// All of them.
    And(Vec<Required>),
    /// At least one of them.
    Or(Vec<Required>),
    /// The event's text, or one of its field values (tags and meta fields excepted), contains these bytes.
    Text {
        /// The bytes, at least one.
        literal: Vec<u8>,
        /// ASCII letters match in either case.
        ignore_case: bool,
    },
    /// The field is present (tags as `#name`).
    Present(String),
    /// The field is present and its text is one of these.
    OneOf {
        /// The field (tags as `#name`).
        field: String,
        /// Its possible texts.
        values: Vec<String>,
    },
    /// The field is present, numeric, and within these bounds, both inclusive.
    Range {
        /// The field.
        field: String,
        /// Least number.
        least: f64,
        /// Greatest number.
        greatest: f64,
    },
}
