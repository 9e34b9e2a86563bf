//! A file of frames, each with a checksum of all that stands before it.
//!
//! One checksum runs through the whole file: a frame that is damaged, missing, doubled or of another file does not fit
//! it. So a file is believed as a whole or not at all, and can be written and read a frame at a time.

use std::io::{Read, Seek, SeekFrom, Write};

const MAGIC: &[u8; 8] = b"WEIRLIVE";
const VERSION: u32 = 1;
/// The kind of the last frame: its body is how many frames came before it.
const END: u8 = 0;

/// Where a frame begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    crc: u32,
    bytes: u64,
    frames: u64,
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    to: W,
    at: Place,
}

/// A file that can lose its end.
pub(super) trait Shorten {
    /// Nothing behind the first `bytes` bytes is there any more.
    fn shorten(&mut self, bytes: u64) -> std::io::Result<()>;
}

impl Shorten for std::io::BufWriter<&mut std::fs::File> {
    fn shorten(&mut self, bytes: u64) -> std::io::Result<()> {
        self.flush()?;
        self.get_mut().set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(drop)
    }
}

impl<W: Write> FrameWriter<W> {
    /// Begins a file.
    pub(super) fn new(to: W) -> std::io::Result<FrameWriter<W>> {
        let mut writer = FrameWriter { to, at: Place { crc: 0, bytes: 0, frames: 0 } };
        writer.write(MAGIC)?;
        writer.write(&VERSION.to_le_bytes())?;
        writer.write_checksum()?;
        Ok(writer)
    }

    /// Appends a frame; `kind` is not 0.
    pub(super) fn put(&mut self, kind: u8, body: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(body.len());
        let length = length.map_err(|_| std::io::Error::other("a frame would be longer than 4 GiB"))?;
        self.write(&[kind])?;
        self.write(&length.to_le_bytes())?;
        self.write(body)?;
        self.write_checksum()?;
        self.at.frames += 1;
        Ok(())
    }

    /// Ends the file: how many bytes it has.
    pub(super) fn finish(mut self) -> std::io::Result<u64> {
        let frames = self.at.frames;
        self.put(END, &frames.to_le_bytes())?;
        self.to.flush()?;
        Ok(self.at.bytes)
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.at.bytes
    }

    /// Where the next frame begins.
    pub(super) fn place(&self) -> Place {
        self.at
    }

    /// Takes back all frames from `place` on.
    pub(super) fn back_to(&mut self, place: Place) -> std::io::Result<()>
    where
        W: Shorten,
    {
        self.to.shorten(place.bytes)?;
        self.at = place;
        Ok(())
    }

    /// Checksums are not in the checksums after them: those would then not hang on what came before.
    fn write_checksum(&mut self) -> std::io::Result<()> {
        let crc = self.at.crc.to_le_bytes();
        self.to.write_all(&crc)?;
        self.at.bytes += crc.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.to.write_all(bytes)?;
        self.at.crc = crc32c::crc32c_append(self.at.crc, bytes);
        self.at.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    from: R,
    at: Place,
}

impl<R: Read + Seek> FrameReader<R> {
    /// Begins to read a file.
    ///
    /// # Errors
    /// What is wrong with it, as half a sentence about "it".
    pub(super) fn new(from: R) -> Result<FrameReader<R>, String> {
        let mut reader = FrameReader { from, at: Place { crc: 0, bytes: 0, frames: 0 } };
        let (mut magic, mut version) = ([0; 8], [0; 4]);
        reader.read(&mut magic)?;
        if &magic != MAGIC {
            return Err("it is no snapshot of metrics".to_owned());
        }
        reader.read(&mut version)?;
        // The version counts only when it can be believed.
        reader.check()?;
        let version = u32::from_le_bytes(version);
        if version != VERSION {
            return Err(format!(
                "it was written in version {version} of its form; this is version {VERSION}"
            ));
        }
        Ok(reader)
    }

    /// Reads the next frame into `body`: its kind. `None`: it was the last, and nothing follows.
    ///
    /// # Errors
    /// When it does not fit its checksum, or cannot be read.
    pub(super) fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<u8>, String> {
        let mut head = [0; 5];
        self.read(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u64::from(u32::from_le_bytes(length));
        body.clear();
        // No more is reserved than there is.
        let read = (&mut self.from).take(length).read_to_end(body).map_err(|error| error.to_string())?;
        if read as u64 != length {
            return Err("it is damaged: it ends early".to_owned());
        }
        self.note(body);
        self.check()?;
        if kind != END {
            self.at.frames += 1;
            return Ok(Some(kind));
        }
        let follows = self.from.read(&mut [0]).map_err(|error| error.to_string())? > 0;
        if follows || body.as_slice() != self.at.frames.to_le_bytes() {
            return Err("it is damaged: its frames are not all there, or something follows".to_owned());
        }
        Ok(None)
    }

    /// Where the next frame begins.
    pub(super) fn place(&self) -> Place {
        self.at
    }

    /// Goes on with the frame that begins at `place`.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub(super) fn go_to(&mut self, place: Place) -> Result<(), String> {
        self.at = place;
        self.from.seek(SeekFrom::Start(place.bytes)).map(drop).map_err(|error| error.to_string())
    }

    /// Reads the checksum of all before it.
    fn check(&mut self) -> Result<(), String> {
        let (expected, mut crc) = (self.at.crc, [0; 4]);
        self.read(&mut crc)?;
        self.at.crc = expected;
        match crc == expected.to_le_bytes() {
            true => Ok(()),
            false => Err("it is damaged: a checksum does not fit".to_owned()),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), String> {
        self.from.read_exact(into).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "it is damaged: it ends early".to_owned(),
            _ => error.to_string(),
        })?;
        self.note(into);
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) {
        self.at.crc = crc32c::crc32c_append(self.at.crc, bytes);
        self.at.bytes += bytes.len() as u64;
    }
}
