//! Any text ends in a tree and faults that lie inside it, and both can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_query::{parser, print};

fuzz_target!(|text: &str| {
    let parsed = parser::parse(text);
    for fault in &parsed.diagnostics.list {
        assert!(text.get(fault.span.range()).is_some(), "{fault:?} lies outside the text");
    }
    let _ = parsed.diagnostics.render(text, false);
    let _ = print::print(&parsed.query);
});
