//! Stretches of a block against the whole of it.

use weir_query::compile::TextMatcher;
use weir_query::record::{Rows, Selection};

use super::rows::text;
use crate::store::block::{Block, GRANULE_ROWS};

/// So many fields of a block are looked at.
const NAMES_MAX: usize = 16;

/// Checks that what the first and the last granules of a block hand out is what the block hands out of these rows.
pub(super) fn check(block: &Block, literals: &[&str]) {
    let rows = block.rows();
    let last = rows.saturating_sub(1) / GRANULE_ROWS * GRANULE_ROWS;
    for range in [0..rows.min(GRANULE_ROWS), last..rows] {
        let Some(stretch) = block.stretch(range.clone()) else {
            assert!(range.is_empty());
            continue;
        };
        assert_eq!(stretch.len(), range.len());
        assert_eq!(stretch.names(), block.names());
        assert_eq!(&stretch.order().unwrap()[..], &block.order().unwrap()[range.clone()]);
        let few: Vec<u32> = (0..range.len() as u32).step_by(7).collect();
        let of_block: Vec<u32> = few.iter().map(|row| row + range.start as u32).collect();
        assert_eq!(stretch.places(&few).unwrap(), block.places(&of_block).unwrap());
        for row in [0, range.len() - 1] {
            let time = block.timeline().unwrap().time(range.start + row).unwrap();
            assert_eq!(stretch.timeline().unwrap().time(row).unwrap(), time);
        }
        for within in [Selection::all(range.len()), Selection::from_fn(range.len(), |row| row % 9 == 2)] {
            let whole = within.among(range.start, rows);
            for name in block.names().into_iter().take(NAMES_MAX) {
                let (own, of_block) = (stretch.column(&name, &within), block.column(&name, &whole));
                let (own, of_block) = (own.unwrap(), of_block.unwrap());
                assert_eq!(own.len(), range.len(), "{name}");
                for row in within.iter() {
                    let expected = text(of_block.get(range.start + row));
                    assert_eq!(text(own.get(row)), expected, "field {name:?} of row {row} of {range:?}");
                }
                for matcher in literals.iter().take(1).map(|literal| TextMatcher::contains(literal)) {
                    let found = stretch.matching(&name, &matcher, &within).unwrap();
                    let expected = block.matching(&name, &matcher, &whole).unwrap();
                    assert_eq!(found, expected.map(|rows| rows.cut(range.clone())), "{name} {matcher:?}");
                }
            }
            for matcher in literals.iter().take(2).map(|literal| TextMatcher::contains(literal)) {
                let found = stretch.search(&matcher, &within).unwrap();
                assert_eq!(found, block.search(&matcher, &whole).unwrap().cut(range.clone()), "{matcher:?}");
            }
            let chosen: Vec<u32> = within.iter().map(|row| row as u32).collect();
            let of_block: Vec<u32> = chosen.iter().map(|row| row + range.start as u32).collect();
            let picked = stretch.pick(&block.names(), &chosen).unwrap();
            for ((name, own), (_, other)) in picked.iter().zip(block.pick(&block.names(), &of_block).unwrap())
            {
                (0..chosen.len())
                    .for_each(|row| assert_eq!(text(own.get(row)), text(other.get(row)), "{name}"));
            }
        }
    }
    for range in [1..rows, 0..rows + 1, rows..rows, 0..rows.saturating_sub(1)] {
        let whole =
            range.end % GRANULE_ROWS == 0 && range.start == 0 && !range.is_empty() && range.end <= rows;
        assert_eq!(block.stretch(range.clone()).is_some(), whole, "{range:?}");
    }
}
