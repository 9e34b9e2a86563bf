//! What holds of any parser over any events.

use proptest::prelude::*;

use super::*;
use crate::event::EventBatch;

/// Parsers of every kind: that find, change, drop, multiply, fail and let nothing through.
const PARSERS: [&str; 14] = [
    "*",
    "parseJson()",
    "parseJson(prefix=\"v.\") | drop(v.a)",
    "kvParse() | rename(a, as=b)",
    "case { /x/ | dropEvent(); /y/ | a := 1; * }",
    "case { /x/ ; /y/ | parseTimestamp(field=@rawstring) }",
    "/(?<@timestamp>\\d+)/",
    "regex(\"(?<w>\\\\w+)\", repeat=true, strict=false)",
    "replace(\"x\", with=\"y\") | findTimestamp(addErrors=false)",
    "parseJson() | split(a)",
    "splitString(by=\" \", as=w) | select([@rawstring, w[0]])",
    "a=1 | b := 2",
    "findTimestamp() | parseCsv(columns=[a, b, c])",
    "setField(target=\"#t\", value=length(@rawstring)) | case { a=* | dropEvent(); * | @timestamp := a }",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[xy a-c=\\d\"{}\\[\\],:]{0,30}".prop_map(String::into_bytes),
        "\\{\"a\":(1|\"x\"|null|\\[\\{\"n\":1\\},2\\]),\"b.c\":\"[xyé\\\\\\\\n]{0,4}\"\\}"
            .prop_map(String::into_bytes),
        "(2026-05-1[0-9]T10:0[0-9]:03Z|17797[0-9]{5}) [xy]{0,3}".prop_map(String::into_bytes),
    ]
}

/// All that an event answers, and its text.
type Whole = (Vec<(String, String)>, Vec<u8>);

fn all(batch: &EventBatch) -> Vec<Whole> {
    (0..batch.len())
        .map(|row| {
            let mut fields = fields_of(batch, row);
            fields.sort();
            (fields, batch.raw(row).to_vec())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_event_is_lost_texts_stay_and_the_log_needs_no_parser(
        parser in 0..PARSERS.len(),
        lines in proptest::collection::vec(line(), 0..12),
    ) {
        let chosen = chosen(PARSERS[parser]);
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let batch = batch_of(&lines);
        let parsed = run(&chosen, &batch, &ParserLimits::default());
        let account = parsed.account;
        prop_assert_eq!(account.given, lines.len());
        prop_assert_eq!(account.parsed + account.failed + account.dropped, lines.len());
        prop_assert_eq!(parsed.batch.len(), lines.len() - account.dropped + account.made);
        if !PARSERS[parser].contains("dropEvent") {
            prop_assert_eq!(account.dropped, 0);
        }
        // Every text is one that came, in the order in which they came, unless the parser makes others.
        if !PARSERS[parser].contains("replace") {
            let mut left = lines.iter();
            let mut last: Option<&&[u8]> = None;
            for row in 0..parsed.batch.len() {
                let raw = parsed.batch.raw(row);
                if last.is_none_or(|last| *last != raw) {
                    last = left.find(|line| **line == raw);
                    prop_assert!(last.is_some(), "{:?}", raw);
                }
            }
        }
        // What the log keeps is read back as it was, without the parser.
        let payload = parsed.batch.log_payload().to_vec();
        let replayed = EventBatch::decode_log(&payload).unwrap();
        prop_assert_eq!(all(&replayed), all(&parsed.batch));
    }

    #[test]
    fn an_event_becomes_the_same_alone_and_among_others(
        parser in 0..PARSERS.len(),
        lines in proptest::collection::vec(line(), 1..8),
    ) {
        let chosen = chosen(PARSERS[parser]);
        let whole: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let together = all(&run(&chosen, &batch_of(&whole), &ParserLimits::default()).batch);
        let alone: Vec<_> = whole
            .iter()
            .flat_map(|line| all(&run(&chosen, &batch_of(&[line]), &ParserLimits::default()).batch))
            .collect();
        prop_assert_eq!(together, alone);
    }
}

#[test]
fn json_that_is_parsed_is_what_json_is_without_a_parser() {
    let lines = [
        r#"{"ts":"2026-05-17T10:05:03Z","level":"ERROR","http":{"status":503},"tags":["a","b"],"none":null}"#,
        r#"{"@timestamp":1779012303250,"message":"a \"quoted\" \u00e9","empty":"","list":[]}"#,
        r#"{"time":"2026-05-17 10:05:03.5","n":1.50,"ok":true}"#,
        r#"{"message":"no time"}"#,
    ];
    let stored = crate::parsers::built_in::parsers()["json"].clone();
    let mut parser = chosen(&stored.parser.text);
    parser.name = "json".into();
    for line in lines {
        let mut builder = EventBatchBuilder::new(EventLimits::default()).with_reference(NOW);
        builder.push_json(line.as_bytes(), None, &tags(&[("#type", "json")]), None).unwrap();
        let native = builder.finish(NOW);
        let parsed = run(&parser, &batch_of(&[line.as_bytes()]), &ParserLimits::default());
        assert_eq!(all(&parsed.batch), all(&native), "{line}");
        assert!(parsed.batch.json(0).is_some() && parsed.batch.attributes(0).is_none(), "{line}");
    }
}
