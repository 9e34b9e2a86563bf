//! Answers in the shape of Prometheus' HTTP API: `{"status": "success", "data": …}`.

use std::collections::BTreeMap;

use super::{Labels, Sample};

/// A value as Prometheus writes it: never with an exponent.
pub(super) fn shown(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    match value.is_infinite() {
        true => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        false => value.to_string(),
    }
}

/// `[seconds, "value"]`
fn write_point(nanos: i64, value: f64, out: &mut Vec<u8>) {
    let millis = nanos.div_euclid(1_000_000);
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1_000, millis.unsigned_abs() % 1_000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    let fraction = fraction.trim_end_matches('0');
    out.extend_from_slice(format!("[{sign}{seconds}{fraction},\"{}\"]", shown(value)).as_bytes());
}

/// The answer around `data`.
#[must_use]
pub fn success(data: &[u8]) -> Vec<u8> {
    [b"{\"status\":\"success\",\"data\":", data, b"}"].concat()
}

/// The data of a number.
#[must_use]
pub fn scalar(nanos: i64, value: f64) -> Vec<u8> {
    let mut out = b"{\"resultType\":\"scalar\",\"result\":".to_vec();
    write_point(nanos, value, &mut out);
    out.push(b'}');
    out
}

/// The data of series at one time.
#[must_use]
pub fn vector(nanos: i64, samples: &[Sample]) -> Vec<u8> {
    let mut out = b"{\"resultType\":\"vector\",\"result\":[".to_vec();
    for (at, sample) in samples.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"metric\":" } else { b"{\"metric\":" });
        sample.labels.write_json(&mut out);
        out.extend_from_slice(b",\"value\":");
        write_point(nanos, sample.value, &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// The data of series over time.
#[must_use]
pub fn matrix(series: &BTreeMap<Labels, Vec<(i64, f64)>>) -> Vec<u8> {
    let mut out = b"{\"resultType\":\"matrix\",\"result\":[".to_vec();
    for (at, (labels, points)) in series.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"metric\":" } else { b"{\"metric\":" });
        labels.write_json(&mut out);
        out.extend_from_slice(b",\"values\":[");
        for (at, (nanos, value)) in points.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_point(*nanos, *value, &mut out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_times() {
        for (nanos, value, expected) in [
            (1_435_781_451_781_000_000, 1.0, r#"[1435781451.781,"1"]"#),
            (1_500_000_000, 0.5, r#"[1.5,"0.5"]"#),
            (-1_050_000_000, -0.0, r#"[-1.05,"-0"]"#),
            (0, 1e21, r#"[0,"1000000000000000000000"]"#),
            (1_999_999, f64::NAN, r#"[0.001,"NaN"]"#),
            (0, f64::NEG_INFINITY, r#"[0,"-Inf"]"#),
        ] {
            let mut out = Vec::new();
            write_point(nanos, value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
