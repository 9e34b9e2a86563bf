//! Files that people name: each replaced as a whole or not at all, and no name ever a path.
//!
//! ```text
//! file := magic, name length (u32 LE), name, checksum of the content (CRC-32C, u32 LE), content
//! ```

use std::path::Path;

use crate::error::StoreError;
use crate::store::files::Files;

/// The longest name, bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The files of one kind in one folder.
#[derive(Debug)]
pub(crate) struct NamedFiles {
    files: Files,
    kind: Kind,
}

/// What the files are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What each begins with.
    pub(crate) magic: &'static [u8],
    /// What their names on disk end in.
    pub(crate) ending: &'static str,
    /// The most bytes of a content.
    pub(crate) max_bytes: usize,
}

impl NamedFiles {
    /// Those in directory `folder`, which is made when absent.
    ///
    /// # Errors
    /// When it can be neither found nor made.
    pub(crate) fn open(folder: &Path, kind: Kind) -> Result<NamedFiles, StoreError> {
        Ok(NamedFiles { files: Files::real(folder)?, kind })
    }

    /// Those in `files`.
    #[cfg(test)]
    pub(crate) fn in_files(files: Files, kind: Kind) -> NamedFiles {
        NamedFiles { files, kind }
    }

    /// Calls `each` with the name and content of every file. A damaged one is left alone and logged.
    ///
    /// # Errors
    /// When the directory or a file cannot be read.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        for entry in self.files.list("")? {
            if !entry.name.ends_with(self.kind.ending) {
                continue;
            }
            let bytes = match self.files.read(&entry.name, self.max_file_bytes()) {
                // It is longer than one may be.
                Err(StoreError::Damaged { .. }) => Vec::new(),
                bytes => bytes?,
            };
            match self.parse(&bytes) {
                Some((name, content)) => each(name, content),
                None => {
                    tracing::error!(file = entry.name, "a file is damaged, and what it names is not there")
                }
            }
        }
        Ok(())
    }

    /// Whether something may be called `name`.
    pub(crate) fn is_name(name: &str) -> bool {
        (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
    }

    /// Writes a file, in place of one of the same name; durable when it returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(self.kind.magic.len() + 8 + name.len() + content.len());
        bytes.extend_from_slice(self.kind.magic);
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(content).to_le_bytes());
        bytes.extend_from_slice(content);
        self.files.replace(&self.path(name), &bytes)
    }

    /// Removes the file called `name`.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.files.remove(&self.path(name))?;
        self.files.sync_dir("")
    }

    /// The content of the file called `name`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read or is damaged.
    pub(crate) fn content(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(name);
        let bytes = self.files.read(&path, self.max_file_bytes())?;
        let content = self.parse(&bytes).map(|(_, content)| content.to_vec());
        content.ok_or_else(|| {
            let reason = "the content has another checksum".to_owned();
            StoreError::Damaged { path, offset: 0, reason }
        })
    }

    fn path(&self, name: &str) -> String {
        format!("{:032x}{}", xxhash_rust::xxh3::xxh3_128(name.as_bytes()), self.kind.ending)
    }

    fn max_file_bytes(&self) -> u64 {
        (self.kind.magic.len() + 8 + MAX_NAME_BYTES + self.kind.max_bytes) as u64
    }

    /// The name and the content, when they are whole.
    fn parse<'b>(&self, bytes: &'b [u8]) -> Option<(&'b str, &'b [u8])> {
        let (len, rest) = bytes.strip_prefix(self.kind.magic)?.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let (checksum, content) = rest.split_first_chunk::<4>()?;
        let whole = crc32c::crc32c(content) == u32::from_le_bytes(*checksum);
        Some((std::str::from_utf8(name).ok().filter(|_| whole)?, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { magic: b"test 1\n", ending: ".test", max_bytes: 1_000 };

    #[test]
    fn a_damaged_file_is_passed_over() {
        let files = Files::memory();
        let named = NamedFiles::in_files(files.clone(), KIND);
        named.put("a/b", b"one").unwrap();
        named.put("c", b"two").unwrap();
        let mut bytes = files.read(&named.path("c"), 1_000).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        files.replace(&named.path("c"), &bytes).unwrap();
        files.replace("long.test", &[b'x'; 2_000]).unwrap();
        let mut seen = Vec::new();
        named.for_each(|name, content| seen.push((name.to_owned(), content.to_vec()))).unwrap();
        assert_eq!(seen, [("a/b".to_owned(), b"one".to_vec())]);
        assert!(matches!(named.content("c"), Err(StoreError::Damaged { .. })));
        assert_eq!(named.content("a/b").unwrap(), b"one");
        named.remove("a/b").unwrap();
        assert!(named.content("a/b").is_err());
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(NamedFiles::is_name("a") && NamedFiles::is_name(&"x".repeat(MAX_NAME_BYTES)));
        for name in ["", "a\nb", "\u{7f}", &"x".repeat(MAX_NAME_BYTES + 1)] {
            assert!(!NamedFiles::is_name(name), "{name:?}");
        }
    }
}
