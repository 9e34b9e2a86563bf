//! The bytes of a sealed file, mapped or held.
//!
//! The one place of the engine with `unsafe`: mapping a file.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

/// The bytes of a sealed file.
#[derive(Clone, Debug)]
pub struct Mapped(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Map(Arc<Mmap>),
    Held(Arc<Vec<u8>>),
}

impl Mapped {
    /// Bytes that are already in memory.
    #[must_use]
    pub fn held(bytes: Vec<u8>) -> Mapped {
        Mapped(Kind::Held(Arc::new(bytes)))
    }

    pub(crate) fn of(file: &std::fs::File) -> io::Result<Mapped> {
        #[allow(unsafe_code, reason = "there is no safe way to map a file")]
        // SAFETY: only sealed files of the store's own directory, which is locked for this process, are mapped. The
        // store never writes to, cuts or grows a sealed file: it replaces files by renaming and removes them by name,
        // which leaves mapped bytes as they are.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Mapped(Kind::Map(Arc::new(map))))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Map(map) => map,
            Kind::Held(bytes) => bytes,
        }
    }
}
