//! What a job knows at one moment.

use std::sync::Arc;

use weir_query::result::ResultTable;

use crate::search::Cost;

/// A job's result so far. Immutable.
#[derive(Clone, Debug, Default)]
pub struct JobView {
    /// Tables and which of their rows, in the order to be shown.
    pub rows: Vec<(Arc<ResultTable>, Vec<u32>)>,
    /// Nothing more comes; for live jobs: history is read.
    pub done: bool,
    /// What it cost.
    pub cost: Cost,
    /// The histogram, where one was asked for and there is one.
    pub distribution: Option<Arc<ResultTable>>,
    /// Start of the time range, ms.
    pub start_millis: i64,
    /// End of the time range, ms.
    pub end_millis: i64,
    /// Blocks looked at.
    pub work_done: u64,
    /// Blocks to look at.
    pub work_total: u64,
    /// Of a live job: grows with every result.
    pub revision: Option<u64>,
}

impl JobView {
    /// How many rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// All of `table`, as the rows of a view.
    #[must_use]
    pub fn whole(table: ResultTable) -> Vec<(Arc<ResultTable>, Vec<u32>)> {
        let rows = (0..u32::try_from(table.rows).unwrap_or(u32::MAX)).collect();
        vec![(Arc::new(table), rows)]
    }

    /// The rows from `offset`, at most `limit` of them.
    #[must_use]
    pub fn page(&self, offset: usize, limit: usize) -> Vec<(Arc<ResultTable>, Vec<u32>)> {
        let (mut skip, mut left) = (offset, limit);
        let mut page = Vec::new();
        for (table, rows) in &self.rows {
            let kept: Vec<u32> = rows.iter().skip(skip).take(left).copied().collect();
            skip = skip.saturating_sub(rows.len());
            left -= kept.len();
            if !kept.is_empty() {
                page.push((Arc::clone(table), kept));
            }
        }
        page
    }

    /// Warnings of all its tables.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        for warning in self.rows.iter().flat_map(|(table, _)| &table.warnings).chain(&self.cost.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_over_tables() {
        let table = Arc::new(ResultTable::default());
        let view = JobView {
            rows: vec![(Arc::clone(&table), vec![0, 1, 2]), (table, vec![7, 8])],
            ..JobView::default()
        };
        let page = |offset, limit| {
            let page = view.page(offset, limit);
            page.into_iter().flat_map(|(_, rows)| rows).collect::<Vec<u32>>()
        };
        assert_eq!(page(0, usize::MAX), [0, 1, 2, 7, 8]);
        assert_eq!(page(2, 2), [2, 7]);
        assert_eq!(page(4, 2), [8]);
        assert_eq!(page(9, 2), Vec::<u32>::new());
        assert_eq!(view.count(), 5);
    }
}
