//! Fields whose names show only in the rows: what `kvParse`, `parseJson` and their like write.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::functions::Scratch;
use crate::machine::{StepError, View};
use crate::record::{ColumnBuilder, TextSpan};

/// What a field takes besides a slot a row and its name, twice: its builder and its place in the index. Bytes.
const FIELD_BYTES: usize = 512;

/// Fields being written. Every name is a column with a slot for each row of the view, so that it is their number that costs
/// memory: it is bounded while they are made, and of fewer rows at once less is made.
#[derive(Debug)]
pub(crate) struct DynamicFields {
    index: HashMap<Arc<str>, usize>,
    fields: Vec<(Arc<str>, ColumnBuilder)>,
    rows: usize,
    bytes: usize,
    limit: usize,
}

impl DynamicFields {
    /// None so far, of the rows of `view`.
    pub(crate) fn new(view: &View<'_>, scratch: &Scratch) -> DynamicFields {
        DynamicFields {
            index: HashMap::new(),
            fields: Vec::new(),
            rows: view.rows(),
            bytes: 0,
            limit: scratch.context.column_limit(),
        }
    }

    /// Writes a field of `row`; rows come in ascending order, and the first of several values stays.
    ///
    /// # Errors
    /// When there are more than fit into memory.
    pub(crate) fn put(&mut self, name: &str, row: usize, text: &str) -> Result<(), StepError> {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.hold(FIELD_BYTES + 2 * name.len() + self.rows * size_of::<TextSpan>())?;
                let name: Arc<str> = Arc::from(name);
                self.index.insert(Arc::clone(&name), self.fields.len());
                self.fields.push((name, ColumnBuilder::default()));
                self.fields.len() - 1
            }
        };
        if let Some((_, column)) = self.fields.get_mut(at)
            && column.len() <= row
        {
            column.pad(row);
            column.text(text);
            self.hold(text.len())?;
        }
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), StepError> {
        self.bytes += bytes;
        match self.bytes > self.limit {
            true => Err(StepError::ColumnsTooLarge { bytes: self.bytes, limit: self.limit }),
            false => Ok(()),
        }
    }

    /// Writes all fields to `view`.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub(crate) fn assign(self, view: &mut View<'_>) -> Result<(), StepError> {
        for (name, mut column) in self.fields {
            column.pad(view.rows());
            view.assign(&name, column.finish())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Context;
    use crate::record::Selection;
    use crate::result::ResultTable;

    #[test]
    fn what_fields_take_is_bounded_while_they_are_made() {
        let table = ResultTable::of_events(&vec![vec![("a".to_owned(), "b".to_owned())]; 100]);
        let view = View::new(&table, Selection::all(100));
        let field = FIELD_BYTES + 2 + 100 * size_of::<TextSpan>() + 1;
        let context = Context { max_column_bytes: 3 * field, ..Context::default() };
        let mut fields = DynamicFields::new(&view, &Scratch { context, ..Scratch::default() });
        ["a", "b", "c"].iter().for_each(|name| fields.put(name, 7, "x").unwrap());
        // The first value of a row stays, and costs nothing more.
        fields.put("a", 7, "y").unwrap();
        let limit = 3 * field;
        assert_eq!(fields.put("a", 8, "y"), Err(StepError::ColumnsTooLarge { bytes: limit + 1, limit }));
    }
}
