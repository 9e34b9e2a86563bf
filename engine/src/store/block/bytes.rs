//! Bytes of a block: a part of whatever holds them.

use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of shared bytes.
#[derive(Clone)]
pub(crate) struct Bytes {
    whole: Arc<dyn Deref<Target = [u8]> + Send + Sync>,
    range: Range<usize>,
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({:?})", self.range)
    }
}

impl Bytes {
    /// All of `whole`.
    pub(crate) fn new(whole: impl Deref<Target = [u8]> + Send + Sync + 'static) -> Bytes {
        let range = 0..whole.len();
        Bytes { whole: Arc::new(whole), range }
    }

    /// `range` of these bytes; `None` when they are shorter.
    pub(crate) fn part(&self, range: Range<usize>) -> Option<Bytes> {
        self.get(range.clone())?;
        let start = self.range.start + range.start;
        Some(Bytes { whole: Arc::clone(&self.whole), range: start..start + range.len() })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }
}
