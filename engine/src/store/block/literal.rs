//! Searching a column for a literal on what is stored: what is known before values are looked at.
//!
//! A [`Plan`] is made once a block: constants and the distinct values of dictionaries are looked at once; a column
//! whose values cannot have the bytes of the literal, or are too short for it, is out; of each skeleton it is worked
//! out how the literal can stand in its texts, over the borders of pieces too, and what that asks of the columns.
//! Then `marks` finds the values. Only where there are too many ways are texts put together.

use hashbrown::HashMap;
use weir_query::record::Selection;

use super::align::{Alignment, Alignments, alignments};
use super::ask::{Ask, Fit};
use super::hex;
use super::marks::marks;
use super::needle::Needle;
use super::node::{Kind, Node, Skeletons};
use super::numeric::{Asked, Test};
use super::reach::Reach;
use super::section::Source;
use super::wire::Corrupt;

/// What is known of a column before its values are looked at.
#[derive(Debug)]
pub(crate) enum Plan {
    /// No value is as asked.
    Never,
    /// Every value is.
    Always,
    /// The values with these codes are.
    Codes(Vec<bool>),
    /// The numbers that pass are.
    Numbers(Test),
    /// The values that are have one of these runs of digits.
    Runs(Vec<Vec<u8>>),
    /// The values with these digits are.
    Digits(hex::Masked),
    /// The values must be looked at.
    Look(Ask),
    /// It depends on the skeleton.
    Skeletons(Box<SkeletonPlan>),
}

/// What is known of the texts of skeletons. Those that are named nowhere are never as asked.
#[derive(Debug, Default)]
pub(crate) struct SkeletonPlan {
    /// What is asked of all of them.
    pub(super) ask: Option<Ask>,
    /// Skeletons whose texts all are as asked.
    pub(super) always: Vec<u32>,
    /// Skeletons whose texts must be put together.
    pub(super) rebuild: Vec<u32>,
    /// What columns are asked.
    pub(super) tests: Vec<(u32, Plan)>,
    /// Texts of these skeletons are as asked when a term holds.
    pub(super) terms: Vec<Term>,
}

/// Tests that must all hold, the cheapest first, and the skeletons whose texts they decide.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) tests: Vec<usize>,
    pub(super) skeletons: Vec<u32>,
}

impl Plan {
    /// The plan for finding the values of `node` that are as asked.
    pub(crate) fn of(node: &Node, needle: &Needle, ask: Ask, source: Source<'_>) -> Result<Plan, Corrupt> {
        if let Kind::Constant(value) = &node.kind {
            return Ok(Plan::always(ask.holds(needle, value)));
        }
        if !Reach::of(node, source)?.admits(needle, ask) {
            return Ok(Plan::Never);
        }
        Ok(match &node.kind {
            Kind::Constant(_) => Plan::Never,
            Kind::Dictionary { values, .. } => Plan::of_distinct(values, needle, ask, source)?,
            Kind::Number { form, .. } => match Test::of(form, ask, needle) {
                Asked::Never => Plan::Never,
                Asked::Test(test) => Plan::Numbers(test),
                Asked::Texts => Plan::Look(ask),
            },
            Kind::Hex { pattern, .. } if ask.fit == Fit::Inside => match pattern.cores(needle) {
                Some(cores) if cores.is_empty() => Plan::Never,
                Some(cores) => Plan::Runs(cores),
                None => Plan::Look(ask),
            },
            Kind::Hex { pattern, .. } => pattern.digits(needle, ask).map_or(Plan::Never, Plan::Digits),
            Kind::Text { .. } => Plan::Look(ask),
            Kind::Skeletons(skeletons) => SkeletonPlan::of(skeletons, needle, ask, source)?,
        })
    }

    /// Whether the times of the rows of `node`, whose values are texts of rows, are needed to find what is asked.
    pub(crate) fn asks_times(&self, node: &Node) -> bool {
        match (self, &node.kind) {
            (Plan::Skeletons(plan), Kind::Skeletons(node)) => plan.asks_times(node),
            (Plan::Look(_), Kind::Skeletons(node)) => node.columns.iter().any(Node::is_relative),
            _ => false,
        }
    }

    fn always(holds: bool) -> Plan {
        if holds { Plan::Always } else { Plan::Never }
    }

    /// The plan for a dictionary: its distinct values are searched here and now.
    fn of_distinct(values: &Node, needle: &Needle, ask: Ask, source: Source<'_>) -> Result<Plan, Corrupt> {
        let plan = Plan::of(values, needle, ask, source)?;
        if matches!(plan, Plan::Never | Plan::Always) {
            return Ok(plan);
        }
        let hits = marks(values, &plan, needle, source, &Selection::all(values.count), None)?;
        Ok(if hits.is_empty() {
            Plan::Never
        } else if hits.is_all() {
            Plan::Always
        } else {
            Plan::Codes((0..values.count).map(|code| hits.contains(code)).collect())
        })
    }

    /// The cheapest are asked first.
    fn cost(&self) -> u8 {
        match self {
            Plan::Never | Plan::Always => 0,
            Plan::Codes(_) => 1,
            Plan::Digits(_) => 2,
            // A range is quickly asked, and leaves least.
            Plan::Numbers(test) if test.is_one_range() => 2,
            Plan::Numbers(_) => 3,
            Plan::Runs(_) => 4,
            Plan::Skeletons(_) => 5,
            Plan::Look(_) => 6,
        }
    }
}

/// Tests of a skeleton plan, each made once.
struct Tests<'a> {
    node: &'a Skeletons,
    needle: &'a Needle,
    source: Source<'a>,
    known: HashMap<(u32, Ask), Known, foldhash::fast::FixedState>,
    made: Vec<(u32, Plan)>,
}

#[derive(Clone, Copy)]
enum Known {
    Never,
    Always,
    Test(usize),
}

impl Tests<'_> {
    fn of(&mut self, column: u32, ask: Ask) -> Result<Known, Corrupt> {
        if let Some(known) = self.known.get(&(column, ask)) {
            return Ok(*known);
        }
        let node = self.node.columns.get(column as usize).ok_or(Corrupt("hole without a column"))?;
        let known = match Plan::of(node, self.needle, ask, self.source)? {
            Plan::Never => Known::Never,
            Plan::Always => Known::Always,
            plan => {
                self.made.push((column, plan));
                Known::Test(self.made.len() - 1)
            }
        };
        self.known.insert((column, ask), known);
        Ok(known)
    }

    /// The tests of an alignment, the cheapest first; `None` when one of them never holds.
    fn all(&mut self, alignment: &Alignment) -> Result<Option<Vec<usize>>, Corrupt> {
        let mut tests = Vec::with_capacity(alignment.len());
        for (column, ask) in alignment {
            match self.of(*column, *ask)? {
                Known::Never => return Ok(None),
                Known::Always => {}
                Known::Test(test) => tests.push(test),
            }
        }
        tests.sort_by_key(|test| self.made.get(*test).map_or(0, |(_, plan)| plan.cost()));
        Ok(Some(tests))
    }
}

impl SkeletonPlan {
    /// Whether what is asked of columns of `node` may hang on the times of their rows.
    fn asks_times(&self, node: &Skeletons) -> bool {
        let is_relative = |column: &Node| column.is_relative();
        let asked = |(column, _): &(u32, Plan)| node.columns.get(*column as usize).is_some_and(is_relative);
        self.tests.iter().any(asked) || !self.rebuild.is_empty() && node.columns.iter().any(is_relative)
    }

    fn of(node: &Skeletons, needle: &Needle, ask: Ask, source: Source<'_>) -> Result<Plan, Corrupt> {
        let reaches: Vec<&Reach> =
            node.columns.iter().map(|column| Reach::of(column, source)).collect::<Result<_, _>>()?;
        let mut tests = Tests { node, needle, source, known: HashMap::default(), made: Vec::new() };
        let mut plan = SkeletonPlan { ask: Some(ask), ..SkeletonPlan::default() };
        let mut terms: Vec<(Vec<usize>, u32)> = Vec::new();
        for (code, skeleton) in node.skeletons.iter().enumerate() {
            let code = code as u32;
            let found = match alignments(skeleton, needle, ask, &reaches) {
                Alignments::Always => {
                    plan.always.push(code);
                    continue;
                }
                Alignments::TooMany => {
                    plan.rebuild.push(code);
                    continue;
                }
                Alignments::OneOf(found) => found,
            };
            let mut own = Vec::with_capacity(found.len());
            for alignment in &found {
                own.extend(tests.all(alignment)?);
            }
            if own.iter().any(Vec::is_empty) {
                plan.always.push(code);
                continue;
            }
            terms.extend(own.into_iter().map(|term| (term, code)));
        }
        plan.tests = tests.made;
        terms.sort_unstable();
        for (tests, code) in terms {
            match plan.terms.last_mut().filter(|last| last.tests == tests) {
                Some(last) if last.skeletons.last() == Some(&code) => {}
                Some(last) => last.skeletons.push(code),
                None => plan.terms.push(Term { tests, skeletons: vec![code] }),
            }
        }
        Ok(if plan.terms.is_empty() && plan.rebuild.is_empty() && plan.always.is_empty() {
            Plan::Never
        } else if plan.always.len() == node.skeletons.len() {
            Plan::Always
        } else {
            Plan::Skeletons(Box::new(plan))
        })
    }
}
