//! What may stand at the cursor.

use std::cmp::Reverse;
use std::sync::Arc;

use super::catalogue::{Catalogue, FieldFact, ValueFact};
use super::item::{Item, ItemKind, fit};
use super::position::Range;
use super::scan::{Args, Place, Scan, Touched, scan, unquoted};
use super::wanted::{Called, Texts, Wanted, is_aggregate, is_condition, is_value, texts_of};
use super::{MAX_ITEMS, MAX_SHOWN_BYTES};
use crate::error::MAX_QUERY_BYTES;
use crate::functions::{self, Build, Kind, Parameter, Signature};
use crate::lexer::{literal, words};
use crate::reference::usage;
use crate::span::Span;
use crate::table::Table;

/// Before anything is written, so many fields stand before the functions.
const MAX_FIELDS_UNASKED: usize = 50;

/// Fields that every event has or may be given.
const META_FIELDS: [&str; 6] =
    ["@timestamp", "@rawstring", "@id", "@ingesttimestamp", "@timestamp.nanos", "@error"];

const NOT: (&str, &str, &str) = ("not", "not ", "does not hold");

/// What may stand at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The items, those that fit best first.
    pub items: Vec<Item>,
    /// There are more than [`MAX_ITEMS`]: writing on narrows them.
    pub is_incomplete: bool,
}

/// What may stand at byte `offset` of `text`, which may be broken; an offset inside a character counts as its start. A
/// text longer than a query may be gets nothing.
#[must_use]
pub fn complete(text: &str, offset: usize, catalogue: &dyn Catalogue) -> Completion {
    if text.len() > MAX_QUERY_BYTES {
        return Completion::default();
    }
    let cursor = text.floor_char_boundary(offset.min(text.len()));
    let found = scan(text, cursor);
    let wanted = Wanted::of(&found);
    if matches!(wanted, Wanted::Nothing) {
        return Completion::default();
    }
    let mut offer = Offer::new(text, cursor, &found, catalogue);
    offer.wanted(wanted);
    offer.done()
}

/// What something offered is.
enum What {
    Function(&'static Signature),
    Parameter(&'static Parameter),
    Choice,
    Field(Option<FieldFact>),
    Operand(Option<FieldFact>),
    Value(ValueFact),
    Saved(String),
    Table(Option<Arc<Table>>),
    Column,
    QueryParameter,
    Keyword(&'static str, &'static str),
}

struct Candidate {
    label: String,
    what: What,
    fit: u8,
    weight: u64,
}

struct Offer<'a> {
    text: &'a str,
    scan: &'a Scan<'a>,
    catalogue: &'a dyn Catalogue,
    /// What is replaced.
    span: Span,
    /// What is written of it, in small letters.
    typed: String,
    /// It stands in quotes.
    is_quoted: bool,
    candidates: Vec<Candidate>,
}

impl<'a> Offer<'a> {
    fn new(text: &'a str, cursor: usize, scan: &'a Scan<'a>, catalogue: &'a dyn Catalogue) -> Offer<'a> {
        let (span, mark) = match scan.touched {
            Touched::Word(span) => (span, 0),
            Touched::Text(span, true) => (span, 1),
            // What a string that does not end goes over may be the rest of the query.
            Touched::Text(span, false) => (Span { end: Span::new(0, cursor).end, ..span }, 1),
            Touched::Saved(span) | Touched::Parameter(span) => (span, 1),
            Touched::Nothing | Touched::Opaque(_) => (Span::new(cursor, cursor), 0),
        };
        let written = text.get(span.start as usize..cursor).unwrap_or("");
        let typed = unquoted(written.get(mark..).unwrap_or("")).to_lowercase();
        let is_quoted = matches!(scan.touched, Touched::Text(..));
        Offer { text, scan, catalogue, span, typed, is_quoted, candidates: Vec::new() }
    }

    fn add(&mut self, label: impl Into<String>, what: What, weight: u64) {
        let label = label.into();
        if let Some(fit) = fit(&label, &self.typed) {
            self.candidates.push(Candidate { label, what, fit, weight });
        }
    }

    fn wanted(&mut self, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Nothing => {}
            Wanted::Step(place) => self.step(place),
            Wanted::Condition => self.condition(),
            Wanted::Next => {
                self.keywords(&[
                    ("and", "and ", "both hold"),
                    ("or", "or ", "one of both holds; binds tighter than `and`"),
                    ("like", "like ", "the field contains a text"),
                    ("match", "match { ", "`field match { guard => action; * => * }`"),
                ]);
                self.condition();
            }
            Wanted::Value(field) => self.values(field),
            Wanted::FilterCall => self.functions(is_condition),
            Wanted::Assigned => {
                self.operands();
                self.functions(|one| {
                    is_value(one) || matches!(one.build, Build::Aggregate) && one.parameter("as").is_some()
                });
            }
            Wanted::Operand => {
                self.operands();
                self.functions(is_value);
            }
            Wanted::Aggregate => self.functions(|one| matches!(one.build, Build::Aggregate)),
            Wanted::Argument(called, unnamed) => {
                let quoted = self.is_quoted;
                if let Some(parameter) = unnamed {
                    self.parameter_values(called, parameter);
                }
                let free = called.signature.parameters.iter().filter(|one| !called.is_given(one));
                for parameter in free.filter(|_| !quoted) {
                    self.add(parameter.name, What::Parameter(parameter), u64::from(parameter.required));
                }
            }
            Wanted::ParameterValue(called, parameter) => self.parameter_values(called, parameter),
            Wanted::SavedArgument(args) => self.saved_arguments(args),
            Wanted::SavedQuery => self.saved_queries(),
            Wanted::QueryParameter => {
                for name in self.scan.parameters.clone() {
                    self.add(name, What::QueryParameter, 0);
                }
            }
            Wanted::Guard(field) => {
                self.keywords(&[("*", "* => ", "everything else, a missing field too")]);
                self.values(field);
                self.functions(is_condition);
            }
        }
    }

    fn step(&mut self, place: Place) {
        let in_clause = matches!(place, Place::Case | Place::Arm);
        self.fields();
        self.functions(|one| !(in_clause && is_aggregate(one)));
        self.keywords(&[("case", "case { ", "`case { condition | action; * }`"), NOT]);
        if in_clause {
            self.keywords(&[("*", "*", "everything else")]);
        }
        if self.typed.is_empty() {
            self.saved_queries();
        }
    }

    fn condition(&mut self) {
        self.fields();
        self.functions(is_condition);
        self.keywords(&[NOT]);
    }

    /// Words, each with what comes into the text and what it says.
    fn keywords(&mut self, words: &[(&str, &'static str, &'static str)]) {
        if self.is_quoted {
            return;
        }
        for (word, insert, detail) in words {
            self.add(*word, What::Keyword(insert, detail), 0);
        }
    }

    fn functions(&mut self, wants: impl Fn(&Signature) -> bool) {
        if self.is_quoted {
            return;
        }
        for signature in functions::signatures().filter(|one| wants(one)) {
            self.add(signature.name, What::Function(signature), 0);
        }
    }

    fn fields(&mut self) {
        self.fields_as(What::Field);
    }

    fn operands(&mut self) {
        if !self.is_quoted {
            self.fields_as(What::Operand);
        }
    }

    fn fields_as(&mut self, what: fn(Option<FieldFact>) -> What) {
        let start = self.candidates.len();
        // What the query makes itself stands first.
        for name in self.scan.made.clone() {
            self.add(name, what(None), u64::MAX);
        }
        for fact in self.catalogue.fields() {
            if !self.scan.made.contains(fact.name.as_str()) {
                let (name, events) = (fact.name.clone(), fact.events);
                self.add(name, what(Some(fact)), events);
            }
        }
        for name in META_FIELDS {
            if !self.candidates.iter().skip(start).any(|known| known.label == name) {
                self.add(name, what(None), 0);
            }
        }
        if self.typed.is_empty()
            && let Some(own) = self.candidates.get_mut(start..)
        {
            own.sort_by_key(|one| Reverse(one.weight));
            self.candidates.truncate(start + MAX_FIELDS_UNASKED);
        }
    }

    fn values(&mut self, field: &str) {
        for fact in self.catalogue.values(field) {
            let (value, events) = (fact.value.clone(), fact.events);
            self.add(value, What::Value(fact), events);
        }
    }

    fn parameter_values(&mut self, called: Called<'_>, parameter: &'static Parameter) {
        match parameter.kind {
            Kind::Bool => self.choices(&["true", "false"]),
            Kind::Choice(words) | Kind::Choices(words) => self.choices(words),
            Kind::Limit { .. } => self.choices(&["max"]),
            Kind::Aggregates => self.functions(|one| matches!(one.build, Build::Aggregate)),
            Kind::Table | Kind::Tables | Kind::Database => self.tables(),
            Kind::Duration => self.choices(&["1s", "10s", "1m", "5m", "15m", "1h", "1d"]),
            Kind::Expression | Kind::Expressions => {
                self.operands();
                self.functions(is_value);
            }
            Kind::Pipeline | Kind::Pipelines => {
                self.keywords(&[("{", "{ ", "steps in braces")]);
                self.functions(|one| !is_aggregate(one));
            }
            Kind::Query | Kind::NamedQueries => self.keywords(&[("{", "{ ", "a query in braces")]),
            Kind::Text | Kind::Texts | Kind::Pairs => self.texts(called, parameter),
            Kind::Integer { .. } | Kind::Number | Kind::Numbers | Kind::Regex | Kind::Assignments => {}
        }
    }

    fn texts(&mut self, called: Called<'_>, parameter: &'static Parameter) {
        match texts_of(called.signature, parameter) {
            Texts::Fields => self.fields(),
            Texts::Columns => {
                let tables = self.catalogue.tables();
                let table = called.args.table.and_then(|name| tables.get(name));
                for name in table.iter().flat_map(|table| table.names()) {
                    self.add(name.as_ref(), What::Column, 0);
                }
            }
            // `in(field, values=[..])` and `array:contains(value=..)`: what the field has.
            Texts::Free if matches!(parameter.name, "values" | "value") => {
                if let Some(field) = called.args.table {
                    self.values(field);
                }
            }
            Texts::Free => {}
        }
    }

    fn choices(&mut self, words: &'static [&'static str]) {
        let weight = |at: usize| u64::MAX - at as u64;
        for (at, word) in words.iter().enumerate() {
            self.add(*word, What::Choice, weight(at));
        }
    }

    fn tables(&mut self) {
        for name in self.scan.tables.clone() {
            self.add(name, What::Table(None), 1);
        }
        for (name, table) in self.catalogue.tables().iter() {
            self.add(name.as_str(), What::Table(Some(Arc::clone(table))), 0);
        }
    }

    fn saved_queries(&mut self) {
        for (name, text) in self.catalogue.saved().iter() {
            self.add(name.as_str(), What::Saved(text.clone()), 0);
        }
    }

    fn saved_arguments(&mut self, args: &Args<'_>) {
        let saved = self.catalogue.saved();
        let Some(text) = saved.get(args.name) else { return };
        let inner = scan(text, text.len() + 1);
        for name in inner.parameters.iter().filter(|name| !args.given.contains(name)) {
            self.add(*name, What::QueryParameter, 0);
        }
    }

    fn done(mut self) -> Completion {
        let tier = |what: &What| kind_of(what);
        self.candidates.sort_by(|a, b| {
            let key = |one: &Candidate| (one.fit, tier(&one.what), Reverse(one.weight));
            key(a).cmp(&key(b)).then_with(|| a.label.cmp(&b.label))
        });
        let is_incomplete = self.candidates.len() > MAX_ITEMS;
        self.candidates.truncate(MAX_ITEMS);
        let replace = Range::of(self.text, self.span);
        let candidates = std::mem::take(&mut self.candidates);
        let items = candidates.into_iter().map(|candidate| self.item(candidate, replace)).collect();
        Completion { items, is_incomplete }
    }

    fn item(&self, candidate: Candidate, replace: Range) -> Item {
        let Candidate { label, what, .. } = candidate;
        let kind = kind_of(&what);
        let after = self.text.get(self.span.range().end..).unwrap_or("").trim_start();
        let insert = self.insert(&label, &what, after);
        let mut documentation = None;
        let detail = match what {
            What::Function(signature) => {
                documentation = Some(signature.doc.to_owned());
                usage::call(signature)
            }
            What::Parameter(parameter) => usage::parameter(parameter),
            What::Field(fact) | What::Operand(fact) => match fact {
                Some(fact) => seen(&fact),
                None if label.starts_with('@') => "of every event".to_owned(),
                None => "made by this query".to_owned(),
            },
            What::Value(fact) => format!("{} events", fact.events),
            What::Saved(text) => shown(&text),
            What::Table(Some(table)) => columns(&table),
            What::Table(None) => "defined by this query".to_owned(),
            What::Keyword(_, detail) => detail.to_owned(),
            What::Choice | What::Column | What::QueryParameter => String::new(),
        };
        Item { label, kind, insert, replace, detail, documentation }
    }

    /// What comes into the text. `after` is what stands behind it.
    fn insert(&self, label: &str, what: &What, after: &str) -> String {
        let name = |plain: bool| match plain && !self.is_quoted {
            true => label.to_owned(),
            false => literal::quote(label),
        };
        match what {
            What::Function(_) if after.starts_with('(') => label.to_owned(),
            What::Function(signature) if signature.parameters.is_empty() => format!("{label}()"),
            What::Function(_) => format!("{label}("),
            What::Parameter(_) if is_assigned(after) => label.to_owned(),
            What::Parameter(_) => format!("{label}="),
            What::Field(_) => name(words::is_plain_field(label)),
            What::Operand(_) => match words::is_plain_field(label) && !label.contains('%') {
                true => label.to_owned(),
                // A quoted name is a text in an expression.
                false => format!("getField({})", literal::quote(label)),
            },
            What::Value(_) | What::Table(_) | What::Column => name(words::is_plain_value(label)),
            What::Saved(_) => {
                let name =
                    if words::is_plain_value(label) { label.to_owned() } else { literal::quote(label) };
                format!("${name}{}", if after.starts_with('(') { "" } else { "(" })
            }
            What::QueryParameter => match self.scan.touched {
                Touched::Parameter(_) if words::is_plain_field(label) => format!("?{label}"),
                Touched::Parameter(_) => format!("?{}", literal::quote(label)),
                _ if is_assigned(after) || self.is_in_braces() => name(words::is_plain_field(label)),
                _ => format!("{}=", name(words::is_plain_field(label))),
            },
            What::Keyword(..) if after.starts_with('{') => label.to_owned(),
            What::Keyword(insert, _) => (*insert).to_owned(),
            What::Choice => match self.is_quoted {
                true => literal::quote(label),
                false => label.to_owned(),
            },
        }
    }

    fn is_in_braces(&self) -> bool {
        self.scan.top().is_some_and(|top| matches!(top.kind, super::scan::FrameKind::Parameter))
    }
}

/// A `=` that gives a value stands at the start of `after`.
fn is_assigned(after: &str) -> bool {
    after.starts_with('=') && !after.starts_with("==") && !after.starts_with("=~")
}

fn kind_of(what: &What) -> ItemKind {
    match what {
        What::Function(_) => ItemKind::Function,
        What::Parameter(_) => ItemKind::Parameter,
        What::Choice => ItemKind::Choice,
        What::Field(_) | What::Operand(_) => ItemKind::Field,
        What::Value(_) => ItemKind::Value,
        What::Saved(_) => ItemKind::SavedQuery,
        What::Table(_) => ItemKind::Table,
        What::Column => ItemKind::Column,
        What::QueryParameter => ItemKind::QueryParameter,
        What::Keyword(..) => ItemKind::Keyword,
    }
}

/// How often a field is seen, and what it is.
pub(super) fn seen(fact: &FieldFact) -> String {
    format!("{}, in {} events", fact.kind(), fact.events)
}

/// The beginning of a text.
pub(super) fn shown(text: &str) -> String {
    let cut = text.floor_char_boundary(MAX_SHOWN_BYTES.min(text.len()));
    let dots = if cut < text.len() { " .." } else { "" };
    format!("{}{dots}", text.get(..cut).unwrap_or(""))
}

/// The size and the columns of a table.
pub(super) fn columns(table: &Table) -> String {
    /// More columns than this are not named.
    const MAX_COLUMNS: usize = 20;
    let names: Vec<&str> = table.names().take(MAX_COLUMNS).map(AsRef::as_ref).collect();
    let more = if table.names().count() > MAX_COLUMNS { ", .." } else { "" };
    format!("{} rows: {}{more}", table.rows(), names.join(", "))
}
