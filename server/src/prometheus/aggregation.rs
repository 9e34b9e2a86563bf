//! What makes one series of many: `sum by (service) (errors)`.

use std::collections::BTreeMap;

use super::labels::Labels;
use super::vector::Sample;

/// What is computed of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    TopK,
    BottomK,
}

/// Which labels make a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Grouping {
    /// One group of all.
    #[default]
    All,
    /// Those with the same values of these labels.
    By(Vec<String>),
    /// Those with the same values of all labels but these.
    Without(Vec<String>),
}

impl Aggregation {
    /// Names of all.
    pub(super) const NAMES: &str = "sum, avg, min, max, count, topk, bottomk";

    /// The aggregation of a name, whose case means nothing.
    pub(super) fn of(name: &str) -> Option<Aggregation> {
        Some(match name.to_ascii_lowercase().as_str() {
            "sum" => Aggregation::Sum,
            "avg" => Aggregation::Avg,
            "min" => Aggregation::Min,
            "max" => Aggregation::Max,
            "count" => Aggregation::Count,
            "topk" => Aggregation::TopK,
            "bottomk" => Aggregation::BottomK,
            _ => return None,
        })
    }

    /// It wants a number before what it is of.
    pub(super) fn has_parameter(self) -> bool {
        matches!(self, Aggregation::TopK | Aggregation::BottomK)
    }

    /// The series of each group, in the order of their labels.
    pub(super) fn apply(self, parameter: f64, grouping: &Grouping, samples: Vec<Sample>) -> Vec<Sample> {
        let mut groups: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
        for sample in samples {
            groups.entry(grouping.of(&sample.labels)).or_default().push(sample);
        }
        groups.into_iter().flat_map(|(labels, members)| self.of_group(parameter, labels, members)).collect()
    }

    fn of_group(self, parameter: f64, labels: Labels, members: Vec<Sample>) -> Vec<Sample> {
        let values = || members.iter().map(|sample| sample.value);
        // A value that is no number counts only where there is nothing else.
        let extreme = |better: fn(f64, f64) -> bool| {
            values().reduce(|best, value| if best.is_nan() || better(value, best) { value } else { best })
        };
        let value = match self {
            Aggregation::TopK | Aggregation::BottomK => return self.ranked(parameter, members),
            Aggregation::Sum => values().sum(),
            Aggregation::Avg => values().sum::<f64>() / members.len() as f64,
            Aggregation::Min => extreme(|value, best| value < best).unwrap_or(f64::NAN),
            Aggregation::Max => extreme(|value, best| value > best).unwrap_or(f64::NAN),
            Aggregation::Count => members.len() as f64,
        };
        vec![Sample { labels, value }]
    }

    fn ranked(self, parameter: f64, mut members: Vec<Sample>) -> Vec<Sample> {
        let sign = if self == Aggregation::TopK { -1.0 } else { 1.0 };
        let rank = |sample: &Sample| (sample.value.is_nan(), sample.value * sign);
        members.sort_by(|one, other| {
            let ((one_nan, one), (other_nan, other)) = (rank(one), rank(other));
            one_nan.cmp(&other_nan).then(one.total_cmp(&other))
        });
        // Saturates: nothing of what is no positive number.
        members.truncate(parameter as usize);
        members
    }
}

impl Grouping {
    fn of(&self, labels: &Labels) -> Labels {
        match self {
            Grouping::All => Labels::default(),
            Grouping::By(names) => labels.filter(|label| names.iter().any(|name| name == label)),
            Grouping::Without(names) => {
                labels.without_name().filter(|label| !names.iter().any(|name| name == label))
            }
        }
    }
}
