//! Standing metrics for Prometheus and whoever asks as one asks it: scraped, and through its HTTP API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use weir_engine::live::{HistoryRange, Live, LiveError, MAX_HISTORY_STEPS, MetricInfo};

use super::extract::{Path, Query};
use crate::app::App;
use crate::clock::now_nanos;
use crate::error::ApiError;
use crate::prometheus::{
    Fault, Form, Sample, Selection, Selector, Series, Value, matrix, name_of, parse, parse_duration,
    parse_selector, parse_time, scalar, success, vector, write_exposition,
};
use crate::wire::PushRequest;

/// The media type of what Prometheus scrapes.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The most series and times of one answer.
const MAX_SAMPLES: usize = 1_000_000;
/// The most metrics one request reads.
const MAX_METRICS: usize = 1_000;

/// A standing metric somewhere.
struct Metric {
    live: Arc<Live>,
    repository: Arc<str>,
    info: MetricInfo,
}

impl Metric {
    /// Those of a repository that are kept.
    fn of(app: &App, repository: &str) -> Result<Vec<Metric>, ApiError> {
        let repository = app.repository(repository)?;
        let live = app.live(&repository)?;
        let kept = live.list().into_iter().filter(|info| info.kept);
        let name: Arc<str> = Arc::from(&**repository.name());
        Ok(kept.map(|info| Metric { live: Arc::clone(&live), repository: Arc::clone(&name), info }).collect())
    }

    /// All that are kept, and may be of one of these names.
    fn chosen(app: &App, may_be_named: impl Fn(&str) -> bool) -> Result<Vec<Metric>, Fault> {
        let mut chosen = Vec::new();
        for repository in app.engine().repositories() {
            chosen.extend(Metric::of(app, repository.name())?);
        }
        chosen.retain(|metric| may_be_named(&name_of(&metric.info.name)));
        if chosen.len() > MAX_METRICS {
            let message =
                format!("{} metrics would be read, the most is {MAX_METRICS}: name some", chosen.len());
            return Err(Fault::bad_data(message));
        }
        Ok(chosen)
    }

    fn series(&self) -> Series {
        Series::new(&self.repository, &self.info.name, self.info.keys.clone())
    }

    /// Its series now. None where it was dropped meanwhile.
    fn now(&self) -> Result<Vec<Sample>, ApiError> {
        match self.live.read(&self.info.name) {
            Ok(result) => Ok(self.series().of(&result.table)),
            Err(LiveError::Unknown(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Its series at each time of `range` up to now.
    fn past(&self, range: HistoryRange, budget: Duration) -> Result<Vec<Vec<Sample>>, ApiError> {
        let end_nanos = range.end_nanos.min(now_nanos());
        match self.live.history(&self.info.name, HistoryRange { end_nanos, ..range }, budget) {
            Ok(points) => {
                let series = self.series();
                Ok(points.iter().map(|point| series.of(&point.table)).collect())
            }
            Err(LiveError::Unknown(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a time is as good as now: the window has not slid since.
    fn is_now(&self, nanos: i64) -> bool {
        let granule = i64::try_from(self.info.definition.granule.as_nanos()).unwrap_or(i64::MAX);
        nanos > now_nanos().saturating_sub(granule)
    }
}

/// What a selection comes to at each time of a range.
fn read(
    app: &App,
    selection: &Selection,
    range: HistoryRange,
    budget: Duration,
) -> Result<Vec<Vec<Sample>>, Fault> {
    let range = HistoryRange {
        start_nanos: range.start_nanos.saturating_sub(selection.offset_nanos),
        end_nanos: range.end_nanos.saturating_sub(selection.offset_nanos),
        ..range
    };
    let (mut steps, mut count): (Vec<Vec<Sample>>, usize) = (Vec::new(), 0);
    for metric in Metric::chosen(app, |name| selection.selector.may_be_named(name))? {
        let points = match range.start_nanos == range.end_nanos && metric.is_now(range.start_nanos) {
            true => vec![metric.now()?],
            false => metric.past(range, budget)?,
        };
        if steps.len() < points.len() {
            steps.resize_with(points.len(), Vec::new);
        }
        for (step, samples) in steps.iter_mut().zip(points) {
            let before = step.len();
            step.extend(samples.into_iter().filter(|sample| selection.selector.is_match(&sample.labels)));
            count += step.len() - before;
        }
        check_samples(count)?;
    }
    Ok(steps)
}

fn check_samples(count: usize) -> Result<(), Fault> {
    match count > MAX_SAMPLES {
        true => Err(Fault::execution(format!(
            "the answer has more than {MAX_SAMPLES} values: select fewer series or steps"
        ))),
        false => Ok(()),
    }
}

/// The parameters of a request, behind the question mark and in its body.
async fn form(app: &App, request: Request) -> Result<Form, Fault> {
    let (parts, body) = request.into_parts();
    let bytes = match parts.method == Method::POST {
        true => super::body::read_plain(app, &parts.headers, body).await?,
        false => Vec::new(),
    };
    Form::parse(parts.uri.query().unwrap_or_default(), &bytes)
}

/// How long a request may read.
fn budget(app: &App, form: &Form) -> Result<Duration, Fault> {
    let most = Duration::from_millis(app.settings().query.timeout_millis);
    let asked = form.get("timeout").map(|text| parse_duration("timeout", text)).transpose()?;
    Ok(asked.map_or(most, |nanos| Duration::from_nanos(nanos.max(0).unsigned_abs()).min(most)))
}

/// Runs `work` on a turn and answers with the data it gives.
async fn answer(
    app: &App,
    work: impl FnOnce() -> Result<Vec<u8>, Fault> + Send + 'static,
) -> Result<Response, Fault> {
    let data = app.answering().run(work).await.map_err(ApiError::from)??;
    Ok(([(header::CONTENT_TYPE, "application/json")], success(&data)).into_response())
}

/// `GET, POST /api/v1/query`: an expression at one time.
pub(super) async fn query(State(app): State<App>, request: Request) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    let budget = budget(&app, &form)?;
    let at = form.get("time").map(|text| parse_time("time", text)).transpose()?.unwrap_or_else(now_nanos);
    let text = form.wanted("query")?.to_owned();
    let shared = app.clone();
    answer(&app, move || {
        let expression = parse(&text)?;
        let range = HistoryRange { start_nanos: at, end_nanos: at, step_nanos: 1 };
        let mut vectors = Vec::new();
        for selection in expression.selections() {
            vectors.push(read(&shared, selection, range, budget)?.pop().unwrap_or_default());
        }
        Ok(match expression.evaluate(&vectors)? {
            Value::Scalar(value) => scalar(at, value),
            Value::Vector(samples) => vector(at, &samples),
        })
    })
    .await
}

/// `GET, POST /api/v1/query_range`: an expression at each step of a range.
pub(super) async fn query_range(State(app): State<App>, request: Request) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    let budget = budget(&app, &form)?;
    let range = range(&form)?;
    let text = form.wanted("query")?.to_owned();
    let shared = app.clone();
    answer(&app, move || over_range(&shared, &text, range, budget)).await
}

fn range(form: &Form) -> Result<HistoryRange, Fault> {
    let range = HistoryRange {
        start_nanos: parse_time("start", form.wanted("start")?)?,
        end_nanos: parse_time("end", form.wanted("end")?)?,
        step_nanos: parse_duration("step", form.wanted("step")?)?,
    };
    if range.end_nanos < range.start_nanos {
        return Err(Fault::bad_data("invalid parameter `end`: it is before `start`"));
    }
    if range.step_nanos <= 0 {
        return Err(Fault::bad_data("invalid parameter `step`: it must be longer than nothing"));
    }
    let steps = range.end_nanos.abs_diff(range.start_nanos) / range.step_nanos.unsigned_abs() + 1;
    if steps > MAX_HISTORY_STEPS as u64 {
        let message =
            format!("the range has {steps} steps, the most is {MAX_HISTORY_STEPS}: take a longer step");
        return Err(Fault::bad_data(message));
    }
    Ok(range)
}

fn over_range(app: &App, text: &str, range: HistoryRange, budget: Duration) -> Result<Vec<u8>, Fault> {
    let expression = parse(text)?;
    let mut selections = Vec::new();
    for selection in expression.selections() {
        selections.push(read(app, selection, range, budget)?.into_iter());
    }
    let mut series: BTreeMap<_, Vec<(i64, f64)>> = BTreeMap::new();
    let mut count = 0;
    let times = (0..=range.end_nanos.abs_diff(range.start_nanos) / range.step_nanos.unsigned_abs())
        .map(|step| range.start_nanos.saturating_add_unsigned(step * range.step_nanos.unsigned_abs()));
    for at in times {
        let vectors: Vec<_> = selections.iter_mut().map(|steps| steps.next().unwrap_or_default()).collect();
        let samples = match expression.evaluate(&vectors)? {
            Value::Vector(samples) => samples,
            Value::Scalar(value) => vec![Sample { labels: std::iter::empty().collect(), value }],
        };
        count += samples.len();
        check_samples(count)?;
        for sample in samples {
            series.entry(sample.labels).or_default().push((at, sample.value));
        }
    }
    Ok(matrix(&series))
}

/// The series there are now that one of `match[]` means; all without one.
fn matching(app: &App, form: &Form) -> Result<Vec<Sample>, Fault> {
    let selectors = form.all("match[]").map(parse_selector).collect::<Result<Vec<Selector>, Fault>>()?;
    let named =
        |name: &str| selectors.is_empty() || selectors.iter().any(|selector| selector.may_be_named(name));
    let mut samples = Vec::new();
    for metric in Metric::chosen(app, named)? {
        samples.extend(metric.now()?.into_iter().filter(|sample| {
            selectors.is_empty() || selectors.iter().any(|selector| selector.is_match(&sample.labels))
        }));
        check_samples(samples.len())?;
    }
    Ok(samples)
}

fn strings(texts: &BTreeSet<String>) -> Vec<u8> {
    // Texts always serialize.
    serde_json::to_vec(texts).unwrap_or_default()
}

/// `GET, POST /api/v1/series`: the labels of series.
pub(super) async fn series(State(app): State<App>, request: Request) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    form.wanted("match[]")?;
    let shared = app.clone();
    answer(&app, move || {
        let mut out = vec![b'['];
        for (at, sample) in matching(&shared, &form)?.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            sample.labels.write_json(&mut out);
        }
        out.push(b']');
        Ok(out)
    })
    .await
}

/// `GET, POST /api/v1/labels`: the names of labels.
pub(super) async fn labels(State(app): State<App>, request: Request) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    let shared = app.clone();
    answer(&app, move || {
        let samples = matching(&shared, &form)?;
        let names = samples.iter().flat_map(|sample| sample.labels.iter().map(|(name, _)| name.to_owned()));
        Ok(strings(&names.collect()))
    })
    .await
}

/// `GET /api/v1/label/{name}/values`: the values of a label.
pub(super) async fn label_values(
    State(app): State<App>,
    Path(label): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    let shared = app.clone();
    answer(&app, move || {
        let samples = matching(&shared, &form)?;
        let values = samples.iter().map(|sample| sample.labels.get(&label).to_owned());
        Ok(strings(&values.filter(|value| !value.is_empty()).collect()))
    })
    .await
}

/// `GET /api/v1/metadata`: what metrics are.
pub(super) async fn metadata(State(app): State<App>, request: Request) -> Result<Response, Fault> {
    let form = form(&app, request).await?;
    let limit = form.get("limit").map_or(Ok(usize::MAX), |text| {
        text.parse().map_err(|_| Fault::bad_data(format!("invalid parameter `limit`: {text:?} is no number")))
    })?;
    let shared = app.clone();
    answer(&app, move || {
        let wanted = form.get("metric");
        let mut known: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
        for metric in Metric::chosen(&shared, |name| wanted.is_none_or(|wanted| wanted == name))? {
            let facts =
                serde_json::json!({"type": "gauge", "help": metric.info.definition.query, "unit": ""});
            known.entry(name_of(&metric.info.name)).or_default().push(facts);
        }
        let shown: BTreeMap<_, _> = known.into_iter().take(limit).collect();
        Ok(serde_json::to_vec(&shown).unwrap_or_default())
    })
    .await
}

/// `GET /api/v1/status/buildinfo`: which program answers; it is not Prometheus, and says so.
pub(super) async fn build_info() -> Response {
    let info = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "", "buildUser": "", "buildDate": "",
        "goVersion": "", "application": "weir",
    });
    let body = success(info.to_string().as_bytes());
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `GET …/metrics/prometheus?names=a,b,c`: metrics of a repository as Prometheus scrapes them; all that are kept where none is named.
pub(super) async fn scrape(
    State(app): State<App>,
    Path(repository): Path<String>,
    Query(asked): Query<PushRequest>,
) -> Result<Response, ApiError> {
    let shared = app.clone();
    let work = move || {
        let names = asked.names();
        let mut metrics = Metric::of(&shared, &repository)?;
        if let Some(names) = &names {
            if let Some(absent) =
                names.iter().find(|name| metrics.iter().all(|metric| metric.info.name != **name))
            {
                return Err(LiveError::Unknown(absent.clone()).into());
            }
            metrics.retain(|metric| names.contains(&metric.info.name));
        }
        let mut families: BTreeMap<String, (String, Vec<Sample>)> = BTreeMap::new();
        for metric in metrics {
            let family = families.entry(name_of(&metric.info.name)).or_default();
            family.1.extend(metric.now()?);
            family.0 = metric.info.definition.query;
        }
        let mut out = Vec::new();
        families.iter().for_each(|(name, (query, samples))| write_exposition(name, query, samples, &mut out));
        Ok::<_, ApiError>(out)
    };
    let text = app.answering().run(work).await??;
    Ok(([(header::CONTENT_TYPE, EXPOSITION)], text).into_response())
}
