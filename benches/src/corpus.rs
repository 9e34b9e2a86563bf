//! The files that are measured: generated once, kept while the work folder is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use weir_server::generate::{Dataset, Generator};

/// 2026-01-01T00:00:00Z in nanoseconds.
pub const START_NANOS: i64 = 1_767_225_600_000_000_000;

/// Events a second of event time: two million of them last about 33 minutes.
const EVENTS_PER_SECOND: u32 = 1_000;

/// How much of a corpus to make.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// This many events.
    Events(u64),
    /// Whole lines up to at least this many bytes.
    Bytes(u64),
}

/// A generated file.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Its data set.
    pub dataset: Dataset,
    /// Where it is.
    pub path: PathBuf,
    /// How many lines.
    pub events: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Corpus {
    /// Writes `size` of `dataset` with `seed` into `folder`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn generate(folder: &Path, dataset: Dataset, seed: u64, size: Size) -> anyhow::Result<Corpus> {
        let path = folder.join(format!("{dataset:?}-{seed}.log").to_lowercase());
        let mut file =
            BufWriter::with_capacity(1 << 20, File::create(&path).context("cannot create the corpus")?);
        let mut generator = Generator::new(dataset, seed, START_NANOS, EVENTS_PER_SECOND);
        let (mut line, mut events, mut bytes) = (Vec::new(), 0, 0);
        while match size {
            Size::Events(wanted) => events < wanted,
            Size::Bytes(wanted) => bytes < wanted,
        } {
            line.clear();
            generator.line(&mut line);
            file.write_all(&line)?;
            events += 1;
            bytes += line.len() as u64;
        }
        file.flush()?;
        Ok(Corpus { dataset, path, events, bytes })
    }

    /// How its bytes are announced over HTTP.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.dataset {
            Dataset::Application | Dataset::Kubernetes => "application/x-ndjson",
            Dataset::Access | Dataset::Syslog => "text/plain",
        }
    }
}
