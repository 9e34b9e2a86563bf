//! What an aggregate is to do: checked parameters, nothing of the query's text.

use std::sync::Arc;

use super::sequence::SequenceSpec;
use crate::machine::Context;
use crate::value::SortType;

/// Groups of one `groupBy` unless it says otherwise.
pub const GROUP_LIMIT_DEFAULT: usize = 20_000;
/// Groups of one `groupBy` with `limit=max`.
pub const GROUP_LIMIT_MAX: usize = 1_000_000;
/// Rows of `head`, `tail`, `sort` and `table` unless they say otherwise.
pub const ROW_LIMIT_DEFAULT: usize = 200;
/// Rows of `head`, `tail`, `sort` and `table` with `limit=max`.
pub const ROW_LIMIT_MAX: usize = 200_000;
/// Distinct values of one `collect` unless it says otherwise.
pub const COLLECT_LIMIT_DEFAULT: usize = 2_000;
/// Time buckets a chart may have.
pub const BUCKETS_MAX: usize = 1_500;
/// Time buckets a chart aims at unless it says otherwise.
pub const BUCKETS_DEFAULT: usize = 127;
/// Series of a chart unless it says otherwise.
pub const SERIES_DEFAULT: usize = 10;
/// Series of a chart at most.
pub const SERIES_MAX: usize = 500;
/// Keys of `top` unless it says otherwise.
pub const TOP_LIMIT_DEFAULT: usize = 10;

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateSpec {
    /// `count()`
    Count(CountSpec),
    /// `sum`, `avg`, `min`, `max`, `range`, `stdDev`, `variance`
    Number(NumberSpec),
    /// `percentile`
    Percentile(PercentileSpec),
    /// `linReg`
    LinReg(LinRegSpec),
    /// `counterAsRate`
    Rate(RateSpec),
    /// `series`
    Series(SeriesSpec),
    /// `session`
    Session(SessionSpec),
    /// `groupBy`
    GroupBy(GroupBySpec),
    /// `top`
    Top(TopSpec),
    /// `bucket`, `timeChart`
    Bucket(BucketSpec),
    /// `collect`
    Collect(CollectSpec),
    /// `selectLast`
    SelectLast(Vec<Arc<str>>),
    /// `selectFromMin`, `selectFromMax`
    SelectFrom(SelectFromSpec),
    /// `head`, `tail`, `sort`, `table`
    Rows(RowsSpec),
    /// `fieldstats`
    FieldStats {
        /// Fields told about at most, those in most events first.
        limit: usize,
    },
    /// `stats`, `[a(), b()]`: the product of what each gives, nothing counting as one row without fields. Of none:
    /// one row without fields.
    Product(Vec<AggregateSpec>),
    /// `{ filter | count() | transform }`: row steps and aggregates in turn, with at least one aggregate.
    Chain(Vec<Stage>),
}

/// One part of a [`AggregateSpec::Chain`].
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Row steps, kept by whoever runs them.
    Rows(PipelineId),
    /// An aggregate over what the stages before it give.
    Aggregate(AggregateSpec),
    /// A function over their rows, in order; never the first.
    Sequence(SequenceSpec),
}

/// Row steps of a composite argument: an index into the program's table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PipelineId(pub usize);

/// `count(field, distinct, as)`
#[derive(Clone, Debug, PartialEq)]
pub struct CountSpec {
    /// Only rows that have it; none: all rows.
    pub field: Option<Arc<str>>,
    /// The number of its distinct values instead.
    pub distinct: bool,
    /// The column written.
    pub output: Arc<str>,
}

/// What is computed from the numbers of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// Their sum; 0 of none.
    Sum,
    /// Their mean; no row of none, as for those below.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The greatest minus the least.
    Range,
    /// The standard deviation of the population.
    StdDev,
    /// The variance of the population.
    Variance,
}

/// `sum(field, as)` and its like.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberSpec {
    /// Which.
    pub kind: NumberKind,
    /// The field; missing and non-numeric values are skipped.
    pub field: Arc<str>,
    /// The column written.
    pub output: Arc<str>,
}

/// `percentile(field, percentiles, as, accuracy)`
#[derive(Clone, Debug, PartialEq)]
pub struct PercentileSpec {
    /// The field; missing, non-numeric and negative values are skipped.
    pub field: Arc<str>,
    /// Each percentile, 0 to 100, and the column written.
    pub outputs: Vec<(f64, Arc<str>)>,
    /// The relative error allowed, above 0 and below 1.
    pub accuracy: f64,
}

impl PercentileSpec {
    /// The column of percentile `p` for an `as` prefix (`_50`, `p_99.9`).
    #[must_use]
    pub fn column(prefix: Option<&str>, p: f64) -> Arc<str> {
        let mut name = format!("{}_", prefix.unwrap_or_default());
        crate::value::print::write_float(p, &mut name);
        name.into()
    }
}

/// `linReg(x, y, prefix)`
#[derive(Clone, Debug, PartialEq)]
pub struct LinRegSpec {
    /// The independent field.
    pub x: Arc<str>,
    /// The dependent field.
    pub y: Arc<str>,
    /// Before `_slope`, `_intercept`, `_r2` and `_n`; usually empty.
    pub prefix: Arc<str>,
}

/// `counterAsRate(field, as)`
#[derive(Clone, Debug, PartialEq)]
pub struct RateSpec {
    /// The counter; missing and non-numeric values are skipped.
    pub field: Arc<str>,
    /// The column written.
    pub output: Arc<str>,
}

/// `series(collect, startmatch, endmatch, maxpause, maxduration, separator, memlimit)`
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSpec {
    /// The fields whose values are put end to end.
    pub fields: Vec<Arc<str>>,
    /// What stands between them.
    pub separator: Arc<str>,
    /// The field that is `true` where a series starts; none: any row may start one.
    pub start: Option<Arc<str>>,
    /// The field that is `true` where a series ends.
    pub end: Option<Arc<str>>,
    /// The longest time from one row of a series to the next, milliseconds.
    pub max_pause_millis: Option<i64>,
    /// The longest time from its first row to its last, milliseconds.
    pub max_duration_millis: Option<i64>,
    /// The bytes of all values that are kept.
    pub max_bytes: usize,
}

/// `session(function, maxpause)`
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSpec {
    /// What is computed for each session.
    pub function: Box<AggregateSpec>,
    /// Rows that are farther apart are of two sessions, milliseconds.
    pub max_pause_millis: i64,
}

/// `window(function, buckets, span)` in a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// What is computed of each window.
    pub function: AggregateSpec,
    /// How long a window is.
    pub length: WindowLength,
}

/// How many buckets are in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowLength {
    /// So many.
    Buckets(usize),
    /// As many as come nearest to this, milliseconds.
    Millis(i64),
}

/// `groupBy(field, function, limit, other)`
#[derive(Clone, Debug, PartialEq)]
pub struct GroupBySpec {
    /// The key fields; rows that lack one are not counted.
    pub keys: Vec<Arc<str>>,
    /// What is computed for each group; several are a [`AggregateSpec::Product`].
    pub function: Box<AggregateSpec>,
    /// Groups in the result at most.
    pub limit: usize,
    /// What stands for the key in one more row, of all rows of groups beyond the limit; none: they are only counted.
    pub other: Option<Arc<str>>,
}

/// What `top` ranks by.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Rows.
    Count,
    /// The sum of a field.
    Sum(Arc<str>),
    /// The greatest of a field.
    Max(Arc<str>),
}

/// `top(field, limit, sum, max, as, percent, rest)`
#[derive(Clone, Debug, PartialEq)]
pub struct TopSpec {
    /// The key fields; rows that lack one are not counted.
    pub keys: Vec<Arc<str>>,
    /// Keys in the result at most.
    pub limit: usize,
    /// What they are ranked by.
    pub measure: Measure,
    /// The column of the measure.
    pub output: Arc<str>,
    /// Adds a column `percent` with the share of the total.
    pub percent: bool,
    /// Adds a row with what all other keys have, under this key.
    pub rest: Option<Arc<str>>,
}

/// How long time buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanSpec {
    /// As many as come near this number, over the queried range.
    Buckets(usize),
    /// This long, milliseconds; raised where the queried range would have more than [`BUCKETS_MAX`].
    Millis(i64),
}

/// `bucket(span, field, buckets, function, limit, minSpan, timezone)`, `timeChart(series, ...)`
#[derive(Clone, Debug, PartialEq)]
pub struct BucketSpec {
    /// How long buckets are.
    pub span: SpanSpec,
    /// Buckets are at least this long, milliseconds.
    pub min_span_millis: Option<i64>,
    /// The zone whose days and hours buckets begin with; none: the query's.
    pub timezone: Option<Arc<str>>,
    /// Series fields; may be empty. Rows that lack one are not counted.
    pub keys: Vec<Arc<str>>,
    /// Series in the result at most: those with the greatest totals.
    pub limit: usize,
    /// What is computed for each bucket and series.
    pub function: Box<AggregateSpec>,
    /// What is computed for each of them and those before it.
    pub windows: Vec<WindowSpec>,
    /// It is a `timeChart`, which the result's notes tell those who draw it.
    pub chart: bool,
}

/// `collect(fields, limit, multival, separator)`
#[derive(Clone, Debug, PartialEq)]
pub struct CollectSpec {
    /// The fields.
    pub fields: Vec<Arc<str>>,
    /// Distinct values of each kept at most, those seen in the oldest rows first.
    pub limit: usize,
    /// Between the values of a field; none: a row for each distinct combination of values.
    pub separator: Option<Arc<str>>,
}

/// `selectFromMax(field, include)`
#[derive(Clone, Debug, PartialEq)]
pub struct SelectFromSpec {
    /// The field whose extreme decides.
    pub field: Arc<str>,
    /// The greatest, not the least.
    pub max: bool,
    /// The fields taken.
    pub include: Vec<Arc<str>>,
}

/// `head`, `tail`, `sort`, `table`
#[derive(Clone, Debug, PartialEq)]
pub struct RowsSpec {
    /// Which rows come first.
    pub order: RowOrder,
    /// Rows kept at most.
    pub limit: usize,
    /// The columns kept, in order; none: all.
    pub fields: Option<Vec<Arc<str>>>,
}

/// Which rows come first.
#[derive(Clone, Debug, PartialEq)]
pub enum RowOrder {
    /// `head`: the oldest, oldest first.
    Oldest,
    /// `tail`: the newest, oldest first.
    Newest,
    /// The newest, newest first: what a query without an aggregate ends in.
    NewestFirst,
    /// By fields.
    By(Vec<SortField>),
}

/// A field sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortField {
    /// The field.
    pub field: Arc<str>,
    /// How its values are read.
    pub kind: SortType,
    /// Greatest first.
    pub descending: bool,
}

/// The fields an aggregate reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// By name.
    pub fields: Vec<Arc<str>>,
    /// Those of them that are looked at as numbers and nothing else.
    pub numbers: Vec<Arc<str>>,
    /// All there are.
    pub all: bool,
    /// The place of every row among events.
    pub order: bool,
    /// Pipelines it feeds; what they read is for whoever keeps them to say.
    pub pipelines: Vec<PipelineId>,
}

impl Needs {
    fn add_number(&mut self, field: &Arc<str>) {
        if !self.fields.contains(field) {
            self.fields.push(Arc::clone(field));
            self.numbers.push(Arc::clone(field));
        }
    }

    fn add(&mut self, field: &Arc<str>) {
        self.numbers.retain(|number| number != field);
        if !self.fields.contains(field) {
            self.fields.push(Arc::clone(field));
        }
    }

    fn add_all<'a>(&mut self, fields: impl IntoIterator<Item = &'a Arc<str>>) {
        fields.into_iter().for_each(|field| self.add(field));
    }
}

impl AggregateSpec {
    /// `count()`
    #[must_use]
    pub fn count() -> AggregateSpec {
        AggregateSpec::Count(CountSpec { field: None, distinct: false, output: Arc::from("_count") })
    }

    /// The fields it reads from its input rows.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.note_needs(&mut needs);
        needs
    }

    /// It can learn from rows that stand for several equal ones ([`super::Input::weights`]).
    #[must_use]
    pub fn takes_weights(&self) -> bool {
        match self {
            AggregateSpec::Count(_) => true,
            AggregateSpec::Number(spec) => {
                matches!(spec.kind, NumberKind::Min | NumberKind::Max | NumberKind::Range)
            }
            AggregateSpec::Top(spec) => !matches!(spec.measure, Measure::Sum(_)),
            AggregateSpec::GroupBy(spec) => spec.function.takes_weights(),
            AggregateSpec::Bucket(spec) => {
                spec.function.takes_weights()
                    && spec.windows.iter().all(|window| window.function.takes_weights())
            }
            AggregateSpec::Product(list) => list.iter().all(AggregateSpec::takes_weights),
            _ => false,
        }
    }

    /// How long the buckets are that it and what is inside it lay over the queried range, milliseconds. Nothing else
    /// of what it learns depends on that range.
    #[must_use]
    pub fn spans(&self, context: &Context) -> Vec<i64> {
        match self {
            AggregateSpec::Bucket(spec) => {
                let mut spans = vec![super::buckets::span_of(spec, context)];
                spans.extend(spec.function.spans(context));
                spans.extend(spec.windows.iter().flat_map(|window| window.function.spans(context)));
                spans
            }
            AggregateSpec::GroupBy(spec) => spec.function.spans(context),
            AggregateSpec::Session(spec) => spec.function.spans(context),
            AggregateSpec::Product(list) => list.iter().flat_map(|spec| spec.spans(context)).collect(),
            AggregateSpec::Chain(stages) => stages
                .iter()
                .flat_map(|stage| match stage {
                    Stage::Aggregate(spec) => spec.spans(context),
                    Stage::Sequence(spec) => {
                        spec.function().map_or_else(Vec::new, |spec| spec.spans(context))
                    }
                    Stage::Rows(_) => Vec::new(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The columns it is known to write, keys of groups left out; rows kept whole and what row steps behind an
    /// aggregate write are not known.
    #[must_use]
    pub fn outputs(&self) -> Vec<Arc<str>> {
        match self {
            AggregateSpec::Count(spec) => vec![Arc::clone(&spec.output)],
            AggregateSpec::Number(spec) => vec![Arc::clone(&spec.output)],
            AggregateSpec::Percentile(spec) => {
                spec.outputs.iter().map(|(_, output)| Arc::clone(output)).collect()
            }
            AggregateSpec::LinReg(spec) => ["_slope", "_intercept", "_r2", "_n"]
                .iter()
                .map(|name| format!("{}{name}", spec.prefix).into())
                .collect(),
            AggregateSpec::Rate(spec) => vec![Arc::clone(&spec.output)],
            AggregateSpec::Series(spec) => {
                let told = [super::TIMESTAMP, super::series::DURATION].map(Arc::from);
                told.into_iter().chain(spec.fields.iter().cloned()).collect()
            }
            AggregateSpec::Session(spec) => spec.function.outputs(),
            AggregateSpec::GroupBy(spec) => spec.function.outputs(),
            AggregateSpec::Bucket(spec) => {
                let windows = spec.windows.iter().flat_map(|window| window.function.outputs());
                spec.function.outputs().into_iter().chain(windows).collect()
            }
            AggregateSpec::Top(spec) => vec![Arc::clone(&spec.output)],
            AggregateSpec::Collect(spec) => spec.fields.clone(),
            AggregateSpec::SelectLast(fields) => fields.clone(),
            AggregateSpec::SelectFrom(spec) => spec.include.clone(),
            AggregateSpec::Rows(_) | AggregateSpec::FieldStats { .. } => Vec::new(),
            AggregateSpec::Product(list) => list.iter().flat_map(AggregateSpec::outputs).collect(),
            AggregateSpec::Chain(stages) => match stages.last() {
                Some(Stage::Aggregate(spec)) => spec.outputs(),
                _ => Vec::new(),
            },
        }
    }

    /// It never has more than one row.
    #[must_use]
    pub fn has_one_row(&self) -> bool {
        match self {
            AggregateSpec::Count(_)
            | AggregateSpec::Number(_)
            | AggregateSpec::Percentile(_)
            | AggregateSpec::LinReg(_)
            | AggregateSpec::Rate(_)
            | AggregateSpec::SelectLast(_)
            | AggregateSpec::SelectFrom(_) => true,
            AggregateSpec::Collect(spec) => spec.separator.is_some(),
            AggregateSpec::Product(list) => list.iter().all(AggregateSpec::has_one_row),
            AggregateSpec::Chain(stages) => {
                let last = stages.iter().rev().find(|stage| !matches!(stage, Stage::Rows(_)));
                matches!(last, Some(Stage::Aggregate(spec)) if spec.has_one_row())
            }
            AggregateSpec::GroupBy(_)
            | AggregateSpec::Top(_)
            | AggregateSpec::Bucket(_)
            | AggregateSpec::Series(_)
            | AggregateSpec::Session(_)
            | AggregateSpec::Rows(_)
            | AggregateSpec::FieldStats { .. } => false,
        }
    }

    /// What it tells hangs on the order in which the rows of a table stand.
    #[must_use]
    pub fn follows_rows(&self) -> bool {
        match self {
            AggregateSpec::GroupBy(spec) => spec.function.follows_rows(),
            AggregateSpec::Session(spec) => spec.function.follows_rows(),
            AggregateSpec::Bucket(spec) => {
                spec.function.follows_rows()
                    || spec.windows.iter().any(|window| window.function.follows_rows())
            }
            AggregateSpec::Product(list) => list.iter().any(AggregateSpec::follows_rows),
            AggregateSpec::Chain(stages) => stages.iter().any(|stage| match stage {
                Stage::Sequence(_) => true,
                Stage::Aggregate(spec) => spec.follows_rows(),
                Stage::Rows(_) => false,
            }),
            _ => false,
        }
    }

    fn note_needs(&self, needs: &mut Needs) {
        match self {
            AggregateSpec::Count(spec) => needs.add_all(&spec.field),
            AggregateSpec::Number(spec) => needs.add_number(&spec.field),
            AggregateSpec::Percentile(spec) => needs.add_number(&spec.field),
            AggregateSpec::LinReg(spec) => {
                [&spec.x, &spec.y].into_iter().for_each(|field| needs.add_number(field))
            }
            AggregateSpec::GroupBy(spec) => {
                needs.add_all(&spec.keys);
                spec.function.note_needs(needs);
            }
            AggregateSpec::Top(spec) => {
                needs.add_all(&spec.keys);
                if let Measure::Sum(field) | Measure::Max(field) = &spec.measure {
                    needs.add_number(field);
                }
            }
            AggregateSpec::Bucket(spec) => {
                needs.add(&Arc::from(super::TIMESTAMP));
                needs.add_all(&spec.keys);
                spec.function.note_needs(needs);
                spec.windows.iter().for_each(|window| window.function.note_needs(needs));
            }
            AggregateSpec::Rate(spec) => {
                needs.add_number(&Arc::from(super::TIMESTAMP));
                needs.add_number(&spec.field);
            }
            AggregateSpec::Session(spec) => {
                needs.add(&Arc::from(super::TIMESTAMP));
                spec.function.note_needs(needs);
            }
            AggregateSpec::Series(spec) => {
                needs.order = true;
                needs.add(&Arc::from(super::TIMESTAMP));
                needs.add_all(&spec.fields);
                needs.add_all(spec.start.iter().chain(&spec.end));
            }
            AggregateSpec::Collect(spec) => {
                needs.order = true;
                needs.add_all(&spec.fields);
            }
            AggregateSpec::SelectLast(fields) => {
                needs.order = true;
                needs.add_all(fields);
            }
            AggregateSpec::SelectFrom(spec) => {
                needs.order = true;
                needs.add(&spec.field);
                needs.add_all(&spec.include);
            }
            AggregateSpec::Rows(spec) => {
                needs.order = true;
                match &spec.fields {
                    Some(fields) => needs.add_all(fields),
                    None => needs.all = true,
                }
                if let RowOrder::By(fields) = &spec.order {
                    needs.add_all(fields.iter().map(|sort| &sort.field));
                }
            }
            AggregateSpec::FieldStats { .. } => needs.all = true,
            AggregateSpec::Product(list) => list.iter().for_each(|spec| spec.note_needs(needs)),
            AggregateSpec::Chain(stages) => match stages.first() {
                Some(Stage::Rows(id)) => {
                    needs.pipelines.push(*id);
                    // What the steps do not write themselves must reach the aggregate behind them.
                    let next = stages.iter().find_map(|stage| match stage {
                        Stage::Aggregate(spec) => Some(spec),
                        Stage::Rows(_) | Stage::Sequence(_) => None,
                    });
                    if let Some(spec) = next {
                        spec.note_needs(needs);
                    }
                }
                Some(Stage::Aggregate(spec)) => spec.note_needs(needs),
                Some(Stage::Sequence(_)) | None => {}
            },
        }
    }
}
