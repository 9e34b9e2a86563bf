//! The times of a block's rows, one by one: frames of packed integers are decoded where they are looked at.

use weir_query::record::{RowsError, Timeline};

use super::read::{Block, damaged};

impl Timeline for Block {
    fn time(&self, row: usize) -> Result<i64, RowsError> {
        self.time_of(row).map_err(damaged)
    }
}
