//! What parses is printed in a form that parses, and prints the same again.
//!
//! Equal printed forms stand for equal trees here: the tests of the language compare the trees themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_query::{parser, print};

fuzz_target!(|text: &str| {
    let Ok(query) = parser::parse_strict(text) else { return };
    let printed = print::print(&query);
    match parser::parse_strict(&printed) {
        Ok(again) => assert_eq!(print::print(&again), printed, "printing is not stable"),
        Err(faults) => panic!("the printed form does not parse:\n{}", faults.render(&printed, false)),
    }
});
