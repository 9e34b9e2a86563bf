//! Any text that is a parser runs over any lines: no event is lost, texts stay unless they are changed, limits hold, and
//! what goes into the log is read back without the parser.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use weir_engine::EventBatch;
use weir_engine::event::{EventBatchBuilder, EventLimits, TagSet};
use weir_engine::parsers::{Chosen, Parser, ParserLimits, built_in, fields_of, parse};
use weir_query::compile::{Known, Options};
use weir_query::program::Program;

const NOW: i64 = 1_779_012_303_000_000_000;

/// One that is built in, or one of its own.
fn program(number: u8, text: &str) -> Option<Arc<Program>> {
    let known = built_in::parsers();
    match known.values().nth(usize::from(number)) {
        Some(stored) => stored.program(&Known::default()).ok(),
        None => Program::parser(text, &Options::default()).ok(),
    }
}

fuzz_target!(|input: (u8, &str, Vec<&[u8]>)| {
    let (number, text, lines) = input;
    let Some(program) = program(number, text) else { return };
    let event_limits = EventLimits { max_event_bytes: 4_096, ..EventLimits::default() };
    let mut builder = EventBatchBuilder::new(event_limits).with_reference(NOW);
    let mut taken = 0;
    for line in lines.iter().take(64) {
        taken += usize::from(builder.push_text(line, None, &TagSet::none(), None).is_ok());
    }
    let batch = builder.finish(NOW);
    let limits = ParserLimits { max_events_per_event: 100, max_state_bytes: 8 << 20, ..ParserLimits::default() };
    let chosen = Chosen::new("p", &Parser::default(), Ok(program));
    let parsed = parse(&batch, &[chosen], &|_| Some(0), &limits, event_limits).expect("it fits");
    let account = parsed.account;
    assert_eq!(account.given, taken);
    assert_eq!(account.parsed + account.failed + account.dropped, taken);
    assert_eq!(parsed.batch.len(), taken - account.dropped + account.made);
    assert!(account.made <= taken * 100);
    let payload = parsed.batch.log_payload().to_vec();
    let replayed = EventBatch::decode_log(&payload).expect("it was written so");
    for row in 0..parsed.batch.len() {
        assert_eq!(parsed.batch.raw(row), replayed.raw(row));
        assert_eq!(fields_of(&parsed.batch, row), fields_of(&replayed, row));
    }
});
