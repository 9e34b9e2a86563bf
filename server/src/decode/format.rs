//! Which format a body has, by its route and content type.

use super::error::DecodeError;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Ndjson,
    /// JSON objects: an array of them, or one behind the other with any white space or none between.
    Json,
    /// Humio's structured events where the first object has their form, else as [`Format::Json`].
    JsonOrHumio,
    /// A text event a line.
    Text,
    /// Records of comma-separated values.
    Csv(Csv),
    /// One event.
    Raw,
    /// JSON at an address where Humio's clients send their structured events: those where the first element looks
    /// like them, else as [`Format::Json`].
    JsonOrStructured,
    /// Humio's structured events.
    HumioStructured,
    /// Humio's messages for a parser.
    HumioUnstructured,
    /// Splunk's HTTP event collector.
    Hec,
    /// NDJSON, JSON or text, as its first bytes say.
    Detect,
}

/// How values are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csv {
    /// The first record names the columns; else they are `column1`, `column2`, and so on.
    pub header: bool,
    /// What stands between values.
    pub delimiter: u8,
}

impl Default for Csv {
    fn default() -> Csv {
        Csv { header: true, delimiter: b',' }
    }
}

/// The kinds of routes events come in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Any format, told by the content type.
    Any,
    /// Humio's structured events.
    HumioStructured,
    /// Humio's messages for a parser.
    HumioUnstructured,
    /// JSON: an object or array of them.
    Json,
    /// The body is one event.
    Raw,
    /// Splunk's HTTP event collector.
    Hec,
    /// Its raw variant: an event a line.
    HecRaw,
}

impl Format {
    /// The format of a body that came in by `route` with this content type. Only [`Route::Any`] and [`Route::Json`]
    /// look at the type: clients of the others send whatever they like.
    ///
    /// # Errors
    /// When the content type is of no known format.
    pub fn of(route: Route, content_type: Option<&str>) -> Result<Format, DecodeError> {
        Ok(match route {
            Route::HumioStructured => Format::HumioStructured,
            Route::HumioUnstructured => Format::HumioUnstructured,
            Route::Raw => Format::Raw,
            Route::Hec => Format::Hec,
            Route::HecRaw => Format::Text,
            Route::Json => match Format::of_type(content_type) {
                Ok(Format::Ndjson) => Format::Ndjson,
                _ => Format::Json,
            },
            Route::Any => match Format::of_type(content_type)? {
                Format::Json => Format::JsonOrStructured,
                other => other,
            },
        })
    }

    fn of_type(content_type: Option<&str>) -> Result<Format, DecodeError> {
        let Some(given) = content_type.map(str::trim).filter(|given| !given.is_empty()) else {
            return Ok(Format::Detect);
        };
        let (essence, parameters) = given.split_once(';').unwrap_or((given, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let headless = || {
            let mut parameters = parameters.split(';').map(|part| part.trim().to_ascii_lowercase());
            parameters.any(|part| part == "header=absent")
        };
        Ok(match &*essence {
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonl"
            | "application/jsonlines"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/x-json-lines"
            | "text/x-ndjson" => Format::Ndjson,
            "application/json" | "text/json" => Format::Json,
            "text/plain" => Format::Text,
            "text/csv" | "application/csv" => Format::Csv(Csv { header: !headless(), delimiter: b',' }),
            "text/tab-separated-values" => Format::Csv(Csv { header: !headless(), delimiter: b'\t' }),
            // What tools send when nobody told them a type.
            "application/octet-stream" | "application/x-www-form-urlencoded" => Format::Detect,
            _ => return Err(DecodeError::UnknownContentType(essence)),
        })
    }
}
