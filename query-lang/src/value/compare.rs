//! Comparison in filters, and the operators of expressions with their rules for missing values.

use super::{Number, Value, ValueRef};

/// `==` of expressions on present values (and `=` of filters but for exponents, see [`equal_to_literal`]): the texts are equal, or both are numbers and those
/// are equal (`1`, `1.0` and `1e0` are equal; `1` and `one` are not).
#[inline]
#[must_use]
pub fn equal(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Text(a), ValueRef::Text(b)) if a == b => true,
        (ValueRef::Int(a), ValueRef::Int(b)) => a == b,
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a == b,
            // Doubles that are no numbers (`NaN`) are still text.
            (None, None) => a.text() == b.text(),
            _ => false,
        },
    }
}

/// `=` of filters with a literal: the texts are equal, or both are numbers, `value` is written without an exponent,
/// and they are equal. So `f=100` is met by `100.0` and not by `1e2`: whatever meets a number contains its digits,
/// which is what an index looks for.
#[inline]
#[must_use]
pub fn equal_to_literal(value: &str, literal: &str, literal_number: Option<Number>) -> bool {
    if value == literal {
        return true;
    }
    let plain = || {
        matches!(value.as_bytes().first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.'))
            && !value.bytes().any(|byte| matches!(byte, b'e' | b'E'))
    };
    literal_number.is_some_and(|number| plain() && Number::parse(value) == Some(number))
}

/// An ordering test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Relation {
    /// Whether `a` stands in this relation to `b`.
    #[inline]
    #[must_use]
    pub fn holds(self, a: Number, b: Number) -> bool {
        match self {
            Relation::Less => a < b,
            Relation::LessEqual => a <= b,
            Relation::Greater => a > b,
            Relation::GreaterEqual => a >= b,
        }
    }

    /// The integers of 64 bits that stand in this relation to `bound`.
    #[must_use]
    pub fn integers(self, bound: i64) -> std::ops::RangeInclusive<i64> {
        let (least, greatest) = match self {
            Relation::Less => (Some(i64::MIN), bound.checked_sub(1)),
            Relation::LessEqual => (Some(i64::MIN), Some(bound)),
            Relation::Greater => (bound.checked_add(1), Some(i64::MAX)),
            Relation::GreaterEqual => (Some(bound), Some(i64::MAX)),
        };
        match (least, greatest) {
            (Some(least), Some(greatest)) => least..=greatest,
            // Beyond the last of them: none.
            _ => std::ops::RangeInclusive::new(i64::MAX, i64::MIN),
        }
    }

    /// `field < bound` of filters: missing and non-numeric values fail.
    #[inline]
    #[must_use]
    pub fn test(self, value: Option<ValueRef<'_>>, bound: Number) -> bool {
        value.and_then(ValueRef::number).is_some_and(|value| self.holds(value, bound))
    }

    /// `a < b` of expressions: nothing unless both are numbers.
    #[must_use]
    pub fn apply(self, a: Option<ValueRef<'_>>, b: Option<ValueRef<'_>>) -> Option<bool> {
        Some(self.holds(a?.number()?, b?.number()?))
    }
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl Arithmetic {
    /// `a + b` of expressions: nothing unless both are numbers and the result is one.
    #[must_use]
    pub fn apply(self, a: Option<ValueRef<'_>>, b: Option<ValueRef<'_>>) -> Option<Value> {
        let (a, b) = (a?.number()?, b?.number()?);
        let result = match self {
            Arithmetic::Add => a.add(b),
            Arithmetic::Subtract => a.subtract(b),
            Arithmetic::Multiply => a.multiply(b),
            Arithmetic::Divide => a.divide(b),
            Arithmetic::Remainder => a.remainder(b),
        };
        result.map(Number::to_value)
    }
}

/// `a == b` of expressions: nothing when a side is missing.
#[must_use]
pub fn equals(a: Option<ValueRef<'_>>, b: Option<ValueRef<'_>>) -> Option<bool> {
    Some(equal(a?, b?))
}

/// `-a` of expressions.
#[must_use]
pub fn negate(a: Option<ValueRef<'_>>) -> Option<Value> {
    a?.number().map(|number| number.negate().to_value())
}

/// `!a` of expressions: nothing unless `a` is a boolean or a number.
#[must_use]
pub fn not(a: Option<ValueRef<'_>>) -> Option<bool> {
    a.and_then(truth).map(|truth| !truth)
}

/// What a value says as a condition: `true`, `false`, or a number (zero is false). Anything else says nothing, and
/// `test`, `if` and `array:filter` take nothing as false.
#[must_use]
pub fn truth(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Text("true") => Some(true),
        ValueRef::Text("false") => Some(false),
        other => other.number().map(|number| !number.is_zero()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<ValueRef<'_>> {
        Some(ValueRef::Text(text))
    }

    #[test]
    fn integers_in_a_relation_are_those_that_pass() {
        let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, 500, i64::MAX - 1, i64::MAX];
        for relation in [Relation::Less, Relation::LessEqual, Relation::Greater, Relation::GreaterEqual] {
            for (bound, value) in edges.iter().flat_map(|bound| edges.map(|value| (*bound, value))) {
                let passes = relation.test(Some(ValueRef::Int(value)), Number::Int(bound));
                assert_eq!(relation.integers(bound).contains(&value), passes, "{value} {relation:?} {bound}");
            }
        }
    }

    #[test]
    fn equality_is_of_text_or_of_numbers() {
        for (a, b, same) in [
            ("a", "a", true),
            ("a", "A", false),
            ("", "", true),
            ("", "0", false),
            ("404", "404.0", true),
            ("1e2", "100", true),
            ("1", "one", false),
            ("9007199254740993", "9007199254740992", false),
            ("0.1", "0.10000000000000001", false),
            ("1.", "1", true),
        ] {
            assert_eq!(equal(ValueRef::Text(a), ValueRef::Text(b)), same, "{a} = {b}");
            assert_eq!(equals(text(a), text(b)), Some(same));
        }
        assert!(equal(ValueRef::Int(5), ValueRef::Text("5.0")));
        assert!(equal(ValueRef::Float(0.5), ValueRef::Text(".5")));
        assert!(equal(ValueRef::Float(f64::NAN), ValueRef::Text("NaN")));
        assert!(!equal(ValueRef::Float(f64::NAN), ValueRef::Int(0)));
        assert_eq!(equals(None, text("x")), None);
    }

    #[test]
    fn filters_compare_plain_numbers() {
        for (value, literal, same) in [
            ("100", "100", true),
            ("100.0", "100", true),
            ("+100", "100", true),
            ("1e2", "100", false),
            ("1e2", "1e2", true),
            ("100", "1e2", true),
            ("x", "x", true),
            ("x", "y", false),
        ] {
            assert_eq!(equal_to_literal(value, literal, Number::parse(literal)), same, "{value} = {literal}");
        }
    }

    #[test]
    fn ordering_needs_numbers() {
        let ten = Number::Int(10);
        for (value, less) in [
            (text("9"), true),
            (text("10"), false),
            (text("9.99"), true),
            (text("abc"), false),
            (text(""), false),
            (None, false),
        ] {
            assert_eq!(Relation::Less.test(value, ten), less, "{value:?}");
        }
        assert_eq!(Relation::GreaterEqual.apply(text("10"), text("1e1")), Some(true));
        assert_eq!(Relation::GreaterEqual.apply(text("b"), text("a")), None);
        assert_eq!(Relation::LessEqual.apply(None, text("1")), None);
        assert_eq!(Relation::Greater.apply(text("2"), text("10")), Some(false));
    }

    #[test]
    fn expressions_yield_nothing_for_what_is_no_number() {
        let shown = |value: Option<Value>| value.map(|value| value.borrow().text().into_owned());
        assert_eq!(shown(Arithmetic::Add.apply(text("1.5"), text("2"))).as_deref(), Some("3.5"));
        assert_eq!(shown(Arithmetic::Divide.apply(text("4"), text("8"))).as_deref(), Some("0.5"));
        assert_eq!(shown(Arithmetic::Divide.apply(text("4"), text("0"))), None);
        assert_eq!(shown(Arithmetic::Add.apply(text("a"), text("2"))), None);
        assert_eq!(shown(Arithmetic::Multiply.apply(None, text("2"))), None);
        assert_eq!(shown(negate(text("1.5"))).as_deref(), Some("-1.5"));
        assert_eq!(shown(negate(text("x"))), None);
        assert_eq!(
            (not(text("true")), not(text("0")), not(text("x")), not(None)),
            (Some(false), Some(true), None, None)
        );
        assert_eq!(truth(ValueRef::Text("True")), None, "only the exact words");
    }
}
