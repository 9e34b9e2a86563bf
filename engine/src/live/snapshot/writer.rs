//! Writes a snapshot, one standing at a time.

use std::fs::File;
use std::io::BufWriter;

use weir_query::machine::Machine;

use super::form;
use super::frames::FrameWriter;
use crate::live::metric::MetricCut;
use crate::live::ring::Part;
use crate::live::sources::SourcesCut;
use crate::live::standing::StandingCut;

/// Bytes of parts in one frame; one more part may follow.
const FRAME_BYTES: usize = 1 << 20;

/// A snapshot being written.
pub(in crate::live) struct SnapshotWriter<'f> {
    frames: FrameWriter<BufWriter<&'f mut File>>,
    max_bytes: u64,
    written: Written,
    body: Vec<u8>,
    state: Vec<u8>,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::live) struct Written {
    /// Of the file.
    pub(in crate::live) bytes: u64,
    /// Standings for which there was no room.
    pub(in crate::live) left_out: u64,
    /// The last sequence of an event that is in it.
    pub(in crate::live) last_sequence: u64,
}

impl<'f> SnapshotWriter<'f> {
    /// Begins one in `file`, which is empty.
    ///
    /// # Errors
    /// When it cannot be written, as for all that follows.
    pub(in crate::live) fn new(
        file: &'f mut File,
        max_bytes: u64,
        sources: &SourcesCut,
    ) -> std::io::Result<SnapshotWriter<'f>> {
        let frames = FrameWriter::new(BufWriter::with_capacity(FRAME_BYTES, file))?;
        let written = Written::default();
        let mut writer = SnapshotWriter { frames, max_bytes, written, body: Vec::new(), state: Vec::new() };
        form::put_author(&mut writer.body);
        form::put_sources(sources, &mut writer.body);
        writer.frames.put(form::SOURCES, &writer.body)?;
        Ok(writer)
    }

    /// Appends a standing, whose states are those of `machine`, and what metrics over it remember; `owner` is the one
    /// whose pane it has. Where there is no room for all of that, it is left out.
    pub(in crate::live) fn put(
        &mut self,
        cut: &StandingCut,
        owner: Option<&str>,
        metrics: &[MetricCut],
        machine: &Machine,
    ) -> std::io::Result<()> {
        let place = self.frames.place();
        if self.put_all(cut, owner, metrics, machine)? {
            self.written.last_sequence = self.written.last_sequence.max(cut.last_sequence());
        } else {
            self.written.left_out += 1;
            self.frames.back_to(place)?;
        }
        Ok(())
    }

    /// Ends it.
    pub(in crate::live) fn finish(self) -> std::io::Result<Written> {
        Ok(Written { bytes: self.frames.finish()?, ..self.written })
    }

    /// False: there is no room.
    fn put_all(
        &mut self,
        cut: &StandingCut,
        owner: Option<&str>,
        metrics: &[MetricCut],
        machine: &Machine,
    ) -> std::io::Result<bool> {
        self.body.clear();
        form::put_standing(cut, owner, &mut self.body);
        self.frames.put(form::STANDING, &self.body)?;
        let levels = cut.ring.levels.iter().zip(0..);
        for (parts, level) in levels.chain([(&cut.pane, form::PANE)]) {
            if !self.put_parts(level, parts, machine)? {
                return Ok(false);
            }
        }
        for metric in metrics {
            self.body.clear();
            form::put_metric(metric, &mut self.body);
            self.frames.put(form::METRIC, &self.body)?;
        }
        Ok(self.has_room())
    }

    fn put_parts(&mut self, level: u8, parts: &[(i64, Part)], machine: &Machine) -> std::io::Result<bool> {
        let mut before = None;
        for (number, part) in parts {
            if before.is_none() {
                self.body.clear();
                self.body.push(level);
            }
            let state = part.state().map(|state| {
                self.state.clear();
                machine.encode_state(state, &mut self.state);
                self.state.as_slice()
            });
            form::put_part(*number, before, part, state, &mut self.body);
            before = Some(*number);
            if self.body.len() >= FRAME_BYTES {
                self.frames.put(form::PARTS, &self.body)?;
                before = None;
                if !self.has_room() {
                    return Ok(false);
                }
            }
        }
        if before.is_some() {
            self.frames.put(form::PARTS, &self.body)?;
        }
        Ok(true)
    }

    fn has_room(&self) -> bool {
        self.frames.bytes() <= self.max_bytes
    }
}
