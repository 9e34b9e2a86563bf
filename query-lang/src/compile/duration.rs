//! Lengths of time as the language writes them: `5m`, `2 hours`, `1.5d`.

const SECOND: f64 = 1_000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// Milliseconds of `text`: a number and a unit, perhaps with a space between; a unit alone is one of it. `None` when
/// it is neither. Months are 30 days, quarters 90, years 365.
#[must_use]
pub fn millis(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number = if number.is_empty() { 1.0 } else { number.parse::<f64>().ok()? };
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7.0 * DAY,
        "mon" | "month" | "months" => 30.0 * DAY,
        "q" | "quarter" | "quarters" => 90.0 * DAY,
        "y" | "year" | "years" => 365.0 * DAY,
        _ => return None,
    };
    let millis = number * unit;
    (millis.is_finite() && millis < 1e17).then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn lengths_are_read() {
        for (text, expected) in [
            ("5m", Some(300_000)),
            ("2 hours", Some(7_200_000)),
            ("1.5s", Some(1_500)),
            ("day", Some(86_400_000)),
            ("250ms", Some(250)),
            ("1mon", Some(2_592_000_000)),
            ("5", None),
            ("x", None),
            ("", None),
            ("99999999999999999y", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
