//! `round` and `math:*`: functions of one number, and the angle of two. What is no number, or has no finite answer, gives nothing.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::{Number, ValueRef};

const fn of_one(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Row(build), doc }
}

macro_rules! field_as {
    ($as:literal) => {
        &[Parameter::required("field", Kind::Text), Parameter::with_default("as", Kind::Text, $as)]
    };
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    of_one(
        "round",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("how", Kind::Choice(&["round", "floor", "ceil"]), "round"),
            Parameter::optional("as", Kind::Text),
        ],
        "Rounds to an integer: halves up, or always down or up.",
    ),
    of_one("math:abs", field_as!("_abs"), "The absolute value."),
    of_one("math:ceil", field_as!("_ceil"), "The least integer not below."),
    of_one("math:floor", field_as!("_floor"), "The greatest integer not above."),
    of_one("math:log", field_as!("_log"), "The natural logarithm."),
    of_one("math:log2", field_as!("_log2"), "The logarithm to base 2."),
    of_one("math:log10", field_as!("_log10"), "The logarithm to base 10."),
    of_one("math:log1p", field_as!("_log1p"), "The natural logarithm of one more."),
    of_one("math:exp", field_as!("_exp"), "e to the power."),
    of_one("math:expm1", field_as!("_expm1"), "One less than e to the power."),
    of_one("math:sqrt", field_as!("_sqrt"), "The square root."),
    of_one("math:sin", field_as!("_sin"), "The sine of radians."),
    of_one("math:cos", field_as!("_cos"), "The cosine of radians."),
    of_one("math:tan", field_as!("_tan"), "The tangent of radians."),
    of_one("math:arcsin", field_as!("_arcsin"), "The arc sine in radians."),
    of_one("math:arccos", field_as!("_arccos"), "The arc cosine in radians."),
    of_one("math:arctan", field_as!("_arctan"), "The arc tangent in radians."),
    Signature {
        name: "math:arctan2",
        aliases: &[],
        parameters: &[
            Parameter::required("x", Kind::Text),
            Parameter::required("y", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_arctan2"),
        ],
        build: Build::Row(build_angle),
        doc: "The angle of the point x, y in radians.",
    },
    of_one("math:sinh", field_as!("_sinh"), "The hyperbolic sine."),
    of_one("math:cosh", field_as!("_cosh"), "The hyperbolic cosine."),
    of_one("math:tanh", field_as!("_tanh"), "The hyperbolic tangent."),
    of_one("math:deg2rad", field_as!("_deg2rad"), "Degrees in radians."),
    of_one("math:rad2deg", field_as!("_rad2deg"), "Radians in degrees."),
    of_one(
        "math:pow",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::required("exponent", Kind::Number).aliased(&["exp", "power"]),
            Parameter::with_default("as", Kind::Text, "_pow"),
        ],
        "The field to a power.",
    ),
    of_one(
        "math:mod",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::required("divisor", Kind::Number).aliased(&["mod", "modulus"]),
            Parameter::with_default("as", Kind::Text, "_mod"),
        ],
        "The remainder of a division, with the sign of the field.",
    ),
];

/// `math:arctan2`: the angle of a point.
#[derive(Debug)]
pub struct Angle {
    x: Arc<str>,
    y: Arc<str>,
    output: Arc<str>,
}

fn build_angle(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Angle(Angle {
        x: arguments.text_or_empty("x"),
        y: arguments.text_or_empty("y"),
        output: arguments.text_or_empty("as"),
    }))
}

impl Angle {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>) -> Result<(), StepError> {
        let (x, y) = (view.column(&self.x)?, view.column(&self.y)?);
        let mut out = ColumnBuilder::default();
        for row in view.selection().iter() {
            let number = |column: &Column| Some(column.get(row)?.number()?.to_f64());
            let angle = number(&x).zip(number(&y)).and_then(|(x, y)| Number::from_f64(y.atan2(x)));
            if let Some(angle) = angle {
                out.pad(row);
                out.push(Some(angle.to_value().borrow()));
            }
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        // Where there is no answer, what was there stays.
        [&self.x, &self.y, &self.output].into_iter().for_each(|field| touches.read(field));
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

/// A function of one number.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// To the nearest integer, halves up.
    Round,
    /// To the greatest integer not above.
    Floor,
    /// To the least integer not below.
    Ceil,
    /// Without its sign.
    Abs,
    /// In doubles.
    Double(fn(f64) -> f64),
    /// To a power, in doubles.
    Power(f64),
    /// The remainder of a division, exact.
    Remainder(Number),
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let operation = match arguments.signature().name {
        "round" => match arguments.text_or_empty("how").as_ref() {
            "floor" => Operation::Floor,
            "ceil" => Operation::Ceil,
            _ => Operation::Round,
        },
        "math:abs" => Operation::Abs,
        "math:ceil" => Operation::Ceil,
        "math:floor" => Operation::Floor,
        "math:log" => Operation::Double(f64::ln),
        "math:log2" => Operation::Double(f64::log2),
        "math:log10" => Operation::Double(f64::log10),
        "math:log1p" => Operation::Double(f64::ln_1p),
        "math:exp" => Operation::Double(f64::exp),
        "math:expm1" => Operation::Double(f64::exp_m1),
        "math:sqrt" => Operation::Double(f64::sqrt),
        "math:sin" => Operation::Double(f64::sin),
        "math:cos" => Operation::Double(f64::cos),
        "math:tan" => Operation::Double(f64::tan),
        "math:arcsin" => Operation::Double(f64::asin),
        "math:arccos" => Operation::Double(f64::acos),
        "math:arctan" => Operation::Double(f64::atan),
        "math:sinh" => Operation::Double(f64::sinh),
        "math:cosh" => Operation::Double(f64::cosh),
        "math:tanh" => Operation::Double(f64::tanh),
        "math:deg2rad" => Operation::Double(f64::to_radians),
        "math:rad2deg" => Operation::Double(f64::to_degrees),
        "math:pow" => Operation::Power(arguments.number("exponent").unwrap_or(1.0)),
        _ => {
            let divisor = arguments.number("divisor").and_then(Number::from_f64).unwrap_or(Number::Int(0));
            if divisor.is_zero() {
                return Err(arguments.fault("divisor", "the divisor is zero"));
            }
            Operation::Remainder(divisor)
        }
    };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Math(operation))))
}

impl Operation {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(self, value: ValueRef<'_>, out: &mut ColumnBuilder) {
        if let Some(answer) = value.number().and_then(|number| self.apply(number)) {
            out.push(Some(answer.to_value().borrow()));
        }
    }

    /// The answer for `number`; none where there is no finite one.
    #[must_use]
    pub fn apply(self, number: Number) -> Option<Number> {
        match self {
            Operation::Floor => Some(floor(number)),
            Operation::Ceil => Some(floor(number.negate()).negate()),
            // Half up is the floor of one half more.
            Operation::Round => number.add(Number::from_decimal(5, 1)).map(floor),
            Operation::Abs => Some(if number.is_negative() { number.negate() } else { number }),
            Operation::Double(function) => Number::from_f64(function(number.to_f64())),
            Operation::Power(exponent) => Number::from_f64(number.to_f64().powf(exponent)),
            Operation::Remainder(divisor) => number.remainder(divisor),
        }
    }
}

fn floor(number: Number) -> Number {
    match number {
        Number::Int(_) => number,
        Number::Decimal { digits, scale } => {
            Number::from_decimal(digits.div_euclid(10_i128.pow(u32::from(scale))), 0)
        }
        // Doubles outside the exact numbers are integers already, or next to zero.
        Number::Float(value) => Number::from_f64(value.floor()).unwrap_or(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(operation: Operation, text: &str) -> Option<String> {
        let mut out = ColumnBuilder::default();
        operation.write(ValueRef::Text(text), &mut out);
        out.finish().get(0).map(|value| value.text().into_owned())
    }

    #[test]
    fn answers_and_their_absence() {
        use Operation::*;
        for (operation, text, told) in [
            (Round, "2.5", Some("3")),
            (Round, "-2.5", Some("-2")),
            (Round, "2.4999999999999999999", Some("2")),
            (Round, "7", Some("7")),
            (Round, "1e300", Some("1e300")),
            (Round, "1e-300", Some("0")),
            (Floor, "-0.1", Some("-1")),
            (Floor, "-1e-300", Some("-1")),
            (Ceil, "0.1", Some("1")),
            (Ceil, "-0.9", Some("0")),
            (Abs, "-9223372036854775808", Some("9223372036854775808")),
            (Abs, "-1.50", Some("1.5")),
            (Double(f64::sqrt), "16", Some("4")),
            (Double(f64::sqrt), "-1", None),
            (Double(f64::ln), "0", None),
            (Power(2.0), "1.5", Some("2.25")),
            (Power(1000.0), "10", None),
            (Remainder(Number::Int(3)), "-7.5", Some("-1.5")),
            (Round, "x", None),
            (Round, "", None),
            (Round, "12 ", None),
        ] {
            assert_eq!(shown(operation, text).as_deref(), told, "{operation:?} {text}");
        }
    }
}
