//! The files of a package, in memory.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::{
    MAX_PACKAGE_BYTES, MAX_PACKAGE_FILE_BYTES, MAX_PACKAGE_FILES, MAX_PACKAGE_NAME_BYTES, PackageError,
};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Where it stands in the package, parts joined by `/`.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The files of a package, within the limits of one.
#[derive(Clone, Debug, Default)]
pub struct PackageFiles {
    list: Vec<PackageFile>,
    bytes: usize,
    counted: usize,
    /// What was passed over, and why.
    pub passed: Vec<(String, &'static str)>,
}

impl PackageFiles {
    /// Counts one more file or folder.
    ///
    /// # Errors
    /// When there are too many.
    pub fn count(&mut self) -> Result<(), PackageError> {
        self.counted += 1;
        if self.counted > MAX_PACKAGE_FILES { Err(PackageError::TooManyFiles) } else { Ok(()) }
    }

    /// How many bytes the next file, `path`, may have; one more tells that it has too many.
    ///
    /// # Errors
    /// When `promised`, the bytes it is said to have, are already too many.
    pub fn room(&self, path: &str, promised: usize) -> Result<usize, PackageError> {
        let room = MAX_PACKAGE_FILE_BYTES.min(MAX_PACKAGE_BYTES - self.bytes);
        match promised {
            promised if promised > MAX_PACKAGE_FILE_BYTES => Err(PackageError::FileTooLarge(path.to_owned())),
            promised if promised > room => Err(PackageError::TooLarge),
            _ => Ok(room),
        }
    }

    /// Takes a file.
    ///
    /// # Errors
    /// When its name leads out of the package or it has too many bytes.
    pub fn push(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), PackageError> {
        let path = plain(path).ok_or_else(|| PackageError::Name(shown(path)))?;
        self.room(&path, bytes.len())?;
        self.bytes += bytes.len();
        self.list.push(PackageFile { path, bytes });
        Ok(())
    }

    /// The files by path, those above `manifest.yaml` left out and its folder cut off: archives often hold a package in a
    /// folder of its own.
    #[must_use]
    pub fn into_package(mut self) -> Vec<PackageFile> {
        let is_manifest = |file: &&PackageFile| file.path.rsplit('/').next() == Some("manifest.yaml");
        let manifests = self.list.iter().filter(is_manifest);
        let root =
            manifests.map(|file| file.path.trim_end_matches("manifest.yaml")).min_by_key(|root| root.len());
        let root = root.unwrap_or_default().to_owned();
        self.list.retain_mut(|file| match file.path.strip_prefix(&root) {
            Some(path) => {
                file.path = path.to_owned();
                true
            }
            None => false,
        });
        self.list.sort_by(|one, other| one.path.cmp(&other.path));
        self.list
    }
}

/// A path below the package, parts joined by `/`; `None` for one that leads elsewhere.
fn plain(path: &str) -> Option<String> {
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    let wrong =
        path.len() > MAX_PACKAGE_NAME_BYTES || path.contains('\\') || path.starts_with('/') || is_drive;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let climbs = parts.iter().any(|part| *part == ".." || part.contains(char::is_control));
    (!wrong && !climbs && !parts.is_empty()).then(|| parts.join("/"))
}

fn shown(path: &str) -> String {
    path.chars().take(MAX_PACKAGE_NAME_BYTES).collect()
}

/// The files of folder `root` and those below it. Links are not followed.
///
/// # Errors
/// When something cannot be read, or a limit is reached.
pub fn read_folder(root: &Path) -> Result<PackageFiles, PackageError> {
    let mut files = PackageFiles::default();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        let failed = |path: &Path, error: std::io::Error| PackageError::File {
            path: shown(path),
            reason: error.to_string(),
        };
        for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| failed(&path, error))?;
            files.count()?;
            if kind.is_dir() {
                // What version control keeps beside a package is no part of it.
                if entry.file_name() != ".git" {
                    folders.push(path);
                }
            } else if kind.is_file() {
                let promised = entry.metadata().map_err(|error| failed(&path, error))?.len();
                let room = files.room(&shown(&path), usize::try_from(promised).unwrap_or(usize::MAX))?;
                let mut bytes = Vec::new();
                let file = fs::File::open(&path).map_err(|error| failed(&path, error))?;
                file.take(room as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&path, error))?;
                files.push(&shown(&path).replace(std::path::MAIN_SEPARATOR, "/"), bytes)?;
            } else {
                files.passed.push((shown(&path), "a link, which is not followed"));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (path, expect) in [
            ("a/b.yaml", Some("a/b.yaml")),
            ("./a//b.yaml", Some("a/b.yaml")),
            ("a..b/c", Some("a..b/c")),
            ("../a", None),
            ("a/../../b", None),
            ("/etc/passwd", None),
            ("a\\..\\b", None),
            ("C:/a", None),
            ("alerts/A:b.yaml", Some("alerts/A:b.yaml")),
            ("a\u{0}b", None),
            ("", None),
            ("./", None),
        ] {
            assert_eq!(plain(path).as_deref(), expect, "{path:?}");
        }
        assert!(plain(&"a".repeat(MAX_PACKAGE_NAME_BYTES)).is_some());
        assert!(plain(&"a".repeat(MAX_PACKAGE_NAME_BYTES + 1)).is_none());
    }

    #[test]
    fn files_and_bytes_are_limited_at_their_edges() {
        let mut files = PackageFiles::default();
        (0..MAX_PACKAGE_FILES).for_each(|_| files.count().unwrap());
        assert_eq!(files.count(), Err(PackageError::TooManyFiles));
        let file = |bytes: usize| vec![0; bytes];
        let mut files = PackageFiles::default();
        let error = files.push("a", file(MAX_PACKAGE_FILE_BYTES + 1));
        assert_eq!(error, Err(PackageError::FileTooLarge("a".to_owned())));
        for _ in 0..MAX_PACKAGE_BYTES / MAX_PACKAGE_FILE_BYTES {
            files.push("a", file(MAX_PACKAGE_FILE_BYTES)).unwrap();
        }
        assert_eq!(files.push("a", file(1)), Err(PackageError::TooLarge));
        assert!(files.push("a", Vec::new()).is_ok());
    }

    #[test]
    fn a_package_in_a_folder_is_a_package() {
        let mut files = PackageFiles::default();
        for path in ["x/manifest.yaml", "x/queries/a.yaml", "__MACOSX/x", "x/old/manifest.yaml"] {
            files.push(path, Vec::new()).unwrap();
        }
        let paths: Vec<String> = files.into_package().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["manifest.yaml", "old/manifest.yaml", "queries/a.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("queries")).unwrap();
        fs::write(folder.path().join("queries/a.yaml"), "name: a").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        let files = read_folder(folder.path()).unwrap();
        assert_eq!(files.passed, [("root".to_owned(), "a link, which is not followed")]);
        assert_eq!(files.into_package()[0].path, "queries/a.yaml");
    }
}
