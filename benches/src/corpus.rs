//! The files that are measured: generated once, kept while the work folder is.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
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
        let path = Corpus::path(folder, dataset, seed);
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

    /// The file that an earlier run with the same `seed` left in `folder`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept(folder: &Path, dataset: Dataset, seed: u64) -> anyhow::Result<Option<Corpus>> {
        let path = Corpus::path(folder, dataset, seed);
        if !path.exists() {
            return Ok(None);
        }
        let mut file = BufReader::with_capacity(1 << 20, File::open(&path)?);
        let (mut events, mut bytes) = (0, 0);
        loop {
            let piece = file.fill_buf()?;
            let len = piece.len();
            if len == 0 {
                break;
            }
            events += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            bytes += len as u64;
            file.consume(len);
        }
        Ok(Some(Corpus { dataset, path, events, bytes }))
    }

    fn path(folder: &Path, dataset: Dataset, seed: u64) -> PathBuf {
        folder.join(format!("{dataset:?}-{seed}.log").to_lowercase())
    }

    /// How its bytes are announced over HTTP.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        content_type(self.dataset)
    }
}

/// How lines of `dataset` are announced over HTTP.
#[must_use]
pub fn content_type(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Access | Dataset::Syslog => "text/plain",
        Dataset::Application | Dataset::Kubernetes | Dataset::Windows | Dataset::Devices => {
            "application/x-ndjson"
        }
    }
}
