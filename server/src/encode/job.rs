//! A job's answer: its rows and what is known about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use weir_query::result::ResultTable;

use super::json::JsonRows;
use super::pen::Pen;
use crate::jobs::{Echo, JobView};
use crate::wire::{Costs, FilterQuery, JobMetaData, JobPage, JobWarning};

/// What of a job its answer needs besides the view.
#[derive(Clone, Copy, Debug)]
pub struct JobFrame<'a> {
    /// What the request said.
    pub echo: &'a Echo,
    /// Rows are computed.
    pub is_aggregate: bool,
    /// It was ended by its client.
    pub cancelled: bool,
    /// Ask again after so many ms while it runs or is live.
    pub poll_after_millis: u64,
    /// It goes on with what arrives.
    pub is_live: bool,
}

/// Ask again after so many ms once nothing changes any more, as recorded servers say.
const POLL_DONE_MILLIS: u64 = 10_000;

/// The JSON of a job's answer.
#[must_use]
pub fn encode_job(view: &JobView, frame: JobFrame<'_>, page: &JobPage) -> Vec<u8> {
    let rows = view.page(page.pagination_offset.unwrap_or(0), page.pagination_limit.unwrap_or(usize::MAX));
    // A client that waits for the end must see one when there is nothing to wait for.
    let done = view.done || frame.cancelled;
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(
        format!("{{\"cancelled\":{},\"done\":{done},\"events\":", frame.cancelled).as_bytes(),
    );
    write_rows(&rows, &mut out);
    put(&mut out, "metaData", &meta_data(view, frame, done));
    if let Some(table) = &view.distribution {
        out.extend_from_slice(b",\"queryEventDistribution\":{\"events\":");
        super::write_events(table, 0..table.rows, &mut out);
        put(&mut out, "extraData", &notes(table));
        out.push(b'}');
    }
    let warnings = view.warnings().into_iter();
    let warning = |message| JobWarning { code: "warning", message, category: "General" };
    put(&mut out, "warnings", &warnings.map(warning).collect::<Vec<_>>());
    out.push(b'}');
    out
}

fn put(out: &mut Vec<u8>, key: &str, value: &impl Serialize) {
    out.extend_from_slice(format!(",\"{key}\":").as_bytes());
    // Types of our own with text keys always serialize; `null` keeps the answer JSON should that ever change.
    out.extend_from_slice(&serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()));
}

fn write_rows(rows: &[(Arc<ResultTable>, Vec<u32>)], out: &mut Vec<u8>) {
    out.push(b'[');
    let mut first = true;
    for (table, rows) in rows {
        let mut writer = JsonRows::new(table, rows.len());
        let mut pen = Pen::take(out);
        for row in rows {
            if !first {
                pen.byte(b',');
            }
            first = false;
            writer.write(*row as usize, &mut pen);
        }
        pen.leave(out);
    }
    out.push(b']');
}

fn meta_data(view: &JobView, frame: JobFrame<'_>, done: bool) -> JobMetaData {
    let unsigned = |millis: i64| u64::try_from(millis).unwrap_or(0);
    let count = view.count() as u64;
    let mut extra_data: BTreeMap<String, String> =
        view.rows.first().map(|(table, _)| notes(table)).unwrap_or_default();
    // "true" would keep some clients polling for ever.
    extra_data.insert("hasMoreEvents".to_owned(), "false".to_owned());
    let (start, end) = (unsigned(view.start_millis), unsigned(view.end_millis));
    let seconds = (view.cost.elapsed_millis / 1000).max(1);
    JobMetaData {
        event_count: count,
        is_aggregate: frame.is_aggregate,
        extra_data,
        filter_query: FilterQuery {
            query_string: frame.echo.filter.clone(),
            start,
            end,
            is_live: false,
            is_interactive: frame.echo.is_interactive,
            include_deleted_events: frame.echo.include_deleted_events,
            no_result_until_done: frame.echo.no_result_until_done,
            show_query_event_distribution: frame.echo.show_distribution,
        },
        field_order: field_order(view),
        poll_after: if done && !frame.is_live { POLL_DONE_MILLIS } else { frame.poll_after_millis },
        processed_bytes: view.cost.bytes_scanned,
        processed_events: view.cost.events_scanned,
        query_start: start,
        query_end: end,
        result_buffer_size: count,
        time_millis: view.cost.elapsed_millis,
        queued_millis: view.cost.queued_millis,
        total_work: view.work_total,
        work_done: view.work_done,
        warnings: view.warnings(),
        costs: Costs {
            static_cost: view.cost.events_scanned,
            static_cost_rate: view.cost.events_scanned / seconds,
            ..Costs::default()
        },
        cost: view.cost.clone(),
    }
}

fn notes(table: &ResultTable) -> BTreeMap<String, String> {
    table.notes.iter().cloned().collect()
}

/// Columns that some row has a value in.
fn field_order(view: &JobView) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (table, rows) in &view.rows {
        for (name, column) in &table.columns {
            let used = rows.iter().any(|row| column.get(*row as usize).is_some());
            if used && !names.iter().any(|known| **known == **name) {
                names.push(name.to_string());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_query::record::Column;
    use weir_query::value::Value;

    #[test]
    fn shape_is_the_recorded_one() {
        let column = |name: &str, value| (Arc::from(name), Column::Constant { value, rows: 1 });
        let table = ResultTable {
            rows: 1,
            columns: vec![column("@timestamp", Value::Int(1_721_000_000_123)), column("a", Value::Int(1))],
            notes: vec![("timechart".to_owned(), "true".to_owned())],
            ..ResultTable::default()
        };
        let view = JobView {
            rows: JobView::whole(table),
            done: true,
            start_millis: -5,
            end_millis: 9,
            ..JobView::default()
        };
        let echo = Echo { filter: "*".to_owned(), ..Echo::default() };
        let frame = JobFrame {
            echo: &echo,
            is_aggregate: false,
            cancelled: false,
            poll_after_millis: 100,
            is_live: false,
        };
        let json: serde_json::Value =
            serde_json::from_slice(&encode_job(&view, frame, &JobPage::default())).unwrap();
        assert_eq!(json["events"], serde_json::json!([{"@timestamp": 1_721_000_000_123_i64, "a": "1"}]));
        assert_eq!((&json["cancelled"], &json["done"]), (&false.into(), &true.into()));
        let meta = &json["metaData"];
        assert_eq!(meta["extraData"], serde_json::json!({"hasMoreEvents": "false", "timechart": "true"}));
        assert_eq!(
            meta["filterQuery"],
            serde_json::json!({"queryString": "*", "start": 0, "end": 9,
            "isLive": false, "isInteractive": false, "includeDeletedEvents": false, "noResultUntilDone": false,
            "showQueryEventDistribution": false})
        );
        assert_eq!(meta["fieldOrder"], serde_json::json!(["@timestamp", "a"]));
        assert_eq!(meta["warnings"], serde_json::json!([]));
        for key in [
            "eventCount",
            "pollAfter",
            "processedBytes",
            "processedEvents",
            "queryStart",
            "queryEnd",
            "resultBufferSize",
            "timeMillis",
            "totalWork",
            "workDone",
        ] {
            assert!(meta[key].is_u64(), "{key}");
        }
        assert_eq!(meta["isAggregate"], false);
    }

    #[test]
    fn a_cancelled_job_is_done() {
        let echo = Echo::default();
        let frame = JobFrame {
            echo: &echo,
            is_aggregate: true,
            cancelled: true,
            poll_after_millis: 100,
            is_live: true,
        };
        let json: serde_json::Value =
            serde_json::from_slice(&encode_job(&JobView::default(), frame, &JobPage::default())).unwrap();
        assert_eq!((&json["cancelled"], &json["done"]), (&true.into(), &true.into()));
        assert_eq!(json["events"], serde_json::json!([]));
    }
}
