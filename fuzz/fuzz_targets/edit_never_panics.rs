//! Any text, whole or not, is answered at any place of it, and a fix keeps it a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_query::compile::Options;
use weir_query::editing::{Edit, NoCatalogue, apply, check, complete, hover};

fuzz_target!(|data: &[u8]| {
    let (place, text) = data.split_at(data.len().min(2));
    let offset = place.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    let text = &*String::from_utf8_lossy(text);
    for item in complete(text, offset, &NoCatalogue).items {
        let after = apply(text, &Edit { range: item.replace, text: item.insert.clone() });
        assert!(after.len() >= item.insert.len());
    }
    let _ = hover(text, offset, &NoCatalogue);
    for fault in check(text, &Options::default(), &NoCatalogue).faults {
        assert!(text.get(fault.range.bytes()).is_some());
    }
});
