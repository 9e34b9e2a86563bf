//! `sankey` and `worldMap`: groups with the columns that those who draw them look for.

use std::sync::Arc;

use crate::functions::{Argument, Arguments};
use crate::plan::lower::Lowering;
use crate::plan::{AggregatePipeline, Call, Filter, Step, Test};

/// The most groups either has.
const MAX_GROUPS: i64 = 1_000_000;
/// Where `worldMap` puts where an address is.
const PLACE: &str = "_place";

impl Lowering<'_> {
    /// `sankey`: a row a pair of `source` and `target`, with its `weight`.
    pub(super) fn sankey(&mut self, call: &Call, out: &mut Vec<Step>) {
        let arguments = &call.arguments;
        let ends = ["source", "target"].map(|end| arguments.text_or_empty(end));
        let weight = arguments.aggregates("weight").to_vec();
        let mut names: Vec<(Arc<str>, &str)> = ends.iter().cloned().zip(["source", "target"]).collect();
        names.push((output(&weight), "weight"));
        self.grouped(arguments, ends.to_vec(), weight, &names, out);
    }

    /// `worldMap`: a row a cell of the map, with its middle and its `magnitude`.
    pub(super) fn world_map(&mut self, call: &Call, out: &mut Vec<Step>) {
        let arguments = &call.arguments;
        let (lat, lon): (Arc<str>, Arc<str>) =
            match (arguments.text("ip"), arguments.text("lat"), arguments.text("lon")) {
                (Some(ip), None, None) => {
                    let given = vec![("field", Argument::Text(ip)), ("as", Argument::Text(PLACE.into()))];
                    out.extend(self.made("ipLocation", given, arguments.span));
                    (format!("{PLACE}.lat").into(), format!("{PLACE}.lon").into())
                }
                (None, Some(lat), Some(lon)) => (lat, lon),
                _ => {
                    return self.fault(
                        "argument",
                        "`worldMap` takes either `ip`, or `lat` and `lon`",
                        arguments.span,
                    );
                }
            };
        let cell: Arc<str> = "geohash".into();
        let precision = arguments.integer("precision").unwrap_or(4);
        let given = vec![
            ("lat", Argument::Text(Arc::clone(&lat))),
            ("lon", Argument::Text(Arc::clone(&lon))),
            ("precision", Argument::Integer(precision)),
            ("as", Argument::Text(Arc::clone(&cell))),
        ];
        out.extend(self.made("geohash", given, arguments.span));
        out.push(Step::Filter(Filter::Test { field: Arc::clone(&cell), test: Test::Present }));
        let mut functions = arguments.aggregates("magnitude").to_vec();
        let names = vec![(output(&functions), "magnitude")];
        for (field, name) in [(lat, "lat"), (lon, "lon")] {
            let given = vec![("field", Argument::Text(field)), ("as", Argument::Text(name.into()))];
            if let Some(Step::Call(call)) = self.made("avg", given, arguments.span) {
                functions.push(AggregatePipeline { before: Vec::new(), call, after: Vec::new() });
            }
        }
        self.grouped(arguments, vec![cell], functions, &names, out);
    }

    /// Groups whose columns get new names.
    fn grouped(
        &mut self,
        arguments: &Arguments,
        keys: Vec<Arc<str>>,
        functions: Vec<AggregatePipeline>,
        names: &[(Arc<str>, &str)],
        out: &mut Vec<Step>,
    ) {
        let group = vec![
            ("field", Argument::Texts(keys)),
            ("function", Argument::Aggregates(functions)),
            ("limit", Argument::Integer(MAX_GROUPS)),
        ];
        out.extend(self.made("groupBy", group, arguments.span));
        let pairs: Vec<Vec<Arc<str>>> = names
            .iter()
            .filter(|(from, to)| **from != **to)
            .map(|(from, to)| vec![Arc::clone(from), Arc::from(*to)])
            .collect();
        if !pairs.is_empty() {
            out.extend(self.made("rename", vec![("field", Argument::Pairs(pairs))], arguments.span));
        }
    }
}

/// The field that the first aggregate writes.
fn output(aggregates: &[AggregatePipeline]) -> Arc<str> {
    let Some(first) = aggregates.first() else { return "_count".into() };
    let arguments = &first.call.arguments;
    arguments.text("as").unwrap_or_else(|| format!("_{}", arguments.signature().name.to_lowercase()).into())
}
