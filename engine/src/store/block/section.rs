//! Runs of bytes in a block: inside the directory when small, else in the body, compressed where that pays.
//!
//! ```text
//! entry in the directory   raw length * 4 + kind, then
//!   kind 0  the bytes themselves (the directory is compressed as a whole, so small ones share its window)
//!   kind 1  nothing: the bytes stand in the body, raw
//!   kind 2  stored length: the bytes stand in the body, zstd
//!   kind 3  nothing: the bytes stand in the pool, which is one section for itself, zstd
//! ```
//! Sections stand in the body and in the pool in the order of their entries, so no entry holds an offset. The pool
//! is for texts and digits that are not large: together they repeat more than each by itself.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::wire::{Corrupt, Reader, put_varint};

/// Largest section, in bytes: a block's raw text and what its values take beside it stay far below.
pub(crate) const SECTION_BYTES_MAX: usize = 1 << 28;

/// What a section holds, which decides how it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Packed numbers or digits: zstd-1 if that saves 15 %.
    Packed,
    /// Digits of ids: as packed numbers.
    Digits,
    /// Text: zstd-3.
    Text,
}

/// Most bytes of the pool.
const POOL_BYTES_MAX: usize = 1 << 20;

impl Content {
    /// Sections up to this size stay in the directory.
    fn inline_bytes(self) -> usize {
        match self {
            Content::Packed => 96,
            Content::Text | Content::Digits => 64,
        }
    }

    /// Sections up to this size go into the pool while it has room.
    fn pooled_bytes(self) -> usize {
        match self {
            Content::Packed => 0,
            Content::Text => 64 << 10,
            Content::Digits => 256 << 10,
        }
    }
}

/// Where sections are written.
pub(crate) struct Body {
    /// The body.
    pub(crate) bytes: Vec<u8>,
    /// The directory.
    pub(crate) directory: Vec<u8>,
    pool: Vec<u8>,
    compressors: Compressors,
    scratch: Vec<u8>,
}

/// A compressor a level. Without one (out of memory) sections are stored as they are.
#[derive(Default)]
struct Compressors {
    fast: Option<zstd::bulk::Compressor<'static>>,
    dense: Option<zstd::bulk::Compressor<'static>>,
}

thread_local! {
    /// Compressors that no body has now: their tables take longer to set up than a small block does to compress.
    static COMPRESSORS: RefCell<Compressors> = RefCell::default();
}

impl Drop for Body {
    fn drop(&mut self) {
        let own = std::mem::take(&mut self.compressors);
        COMPRESSORS.with_borrow_mut(|kept| *kept = own);
    }
}

impl Body {
    pub(crate) fn new() -> Body {
        let kept = COMPRESSORS.take();
        Body {
            bytes: Vec::new(),
            directory: Vec::new(),
            pool: Vec::new(),
            compressors: Compressors {
                fast: kept.fast.or_else(|| zstd::bulk::Compressor::new(1).ok()),
                dense: kept.dense.or_else(|| zstd::bulk::Compressor::new(3).ok()),
            },
            scratch: Vec::new(),
        }
    }

    /// Writes a section and its entry.
    pub(crate) fn put(&mut self, raw: &[u8], content: Content) {
        let len = (raw.len() as u64) << 2;
        if raw.len() <= content.inline_bytes() {
            put_varint(&mut self.directory, len);
            self.directory.extend_from_slice(raw);
        } else if raw.len() <= content.pooled_bytes() && self.pool.len() + raw.len() <= POOL_BYTES_MAX {
            put_varint(&mut self.directory, len | 3);
            self.pool.extend_from_slice(raw);
        } else {
            self.put_alone(raw, content);
        }
    }

    /// Writes a section into the body.
    fn put_alone(&mut self, raw: &[u8], content: Content) {
        let len = (raw.len() as u64) << 2;
        if self.compress(raw, content) {
            put_varint(&mut self.directory, len | 2);
            put_varint(&mut self.directory, self.scratch.len() as u64);
            self.bytes.extend_from_slice(&self.scratch);
        } else {
            put_varint(&mut self.directory, len | 1);
            self.bytes.extend_from_slice(raw);
        }
    }

    /// Writes whichever of two forms of the same numbers is shorter: packed tightly, or in whole bytes where a
    /// compressor finds enough to repeat.
    pub(crate) fn put_either(&mut self, tight: &[u8], aligned: &[u8]) {
        if self.compress(aligned, Content::Packed) {
            let stored = std::mem::take(&mut self.scratch);
            let shorter = stored.len() * 100 < tight.len() * 85
                && (!self.compress(tight, Content::Packed) || stored.len() * 100 < self.scratch.len() * 95);
            if shorter {
                put_varint(&mut self.directory, (aligned.len() as u64) << 2 | 2);
                put_varint(&mut self.directory, stored.len() as u64);
                self.bytes.extend_from_slice(&stored);
                return;
            }
        }
        self.put(tight, Content::Packed);
    }

    /// Writes the pool as the last section of the body.
    pub(crate) fn put_pool(&mut self) {
        let pool = std::mem::take(&mut self.pool);
        self.put_alone(&pool, Content::Text);
    }

    /// The directory, compressed: for the end.
    pub(crate) fn pack_directory(&mut self) -> Vec<u8> {
        let directory = std::mem::take(&mut self.directory);
        self.compress(&directory, Content::Text);
        std::mem::take(&mut self.scratch)
    }

    /// Whether packed numbers of which `trial` is a part may be worth compressing.
    pub(crate) fn promises(&mut self, trial: &[u8]) -> bool {
        let fast = self.compressors.fast.as_mut();
        fast.is_some_and(|compressor| promises(compressor, trial, &mut self.scratch))
    }

    /// Compresses into the scratch space; false when that does not pay.
    fn compress(&mut self, raw: &[u8], content: Content) -> bool {
        /// Sections longer than this are tried on a part of this length first.
        const TRIAL_BYTES: usize = 8 << 10;
        let compressor = match content {
            Content::Packed | Content::Digits => self.compressors.fast.as_mut(),
            Content::Text => self.compressors.dense.as_mut(),
        };
        let Some(compressor) = compressor else { return false };
        let pays = |stored: usize, raw: usize| stored * 100 <= raw * 85;
        if content != Content::Text && raw.len() > 4 * TRIAL_BYTES {
            let middle = raw.len() / 2;
            let trial = raw.get(middle..middle + TRIAL_BYTES).unwrap_or(raw);
            if !promises(compressor, trial, &mut self.scratch) {
                return false;
            }
        }
        match compress_into(compressor, raw, &mut self.scratch) {
            Some(stored) => match content {
                Content::Packed | Content::Digits => pays(stored, raw.len()),
                Content::Text => stored < raw.len(),
            },
            None => false,
        }
    }
}

/// Whether a compressor finds enough to repeat in a part of a section. That is a little more lenient than the verdict on the
/// whole: a longer run finds more.
fn promises(compressor: &mut zstd::bulk::Compressor<'static>, trial: &[u8], scratch: &mut Vec<u8>) -> bool {
    compress_into(compressor, trial, scratch).is_some_and(|stored| stored * 100 <= trial.len() * 92)
}

fn compress_into(
    compressor: &mut zstd::bulk::Compressor<'static>,
    raw: &[u8],
    out: &mut Vec<u8>,
) -> Option<usize> {
    out.clear();
    out.resize(zstd::zstd_safe::compress_bound(raw.len()), 0);
    let stored = compressor.compress_to_buffer(raw, out.as_mut_slice()).ok()?;
    out.truncate(stored);
    Some(stored)
}

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For what is soon written anew: zstd-1.
    Brief,
    /// For what stays: zstd-3.
    Lasting,
}

/// Bytes by themselves, compressed: their length, then zstd.
pub(crate) fn squeeze(bytes: &[u8], effort: Effort) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, bytes.len() as u64);
    let mut body = Body::new();
    let compressor = match effort {
        Effort::Brief => body.compressors.fast.as_mut(),
        Effort::Lasting => body.compressors.dense.as_mut(),
    };
    if let Some(compressor) = compressor
        && compress_into(compressor, bytes, &mut body.scratch).is_some()
    {
        out.extend_from_slice(&body.scratch);
    }
    out
}

thread_local! {
    /// Setting a decompressor up costs more than what most sections take; without one (out of memory) each call
    /// tries again.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The `len` bytes at most that `stored` was compressed from.
pub(crate) fn decompress(stored: &[u8], len: usize) -> Result<Vec<u8>, Corrupt> {
    let refused = Corrupt("zstd says no");
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let mut decompressor = match kept.take() {
            Some(decompressor) => decompressor,
            None => zstd::bulk::Decompressor::new().map_err(|_| refused)?,
        };
        let raw = decompressor.decompress(stored, len).map_err(|_| refused);
        *kept = Some(decompressor);
        raw
    })
}

/// What [`squeeze`] took.
pub(crate) fn expand(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let mut reader = Reader::new(bytes);
    let len = reader.count(SECTION_BYTES_MAX)?;
    let stored = reader.take(reader.left())?;
    if len / 40_000 > stored.len() {
        return Err(Corrupt("bytes expand too far"));
    }
    let raw = decompress(stored, len)?;
    if raw.len() == len { Ok(raw) } else { Err(Corrupt("bytes of another length")) }
}

/// A section of a block that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    raw_len: usize,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Inline(Box<[u8]>),
    Raw(Range<usize>),
    Zstd(Range<usize>),
    Pool(Range<usize>),
}

/// The bytes of a block from which its sections are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The body.
    pub(crate) body: &'a [u8],
    /// The pool.
    pub(crate) pool: &'a Pool,
}

impl Source<'_> {
    /// Counts `bytes` that are kept as long as the block.
    pub(crate) fn count_held(&self, bytes: usize) {
        self.pool.held.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The pool of a block, loaded when first needed, and the count of what is held of the block.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    section: Option<Section>,
    bytes: OnceLock<Vec<u8>>,
    held: AtomicUsize,
}

impl Pool {
    /// The pool that `section` holds.
    pub(crate) fn new(section: Section) -> Pool {
        Pool { section: Some(section), ..Pool::default() }
    }

    /// Bytes of memory that are held of the block, as far as they were counted.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn load<'a>(&'a self, source: Source<'a>) -> Result<&'a [u8], Corrupt> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes);
        }
        let section = self.section.as_ref().ok_or(Corrupt("block without a pool"))?;
        if matches!(section.place, Place::Pool(_)) {
            return Err(Corrupt("pool inside the pool"));
        }
        let bytes = section.read(source)?.into_owned();
        Ok(self.bytes.get_or_init(|| {
            source.count_held(bytes.len());
            bytes
        }))
    }
}

/// The directory of a block that is being read, and how far into the body its sections have come.
pub(crate) struct Directory<'a> {
    pub(crate) reader: Reader<'a>,
    at: usize,
    pool_at: usize,
    body_len: usize,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(bytes: &'a [u8], body_len: usize) -> Directory<'a> {
        Directory { reader: Reader::new(bytes), at: 0, pool_at: 0, body_len }
    }

    /// The next section.
    pub(crate) fn section(&mut self) -> Result<Section, Corrupt> {
        let head = self.reader.varint()?;
        let raw_len = usize::try_from(head >> 2).unwrap_or(usize::MAX);
        if raw_len > SECTION_BYTES_MAX {
            return Err(Corrupt("section over its limit"));
        }
        let place = match head & 3 {
            0 => Place::Inline(self.reader.take(raw_len)?.into()),
            1 => Place::Raw(self.body(raw_len)?),
            2 => {
                let stored = self.reader.count(SECTION_BYTES_MAX)?;
                // zstd at its best makes some 32,000 bytes of one; a larger promise is a lie.
                if raw_len / 40_000 > stored {
                    return Err(Corrupt("section expands too far"));
                }
                Place::Zstd(self.body(stored)?)
            }
            _ => {
                let start = self.pool_at;
                self.pool_at = start.saturating_add(raw_len);
                Place::Pool(start..self.pool_at)
            }
        };
        Ok(Section { raw_len, place })
    }

    fn body(&mut self, len: usize) -> Result<Range<usize>, Corrupt> {
        let start = self.at;
        self.at = start.saturating_add(len);
        if self.at > self.body_len {
            return Err(Corrupt("section outside the body"));
        }
        Ok(start..self.at)
    }
}

impl Section {
    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.raw_len
    }

    /// Where it stands in the body, if it does and is not compressed.
    pub(crate) fn place(&self) -> Option<Range<usize>> {
        match &self.place {
            Place::Raw(range) => Some(range.clone()),
            _ => None,
        }
    }

    /// Its bytes; nothing is copied that is not compressed.
    pub(crate) fn read<'a>(&'a self, source: Source<'a>) -> Result<Cow<'a, [u8]>, Corrupt> {
        let body = source.body;
        let outside = Corrupt("section outside the body");
        let bytes = match &self.place {
            Place::Inline(bytes) => Cow::Borrowed(&**bytes),
            Place::Raw(range) => Cow::Borrowed(body.get(range.clone()).ok_or(outside)?),
            Place::Zstd(range) => {
                let stored = body.get(range.clone()).ok_or(outside)?;
                Cow::Owned(decompress(stored, self.raw_len)?)
            }
            Place::Pool(range) => {
                let pool = source.pool.load(source)?;
                Cow::Borrowed(pool.get(range.clone()).ok_or(Corrupt("section outside the pool"))?)
            }
        };
        if bytes.len() == self.raw_len { Ok(bytes) } else { Err(Corrupt("section of another length")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_back() {
        let noise: Vec<u8> =
            (0..200_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let same = vec![7u8; 100_000];
        let parts: [(&[u8], Content); 7] = [
            (b"pooled text, longer than what stays in the directory, as texts of columns are", Content::Text),
            (b"digits in the pool, longer than what stays in the directory, as ids are now", Content::Digits),
            (b"", Content::Text),
            (b"short", Content::Packed),
            (&noise, Content::Packed),
            (&same, Content::Text),
            (&noise, Content::Text),
        ];
        let mut body = Body::new();
        for (bytes, content) in parts {
            body.put(bytes, content);
        }
        body.put_pool();
        let mut directory = Directory::new(&body.directory, body.bytes.len());
        let sections: Vec<Section> = parts.iter().map(|_| directory.section().unwrap()).collect();
        let pool = Pool::new(directory.section().unwrap());
        for ((bytes, _), section) in parts.iter().zip(sections) {
            assert_eq!(section.len(), bytes.len());
            assert_eq!(section.read(Source { body: &body.bytes, pool: &pool }).unwrap(), *bytes);
            let cut = body.bytes.get(..body.bytes.len() / 2).unwrap();
            let _ = section.read(Source { body: cut, pool: &Pool::default() });
        }
        let mut short = Directory::new(&body.directory, 10);
        assert!((0..8).any(|_| short.section().is_err()));
    }
}
