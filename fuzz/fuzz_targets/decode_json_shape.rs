//! Whatever lines come one behind the other: raw bytes stay, and a shape with its tokens gives them back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::event::{EventBatchBuilder, EventLimits, Shape, TagSet};

fuzz_target!(|body: &[u8]| {
    let (mut builder, tags) = (EventBatchBuilder::new(EventLimits::default()), TagSet::none());
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    for line in &lines {
        builder.push_json(line, None, &tags, None).expect("within the limits");
    }
    let batch = builder.finish(0);
    for (row, line) in lines.iter().enumerate() {
        assert_eq!(batch.raw(row), *line);
        let Some(part) = batch.json(row) else { continue };
        let mut rebuilt = Vec::new();
        part.shape().rebuild(part.tokens(), &mut rebuilt);
        assert_eq!(rebuilt, *line);
        let text = std::str::from_utf8(line).expect("JSON is UTF-8");
        assert_eq!(Shape::of(text, &EventLimits::default()).as_ref(), Ok(&**part.shape()));
    }
});
