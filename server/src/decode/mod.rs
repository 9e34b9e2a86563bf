//! Bytes that came in, made into batches of events: decompress, split, parse, account.
//!
//! ```text
//! body -> Source (gzip, zstd, deflate; limits inside) -> Pieces (lines, records) -> Intake -> EventBatch
//!                                                     -> json (arrays, Humio, HEC) --^
//! ```
//!
//! Nothing that arrives is lost without being counted: what is not the JSON it should be is stored as text with
//! `@error`, and only events over a limit are refused, each with its index, the reason and an excerpt. Nothing here
//! sees HTTP types; headers come as text.

mod body;
mod csv;
mod error;
mod file;
mod format;
mod hec;
mod humio;
mod intake;
mod json;
mod limits;
mod lines;
mod pieces;
mod source;

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use weir_engine::event::TagSet;

pub use body::Body;
pub use error::DecodeError;
pub use file::{Guess, guess};
pub use format::{Csv, Format, Route};
pub use intake::{Decoded, Rejected};
pub use limits::DecodeLimits;
pub use source::Encoding;

use intake::Intake;
use source::Source;

/// How to decode, besides encoding and format.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The limits.
    pub limits: DecodeLimits,
    /// The field of JSON events and CSV records that has their time; `None`: the usual names.
    pub timestamp_field: Option<String>,
    /// Tags that every event gets; tags of its own win.
    pub tags: Arc<TagSet>,
    /// Fields that every event gets, as names and values.
    pub fields: Vec<(String, String)>,
    /// Every event is a text for a parser: nothing is looked for in what looks like JSON.
    pub as_text: bool,
    /// When the body arrived, nanoseconds since the epoch: the time of events that have none, and the year of those
    /// without one is the latest up to 8 days after it.
    pub arrival_nanos: i64,
}

impl Default for DecodeOptions {
    fn default() -> DecodeOptions {
        DecodeOptions {
            limits: DecodeLimits::default(),
            timestamp_field: None,
            tags: TagSet::none(),
            fields: Vec::new(),
            as_text: false,
            arrival_nanos: 0,
        }
    }
}

/// Decodes a whole body into one batch.
///
/// # Errors
/// When the body as a whole cannot be taken: over a limit, damaged compression, or not of the form its route wants.
/// Nothing of it is then stored.
pub fn decode_body(
    body: &[u8],
    encoding: Encoding,
    format: Format,
    options: &DecodeOptions,
) -> Result<Decoded, DecodeError> {
    let source = Source::of_body(body, encoding, &options.limits)?;
    let mut intake = Intake::whole(options);
    decode(source, format, &mut intake)?;
    Ok(intake.finish())
}

/// Decodes a stream of any length into batches of about [`DecodeLimits::target_batch_bytes`], each handed to `emit` as
/// it is full. Indexes of rejected events count through the whole stream. `emit` may break to stop early.
///
/// # Errors
/// When the stream cannot be read on. Batches emitted until then stand.
pub fn decode_stream<'a>(
    reader: Box<dyn Read + 'a>,
    encoding: Encoding,
    format: Format,
    options: &'a DecodeOptions,
    emit: &'a mut dyn FnMut(Decoded) -> ControlFlow<()>,
) -> Result<(), DecodeError> {
    let source = Source::of_stream(reader, encoding, &options.limits)?;
    let mut intake = Intake::batches(options, emit);
    match decode(source, format, &mut intake).and_then(|()| intake.emit()) {
        Err(DecodeError::Stopped) => Ok(()),
        result => result,
    }
}

/// The bytes of a body behind its encoding, for bodies that hold no events.
///
/// # Errors
/// When it is over a limit or damaged.
pub fn plain_body(body: &[u8], encoding: Encoding, limits: &DecodeLimits) -> Result<Vec<u8>, DecodeError> {
    Ok(Source::of_body(body, encoding, limits)?.read_all()?.into_owned())
}

fn decode(source: Source<'_>, format: Format, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    match format {
        Format::Ndjson => lines::ndjson(source, intake),
        Format::Text => lines::text(source, intake),
        Format::Csv(csv) => csv::records(source, csv, intake),
        Format::Raw => lines::whole(&source.read_all()?, intake),
        Format::Json => json::documents(&source.read_all()?, intake),
        Format::JsonOrStructured => {
            let body = source.read_all()?;
            if humio::looks_structured(&body) {
                humio::structured(&body, intake)
            } else {
                json::documents(&body, intake)
            }
        }
        Format::JsonOrHumio => {
            let body = source.read_all()?;
            if humio::is_structured(&body) {
                humio::structured(&body, intake)
            } else {
                json::documents(&body, intake)
            }
        }
        Format::HumioStructured => humio::structured(&source.read_all()?, intake),
        Format::HumioUnstructured => humio::unstructured(&source.read_all()?, intake),
        Format::Hec => hec::events(&source.read_all()?, intake),
        Format::Detect => file::detected(source, intake),
    }
}

#[cfg(test)]
mod tests;
