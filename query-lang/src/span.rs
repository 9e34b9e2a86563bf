//! Where in the query text something stands.

/// A half-open byte range `start..end` of the query text.
///
/// Bytes, not characters: the text is UTF-8 and both ends lie on character borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from `start` to `end`, both in bytes.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Span {
        // Query text is limited to far below 4 GiB (see `error::MAX_QUERY_BYTES`), so saturation never shows.
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end) }
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn join(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span as a range for slicing the text.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}
