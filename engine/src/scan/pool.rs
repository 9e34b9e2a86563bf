//! The threads all scans share, and whose turn it is.

use std::sync::Arc;

/// Threads that run scans. Cloning gives another handle to the same threads; they end with the last handle.
#[derive(Clone, Debug)]
pub struct ScanPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    threads: usize,
}

impl ScanPool {
    /// A pool of `threads` threads; 0: one a core.
    #[must_use]
    pub fn new(threads: usize) -> ScanPool {
        ScanPool { inner: Arc::new(Inner { threads }) }
    }

    /// The pool that scans use which name none: one thread a core, started at first use.
    #[must_use]
    pub fn shared() -> ScanPool {
        static SHARED: std::sync::OnceLock<ScanPool> = std::sync::OnceLock::new();
        SHARED.get_or_init(|| ScanPool::new(0)).clone()
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.inner.threads
    }
}
