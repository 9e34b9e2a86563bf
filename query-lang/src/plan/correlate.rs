//! `correlate`: each of its queries becomes a query inside, and what they give is put together before the steps behind it run.

use std::sync::Arc;

use crate::ast;
use crate::compile::aggregate::span;
use crate::functions::Arguments;
use crate::plan::lower::{Lowering, aggregate_name};
use crate::plan::queries::MAX_QUERY_ROWS;
use crate::plan::{Call, Correlated, Created, Place, Step, SubQuery, TableSource};
use crate::span::Span;
use crate::table::constellations::{MAX_CORRELATED, Node, Pattern};

/// What every constellation tells of each of its events.
const ALWAYS: [&str; 3] = ["@id", "@timestamp", "@ingesttimestamp"];
/// What events are in order by, unless the query says otherwise.
const SEQUENCE: [&str; 2] = ["@timestamp", "@timestamp.nanos"];

/// A named query of `correlate`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedQuery {
    /// Its name.
    pub name: Arc<str>,
    /// Its filters and transforms.
    pub steps: Vec<Step>,
    /// Its own field, and the field of another query, with the name of that in front, that it is equal to.
    pub links: Vec<(Arc<str>, Arc<str>, Place)>,
    /// The fields asked for; `*` is all.
    pub include: Vec<Arc<str>>,
    /// Where it stands.
    pub place: Place,
}

impl Lowering<'_> {
    /// `NAME: { query | own <=> Other.field } include: [..]`.
    pub(super) fn named_query(&mut self, labelled: &ast::Labelled) -> NamedQuery {
        let mut links = Vec::new();
        let mut body = labelled.body.clone();
        for step in &mut body.steps {
            if let ast::StepKind::Filter(filter) = &mut step.kind {
                take_links(filter, &mut links);
            }
        }
        let steps = self.inner(&body);
        if let Some(name) = steps.iter().find_map(aggregate_name) {
            let message = format!("the aggregate `{name}` cannot stand in a query of `correlate`");
            self.fault("position", message, labelled.body.span);
        }
        let include = labelled.include.as_ref().map(|list| self.text_list(list)).unwrap_or_default();
        NamedQuery {
            name: labelled.label.text.as_str().into(),
            steps: super::simplify::steps(steps, &mut self.faults),
            links,
            include: include.into_iter().map(Arc::from).collect(),
            place: Place(labelled.span),
        }
    }

    /// `correlate`, over what the steps before, `out`, make of the events.
    pub(super) fn correlate(&mut self, call: &Call, out: &mut Vec<Step>) {
        let arguments = &call.arguments;
        let queries = arguments.named_queries("query");
        if !(2..=MAX_CORRELATED).contains(&queries.len()) {
            let message = format!("`correlate` has 2 to {MAX_CORRELATED} named queries");
            return self.fault("argument", message, arguments.span);
        }
        if let Some(name) = out.iter().find_map(aggregate_name) {
            let message = format!("`correlate` cannot stand behind the aggregate `{name}`");
            return self.fault("position", message, arguments.span);
        }
        let Some(pattern) = self.pattern(arguments, queries) else { return };
        let mut sources = Vec::new();
        for (query, node) in queries.iter().zip(&pattern.nodes) {
            let mut steps = out.clone();
            steps.extend(query.steps.iter().cloned());
            let inner = SubQuery {
                name: Arc::clone(&query.name),
                steps,
                include: asked(&pattern, node, query),
                start: None,
                end: None,
                repository: None,
                limit: MAX_QUERY_ROWS as usize,
                place: query.place,
            };
            let Some(number) = self.add_query(inner, false) else { return };
            sources.push(TableSource::Query(number));
        }
        out.clear();
        out.push(Step::Create(Created::Correlated(Box::new(Correlated { pattern, sources }))));
    }

    fn pattern(&mut self, arguments: &Arguments, queries: &[NamedQuery]) -> Option<Pattern> {
        let faults = self.faults.len();
        let number = |name: &str| queries.iter().position(|query| *query.name == *name);
        let mut links = Vec::new();
        for (node, query) in queries.iter().enumerate() {
            if number(&query.name) != Some(node) {
                self.fault("argument", format!("two queries are called `{}`", query.name), query.place.0);
            }
            for (own, other, place) in &query.links {
                match linked(queries, other) {
                    Some((other, field)) => links.push([(node, Arc::clone(own)), (other, field)]),
                    None => self.no_query(queries, other, place.0),
                }
            }
        }
        for field in arguments.texts("globalConstraints") {
            let pairs = 1..queries.len();
            links.extend(pairs.map(|node| [(0, Arc::clone(field)), (node, Arc::clone(field))]));
        }
        let root = match arguments.text("root") {
            None => Some(0),
            Some(name) => number(&name),
        };
        if root.is_none() {
            let name = arguments.text_or_empty("root");
            self.no_query(queries, &name, arguments.span_of("root"));
        }
        let is_sequence = arguments.is_true("sequence");
        for name in ["sequenceBy", "jitterTolerance"] {
            if arguments.get(name).is_some() && !is_sequence {
                let message = format!("`{name}` is of no use without `sequence=true`");
                self.fault("argument", message, arguments.span_of(name));
            }
        }
        let mut millis = |name: &str| {
            span(arguments, name).unwrap_or_else(|fault| {
                self.faults.push(fault);
                None
            })
        };
        let (within_millis, jitter_millis) = (millis("within"), millis("jitterTolerance").unwrap_or(0));
        let by = match arguments.texts("sequenceBy") {
            [] => SEQUENCE.map(Arc::from).to_vec(),
            fields => fields.to_vec(),
        };
        let constraints = arguments.is_true("includeConstraintValues");
        let node = |(node, query): (usize, &NamedQuery)| {
            let mut fields: Vec<Arc<str>> = ALWAYS.map(Arc::from).to_vec();
            let linked = links.iter().flatten().filter(|(own, _)| *own == node && constraints);
            fields.extend(linked.map(|(_, field)| Arc::clone(field)));
            fields.extend(query.include.iter().cloned());
            let is_all = query.include.iter().any(|name| **name == *"*");
            Node { name: Arc::clone(&query.name), fields: (!is_all).then(|| once(fields)) }
        };
        let nodes = queries.iter().enumerate().map(node).collect();
        let most = arguments.integer("maxPerRoot").and_then(|most| usize::try_from(most).ok());
        (self.faults.len() == faults).then_some(Pattern {
            nodes,
            root: root.unwrap_or_default(),
            links,
            sequence: is_sequence.then_some(by),
            jitter_millis,
            within_millis,
            max_per_root: most.unwrap_or(1),
            once: arguments.is_true("includeMatchesOnceOnly"),
        })
    }

    fn no_query(&mut self, queries: &[NamedQuery], name: &str, span: Span) {
        let names = queries.iter().map(|query| &*query.name);
        let front = name.split('.').next().unwrap_or(name);
        let hint = match super::arguments::nearest(front, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{name}` is of no query of this `correlate`");
        self.faults.push(crate::error::Diagnostic { code: "argument", message, span, hint: Some(hint) });
    }
}

/// The query and the field that `name` is of: `Other.field`.
fn linked(queries: &[NamedQuery], name: &str) -> Option<(usize, Arc<str>)> {
    let of = |(node, query): (usize, &NamedQuery)| {
        let field = name.strip_prefix(&*query.name)?.strip_prefix('.').filter(|field| !field.is_empty())?;
        Some((node, Arc::<str>::from(field)))
    };
    // Of two names that begin alike the longer one is meant.
    queries.iter().enumerate().filter_map(of).min_by_key(|(_, field)| field.len())
}

/// The fields that the table of `node` must have; none: all.
fn asked(pattern: &Pattern, node: &Node, query: &NamedQuery) -> Vec<Arc<str>> {
    let Some(fields) = &node.fields else { return Vec::new() };
    let number = pattern.nodes.iter().position(|other| other.name == query.name);
    let linked = pattern.links.iter().flatten().filter(|(own, _)| Some(*own) == number);
    let linked = linked.map(|(_, field)| Arc::clone(field));
    let sequence = pattern.sequence.iter().flatten().cloned();
    once(fields.iter().cloned().chain(linked).chain(sequence).collect())
}

fn once(names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    let mut list: Vec<Arc<str>> = Vec::with_capacity(names.len());
    for name in names {
        if !list.contains(&name) {
            list.push(name);
        }
    }
    list
}

/// Takes the links out of a condition that is one, or has some beside others.
fn take_links(filter: &mut ast::Filter, links: &mut Vec<(Arc<str>, Arc<str>, Place)>) {
    match filter {
        ast::Filter::Link(own, other, span) => {
            links.push((own.text.as_str().into(), other.text.as_str().into(), Place(*span)));
            *filter = ast::Filter::Bool(true, *span);
        }
        ast::Filter::And(parts, _) => parts.iter_mut().for_each(|part| take_links(part, links)),
        _ => {}
    }
}
