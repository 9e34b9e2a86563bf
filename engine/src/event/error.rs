//! Why an event was refused, or its JSON was not taken as such.

/// Why a text is not the JSON object it was announced as, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {at}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where: a byte offset into the raw text.
    pub at: usize,
}

/// The kinds of [`JsonError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// Valid JSON perhaps, but not an object.
    #[error("expected a JSON object")]
    NotAnObject,
    /// The text stops in the middle.
    #[error("unexpected end of JSON")]
    End,
    /// A byte that cannot stand here.
    #[error("unexpected character in JSON")]
    Unexpected,
    /// A number that breaks the grammar.
    #[error("malformed JSON number")]
    Number,
    /// An unknown escape, a lone surrogate, or one cut short.
    #[error("invalid escape in a JSON string")]
    Escape,
    /// A raw control character in a string.
    #[error("control character in a JSON string")]
    Control,
    /// Something follows the object.
    #[error("trailing characters after the JSON object")]
    Trailing,
    /// The raw bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// Too many objects and arrays inside one another.
    #[error("JSON nested too deeply")]
    TooDeep,
    /// More fields than are taken from one event.
    #[error("too many fields in one event")]
    TooManyFields,
    /// A flattened path that is too long.
    #[error("field name too long")]
    NameTooLong,
    /// Flattened paths that are too long together.
    #[error("field names too long together")]
    NamesTooLong,
    /// The shapes of the batch leave no room for another one.
    #[error("too many different structures in one batch")]
    TooManyShapes,
    /// More bytes than are looked through for fields.
    #[error("event too large to be searched for fields")]
    TooLarge,
}

impl JsonErrorKind {
    /// The text may well be JSON: it was left because of a limit.
    #[must_use]
    pub fn is_limit(self) -> bool {
        use JsonErrorKind::{NameTooLong, NamesTooLong, TooDeep, TooLarge, TooManyFields, TooManyShapes};
        matches!(self, TooDeep | TooManyFields | NameTooLong | NamesTooLong | TooLarge | TooManyShapes)
    }
}

/// Why an event was not taken into a batch. The batch is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The raw text or the attributes are too large.
    #[error("event of {bytes} bytes is over the limit of {limit}")]
    EventTooLarge {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// It has too many tags.
    #[error("event with {tags} tags is over the limit of {limit}")]
    TooManyTags {
        /// Tags it has.
        tags: usize,
        /// Tags it may have.
        limit: usize,
    },
    /// The batch has no room for it; it may fit the next one.
    #[error("batch is full at {limit} bytes")]
    BatchFull {
        /// Bytes a batch may hold.
        limit: usize,
    },
    /// The attributes are not a JSON object, or over a limit.
    #[error("attributes: {0}")]
    Attributes(JsonError),
}

/// How an event was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// As it was announced.
    Parsed,
    /// Its JSON was not taken, or not wholly: stored as text, `@error` says why.
    Unparsed(JsonError),
}
