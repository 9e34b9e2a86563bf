//! What was put into a column is what it has, in whichever form.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Option<Value>> {
    let edge = 1_i64 << 53;
    prop_oneof![
        1 => Just(None),
        3 => (-20..20_i64).prop_map(|value| Some(Value::Int(value))),
        1 => (edge - 2..edge + 3, any::<bool>()).prop_map(|(value, negative)| Some(Value::Int(if negative { -value } else { value }))),
        3 => (-2_000..2_000_i64).prop_map(|value| Some(Value::Float(value as f64 / 8.0))),
        1 => any::<f64>().prop_map(|value| Some(Value::Float(value))),
        1 => "[0-9x.]{0,3}".prop_map(|text| Some(Value::Text(text.into()))),
    ]
}

proptest! {
    #[test]
    fn a_column_has_the_texts_that_were_put_in(values in prop::collection::vec(value(), 0..30)) {
        let mut built = ColumnBuilder::default();
        values.iter().for_each(|value| built.push(value.as_ref().map(Value::borrow)));
        let column = built.finish();
        prop_assert_eq!(column.len(), values.len());
        for (row, value) in values.iter().enumerate() {
            let text = |value: ValueRef<'_>| value.text().into_owned();
            prop_assert_eq!(column.get(row).map(text), value.as_ref().map(|value| text(value.borrow())));
        }
    }
}

#[test]
fn numbers_stay_numbers_while_a_double_holds_them() {
    let edge = 1_i64 << 53;
    for (ints, float, is_number) in [
        (&[1, 2][..], 0.5, true),
        (&[edge, -edge], 0.5, true),
        (&[1, edge + 1], 0.5, false),
        (&[-edge - 1], 0.5, false),
    ] {
        for first in [true, false] {
            let mut built = ColumnBuilder::default();
            built.missing();
            if first {
                built.float(float);
            }
            ints.iter().for_each(|value| built.int(*value));
            built.float(float);
            assert_eq!(matches!(built.finish(), Column::Floats { .. }), is_number, "{ints:?}");
        }
    }
}
