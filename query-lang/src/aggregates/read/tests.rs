use proptest::prelude::*;

use super::*;

/// Slots and values of the rows that are of both selections, row by row.
fn slowly(
    values: &[i64],
    present: Option<&Selection>,
    within: &Selection,
    slots: &Slots<'_>,
) -> Vec<(u32, i64)> {
    let has = |row: &usize| present.is_none_or(|rows| rows.contains(*row));
    within.iter().filter(has).map(|row| (slots.of(row), values[row])).collect()
}

proptest! {
    #[test]
    fn rows_are_the_same_one_by_one_and_many_at_once(
        rows in prop::collection::vec((any::<i64>(), 0..4_u32, 0..10_u8, 0..10_u8), 1..900),
        whole in 0..900_usize,
        picked in prop_oneof![Just(0_u8), Just(1), Just(5), Just(10)],
        has in prop_oneof![Just(1_u8), Just(9), Just(10)],
    ) {
        let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let each: Vec<u32> = rows.iter().map(|row| if row.1 == 3 { NO_SLOT } else { row.1 }).collect();
        // From row `whole` on there are neither gaps nor rows left out.
        let within = Selection::from_fn(rows.len(), |row| row >= whole || rows[row].2 < picked);
        let present = Selection::from_fn(rows.len(), |row| row >= whole || rows[row].3 < has);
        for slots in [Slots::all_to(2, 3), Slots::each(&each, 3)] {
            for present in [None, Some(&present)] {
                for within in [&within, &Selection::all(rows.len())] {
                    let expected = slowly(&values, present, within, &slots);
                    let mut found = Vec::new();
                    fold(&values, 0, present, within, &slots, |slot, value| found.push((slot, value)));
                    prop_assert_eq!(&found, &expected);
                    found.clear();
                    stretches(&values, present, within, &slots, |slots, values| {
                        assert_eq!(slots.len(), values.len());
                        found.extend(slots.iter().copied().zip(values.iter().copied()));
                    });
                    // Rows that do not lie side by side come behind those that do.
                    found.sort_unstable();
                    let mut expected = expected;
                    expected.sort_unstable();
                    prop_assert_eq!(&found, &expected);
                }
            }
        }
    }
}
