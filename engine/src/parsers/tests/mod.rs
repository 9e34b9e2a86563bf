//! Laws of parsers: no event is lost, texts stay, the log needs no parser; and how parsers are kept.

mod kept;
mod laws;
mod limits;
mod outcomes;

use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::program::Program;

use super::{Account, Chosen, Parsed, ParserLimits, fields_of, parse};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};

/// 2026-05-17T10:05:03Z
pub(super) const NOW: i64 = 1_779_012_303_000_000_000;

pub(super) fn chosen(text: &str) -> Chosen {
    let program = Program::parser(text, &Options::default());
    let program = program.unwrap_or_else(|faults| panic!("{}", faults.render(text, false)));
    Chosen { name: "p".into(), program: Ok(program), tag_fields: Vec::new(), removed_fields: Vec::new() }
}

pub(super) fn batch_of(lines: &[&[u8]]) -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default()).with_reference(NOW);
    for line in lines {
        builder.push_text(line, None, &TagSet::none(), None).unwrap();
    }
    builder.finish(NOW)
}

pub(super) fn run(chosen: &Chosen, batch: &EventBatch, limits: &ParserLimits) -> Parsed {
    parse(batch, std::slice::from_ref(chosen), &|_| Some(0), limits, EventLimits::default()).unwrap()
}

/// What a parser makes of a line: `name=value` of all fields but the text, by name, an event a line.
pub(super) fn shown(chosen: &Chosen, line: &str) -> String {
    let parsed = run(chosen, &batch_of(&[line.as_bytes()]), &ParserLimits::default());
    let event = |row: usize| {
        let mut fields = fields_of(&parsed.batch, row);
        fields.retain(|(name, _)| name != "@rawstring");
        fields.sort();
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fields.join(" ")
    };
    (0..parsed.batch.len()).map(event).collect::<Vec<_>>().join("\n")
}

pub(super) fn account(parsed: &Parsed) -> Account {
    parsed.account
}

pub(super) fn tags(tags: &[(&str, &str)]) -> Arc<TagSet> {
    Arc::new(TagSet::new(tags.iter().copied()))
}
