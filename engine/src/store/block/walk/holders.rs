//! Which skeletons have which columns.

use crate::store::block::node::Skeletons;

/// Which skeleton has a column.
pub(super) struct Holders {
    /// For every column its only skeleton, if it has one.
    pub(super) only: Vec<Option<u32>>,
    /// Skeletons that have a column twice.
    pub(super) twice: Vec<bool>,
}

impl Holders {
    pub(super) fn of(node: &Skeletons) -> Holders {
        let mut only = vec![None; node.columns.len()];
        let mut uses = vec![0u32; node.columns.len()];
        let mut twice = vec![false; node.skeletons.len()];
        for (code, (skeleton, twice)) in node.skeletons.iter().zip(&mut twice).enumerate() {
            for column in &skeleton.columns {
                let column = *column as usize;
                let (Some(only), Some(uses)) = (only.get_mut(column), uses.get_mut(column)) else { continue };
                *twice |= *only == Some(code as u32);
                *only = Some(code as u32);
                *uses += 1;
            }
        }
        for (only, uses) in only.iter_mut().zip(&uses) {
            only.take_if(|_| *uses > 1);
        }
        Holders { only, twice }
    }
}
