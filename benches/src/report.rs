//! What a comparison found, as a table for people.

use std::fmt::Write;
use std::time::Duration;

use crate::queries::Target;

/// One line of the query table.
#[derive(Clone, Debug)]
pub struct QueryRow {
    /// The kind.
    pub name: &'static str,
    /// CPU time of the server, median.
    pub weir: Duration,
    /// CPU time of `rg -c` for the same, median.
    pub rg: Option<Duration>,
    /// Matches counted by both, or rows returned.
    pub count: String,
    /// The counts of both differ: a fault, whatever the time.
    pub wrong: bool,
    /// What it may cost at most.
    pub target: Option<Target>,
}

/// Everything measured on one corpus.
#[derive(Clone, Debug)]
pub struct Report {
    /// The corpus and its size.
    pub title: String,
    /// Plain facts, in order.
    pub facts: Vec<(String, String)>,
    /// CPU time of `rg -c` for the needle on the raw file: what all kinds are measured against.
    pub base: Duration,
    /// The kinds.
    pub queries: Vec<QueryRow>,
}

impl Report {
    /// The report in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n", self.title);
        for (name, value) in &self.facts {
            let _ = writeln!(out, "* {name}: {value}");
        }
        let base = millis(self.base);
        let _ = writeln!(
            out,
            "\n| query | weir, CPU ms | rg -c for the same, CPU ms | of it | of the base ({base} ms) | asked | count |"
        );
        out.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
        for row in &self.queries {
            let rg = row.rg.map_or_else(|| "-".to_owned(), millis);
            let own = row.rg.map_or_else(|| "-".to_owned(), |rg| ratio(row.weir, rg));
            let (base, wrong) = (ratio(row.weir, self.base), if row.wrong { " WRONG" } else { "" });
            let asked = self.asked(row);
            let _ = writeln!(
                out,
                "| {} | {} | {rg} | {own} | {base} | {asked} | {}{wrong} |",
                row.name,
                millis(row.weir),
                row.count
            );
        }
        out
    }

    /// What was asked of a row, and whether it is so.
    fn asked(&self, row: &QueryRow) -> String {
        let (most, of, against) = match (row.target, row.rg) {
            (Some(Target::OfBase(most)), _) => (most, self.base, "base"),
            (Some(Target::OfSame(most)), Some(rg)) => (most, rg, "same"),
            _ => return "-".to_owned(),
        };
        let reached = row.weir.as_secs_f64() <= most * of.as_secs_f64();
        format!("{most} of {against}{}", if reached { "" } else { ": missed" })
    }
}

/// Milliseconds with the digits that mean something.
#[must_use]
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}

/// `part` as a multiple of `whole`.
#[must_use]
pub fn ratio(part: Duration, whole: Duration) -> String {
    if whole.is_zero() {
        return "-".to_owned();
    }
    format!("{:.3}", part.as_secs_f64() / whole.as_secs_f64())
}
