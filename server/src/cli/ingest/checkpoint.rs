//! How far a file got: one small file in the user's state folder, gone when the file is through.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::client::ServerArgs;

/// The place up to which a file is acknowledged by one repository of one server.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: Option<PathBuf>,
}

impl Checkpoint {
    /// The checkpoint of `file` for the server and repository in `args`. Standard input has none.
    pub(super) fn of(args: &ServerArgs, file: &Path) -> Checkpoint {
        let path = std::fs::canonicalize(file).ok().and_then(|file| {
            let subject = format!("{}\n{}\n{}", args.server, args.repository, file.display());
            let name = format!("ingest-{:016x}", xxhash_rust::xxh3::xxh3_64(subject.as_bytes()));
            state_folder().map(|folder| folder.join("weir").join(name))
        });
        Checkpoint { path }
    }

    /// Bytes of the plain file acknowledged so far; 0 when nothing is known.
    pub(super) fn load(&self) -> anyhow::Result<u64> {
        let Some(path) = &self.path else { return Ok(0) };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                text.trim().parse().with_context(|| format!("{} is damaged; remove it", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Remembers that everything before `offset` is acknowledged. Where it cannot be kept, the run goes on and says
    /// so once: the events are safe all the same, only `--resume` will not know.
    pub(super) fn store(&mut self, offset: u64) {
        let Some(path) = &self.path else { return };
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let fresh = path.with_extension("new");
            std::fs::write(&fresh, offset.to_string())?;
            std::fs::rename(&fresh, path)
        });
        if let Err(error) = written {
            eprintln!("cannot keep the checkpoint {}: {error}", path.display());
            self.path = None;
        }
    }

    /// Forgets it: the file is through.
    pub(super) fn remove(&self) {
        // Left behind it does no harm: only --resume reads it.
        let _ = self.path.as_ref().map(std::fs::remove_file);
    }
}

fn state_folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".local").join("state")))
}
