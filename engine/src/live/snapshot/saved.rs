//! A snapshot that was read and found whole, and what it says of a standing.

use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::machine::Machine;

use super::form::{self, all_of};
use super::frames::{FrameReader, Place};
use crate::live::keep::put_aside;
use crate::live::metric::MetricCut;
use crate::live::ring::Part;
use crate::live::sources::SourcesCut;
use crate::live::standing::StandingCut;
use crate::live::standing_key::StandingKey;

/// Where each standing begins, by what sets it apart and whose pane it has.
type Places = HashMap<(StandingKey, Option<String>), Place, foldhash::fast::RandomState>;

/// A snapshot in a file that stays open: standings are read when they are asked for.
#[derive(Debug)]
pub(in crate::live) struct Saved<R = BufReader<File>> {
    frames: FrameReader<R>,
    standings: Places,
    sources: Option<SourcesCut>,
    /// The last sequence of an event that is in it.
    last_sequence: u64,
}

const MISSHAPEN: &str = "it is damaged: a frame does not hold what it should";

impl Saved {
    /// The snapshot in `path`; none when there is no file, or none that can be believed where the log has events up to
    /// `last_sequence`: that one is renamed, so that it is never written over, and told of in `problems`.
    pub(in crate::live) fn open_or_put_aside(
        path: &Path,
        last_sequence: u64,
        problems: &mut Vec<String>,
    ) -> Option<Saved> {
        let read = || -> Result<Option<Saved>, String> {
            let file = match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file.map_err(|error| error.to_string())?,
            };
            let saved = Saved::read(BufReader::with_capacity(1 << 20, file))?;
            match saved.last_sequence <= last_sequence {
                true => Ok(Some(saved)),
                false => Err(format!(
                    "it has events up to sequence {}, but the log ends with {last_sequence}: the log lost its end",
                    saved.last_sequence
                )),
            }
        };
        let reason = match read() {
            Ok(saved) => return saved,
            Err(reason) => reason,
        };
        let now = match put_aside(path) {
            Ok(aside) => format!("it is now {}", aside.display()),
            // It will be written over: there is nothing in it that the store has not.
            Err(error) => format!("it stays, as it cannot be renamed: {error}"),
        };
        let problem = format!("{}: {reason}; {now}", path.display());
        tracing::warn!("metrics are read from history again: {problem}");
        problems.push(problem);
        None
    }
}

impl<R: Read + Seek> Saved<R> {
    /// Reads all of it once: everything is what its checksums and its form say, or it is an error.
    pub(super) fn read(from: R) -> Result<Saved<R>, String> {
        let mut saved = Saved {
            frames: FrameReader::new(from)?,
            standings: Places::default(),
            sources: None,
            last_sequence: 0,
        };
        let (mut body, mut levels) = (Vec::new(), None);
        loop {
            let place = saved.frames.place();
            let Some(kind) = saved.frames.next(&mut body)? else { return Ok(saved) };
            let fits = match kind {
                form::SOURCES => {
                    if let Some(author) = form::other_author(&body) {
                        return Err(format!("it was written by version {author} of Weir"));
                    }
                    saved.sources = all_of(&body, form::sources);
                    saved.sources.is_some()
                }
                form::STANDING => all_of(&body, form::standing).is_some_and(|(cut, owner)| {
                    levels = Some(cut.ring.levels.len());
                    saved.last_sequence = saved.last_sequence.max(cut.last_sequence());
                    saved.standings.insert((cut.key, owner), place).is_none()
                }),
                form::PARTS => all_of(&body, form::parts).is_some_and(|(level, _)| {
                    level == form::PANE && levels.is_some()
                        || levels.is_some_and(|levels| usize::from(level) < levels)
                }),
                form::METRIC => levels.is_some() && all_of(&body, form::metric).is_some(),
                _ => false,
            };
            if !fits {
                return Err(MISSHAPEN.to_owned());
            }
        }
    }

    /// How far each source had come.
    pub(in crate::live) fn take_sources(&mut self) -> Option<SourcesCut> {
        self.sources.take()
    }

    /// How many standings are in it.
    pub(super) fn len(&self) -> usize {
        self.standings.len()
    }

    /// The standing of `key`, or the one of the metric `owner` with a pane, and what metrics over it remember; its states
    /// are those of `machine`. `None`: it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or its states cannot.
    pub(in crate::live) fn take(
        &mut self,
        key: &StandingKey,
        owner: Option<&str>,
        machine: &Machine,
    ) -> Result<Option<(StandingCut, Vec<MetricCut>)>, String> {
        let key = StandingKey { pane: None, ..key.clone() };
        let Some(place) = self.standings.remove(&(key, owner.map(str::to_owned))) else { return Ok(None) };
        self.frames.go_to(place)?;
        let (mut body, mut metrics) = (Vec::new(), Vec::new());
        self.frames.next(&mut body)?;
        let (mut cut, _) = all_of(&body, form::standing).ok_or(MISSHAPEN)?;
        loop {
            match self.frames.next(&mut body)? {
                Some(form::PARTS) => read_parts(&body, machine, &mut cut)?,
                Some(form::METRIC) => metrics.push(all_of(&body, form::metric).ok_or(MISSHAPEN)?),
                _ => return Ok(Some((cut, metrics))),
            }
        }
    }
}

fn read_parts(body: &[u8], machine: &Machine, cut: &mut StandingCut) -> Result<(), String> {
    let (level, parts) = all_of(body, form::parts).ok_or(MISSHAPEN)?;
    let into = match level {
        form::PANE => &mut cut.pane,
        level => cut.ring.levels.get_mut(usize::from(level)).ok_or(MISSHAPEN)?,
    };
    for part in parts {
        let state = part.state.map(|state| machine.decode_state(state)).transpose();
        let state = state.map_err(|fault| fault.to_string())?.map(Arc::new);
        into.push((part.number, Part::of_all(state, part.events, part.dropped)));
    }
    Ok(())
}

/// Reads a snapshot of live metrics, but not the states in it, which only their queries can: how many standings it has.
///
/// # Errors
/// What is wrong with it.
pub fn read_snapshot(bytes: &[u8]) -> Result<usize, String> {
    Saved::read(Cursor::new(bytes)).map(|saved| saved.len())
}
