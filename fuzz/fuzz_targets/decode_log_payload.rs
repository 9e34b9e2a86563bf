//! Any bytes are an error or a batch, and a batch is written and read as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::event::EventBatch;

fuzz_target!(|bytes: &[u8]| {
    let Ok(batch) = EventBatch::decode_log(bytes) else { return };
    let once = batch.log_payload().to_vec();
    let again = EventBatch::decode_log(&once).expect("what was written can be read");
    assert_eq!(once, again.log_payload().to_vec());
    for row in 0..batch.len() {
        assert_eq!(batch.raw(row), again.raw(row));
    }
});
