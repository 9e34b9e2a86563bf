//! How a result relates to the one given out before it.

use hashbrown::HashMap;
use weir_query::result::ResultTable;

/// How a result that is given out relates to the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Refinement {
    /// It is of the whole window so far, and takes the place of the one before.
    #[default]
    Accumulating,
    /// It is of what has come since the one before; the reader adds them up.
    Discarding,
    /// It is of the whole window so far, and those rows of the one before that it no longer has come with it.
    Retracting,
}

impl Refinement {
    /// All of them.
    pub const ALL: [Refinement; 3] =
        [Refinement::Accumulating, Refinement::Discarding, Refinement::Retracting];

    /// `accumulating`, `discarding` or `retracting`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Refinement::Accumulating => "accumulating",
            Refinement::Discarding => "discarding",
            Refinement::Retracting => "retracting",
        }
    }

    /// The refinement of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Refinement> {
        Refinement::ALL.into_iter().find(|refinement| refinement.as_str() == name)
    }
}

/// The rows of `before` that `after` no longer has, in their order. Rows are the same when they have the same values;
/// one that stood twice and stands once is retracted once.
pub(super) fn retracted(before: &ResultTable, after: &ResultTable) -> ResultTable {
    let mut still: HashMap<String, usize, foldhash::fast::RandomState> = HashMap::default();
    for row in 0..after.rows {
        *still.entry(text_of(after, row)).or_default() += 1;
    }
    let is_gone = |row: &usize| match still.get_mut(&text_of(before, *row)) {
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        _ => true,
    };
    let picks: Vec<(usize, usize)> = (0..before.rows).filter(is_gone).map(|row| (0, row)).collect();
    let mut gone = ResultTable::pick(std::slice::from_ref(before), &picks);
    if before.order.is_empty() {
        gone.order.clear();
    }
    gone
}

/// The values of a row by name: columns may stand in another order, and be missing where no row has a value.
fn text_of(table: &ResultTable, row: usize) -> String {
    let mut cells: Vec<_> =
        table.columns.iter().filter_map(|(name, column)| Some((name, column.get(row)?.text()))).collect();
    cells.sort_unstable_by_key(|(name, _)| *name);
    cells.iter().map(|(name, value)| format!("{}:{name}{}:{value}", name.len(), value.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of rows such as `k=a n=1`.
    fn table(rows: &[&str]) -> ResultTable {
        let cell = |cell: &str| {
            let (name, value) = cell.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let rows: Vec<Vec<_>> = rows.iter().map(|row| row.split(' ').map(cell).collect()).collect();
        ResultTable { order: Vec::new(), ..ResultTable::of_events(&rows) }
    }

    #[test]
    fn rows_that_changed_or_went_are_retracted() {
        for (before, after, expected) in [
            (&[][..], &["k=a n=1"][..], &[][..]),
            (&["k=a n=1", "k=b n=2"], &["k=b n=2", "k=a n=1"], &[]),
            (&["k=a n=1", "k=b n=2"], &["k=a n=1", "k=b n=3"], &["k=b n=2"]),
            (&["k=a n=1", "k=b n=2"], &["n=2 k=b"], &["k=a n=1"]),
            (&["k=a n=1", "k=b n=2"], &[], &["k=a n=1", "k=b n=2"]),
            (&["k=a", "k=a", "k=a"], &["k=a"], &["k=a", "k=a"]),
            (&["k=a:b"], &["k:a=b"], &["k=a:b"]),
        ] {
            let gone = retracted(&table(before), &table(after));
            let texts =
                |table: &ResultTable| (0..table.rows).map(|row| text_of(table, row)).collect::<Vec<_>>();
            assert_eq!(texts(&gone), texts(&table(expected)), "{before:?} to {after:?}");
        }
    }

    #[test]
    fn refinements_have_names() {
        for refinement in Refinement::ALL {
            assert_eq!(Refinement::parse(refinement.as_str()), Some(refinement));
        }
        assert_eq!(Refinement::parse("Discarding"), None);
    }
}
