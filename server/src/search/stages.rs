//! The part of a query before its first aggregate.

use weir_query::compile::{Ending, Options};
use weir_query::parser::parse_strict;
use weir_query::program::{OutputKind, Program};

/// The longest leading part of `text`, whole steps only, whose rows are events: what a histogram counts and what
/// clients are shown as the filter. `*` where no step is left.
///
/// What an aggregate is, the language alone knows; so parts are compiled until one gives events.
#[must_use]
pub fn filter_part(text: &str, options: &Options) -> String {
    let all = "*".to_owned();
    let Ok(query) = parse_strict(text) else { return all };
    let steps = &query.pipeline.steps;
    let options = Options { ending: Ending::Stream, ..options.clone() };
    for kept in (1..=steps.len()).rev() {
        let Some(end) = steps.get(kept - 1).map(|step| step.span.end as usize) else { continue };
        let Some(part) = text.get(..end) else { continue };
        if Program::compile(part, &options).is_ok_and(|program| program.output_kind() == OutputKind::Events) {
            return part.to_owned();
        }
    }
    all
}
