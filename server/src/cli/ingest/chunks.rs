//! A file cut into batches at line ends.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::Path;

use anyhow::{Context, bail};

/// Bytes looked at to tell what a file holds.
const PROBE_BYTES: usize = 4096;

/// A document that is one JSON array cannot be cut; it is sent whole, up to this many bytes.
const MAX_WHOLE_BYTES: usize = 64 << 20;

/// Batches of one file, in order.
pub(super) struct Chunks {
    source: Box<dyn Read>,
    content_type: String,
    whole: bool,
    header: Vec<u8>,
    batch_bytes: usize,
    left: Vec<u8>,
    offset: u64,
    ended: bool,
}

/// One batch.
#[derive(Debug)]
pub(super) struct Chunk {
    /// What goes over the wire.
    pub(super) bytes: Vec<u8>,
    /// Where its first byte stands in the plain (decompressed) file.
    pub(super) offset: u64,
    /// How many bytes of the file it covers.
    covers: u64,
    /// Its media type.
    pub(super) content_type: String,
}

impl Chunk {
    /// One past its last byte in the plain file.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.covers
    }

    /// The idempotency key: the same bytes at the same place of the same file are the same batch.
    pub(super) fn key(&self, file: &Path) -> String {
        let place = xxhash_rust::xxh3::xxh3_64(format!("{}:{}", file.display(), self.offset).as_bytes());
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128_with_seed(&self.bytes, place))
    }
}

impl Chunks {
    pub(super) fn open(
        file: &Path,
        content_type: Option<&str>,
        batch_bytes: usize,
    ) -> anyhow::Result<Chunks> {
        let raw: Box<dyn Read> = match file.as_os_str() == "-" {
            true => Box::new(io::stdin().lock()),
            false => Box::new(File::open(file).context("cannot be opened")?),
        };
        let (probe, raw) = peek(raw, 4)?;
        let plain: Box<dyn Read> = match probe.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(raw)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(raw)?),
            _ => Box::new(raw),
        };
        let (probe, source) = peek(plain, PROBE_BYTES)?;
        let content_type = content_type.map_or_else(|| guess(file, &probe).to_owned(), str::to_owned);
        let whole = content_type == "application/json";
        let mut chunks = Chunks {
            source: Box::new(source),
            content_type,
            whole,
            header: Vec::new(),
            batch_bytes,
            left: Vec::new(),
            offset: 0,
            ended: false,
        };
        if chunks.content_type.starts_with("text/csv") {
            chunks.read_header()?;
        }
        Ok(chunks)
    }

    /// Every batch of a CSV file repeats its header line, because each stands alone at the server.
    fn read_header(&mut self) -> anyhow::Result<()> {
        while !self.left.contains(&b'\n') && self.fill()? {}
        let end = memchr::memchr(b'\n', &self.left).map_or(self.left.len(), |at| at + 1);
        self.header = self.left.drain(..end).collect();
        self.offset = self.header.len() as u64;
        Ok(())
    }

    /// Passes over everything before `offset` of the plain file.
    pub(super) fn skip(&mut self, offset: u64) -> anyhow::Result<()> {
        while self.offset < offset {
            if self.left.is_empty() && !self.fill()? {
                bail!("is shorter than when it was sent: {} of {offset} bytes", self.offset);
            }
            let take = usize::try_from(offset - self.offset).unwrap_or(usize::MAX).min(self.left.len());
            self.left.drain(..take);
            self.offset += take as u64;
        }
        Ok(())
    }

    /// Bytes of the plain file handed out so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.offset
    }

    /// The next batch: whole lines, at least one. `None` at the end.
    pub(super) fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        let wanted = if self.whole { usize::MAX } else { self.batch_bytes };
        let mut end = None;
        loop {
            if self.left.len() >= wanted {
                end = cut(&self.left, wanted);
            }
            if end.is_some() || !self.fill()? {
                break;
            }
            if self.whole && self.left.len() > MAX_WHOLE_BYTES {
                bail!("is one JSON document of more than {MAX_WHOLE_BYTES} bytes: send it as NDJSON");
            }
        }
        let end = end.unwrap_or(self.left.len());
        if end == 0 {
            return Ok(None);
        }
        let mut bytes = self.header.clone();
        bytes.extend(self.left.drain(..end));
        let chunk =
            Chunk { bytes, offset: self.offset, covers: end as u64, content_type: self.content_type.clone() };
        self.offset += end as u64;
        Ok(Some(chunk))
    }

    fn fill(&mut self) -> anyhow::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let before = self.left.len();
        self.source
            .by_ref()
            .take(self.batch_bytes as u64)
            .read_to_end(&mut self.left)
            .context("cannot be read")?;
        self.ended = self.left.len() == before;
        Ok(!self.ended)
    }
}

/// Where to cut `bytes` so that a batch ends with a line: after the last line feed before `wanted`, else after the
/// first one behind it.
fn cut(bytes: &[u8], wanted: usize) -> Option<usize> {
    let (head, tail) = bytes.split_at_checked(wanted)?;
    let before = memchr::memrchr(b'\n', head).map(|at| at + 1);
    before.or_else(|| memchr::memchr(b'\n', tail).map(|at| wanted + at + 1))
}

fn guess(file: &Path, probe: &[u8]) -> &'static str {
    let name = file.to_string_lossy().to_ascii_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    match probe.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => "application/x-ndjson",
        Some(b'[') if name.ends_with(".json") => "application/json",
        _ if name.ends_with(".csv") => "text/csv",
        _ => "text/plain",
    }
}

type Peeked = Chain<Cursor<Vec<u8>>, BufReader<Box<dyn Read>>>;

fn peek(mut source: impl Read + 'static, bytes: usize) -> io::Result<(Vec<u8>, Peeked)> {
    let mut probe = Vec::with_capacity(bytes);
    source.by_ref().take(bytes as u64).read_to_end(&mut probe)?;
    let rest: Box<dyn Read> = Box::new(source);
    Ok((probe.clone(), Cursor::new(probe).chain(BufReader::new(rest))))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn chunks_of(name: &str, bytes: &[u8], batch: usize) -> Vec<Chunk> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut chunks = Chunks::open(&path, None, batch).unwrap();
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            all.push(chunk);
        }
        all
    }

    #[test]
    fn batches_are_whole_lines_and_lose_nothing() {
        let mut text = Vec::new();
        for line in 0..2_000 {
            writeln!(text, "line {line} {}", "x".repeat(line % 90)).unwrap();
        }
        text.extend_from_slice(b"no line feed at the end");
        for batch in [1, 64, 1_000, 1 << 20] {
            let all = chunks_of("a.log", &text, batch);
            assert_eq!(all.iter().flat_map(|chunk| chunk.bytes.clone()).collect::<Vec<u8>>(), text);
            let (last, rest) = all.split_last().unwrap();
            assert!(rest.iter().all(|chunk| chunk.bytes.ends_with(b"\n")));
            assert_eq!(last.end(), text.len() as u64);
        }
    }

    #[test]
    fn csv_batches_repeat_the_header() {
        let all = chunks_of("a.csv", b"k,v\n1,2\n3,4\n5,6\n", 4);
        assert_eq!(all.len(), 3);
        assert!(
            all.iter().all(|chunk| chunk.bytes.starts_with(b"k,v\n") && chunk.content_type == "text/csv")
        );
    }

    #[test]
    fn compressed_files_are_opened() {
        let plain = b"{\"a\":1}\n".repeat(3_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        for (name, packed) in
            [("a.gz", gzip.finish().unwrap()), ("a.zst", zstd::encode_all(plain.as_slice(), 1).unwrap())]
        {
            let all = chunks_of(name, &packed, 5_000);
            assert_eq!(all.iter().flat_map(|chunk| chunk.bytes.clone()).collect::<Vec<u8>>(), plain);
            assert_eq!(all.first().unwrap().content_type, "application/x-ndjson");
        }
    }

    #[test]
    fn skipping_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, b"one\ntwo\nthree\n").unwrap();
        let mut chunks = Chunks::open(&path, None, 4).unwrap();
        chunks.skip(8).unwrap();
        assert_eq!(chunks.next_chunk().unwrap().unwrap().bytes, b"three\n");
        assert!(Chunks::open(&path, None, 4).unwrap().skip(100).is_err());
    }
}
