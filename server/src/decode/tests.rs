//! Bodies of every format, good and bad, plain and compressed.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use weir_engine::event::EventBatch;

use super::*;

const NOW: i64 = 1_795_132_800_000_000_000;

fn options() -> DecodeOptions {
    DecodeOptions { arrival_nanos: NOW, ..DecodeOptions::default() }
}

fn limited(change: impl FnOnce(&mut DecodeLimits)) -> DecodeOptions {
    let mut options = options();
    change(&mut options.limits);
    options
}

fn decode_plain(body: &[u8], format: Format) -> Decoded {
    decode_body(body, Encoding::Identity, format, &options()).unwrap()
}

fn raws(decoded: &Decoded) -> Vec<String> {
    (0..decoded.batch.len()).map(|row| String::from_utf8_lossy(decoded.batch.raw(row)).into_owned()).collect()
}

fn value(decoded: &Decoded, row: usize, name: &str) -> Option<String> {
    decoded.batch.value(row, name)
}

fn compress(body: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Identity => body.to_vec(),
        Encoding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(body).unwrap();
            writer.finish().unwrap()
        }
        Encoding::Deflate => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(body).unwrap();
            writer.finish().unwrap()
        }
        Encoding::Zstd => zstd::encode_all(body, 1).unwrap(),
    }
}

const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

#[test]
fn structured_events_are_told_from_others() {
    for (body, accepted) in [
        (r#"[{"tags":{"h":"a"},"events":[{"timestamp":1,"attributes":{"a":1}},{"timestamp":2}]}]"#, 2),
        (r#" [ {"events":[{"rawstring":"x"},{"rawstring":"y"},{"rawstring":"z"}],"tags":null}]"#, 3),
        (r#"[{"events":[1,2],"name":"an event with a list"}]"#, 1),
        (r#"[{"events":"many"}]"#, 1),
        (r#"{"events":[1,2,3]}"#, 1),
        (r#"[{"a":1},{"a":2}]"#, 2),
        ("[]", 0),
    ] {
        assert_eq!(decode_plain(body.as_bytes(), Format::JsonOrStructured).accepted, accepted, "{body}");
    }
}

#[test]
fn a_broken_line_costs_no_other() {
    let body = b"{\"a\":1}\n{\"a\":\n\n  \n{\"a\":3}\r\nnot json\n{\"a\":4}";
    for encoding in ENCODINGS {
        let decoded = decode_body(&compress(body, encoding), encoding, Format::Ndjson, &options()).unwrap();
        assert_eq!(raws(&decoded), ["{\"a\":1}", "{\"a\":", "{\"a\":3}\r", "not json", "{\"a\":4}"]);
        assert_eq!((decoded.accepted, decoded.unparsed, decoded.blank), (5, 2, 2));
        assert_eq!(decoded.rejected_count, 0);
        assert_eq!(value(&decoded, 2, "a").as_deref(), Some("3"));
        assert_eq!(value(&decoded, 1, "@error").as_deref(), Some("unexpected end of JSON at byte 5"));
    }
}

#[test]
fn only_events_over_a_limit_are_rejected_and_all_are_counted() {
    let options = limited(|limits| limits.max_event_bytes = 10);
    let body =
        format!("{{\"a\":1}}\n{}\n{{\"aa\":23}}\n{}\r\n{{\"b\":1}}\n", "x".repeat(11), "y".repeat(600_000));
    for encoding in ENCODINGS {
        let body = compress(body.as_bytes(), encoding);
        let decoded = decode_body(&body, encoding, Format::Ndjson, &options).unwrap();
        assert_eq!(raws(&decoded), ["{\"a\":1}", "{\"aa\":23}", "{\"b\":1}"]);
        let rejected: Vec<_> = decoded.rejected.iter().map(|event| (event.index, &*event.reason)).collect();
        let reasons =
            ["event of 11 bytes is over the limit of 10", "event of 600001 bytes is over the limit of 10"];
        assert_eq!(rejected, [(1, reasons[0]), (3, reasons[1])], "{encoding:?}");
        assert_eq!(decoded.rejected[1].excerpt, "y".repeat(80));
    }
    // Exactly at the limit, at the end of the body.
    let decoded = decode_body(b"{\"aa\":234}", Encoding::Identity, Format::Ndjson, &options).unwrap();
    assert_eq!((decoded.accepted, decoded.rejected_count), (1, 0));
}

#[test]
fn bodies_that_follow_each_other_share_their_shapes_while_these_are_small() {
    let shape = |body: &[u8]| Arc::clone(&decode_plain(body, Format::Ndjson).batch.shapes()[0]);
    let (first, second) = (shape(br#"{"a":1}"#), shape(br#"{"a":22}"#));
    assert!(Arc::ptr_eq(&first, &second));
    let large = format!(r#"{{"{}":1}}"#, "x".repeat(4_000));
    let many = (0..32).map(|at| large.replacen('x', &at.to_string(), 1)).collect::<Vec<_>>().join("\n");
    decode_plain(many.as_bytes(), Format::Ndjson);
    assert!(!Arc::ptr_eq(&first, &shape(br#"{"a":3}"#)), "what takes much memory is not kept");
}

#[test]
fn rejected_events_are_listed_up_to_a_limit() {
    let options = limited(|limits| {
        limits.max_event_bytes = 1;
        limits.max_rejected_listed = 2;
    });
    let decoded = decode_body(b"aa\nbb\ncc\nd", Encoding::Identity, Format::Text, &options).unwrap();
    assert_eq!((decoded.accepted, decoded.rejected_count, decoded.rejected.len()), (1, 3, 2));
}

#[test]
fn bodies_are_limited_where_they_are_decompressed() {
    let zeros = vec![b'0'; 1 << 20];
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let body = compress(&zeros, encoding);
        for format in [Format::Text, Format::Json, Format::Detect] {
            let check = |change: fn(&mut DecodeLimits), error: Option<DecodeError>| {
                let mut options = limited(|limits| limits.max_ratio = 50);
                change(&mut options.limits);
                let result = decode_body(&body, encoding, format, &options);
                assert_eq!(result.err(), error, "{encoding:?} {format:?}");
            };
            let ratio = DecodeError::RatioTooHigh { ratio: 50 };
            check(|_| {}, None);
            check(|limits| limits.ratio_free_bytes = 1 << 20, None);
            check(|limits| limits.ratio_free_bytes = (1 << 20) - 1, Some(ratio));
            check(|limits| limits.max_decoded_bytes = 1 << 20, None);
            let limit = (1 << 20) - 1;
            let error = DecodeError::DecodedTooLarge { limit };
            check(|limits| limits.max_decoded_bytes = (1 << 20) - 1, Some(error));
            let bytes = body.len();
            check(|limits| limits.max_wire_bytes = 8, Some(DecodeError::WireTooLarge { bytes, limit: 8 }));
        }
    }
    let limit = zeros.len() - 1;
    let options = limited(|limits| limits.max_decoded_bytes = limit);
    let error = decode_body(&zeros, Encoding::Identity, Format::Text, &options).unwrap_err();
    assert_eq!(error, DecodeError::DecodedTooLarge { limit });
    assert!(error.is_too_large());
}

#[test]
fn damaged_bodies_are_refused_whole() {
    let body: String = (0..2000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let whole = compress(body.as_bytes(), encoding);
        let cut = &whole[..whole.len() - 9];
        let error = decode_body(cut, encoding, Format::Ndjson, &options()).unwrap_err();
        assert!(matches!(error, DecodeError::Damaged { .. }), "{encoding:?}: {error}");
        let error = decode_body(b"{\"a\":1}", encoding, Format::Ndjson, &options()).unwrap_err();
        assert!(matches!(error, DecodeError::Damaged { .. }), "{encoding:?}: {error}");
    }
}

#[test]
fn deflate_is_zlib_or_bare() {
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(b"one\ntwo").unwrap();
    let bare = writer.finish().unwrap();
    let decoded = decode_body(&bare, Encoding::Deflate, Format::Text, &options()).unwrap();
    assert_eq!(raws(&decoded), ["one", "two"]);
}

#[test]
fn several_gzip_members_are_one_body() {
    let mut body = compress(b"one\ntw", Encoding::Gzip);
    body.extend(compress(b"o\nthree", Encoding::Gzip));
    let decoded = decode_body(&body, Encoding::Gzip, Format::Text, &options()).unwrap();
    assert_eq!(raws(&decoded), ["one", "two", "three"]);
}

#[test]
fn encodings_and_types_have_names() {
    for (header, encoding) in [
        (None, Some(Encoding::Identity)),
        (Some(""), Some(Encoding::Identity)),
        (Some(" GZIP "), Some(Encoding::Gzip)),
        (Some("x-gzip, identity"), Some(Encoding::Gzip)),
        (Some("zstd"), Some(Encoding::Zstd)),
        (Some("br"), None),
        (Some("gzip, gzip"), None),
    ] {
        assert_eq!(Encoding::of(header).ok(), encoding, "{header:?}");
    }
    let csv = |header| Some(Format::Csv(Csv { header, delimiter: b',' }));
    for (route, given, format) in [
        (Route::Any, Some("application/x-ndjson"), Some(Format::Ndjson)),
        (Route::Any, Some("Application/JSON; charset=utf-8"), Some(Format::JsonOrStructured)),
        (Route::Any, Some("text/plain;charset=utf-8"), Some(Format::Text)),
        (Route::Any, Some("text/csv"), csv(true)),
        (Route::Any, Some("text/csv; header=absent"), csv(false)),
        (Route::Any, None, Some(Format::Detect)),
        (Route::Any, Some("application/x-www-form-urlencoded"), Some(Format::Detect)),
        (Route::Any, Some("application/xml"), None),
        (Route::Json, Some("application/xml"), Some(Format::Json)),
        (Route::Json, Some("application/x-ndjson"), Some(Format::Ndjson)),
        (Route::HumioStructured, Some("text/plain"), Some(Format::HumioStructured)),
        (Route::HecRaw, None, Some(Format::Text)),
    ] {
        assert_eq!(Format::of(route, given).ok(), format, "{route:?} {given:?}");
    }
    let error = Format::of(Route::Any, Some("application/xml; q=1")).unwrap_err();
    assert!(error.is_unsupported());
    assert!(error.to_string().starts_with("unknown content type `application/xml`: known are"), "{error}");
}

#[test]
fn json_comes_as_array_object_or_sequence() {
    let objects = [r#"{"a":1}"#, r#"{"a": [ {"b":"]}"} ] }"#, r#"{"a":3}"#];
    for body in [
        format!("[{}]", objects.join(",")),
        format!(" [ {} ] ", objects.join(" ,\n ")),
        objects.join("\n"),
        objects.concat(),
        format!("[{}]\n[{}]", objects[..2].join(","), objects[2]),
        format!("\u{feff}[{}]", objects.join(",")),
    ] {
        let decoded = decode_plain(body.as_bytes(), Format::Json);
        assert_eq!(raws(&decoded), objects, "{body}");
        assert_eq!((decoded.accepted, decoded.unparsed), (3, 0));
    }
    assert_eq!(decode_plain(b"[]", Format::Json).accepted, 0);
    assert_eq!(decode_plain(b"", Format::Json).accepted, 0);
    let pretty = "{\n  \"a\": 1,\n  \"b\": 2\n}\n";
    assert_eq!(raws(&decode_plain(pretty.as_bytes(), Format::Detect)), [pretty.trim_end()]);
}

#[test]
fn broken_json_is_kept_line_by_line() {
    let decoded = decode_plain(b"[{\"a\":1},\n{\"a\":2\n,{\"a\":3},\n{\"a\":4}\n]", Format::Json);
    assert_eq!(raws(&decoded), ["{\"a\":1}", "{\"a\":2", ",{\"a\":3}", "{\"a\":4}"]);
    assert_eq!((decoded.accepted, decoded.unparsed), (4, 2));
    let decoded = decode_plain(b"{\"a\":1}\n{\"a\":\n{\"a\":3}\n", Format::Json);
    assert_eq!((decoded.accepted, decoded.unparsed), (3, 1));
    let decoded = decode_plain(b"[1, \"x\", nonsense, {\"a\":1}]", Format::Json);
    assert_eq!(raws(&decoded), ["1", "\"x\"", "nonsense", "{\"a\":1}"]);
    assert_eq!((decoded.accepted, decoded.unparsed), (4, 3));
    let deep = "[".repeat(10_000);
    let decoded = decode_plain(deep.as_bytes(), Format::Json);
    assert_eq!((decoded.accepted, decoded.unparsed), (1, 1));
}

#[test]
fn text_lines_keep_their_bytes_and_their_time() {
    let body = b"2023-01-29T10:13:01.596Z one\r\n\n caf\xE9 two \nthree";
    let decoded = decode_plain(body, Format::Text);
    assert_eq!(decoded.batch.raw(0), b"2023-01-29T10:13:01.596Z one");
    assert_eq!(decoded.batch.raw(1), b" caf\xE9 two ");
    assert_eq!(decoded.batch.raw_text(1), " caf\u{fffd} two ");
    assert_eq!((decoded.accepted, decoded.blank, decoded.unparsed), (3, 1, 0));
    assert_eq!(decoded.batch.timestamp(0), 1_674_987_181_596_000_000);
    assert_eq!(decoded.batch.timestamp(1), NOW);
    assert_eq!(raws(&decode_plain(b"a\nb\n", Format::Raw)), ["a\nb\n"]);
}

#[test]
fn records_keep_their_bytes_and_have_their_columns() {
    let body = b"time,\"user name\",,note\r\n2023-01-29T10:13:01Z,\"a \"\"b\"\"\",x,\"two\nlines\"\r\n\n1,2\n3,4,5,6,7\n";
    for encoding in ENCODINGS {
        let csv = Format::Csv(Csv::default());
        let decoded = decode_body(&compress(body, encoding), encoding, csv, &options()).unwrap();
        assert_eq!(raws(&decoded)[0], "2023-01-29T10:13:01Z,\"a \"\"b\"\"\",x,\"two\nlines\"");
        assert_eq!(raws(&decoded)[1..], ["1,2", "3,4,5,6,7"]);
        assert_eq!(value(&decoded, 0, "user name").as_deref(), Some("a \"b\""));
        assert_eq!(value(&decoded, 0, "column3").as_deref(), Some("x"));
        assert_eq!(value(&decoded, 0, "note").as_deref(), Some("two\nlines"));
        assert_eq!(value(&decoded, 1, "note"), None);
        assert_eq!(value(&decoded, 2, "column5").as_deref(), Some("7"));
        assert_eq!(decoded.batch.timestamp(0), 1_674_987_181_000_000_000);
    }
    let headless = Format::Csv(Csv { header: false, delimiter: b'\t' });
    let decoded = decode_plain(b"a\tb", headless);
    assert_eq!(value(&decoded, 0, "column2").as_deref(), Some("b"));
}

#[test]
fn a_stray_quote_costs_a_line() {
    let csv = Format::Csv(Csv::default());
    let decoded = decode_plain(b"a,b\n1,\"2\n3,4\n5,6\n", csv);
    assert_eq!(raws(&decoded), ["1,\"2", "3,4", "5,6"]);
    assert_eq!(value(&decoded, 0, "@error").as_deref(), Some("unclosed quote in a CSV record"));
    assert_eq!((decoded.accepted, decoded.unparsed), (3, 1));
    // Closed so late that the record would be over the limit; from a stream as well.
    let options = limited(|limits| limits.max_event_bytes = 1000);
    let body = format!("a,b\n1,\"2\n{}5,\"6\n7,8\n", "3,4\n".repeat(500));
    for encoding in ENCODINGS {
        let decoded = decode_body(&compress(body.as_bytes(), encoding), encoding, csv, &options).unwrap();
        assert_eq!((decoded.accepted, decoded.unparsed, decoded.rejected_count), (503, 2, 0), "{encoding:?}");
    }
}

#[test]
fn humio_structured_events() {
    let body = br#"[{"tags":{"host":"a","n":1},"events":[
        {"timestamp":"2024-01-02T03:04:05+02:00","attributes":{"k":"v","n":{"x":1}},"rawstring":"raw \"text\""},
        {"timestamp":1704164645123,"timezone":"Europe/Berlin","attributes":{"k": [1, 2]}},
        {"timestamp":"never","rawstring":"x"},
        {"timestamp":null,"attributes":null}]},
        {"events":[{"timestamp":5,"attributes":{"a":"b"}}]}]"#;
    let decoded = decode_plain(body, Format::HumioStructured);
    assert_eq!(raws(&decoded), ["raw \"text\"", "{\"k\": [1, 2]}", "x", "{}", "{\"a\":\"b\"}"]);
    assert_eq!(value(&decoded, 0, "#host").as_deref(), Some("a"));
    assert_eq!(value(&decoded, 0, "#n").as_deref(), Some("1"));
    assert_eq!(value(&decoded, 0, "n.x").as_deref(), Some("1"));
    assert_eq!(decoded.batch.timestamp(0), 1_704_157_445_000_000_000);
    assert_eq!(decoded.batch.timestamp(1), 1_704_164_645_123_000_000);
    assert_eq!(value(&decoded, 1, "k[1]").as_deref(), Some("2"));
    assert_eq!(value(&decoded, 1, "@timezone").as_deref(), Some("Europe/Berlin"));
    assert_eq!(value(&decoded, 2, "@error").as_deref(), Some("timestamp `never` is not understood"));
    assert_eq!(decoded.batch.timestamp(3), NOW);
    assert_eq!(decoded.batch.timestamp(4), 5_000_000);
    assert_eq!(value(&decoded, 4, "#host"), None);
}

#[test]
fn structured_events_are_told_from_other_json() {
    for (body, raw) in [
        (r#"[{"tags":{},"events":[{"timestamp":5,"attributes":{"a":"b"}}]}]"#, r#"{"a":"b"}"#),
        (r#" [ {"events" : [{"attributes":{"a":"b"}}]}]"#, r#"{"a":"b"}"#),
        (r#"[{"events":5}]"#, r#"{"events":5}"#),
        (r#"[{"events":[],"a":1}]"#, r#"{"events":[],"a":1}"#),
        (r#"{"events":[]}"#, r#"{"events":[]}"#),
        (r#"{"a":1}"#, r#"{"a":1}"#),
    ] {
        assert_eq!(raws(&decode_plain(body.as_bytes(), Format::JsonOrHumio)), [raw]);
    }
}

#[test]
fn humio_unstructured_messages() {
    let body = br#"[{"type":"kv","fields":{"h":"b"},"tags":{"t":"v"},"messages":["a=1","b\n2"]},
        {"type":"json","messages":["{\"a\":{\"b\":1}}"]},{"messages":["x"]}]"#;
    let decoded = decode_plain(body, Format::HumioUnstructured);
    assert_eq!(raws(&decoded), ["a=1", "b\n2", "{\"a\":{\"b\":1}}", "x"]);
    assert_eq!(value(&decoded, 0, "#type").as_deref(), Some("kv"));
    assert_eq!(value(&decoded, 1, "#t").as_deref(), Some("v"));
    assert_eq!(value(&decoded, 1, "h").as_deref(), Some("b"));
    assert_eq!(value(&decoded, 2, "a.b").as_deref(), Some("1"));
    assert_eq!(value(&decoded, 3, "#type"), None);
}

#[test]
fn humio_documents_of_another_form_are_refused() {
    for body in
        ["", "{", "[1]", "\"x\"", "[{\"events\":5}]", "[{\"messages\":{}}]", "[{\"tags\":[]}]", "[{}] x"]
    {
        for format in [Format::HumioStructured, Format::HumioUnstructured] {
            let result = decode_body(body.as_bytes(), Encoding::Identity, format, &options());
            assert!(result.is_err(), "{body}");
        }
    }
    let deep = format!("[{{\"events\":{}", "[".repeat(10_000));
    let result = decode_body(deep.as_bytes(), Encoding::Identity, Format::HumioStructured, &options());
    assert!(matches!(result, Err(DecodeError::Json(_))));
}

#[test]
fn collector_envelopes() {
    let body = br##"{"time":1588205199.824,"host":"h","sourcetype":"kv","event":{"a":1},"fields":{"#x":"y","f":2,"@timestamp.nanos":"5"}}{"event":"text \"q\"","source":"s"}
        {"time":"1588205199","event":"2"}{"fields":{}}"##;
    let decoded = decode_plain(body, Format::Hec);
    assert_eq!(raws(&decoded), ["{\"a\":1}", "text \"q\"", "2", "{\"fields\":{}}"]);
    assert_eq!(decoded.batch.timestamp(0), 1_588_205_199_824_000_005);
    assert_eq!(decoded.batch.timestamp(2), 1_588_205_199_000_000_000);
    for (row, name, expected) in [
        (0, "a", Some("1")),
        (0, "#type", Some("kv")),
        (0, "#x", Some("y")),
        (0, "f", Some("2")),
        (0, "@host", Some("h")),
        (1, "@source", Some("s")),
        (1, "#type", None),
        (3, "@error", Some("no `event` in the envelope")),
    ] {
        assert_eq!(value(&decoded, row, name).as_deref(), expected, "{row} {name}");
    }
    assert_eq!((decoded.accepted, decoded.unparsed), (4, 1));
    let decoded = decode_plain(b"{\"event\":\"a\"}\n{\"event\":\n{\"event\":\"c\"}", Format::Hec);
    assert_eq!((decoded.accepted, decoded.unparsed), (3, 1));
}

#[test]
fn every_event_gets_the_tags_and_fields_of_the_options() {
    let tags = Arc::new(TagSet::new([("host", "a"), ("app", "x")]));
    let fields = vec![("channel".to_owned(), "c\"1".to_owned())];
    let options = DecodeOptions { tags, fields, ..options() };
    let decoded = decode_body(b"{\"a\":1}\nx", Encoding::Identity, Format::Ndjson, &options).unwrap();
    for row in 0..2 {
        assert_eq!(value(&decoded, row, "#host").as_deref(), Some("a"));
        assert_eq!(value(&decoded, row, "channel").as_deref(), Some("c\"1"));
    }
    assert!(value(&decoded, 1, "@error").is_some());
    let body = br#"[{"tags":{"host":"b"},"events":[{"attributes":{"channel":"own"},"rawstring":"r"}]}]"#;
    let decoded = decode_body(body, Encoding::Identity, Format::HumioStructured, &options).unwrap();
    assert_eq!(value(&decoded, 0, "#host").as_deref(), Some("b"));
    assert_eq!(value(&decoded, 0, "#app").as_deref(), Some("x"));
    assert_eq!(value(&decoded, 0, "channel").as_deref(), Some("own"));
}

#[test]
fn streams_come_in_batches() {
    let mut options = options();
    options.limits.target_batch_bytes = 1000;
    let lines: Vec<String> = (0..500).map(|number| format!("{{\"n\":{number}}}")).collect();
    for encoding in ENCODINGS {
        let body = compress(lines.join("\n").as_bytes(), encoding);
        let (mut found, mut batches) = (Vec::new(), 0);
        let mut emit = |decoded: Decoded| {
            batches += 1;
            found.extend(raws(&decoded));
            ControlFlow::Continue(())
        };
        decode_stream(Box::new(Cursor::new(&body)), encoding, Format::Detect, &options, &mut emit).unwrap();
        assert_eq!(found, lines);
        assert!(batches >= 5);
        let mut first = 0;
        let mut emit = |decoded: Decoded| {
            first += decoded.accepted;
            ControlFlow::Break(())
        };
        decode_stream(Box::new(Cursor::new(&body)), encoding, Format::Ndjson, &options, &mut emit).unwrap();
        assert!(first < 200);
    }
}

#[test]
fn streams_of_ever_new_structures_come_in_small_batches() {
    let elements = vec!["1"; 1000].join(",");
    let line = |number: usize| format!("{{\"{number:0400}\":[{elements}]}}");
    let body: Vec<String> = (0..200).map(line).collect();
    let (mut accepted, mut unparsed, mut batches) = (0, 0, 0);
    let mut emit = |decoded: Decoded| {
        assert!(decoded.batch.memory_bytes() < 40 << 20);
        (accepted, unparsed) = (accepted + decoded.accepted, unparsed + decoded.unparsed);
        batches += 1;
        ControlFlow::Continue(())
    };
    let body = Box::new(Cursor::new(body.join("\n").into_bytes()));
    decode_stream(body, Encoding::Identity, Format::Ndjson, &options(), &mut emit).unwrap();
    assert_eq!((accepted, unparsed), (200, 0));
    assert!(batches > 1);
}

#[test]
fn formats_are_told_from_the_first_bytes() {
    for (body, fields, events) in [
        (&b"{\"a\":1}\n{\"a\":2}\n"[..], true, 2),
        (b" {\"a\":1}", true, 1),
        (b"[{\"a\":1},{\"a\":2}]", true, 2),
        (b"{\n\"a\":1\n}", true, 1),
        (b"[2016-12-20 00:04:03,231] TRACE x\ny", false, 2),
        (b"{braces} are not JSON", false, 1),
        (b"", false, 0),
    ] {
        let decoded = decode_plain(body, Format::Detect);
        assert_eq!(decoded.accepted, events);
        assert_eq!(value(&decoded, 0, "a").is_some(), fields, "{}", String::from_utf8_lossy(body));
        assert_eq!(decoded.unparsed, 0);
    }
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Ndjson),
        Just(Format::Json),
        Just(Format::JsonOrHumio),
        Just(Format::Text),
        Just(Format::Csv(Csv::default())),
        Just(Format::Raw),
        Just(Format::HumioStructured),
        Just(Format::HumioUnstructured),
        Just(Format::Hec),
        Just(Format::Detect),
    ]
}

proptest! {
    #[test]
    fn no_body_is_too_odd(
        body in "([{}\\[\\]\",:\\\\]|\"(event|events|messages|tags|a)\"|1|x|é|\n|\r\n| ){0,40}",
        format in any_format(),
    ) {
        let body = body.into_bytes();
        let result = decode_body(&body, Encoding::Identity, format, &options());
        if let Ok(decoded) = result {
            prop_assert_eq!(decoded.accepted, decoded.batch.len());
            prop_assert!(decoded.unparsed <= decoded.accepted);
        }
    }

    #[test]
    fn lines_come_back_whatever_the_pieces_they_are_read_in(
        lines in prop::collection::vec("[a\"\r]{0,9}", 0..30),
        encoding in prop::sample::select(ENCODINGS.to_vec()),
    ) {
        let body = lines.join("\n");
        let decoded = decode_body(&compress(body.as_bytes(), encoding), encoding, Format::Text, &options()).unwrap();
        let last = lines.len().saturating_sub(1);
        let expected: Vec<String> = lines.iter().enumerate()
            .map(|(at, line)| if at < last { line.strip_suffix('\r').unwrap_or(line) } else { line }.to_owned())
            .filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(raws(&decoded), expected);
    }
}

/// What is lent to a batch and what is copied into it are the same events.
#[test]
fn a_body_of_lines_is_decoded_the_same_as_its_bytes() {
    let row = r#"{"level":"info","n":1,"time":"2026-11-20T10:00:00Z"}"#;
    let plain = format!("{row}\n").repeat(500);
    let bodies = [
        (plain.clone(), true),
        (plain.replace('\n', "\r\n"), true),
        (format!("\u{feff}{plain}\n\n{plain}"), true),
        (format!("{plain}not json\n{plain}{{}}"), true),
        (format!("{plain}{}\n{plain}", "x".repeat(3_000)), true),
        (plain.replace("info", r"a\\b"), false),
        (row.to_owned(), false),
    ];
    let limits = DecodeLimits { max_event_bytes: 2_000, ..DecodeLimits::default() };
    let with_fields = DecodeOptions { fields: vec![("channel".into(), "c".into())], limits, ..options() };
    let as_text = DecodeOptions { as_text: true, limits, ..options() };
    for (body, is_lent) in bodies {
        for format in [Format::Ndjson, Format::Text] {
            for options in [&DecodeOptions { limits, ..options() }, &with_fields, &as_text] {
                let lent = Body::new(body.clone().into_bytes(), Encoding::Identity, format);
                let may_be = is_lent || format == Format::Text && body.len() > 16 << 10;
                assert_eq!(matches!(lent, Body::Lines(_)), may_be, "{format:?} {}", body.len());
                assert_eq!(lent.bytes(), body.as_bytes());
                let lent = lent.decode(Encoding::Identity, format, options).unwrap();
                let copied = decode_body(body.as_bytes(), Encoding::Identity, format, options).unwrap();
                assert_eq!(
                    (lent.accepted, lent.unparsed, lent.blank),
                    (copied.accepted, copied.unparsed, copied.blank)
                );
                assert_eq!(lent.rejected, copied.rejected);
                assert_eq!(lent.batch.content_crc(), copied.batch.content_crc());
                for row in 0..copied.batch.len() {
                    assert_eq!(lent.batch.timestamp(row), copied.batch.timestamp(row));
                    let values = |batch: &EventBatch| {
                        batch.json(row).map(|part| part.values().map(str::to_owned).collect::<Vec<_>>())
                    };
                    assert_eq!(values(&lent.batch), values(&copied.batch));
                }
            }
        }
    }
    let compressed = Body::new(plain.clone().into_bytes(), Encoding::Gzip, Format::Ndjson);
    assert!(matches!(compressed, Body::Sent(_)), "what is encoded is no text yet");
    let broken = Body::new([plain.as_bytes(), b"\xff"].concat(), Encoding::Identity, Format::Ndjson);
    assert!(matches!(broken, Body::Sent(bytes) if bytes.len() == plain.len() + 1));
}
