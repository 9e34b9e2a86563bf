//! Draws with the skew of real logs: a few names cover most lines, latencies have a long tail.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A seeded source of draws.
#[derive(Debug)]
pub(super) struct Draw {
    rng: fastrand::Rng,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Draw {
        Draw { rng: fastrand::Rng::with_seed(seed) }
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.rng.u64(0..bound) }
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `per_mille` of 1,000 draws.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `of`, the earlier ones more often: the n-th comes about n times less often than the first.
    pub(super) fn skewed<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let at = self.skewed_below(of.len() as u64);
        of.get(usize::try_from(at).unwrap_or(0)).copied().unwrap_or("")
    }

    /// A number below `bound`, small ones more often (log-uniform: the n-th about n times less often).
    pub(super) fn skewed_below(&mut self, bound: u64) -> u64 {
        let span = (bound as f64 + 1.0).ln();
        let at = (self.rng.f64() * span).exp() - 1.0;
        (at as u64).min(bound.saturating_sub(1))
    }

    /// A latency around `median`, log-normal with a long tail, in the unit of `median`.
    pub(super) fn latency(&mut self, median: f64) -> u64 {
        // The sum of twelve uniform draws less six is near enough to a normal draw, and the same everywhere.
        let normal: f64 = (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0;
        (median * (normal * 0.9).exp()) as u64
    }

    /// Appends `digits` hexadecimal digits, lower case.
    pub(super) fn hex(&mut self, digits: usize, out: &mut Vec<u8>) {
        let mut left = digits;
        while left > 0 {
            let text = format!("{:016x}", self.rng.u64(..));
            let take = left.min(16);
            out.extend_from_slice(text.as_bytes().get(..take).unwrap_or_default());
            left -= take;
        }
    }

    /// An IPv4 address, some networks more often than others.
    pub(super) fn address(&mut self) -> String {
        let network = self.skewed_below(200);
        let (third, last) = (self.skewed_below(250), self.between(1, 254));
        format!("{}.{}.{third}.{last}", 11 + network, (network * 37) % 251)
    }
}

/// The time `nanos` in UTC, by a `strftime` format.
pub(super) fn time(nanos: i64, format: &str) -> String {
    let at = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// Appends `2026-01-01T00:00:00.123456Z`: by hand, because every line has one.
pub(super) fn rfc3339(nanos: i64, out: &mut Vec<u8>) {
    let micros = nanos.rem_euclid(1_000_000_000) / 1_000;
    let (days, seconds) =
        (nanos.div_euclid(86_400_000_000_000), nanos.div_euclid(1_000_000_000).rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
    out.extend_from_slice(text.as_bytes());
}

/// Year, month and day of a day number since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_times_equal_the_library() {
        for day in -800..40_000_i64 {
            let nanos = day * 86_400_000_000_000 + day * 1_234_567_000;
            let mut quick = Vec::new();
            rfc3339(nanos, &mut quick);
            assert_eq!(String::from_utf8(quick).unwrap(), time(nanos, "%Y-%m-%dT%H:%M:%S.%6fZ"));
        }
    }
}
