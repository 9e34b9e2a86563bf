//! The name of a body that was sent without one: what it says, so that a sender that does not know of idempotency keys may
//! send it again all the same.
//!
//! It names whole bodies, not events: two events that look alike are two events, and a body that comes again to the byte,
//! within the window in which keys are remembered, is one that was sent again. Who sends single events that all look
//! alike (a heartbeat without a time) must not ask for it.

use weir_engine::{AppendError, IdempotencyKey};
use xxhash_rust::xxh3::Xxh3;

use crate::decode::{DecodeOptions, Encoding, Format};

/// What stands in front of the digest; clients' own keys that start so are taken as they are.
const PREFIX: &str = "content:";

/// The key of `body` as it was sent: equal for equal bytes that are read in the same way.
///
/// The 128 bits of `XXH3` name it, and the checksum of its events, kept beside every key, is compared besides: bodies that met
/// by chance are refused, not lost.
///
/// # Errors
/// Never for want of anything but room in a key, which it has.
pub(super) fn content_key(
    body: &[u8],
    encoding: Encoding,
    format: &Format,
    options: &DecodeOptions,
) -> Result<IdempotencyKey, AppendError> {
    let mut digest = Xxh3::new();
    // Everything that changes what is read from the same bytes.
    let read_as = format!("{encoding:?} {format:?} {:?} {:?}\n", options.timestamp_field, options.fields);
    digest.update(read_as.as_bytes());
    if options.as_text {
        digest.update(b"as text\n");
    }
    digest.update(body);
    IdempotencyKey::new(&format!("{PREFIX}{:032x}", digest.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bodies_read_alike_have_equal_keys() {
        let key = |body: &str, encoding, format, field: Option<&str>| {
            let options =
                DecodeOptions { timestamp_field: field.map(str::to_owned), ..DecodeOptions::default() };
            content_key(body.as_bytes(), encoding, &format, &options).unwrap()
        };
        let (plain, lines) = (Encoding::Identity, Format::Ndjson);
        let first = key("{\"a\":1}", plain, lines, None);
        assert_eq!(first, key("{\"a\":1}", plain, lines, None));
        for other in [
            key("{\"a\":2}", plain, lines, None),
            key("{\"a\":1}", Encoding::Gzip, lines, None),
            key("{\"a\":1}", plain, Format::Text, None),
            key("{\"a\":1}", plain, lines, Some("when")),
        ] {
            assert_ne!(first, other);
        }
        assert!(first.as_str().starts_with(PREFIX));
    }
}
