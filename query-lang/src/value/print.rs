//! The text of a number: the shortest that reads back as the same number, never with a trailing `.0`.
//!
//! Doubles from 1e-6 up to (not including) 1e21 are written in plain digits, others as `1.5e300`, `1e-7`.

use std::fmt::Write;

use super::number::short_decimal;

/// Doubles at or above this are written with an exponent.
const PLAIN_BELOW: f64 = 1e21;
/// Doubles below this are written with an exponent.
const PLAIN_FROM: f64 = 1e-6;

/// Appends the decimal form of `value`.
#[inline]
pub fn write_int(value: i64, out: &mut String) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    while at > 0 {
        at -= 1;
        if let Some(slot) = digits.get_mut(at) {
            *slot = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    // Digits are ASCII, so the lookup never misses.
    out.push_str(digits.get(at..).and_then(|used| std::str::from_utf8(used).ok()).unwrap_or_default());
}

/// Appends the shortest form that reads back as `value`.
pub fn write_float(value: f64, out: &mut String) {
    let is_plain = (PLAIN_FROM..PLAIN_BELOW).contains(&value.abs());
    // Writing to a String cannot fail.
    let _ = if value == 0.0 {
        out.push('0');
        Ok(())
    } else if let (true, Some((digits, scale))) = (is_plain, short_decimal(value)) {
        write_short(digits, scale, out);
        Ok(())
    } else if value.is_finite() && !is_plain {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    };
}

/// Appends `digits / 10^scale`.
fn write_short(digits: i64, scale: u8, out: &mut String) {
    if scale == 0 {
        return write_int(digits, out);
    }
    if digits < 0 {
        out.push('-');
    }
    let unit = 10_u64.pow(u32::from(scale));
    write_int((digits.unsigned_abs() / unit) as i64, out);
    out.push('.');
    let mut fraction = digits.unsigned_abs() % unit;
    let mut place = unit / 10;
    while place > 0 {
        out.push(char::from(b'0' + (fraction / place) as u8));
        fraction %= place;
        place /= 10;
    }
}

/// Appends `digits / 10^scale` in plain digits.
pub fn write_decimal(digits: i128, scale: u8, out: &mut String) {
    let text = digits.unsigned_abs().to_string();
    if digits < 0 {
        out.push('-');
    }
    let scale = usize::from(scale);
    if scale == 0 {
        out.push_str(&text);
    } else if text.len() > scale {
        let (whole, fraction) = text.split_at(text.len() - scale);
        let _ = write!(out, "{whole}.{fraction}");
    } else {
        let _ = write!(out, "0.{text:0>scale$}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_decimals_print_as_the_library_does(digits in -20_000_000_000_000_000_i64.., scale in 0_i32..26) {
            let value = digits as f64 / 10_f64.powi(scale);
            let mut out = String::new();
            write_float(value, &mut out);
            let is_plain = value == 0.0 || (PLAIN_FROM..PLAIN_BELOW).contains(&value.abs());
            prop_assert_eq!(out, if is_plain { format!("{value}") } else { format!("{value:e}") });
        }
    }

    #[test]
    fn numbers_print_shortest() {
        for (value, text) in [
            (5.0, "5"),
            (5.5, "5.5"),
            (-0.0, "0"),
            (18_410.014_084_507_042, "18410.014084507042"),
            (0.1, "0.1"),
            (1e21, "1e21"),
            (1e20, "100000000000000000000"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (1.74e100, "1.74e100"),
        ] {
            let mut out = String::new();
            write_float(value, &mut out);
            assert_eq!(out, text);
        }
        for (value, text) in
            [(0, "0"), (-7, "-7"), (i64::MAX, "9223372036854775807"), (i64::MIN, "-9223372036854775808")]
        {
            let mut out = String::new();
            write_int(value, &mut out);
            assert_eq!(out, text);
        }
        for (digits, scale, text) in [
            (15, 1, "1.5"),
            (-15, 3, "-0.015"),
            (7, 0, "7"),
            (1, 38, "0.00000000000000000000000000000000000001"),
        ] {
            let mut out = String::new();
            write_decimal(digits, scale, &mut out);
            assert_eq!(out, text);
        }
    }
}
