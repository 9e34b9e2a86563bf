//! `correlate`: rows of several tables that belong together, by equal values, by time, in order.
//!
//! The tables are gone through one inside the other, in the order in which the pattern names them, the root first. What is
//! looked at of a table are the rows that agree with those chosen before, which an index finds.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::Table;
use crate::aggregates::TIMESTAMP;
use crate::aggregates::spec::ROW_LIMIT_MAX;
use crate::result::ResultTable;
use crate::value::Number;

/// Constellations in a result at most.
pub const MAX_CONSTELLATIONS: usize = ROW_LIMIT_MAX;
/// Rows that are tried for one result at most.
pub const MAX_CORRELATION_STEPS: usize = 10_000_000;
/// After so many rows it is asked whether there is time for more: some hundred microseconds.
const STEPS_ASKED: usize = 1_024;
/// Queries that one `correlate` has at most.
pub const MAX_CORRELATED: usize = 16;
/// The field that tells events apart.
const ID: &str = "@id";

/// What belongs together.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The queries, in the order they stand in.
    pub nodes: Vec<Node>,
    /// The number of the query that is begun with.
    pub root: usize,
    /// Fields that are equal in two queries: number and field of each.
    pub links: Vec<[(usize, Arc<str>); 2]>,
    /// Rows come in the order of the queries, by these fields.
    pub sequence: Option<Vec<Arc<str>>>,
    /// How long before the one in front of it a row may be all the same, milliseconds.
    pub jitter_millis: i64,
    /// From the first row to the last at most, milliseconds.
    pub within_millis: Option<i64>,
    /// Constellations of one row of the root at most.
    pub max_per_root: usize,
    /// A row of a query is in one constellation only.
    pub once: bool,
}

/// One query of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// The fields of its rows in the result; none: all.
    pub fields: Option<Vec<Arc<str>>>,
}

/// The rows of a table, as far as the pattern asks for them.
struct Rows<'t> {
    table: &'t Table,
    millis: Vec<Option<i64>>,
    ids: Vec<Option<String>>,
    order: Vec<Vec<String>>,
    /// The fields that agree with those of a query chosen before.
    shared: Vec<(Arc<str>, usize, Arc<str>)>,
    /// Rows by the values of these.
    index: HashMap<Vec<String>, Rc<Vec<usize>>>,
}

/// The constellations among the rows of `tables`, which are those of the nodes, and what is to be said of them. `is_enough` is
/// asked now and then whether there is time for more.
#[must_use]
pub fn constellations(
    pattern: &Pattern,
    tables: &[Arc<Table>],
    is_enough: &dyn Fn() -> bool,
) -> (ResultTable, Vec<String>) {
    let mut turns: Vec<usize> = (0..pattern.nodes.len()).filter(|node| *node != pattern.root).collect();
    turns.insert(0, pattern.root);
    let rows: Option<Vec<Rows<'_>>> = (0..pattern.nodes.len())
        .map(|node| Some(Rows::new(pattern, tables.get(node)?, node, &turns)))
        .collect();
    let Some(rows) = rows else { return Default::default() };
    let mut search = Search {
        pattern,
        rows,
        turns,
        chosen: Vec::new(),
        found: Vec::new(),
        used: HashSet::new(),
        steps: 0,
        is_enough,
        is_stopped: is_enough(),
    };
    let roots = search.rows.get(pattern.root).map_or(0, |rows| rows.table.rows());
    for row in 0..roots {
        if search.is_over() {
            break;
        }
        if pattern.once && search.used.contains(&search.event(pattern.root, row)) {
            continue;
        }
        search.chosen = vec![(pattern.root, row)];
        search.choose(&mut 0);
    }
    let mut warnings = Vec::new();
    if search.is_stopped {
        warnings.push("correlate: there was no time for all constellations".to_owned());
    }
    if search.steps >= MAX_CORRELATION_STEPS {
        warnings.push(format!(
            "correlate: given up after {MAX_CORRELATION_STEPS} rows were tried; there may be more constellations"
        ));
    }
    if search.found.len() >= MAX_CONSTELLATIONS {
        warnings.push(format!(
            "correlate: only {MAX_CONSTELLATIONS} constellations are taken; there may be more"
        ));
    }
    (search.table(), warnings)
}

fn text(table: &Table, field: &str, row: usize) -> Option<String> {
    Some(table.column(field)?.get(row)?.text().into_owned())
}

impl<'t> Rows<'t> {
    fn new(pattern: &Pattern, table: &'t Table, node: usize, turns: &[usize]) -> Rows<'t> {
        let turn = |node: usize| turns.iter().position(|other| *other == node);
        let mut shared = Vec::new();
        for [a, b] in &pattern.links {
            for (own, other) in [(a, b), (b, a)] {
                if own.0 == node && turn(other.0) < turn(node) {
                    shared.push((Arc::clone(&own.1), other.0, Arc::clone(&other.1)));
                }
            }
        }
        let mut index: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for row in 0..table.rows() {
            let key: Option<Vec<String>> = shared.iter().map(|(own, _, _)| text(table, own, row)).collect();
            if let Some(key) = key {
                index.entry(key).or_default().push(row);
            }
        }
        let number = |row: usize| table.column(TIMESTAMP)?.get(row)?.number()?.truncate();
        let fields = pattern.sequence.as_deref().unwrap_or_default();
        let of =
            |row: usize| fields.iter().map(|field| text(table, field, row).unwrap_or_default()).collect();
        Rows {
            table,
            millis: (0..table.rows()).map(number).collect(),
            ids: (0..table.rows()).map(|row| text(table, ID, row)).collect(),
            order: (0..table.rows()).map(of).collect(),
            shared,
            index: index.into_iter().map(|(key, rows)| (key, Rc::new(rows))).collect(),
        }
    }

    fn order(&self, row: usize) -> &[String] {
        self.order.get(row).map(Vec::as_slice).unwrap_or_default()
    }

    fn id(&self, row: usize) -> Option<&str> {
        self.ids.get(row).and_then(Option::as_deref)
    }
}

struct Search<'t> {
    pattern: &'t Pattern,
    rows: Vec<Rows<'t>>,
    /// The queries, in the order in which rows of them are chosen.
    turns: Vec<usize>,
    /// The rows chosen so far: query and row.
    chosen: Vec<(usize, usize)>,
    found: Vec<Vec<(usize, usize)>>,
    /// The events that are in a constellation, by their ids; where one has none, by query and row.
    used: HashSet<Result<String, (usize, usize)>>,
    steps: usize,
    is_enough: &'t dyn Fn() -> bool,
    /// It was.
    is_stopped: bool,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.is_stopped || self.steps >= MAX_CORRELATION_STEPS || self.found.len() >= MAX_CONSTELLATIONS
    }

    /// What tells an event from others.
    fn event(&self, node: usize, row: usize) -> Result<String, (usize, usize)> {
        let id = self.rows.get(node).and_then(|rows| rows.ids.get(row)).cloned().flatten();
        id.ok_or((node, row))
    }

    /// Chooses rows for the queries that have none. True: no more is wanted of this root.
    fn choose(&mut self, found: &mut usize) -> bool {
        let Some(node) = self.turns.get(self.chosen.len()).copied() else {
            *found += 1;
            self.found.push(self.chosen.clone());
            if self.pattern.once {
                let events: Vec<_> = self.chosen.iter().map(|(node, row)| self.event(*node, *row)).collect();
                self.used.extend(events);
            }
            return self.pattern.once || *found >= self.pattern.max_per_root;
        };
        for row in self.candidates(node).iter().copied() {
            if self.is_over() {
                return true;
            }
            self.steps += 1;
            self.is_stopped = self.steps.is_multiple_of(STEPS_ASKED) && (self.is_enough)();
            if !self.fits(node, row) {
                continue;
            }
            self.chosen.push((node, row));
            let is_enough = self.choose(found);
            self.chosen.pop();
            if is_enough {
                return true;
            }
        }
        false
    }

    /// The rows of `node` that agree with those chosen, in their order.
    fn candidates(&self, node: usize) -> Rc<Vec<usize>> {
        let Some(rows) = self.rows.get(node) else { return Rc::default() };
        let value = |(_, other, field): &(Arc<str>, usize, Arc<str>)| {
            let (_, row) = self.chosen.iter().find(|(chosen, _)| chosen == other)?;
            text(self.rows.get(*other)?.table, field, *row)
        };
        let key: Option<Vec<String>> = rows.shared.iter().map(value).collect();
        key.and_then(|key| rows.index.get(&key)).cloned().unwrap_or_default()
    }

    fn fits(&self, node: usize, row: usize) -> bool {
        let Some(own) = self.rows.get(node) else { return false };
        if self.pattern.once && self.used.contains(&self.event(node, row)) {
            return false;
        }
        let millis = |rows: &Rows<'_>, row: usize| rows.millis.get(row).copied().flatten();
        let mut span = millis(own, row).map(|now| (now, now));
        for (other, at) in &self.chosen {
            let Some(rows) = self.rows.get(*other) else { return false };
            let ids = own.ids.get(row).zip(rows.ids.get(*at));
            if ids.is_some_and(|(a, b)| a.is_some() && a == b) {
                return false;
            }
            let ordered = match *other < node {
                true => self.follows((rows, *at), (own, row)),
                false => self.follows((own, row), (rows, *at)),
            };
            if self.pattern.sequence.is_some() && !ordered {
                return false;
            }
            span = span.zip(millis(rows, *at)).map(|((first, last), now)| (first.min(now), last.max(now)));
        }
        match (self.pattern.within_millis, span) {
            (Some(within), Some((first, last))) => last.saturating_sub(first) <= within,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// Whether `next` comes behind `before`, or is so little earlier that it does not matter.
    fn follows(&self, before: (&Rows<'_>, usize), next: (&Rows<'_>, usize)) -> bool {
        let (one, other) = (before.0.order(before.1), next.0.order(next.1));
        let by_fields = one.iter().zip(other).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
        if by_fields.unwrap_or_else(|| before.0.id(before.1).cmp(&next.0.id(next.1))).is_lt() {
            return true;
        }
        let millis = |(rows, row): (&Rows<'_>, usize)| rows.millis.get(row).copied().flatten();
        let early = millis(before).zip(millis(next)).map(|(before, next)| before.saturating_sub(next));
        self.pattern.jitter_millis > 0 && early.is_some_and(|early| early <= self.pattern.jitter_millis)
    }

    /// What was found, a row for each constellation.
    fn table(&self) -> ResultTable {
        let mut columns = Vec::new();
        for (number, (node, rows)) in self.pattern.nodes.iter().zip(&self.rows).enumerate() {
            // Every query has its row in each.
            let row = |found: &Vec<(usize, usize)>| {
                let row = found.iter().find(|(node, _)| *node == number).map(|(_, row)| *row);
                row.and_then(|row| u32::try_from(row).ok()).unwrap_or(0)
            };
            let picks: Vec<u32> = self.found.iter().map(row).collect();
            let names: Vec<Arc<str>> = match &node.fields {
                Some(fields) => fields.clone(),
                None => rows.table.names().cloned().collect(),
            };
            for name in names {
                let Some(column) = rows.table.column(&name) else { continue };
                // Texts are shared: a row may be in many constellations.
                columns.push((format!("{}.{name}", node.name).into(), column.gather(&picks)));
            }
        }
        ResultTable { rows: self.found.len(), columns, ..ResultTable::default() }
    }
}

/// As numbers where both are, else as texts.
fn compare(a: &str, b: &str) -> Ordering {
    match (Number::parse(a), Number::parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}
