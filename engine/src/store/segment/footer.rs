//! Header, footer and trailer of a segment file, and the checksums of its parts.
//!
//! ```text
//! header   | magic 8 | version u32 | id u64 | checksum u32 |                                   part 0
//! footer   | blocks u32 | each block: offset u64, len u64, checksum u32 | facts: the same | index: the same |
//! trailer  | length of the footer u32 | checksum of the footer and the file's length u32 | magic 8 |
//! ```

use std::ops::Range;

use crate::store::block::wire::{Corrupt, Reader};

/// First bytes of a segment file.
const MAGIC: [u8; 8] = *b"WEIRSEG\n";
/// Last bytes of a segment file.
const END_MAGIC: [u8; 8] = *b"WEIREND\n";
/// Bytes of the header.
pub(super) const HEADER_BYTES: u64 = 24;
const TRAILER_BYTES: usize = 16;
const PLACE_BYTES: usize = 20;
/// Most blocks of a segment.
pub(super) const BLOCKS_MAX: usize = 1 << 16;
/// The part number of the footer; blocks count from 1, facts and index follow them.
const FOOTER_PART: u32 = u32::MAX;

/// Where a part lies, and its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) checksum: u32,
    /// Its number.
    pub(super) part: u32,
}

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) blocks: Vec<Place>,
    pub(super) facts: Place,
    pub(super) index: Place,
}

/// The checksum of part `part` of segment `id`: crc32c over its bytes, the id and the number.
pub(super) fn checksum(bytes: &[u8], id: u64, part: u32) -> u32 {
    if cfg!(fuzzing) {
        // A fuzzer never guesses a checksum: it is to get at what lies behind.
        return 0;
    }
    let crc = crc32c::crc32c(bytes);
    let crc = crc32c::crc32c_append(crc, &id.to_le_bytes());
    crc32c::crc32c_append(crc, &part.to_le_bytes())
}

/// The header of segment `id`.
pub(super) fn header(id: u64, version: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES as usize);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&checksum(&out, id, 0).to_le_bytes());
    out
}

/// The version of the format of the file.
pub(super) fn version(file: &[u8]) -> Result<u32, (u64, Corrupt)> {
    let at_start = |corrupt| (0, corrupt);
    let mut reader = Reader::new(file);
    if reader.array().map_err(at_start)? != MAGIC {
        return Err((0, Corrupt("not a segment file")));
    }
    let version = reader.u32().map_err(at_start)?;
    let id = reader.u64().map_err(at_start)?;
    let stored = reader.u32().map_err(at_start)?;
    let covered = file.get(..HEADER_BYTES as usize - 4).unwrap_or_default();
    if checksum(covered, id, 0) == stored { Ok(version) } else { Err((0, Corrupt("checksum of the header"))) }
}

impl Place {
    pub(super) fn of(bytes: &[u8], offset: u64, id: u64, part: u32) -> Place {
        Place { offset, len: bytes.len() as u64, checksum: checksum(bytes, id, part), part }
    }

    /// Its bytes, as a range of the file.
    pub(super) fn range(&self) -> Option<Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        Some(start..start.checked_add(usize::try_from(self.len).ok()?)?)
    }

    /// Its bytes, if they are what was written.
    pub(super) fn verified<'f>(&self, file: &'f [u8], id: u64) -> Option<&'f [u8]> {
        let bytes = file.get(self.range()?)?;
        (checksum(bytes, id, self.part) == self.checksum).then_some(bytes)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>, part: u32) -> Result<Place, Corrupt> {
        Ok(Place { offset: reader.u64()?, len: reader.u64()?, checksum: reader.u32()?, part })
    }
}

impl Footer {
    /// Footer and trailer of a file in which `written` bytes stand before them.
    pub(super) fn write(&self, written: u64, id: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity((self.blocks.len() + 2) * PLACE_BYTES + TRAILER_BYTES + 4);
        out.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        for place in self.blocks.iter().chain([&self.facts, &self.index]) {
            place.write(&mut out);
        }
        let footer_len = out.len() as u32;
        let file_len = written + out.len() as u64 + TRAILER_BYTES as u64;
        let crc = footer_checksum(&out, file_len, id);
        out.extend_from_slice(&footer_len.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&END_MAGIC);
        out
    }

    /// Reads the footer of segment `id`.
    pub(super) fn read(file: &[u8], id: u64) -> Result<Footer, (u64, Corrupt)> {
        let end = file.len() as u64;
        let at_end = |corrupt| (end, corrupt);
        let mut head = Reader::new(file.get(12..).unwrap_or_default());
        if head.u64().map_err(at_end)? != id {
            return Err((12, Corrupt("file of another segment")));
        }
        let trailer = file.len().checked_sub(TRAILER_BYTES).and_then(|start| file.split_at_checked(start));
        let (before, trailer) = trailer.ok_or((end, Corrupt("file without a trailer")))?;
        let mut reader = Reader::new(trailer);
        let (len, stored) = (reader.u32().map_err(at_end)? as usize, reader.u32().map_err(at_end)?);
        if reader.array().map_err(at_end)? != END_MAGIC {
            return Err((end, Corrupt("file ends in another way")));
        }
        let start = before.len().checked_sub(len).filter(|start| *start >= HEADER_BYTES as usize);
        let start = start.ok_or((end, Corrupt("footer outside the file")))?;
        let footer = before.get(start..).unwrap_or_default();
        if footer_checksum(footer, end, id) != stored {
            return Err((start as u64, Corrupt("checksum of the footer")));
        }
        Footer::parse(footer, start as u64).map_err(|corrupt| (start as u64, corrupt))
    }

    fn parse(bytes: &[u8], end: u64) -> Result<Footer, Corrupt> {
        let mut reader = Reader::new(bytes);
        let count = reader.u32()? as usize;
        if count > BLOCKS_MAX || reader.left() != (count + 2) * PLACE_BYTES {
            return Err(Corrupt("footer of another length"));
        }
        let mut blocks = Vec::with_capacity(count);
        for part in 0..count {
            blocks.push(Place::read(&mut reader, part as u32 + 1)?);
        }
        let facts = Place::read(&mut reader, count as u32 + 1)?;
        let index = Place::read(&mut reader, count as u32 + 2)?;
        let mut at = HEADER_BYTES;
        for place in blocks.iter().chain([&facts, &index]) {
            if place.offset != at {
                return Err(Corrupt("parts do not follow one another"));
            }
            at = at.checked_add(place.len).ok_or(Corrupt("part outside the file"))?;
        }
        if at != end {
            return Err(Corrupt("parts do not end at the footer"));
        }
        Ok(Footer { blocks, facts, index })
    }
}

fn footer_checksum(footer: &[u8], file_len: u64, id: u64) -> u32 {
    crc32c::crc32c_append(checksum(footer, id, FOOTER_PART), &file_len.to_le_bytes())
}
