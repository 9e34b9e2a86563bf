//! Rows on their way through the row steps: a source that is never changed, and what was written over it.

mod join;
mod shared;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use self::shared::Shared;
use crate::compile::TextMatcher;
use crate::record::{Column, ColumnBuilder, OrderKey, Rows, RowsError, Selection, Timeline};
use crate::result::is_searched;
use crate::value::ValueRef;

/// A source's rows with the fields written so far, the rows still in play, and the fields still to be seen.
///
/// Rows are numbered as in the source until a step makes several rows of one ([`View::multiply`]); columns handed
/// out and written have one slot a row of the view, in play or not.
#[derive(Clone)]
pub struct View<'r> {
    source: &'r dyn Rows,
    /// View row to source row; `None`: the same.
    origin: Option<Arc<[u32]>>,
    /// View row to row of the view this was forked from; `None`: the same. Rows of one source row differ here.
    parents: Option<Arc<[u32]>>,
    rows: usize,
    selection: Selection,
    written: HashMap<Arc<str>, Column>,
    /// Names in `written`, in the order they were first written.
    written_order: Vec<Arc<str>>,
    /// The source's fields that are visible; `None`: all.
    visible: Option<Arc<[Arc<str>]>>,
    /// Columns fetched from the source, with the source rows they are good for. Shared by forks.
    fetched: Rc<RefCell<Fetched>>,
    /// Columns picked from the source for rows numbered as here. Shared by forks until they renumber theirs.
    picked: Rc<RefCell<HashMap<Arc<str>, Column>>>,
    /// What was evaluated for rows numbered as here and is asked for again. Shared by forks until they renumber theirs.
    shared: Rc<RefCell<Shared>>,
    /// It is to be joined with other views of the same rows.
    is_fork: bool,
    /// Free text is looked for in the fields as they are now, not as the source has them.
    searches_written: bool,
}

/// With fewer rows in play than one in so many, steps see those alone.
const FEW_ROWS: usize = 32;

/// Columns by name, each with the rows it is good for.
type Fetched = HashMap<Arc<str>, (Column, Selection)>;

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("View")
            .field("rows", &self.rows)
            .field("chosen", &self.selection.count())
            .field("written", &self.written_order)
            .finish_non_exhaustive()
    }
}

impl<'r> View<'r> {
    /// The rows of `within`, as the source has them.
    #[must_use]
    pub fn new(source: &'r dyn Rows, within: Selection) -> View<'r> {
        View {
            source,
            origin: None,
            parents: None,
            rows: source.len(),
            selection: within,
            written: HashMap::new(),
            written_order: Vec::new(),
            visible: None,
            fetched: Rc::default(),
            picked: Rc::default(),
            shared: Rc::default(),
            is_fork: false,
            searches_written: false,
        }
    }

    /// From now on free text is looked for in the fields as steps have made them.
    pub fn search_written(&mut self) {
        self.searches_written = true;
    }

    /// How many rows there are, in play or not.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows in play.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Sets the rows in play.
    pub fn set_selection(&mut self, selection: Selection) {
        self.selection = selection;
    }

    /// Whether rows are numbered as in the source, and none stands for several.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        self.origin.is_none()
    }

    /// The source row of every row, where they are not numbered alike.
    #[must_use]
    pub fn origin(&self) -> Option<&Arc<[u32]>> {
        self.origin.as_ref()
    }

    /// The values of field `name` for the rows in play; [`Column::Missing`] when it is not there.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn column(&self, name: &str) -> Result<Column, RowsError> {
        self.column_within(name, &self.selection)
    }

    /// The values of field `name` for the rows of `within`.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn column_within(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        if let Some(column) = self.written.get(name) {
            return Ok(column.clone());
        }
        if !self.shows(name) {
            return Ok(Column::Missing { rows: self.rows });
        }
        let Some(origin) = &self.origin else { return self.fetch(name, within) };
        if is_few(origin.len(), self.source.len()) {
            return self.picked(name, origin);
        }
        let column = self.fetch(name, &self.source_rows(within))?;
        Ok(column.gather(origin))
    }

    /// As [`View::column_within`], for whoever looks at the values as numbers and nothing else.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn numbers_within(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        let is_plain = self.origin.is_none() && !self.written.contains_key(name) && self.shows(name);
        match if is_plain { self.source.numbers(name, within)? } else { None } {
            Some(numbers) => Ok(numbers),
            None => self.column_within(name, within),
        }
    }

    /// The values of field `name` of the source for the rows `origin`, which are all there are here.
    fn picked(&self, name: &str, origin: &[u32]) -> Result<Column, RowsError> {
        if let Some(column) = self.picked.borrow().get(name) {
            return Ok(column.clone());
        }
        let name: Arc<str> = name.into();
        // Rows made of one are next to each other, and share its values.
        let mut rows = origin.to_vec();
        rows.dedup();
        let found = self.source.pick(std::slice::from_ref(&name), &rows)?.pop();
        let mut column = found.map_or(Column::Missing { rows: rows.len() }, |(_, column)| column);
        if rows.len() < origin.len() {
            let copies = origin.chunk_by(|one, next| one == next).map(<[u32]>::len);
            let copied = (0..).zip(copies).flat_map(|(at, count)| std::iter::repeat_n(at, count));
            column = column.gather(&copied.collect::<Vec<u32>>());
        }
        self.picked.borrow_mut().insert(name, column.clone());
        Ok(column)
    }

    /// The fields `names` of the rows `rows`, in this order; fields that none of them has are left out. Nothing of the
    /// source is kept alive by it.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn pick(&self, names: &[Arc<str>], rows: &[u32]) -> Result<Vec<(Arc<str>, Column)>, RowsError> {
        let read = |name: &&Arc<str>| !self.written.contains_key(&***name) && self.shows(name);
        let read: Vec<Arc<str>> = names.iter().filter(read).cloned().collect();
        let mut found = match &self.origin {
            _ if read.is_empty() => Vec::new(),
            None => self.source.pick(&read, rows)?,
            Some(origin) => self.source.pick(&read, &through(Some(origin), rows))?,
        }
        .into_iter()
        .peekable();
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let column = match self.written.get(name) {
                Some(column) => column.copied(rows),
                None => found.next_if(|(own, _)| own == name).map(|(_, column)| column),
            };
            columns.extend(column.map(|column| (Arc::clone(name), column)));
        }
        Ok(columns)
    }

    /// The rows of `within` in which field `name` is there and passes, when the source can tell by itself.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let own = self.origin.is_some() || self.written.contains_key(name) || !self.shows(name);
        if own || self.fetched.borrow().contains_key(name) {
            return Ok(None);
        }
        self.source.matching(name, matcher, within)
    }

    /// The rows of `within` whose text passes, as the source has it: what steps wrote does not count, but after
    /// [`View::search_written`].
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        if self.searches_written && (!self.written.is_empty() || self.visible.is_some()) {
            let names = self.names().into_iter().filter(|name| is_searched(name));
            let column = |name: Arc<str>| self.column_within(&name, within).map(|column| (name, column));
            let columns: Result<Vec<_>, RowsError> = names.map(column).collect();
            return crate::result::search(&columns?, matcher, within);
        }
        let Some(origin) = &self.origin else { return self.source.search(matcher, within) };
        let found = self.source.search(matcher, &self.source_rows(within))?;
        let mut chosen = within.clone();
        chosen.retain(|row| origin.get(row).is_some_and(|from| found.contains(*from as usize)));
        Ok(chosen)
    }

    /// Writes field `name`, gaps included: where `column` has none, the field is no longer there.
    pub fn set(&mut self, name: &Arc<str>, column: Column) {
        if self.written.insert(Arc::clone(name), column).is_none() {
            self.written_order.push(Arc::clone(name));
        }
    }

    /// Writes field `name` where `column` has a value, and leaves it as it was where it has none: assigning null
    /// neither creates nor overwrites.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn assign(&mut self, name: &Arc<str>, column: Column) -> Result<(), RowsError> {
        let whole = match &column {
            Column::Missing { .. } => return Ok(()),
            Column::Constant { .. } => true,
            Column::Ints { present, .. } | Column::Floats { present, .. } => present.is_none(),
            _ => false,
        };
        if whole {
            self.set(name, column);
            return Ok(());
        }
        let before = self.column(name)?;
        if matches!(before, Column::Missing { .. }) {
            self.set(name, column);
            return Ok(());
        }
        let present = column.present(&self.selection);
        let woven =
            Column::weave(&[before, column], self.rows, |row| Some((present.contains(row).into(), row)));
        self.set(name, woven);
        Ok(())
    }

    /// Writes into `output` what `f` makes of each value of `input`. Gaps stay gaps, and where `f` writes nothing
    /// the field `output` keeps what it had.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn map(
        &mut self,
        input: &str,
        output: &Arc<str>,
        f: impl FnMut(ValueRef<'_>, &mut ColumnBuilder),
    ) -> Result<(), RowsError> {
        let made = self.column(input)?.map(&self.selection, f);
        self.assign(output, made)
    }

    /// Takes field `name` away.
    pub fn remove(&mut self, name: &Arc<str>) {
        self.set(name, Column::Missing { rows: self.rows });
    }

    /// Keeps the fields of `names` only, in that order.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn keep_only(&mut self, names: &[Arc<str>]) -> Result<(), RowsError> {
        let unread = |name: &Arc<str>| self.shows(name) && !self.written.contains_key(name);
        if names.iter().all(unread) {
            // Fields of the source alone: they are read when they are wanted, of the rows that are left then.
            let mut shown: Vec<Arc<str>> = Vec::with_capacity(names.len());
            names.iter().for_each(|name| {
                if !shown.contains(name) {
                    shown.push(Arc::clone(name));
                }
            });
            self.visible = Some(shown.into());
            self.written.clear();
            self.written_order.clear();
            return Ok(());
        }
        let mut written = HashMap::new();
        for name in names {
            written.insert(Arc::clone(name), self.column(name)?);
        }
        self.written = written;
        self.written_order = names.to_vec();
        self.visible = Some(Arc::new([]));
        Ok(())
    }

    /// Drops the rows in play for which `keep` is false.
    pub fn retain(&mut self, keep: impl FnMut(usize) -> bool) {
        self.selection.retain(keep);
    }

    /// Replaces the rows by copies: new row `i` is a copy of row `picks[i]`. All new rows are in play.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn multiply(&mut self, picks: &[u32]) -> Result<(), RowsError> {
        for column in self.written.values_mut() {
            *column = column.gather(picks);
        }
        self.rows = picks.len();
        self.renumber(picks);
        Ok(())
    }

    /// Lets go of the rows that are not in play, where few are: what comes then costs what those cost. A fork keeps
    /// them, so that it can be joined with others row by row.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn narrow(&mut self) -> Result<(), RowsError> {
        if self.is_fork || !is_few(self.selection.count(), self.rows) {
            return Ok(());
        }
        let left: Vec<u32> = self.selection.iter().filter_map(|row| u32::try_from(row).ok()).collect();
        self.multiply(&left)
    }

    /// Each row is the one of `rows` now; all are in play.
    fn renumber(&mut self, rows: &[u32]) {
        self.origin = Some(through(self.origin.as_ref(), rows));
        self.parents = Some(through(self.parents.as_ref(), rows));
        self.picked = Rc::default();
        self.shared = Rc::default();
        self.selection = Selection::all(rows.len());
    }

    /// The names of all fields some row may have, the source's first, without those taken away.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        let is_taken = |name: &Arc<str>| matches!(self.written.get(name), Some(Column::Missing { .. }));
        let mut names = match &self.visible {
            // What is written over the source's fields comes behind them,
            None => {
                let mut names = self.source.names();
                names.retain(|name| !self.written.contains_key(name));
                names
            }
            // over fields that were chosen, where these stand.
            Some(chosen) => chosen.iter().filter(|name| !is_taken(name)).cloned().collect(),
        };
        let is_chosen = |name: &&Arc<str>| self.visible.iter().any(|chosen| chosen.contains(name));
        let written = self.written_order.iter().filter(|name| !is_chosen(name) && !is_taken(name));
        names.extend(written.cloned());
        names
    }

    /// The place of every row among events.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        if let Some(origin) = self.origin.as_ref().filter(|origin| is_few(origin.len(), self.source.len())) {
            return Ok(self.source.places(origin)?.into());
        }
        let order = self.source.order()?;
        Ok(match &self.origin {
            None => order,
            Some(origin) => {
                origin.iter().map(|row| order.get(*row as usize).copied().unwrap_or_default()).collect()
            }
        })
    }

    /// The times of its rows, where they are ordered by time and numbered as in the source.
    #[must_use]
    pub fn timeline(&self) -> Option<&dyn Timeline> {
        if self.is_aligned() { self.source.timeline() } else { None }
    }

    /// The places of the rows in play, ascending, and which rows they are.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn places(&self) -> Result<(Vec<u32>, Vec<OrderKey>), RowsError> {
        let rows: Vec<u32> = self.selection.iter().filter_map(|row| u32::try_from(row).ok()).collect();
        let places = self.places_of(&rows)?;
        Ok((rows, places))
    }

    /// The places of `rows`.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn places_of(&self, rows: &[u32]) -> Result<Vec<OrderKey>, RowsError> {
        match &self.origin {
            None => self.source.places(rows),
            Some(origin) => self.source.places(&through(Some(origin), rows)),
        }
    }

    /// A view of the same rows with `within` in play, to try steps on.
    #[must_use]
    pub fn fork(&self, within: Selection) -> View<'r> {
        View { selection: within, parents: None, is_fork: true, ..self.clone() }
    }

    /// The rows of the view this was forked from, `within` in play then, that still have a row in play here.
    #[must_use]
    pub fn survivors(&self, within: &Selection) -> Selection {
        let Some(parents) = &self.parents else { return self.selection.clone() };
        let mut left = Selection::none(within.rows());
        for row in self.selection.iter() {
            if let Some(parent) = parents.get(row) {
                left.insert(*parent as usize);
            }
        }
        left
    }

    /// The values that field `name` has here, for the `rows` rows of the view this was forked from: each has that of the
    /// first row in play that was made of it.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn returned(&self, name: &str, rows: usize) -> Result<Column, RowsError> {
        let column = self.column(name)?;
        let Some(parents) = &self.parents else { return Ok(column) };
        let mut first: Vec<Option<usize>> = vec![None; rows];
        for row in self.selection.iter() {
            let parent = parents.get(row).and_then(|parent| first.get_mut(*parent as usize));
            if let Some(first) = parent.filter(|first| first.is_none()) {
                *first = Some(row);
            }
        }
        Ok(Column::weave(&[column], rows, |row| Some((0, first.get(row).copied().flatten()?))))
    }

    fn shows(&self, name: &str) -> bool {
        self.visible.as_ref().is_none_or(|names| names.iter().any(|shown| &**shown == name))
    }

    fn source_rows(&self, within: &Selection) -> Selection {
        let mut rows = Selection::none(self.source.len());
        if let Some(origin) = &self.origin {
            for row in within.iter() {
                if let Some(from) = origin.get(row) {
                    rows.insert(*from as usize);
                }
            }
        }
        rows
    }

    fn fetch(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        if self.source.keeps_columns() {
            return self.source.column(name, within);
        }
        if let Some((column, good)) = self.fetched.borrow().get(name) {
            let mut missing = within.clone();
            missing.subtract(good);
            if missing.is_empty() {
                return Ok(column.clone());
            }
        }
        let column = self.source.column(name, within)?;
        self.fetched.borrow_mut().insert(name.into(), (column.clone(), within.clone()));
        Ok(column)
    }
}

/// Whether `some` of `all` rows are so few that the others are not worth a slot.
fn is_few(some: usize, all: usize) -> bool {
    some < all / FEW_ROWS
}

/// Where `rows` lead when `further` says where each row leads; `None`: to itself.
fn through(further: Option<&Arc<[u32]>>, rows: &[u32]) -> Arc<[u32]> {
    match further {
        None => rows.into(),
        Some(further) => {
            rows.iter().map(|row| further.get(*row as usize).copied().unwrap_or(u32::MAX)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::ResultTable;

    #[test]
    fn few_rows_are_narrowed_to_and_forks_keep_theirs() {
        let rows = FEW_ROWS * 8;
        let event = |row: usize| vec![("n".to_owned(), row.to_string())];
        let table = ResultTable::of_events(&(0..rows).map(event).collect::<Vec<_>>());
        let within =
            |count: usize| Selection::from_fn(rows, |row| row % FEW_ROWS == 5 && row / FEW_ROWS < count);
        let values = |view: &View<'_>, name: &str| -> Vec<String> {
            let column = view.column(name).unwrap();
            view.selection().iter().map(|row| column.get(row).unwrap().text().into_owned()).collect()
        };
        for (count, narrowed) in [(7, 7), (8, rows)] {
            let mut view = View::new(&table, within(count));
            view.set(&Arc::from("m"), view.column("n").unwrap());
            let before = values(&view, "n");
            let mut fork = view.fork(within(1));
            fork.narrow().unwrap();
            assert_eq!(fork.rows(), rows);
            view.narrow().unwrap();
            assert_eq!(view.rows(), narrowed);
            assert_eq!((values(&view, "n"), values(&view, "m")), (before.clone(), before));
        }
    }

    #[test]
    fn copies_of_a_row_share_what_it_has() {
        let rows = FEW_ROWS * 64;
        let event = |row: usize| vec![("n".to_owned(), format!("{row:0>1000}"))];
        let table = ResultTable::of_events(&(0..rows).map(event).collect::<Vec<_>>());
        let mut view = View::new(&table, Selection::all(rows));
        view.multiply(&[7, 7, 7, 9, 7]).unwrap();
        let Column::Text(column) = view.column("n").unwrap() else { panic!("texts") };
        assert_eq!(column.arena.len(), 3 * 1000);
        let found: Vec<usize> =
            (0..5).map(|row| column.get(row).unwrap().trim_start_matches('0').parse().unwrap()).collect();
        assert_eq!(found, [7, 7, 7, 9, 7]);
    }
}
