//! Reading a whole segment to see whether it is what it says.

use weir_query::record::{Rows, Selection};

use super::Segment;
use crate::index::keys;
use crate::store::block::wire::Corrupt;
use crate::store::block::{Block, GRANULE_ROWS};

/// What [`Segment::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks looked at.
    pub blocks: usize,
    /// Rows read.
    pub rows: u64,
    /// What is wrong, a line each; empty when all is well.
    pub faults: Vec<String>,
}

impl Segment {
    /// Reads and checks everything: checksums (again, whatever was known), every row of every block, the facts
    /// against the rows, every row of the index, the keys of tags against the tags.
    #[must_use]
    pub fn verify(&self) -> Report {
        let mut report = Report::default();
        let sound = self.footer.index.verified(&self.bytes, self.id);
        let checked = sound.ok_or(Corrupt("checksum does not fit")).and_then(|_| self.index()?.check());
        if let Err(corrupt) = checked {
            report.faults.push(format!("gram index: {corrupt}"));
        }
        for (index, place) in self.footer.blocks.iter().enumerate() {
            report.blocks += 1;
            if place.verified(&self.bytes, self.id).is_none() {
                report.faults.push(format!("block {index}: checksum does not fit"));
                continue;
            }
            match self.block(index) {
                Ok(block) => self.verify_block(index, &block, &mut report),
                Err(error) => report.faults.push(format!("block {index}: {error}")),
            }
        }
        report
    }

    fn verify_block(&self, index: usize, block: &Block, report: &mut Report) {
        let all = Selection::all(block.rows());
        let mut raw_bytes = 0;
        let mut rows = 0;
        let mut fault = |what: String| report.faults.push(format!("block {index}: {what}"));
        let read = block.for_each_raw(&all, &mut |_, raw| {
            rows += 1;
            raw_bytes += raw.len() as u64;
        });
        if let Err(error) = read {
            fault(error.to_string());
        }
        let Some(facts) = self.facts.blocks.get(index) else { return };
        if rows != u64::from(facts.rows) || raw_bytes != facts.raw_bytes {
            fault(format!(
                "{rows} rows of {raw_bytes} bytes, facts say {} of {}",
                facts.rows, facts.raw_bytes
            ));
        }
        match block.order() {
            Ok(order) => {
                if order.windows(2).any(|pair| pair.first() >= pair.last()) {
                    fault("rows are out of order".to_owned());
                }
                let ends = order.first().zip(order.last()).map(|(first, last)| (first.nanos, last.nanos));
                if ends != Some(facts.times()) {
                    fault("times are not what the facts say".to_owned());
                }
            }
            Err(error) => fault(error.to_string()),
        }
        for field in &facts.fields {
            match block.column(&field.name, &all) {
                Ok(column) => {
                    let present = (0..block.rows()).filter(|row| column.get(*row).is_some()).count();
                    let meta = field.name.starts_with('@') || field.name.starts_with('#');
                    if present != field.rows as usize && !meta {
                        fault(format!("field {:?} in {present} rows, facts say {}", field.name, field.rows));
                    }
                }
                Err(error) => fault(format!("field {:?}: {error}", field.name)),
            }
        }
        if let Some(what) = self.keys_fault(index, block) {
            fault(what);
        }
        report.rows += rows;
    }

    /// What is wrong with the keys of the tags of a block, if it has any.
    fn keys_fault(&self, index: usize, block: &Block) -> Option<String> {
        let facts = self.facts.blocks.get(index).filter(|facts| facts.key_bytes > keys::NO_KEYS_BYTES)?;
        let Some(keys) = self.keys(index) else { return Some("keys of tags: damaged".to_owned()) };
        let read = || Ok((block.tag_sets()?, block.tag_codes(0..block.rows())?));
        let (sets, codes) = match read() {
            Ok(read) => read,
            Err(Corrupt(what)) => return Some(format!("tags: {what}")),
        };
        let (hashes, rows) = sets.unlisted(facts, &codes);
        let lacks = !keys::admit(&keys, hashes, rows, GRANULE_ROWS);
        lacks.then(|| "keys of tags: a value is lacking".to_owned())
    }
}
