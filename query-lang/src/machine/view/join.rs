//! Views that were forked become one again.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{View, through};
use crate::machine::StepError;
use crate::record::{Column, RowsError, Selection};

impl<'r> View<'r> {
    /// Takes over what forks of this view did: each fork's rows in play come out of it as the fork has them. When
    /// no fork multiplied rows, rows keep their numbers.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn join(&mut self, forks: Vec<View<'r>>) -> Result<(), StepError> {
        match <[View<'r>; 1]>::try_from(forks) {
            Ok([mut only]) => {
                only.parents = match &only.parents {
                    None => self.parents.take(),
                    Some(rows) => Some(through(self.parents.as_ref(), rows)),
                };
                only.is_fork = self.is_fork;
                *self = only;
            }
            Err(forks) => {
                if forks.iter().all(|fork| fork.parents.is_none()) {
                    self.blend(forks)?
                } else {
                    self.chain(forks)?
                }
            }
        }
        Ok(())
    }

    /// Row `i` comes from the fork that has it in play.
    fn blend(&mut self, forks: Vec<View<'r>>) -> Result<(), RowsError> {
        let mut owner = vec![u32::MAX; self.rows];
        let mut selection = Selection::none(self.rows);
        for (at, fork) in (0_u32..).zip(&forks) {
            selection.union(&fork.selection);
            for row in fork.selection.iter() {
                if let Some(owner) = owner.get_mut(row) {
                    *owner = at;
                }
            }
        }
        self.selection = selection;
        let at = |row: usize| owner.get(row).filter(|at| **at != u32::MAX).map(|at| (*at as usize, row));
        self.weave(&forks, at)
    }

    /// The forks' rows one after another.
    fn chain(&mut self, forks: Vec<View<'r>>) -> Result<(), RowsError> {
        let mut from = Vec::new();
        let mut rows: Vec<u32> = Vec::new();
        for (at, fork) in forks.iter().enumerate() {
            for row in fork.selection.iter() {
                from.push((at, row));
                let parent = match &fork.parents {
                    Some(parents) => parents.get(row).copied(),
                    None => u32::try_from(row).ok(),
                };
                rows.push(parent.unwrap_or(u32::MAX));
            }
        }
        self.rows = from.len();
        self.renumber(&rows);
        self.weave(&forks, |row| from.get(row).copied())
    }

    fn weave(
        &mut self,
        forks: &[View<'r>],
        at: impl Fn(usize) -> Option<(usize, usize)>,
    ) -> Result<(), RowsError> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut add = |name: &Arc<str>| {
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
        };
        // Where a fork keeps only some of the source's fields, every field differs between forks.
        let narrowed = forks.iter().any(|fork| fork.visible.is_some());
        for fork in forks {
            fork.visible.iter().flat_map(|chosen| chosen.iter()).for_each(&mut add);
            fork.written_order.iter().for_each(&mut add);
            if narrowed {
                fork.names().iter().for_each(&mut add);
            }
        }
        let mut written = HashMap::new();
        for name in &names {
            let parts: Result<Vec<Column>, RowsError> = forks.iter().map(|fork| fork.column(name)).collect();
            written.insert(Arc::clone(name), Column::weave(&parts?, self.rows, &at));
        }
        self.written = written;
        self.written_order = names;
        if narrowed {
            self.visible = Some(Arc::new([]));
        }
        Ok(())
    }
}
