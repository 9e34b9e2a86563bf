//! Packages: folders or ZIP archives of what people share with each other, as LogScale has them.
//!
//! ```text
//! manifest.yaml                          name, version
//! queries/ dashboards/ alerts/ scheduled-searches/ parsers/ actions/ view-interactions/   YAML, told apart by `$schema`
//! data/ (lookup-files/, data-files/, files/)                                              CSV and JSON
//! ```
//!
//! A package is read whole into memory (`files`, `archive`), its files become items with the query texts in them
//! (`yaml`, `content`), each text is compiled with what the package itself has (`check`), and what Weir has a home
//! for is kept (`import`). Nothing of a package is ever written under a name that it chose itself.

mod archive;
mod check;
mod content;
mod files;
mod import;
mod parser;
mod yaml;

pub use archive::{is_archive, pack, unpack};
pub use check::{CheckedItem, CheckedQuery, PackageCheck, PlacedFault};
pub use content::{Item, ItemKind, Package, QueryText};
pub use files::{PackageFile, PackageFiles, read_folder};
pub use import::{Homes, Import, Imported, LeftOut};

/// The most files of a package, folders included.
pub const MAX_PACKAGE_FILES: usize = 4_096;
/// The most bytes of one of its files, decompressed.
pub const MAX_PACKAGE_FILE_BYTES: usize = 16 << 20;
/// The most bytes of all of them.
pub const MAX_PACKAGE_BYTES: usize = 64 << 20;
/// The most bytes of a name in it.
pub const MAX_PACKAGE_NAME_BYTES: usize = 512;

/// Why something is no package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// It has too many files.
    #[error("a package has at most {MAX_PACKAGE_FILES} files")]
    TooManyFiles,
    /// One of its files is too large.
    #[error("{0}: a file of a package has at most {MAX_PACKAGE_FILE_BYTES} bytes")]
    FileTooLarge(String),
    /// All of it is too large.
    #[error("the files of a package have at most {MAX_PACKAGE_BYTES} bytes together")]
    TooLarge,
    /// A name in it leads out of it, or is none.
    #[error("{0:?} is no name of a file in a package")]
    Name(String),
    /// The archive is damaged, or of a kind that is not read.
    #[error("the archive cannot be read: {0}")]
    Archive(String),
    /// It has no `manifest.yaml`, or a wrong one.
    #[error("{0}")]
    Manifest(String),
    /// A file could not be read.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
}
