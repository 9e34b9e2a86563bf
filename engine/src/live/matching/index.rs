//! An index over queries: a batch is asked once for what all of them look for, and each query gets the rows that may
//! pass it. Queries whose rows do not come are not touched.
//!
//! ```text
//! columns, texts of a batch --> terms met, by row --> groups found by them --> rows that meet the other clauses
//! ```
//!
//! Queries of one access are a group and share their rows; those of them with equal leading filters are a class.
//! The law: what a query would match of a batch is among the rows it gets.

use hashbrown::{HashMap, HashSet};
use weir_query::record::RowsError;

use super::access::{Access, Clause, Term};
use super::arrived::{Arrived, Known, Portion};
use super::field::FieldTerms;
use super::found::{Found, TermId};
use super::literals::Literals;
use super::ranked::{Beyond, Ranking};

/// An index over members, which stand for queries.
#[derive(Debug)]
pub(in crate::live) struct QueryIndex<T> {
    fields: Vec<FieldTerms>,
    literals: Option<Literals>,
    /// The groups that are found by each term.
    found_by: Vec<Vec<u32>>,
    /// The terms whose rows are listed.
    listed: Vec<bool>,
    groups: Vec<Group<T>>,
    /// The groups that get every row.
    always: Vec<u32>,
    /// The groups that are found by a term and a bound.
    rankings: Vec<Ranking>,
}

/// Queries of one access.
#[derive(Debug)]
struct Group<T> {
    /// Rows that meet one of these are looked at.
    terms: Vec<TermId>,
    /// They must meet all of these.
    checks: Vec<Check>,
    /// What fields are in the rows that do: it is not asked again.
    known: Vec<Known>,
    classes: Vec<Class<T>>,
}

/// Queries of one access that begin with the same filters.
#[derive(Debug)]
pub(in crate::live) struct Class<T> {
    /// Of these filters; `None`: it begins with none.
    leading: Option<Leading>,
    /// All rows that come pass them: there is nothing to be filtered.
    is_told: bool,
    pub(in crate::live) members: Vec<T>,
}

/// The filters that a query begins with.
#[derive(Clone, Debug)]
pub(in crate::live) struct Leading {
    /// Equal filters have equal hashes.
    pub(in crate::live) hash: u64,
    /// What they ask, where that is nothing but texts.
    pub(in crate::live) asked: Option<Vec<Known>>,
}

/// What of the filters that queries begin with is left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Filtering {
    /// There are none.
    None,
    /// All rows pass.
    Told,
    /// They have to be run.
    Run,
}

impl<T> Class<T> {
    /// What is left to be done of the filters.
    pub(in crate::live) fn filtering(&self) -> Filtering {
        match &self.leading {
            None => Filtering::None,
            Some(_) if self.is_told => Filtering::Told,
            Some(_) => Filtering::Run,
        }
    }
}

/// A clause that is asked of single rows.
#[derive(Debug, Default)]
struct Check {
    /// By field, the texts that pass, sorted.
    texts: Vec<(usize, Vec<TermId>)>,
    /// By field, least and greatest.
    numbers: Vec<(usize, f64, f64)>,
    /// Terms whose rows are listed.
    listed: Vec<TermId>,
}

impl Check {
    /// Drops the rows that do not meet it.
    fn keep(&self, rows: &mut Vec<u32>, found: &Found) {
        match (self.texts.as_slice(), self.numbers.as_slice(), self.listed.as_slice()) {
            // Most are one test, which is then made on one array.
            ([(field, terms)], [], []) if terms.len() == 1 => {
                let (codes, term) = (found.codes(*field), terms.first());
                rows.retain(|row| codes.get(*row as usize) == term);
            }
            ([], [(field, least, greatest)], []) => {
                let numbers = found.numbers(*field);
                let is_in = |number: &f64| *least <= *number && *number <= *greatest;
                rows.retain(|row| numbers.get(*row as usize).is_some_and(is_in));
            }
            ([], [], [term]) => keep_common(rows, found.rows(*term)),
            _ => rows.retain(|row| self.holds(*row, found)),
        }
    }

    fn holds(&self, row: u32, found: &Found) -> bool {
        let text = |(field, terms): &(usize, Vec<TermId>)| {
            found.codes(*field).get(row as usize).is_some_and(|code| terms.binary_search(code).is_ok())
        };
        let number = |(field, least, greatest): &(usize, f64, f64)| {
            let number = found.numbers(*field).get(row as usize);
            number.is_some_and(|number| *least <= *number && *number <= *greatest)
        };
        self.texts.iter().any(text)
            || self.numbers.iter().any(number)
            || self.listed.iter().any(|term| found.rows(*term).binary_search(&row).is_ok())
    }
}

/// With so many times the rows to be found among, each is looked up; else both are walked.
const LOOKED_UP_FROM: usize = 16;

/// Drops the rows that are not among `others`; both ascend.
fn keep_common(rows: &mut Vec<u32>, others: &[u32]) {
    if others.len() / LOOKED_UP_FROM >= rows.len() {
        return rows.retain(|row| others.binary_search(row).is_ok());
    }
    let mut left = others.iter().peekable();
    rows.retain(|row| {
        while left.next_if(|other| *other < row).is_some() {}
        left.peek() == Some(&row)
    });
}

impl<T> Default for QueryIndex<T> {
    fn default() -> QueryIndex<T> {
        QueryIndex::new([])
    }
}

impl<T> QueryIndex<T> {
    /// An index over queries: the way to each, a hash of its leading filters, and what stands for it.
    pub(in crate::live) fn new(
        queries: impl IntoIterator<Item = (Access, Option<Leading>, T)>,
    ) -> QueryIndex<T> {
        let mut by_access: HashMap<Access, Vec<(Option<Leading>, T)>, foldhash::fast::FixedState> =
            HashMap::default();
        for (access, leading, member) in queries {
            by_access.entry(access).or_default().push((leading, member));
        }
        let mut builder = Builder::default();
        builder.count_values(by_access.keys());
        let (mut groups, mut always, mut rankings) = (Vec::new(), Vec::new(), Vec::new());
        for (access, members) in by_access {
            let mut clauses = match access {
                Access::Never => continue,
                Access::Always => Vec::new(),
                Access::Clauses(clauses) => clauses,
            };
            let known: Vec<Known> = clauses.iter().filter_map(Known::of).collect();
            let terms = match builder.most_telling(&clauses) {
                None => {
                    always.push(groups.len() as u32);
                    Vec::new()
                }
                Some(at) => {
                    let telling = clauses.remove(at);
                    builder.found_by(&telling, &mut clauses, groups.len() as u32, &mut rankings)
                }
            };
            let checks = clauses.iter().map(|clause| builder.check(clause)).collect();
            let classes = classes(members, &known);
            groups.push(Group { terms, checks, known, classes });
        }
        let literals = Literals::new(builder.literals);
        let mut index = QueryIndex {
            fields: builder.fields,
            literals,
            found_by: builder.found_by,
            listed: builder.listed,
            groups,
            always,
            rankings,
        };
        index.fields.iter_mut().for_each(FieldTerms::finish);
        index.rankings.iter_mut().for_each(Ranking::sort);
        index
    }

    /// Room for what [`QueryIndex::find`] finds.
    pub(in crate::live) fn found(&self) -> Found {
        Found::new(self.listed.clone(), self.fields.len(), self.groups.len())
    }

    /// Calls `each` with the queries that may match some of a batch, and the rows they may match.
    ///
    /// # Errors
    /// When the batch cannot be read; nothing has been called then.
    pub(in crate::live) fn find<'a>(
        &'a self,
        arrived: &'a Arrived<'a>,
        found: &mut Found,
        mut each: impl FnMut(&[Class<T>], &Portion<'a>),
    ) -> Result<(), RowsError> {
        found.start(arrived.len());
        for (at, field) in self.fields.iter().enumerate() {
            field.find(at, arrived, found)?;
        }
        if let Some(literals) = &self.literals {
            literals.find(arrived.batch, found);
        }
        self.mark_groups(found);
        let whole = Portion::whole(arrived);
        for group in self.always.iter().filter_map(|at| self.groups.get(*at as usize)) {
            each(&group.classes, &whole);
        }
        for group in found.groups.iter().filter_map(|at| self.groups.get(*at as usize)) {
            let rows = group.rows(found);
            if !rows.is_empty() {
                each(&group.classes, &Portion::chosen(arrived, rows, &group.known));
            }
        }
        for ranking in self.rankings.iter().filter(|ranking| !found.rows(ranking.term).is_empty()) {
            ranking.find(found, |group, mut rows| {
                let Some(group) = self.groups.get(group as usize) else { return };
                group.keep(&mut rows, found);
                if !rows.is_empty() {
                    each(&group.classes, &Portion::chosen(arrived, rows, &group.known));
                }
            });
        }
        Ok(())
    }

    /// All that are in it.
    pub(in crate::live) fn members(&self) -> impl Iterator<Item = &T> {
        self.groups.iter().flat_map(|group| &group.classes).flat_map(|class| &class.members)
    }

    fn mark_groups(&self, found: &mut Found) {
        let (mut groups, mut marked) = (std::mem::take(&mut found.groups), std::mem::take(&mut found.marked));
        for term in found.met() {
            for group in self.found_by.get(*term as usize).into_iter().flatten() {
                if let Some(mark) = marked.get_mut(*group as usize).filter(|mark| !**mark) {
                    *mark = true;
                    groups.push(*group);
                }
            }
        }
        (found.groups, found.marked) = (groups, marked);
    }
}

impl<T> Group<T> {
    /// Drops the rows that do not meet the other clauses.
    fn keep(&self, rows: &mut Vec<u32>, found: &Found) {
        self.checks.iter().for_each(|check| check.keep(rows, found));
    }

    /// The rows that its queries may match.
    fn rows(&self, found: &Found) -> Vec<u32> {
        let mut rows: Vec<u32> = self.terms.iter().flat_map(|term| found.rows(*term)).copied().collect();
        if self.terms.len() > 1 {
            rows.sort_unstable();
            rows.dedup();
        }
        self.keep(&mut rows, found);
        rows
    }
}

/// `members` by the filters they begin with. `known` is what all their rows have.
fn classes<T>(mut members: Vec<(Option<Leading>, T)>, known: &[Known]) -> Vec<Class<T>> {
    let hash = |leading: &Option<Leading>| leading.as_ref().map(|leading| leading.hash);
    members.sort_by_key(|(leading, _)| hash(leading));
    let mut classes: Vec<Class<T>> = Vec::new();
    for (leading, member) in members {
        match classes.last_mut().filter(|class| hash(&class.leading) == hash(&leading)) {
            Some(class) => class.members.push(member),
            None => {
                let asked = leading.as_ref().and_then(|leading| leading.asked.as_ref());
                let is_told = asked.is_some_and(|asked| asked.iter().all(|one| known.contains(one)));
                classes.push(Class { leading, is_told, members: vec![member] });
            }
        }
    }
    classes
}

/// Numbers terms and fields.
#[derive(Default)]
struct Builder {
    fields: Vec<FieldTerms>,
    field_numbers: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
    terms: HashMap<Term, TermId, foldhash::fast::FixedState>,
    literals: Vec<(Box<[u8]>, bool, TermId)>,
    found_by: Vec<Vec<u32>>,
    listed: Vec<bool>,
    /// How many texts are asked for of each field.
    values: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
}

impl Builder {
    fn count_values<'a>(&mut self, accesses: impl Iterator<Item = &'a Access>) {
        let mut values: HashSet<&Term, foldhash::fast::FixedState> = HashSet::default();
        for access in accesses {
            let Access::Clauses(clauses) = access else { continue };
            values.extend(clauses.iter().flatten().filter(|term| matches!(term, Term::Value { .. })));
        }
        for term in values {
            if let Term::Value { field, .. } = term {
                *self.values.entry(field.clone()).or_default() += 1;
            }
        }
    }

    /// The clause that rows are found by: of those that tell as much as the first, that of the field of which most
    /// values are asked for, as each is then in few events.
    fn most_telling(&self, clauses: &[Clause]) -> Option<usize> {
        let values = |clause: &Clause| match clause.first() {
            Some(Term::Value { field, .. }) => self.values.get(field).copied().unwrap_or(0),
            _ => 0,
        };
        (0..clauses.len()).rev().max_by_key(|at| clauses.get(*at).map_or(0, values))
    }

    fn field(&mut self, name: &str) -> usize {
        if let Some(number) = self.field_numbers.get(name) {
            return *number;
        }
        self.fields.push(FieldTerms { name: name.into(), ..FieldTerms::default() });
        self.field_numbers.insert(name.into(), self.fields.len() - 1);
        self.fields.len() - 1
    }

    fn term(&mut self, term: &Term) -> TermId {
        if let Some(known) = self.terms.get(term) {
            return *known;
        }
        let number = self.found_by.len() as TermId;
        self.found_by.push(Vec::new());
        self.listed.push(false);
        self.terms.insert(term.clone(), number);
        match term {
            Term::Value { field, text } => {
                self.change(field, |own| _ = own.texts.insert(text.clone(), number));
            }
            Term::Text { literal, ignore_case } => {
                self.literals.push((literal.clone(), *ignore_case, number));
                self.list(number);
            }
            Term::Present { field } => {
                self.change(field, |own| own.present = Some(number));
                self.list(number);
            }
            Term::Number { .. } | Term::Range { .. } => {}
        }
        number
    }

    fn list(&mut self, term: TermId) {
        if let Some(listed) = self.listed.get_mut(term as usize) {
            *listed = true;
        }
    }

    /// The terms of `clause`, which `group` is found by: with one bound of `others`, which goes there, or alone.
    fn found_by(
        &mut self,
        clause: &Clause,
        others: &mut Vec<Clause>,
        group: u32,
        rankings: &mut Vec<Ranking>,
    ) -> Vec<TermId> {
        let bound = others.iter().position(|other| Beyond::of(other).is_some());
        if let ([term @ (Term::Value { .. } | Term::Text { .. })], Some(bound)) = (clause.as_slice(), bound) {
            let (bound, term) = (others.remove(bound), self.term(term));
            self.list(term);
            if let Some((field, beyond)) = Beyond::of(&bound) {
                Ranking::add(rankings, term, (self.numbers_of(field), beyond), group);
            }
            return vec![term];
        }
        let mut terms = Vec::with_capacity(clause.len());
        for term in clause {
            let number = self.listed_term(term);
            terms.push(number);
            if let Some(groups) = self.found_by.get_mut(number as usize) {
                groups.push(group);
            }
        }
        terms
    }

    /// A term whose rows are listed.
    fn listed_term(&mut self, term: &Term) -> TermId {
        let number = self.term(term);
        let is_first = !self.listed.get(number as usize).is_some_and(|listed| *listed);
        self.list(number);
        match term {
            Term::Number { field, number: bound } => {
                self.change(field, |own| _ = own.numbers.insert(*bound, number));
            }
            Term::Range { field, least, greatest } if is_first => {
                let (least, greatest) = (least.number(), greatest.number());
                self.change(field, |own| own.ranges.add(least, greatest, number));
            }
            _ => {}
        }
        number
    }

    fn check(&mut self, clause: &Clause) -> Check {
        let mut check = Check::default();
        for term in clause {
            match term {
                Term::Value { field, .. } => {
                    let (number, at) = (self.term(term), self.field(field));
                    match check.texts.iter_mut().find(|(own, _)| *own == at) {
                        Some((_, terms)) => terms.push(number),
                        None => check.texts.push((at, vec![number])),
                    }
                }
                Term::Number { field, number } => {
                    check.numbers.push((self.numbers_of(field), number.number(), number.number()));
                }
                Term::Range { field, least, greatest } => {
                    check.numbers.push((self.numbers_of(field), least.number(), greatest.number()));
                }
                Term::Text { .. } | Term::Present { .. } => check.listed.push(self.term(term)),
            }
        }
        check.texts.iter_mut().for_each(|(_, terms)| terms.sort_unstable());
        check
    }

    fn numbers_of(&mut self, field: &str) -> usize {
        self.change(field, |own| own.checks_numbers = true);
        self.field(field)
    }

    fn change(&mut self, field: &str, change: impl FnOnce(&mut FieldTerms)) {
        let at = self.field(field);
        if let Some(own) = self.fields.get_mut(at) {
            change(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn common_rows_are_kept_either_way(
            rows in prop::collection::btree_set(0..400_u32, 0..60),
            others in prop::collection::btree_set(0..400_u32, 0..400),
        ) {
            let mut kept: Vec<u32> = rows.iter().copied().collect();
            keep_common(&mut kept, &others.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(kept, rows.intersection(&others).copied().collect::<Vec<_>>());
        }
    }
}
