//! Tests of blocks.

mod columns;
mod measure;
mod regexes;
mod rows;
mod stretches;
mod tags;

/// Called where a block did not come back and is written plainly: in tests that is a fault.
pub(super) fn fell_back() {
    panic!("a block did not come back as it was");
}
