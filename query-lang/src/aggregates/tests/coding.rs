//! Laws of states as bytes: what is read back is what was written, whatever becomes of it after that; and no bytes do
//! harm.

use super::*;
use crate::coding::{DecodeError, Reader};

fn bytes(state: &AggregateState) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write(&mut bytes);
    bytes
}

fn read(spec: &AggregateSpec, bytes: &[u8]) -> Result<AggregateState, DecodeError> {
    let mut from = Reader::new(bytes);
    let state = AggregateState::read(spec, &context(), Source::Events, &mut from)?;
    from.finish()?;
    Ok(state)
}

fn learnt(spec: &AggregateSpec, rows: &[(OrderKey, Row)], coded: bool) -> AggregateState {
    let mut state = AggregateState::new(spec, &context(), Source::Events);
    rows.chunks(7).for_each(|rows| step(&mut state, rows, coded));
    state
}

fn sum(a: &AggregateState, b: &AggregateState) -> AggregateState {
    let mut sum = a.clone();
    sum.merge(b);
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_was_written(rows in events(), more in events(), cut in 0_usize..40, coded in any::<bool>()) {
        for spec in specs() {
            let mut state = learnt(&spec, &rows, coded);
            let written = bytes(&state);
            let mut back = read(&spec, &written).unwrap();
            prop_assert_eq!(bytes(&back), written.clone(), "{:?}", spec);
            prop_assert_eq!(show(&back), show(&state), "{:?}", spec);
            // Rows that count no more are not written, so that the bound may be sharper.
            prop_assert_eq!(back.horizon().is_some(), state.horizon().is_some(), "{:?}", spec);
            // Merged either way.
            let other = learnt(&spec, &more, !coded);
            let both = show(&sum(&state, &other));
            prop_assert_eq!(show(&sum(&back, &other)), both.clone(), "{:?}", spec);
            prop_assert_eq!(show(&sum(&other, &back)), both.clone(), "{:?}", spec);
            prop_assert_eq!(show(&sum(&back, &read(&spec, &bytes(&other)).unwrap())), both, "{:?}", spec);
            // And it goes on learning.
            step(&mut back, &more, coded);
            step(&mut state, &more, coded);
            prop_assert_eq!(show(&back), show(&state), "{:?}", spec);
            prop_assert_eq!(bytes(&back), bytes(&state), "{:?}", spec);
            // However the rows came, the bytes are the same.
            let (left, right) = rows.split_at(cut.min(rows.len()));
            let mut turned = right.to_vec();
            turned.reverse();
            let parts = sum(&learnt(&spec, &turned, !coded), &learnt(&spec, left, coded));
            prop_assert_eq!(bytes(&parts), written, "{:?}", spec);
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_or_a_state(
        rows in events(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for spec in specs() {
            let good = learnt(&spec, &rows, true);
            let written = bytes(&good);
            for cut in 0..written.len() {
                prop_assert!(read(&spec, &written[..cut]).is_err(), "{:?} cut at {}", spec, cut);
            }
            let mut more = written.clone();
            more.push(0);
            prop_assert!(read(&spec, &more).is_err(), "{:?}", spec);
            let mut bad = written.clone();
            for (at, byte) in &flips {
                if !bad.is_empty() {
                    let at = at.index(bad.len());
                    bad[at] = *byte;
                }
            }
            if let Ok(mut state) = read(&spec, &bad) {
                show(&state);
                let again = bytes(&state);
                prop_assert_eq!(bytes(&read(&spec, &again).unwrap()), again, "{:?}", spec);
                state.merge(&good);
                show(&sum(&good, &state));
                step(&mut state, &rows, false);
                show(&state);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_state(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 20)) {
        for spec in specs() {
            for bytes in &all {
                if let Ok(state) = read(&spec, bytes) {
                    show(&sum(&state, &state));
                }
            }
        }
    }
}

#[test]
fn nothing_learnt_takes_next_to_no_bytes() {
    for spec in specs() {
        let state = AggregateState::new(&spec, &context(), Source::Events);
        let written = bytes(&state);
        assert!(written.len() <= 7, "{spec:?}: {written:?}");
        assert_eq!(show(&read(&spec, &written).unwrap()), show(&state));
    }
}

#[test]
fn a_few_bytes_do_not_become_many() {
    // As many groups, buckets, rows, values, hashes as bytes can claim.
    let claims = [[0xff; 9].as_slice(), &[0xff, 0xff, 0xff, 0x7f], &[0x7f]];
    for spec in specs() {
        for claim in claims {
            for before in 0..6 {
                let mut bytes = vec![0; before];
                bytes.extend_from_slice(claim);
                bytes.extend_from_slice(&[0x01, 0x00, 0x00]);
                if let Ok(state) = read(&spec, &bytes) {
                    assert!(state.bytes() < 1 << 16, "{spec:?}");
                }
            }
        }
    }
}
