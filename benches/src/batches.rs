//! What the stage benches work on: generated lines in memory, the batches they decode to, the segments those make.

use std::sync::Arc;

use anyhow::Context;
use weir_engine::Snapshot;
use weir_engine::event::EventBatch;
use weir_engine::store::block::{EncodedBlock, encode_blocks};
use weir_engine::store::segment::{Segment, SegmentWriter};
use weir_server::decode::{DecodeOptions, Encoding, Format, decode_body};
use weir_server::generate::{Dataset, Generator};

use crate::corpus::START_NANOS;

/// Events a second of event time, as in the corpora on disk.
const EVENTS_PER_SECOND: u32 = 1_000;
/// The seed of everything that is measured.
const SEED: u64 = 1;
/// Bytes of one batch, as a shipper would send it.
pub const BATCH_BYTES: usize = 4 << 20;

/// Generated lines, a line feed behind each.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Their data set.
    pub dataset: Dataset,
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// How many.
    pub count: u64,
}

impl Lines {
    /// Whole lines of `dataset` up to at least `bytes`.
    #[must_use]
    pub fn generate(dataset: Dataset, bytes: usize) -> Lines {
        let mut generator = Generator::new(dataset, SEED, START_NANOS, EVENTS_PER_SECOND);
        Lines::draw(&mut generator, dataset, bytes)
    }

    fn draw(generator: &mut Generator, dataset: Dataset, bytes: usize) -> Lines {
        let mut lines = Lines { dataset, bytes: Vec::with_capacity(bytes + (4 << 10)), count: 0 };
        while lines.bytes.len() < bytes {
            generator.line(&mut lines.bytes);
            lines.count += 1;
        }
        lines
    }

    /// The lines without their line feeds.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// What they are decoded as.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.dataset {
            Dataset::Access | Dataset::Syslog => Format::Text,
            Dataset::Application | Dataset::Kubernetes | Dataset::Windows | Dataset::Devices => {
                Format::Ndjson
            }
        }
    }

    /// The one batch they decode to.
    ///
    /// # Errors
    /// When a line is not taken.
    pub fn decode(&self) -> anyhow::Result<EventBatch> {
        let options = DecodeOptions { arrival_nanos: START_NANOS, ..DecodeOptions::default() };
        let decoded = decode_body(&self.bytes, Encoding::Identity, self.format(), &options)?;
        anyhow::ensure!(decoded.batch.len() as u64 == self.count, "a generated line was not taken");
        Ok(decoded.batch)
    }
}

/// `bytes` of `dataset` as batches of [`BATCH_BYTES`], numbered from 1.
///
/// # Errors
/// When a line is not taken.
pub fn batches(dataset: Dataset, bytes: usize) -> anyhow::Result<Vec<Arc<EventBatch>>> {
    let mut generator = Generator::new(dataset, SEED, START_NANOS, EVENTS_PER_SECOND);
    let (mut batches, mut left, mut sequence) = (Vec::new(), bytes, 1);
    while left > 0 {
        let batch = Lines::draw(&mut generator, dataset, left.min(BATCH_BYTES)).decode()?;
        left = left.saturating_sub(batch.raw_bytes().max(1));
        batches.push(Arc::new(batch.with_sequence(sequence)));
        sequence += batch.len() as u64;
    }
    Ok(batches)
}

/// Raw bytes and events of `batches`.
#[must_use]
pub fn size(batches: &[Arc<EventBatch>]) -> (u64, u64) {
    let bytes = batches.iter().map(|batch| batch.raw_bytes() as u64).sum();
    (bytes, batches.iter().map(|batch| batch.len() as u64).sum())
}

/// The blocks of `batches`.
///
/// # Errors
/// When an event does not come back.
pub fn encode(batches: &[Arc<EventBatch>]) -> std::io::Result<Vec<EncodedBlock>> {
    let mut blocks = Vec::new();
    encode_blocks(batches, |block| {
        blocks.push(block);
        Ok(())
    })?;
    Ok(blocks)
}

/// The file of a segment of `batches`: blocks, facts, index and footer.
///
/// # Errors
/// Never in memory; the signature is that of a file.
pub fn seal(batches: &[Arc<EventBatch>]) -> std::io::Result<Vec<u8>> {
    let mut writer = SegmentWriter::new(Vec::new(), 1)?;
    encode_blocks(batches, |block| writer.push(block))?;
    Ok(writer.finish()?.0)
}

/// An open segment of `batches`.
///
/// # Errors
/// When it cannot be read back.
pub fn segment(batches: &[Arc<EventBatch>]) -> anyhow::Result<Arc<Segment>> {
    let segment = Segment::from_bytes(seal(batches)?.into(), 1).context("the segment cannot be opened")?;
    Ok(Arc::new(segment))
}

/// A snapshot of one segment of `batches`, and nothing in the head.
///
/// # Errors
/// When the segment cannot be read back.
pub fn sealed(batches: &[Arc<EventBatch>]) -> anyhow::Result<Arc<Snapshot>> {
    let up_to_sequence = size(batches).1;
    Ok(Arc::new(Snapshot { segments: vec![segment(batches)?], up_to_sequence, ..Snapshot::default() }))
}

/// A snapshot of the same events, all of them in the head.
#[must_use]
pub fn unsealed(batches: &[Arc<EventBatch>]) -> Arc<Snapshot> {
    let up_to_sequence = size(batches).1;
    Arc::new(Snapshot { batches: batches.to_vec(), up_to_sequence, ..Snapshot::default() })
}

/// The value behind `mark` in the middle event of `batches`: an id that occurs once.
#[must_use]
pub fn needle(batches: &[Arc<EventBatch>], mark: &str, len: usize) -> Option<String> {
    let batch = batches.get(batches.len() / 2)?;
    let line = batch.raw_text(batch.len() / 2);
    let from = line.find(mark)? + mark.len();
    line.get(from..from + len).map(str::to_owned)
}
