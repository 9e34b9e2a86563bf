//! ZIP archives: read whole, and written without compression.
//!
//! ```text
//! archive := entry.., directory entry.., end of directory
//! ```
//! Read as the directory at the end says (APPNOTE.TXT of PKWARE, 4.3): stored and deflated entries, no encryption, no
//! ZIP64, one volume. Sizes are those that are found, not those that are promised; checksums must agree.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::files::{PackageFile, PackageFiles};
use super::{MAX_PACKAGE_BYTES, MAX_PACKAGE_FILES, PackageError};

const ENTRY: u32 = 0x0403_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Bytes of the end of the directory, without its comment.
const END_BYTES: usize = 22;
/// Bytes of an entry of the directory, without its name, extra field and comment.
const DIRECTORY_ENTRY_BYTES: usize = 46;
/// Bytes in front of an entry, without its name and extra field.
const ENTRY_BYTES: usize = 30;
/// The longest comment behind the directory.
const MAX_COMMENT_BYTES: usize = 65_535;
/// The file type bits of Unix, and those of a link.
const TYPE_BITS: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Whether `bytes` begin as an archive does.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&ENTRY.to_le_bytes()) || bytes.starts_with(&END.to_le_bytes())
}

/// The files of an archive.
///
/// # Errors
/// When it is damaged, of a kind that is not read, or over a limit of packages.
pub fn unpack(archive: &[u8]) -> Result<PackageFiles, PackageError> {
    let end =
        end_of_directory(archive).ok_or_else(|| damaged("it has no directory; is it a ZIP archive?"))?;
    let count = usize::from(end.count);
    if count > MAX_PACKAGE_FILES {
        return Err(PackageError::TooManyFiles);
    }
    let mut files = PackageFiles::default();
    let mut at = end.start;
    for _ in 0..count {
        let listed = Listed::read(archive, at)?;
        at = listed.next;
        files.count()?;
        if listed.is_folder() {
            continue;
        }
        if listed.is_link() {
            files.passed.push((listed.name, "a link, which is not followed"));
            continue;
        }
        let room = files.room(&listed.name, listed.bytes)?;
        let content = listed.content(archive, room)?;
        files.push(&listed.name, content)?;
    }
    Ok(files)
}

fn damaged(reason: impl Into<String>) -> PackageError {
    PackageError::Archive(reason.into())
}

fn cut(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], PackageError> {
    let end = at.checked_add(length).ok_or_else(|| damaged("a length is beyond everything"))?;
    bytes.get(at..end).ok_or_else(|| damaged("it ends in the middle"))
}

fn short(bytes: &[u8], at: usize) -> Result<u16, PackageError> {
    let two = cut(bytes, at, 2)?;
    Ok(two.iter().rev().fold(0, |all, byte| all << 8 | u16::from(*byte)))
}

fn long(bytes: &[u8], at: usize) -> Result<u32, PackageError> {
    let four = cut(bytes, at, 4)?;
    Ok(four.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte)))
}

/// What the end of an archive says.
struct End {
    count: u16,
    start: usize,
}

/// The end of the directory: the last place that looks like one and whose comment ends with the archive.
fn end_of_directory(archive: &[u8]) -> Option<End> {
    let last = archive.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(MAX_COMMENT_BYTES);
    (first..=last).rev().find_map(|at| {
        let end = archive.get(at..)?;
        if long(end, 0).ok()? != END || usize::from(short(end, 20).ok()?) != end.len() - END_BYTES {
            return None;
        }
        let start = usize::try_from(long(end, 16).ok()?).ok()?;
        Some(End { count: short(end, 10).ok()?, start })
    })
}

/// An entry as the directory lists it.
struct Listed {
    name: String,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: usize,
    bytes: usize,
    attributes: u32,
    start: usize,
    next: usize,
}

impl Listed {
    fn read(archive: &[u8], at: usize) -> Result<Listed, PackageError> {
        let head = cut(archive, at, DIRECTORY_ENTRY_BYTES)?;
        if long(head, 0)? != DIRECTORY_ENTRY {
            return Err(damaged("an entry of its directory is none"));
        }
        let size = |at: usize| {
            let size = long(head, at)?;
            // ZIP64 keeps sizes elsewhere.
            if size == u32::MAX { Err(damaged("ZIP64 is not read")) } else { Ok(size as usize) }
        };
        let name_length = usize::from(short(head, 28)?);
        let name = cut(archive, at + DIRECTORY_ENTRY_BYTES, name_length)?;
        let behind = usize::from(short(head, 30)?) + usize::from(short(head, 32)?);
        Ok(Listed {
            name: String::from_utf8_lossy(name).into_owned(),
            flags: short(head, 8)?,
            method: short(head, 10)?,
            checksum: long(head, 16)?,
            packed: size(20)?,
            bytes: size(24)?,
            attributes: long(head, 38)?,
            start: size(42)?,
            next: at + DIRECTORY_ENTRY_BYTES + name_length + behind,
        })
    }

    fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    fn is_link(&self) -> bool {
        (self.attributes >> 16) & TYPE_BITS == LINK
    }

    /// What is in it, at most `room` bytes.
    fn content(&self, archive: &[u8], room: usize) -> Result<Vec<u8>, PackageError> {
        let wrong = |reason: &str| damaged(format!("{}: {reason}", self.name));
        if self.flags & 1 != 0 {
            return Err(wrong("it is encrypted"));
        }
        let head = cut(archive, self.start, ENTRY_BYTES)?;
        if long(head, 0)? != ENTRY {
            return Err(wrong("it is not where the directory says"));
        }
        let behind = usize::from(short(head, 26)?) + usize::from(short(head, 28)?);
        let packed = cut(archive, self.start + ENTRY_BYTES + behind, self.packed)?;
        let content = match self.method {
            0 => packed.to_vec(),
            8 => {
                let mut content = Vec::new();
                // One byte more than there is room for tells that there are too many.
                let mut source = DeflateDecoder::new(packed).take(room as u64 + 1);
                source.read_to_end(&mut content).map_err(|error| wrong(&error.to_string()))?;
                content
            }
            method => return Err(wrong(&format!("compression method {method} is not read"))),
        };
        if content.len() > room {
            return Err(match room < super::MAX_PACKAGE_FILE_BYTES {
                true => PackageError::TooLarge,
                false => PackageError::FileTooLarge(self.name.clone()),
            });
        }
        let mut checksum = Crc::new();
        checksum.update(&content);
        if content.len() != self.bytes || checksum.sum() != self.checksum {
            return Err(wrong("its content is damaged"));
        }
        Ok(content)
    }
}

/// An archive of `files`, nothing in it compressed.
///
/// # Errors
/// When there are more files or bytes than a package has.
pub fn pack(files: &[PackageFile]) -> Result<Vec<u8>, PackageError> {
    let count = u16::try_from(files.len()).map_err(|_| PackageError::TooManyFiles)?;
    if files.iter().map(|file| file.bytes.len()).sum::<usize>() > MAX_PACKAGE_BYTES {
        return Err(PackageError::TooLarge);
    }
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let start = archive.len() as u32;
        let mut checksum = Crc::new();
        checksum.update(&file.bytes);
        let name_length =
            u16::try_from(file.path.len()).map_err(|_| PackageError::Name(file.path.clone()))?;
        let size = file.bytes.len() as u32;
        // Version 2.0, names in UTF-8, stored, no time.
        let mut common = Vec::new();
        for part in [20, 0x0800, 0, 0, 0x0021] {
            common.extend_from_slice(&u16::to_le_bytes(part));
        }
        for part in [checksum.sum(), size, size] {
            common.extend_from_slice(&part.to_le_bytes());
        }
        common.extend_from_slice(&name_length.to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        archive.extend_from_slice(&ENTRY.to_le_bytes());
        archive.extend_from_slice(&common);
        archive.extend_from_slice(file.path.as_bytes());
        archive.extend_from_slice(&file.bytes);
        directory.extend_from_slice(&DIRECTORY_ENTRY.to_le_bytes());
        directory.extend_from_slice(&u16::to_le_bytes(20));
        directory.extend_from_slice(&common);
        // No comment, first volume, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&start.to_le_bytes());
        directory.extend_from_slice(file.path.as_bytes());
    }
    let start = archive.len() as u32;
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(&END.to_le_bytes());
    archive.extend_from_slice(&[0; 4]);
    for part in [count, count] {
        archive.extend_from_slice(&part.to_le_bytes());
    }
    for part in [directory.len() as u32, start] {
        archive.extend_from_slice(&part.to_le_bytes());
    }
    archive.extend_from_slice(&[0, 0]);
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<PackageFile> {
        let file =
            |path: &str, text: &str| PackageFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        vec![file("manifest.yaml", "name: a/b"), file("queries/\u{e6}.yaml", &"name: x\n".repeat(500))]
    }

    /// Two files, the second deflated, with a comment at the end: written by another program (CPython's zipfile).
    const DEFLATED: &[u8] = include_bytes!("deflated.zip");

    #[test]
    fn what_is_packed_is_unpacked() {
        let archive = pack(&files()).unwrap();
        assert!(is_archive(&archive));
        assert_eq!(unpack(&archive).unwrap().into_package(), files());
        let deflated = unpack(DEFLATED).unwrap().into_package();
        assert_eq!(
            deflated.iter().map(|file| (&*file.path, file.bytes.len())).collect::<Vec<_>>(),
            [("manifest.yaml", 10), ("queries/x.yaml", 4_000)]
        );
        assert!(pack(&[]).is_ok_and(|empty| unpack(&empty).unwrap().into_package().is_empty()));
    }

    #[test]
    fn damage_is_told_wherever_it_is() {
        let whole = DEFLATED;
        for cut in 0..whole.len() {
            assert!(unpack(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let mut damaged = 0;
        for at in 0..whole.len() {
            let mut archive = whole.to_vec();
            archive[at] ^= 0x5a;
            damaged += usize::from(unpack(&archive).is_err());
        }
        // Times, attributes and comments may change without harm; contents and their places may not.
        assert!(damaged > whole.len() / 3, "{damaged} of {}", whole.len());
    }

    #[test]
    fn what_is_promised_is_not_believed() {
        let told = |change: fn(&mut Vec<u8>)| {
            let mut archive = pack(&files()).unwrap();
            change(&mut archive);
            unpack(&archive).unwrap_err()
        };
        assert!(matches!(told(|archive| archive.truncate(40)), PackageError::Archive(_)));
        let encrypted = told(|archive| {
            let end = archive.len() - END_BYTES;
            let at = long(archive, end + 16).unwrap() as usize;
            archive[at + 8] |= 1;
        });
        assert!(encrypted.to_string().contains("encrypted"), "{encrypted}");
        let method = told(|archive| {
            let end = archive.len() - END_BYTES;
            let at = long(archive, end + 16).unwrap() as usize;
            archive[at + 10] = 12;
        });
        assert!(method.to_string().contains("method 12"), "{method}");
        let zip64 = told(|archive| {
            let end = archive.len() - END_BYTES;
            let at = long(archive, end + 16).unwrap() as usize;
            archive[at + 24..at + 28].fill(0xff);
        });
        assert!(zip64.to_string().contains("ZIP64"), "{zip64}");
    }

    #[test]
    fn a_small_archive_does_not_become_a_large_package() {
        use std::io::Write;
        let zeros = vec![0; super::super::MAX_PACKAGE_FILE_BYTES + 1];
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&zeros).unwrap();
        let packed = packed.finish().unwrap();
        // The file says that it has ten bytes.
        let mut archive = pack(&[PackageFile { path: "a".to_owned(), bytes: packed.clone() }]).unwrap();
        let end = archive.len() - END_BYTES;
        let at = long(&archive, end + 16).unwrap() as usize;
        archive[at + 10] = 8;
        archive[at + 24..at + 28].copy_from_slice(&10_u32.to_le_bytes());
        assert_eq!(unpack(&archive).unwrap_err(), PackageError::FileTooLarge("a".to_owned()));
    }
}
