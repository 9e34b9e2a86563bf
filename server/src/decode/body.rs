//! A body that is whole in memory, in the form that costs least to decode.

use std::sync::Arc;

use super::error::DecodeError;
use super::format::Format;
use super::intake::{Decoded, Intake};
use super::source::{Encoding, Source};
use super::{DecodeOptions, decode, decode_body};

/// A shorter body is copied as quickly as it is looked at.
const LENT_BYTES_MIN: usize = 16 << 10;
/// A body with more room than this part of it is moved before it is lent: batches stay in memory for a while.
const SLACK_MAX: usize = 8;

/// A body.
#[derive(Debug)]
pub enum Body {
    /// As it came.
    Sent(Vec<u8>),
    /// Lines of text without encoding: the batch may share it.
    Lines(Arc<String>),
}

impl Body {
    /// The body that came as `bytes`. Lines are lent, if all of them may be: JSON with escapes has values that do not stand there.
    #[must_use]
    pub fn new(bytes: Vec<u8>, encoding: Encoding, format: Format) -> Body {
        let has_values = match format {
            Format::Text => true,
            Format::Ndjson => bytes.len() >= LENT_BYTES_MIN && memchr::memchr(b'\\', &bytes).is_none(),
            _ => false,
        };
        if bytes.len() < LENT_BYTES_MIN || encoding != Encoding::Identity || !has_values {
            return Body::Sent(bytes);
        }
        match String::from_utf8(bytes) {
            Ok(mut text) => {
                if text.capacity() - text.len() > text.len() / SLACK_MAX {
                    text.shrink_to_fit();
                }
                Body::Lines(Arc::new(text))
            }
            Err(error) => Body::Sent(error.into_bytes()),
        }
    }

    /// Its bytes, as sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Sent(bytes) => bytes,
            Body::Lines(text) => text.as_bytes(),
        }
    }

    /// Decodes it into one batch.
    ///
    /// # Errors
    /// As [`decode_body`].
    pub fn decode(
        &self,
        encoding: Encoding,
        format: Format,
        options: &DecodeOptions,
    ) -> Result<Decoded, DecodeError> {
        let Body::Lines(text) = self else { return decode_body(self.bytes(), encoding, format, options) };
        let source = Source::of_body(text.as_bytes(), encoding, &options.limits)?;
        let mut intake = Intake::lent(options, text);
        decode(source, format, &mut intake)?;
        Ok(intake.finish())
    }
}
