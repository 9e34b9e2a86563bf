//! What is asked for more than once of the rows of a view, by the number that the program gave it.

use super::View;
use crate::machine::StepError;
use crate::record::{Column, Selection};

/// What one number stands for, and the rows for which it is known.
#[derive(Clone, Debug)]
enum Found {
    Values(Column),
    Passed(Selection),
    Extracted(Vec<Column>, Selection),
}

/// What has been found so far. Rows are numbered as in the view.
#[derive(Debug, Default)]
pub(super) struct Shared(hashbrown::HashMap<usize, (Found, Selection)>);

impl View<'_> {
    /// The values of expression `number` for the rows of `within`; what `evaluate` makes of them, where they are not known.
    ///
    /// # Errors
    /// Those of `evaluate`.
    pub fn values_once(
        &self,
        number: usize,
        within: &Selection,
        evaluate: impl FnOnce() -> Result<Column, StepError>,
    ) -> Result<Column, StepError> {
        if let Some((Found::Values(column), known)) = self.shared.borrow().0.get(&number)
            && is_part(within, known)
        {
            return Ok(column.clone());
        }
        let column = evaluate()?;
        self.shared.borrow_mut().0.insert(number, (Found::Values(column.clone()), within.clone()));
        Ok(column)
    }

    /// The rows of `within` that pass condition `number`, which `select` tells of those where it is not known.
    ///
    /// # Errors
    /// Those of `select`.
    pub fn passed_once(
        &self,
        number: usize,
        within: &Selection,
        select: impl FnOnce(&Selection) -> Result<Selection, StepError>,
    ) -> Result<Selection, StepError> {
        let (mut passed, mut known) = match self.shared.borrow_mut().0.remove(&number) {
            Some((Found::Passed(passed), known)) => (passed, known),
            _ => (Selection::none(self.rows), Selection::none(self.rows)),
        };
        let mut unknown = within.clone();
        unknown.subtract(&known);
        if !unknown.is_empty() {
            passed.union(&select(&unknown)?);
            known.union(&unknown);
        }
        let mut chosen = within.clone();
        chosen.intersect(&passed);
        self.shared.borrow_mut().0.insert(number, (Found::Passed(passed), known));
        Ok(chosen)
    }

    /// What extraction `number` found in the rows in play, and in which of them; `None` where that is not known.
    #[must_use]
    pub fn extracted(&self, number: usize) -> Option<(Vec<Column>, Selection)> {
        match self.shared.borrow().0.get(&number) {
            Some((Found::Extracted(columns, matched), known)) if is_part(&self.selection, known) => {
                let mut chosen = self.selection.clone();
                chosen.intersect(matched);
                Some((columns.clone(), chosen))
            }
            _ => None,
        }
    }

    /// Extraction `number` found `columns` in the rows `matched` of those `known`.
    pub fn keep_extracted(&self, number: usize, columns: &[Column], matched: &Selection, known: Selection) {
        let found = Found::Extracted(columns.to_vec(), matched.clone());
        self.shared.borrow_mut().0.insert(number, (found, known));
    }
}

/// Whether all rows of `part` are in `whole`.
fn is_part(part: &Selection, whole: &Selection) -> bool {
    let mut rest = part.clone();
    rest.subtract(whole);
    rest.is_empty()
}
