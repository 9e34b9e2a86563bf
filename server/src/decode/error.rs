//! Why a body as a whole was not taken.

use std::io;

/// Why a body, or the rest of a stream, was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No format is known by this content type.
    #[error(
        "unknown content type `{0}`: known are application/json, application/x-ndjson, text/plain and text/csv"
    )]
    UnknownContentType(String),
    /// No decompressor is known by this name.
    #[error("unknown content encoding `{0}`: known are identity, gzip, deflate and zstd")]
    UnknownEncoding(String),
    /// The body is too large as it came.
    #[error("body of {bytes} bytes is over the limit of {limit}")]
    WireTooLarge {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// The body gets too large when decompressed.
    #[error("body decompresses to more than {limit} bytes")]
    DecodedTooLarge {
        /// Bytes it may have.
        limit: usize,
    },
    /// The body gets too large when decompressed, compared with what came.
    #[error("body decompresses to more than {ratio} times the bytes it came as")]
    RatioTooHigh {
        /// The ratio it may have.
        ratio: usize,
    },
    /// The compressed bytes are damaged or cut short.
    #[error("damaged {encoding} body: {message}")]
    Damaged {
        /// What they should be.
        encoding: &'static str,
        /// What the decompressor says.
        message: String,
    },
    /// The body is not the JSON its route wants.
    #[error("malformed JSON: {0}")]
    Json(String),
    /// The body is JSON, but not of the form its route wants.
    #[error("{0}")]
    Form(String),
    /// The events do not fit one batch.
    #[error("events of one body take more than {limit} bytes")]
    BatchTooLarge {
        /// Bytes they may take.
        limit: usize,
    },
    /// The stream could not be read.
    #[error("cannot read: {0}")]
    Read(String),
    /// Whoever takes the batches wants no more.
    #[error("stopped")]
    Stopped,
}

impl DecodeError {
    /// The body is too large in some way, rather than wrong.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            DecodeError::WireTooLarge { .. }
                | DecodeError::DecodedTooLarge { .. }
                | DecodeError::RatioTooHigh { .. }
                | DecodeError::BatchTooLarge { .. }
        )
    }

    /// Its type or encoding is not known, rather than its content wrong.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, DecodeError::UnknownContentType(_) | DecodeError::UnknownEncoding(_))
    }

    /// The error that came through a reader: one of ours, or what the decompressor said.
    pub(super) fn of_read(error: io::Error, encoding: &'static str) -> DecodeError {
        match error.downcast::<DecodeError>() {
            Ok(ours) => ours,
            Err(error) if encoding.is_empty() => DecodeError::Read(error.to_string()),
            Err(error) => DecodeError::Damaged { encoding, message: error.to_string() },
        }
    }
}
