//! A batch as it is stepped over by many queries: what one of them has it read, all others have too.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::compile::TextMatcher;
use weir_query::program::Program;
use weir_query::record::{Column, OrderKey, Rows, RowsError, Selection};

use super::access::{Clause, Term};
use super::encode::Forms;
use super::reading::{self, Wanted};
use crate::event::EventBatch;

/// A batch, and the columns that were read of it: each field is read once.
pub(in crate::live) struct Arrived<'b> {
    pub(in crate::live) batch: &'b EventBatch,
    all: Selection,
    columns: RefCell<HashMap<Arc<str>, Forms, foldhash::fast::RandomState>>,
    names: OnceCell<Vec<Arc<str>>>,
    order: Arc<[OrderKey]>,
}

/// Some rows of a batch, or all of them, numbered by themselves: what it costs to step over them hangs on how many
/// there are.
pub(in crate::live) struct Portion<'a> {
    arrived: &'a Arrived<'a>,
    /// Rows of the batch; `None`: all.
    rows: Option<Vec<u32>>,
    /// What fields are in all of them.
    known: &'a [Known],
    columns: RefCell<Vec<(Arc<str>, Column)>>,
    /// Columns whose values are looked at as numbers only.
    numbers: RefCell<Vec<(Arc<str>, Column)>>,
    order: OnceCell<Arc<[OrderKey]>>,
    times: OnceCell<(i64, i64)>,
}

/// A field has this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct Known {
    field: Box<str>,
    text: Box<str>,
}

impl Known {
    /// What rows have that meet `clause`, where that is one text.
    pub(super) fn of(clause: &Clause) -> Option<Known> {
        match clause.as_slice() {
            [Term::Value { field, text }] => Some(Known { field: field.clone(), text: text.clone() }),
            _ => None,
        }
    }

    /// Whether it is that `field` has this text.
    fn is(&self, (field, text): (&str, &str)) -> bool {
        *self.field == *field && *self.text == *text
    }

    /// What the filters ask that `program` begins with, where they ask for nothing but texts: a query whose rows are known
    /// to have them all need not be asked. `None`: it has to be.
    pub(in crate::live) fn asked_by(program: &Program) -> Option<Vec<Known>> {
        let known = |(field, text): (&str, &str)| Known { field: field.into(), text: text.into() };
        Some(program.leading_texts()?.into_iter().map(known).collect())
    }
}

impl<'b> Arrived<'b> {
    /// `batch`, of which the fields `wanted` are read at once.
    pub(in crate::live) fn new(batch: &'b EventBatch, wanted: &[Wanted]) -> Arrived<'b> {
        let all = Selection::all(batch.len());
        let columns = reading::read(batch, &all, wanted).into_iter().collect();
        Arrived {
            batch,
            all,
            columns: RefCell::new(columns),
            names: OnceCell::new(),
            order: batch.order().unwrap_or_default(),
        }
    }

    pub(in crate::live) fn len(&self) -> usize {
        self.all.rows()
    }

    /// Field `name` of every row, for a query over `rows` of them.
    pub(super) fn column(&self, name: &str, rows: usize) -> Result<Column, RowsError> {
        if let Some(forms) = self.columns.borrow().get(name) {
            return Ok(forms.for_rows(rows).clone());
        }
        let forms = Forms::new(self.batch.column(name, &self.all)?);
        let column = forms.for_rows(rows).clone();
        self.columns.borrow_mut().insert(name.into(), forms);
        Ok(column)
    }

    /// As [`Arrived::column`], for a query that looks at the values as numbers only; `None`: they have no form of their own.
    pub(super) fn numbers(&self, name: &str, rows: usize) -> Result<Option<Column>, RowsError> {
        if let Some(forms) = self.columns.borrow().get(name) {
            return Ok(forms.numbers_for(rows).cloned());
        }
        let forms = Forms::new(self.batch.column(name, &self.all)?);
        let column = forms.numbers_for(rows).cloned();
        self.columns.borrow_mut().insert(name.into(), forms);
        Ok(column)
    }

    /// What was asked of it: most likely the same is wanted of the next batch.
    pub(in crate::live) fn wanted(&self) -> Vec<Wanted> {
        let columns = self.columns.borrow();
        columns.iter().filter_map(|(name, forms)| forms.wanted(name)).collect()
    }

    fn names(&self) -> &Vec<Arc<str>> {
        self.names.get_or_init(|| self.batch.names())
    }
}

impl<'a> Portion<'a> {
    /// All rows.
    pub(in crate::live) fn whole(arrived: &'a Arrived<'a>) -> Portion<'a> {
        let order = OnceCell::from(Arc::clone(&arrived.order));
        Portion { order, ..Portion::of(arrived, None, &[]) }
    }

    /// The rows `rows`, ascending, of which it is known what fields they have.
    pub(super) fn chosen(arrived: &'a Arrived<'a>, rows: Vec<u32>, known: &'a [Known]) -> Portion<'a> {
        match rows.len() == arrived.len() {
            true => Portion { known, ..Portion::whole(arrived) },
            false => Portion::of(arrived, Some(rows), known),
        }
    }

    fn of(arrived: &'a Arrived<'a>, rows: Option<Vec<u32>>, known: &'a [Known]) -> Portion<'a> {
        Portion {
            arrived,
            rows,
            known,
            columns: RefCell::default(),
            numbers: RefCell::default(),
            order: OnceCell::new(),
            times: OnceCell::new(),
        }
    }

    /// Its rows of `within` alone.
    pub(in crate::live) fn narrowed(&self, within: &Selection) -> Portion<'a> {
        let numbers = within.iter().filter_map(|row| u32::try_from(row).ok());
        let rows = match &self.rows {
            None => numbers.collect(),
            Some(rows) => numbers.filter_map(|row| rows.get(row as usize).copied()).collect(),
        };
        Portion::chosen(self.arrived, rows, self.known)
    }

    /// Earliest and latest event time, nanoseconds; of no rows, nonsense.
    pub(in crate::live) fn times(&self) -> (i64, i64) {
        *self.times.get_or_init(|| {
            let times = self.places().iter().map(|key| key.nanos);
            times.fold((i64::MAX, i64::MIN), |(least, most), nanos| (least.min(nanos), most.max(nanos)))
        })
    }

    /// `order` by time of arrival in the place of event time.
    pub(in crate::live) fn by_arrival(&self, order: &[OrderKey]) -> Vec<OrderKey> {
        let arrived = |key: &OrderKey| OrderKey {
            nanos: self.arrived.batch.ingest_nanos_at(key.sequence),
            sequence: key.sequence,
        };
        order.iter().map(arrived).collect()
    }

    /// The place of every row.
    pub(in crate::live) fn places(&self) -> &Arc<[OrderKey]> {
        self.order.get_or_init(|| {
            let rows = self.rows.as_deref().unwrap_or_default();
            rows.iter()
                .map(|row| self.arrived.order.get(*row as usize).copied().unwrap_or_default())
                .collect()
        })
    }
}

impl Rows for Portion<'_> {
    fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.arrived.len(), Vec::len)
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        Ok(Arc::clone(self.places()))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.arrived.names().clone()
    }

    fn column(&self, name: &str, _: &Selection) -> Result<Column, RowsError> {
        let Some(rows) = &self.rows else { return self.arrived.column(name, self.arrived.len()) };
        if let Some((_, column)) = self.columns.borrow().iter().find(|(own, _)| **own == *name) {
            return Ok(column.clone());
        }
        let column = self.arrived.column(name, rows.len())?.gather(rows);
        self.columns.borrow_mut().push((name.into(), column.clone()));
        Ok(column)
    }

    fn keeps_columns(&self) -> bool {
        true
    }

    fn numbers(&self, name: &str, _: &Selection) -> Result<Option<Column>, RowsError> {
        let Some(rows) = &self.rows else { return self.arrived.numbers(name, self.arrived.len()) };
        if let Some((_, column)) = self.numbers.borrow().iter().find(|(own, _)| **own == *name) {
            return Ok(Some(column.clone()));
        }
        let column = self.arrived.numbers(name, rows.len())?.map(|column| column.gather(rows));
        self.numbers.borrow_mut().extend(column.iter().map(|column| (name.into(), column.clone())));
        Ok(column)
    }

    fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let is_known = |text: &str| self.known.iter().any(|own| own.is((name, text)));
        Ok(matcher.as_equals().is_some_and(is_known).then(|| within.clone()))
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        let Some(rows) = &self.rows else { return self.arrived.batch.search(matcher, within) };
        let mut asked = Selection::none(self.arrived.len());
        for row in within.iter().filter_map(|row| rows.get(row)) {
            asked.insert(*row as usize);
        }
        let found = self.arrived.batch.search(matcher, &asked)?;
        let mut passing = within.clone();
        passing.retain(|row| rows.get(row).is_some_and(|row| found.contains(*row as usize)));
        Ok(passing)
    }
}
