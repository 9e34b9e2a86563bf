//! A state as bytes.
//!
//! ```text
//! varint version   8 bytes fingerprint   byte kind      what was learnt
//! 1                of program, zone      0 nothing
//!                  and bucket lengths    1 an aggregate  its states
//!                                        2 newest rows   a table
//!                                        3 rows to come  varint tables, the tables
//! ```
//!
//! Hard constraints: it is read by the program that wrote it, or one that learns the same, or not at all; there is no
//! checksum, which is the business of whoever keeps it, and yet no bytes do harm; a change of any form behind the
//! fingerprint is a new version. States that are equal are equal bytes, with one exception: the fields of kept events
//! stand in the order they were first seen in, as the result shows them.

use super::{Learnt, State};
use crate::aggregates::{AggregateState, Source};
use crate::coding::{DecodeError, Reader, write_count, write_varint};
use crate::compile::Ending;
use crate::machine::Machine;
use crate::machine::tail::Tail;
use crate::result::ResultTable;
use crate::result::coding::TABLE_ROWS_MAX;

/// The version of the form.
const VERSION: u64 = 1;

const NOTHING: u8 = 0;
const AGGREGATE: u8 = 1;
const TAIL: u8 = 2;
const STREAM: u8 = 3;

impl Machine {
    /// What a state depends on besides rows, as a hash: machines that have it in common can read each other's states
    /// ([`Machine::encode_state`]). It is the same across processes. `now()` is left out: that goes on while states live.
    #[must_use]
    pub fn state_fingerprint(&self) -> u64 {
        let aggregate = self.program.stages.first().and_then(|stage| stage.aggregate.as_ref());
        let spans = aggregate.map(|aggregate| aggregate.spans(&self.context)).unwrap_or_default();
        let depends = (self.program.first_fingerprint(), &self.context.timezone, spans);
        xxhash_rust::xxh3::xxh3_64(format!("{depends:?}").as_bytes())
    }

    /// Appends `state`, which is one of this machine's, to `out`. There is no checksum in it.
    pub fn encode_state(&self, state: &State, out: &mut Vec<u8>) {
        write_varint(VERSION, out);
        out.extend_from_slice(&self.state_fingerprint().to_le_bytes());
        match &state.learnt {
            Learnt::Nothing => out.push(NOTHING),
            Learnt::Aggregate(aggregate) => {
                out.push(AGGREGATE);
                aggregate.write(out);
            }
            Learnt::Tail(tail) => {
                out.push(TAIL);
                tail.table().write(out);
            }
            Learnt::Stream(tables) => {
                out.push(STREAM);
                let picks: Vec<(usize, usize)> = tables
                    .iter()
                    .enumerate()
                    .flat_map(|(at, table)| (0..table.rows).map(move |row| (at, row)))
                    .collect();
                let parts = picks.chunks(TABLE_ROWS_MAX);
                write_count(parts.len(), out);
                parts.for_each(|part| ResultTable::pick(tables, part).write(out));
            }
        }
    }

    /// The state that [`Machine::encode_state`] wrote, maybe in another process. Any bytes can be given: they are a state
    /// or an error. What it takes in memory is bounded by how many bytes there are.
    ///
    /// # Errors
    /// [`DecodeError::Version`] and [`DecodeError::Program`] for what was written by others,
    /// [`DecodeError::Damaged`] for what nobody wrote.
    pub fn decode_state(&self, bytes: &[u8]) -> Result<State, DecodeError> {
        let mut from = Reader::new(bytes);
        let version = from.varint()?;
        if version != VERSION {
            return Err(DecodeError::Version { found: version, known: VERSION });
        }
        if u64::from_le_bytes(from.array()?) != self.state_fingerprint() {
            return Err(DecodeError::Program);
        }
        let [kind] = from.array()?;
        let learnt = self.read_learnt(kind, &mut from)?;
        from.finish()?;
        Ok(State { learnt, limit: self.context.state_limit() })
    }

    fn read_learnt(&self, kind: u8, from: &mut Reader<'_>) -> Result<Learnt, DecodeError> {
        let aggregate = self.program.stages.first().and_then(|stage| stage.aggregate.as_ref());
        match (kind, aggregate, self.program.ending) {
            (NOTHING, _, _) => Ok(Learnt::Nothing),
            (AGGREGATE, Some(spec), _) => {
                let state = AggregateState::read(spec, &self.context, Source::Events, from)?;
                Ok(Learnt::Aggregate(Box::new(state)))
            }
            (TAIL, None, Ending::Tail) => {
                let mut tail = Tail::default();
                tail.push(ResultTable::read(from)?);
                Ok(Learnt::Tail(tail))
            }
            (STREAM, None, Ending::Stream) => {
                let tables = (0..from.count(1)?).map(|_| ResultTable::read(from));
                Ok(Learnt::Stream(tables.collect::<Result<_, _>>()?))
            }
            _ => Err(DecodeError::Damaged("it is of no kind that the program has")),
        }
    }
}
