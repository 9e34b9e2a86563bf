//! Any bytes are a state of a query or an error, in bounded memory; what is a state can be written, read back, merged
//! and finished.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;

#[path = "../../engine/tests/laws/queries.rs"]
mod queries;

/// What the live laws have no query for.
const MORE: [&str; 9] = [
    "linReg(x=latency, y=bytes)",
    "fieldstats()",
    "selectFromMax(bytes, include=[status])",
    "top(service, sum=bytes)",
    "top(service, max=latency, rest=others, percent=true)",
    "collect([service, level], multival=false)",
    "groupBy([service, user], function={level=error | count(as=errors)})",
    "groupBy(service, function=[stdDev(latency), tail(2), collect(user), fieldstats()])",
    "sort([status, latency, user], type=[hex, string, number], limit=6)",
];
/// Bytes of version and fingerprint, which nobody guesses.
const HEAD: usize = 9;

thread_local! {
    static MACHINES: RefCell<Vec<Machine>> = RefCell::new(machines());
}

fn machines() -> Vec<Machine> {
    let machine = |query: &&str| {
        let program = Program::compile(query, &Options::default()).expect("the query compiles");
        Machine::new(program, Context { end_nanos: 600_000_000_000, ..Context::default() })
    };
    queries::QUERIES.iter().chain(&MORE).map(machine).collect()
}

fn encode(machine: &Machine, state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    machine.encode_state(state, &mut bytes);
    bytes
}

fuzz_target!(|input: (u8, &[u8])| {
    let (query, body) = input;
    MACHINES.with_borrow_mut(|machines| {
        let at = usize::from(query) % machines.len();
        let machine = &mut machines[at];
        let mut bytes = encode(machine, &State::default());
        bytes.truncate(HEAD);
        bytes.extend_from_slice(body);
        let Ok(mut state) = machine.decode_state(&bytes) else { return };
        let once = encode(machine, &state);
        let back = machine.decode_state(&once).expect("what was written can be read");
        assert_eq!(encode(machine, &back), once, "writing is not stable");
        state.merge(&back).expect("two small states are no large one");
        machine.finish(&state).expect("a small state has a result");
    });
});
