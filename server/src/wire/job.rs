//! Answers of query jobs, in Humio's shape.
//!
//! Every number is an unsigned integer: typed clients fail on anything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::search::Cost;

/// Answer to `POST …/queryjobs`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobCreated {
    /// The job's id.
    pub id: String,
    /// The query.
    pub query_on_view: String,
}

/// Query string of `GET …/queryjobs/{id}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    /// Rows wanted.
    #[serde(default, deserialize_with = "count")]
    pub pagination_limit: Option<usize>,
    /// Rows left out first.
    #[serde(default, deserialize_with = "count")]
    pub pagination_offset: Option<usize>,
}

/// A number, or nothing behind the equals sign, which is as if it were not there.
fn count<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(source)?;
    match text.trim() {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// `metaData` of a job's answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobMetaData {
    /// Rows of the result.
    pub event_count: u64,
    /// Rows are computed.
    pub is_aggregate: bool,
    /// Facts for whoever draws it; always has `hasMoreEvents`.
    pub extra_data: BTreeMap<String, String>,
    /// The part before the aggregate, with absolute times.
    pub filter_query: FilterQuery,
    /// Names of columns in the order to be shown.
    pub field_order: Vec<String>,
    /// Ask again after so many ms.
    pub poll_after: u64,
    /// Raw bytes looked at.
    pub processed_bytes: u64,
    /// Events looked at.
    pub processed_events: u64,
    /// Start of the time range, ms.
    pub query_start: u64,
    /// End of the time range, ms.
    pub query_end: u64,
    /// Rows held.
    pub result_buffer_size: u64,
    /// Time taken so far, ms.
    pub time_millis: u64,
    /// Waited for a turn, ms.
    pub queued_millis: u64,
    /// Work there is.
    pub total_work: u64,
    /// Work done.
    pub work_done: u64,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// In the units of newer servers.
    pub costs: Costs,
    /// Exactly what was read and what was spared.
    pub cost: Cost,
}

/// `costs`: what newer servers call static work is events looked at here.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// Of the live part.
    pub live_cost: u64,
    /// Of history.
    pub static_cost: u64,
    /// Per second.
    pub live_cost_rate: u64,
    /// Per second.
    pub static_cost_rate: u64,
}

/// `filterQuery` of a job's answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterQuery {
    /// The part before the aggregate.
    pub query_string: String,
    /// Start, ms.
    pub start: u64,
    /// End, ms.
    pub end: u64,
    /// Always false: the times are absolute.
    pub is_live: bool,
    /// As asked.
    pub is_interactive: bool,
    /// As asked.
    pub include_deleted_events: bool,
    /// As asked.
    pub no_result_until_done: bool,
    /// As asked.
    pub show_query_event_distribution: bool,
}

/// One warning, as newer servers put it.
#[derive(Clone, Debug, Serialize)]
pub struct JobWarning {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
    /// A word for grouping.
    pub category: &'static str,
}
