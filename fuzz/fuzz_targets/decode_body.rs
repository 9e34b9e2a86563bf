//! Any body in any encoding and format is refused as a whole or accounted for event by event, within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_server::decode::{Csv, DecodeLimits, DecodeOptions, Encoding, Format, decode_body};

const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];
const FORMATS: [Format; 11] = [
    Format::Ndjson,
    Format::Json,
    Format::JsonOrHumio,
    Format::Text,
    Format::Csv(Csv { header: true, delimiter: b',' }),
    Format::Csv(Csv { header: false, delimiter: b'\t' }),
    Format::Raw,
    Format::HumioStructured,
    Format::HumioUnstructured,
    Format::Hec,
    Format::Detect,
];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (encoding, format, body) = input;
    let limits = DecodeLimits { max_event_bytes: 200, max_decoded_bytes: 1 << 20, ..DecodeLimits::default() };
    let options = DecodeOptions { limits, ..DecodeOptions::default() };
    let encoding = ENCODINGS[usize::from(encoding) % ENCODINGS.len()];
    let format = FORMATS[usize::from(format) % FORMATS.len()];
    let Ok(decoded) = decode_body(body, encoding, format, &options) else { return };
    assert_eq!(decoded.accepted, decoded.batch.len());
    assert!(decoded.unparsed <= decoded.accepted);
    assert!(decoded.rejected.len() <= decoded.rejected_count);
    assert!((0..decoded.batch.len()).all(|row| decoded.batch.raw(row).len() <= 200));
});
