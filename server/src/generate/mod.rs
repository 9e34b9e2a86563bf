//! Seeded data sets: the same seed gives the same bytes, on every machine.
//!
//! They feed the demo, the benches and the comparison run, and `weir generate` writes them for anyone. A line is
//! one event; times advance evenly at the chosen rate with a little jitter, and never go back.

mod access;
mod application;
mod draw;
mod kubernetes;
mod syslog;
mod windows;

pub use application::SERVICES;

use draw::Draw;

/// A kind of data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dataset {
    /// JSON events of a web shop's services, about 286 bytes each.
    Application,
    /// Access log lines in combined format.
    Access,
    /// Syslog lines (RFC 3164) of several daemons.
    Syslog,
    /// JSON container log lines with Kubernetes metadata.
    Kubernetes,
    /// Wide JSON: Windows events with dozens of fields and a message of many lines, about 1,800 bytes each.
    Windows,
    /// The application events, each from one of a million devices (`host`).
    Devices,
}

/// Draws the lines of one data set in order.
#[derive(Debug)]
pub struct Generator {
    dataset: Dataset,
    draw: Draw,
    nanos: i64,
    step_nanos: i64,
    count: u64,
}

impl Generator {
    /// Lines of `dataset` from `start_nanos` (since the epoch, UTC) on, `events_per_second` of them a second of
    /// event time. At least one event a second; at most a thousand million.
    #[must_use]
    pub fn new(dataset: Dataset, seed: u64, start_nanos: i64, events_per_second: u32) -> Generator {
        let step_nanos = 1_000_000_000 / i64::from(events_per_second.clamp(1, 1_000_000_000));
        Generator { dataset, draw: Draw::new(seed), nanos: start_nanos, step_nanos, count: 0 }
    }

    /// Appends the next line, its line feed included, and returns its time in nanoseconds.
    pub fn line(&mut self, out: &mut Vec<u8>) -> i64 {
        let jitter = self.draw.below(self.step_nanos.max(2).unsigned_abs() / 2);
        let nanos = self.nanos + i64::try_from(jitter).unwrap_or(0);
        self.line_at(nanos, out);
        self.nanos += self.step_nanos;
        nanos
    }

    /// Appends a line for the time `nanos`, its line feed included.
    pub fn line_at(&mut self, nanos: i64, out: &mut Vec<u8>) {
        self.count += 1;
        match self.dataset {
            Dataset::Application => application::line(&mut self.draw, nanos, self.count, false, out),
            Dataset::Access => access::line(&mut self.draw, nanos, out),
            Dataset::Syslog => syslog::line(&mut self.draw, nanos, out),
            Dataset::Kubernetes => kubernetes::line(&mut self.draw, nanos, out),
            Dataset::Windows => windows::line(&mut self.draw, nanos, self.count, out),
            Dataset::Devices => application::line(&mut self.draw, nanos, self.count, true, out),
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dataset; 6] = [
        Dataset::Application,
        Dataset::Access,
        Dataset::Syslog,
        Dataset::Kubernetes,
        Dataset::Windows,
        Dataset::Devices,
    ];

    fn lines(dataset: Dataset, seed: u64, count: usize) -> Vec<u8> {
        let mut generator = Generator::new(dataset, seed, 1_767_225_600_000_000_000, 1_000);
        let mut out = Vec::new();
        for _ in 0..count {
            generator.line(&mut out);
        }
        out
    }

    #[test]
    fn a_seed_decides_every_byte() {
        for dataset in ALL {
            assert_eq!(lines(dataset, 7, 500), lines(dataset, 7, 500), "{dataset:?}");
            assert_ne!(lines(dataset, 7, 500), lines(dataset, 8, 500), "{dataset:?}");
        }
    }

    #[test]
    fn json_lines_are_objects_of_the_promised_size() {
        for dataset in [Dataset::Application, Dataset::Kubernetes, Dataset::Windows, Dataset::Devices] {
            let text = String::from_utf8(lines(dataset, 1, 2_000)).unwrap();
            for line in text.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(value.get("@timestamp").is_some(), "{line}");
            }
            if dataset == Dataset::Application {
                let mean = text.len() / 2_000;
                assert!((276..=296).contains(&mean), "mean line of {mean} bytes");
            }
        }
    }

    #[test]
    fn time_never_goes_back() {
        let mut generator = Generator::new(Dataset::Application, 3, 0, 50_000);
        let times: Vec<i64> = (0..5_000).map(|_| generator.line(&mut Vec::new())).collect();
        assert!(times.is_sorted());
    }
}
