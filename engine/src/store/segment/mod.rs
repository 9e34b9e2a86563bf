//! One immutable file of sealed blocks.

/// A sealed segment, open for reading. (Skeleton: its builder replaces it.)
#[derive(Debug)]
pub struct Segment {}
