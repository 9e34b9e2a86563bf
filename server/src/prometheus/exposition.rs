//! Series as Prometheus scrapes them: its text format, version 0.0.4.

use super::{Sample, answer};

/// Appends a metric: what it is, and a line for each series.
pub fn write_exposition(name: &str, query: &str, samples: &[Sample], out: &mut Vec<u8>) {
    let help = query.replace('\\', "\\\\").replace('\n', "\\n");
    out.extend_from_slice(format!("# HELP {name} {help}\n# TYPE {name} gauge\n").as_bytes());
    for sample in samples {
        out.extend_from_slice(name.as_bytes());
        let mut labels = sample.labels.iter().filter(|(label, _)| *label != super::labels::NAME).peekable();
        if labels.peek().is_some() {
            out.push(b'{');
            for (at, (label, value)) in labels.enumerate() {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let comma = if at > 0 { "," } else { "" };
                out.extend_from_slice(format!("{comma}{label}=\"{value}\"").as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(format!(" {}\n", answer::shown(sample.value)).as_bytes());
    }
}
