//! The functions of the language that work on rows: one file a family, one table of signatures a file.
//!
//! To add a function: put its [`Signature`] into its family's `SIGNATURES`, build a [`RowFunction`] from the
//! checked [`Arguments`], and run it in the family's `apply` over a [`View`]: whole columns at a time, reading only
//! the columns it names. [`View::map`] is the easy way for "value in, value out, missing stays missing", and
//! evaluates dictionary columns once a distinct value. A new family also gets a line in [`FAMILIES`] and a variant
//! of [`RowFunction`].
//!
//! Aggregates have their signatures here too (family `aggregate`), but live in `crate::aggregates`.

pub mod aggregate;
pub mod arguments;
pub mod arrays;
pub mod cef;
pub mod characters;
pub mod clock;
pub mod columns;
pub mod databases;
pub mod digests;
pub mod duration;
pub mod dynamic;
mod dynamic_fields;
pub mod each;
pub mod elements;
pub mod encoding;
pub mod events;
pub mod fields;
pub mod filters;
pub mod flags;
pub mod format;
pub mod geo;
pub mod hashes;
pub mod integers;
pub mod joins;
pub mod json;
pub mod jsontext;
pub mod kv;
pub mod lookup;
pub mod mapping;
pub mod math;
pub mod network;
pub mod reduce;
pub mod regex;
pub mod sequence;
pub mod signature;
pub mod substring;
pub mod text;
pub mod timeformat;
pub mod timeparts;
pub mod timepattern;
pub mod timestamp;
pub mod unfold;
pub mod units;
pub mod uri;
pub mod xml;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use arguments::{Argument, Arguments};
pub use signature::{Build, Kind, Parameter, Signature};

use crate::machine::predicate::Predicate;
use crate::machine::{Context, StepError, View};

/// Every family's table.
pub const FAMILIES: &[&[Signature]] = &[
    aggregate::SIGNATURES,
    arrays::SIGNATURES,
    cef::SIGNATURES,
    characters::SIGNATURES,
    clock::SIGNATURES,
    columns::SIGNATURES,
    databases::SIGNATURES,
    digests::SIGNATURES,
    duration::SIGNATURES,
    dynamic::SIGNATURES,
    each::SIGNATURES,
    elements::SIGNATURES,
    encoding::SIGNATURES,
    events::SIGNATURES,
    fields::SIGNATURES,
    filters::SIGNATURES,
    flags::SIGNATURES,
    format::SIGNATURES,
    joins::SIGNATURES,
    geo::SIGNATURES,
    hashes::SIGNATURES,
    integers::SIGNATURES,
    json::SIGNATURES,
    jsontext::SIGNATURES,
    kv::SIGNATURES,
    lookup::SIGNATURES,
    math::SIGNATURES,
    network::SIGNATURES,
    reduce::SIGNATURES,
    regex::SIGNATURES,
    sequence::SIGNATURES,
    substring::SIGNATURES,
    text::SIGNATURES,
    timeformat::SIGNATURES,
    timeparts::SIGNATURES,
    timestamp::SIGNATURES,
    unfold::SIGNATURES,
    units::SIGNATURES,
    uri::SIGNATURES,
    xml::SIGNATURES,
];

/// Functions that CQL has and this version has not: named in errors, so that nobody takes them for a typo.
pub const NOT_BUILT: &[&str] = &["text:editDistance", "text:editDistanceAsArray"];

/// The function called `name`, without case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Signature> {
    signatures().find(|signature| signature.is_called(name))
}

/// Every function there is.
pub fn signatures() -> impl Iterator<Item = &'static Signature> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// A step that reads and writes fields, ready to run.
#[derive(Debug)]
pub enum RowFunction {
    /// A condition, as a step or where a call gives true or false.
    Filter(Predicate),
    /// `rename`, `drop`, `select`, `default` ...
    Fields(fields::FieldFunction),
    /// `regex`
    Regex(regex::Extract),
    /// `format`
    Format(format::Format),
    /// A function of one field.
    Mapping(mapping::Mapping),
    /// `math:arctan2`
    Angle(math::Angle),
    /// `concat`, `splitString`, `split` ...
    Array(arrays::ArrayFunction),
    /// `now`, `start`, `end`, `duration`
    Clock(clock::Clock),
    /// `time:year` and its like
    TimePart(timeparts::TimePart),
    /// `parseTimestamp`, `findTimestamp`
    Timestamp(timestamp::ParseTimestamp),
    /// `parseJson`
    Json(json::ParseJson),
    /// `kvParse`
    KeyValues(kv::ParseKeyValues),
    /// `match`, `ipLocation` ...
    Lookup(Box<lookup::Lookup>),
    /// `ioc:lookup`
    Indicators(Box<databases::Indicators>),
    /// `array:exists`, `array:filter`, `array:eval` ...
    Each(each::EachElement),
    /// `array:append`, `array:sort` ...
    Elements(elements::ElementFunction),
    /// `array:reduceRow`
    Reduce(Box<reduce::Reduce>),
    /// `getField`, `setField`
    Dynamic(dynamic::DynamicField),
    /// `text:substring`, `text:positionOf`
    Substring(Box<substring::Substring>),
    /// `bitfield:extractFlags` and its like
    Flags(flags::ExtractFlags),
    /// `writeJson`
    WriteJson(jsontext::WriteJson),
    /// `parseCsv`, `parseFixedWidth`
    Columns(columns::ParseColumns),
    /// `parseCEF`, `parseLEEF`
    Message(cef::ParseMessage),
    /// `parseUri`, `parseUrl`
    Uri(uri::ParseUri),
    /// `parseXml`
    Xml(xml::ParseXml),
    /// `communityId`
    Community(network::CommunityId),
    /// `geohash`, `geography:distance`
    Geography(geo::Geography),
    /// `crypto:*`
    Digest(digests::FieldsDigest),
    /// `hashRewrite`
    Rewrite(digests::Rewrite),
    /// `hash`
    Hash(hashes::FieldsHash),
    /// `array:reduceAll`, its rows
    Unfold(unfold::Unfold),
    /// `copyEvent`, `eventSize` ...
    Event(events::EventFunction),
}

/// What a run carries from batch to batch beside its state: nothing that changes an answer.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What the run knows of time.
    pub context: Context,
    /// Text being built.
    pub text: String,
}

/// The fields something reads and writes, for fetching no more than needed and pruning no more than right.
#[derive(Clone, Debug, Default)]
pub struct Touches {
    /// Fields read.
    pub reads: BTreeSet<Arc<str>>,
    /// It may read any field.
    pub reads_all: bool,
    /// Fields written, removed or renamed.
    pub writes: BTreeSet<Arc<str>>,
    /// It may write any field (names known only at run time).
    pub writes_any: bool,
    /// What it does depends on the time of the query or on the queried range.
    pub reads_clock: bool,
}

impl Touches {
    /// Notes that `field` is read.
    pub fn read(&mut self, field: &Arc<str>) {
        self.reads.insert(Arc::clone(field));
    }

    /// Notes that `field` is written.
    pub fn write(&mut self, field: &Arc<str>) {
        self.writes.insert(Arc::clone(field));
    }

    /// Notes that all is read that `inner` reads, which runs on a copy: what it writes does not stay.
    pub fn read_by(&mut self, inner: Touches) {
        self.reads.extend(inner.reads);
        self.reads_all |= inner.reads_all;
        self.reads_clock |= inner.reads_clock;
    }
}

impl RowFunction {
    /// Runs over the chosen rows of `view`.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        match self {
            RowFunction::Filter(predicate) => predicate.apply(view, scratch),
            RowFunction::Fields(function) => function.apply(view, scratch),
            RowFunction::Regex(function) => function.apply(view, scratch),
            RowFunction::Format(function) => function.apply(view, scratch),
            RowFunction::Mapping(function) => function.apply(view, scratch),
            RowFunction::Angle(function) => function.apply(view),
            RowFunction::Array(function) => function.apply(view, scratch),
            RowFunction::Clock(function) => function.apply(view, scratch),
            RowFunction::TimePart(function) => function.apply(view, scratch),
            RowFunction::Timestamp(function) => function.apply(view, scratch),
            RowFunction::Json(function) => function.apply(view, scratch),
            RowFunction::KeyValues(function) => function.apply(view, scratch),
            RowFunction::Lookup(function) => function.apply(view, scratch),
            RowFunction::Indicators(function) => function.apply(view, scratch),
            RowFunction::Each(function) => function.apply(view, scratch),
            RowFunction::Elements(function) => function.apply(view, scratch),
            RowFunction::Reduce(function) => function.apply(view, scratch),
            RowFunction::Dynamic(function) => function.apply(view, scratch),
            RowFunction::Substring(function) => function.apply(view, scratch),
            RowFunction::Flags(function) => function.apply(view, scratch),
            RowFunction::WriteJson(function) => function.apply(view, scratch),
            RowFunction::Columns(function) => function.apply(view, scratch),
            RowFunction::Message(function) => function.apply(view, scratch),
            RowFunction::Uri(function) => function.apply(view, scratch),
            RowFunction::Xml(function) => function.apply(view, scratch),
            RowFunction::Community(function) => function.apply(view, scratch),
            RowFunction::Geography(function) => function.apply(view, scratch),
            RowFunction::Digest(function) => function.apply(view, scratch),
            RowFunction::Rewrite(function) => function.apply(view, scratch),
            RowFunction::Hash(function) => function.apply(view, scratch),
            RowFunction::Unfold(function) => function.apply(view, scratch),
            RowFunction::Event(function) => function.apply(view, scratch),
        }
    }

    /// Notes what it reads and writes. Too much is always right.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            RowFunction::Filter(predicate) => predicate.touches(touches),
            RowFunction::Fields(function) => function.touches(touches),
            RowFunction::Regex(function) => function.touches(touches),
            RowFunction::Format(function) => function.touches(touches),
            RowFunction::Mapping(function) => function.touches(touches),
            RowFunction::Angle(function) => function.touches(touches),
            RowFunction::Array(function) => function.touches(touches),
            RowFunction::Clock(function) => function.touches(touches),
            RowFunction::TimePart(function) => function.touches(touches),
            RowFunction::Timestamp(function) => function.touches(touches),
            RowFunction::Json(function) => function.touches(touches),
            RowFunction::KeyValues(function) => function.touches(touches),
            RowFunction::Lookup(function) => function.touches(touches),
            RowFunction::Indicators(function) => function.touches(touches),
            RowFunction::Each(function) => function.touches(touches),
            RowFunction::Elements(function) => function.touches(touches),
            RowFunction::Reduce(function) => function.touches(touches),
            RowFunction::Dynamic(function) => function.touches(touches),
            RowFunction::Substring(function) => function.touches(touches),
            RowFunction::Flags(function) => function.touches(touches),
            RowFunction::WriteJson(function) => function.touches(touches),
            RowFunction::Columns(function) => function.touches(touches),
            RowFunction::Message(function) => function.touches(touches),
            RowFunction::Uri(function) => function.touches(touches),
            RowFunction::Xml(function) => function.touches(touches),
            RowFunction::Community(function) => function.touches(touches),
            RowFunction::Geography(function) => function.touches(touches),
            RowFunction::Digest(function) => function.touches(touches),
            RowFunction::Rewrite(function) => function.touches(touches),
            RowFunction::Hash(function) => function.touches(touches),
            RowFunction::Unfold(function) => function.touches(touches),
            RowFunction::Event(function) => function.touches(touches),
        }
    }

    /// The same function, writing to a field that it does not read: what it yields in an expression is told from what
    /// was there.
    #[must_use]
    pub fn apart(mut self) -> RowFunction {
        let fields = match &mut self {
            RowFunction::Mapping(mapping) => Some((&mapping.input, &mut mapping.output)),
            RowFunction::Rewrite(rewrite) => Some((&rewrite.field, &mut rewrite.output)),
            _ => None,
        };
        if let Some((input, output)) = fields
            && *input == *output
        {
            *output = format!("{input}=").into();
        }
        self
    }

    /// The field a call used inside an expression yields (`1 + length(x)`); `None` when it gives true or false by
    /// passing or dropping rows.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match self {
            RowFunction::Filter(_)
            | RowFunction::Regex(_)
            | RowFunction::Lookup(_)
            | RowFunction::Indicators(_) => None,
            RowFunction::Fields(function) => function.output(),
            RowFunction::Format(function) => Some(function.output()),
            RowFunction::Mapping(function) => Some(function.output()),
            RowFunction::Angle(function) => Some(function.output()),
            RowFunction::Array(function) => function.output(),
            RowFunction::Clock(function) => Some(function.output()),
            RowFunction::TimePart(function) => Some(function.output()),
            RowFunction::Timestamp(function) => Some(function.output()),
            RowFunction::Elements(function) => function.output(),
            RowFunction::Reduce(function) => Some(Arc::clone(function.output())),
            RowFunction::Dynamic(function) => function.output(),
            RowFunction::Substring(function) => Some(function.output()),
            RowFunction::Flags(function) => function.output(),
            RowFunction::WriteJson(function) => Some(function.output()),
            RowFunction::Community(function) => Some(function.output()),
            RowFunction::Geography(function) => Some(function.output()),
            RowFunction::Digest(function) => Some(function.output()),
            RowFunction::Rewrite(function) => Some(function.output()),
            RowFunction::Hash(function) => Some(function.output()),
            RowFunction::Event(function) => function.output(),
            RowFunction::Json(_)
            | RowFunction::KeyValues(_)
            | RowFunction::Each(_)
            | RowFunction::Columns(_)
            | RowFunction::Message(_)
            | RowFunction::Uri(_)
            | RowFunction::Xml(_)
            | RowFunction::Unfold(_) => None,
        }
    }
}
